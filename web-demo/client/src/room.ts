/** Who has the same chat open now: the comings and goings in one room after the other. */
import type { Channel, Profile } from './chinwag.js';
import type { Connection } from './connection.js';

type Count = Pick<Required<Channel>, 'channel' | 'participants'>;

interface Listener {
  /** These have come in; who joins a chat comes into its room. */
  joined(chat_id: string, users: Profile[]): void;
  changed(): void;
}

export class Room {
  /** Who is in the room; absent until the server has said so. */
  here?: Required<Channel>;
  private subscribed?: string;
  /** What was pushed ahead of the answer that it changes. */
  private early: [Count, Profile[], { id: string }[]][] = [];

  constructor(
    private readonly connection: Connection,
    private readonly listener: Listener,
  ) {
    connection.on('participant-join', (move) => this.move(move, [move.user], []));
    connection.on('participant-leave', (move) => this.move(move, [], [move.user]));
    // Of a large room, once a second.
    connection.on('participants', (moves) => this.move(moves, moves.joined, moves.left));
  }

  /** Subscribes to one chat's room, in place of the one before. */
  async enter(chat_id?: string): Promise<void> {
    if (this.subscribed === chat_id) return;
    const before = this.subscribed;
    this.forget();
    this.subscribed = chat_id;
    // A subscription may have ended before, with the membership.
    if (before) this.request('unsubscribe', before).catch(() => {});
    if (!chat_id) return;
    const here = await this.request('subscribe', chat_id);
    if (this.subscribed !== chat_id) return;
    this.here = here;
    this.listener.joined(chat_id, here.users);
    this.early.forEach((move) => this.move(...move));
    this.listener.changed();
  }

  /** A subscription ends with its connection. */
  forget(): void {
    this.subscribed = this.here = undefined;
    this.early = [];
  }

  private move(count: Count, joined: Profile[], left: { id: string }[]): void {
    const { channel, participants } = count;
    this.listener.joined(channel.slice('room-'.length), joined);
    if (channel !== `room-${this.subscribed}`) return;
    if (!this.here) return void this.early.push([count, joined, left]);
    const moved = new Set([...joined, ...left].map(({ id }) => id));
    const others = this.here.users.filter(({ id }) => !moved.has(id));
    this.here = { channel, participants, users: [...others, ...joined] };
    this.listener.changed();
  }

  private async request(event: 'subscribe' | 'unsubscribe', chat_id: string) {
    const answer = await this.connection.request(event, { channel: `room-${chat_id}` });
    return { participants: 0, users: [], ...answer };
  }
}
