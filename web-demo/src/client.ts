/** The chat client: what is known of the chats, and what can be done with them. It knows no page. */
import { io } from 'socket.io-client';

export interface Person {
  external_id: string;
  name: string;
  photo: string;
}

export interface Message {
  id: string;
  msg: string;
  user_id: string;
  chat_id: string;
  seq: number;
  client_id?: string;
  created_at: string;
}

/** A message that the server has not confirmed. */
export interface Pending {
  client_id: string;
  chat_id: string;
  text: string;
  failure?: string;
}

type Cursor = { before_seq: number };
type Page = { messages: Message[]; previous?: Cursor };

export interface Chat {
  id: string;
  name: string;
  last_seq: number;
  unread: number;
  /** In the order of `seq` and without a gap; absent until the chat is opened. */
  messages?: Message[];
  /** Where earlier messages go on, if there are any. */
  earlier?: Cursor;
}

export type Connection = 'connecting' | 'connected' | 'reconnecting';

/** An error that the server answered with. */
export class ChatError extends Error {
  readonly code: string;

  constructor(error: { code: string; message: string }) {
    super(error.message);
    this.code = error.code;
  }
}

interface Listener {
  changed(): void;
  failed(error: Error): void;
}

const ANSWER_TIMEOUT_MS = 20_000;
const RETRY_MS = 3_000;
const PAGE_SIZE = 50;

export class ChatClient {
  /** The latest activity comes last. */
  readonly chats = new Map<string, Chat>();
  connection: Connection = 'connecting';
  myId = '';
  current?: string;

  private readonly socket = io({
    autoConnect: false,
    reconnectionDelay: 500,
    reconnectionDelayMax: 3_000,
  });
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(
    private readonly person: Person,
    public outbox: Pending[],
    private readonly listener: Listener,
  ) {
    this.socket.on('connect', () => this.connected());
    this.socket.on('disconnect', (reason) => this.disconnected(reason));
    this.socket.on('connect_error', (error) => {
      // An active socket tries again by itself; one that was refused does not.
      if (this.socket.active) return;
      const why = `The server refused the connection (${error.message}).`;
      this.listener.failed(new Error(`${why} This page needs --access open.`));
    });
    this.socket.on('new-message', (message: Message) => this.receive(message));
    this.socket.on('create-chat', ({ chat }: { chat: Chat }) => this.remember(chat));
    this.socket.on('mark-read', ({ chat }: { chat: Chat }) => this.remember(chat));
  }

  /** Opens the connection, with a chat to show once it stands. */
  connect(current?: string): void {
    this.current = current;
    this.socket.connect();
  }

  close(): void {
    this.socket.disconnect();
  }

  /** Shows a chat, joining it first if need be; `undefined` shows none. */
  async open(id?: string): Promise<void> {
    this.current = id;
    this.listener.changed();
    if (id && this.connection === 'connected') await this.report(this.enter(id));
  }

  /** Makes a chat that others can join, and returns its id. */
  async createChat(name: string): Promise<string> {
    const body = { chat: { name, private: false }, users: [this.myId] };
    const { chat } = await this.request<{ chat: Chat }>('create-chat', body);
    return this.remember(chat).id;
  }

  async leaveChat(id: string): Promise<void> {
    await this.request('leave-chat', { chat: { id } });
    this.chats.delete(id);
    this.outbox = this.outbox.filter((pending) => pending.chat_id !== id);
    this.listener.changed();
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
    if (chat.unread === 0 || seq < chat.last_seq || this.connection !== 'connected') return;
    chat.unread = 0;
    const body = { chat: { id: chat.id }, seq };
    await this.report(
      this.request<{ chat: Chat }>('mark-read', body).then(({ chat }) => this.remember(chat)),
    );
  }

  private async connected(): Promise<void> {
    await this.report(this.synchronise());
    // Refused for now, as by a server with too much to do.
    const refused = this.socket.connected && this.connection !== 'connected';
    if (refused) setTimeout(() => this.socket.io.engine.close(), RETRY_MS);
  }

  /** Says who is here, then closes the gap that the time away has left. */
  private async synchronise(): Promise<void> {
    const body = { user: this.person };
    const { user } = await this.request<{ user: { id: string } }>('create-user', body);
    this.myId = user.id;
    await this.listChats();
    await Promise.all([...this.chats.values()].map((chat) => this.report(this.catchUp(chat))));
    if (!this.socket.connected) return;
    this.connection = 'connected';
    this.listener.changed();
    void this.flush();
    if (this.current) await this.report(this.enter(this.current));
  }

  private disconnected(reason: string): void {
    this.connection = 'reconnecting';
    this.listener.changed();
    // Socket.IO leaves it at that where the server closed the socket, as it may at a restart.
    if (reason === 'io server disconnect') setTimeout(() => this.socket.connect(), RETRY_MS);
  }

  private listChats(): Promise<void> {
    return this.once('list', async () => {
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
      }
    });
  }

  private async enter(id: string): Promise<void> {
    try {
      if (!this.chats.has(id)) await this.join(id);
    } catch (error) {
      if (error instanceof ChatError && this.current === id) this.current = undefined;
      throw error;
    }
    const chat = this.chats.get(id);
    if (chat && !chat.messages) await this.loadLatest(chat);
  }

  private async join(id: string): Promise<void> {
    try {
      const { chat } = await this.request<{ chat: Chat }>('join-chat', { chat: { id } });
      this.remember(chat);
    } catch (error) {
      const isMember = error instanceof ChatError && error.code === 'conflict';
      if (!isMember) throw error;
      await this.listChats();
    }
  }

  private loadLatest(chat: Chat): Promise<void> {
    return this.once(`latest ${chat.id}`, async () => {
      const page = await this.listMessages(chat, { limit: PAGE_SIZE });
      chat.messages = page.messages;
      chat.earlier = page.previous;
      chat.last_seq = Math.max(chat.last_seq, lastSeq(chat));
      this.listener.changed();
      await this.catchUp(chat);
    });
  }

  /** Fetches what was said after the last message seen, until nothing is missing. */
  private catchUp(chat: Chat): Promise<void> {
    return this.once(`catch up ${chat.id}`, async () => {
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

  private append(chat: Chat, message: Message): void {
    if (chat.messages && message.seq > lastSeq(chat)) chat.messages.push(message);
    if (message.user_id === this.myId) this.discard(message.client_id);
    this.listener.changed();
  }

  /** Sends what waits: one at a time, so that the order stays whatever happens to one of them. */
  private flush(): Promise<void> {
    return this.once('flush', async () => {
      while (this.connection === 'connected') {
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
    this.listener.changed();
    return chat;
  }

  private moveToEnd(chat: Chat): void {
    this.chats.delete(chat.id);
    this.chats.set(chat.id, chat);
  }

  private async request<Answer>(event: string, body: object): Promise<Answer> {
    // Socket.IO would keep it and send it at the next connect, before create-user.
    if (!this.socket.connected) throw new Error('There is no connection to the server.');
    let answer;
    try {
      answer = await this.socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(event, body);
    } catch (error) {
      if (this.socket.connected) this.socket.io.engine.close();
      throw error;
    }
    if (answer.error) throw new ChatError(answer.error);
    return answer;
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

/** Not crypto.randomUUID: a page served over plain HTTP does not have it. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function lastSeq(chat: Chat): number {
  return chat.messages?.at(-1)?.seq ?? 0;
}
