/**
 * What is known of the chats, and how it stays true: after a lost connection the gap is closed, and
 * meanwhile there are the pushes. It knows no page, and calls `changed` whenever there is news to
 * draw.
 */
import type { MessageToSend } from '../../contract/chinwag';
import { Actions } from './actions';
import { Chats, type Chat } from './chats';
import { type AnswerTo, type Asked, type BodyOf, Connection, type Traffic } from './connection';
import { ChatError } from './errors';
import { Outbox, type Pending } from './outbox';
import { People } from './people';
import { Pushes } from './pushes';
import { Room } from './room';
import type { Identity, Invitation, Message, Person, Team } from './shapes';
import { isAccount, isPicture } from './shapes';
import { Upload } from './uploads';

export type State = 'connecting' | 'connected' | 'reconnecting';

interface Listener {
  changed(): void;
  failed(error: Error): void;
  /** The server wants a token, and another one than there is. */
  refused(): void;
  /** The chat is gone, or somebody has taken the person out of it. */
  removed(chat: Chat): void;
  invited(invitation: Invitation): void;
  /** There is a new public chat. */
  announced(): void;
}

export class ChatClient {
  readonly invitations = new Map<string, Invitation>();
  readonly teams = new Map<string, Team>();
  /** Whom one has blocked, by their ids. */
  readonly blocked = new Map<string, Person>();
  readonly connection: Connection;
  readonly chats: Chats;
  readonly people: People;
  readonly outbox: Outbox;
  /** Who has the open chat open, too. */
  readonly room: Room;
  readonly act: Actions;
  private readonly pushes: Pushes;
  state: State = 'connecting';
  myId = '';
  current?: string;

  private readonly underWay = new Map<string, Promise<void>>();

  constructor(
    private readonly identity: Identity,
    private readonly token: () => Promise<string | undefined>,
    storage: Storage,
    readonly listener: Listener,
  ) {
    const owner = isAccount(identity) ? identity.user_id : identity.external_id;
    this.connection = new Connection(token, {
      up: () => void this.connected(),
      down: () => this.disconnected(),
      refused: () => listener.refused(),
    });
    this.chats = new Chats(this.connection, {
      changed: () => listener.changed(),
      remembered: (chat) => this.remembered(chat),
      arrived: (message) => this.pushes.confirm(message),
    });
    this.people = new People(this.connection, () => listener.changed());
    this.outbox = new Outbox(storage, owner, () => listener.changed());
    this.room = new Room(this.connection, {
      joined: (chat_id, users) => this.pushes.meetAll(chat_id, users),
      changed: () => listener.changed(),
    });
    this.act = new Actions(this);
    this.pushes = new Pushes(this);
  }

  /** Opens the connection, with a chat to show once it stands. */
  connect(current?: string): void {
    this.current = current;
    this.connection.open();
  }

  request<Event extends Asked>(event: Event, body: BodyOf<Event>): Promise<AnswerTo<Event>> {
    return this.connection.request(event, body);
  }

  /** Shows a chat, joining it first if need be; `undefined` shows none. */
  async open(id?: string): Promise<void> {
    if (id !== this.current) this.chats.get(id ?? '')?.timeline.forgetPart();
    this.current = id;
    if (!id) void this.report(this.room.enter());
    this.listener.changed();
    if (id && this.state === 'connected') await this.report(this.enter(id));
  }

  /** Sends what waits: one at a time, so that the order stays whatever happens to one of them. */
  flush(): Promise<void> {
    return this.once('flush', async () => {
      while (this.state === 'connected') {
        const pending = this.outbox.next;
        if (!pending) return;
        try {
          this.pushes.receive(await this.deliver(pending));
          this.outbox.remove(pending.client_id);
        } catch (error) {
          // Without an answer it goes on waiting: the same client_id makes it the same message.
          if (!(error instanceof ChatError)) return;
          this.outbox.fail(pending, error.message);
        }
      }
    });
  }

  /** Begins to upload a file, to be sent in a message; `changed` hears how far it is. */
  upload(file: File, changed: () => void): Upload {
    const watch = (traffic: Traffic) => this.connection.watch?.(traffic);
    return new Upload(file, this.myId, this.token, { changed, watch });
  }

  forget(id: string): Chat | undefined {
    const chat = this.chats.get(id);
    this.chats.delete(id);
    this.outbox.removeChat(id);
    if (this.current === id) void this.open();
    this.listener.changed();
    return chat;
  }

  /** The same of a chat that is gone without one's doing. */
  lose(id: string): void {
    const chat = this.forget(id);
    if (chat) this.listener.removed(chat);
  }

  /** Of a very large chat as many as fit on a page. */
  async loadMembers(chat: Chat): Promise<void> {
    const body = { chat: { id: chat.id } };
    const page = await this.request('list-members', body);
    const ids = page.members.map(({ user }) => user.id);
    chat.memberList = page.members;
    chat.hasMoreMembers = Boolean(page.next);
    if (!page.next) chat.users = ids;
    chat.me = page.members.find(({ user }) => user.id === this.myId) ?? chat.me;
    chat.role = chat.me?.role ?? chat.role;
    page.members.forEach(({ user }) => this.people.meet(user));
    this.listener.changed();
    await this.people.watch(ids);
  }

  /** What a lost connection breaks off is done again after the next connect: that is no news. */
  async report(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (error instanceof ChatError) this.listener.failed(error);
    }
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
    void this.report(this.act.listTeams());
    void this.report(this.act.listBlocked());
    await this.listChats();
    const chats = [...this.chats.values()];
    await Promise.all(chats.map((chat) => this.report(chat.timeline.catchUp())));
    if (!this.connection.isUp) return;
    this.state = 'connected';
    this.listener.changed();
    void this.flush();
    if (this.current) await this.report(this.enter(this.current));
  }

  /** Who has a token is known by it; anybody else says who they are. */
  private async introduce(): Promise<string> {
    if (isAccount(this.identity)) return this.identity.user_id;
    const body = { user: this.identity };
    const { user } = await this.request('create-user', body);
    return user.id;
  }

  private disconnected(): void {
    this.state = 'reconnecting';
    this.room.forget();
    this.people.forgetWatched();
    for (const chat of this.chats.values()) {
      chat.typing.clear();
      // Of who came and went meanwhile nothing is pushed: the list is asked for anew.
      chat.memberList = undefined;
    }
    this.listener.changed();
  }

  /** Asks which chats one is in, and forgets those that one is not in any more. */
  listChats(): Promise<void> {
    return this.once('list', async () => {
      const missing = new Set(this.chats.keys());
      let before: string | undefined;
      do {
        const body = { user: { id: this.myId }, before };
        const page = await this.request('list-chats', body);
        for (const news of page.chats) {
          // A message pushed while the list was on its way is not counted in it.
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
      await this.people.watch([this.myId, ...direct.flatMap(({ users = [] }) => users)]);
    });
  }

  private async enter(id: string): Promise<void> {
    try {
      if (!this.chats.has(id)) await this.act.join(id);
    } catch (error) {
      if (error instanceof ChatError && this.current === id) this.current = undefined;
      this.listener.changed();
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

  /** A team that is not known may be a new one: one is not told of being added. */
  private remembered({ team_id }: Chat): void {
    if (team_id && !this.teams.has(team_id)) void this.report(this.act.listTeams());
  }

  /** Joins work that is under way instead of doing it twice. */
  private once(name: string, work: () => Promise<void>): Promise<void> {
    const running = this.underWay.get(name) ?? work().finally(() => this.underWay.delete(name));
    this.underWay.set(name, running);
    return running;
  }
}
