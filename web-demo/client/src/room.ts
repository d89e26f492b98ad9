/** The users who have the same chat open now. The client is in one room at a time. */
import type { Channel, Profile } from './chinwag.js';
import type { Connection } from './connection.js';

type Count = Pick<Required<Channel>, 'channel' | 'participants'>;

interface Listener {
  /** Called with users who have entered the room of a chat, as users who join the chat also do. */
  joined(chat_id: string, users: Profile[]): void;
  changed(): void;
}

export class Room {
  /** The participants of the room; absent until the server has answered. */
  here?: Required<Channel>;
  private subscribed?: string;
  /** Pushes that came before the answer to `subscribe`, and are applied after it. */
  private early: [Count, Profile[], { id: string }[]][] = [];

  constructor(
    private readonly connection: Connection,
    private readonly listener: Listener,
  ) {
    connection.on('participant-join', (move) => this.move(move, [move.user], []));
    connection.on('participant-leave', (move) => this.move(move, [], [move.user]));
    // For a large room this comes once a second.
    connection.on('participants', (moves) => this.move(moves, moves.joined, moves.left));
  }

  /** Subscribes to a chat's room, and unsubscribes from the one before. */
  async enter(chat_id?: string): Promise<void> {
    if (this.subscribed === chat_id) return;
    const before = this.subscribed;
    this.forget();
    this.subscribed = chat_id;
    // The subscription may have ended already, with the membership.
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
