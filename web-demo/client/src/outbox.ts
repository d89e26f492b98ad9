/**
 * The messages that are not confirmed yet. Each has a `client_id`, by which the server recognizes
 * it: after a lost connection or a reload it is sent again, but stored only once.
 */
import type { File } from './chinwag.js';
import { randomId } from './random.js';

/** Whether a browser shows the file as a picture in the page. */
export const isPicture = ({ type }: File) => /^image\/(png|jpeg|gif|webp|avif)$/.test(type);

export interface Pending {
  client_id: string;
  chat_id: string;
  /** May be empty if there is a file. */
  text: string;
  file?: File;
  mentions?: string[];
  reply_to?: { id: string; seq: number };
  written_at: number;
  /** Why the server has refused the message. */
  failure?: string;
}

/** A storage that outlives a reload, such as `localStorage`. */
export interface Storage {
  [key: string]: unknown;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** After this time a message is deleted, as nobody expects it to be sent any more. */
const FORGOTTEN_MS = 7 * 24 * 60 * 60_000;

export class Outbox {
  readonly pending: Pending[] = [];
  private readonly prefix: string;

  /**
   * Each message is stored under its own key, so that two windows do not overwrite each other's.
   */
  constructor(
    private readonly storage: Storage | undefined,
    owner: string,
    private readonly changed: () => void,
  ) {
    this.prefix = `chinwag outbox ${owner} `;
    for (const key of Object.keys(storage ?? {})) {
      if (!key.startsWith('chinwag outbox ')) continue;
      const pending = JSON.parse(storage!.getItem(key)!) as Pending;
      if (pending.written_at < Date.now() - FORGOTTEN_MS) storage!.removeItem(key);
      else if (key.startsWith(this.prefix)) this.pending.push(pending);
    }
    this.pending.sort((one, other) => one.written_at - other.written_at);
  }

  /** The next message to be sent. */
  get next(): Pending | undefined {
    return this.pending.find(({ failure }) => !failure);
  }

  of(chat_id: string): Pending[] {
    return this.pending.filter((pending) => pending.chat_id === chat_id);
  }

  add(message: Omit<Pending, 'client_id' | 'written_at'>): void {
    const last = this.pending.at(-1)?.written_at ?? 0;
    const written_at = Math.max(Date.now(), last + 1);
    const pending = { ...message, client_id: randomId(), written_at };
    this.pending.push(pending);
    this.keep(pending);
  }

  fail(pending: Pending, failure: string | undefined): void {
    // Meanwhile the message may have been discarded.
    if (!this.pending.includes(pending)) return;
    pending.failure = failure;
    this.keep(pending);
  }

  remove(client_id: string): void {
    this.drop((pending) => pending.client_id === client_id);
  }

  removeChat(chat_id: string): void {
    this.drop((pending) => pending.chat_id === chat_id);
  }

  clear(): void {
    this.drop(() => true);
  }

  private keep(pending: Pending): void {
    try {
      this.storage?.setItem(this.prefix + pending.client_id, JSON.stringify(pending));
    } catch {
      // If the storage is full, the message waits in the page only.
    }
    this.changed();
  }

  private drop(isOver: (pending: Pending) => boolean): void {
    if (!this.pending.some(isOver)) return;
    for (let at = this.pending.length - 1; at >= 0; at -= 1) {
      if (!isOver(this.pending[at]!)) continue;
      this.storage?.removeItem(this.prefix + this.pending[at]!.client_id);
      this.pending.splice(at, 1);
    }
    this.changed();
  }
}
