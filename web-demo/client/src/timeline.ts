/**
 * The messages of one chat, in the order of `seq` and without a gap. Two numbers are enough to miss
 * nothing: the `seq` of the last loaded message, and the `change` up to which all changes are
 * applied. If a push or an answer does not follow directly on these numbers, the gap is fetched: by
 * `list-messages` after the first number, and by `list-changes` after the second.
 */
import type { Before, ListMessages, Message, Messages } from './chinwag.js';
import type { Connection } from './connection.js';
import { untilTaken } from './errors.js';

const PAGE_SIZE = 50;
/** The largest page of the server, for loading many unread messages. */
const LONG_PAGE = 1_000;

interface Listener {
  changed(): void;
  /** Called for each message that a push or an answer has brought. */
  arrived(message: Message): void;
}

/** The part of the connection that sends requests. */
type Server = Pick<Connection, 'request'>;

export class Timeline {
  /** Absent until the chat is opened. */
  messages?: Message[];
  /** The query for the messages before the loaded ones, if there are any. */
  earlier?: Before;
  /** Whether only an older part of the history is loaded, and later messages are missing. */
  isPart = false;
  /** The highest `seq` and `change` that the server has named. */
  lastSeq = 0;
  lastChange = 0;
  /** The change up to which all changes are applied to the loaded messages. */
  private change = 0;
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(
    private readonly chat_id: string,
    private readonly server: Server,
    private readonly listener: Listener,
  ) {}

  /** The `seq` of the last loaded message. */
  get end(): number {
    return this.messages?.at(-1)?.seq ?? 0;
  }

  /** The message with this `seq`, if it is loaded. */
  at(seq: number): Message | undefined {
    const found = this.messages?.[placeOf(this.messages, seq)];
    return found?.seq === seq ? found : undefined;
  }

  /**
   * Loads the latest messages (the unread ones and some before) if none are loaded; with `anew` it
   * also replaces an older part of the history.
   */
  open(unread = 0, anew = false): Promise<void> {
    return this.once('latest', async () => {
      if (this.messages && !(anew && this.isPart)) return;
      await this.load({ limit: Math.min(Math.max(PAGE_SIZE, 2 * unread), LONG_PAGE) });
    });
  }

  /** Replaces the loaded messages by those around this `seq`, unless it is already loaded. */
  reach(seq: number): Promise<void> {
    return this.once(`around ${seq}`, async () => {
      if (!this.at(seq)) await this.load({ before_seq: seq + PAGE_SIZE / 2, limit: PAGE_SIZE });
    });
  }

  /**
   * Forgets an older part of the history, so that the chat opens with the latest messages again.
   */
  forgetPart(): void {
    if (this.isPart) this.messages = this.earlier = undefined;
    this.isPart = false;
  }

  loadLater(): Promise<void> {
    return this.once('later', async () => {
      if (!this.messages || !this.isPart) return;
      const { end } = this;
      const page = await this.list({ after_seq: end, limit: PAGE_SIZE });
      // Meanwhile another part may have been loaded.
      if (!this.isPart || this.end !== end) return;
      this.messages.push(...page.messages);
      this.isPart = Boolean(page.next);
      this.listener.changed();
      await this.catchUp();
    });
  }

  loadEarlier(): Promise<void> {
    return this.once('earlier', async () => {
      if (!this.messages || !this.earlier) return;
      const { earlier } = this;
      const page = await this.list({ ...earlier, limit: PAGE_SIZE });
      if (this.earlier !== earlier) return;
      this.messages.unshift(...page.messages);
      this.earlier = page.previous;
      this.listener.changed();
    });
  }

  /** Reads a message again, as the URL of its file expires after a while. */
  async refresh(seq: number): Promise<Message | undefined> {
    const { messages } = await this.list({ after_seq: seq - 1, limit: 1 });
    const found = messages.find((message) => message.seq === seq);
    if (found) this.replace(found);
    return found;
  }

  /** Fetches the messages after the last loaded one, and the missed changes of the others. */
  catchUp(): Promise<void> {
    // Repeated while the server is too busy, as the gap must be closed.
    return this.once('catch up', () => untilTaken(() => this.closeGap()));
  }

  /** Adds a message; it may come twice, as a push and as an answer. */
  async receive(message: Message): Promise<void> {
    this.lastSeq = Math.max(this.lastSeq, message.seq);
    const isGap = this.messages && !this.isPart && message.seq > this.end + 1;
    if (isGap) await this.catchUp();
    else this.append(message);
  }

  /** Applies a change of a message. */
  async receiveChange(message: Message): Promise<void> {
    const change = message.change ?? 0;
    this.lastChange = Math.max(this.lastChange, change);
    if (this.messages && change > this.change + 1) return this.catchUp();
    this.change = Math.max(this.change, change);
    this.replace(message);
  }

  private async closeGap(): Promise<void> {
    while (this.messages && this.change < this.lastChange) {
      const body = { chat: { id: this.chat_id }, after: this.change };
      const page = await this.server.request('list-changes', body);
      for (const message of page.messages) this.replace(message);
      this.change = page.next ?? page.last_change;
      this.lastChange = page.last_change;
    }
    while (this.messages && !this.isPart && this.end < this.lastSeq) {
      const { messages } = await this.list({ after_seq: this.end });
      if (messages.length === 0) return;
      for (const message of messages) this.append(message);
    }
  }

  private async load(query: ListMessages['query']): Promise<void> {
    // Changes that happen while the page is on its way are caught up with after it.
    const change = this.lastChange;
    const page = await this.list(query);
    this.change = change;
    this.messages = page.messages;
    this.earlier = page.previous;
    this.isPart = Boolean(page.next);
    page.messages.forEach((message) => this.listener.arrived(message));
    this.lastSeq = Math.max(this.lastSeq, this.end);
    this.listener.changed();
    await this.catchUp();
  }

  private append(message: Message): void {
    if (this.messages && !this.isPart && message.seq > this.end) this.messages.push(message);
    this.listener.arrived(message);
    this.listener.changed();
  }

  private replace(message: Message): void {
    if (this.at(message.seq)) this.messages![placeOf(this.messages!, message.seq)] = message;
    this.listener.changed();
  }

  private list(query: ListMessages['query']): Promise<Messages> {
    return this.server.request('list-messages', { chat: { id: this.chat_id }, query });
  }

  /** Returns the promise of the same work if it is already running, instead of doing it twice. */
  private once(name: string, work: () => Promise<void>): Promise<void> {
    const running = this.underWay.get(name) ?? work().finally(() => this.underWay.delete(name));
    this.underWay.set(name, running);
    return running;
  }
}

/** The index of the message with this `seq`, or else of the next one. */
export function placeOf(messages: Message[], seq: number): number {
  let [low, high] = [0, messages.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle]!.seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
