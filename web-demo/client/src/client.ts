/**
 * Keeps the state of the user's chats up to date: by pushes, and after a lost connection by
 * fetching what was missed. It draws nothing, but calls `changed` whenever there is something new
 * to draw.
 */
import { Chats, type MyChat } from './chats.js';
import type { Invitation, Message, MessageToSend } from './chinwag.js';
import { type AnswerTo, type Asked, type BodyOf, Connection } from './connection.js';
import { ChatError, untilTaken } from './errors.js';
import type { Options } from './options.js';
import { isPicture, Outbox, type Pending } from './outbox.js';
import { People } from './people.js';
import { Pushes } from './pushes.js';
import { Room } from './room.js';

/** The server pushes a repeated `typing` at most every two seconds, and ends it after six. */
const TYPING_EVERY_MS = 3_000;

/** How long a message waits by itself if the server is too busy for it. */
const PATIENCE_MS = 10_000;

export type State = 'connecting' | 'connected' | 'reconnecting';

export class ChatClient {
  state: State = 'connecting';
  /** The user's id, once the server has said it. */
  myId = '';
  /** The id of the chat that is open. */
  current?: string;
  /** The user's chats, by their ids. */
  readonly chats: Chats;
  readonly people: People;
  /** The messages that are not confirmed yet. */
  readonly outbox: Outbox;
  /** The users who also have the open chat open. */
  readonly room: Room;
  /** The user's pending invitations, by their ids. */
  readonly invitations = new Map<string, Invitation>();
  readonly connection: Connection;
  private readonly pushes: Pushes;
  private readonly underWay = new Map<string, Promise<void>>();
  private readonly waiting: { resolve(): void; reject(error: ChatError): void }[] = [];
  private typed = { chat_id: '', at: 0 };

  constructor(private readonly options: Options) {
    const { user, storage } = options;
    const changed = () => this.changed();
    this.connection = new Connection(options, {
      up: () => void this.up(),
      down: () => this.down(),
      refused: (error) => {
        options.refused?.();
        this.giveUp(error);
      },
    });
    this.chats = new Chats(this.connection, {
      changed,
      arrived: (message) => this.pushes.confirm(message),
    });
    this.people = new People(this.connection, changed);
    const owner = 'external_id' in user ? (user.external_id ?? user.id) : user.id;
    this.outbox = new Outbox(storage, String(owner), changed);
    this.room = new Room(this.connection, {
      joined: (chat_id, users) => this.pushes.meetAll(chat_id, users),
      changed,
    });
    this.pushes = new Pushes(this);
  }

  /**
   * Opens the connection, and opens it again whenever it is lost; resolves once the chats are
   * loaded. If the server refuses the user or the token, it closes the connection and rejects, as a
   * retry would not help.
   */
  connect(): Promise<void> {
    this.connection.open();
    if (this.state === 'connected') return Promise.resolve();
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** Closes the connection until `connect` is called again. */
  close(): void {
    this.connection.close();
  }

  /** Calls `act` for each push of this event. */
  readonly on: Connection['on'] = (event, act) => this.connection.on(event, act);

  /** Sends a request, and updates the state by its answer. */
  async request<Event extends Asked>(event: Event, body: BodyOf<Event>): Promise<AnswerTo<Event>> {
    const answer = await this.connection.request(event, body);
    this.pushes.answered(event, answer);
    return answer;
  }

  /**
   * Opens a chat, and joins it first if necessary; without an id, closes the open one. Rejects if
   * the server refuses.
   */
  async open(id?: string): Promise<void> {
    if (id !== this.current) this.chats.get(id ?? '')?.timeline.forgetPart();
    this.current = id;
    if (!id) void this.report(this.room.enter());
    this.changed();
    if (!id || this.state !== 'connected') return;
    try {
      await this.enter(id);
    } catch (error) {
      // If the connection was lost, this is done again after the next connect.
      if (error instanceof ChatError) throw error;
    }
  }

  /**
   * Sends a message now, or as soon as there is a connection. It is in the outbox until the server
   * confirms it.
   */
  send(message: Omit<Pending, 'client_id' | 'written_at'>): void {
    this.typed.at = 0;
    this.outbox.add(message);
    void this.flush();
  }

  /** Sends a message again that the server has refused. */
  retry(pending: Pending): void {
    this.outbox.fail(pending, undefined);
    void this.flush();
  }

  /**
   * Tells the others that the user is typing. Call it at each key: it sends a request only now and
   * then.
   */
  typing(chat_id: string): void {
    const isSaid = this.typed.chat_id === chat_id && Date.now() - this.typed.at < TYPING_EVERY_MS;
    if (isSaid || this.state !== 'connected') return;
    this.typed = { chat_id, at: Date.now() };
    void this.report(this.request('typing', { chat: { id: chat_id } }));
  }

  /** Marks all loaded messages of the chat as read. */
  async markRead(chat: MyChat): Promise<void> {
    const seq = chat.timeline.end;
    if (chat.unread === 0 || seq < chat.last_seq || this.state !== 'connected') return;
    chat.unread = chat.mentions = 0;
    await this.report(this.request('mark-read', { chat: { id: chat.id }, seq }));
  }

  /** Loads the members; of a very large chat only as many as fit on a page. */
  async loadMembers(chat: MyChat): Promise<void> {
    const body = { chat: { id: chat.id } };
    const page = await this.request('list-members', body);
    const ids = page.members.map(({ user }) => user.id);
    chat.memberList = page.members;
    chat.hasMoreMembers = Boolean(page.next);
    if (!page.next) chat.users = ids;
    chat.me = page.members.find(({ user }) => user.id === this.myId) ?? chat.me;
    chat.role = chat.me?.role ?? chat.role;
    page.members.forEach(({ user }) => this.people.meet(user));
    this.changed();
    await this.people.watch(ids);
  }

  /**
   * Waits for `work` and reports errors of the server to `failed`. A lost connection is not
   * reported, as the work is done again after the next connect.
   */
  async report(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      const { failed = console.error } = this.options;
      if (error instanceof ChatError) failed(error);
    }
  }

  changed(): void {
    this.options.changed?.();
  }

  /** @internal */
  forget(id: string): MyChat | undefined {
    const chat = this.chats.get(id);
    this.chats.delete(id);
    this.outbox.removeChat(id);
    if (this.current === id) void this.open();
    this.changed();
    return chat;
  }

  /** @internal Forgets a chat that is gone without an action of the user, and reports that. */
  lose(id: string): void {
    const chat = this.forget(id);
    if (chat) this.options.removed?.(chat);
  }

  /**
   * @internal Loads the list of the user's chats, and forgets the chats that are no longer in it.
   */
  listChats(): Promise<void> {
    return this.once('list', async () => {
      const missing = new Set(this.chats.keys());
      let before: string | undefined;
      do {
        const page = await this.request('list-chats', { user: { id: this.myId }, before });
        for (const news of page.chats) {
          // The list does not count messages that were pushed while it was on its way.
          const known = this.chats.get(news.id);
          const ahead = Math.max(0, (known?.last_seq ?? 0) - news.last_seq);
          const last_message = known && ahead > 0 ? known.last_message : news.last_message;
          const [last_seq, unread] = [news.last_seq + ahead, (news.unread ?? 0) + ahead];
          this.chats.rememberOwn({ ...news, last_message, last_seq, unread });
          missing.delete(news.id);
        }
        before = page.next;
      } while (before);
      missing.forEach((id) => this.lose(id));
      const direct = [...this.chats.values()].filter((chat) => chat.direct);
      await this.people.watch([this.myId, ...direct.flatMap(({ users }) => users)]);
    });
  }

  private async up(): Promise<void> {
    const synchronised = this.synchronise();
    await this.report(synchronised);
    await synchronised.catch((error) => this.giveUp(error));
    // The server has refused for now, for example because it is too busy.
    if (this.connection.isUp && this.state !== 'connected') this.connection.renewLater();
  }

  /** Rejects all calls of `connect` that still wait. */
  private giveUp(error: unknown): void {
    if (!(error instanceof ChatError) || error.isPassing || this.waiting.length === 0) return;
    this.close();
    this.waiting.splice(0).forEach(({ reject }) => reject(error));
  }

  /**
   * Tells the server who the user is, then fetches what was missed while there was no connection.
   */
  private async synchronise(): Promise<void> {
    // The server pushes pending invitations again.
    this.invitations.clear();
    this.myId = await this.introduce();
    await this.listChats();
    const chats = [...this.chats.values()];
    await Promise.all(chats.map((chat) => this.report(chat.timeline.catchUp())));
    if (!this.connection.isUp) return;
    this.state = 'connected';
    this.changed();
    this.options.connected?.();
    this.waiting.splice(0).forEach(({ resolve }) => resolve());
    void this.flush();
    if (this.current) await this.report(this.enter(this.current));
  }

  /** Returns the id of a token's user; creates or finds any other user by a request. */
  private async introduce(): Promise<string> {
    const { user } = this.options;
    if (!('name' in user)) return user.id;
    const answer = await this.request('create-user', { user });
    return answer.user.id;
  }

  private down(): void {
    this.state = 'reconnecting';
    this.room.forget();
    this.people.forgetWatched();
    for (const chat of this.chats.values()) {
      chat.typing.clear();
      // Members who came and went meanwhile are not pushed: the list is loaded anew.
      chat.memberList = undefined;
    }
    this.changed();
  }

  private async enter(id: string): Promise<void> {
    try {
      if (!this.chats.has(id)) await this.request('join-chat', { chat: { id } });
    } catch (error) {
      if (error instanceof ChatError && this.current === id) this.current = undefined;
      this.changed();
      throw error;
    }
    const chat = this.chats.get(id);
    if (!chat) return;
    await Promise.all([
      this.current === id && this.room.enter(id),
      chat.timeline.open(chat.unread),
      chat.memberList ?? this.loadMembers(chat),
    ]);
  }

  /**
   * Sends the messages of the outbox one at a time, so that their order stays even if one fails.
   */
  private flush(): Promise<void> {
    return this.once('flush', async () => {
      while (this.state === 'connected') {
        const pending = this.outbox.next;
        if (!pending) return;
        try {
          await untilTaken(() => this.deliver(pending), PATIENCE_MS);
          this.outbox.remove(pending.client_id);
        } catch (error) {
          // Without an answer the message stays in the outbox: its client_id prevents a second
          // copy.
          if (!(error instanceof ChatError)) return;
          this.outbox.fail(pending, error.message);
        }
      }
    });
  }

  private deliver(pending: Pending): Promise<Message> {
    const { client_id, chat_id, text, file, mentions, reply_to } = pending;
    const message: MessageToSend = {
      value: file && !text ? undefined : text,
      type: !file ? 'text' : isPicture(file) ? 'img' : 'file',
      file: file && { id: file.id },
      client_id,
      mentions,
      reply_to: reply_to && { id: reply_to.id },
    };
    return this.request('new-message', { chat: { id: chat_id }, user: { id: this.myId }, message });
  }

  /** Returns the promise of the same work if it is already running, instead of doing it twice. */
  private once(name: string, work: () => Promise<void>): Promise<void> {
    const running = this.underWay.get(name) ?? work().finally(() => this.underWay.delete(name));
    this.underWay.set(name, running);
    return running;
  }
}
