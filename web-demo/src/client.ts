/** What is known of the chats, and what can be done with them. It knows no page. */
import { Connection } from './connection';
import { ChatError } from './errors';
import { randomId } from './random';
import type { Changes, Chat, Count, Invitation, Message, Move, Moves, Page } from './shapes';
import type { Pending, Person, Presence, Room, Team, User } from './shapes';
import { isAccount } from './shapes';

export type State = 'connecting' | 'connected' | 'reconnecting';

interface Listener {
  changed(): void;
  failed(error: Error): void;
  /** The server wants a token, and another one than there is. */
  refused(): void;
  /** Somebody has taken the person out of a chat. */
  removed(chat: Chat): void;
}

/** What outlives the page. */
interface Kept {
  outbox: Pending[];
  names: [string, string][];
  rooms: Room[];
}

const PAGE_SIZE = 50;
const ROOMS_KEPT = 50;

export class ChatClient {
  /** The latest activity comes last. */
  readonly chats = new Map<string, Chat>();
  /** Public chats that were announced, the latest last. */
  readonly rooms = new Map<string, Room>();
  /** What the people met so far are called, by their ids. */
  readonly names: Map<string, string>;
  readonly invitations = new Map<string, Invitation>();
  readonly teams = new Map<string, Team>();
  state: State = 'connecting';
  myId = '';
  current?: string;
  outbox: Pending[];
  /** Who is in the open chat now; absent until the server has said so. */
  here?: Presence;

  private readonly connection: Connection;
  private readonly underWay = new Map<string, Promise<void>>();
  /** The chat whose comings and goings are subscribed to. */
  private watched?: string;
  /** Comings and goings that were pushed ahead of the answer that they change. */
  private early: [Count, User[], { id: string }[]][] = [];

  constructor(
    private readonly person: Person,
    token: () => Promise<string | undefined>,
    { outbox, names, rooms }: Kept,
    private readonly listener: Listener,
  ) {
    this.outbox = outbox;
    this.names = new Map(names);
    for (const room of rooms) this.rooms.set(room.id, room);
    this.connection = new Connection(token, {
      up: () => void this.connected(),
      down: () => this.disconnected(),
      refused: () => listener.refused(),
    });
    this.hear();
  }

  /** Opens the connection, with a chat to show once it stands. */
  connect(current?: string): void {
    this.current = current;
    this.connection.open();
  }

  close(): void {
    this.connection.close();
  }

  /** Shows a chat, joining it first if need be; `undefined` shows none. */
  async open(id?: string): Promise<void> {
    this.current = id;
    if (this.watched !== id) void this.watch();
    this.listener.changed();
    if (id && this.state === 'connected') await this.report(this.enter(id));
  }

  /** Makes a chat and returns its id. One that is open to a team has all of the team in it. */
  async createChat(name: string, isPrivate: boolean, team_id?: string): Promise<string> {
    if (team_id) await this.listTeams();
    const users = (!isPrivate && this.teams.get(team_id ?? '')?.users) || [this.myId];
    const body = { chat: { name, private: isPrivate, team_id }, users };
    const { chat } = await this.request<{ chat: Chat }>('create-chat', body);
    return this.remember(chat).id;
  }

  /** The direct chat with somebody, made at first use; returns its id. */
  async openDirect(user_id: string): Promise<string> {
    const { chat } = await this.request<{ chat: Chat }>('open-direct', { user: { id: user_id } });
    // Of one that is known, pushes have told more.
    return this.chats.has(chat.id) ? chat.id : this.remember(chat).id;
  }

  /** A direct chat is called by the other person's name. */
  titleOf({ direct, name, users = [] }: Chat): string {
    const other = users.find((id) => id !== this.myId) ?? '';
    return (direct && this.names.get(other)) || name;
  }

  async renameChat(id: string, name: string): Promise<void> {
    const body = { chat: { id, name } };
    this.amend((await this.request<{ chat: Chat }>('update-chat', body)).chat);
  }

  async invite(chat_id: string, user_id: string): Promise<void> {
    const body = { chat: { id: chat_id }, user: { id: user_id } };
    const { invitation } = await this.request<{ invitation: { invitee: User } }>('invite', body);
    this.meet(invitation.invitee);
  }

  async answer({ id }: Invitation, accepts: boolean): Promise<void> {
    // Gone whatever the answer is: an error says that it was not pending any more.
    this.invitations.delete(id);
    this.listener.changed();
    const request = accepts ? 'accept-invitation' : 'decline-invitation';
    await this.request(request, { invitation: { id } });
  }

  /** One is not told of being added to a team. */
  refreshTeams(): Promise<void> {
    return this.report(this.listTeams());
  }

  async createTeam(name: string): Promise<void> {
    const { team } = await this.request<{ team: Team }>('create-team', { team: { name } });
    this.teams.set(team.id, team);
    this.listener.changed();
  }

  async addToTeam(id: string, user_id: string): Promise<void> {
    const body = { team: { id }, user: { id: user_id } };
    const { team } = await this.request<{ team: Team }>('add-to-team', body);
    this.teams.set(team.id, team);
    this.listener.changed();
  }

  async leaveChat(id: string): Promise<void> {
    await this.request('leave-chat', { chat: { id } });
    this.forget(id);
  }

  /** Sends now, or as soon as there is a connection. */
  send(chat_id: string, text: string): void {
    this.outbox.push({ client_id: randomId(), chat_id, text });
    this.listener.changed();
    void this.flush();
  }

  retry(pending: Pending): void {
    delete pending.failure;
    this.listener.changed();
    void this.flush();
  }

  discard(client_id?: string): void {
    this.outbox = this.outbox.filter((pending) => pending.client_id !== client_id);
    this.listener.changed();
  }

  loadEarlier(chat: Chat): Promise<void> {
    return this.report(
      this.once(`earlier ${chat.id}`, async () => {
        if (!chat.messages || !chat.earlier) return;
        const page = await this.listMessages(chat, { ...chat.earlier, limit: PAGE_SIZE });
        chat.messages.unshift(...page.messages);
        chat.earlier = page.previous;
        this.listener.changed();
      }),
    );
  }

  async markRead(chat: Chat): Promise<void> {
    const seq = lastSeq(chat);
    if (chat.unread === 0 || seq < chat.last_seq || this.state !== 'connected') return;
    chat.unread = 0;
    const body = { chat: { id: chat.id }, seq };
    await this.report(
      this.request<{ chat: Chat }>('mark-read', body).then(({ chat }) => this.remember(chat)),
    );
  }

  private hear(): void {
    const server = this.connection;
    server.on('new-message', (message: Message) => this.receive(message));
    // The same, as a subscribed socket gets it.
    server.on('chat-message', (message: Message) => this.receive(message));
    server.on('create-chat', ({ chat }: { chat: Chat }) => this.remember(chat));
    server.on('message-changed', (message: Message) => this.receiveChange(message));
    server.on('mark-read', ({ chat }: { chat: Chat }) => this.remember(chat));
    server.on('update-chat', ({ chat }: { chat: Chat }) => this.amend(chat));
    server.on('remove-member', ({ chat }: { chat: Chat }) => this.amend(chat));
    server.on('chatroom', ({ room }: { room: Room }) => this.discover(room));
    server.on('participant-join', (move: Move) => this.move(move, [move.user], []));
    server.on('participant-leave', (move: Move) => this.move(move, [], [move.user]));
    // Of a large room, once a second.
    server.on('participants', (move: Moves) => this.move(move, move.joined, move.left));
    server.on('invitation', ({ invitation }: { invitation: Invitation }) => {
      this.invitations.set(invitation.id, invitation);
      this.meet(invitation.inviter);
    });
  }

  private async connected(): Promise<void> {
    await this.report(this.synchronise());
    // Refused for now, as by a server with too much to do.
    if (this.connection.isUp && this.state !== 'connected') this.connection.renewLater();
  }

  /** Says who is here, then closes the gap that the time away has left. */
  private async synchronise(): Promise<void> {
    // Those still pending are sent again.
    this.invitations.clear();
    this.myId = await this.introduce();
    void this.refreshTeams();
    await this.listChats();
    await Promise.all([...this.chats.values()].map((chat) => this.report(this.catchUp(chat))));
    if (!this.connection.isUp) return;
    this.state = 'connected';
    this.listener.changed();
    void this.flush();
    if (this.current) await this.report(this.enter(this.current));
  }

  /** Who has a token is known by it; anybody else says who they are. */
  private async introduce(): Promise<string> {
    if (isAccount(this.person)) return this.person.user_id;
    const body = { user: this.person };
    const { user } = await this.request<{ user: User }>('create-user', body);
    return user.id;
  }

  private disconnected(): void {
    this.state = 'reconnecting';
    this.watched = this.here = undefined;
    this.listener.changed();
  }

  private listChats(): Promise<void> {
    return this.once('list', async () => {
      const missing = new Map(this.chats);
      const listed: Chat[] = [];
      let before: unknown;
      do {
        const body = { user: { id: this.myId }, before };
        const page = await this.request<{ chats: Chat[]; next?: unknown }>('list-chats', body);
        listed.push(...page.chats);
        before = page.next;
      } while (before);
      for (const chat of listed.reverse()) {
        // A message pushed while the list was on its way is not counted in it.
        const ahead = Math.max(0, (this.chats.get(chat.id)?.last_seq ?? 0) - chat.last_seq);
        chat.last_seq += ahead;
        chat.unread += ahead;
        this.moveToEnd(this.remember(chat));
        missing.delete(chat.id);
      }
      for (const chat of missing.values()) {
        if (this.forget(chat.id)) this.listener.removed(chat);
      }
    });
  }

  private listTeams(): Promise<void> {
    return this.once('teams', async () => {
      const { teams } = await this.request<{ teams: Team[] }>('list-teams', {});
      this.teams.clear();
      for (const team of teams) this.teams.set(team.id, team);
      this.listener.changed();
    });
  }

  private async enter(id: string): Promise<void> {
    try {
      if (!this.chats.has(id)) await this.join(id);
    } catch (error) {
      if (error instanceof ChatError && this.current === id) this.current = undefined;
      if (error instanceof ChatError && error.code === 'not_found') this.rooms.delete(id);
      this.listener.changed();
      throw error;
    }
    const chat = this.chats.get(id);
    await Promise.all([
      this.current === id && this.watch(id),
      chat && !chat.messages && this.loadLatest(chat),
    ]);
  }

  /** Subscribes to one chat, in place of the one before. */
  private async watch(id?: string): Promise<void> {
    if (this.watched === id) return;
    const before = this.watched;
    this.watched = id;
    this.here = undefined;
    this.early = [];
    // A subscription may have ended before, with the membership.
    if (before) this.request('unsubscribe', { channel: `room-${before}` }).catch(() => {});
    if (!id) return;
    const here = await this.request<Presence>('subscribe', { channel: `room-${id}` });
    if (this.watched !== id) return;
    this.here = here;
    here.users.forEach((user) => this.meet(user));
    this.early.forEach((move) => this.move(...move));
  }

  private move(count: Count, joined: User[], left: { id: string }[]): void {
    joined.forEach((user) => this.meet(user));
    const { channel, participants } = count;
    if (channel !== `room-${this.watched}`) return;
    if (!this.here) return void this.early.push([count, joined, left]);
    const moved = new Set([...joined, ...left].map(({ id }) => id));
    const others = this.here.users.filter(({ id }) => !moved.has(id));
    this.here = { channel, participants, users: [...others, ...joined] };
    this.listener.changed();
  }

  private meet({ id, name }: User): void {
    this.names.set(id, name);
    this.listener.changed();
  }

  /** The server names a direct chat by its two users, in their order. */
  private meetBoth({ name, users = [] }: Chat): void {
    const names = name.split(', ');
    // A name may have a comma of its own.
    if (names.length !== users.length) return;
    users.forEach((id, index) => {
      if (!this.names.has(id)) this.meet({ id, name: names[index]! });
    });
  }

  private discover({ id, name }: Room): void {
    this.rooms.set(id, { id, name });
    const [oldest] = this.rooms.keys();
    if (this.rooms.size > ROOMS_KEPT) this.rooms.delete(oldest!);
    this.listener.changed();
  }

  private async join(id: string): Promise<void> {
    const { chat } = await this.request<{ chat: Chat }>('join-chat', { chat: { id } });
    this.remember(chat);
  }

  private loadLatest(chat: Chat): Promise<void> {
    return this.once(`latest ${chat.id}`, async () => {
      // What changes while the page is on its way is caught up with after it.
      const change = chat.last_change;
      const page = await this.listMessages(chat, { limit: PAGE_SIZE });
      chat.change = change;
      chat.messages = page.messages;
      chat.earlier = page.previous;
      chat.last_seq = Math.max(chat.last_seq, lastSeq(chat));
      this.listener.changed();
      await this.catchUp(chat);
    });
  }

  /** Fetches what was said after the last message seen, and what became of the others meanwhile. */
  private catchUp(chat: Chat): Promise<void> {
    return this.once(`catch up ${chat.id}`, async () => {
      while (chat.messages && (chat.change ?? 0) < (chat.last_change ?? 0)) {
        const body = { chat: { id: chat.id }, after: chat.change ?? 0 };
        const page = await this.request<Changes>('list-changes', body);
        for (const message of page.messages) this.replace(chat, message);
        chat.change = page.next ?? page.last_change;
        chat.last_change = page.last_change;
      }
      while (chat.messages && lastSeq(chat) < chat.last_seq) {
        const { messages } = await this.listMessages(chat, { after_seq: lastSeq(chat) });
        if (messages.length === 0) return;
        for (const message of messages) this.append(chat, message);
      }
    });
  }

  private listMessages(chat: Chat, query: object): Promise<Page> {
    return this.request<Page>('list-messages', { chat: { id: chat.id }, query });
  }

  /** Takes in a message from a push or an answer; it may come by both. */
  private receive(message: Message): void {
    const chat = this.chats.get(message.chat_id);
    if (!chat) return void this.report(this.listChats());
    if (message.seq > chat.last_seq) {
      chat.last_seq = message.seq;
      this.moveToEnd(chat);
      if (message.user_id !== this.myId) chat.unread += 1;
    }
    if (chat.messages && message.seq > lastSeq(chat) + 1) void this.report(this.catchUp(chat));
    else this.append(chat, message);
  }

  /** Takes in what has become of a message. */
  private receiveChange(message: Message): void {
    const chat = this.chats.get(message.chat_id);
    if (!chat || !message.change) return;
    const next = (chat.change ?? 0) + 1;
    chat.last_change = Math.max(chat.last_change ?? 0, message.change);
    if (chat.messages && message.change > next) return void this.report(this.catchUp(chat));
    chat.change = Math.max(chat.change ?? 0, message.change);
    this.replace(chat, message);
  }

  private replace(chat: Chat, message: Message): void {
    const at = chat.messages?.findIndex(({ id }) => id === message.id) ?? -1;
    if (at >= 0) chat.messages![at] = message;
    this.listener.changed();
  }

  private append(chat: Chat, message: Message): void {
    if (chat.messages && message.seq > lastSeq(chat)) chat.messages.push(message);
    if (message.user_id === this.myId) this.discard(message.client_id);
    this.listener.changed();
  }

  /** Sends what waits: one at a time, so that the order stays whatever happens to one of them. */
  private flush(): Promise<void> {
    return this.once('flush', async () => {
      while (this.state === 'connected') {
        const pending = this.outbox.find(({ failure }) => !failure);
        if (!pending) return;
        try {
          this.receive(await this.deliver(pending));
          this.discard(pending.client_id);
        } catch (error) {
          // Without an answer it goes on waiting: the same client_id makes it the same message.
          if (!(error instanceof ChatError)) return;
          pending.failure = error.message;
          this.listener.changed();
        }
      }
    });
  }

  private deliver({ client_id, chat_id, text }: Pending): Promise<Message> {
    const message = { value: text, type: 'text', client_id };
    return this.request('new-message', { chat: { id: chat_id }, user: { id: this.myId }, message });
  }

  private remember(news: Partial<Chat> & { id: string }): Chat {
    const known = this.chats.get(news.id) ?? { name: '', last_seq: 0, unread: 0 };
    const chat = Object.assign(known, news);
    this.chats.set(chat.id, chat);
    if (news.team_id && !this.teams.has(news.team_id)) void this.refreshTeams();
    if (news.direct) this.meetBoth(chat);
    this.listener.changed();
    return chat;
  }

  /** Takes in a change that says nothing of the messages: these have an order of their own. */
  private amend({ id, name, private: isPrivate, users }: Chat): void {
    if (!this.chats.has(id)) return;
    this.remember({ id, name, private: isPrivate, users });
    // Of a large chat not everybody is named: the list decides who is in it.
    if (!users?.includes(this.myId)) void this.report(this.listChats());
  }

  private forget(id: string): boolean {
    if (this.current === id) void this.open();
    this.outbox = this.outbox.filter((pending) => pending.chat_id !== id);
    const known = this.chats.delete(id);
    this.listener.changed();
    return known;
  }

  private moveToEnd(chat: Chat): void {
    this.chats.delete(chat.id);
    this.chats.set(chat.id, chat);
  }

  private request<Answer>(event: string, body: object): Promise<Answer> {
    return this.connection.request(event, body);
  }

  /** What a lost connection breaks off is done again after the next connect: that is no news. */
  private async report(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (error instanceof ChatError) this.listener.failed(error);
    }
  }

  /** Joins work that is under way instead of doing it twice. */
  private once(name: string, work: () => Promise<void>): Promise<void> {
    const running = this.underWay.get(name) ?? work().finally(() => this.underWay.delete(name));
    this.underWay.set(name, running);
    return running;
  }
}

function lastSeq(chat: Chat): number {
  return chat.messages?.at(-1)?.seq ?? 0;
}
