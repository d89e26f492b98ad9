/** The upload of one file. When it is done, the file can be sent in a message. */
import { ChatError, type Failure, type File as Stored, type Traffic } from 'chinwag-client';

/** The name of an upload in the list of events. */
export const UPLOAD = 'POST /api/files';

/** An event, or an upload with the part that has been sent, between 0 and 1. */
export type Watched = Traffic & { progress?: number };

interface Listener {
  changed(): void;
  /** Called for the upload as for an event. */
  watch(traffic: Watched): void;
}

interface Answer {
  file?: Stored;
  error?: Failure;
}

export class Upload {
  /** Between 0 and 1. */
  progress = 0;
  /** The file as the server describes it, once it is uploaded. */
  file?: Stored;
  /** Why the upload has failed. */
  failure?: string;
  /** Whether a retry would fail, too. */
  isRefused = false;
  private request?: XMLHttpRequest;
  private isCancelled = false;
  private traffic?: Watched;

  constructor(
    readonly source: File,
    /** The uploader, if no token says who that is. */
    private readonly user_id: string,
    private readonly token: () => Promise<string | undefined>,
    private readonly listener: Listener,
  ) {
    void this.start();
  }

  get isUnderWay(): boolean {
    return !this.file && !this.failure;
  }

  async start(): Promise<void> {
    this.progress = 0;
    this.failure = undefined;
    this.listener.changed();
    const token = await this.token();
    if (this.isCancelled) return;
    // `fetch` does not report the progress of an upload.
    const request = (this.request = new XMLHttpRequest());
    const about = new URLSearchParams({ name: this.source.name });
    if (!token) about.set('user', this.user_id);
    request.open('POST', `/api/files?${about}`);
    request.setRequestHeader('Content-Type', this.source.type || 'application/octet-stream');
    if (token) request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.responseType = 'json';
    const { name, type, size } = this.source;
    this.traffic = { direction: 'out', event: UPLOAD, body: { name, type, size }, at: Date.now() };
    this.tell({ progress: 0 });
    request.upload.onprogress = ({ loaded, total }) => {
      this.progress = total && loaded / total;
      this.tell({ progress: this.progress });
      this.listener.changed();
    };
    request.onload = () => this.end(request.response ?? {});
    request.onerror = () => this.end({});
    request.send(this.source);
  }

  cancel(): void {
    this.isCancelled = true;
    this.request?.abort();
    if (this.isUnderWay) this.tellEnd('cancelled');
  }

  private tell(news: Partial<Watched>): void {
    if (this.traffic) this.listener.watch(Object.assign(this.traffic, news));
  }

  private tellEnd(answer: unknown): void {
    const took_ms = Date.now() - (this.traffic?.at ?? 0);
    this.tell({ answer, took_ms, progress: undefined });
  }

  private end(answer: Answer): void {
    const { file, error } = answer;
    this.tellEnd(answer);
    this.file = file;
    if (!file) this.failure = reason(error);
    this.isRefused = ['too_large', 'invalid'].includes(error?.code ?? '');
    this.listener.changed();
  }
}

function reason(error?: Failure): string {
  if (!error) return 'It did not get through. Try again.';
  if (error.code === 'rate_limited') return new ChatError(error).message;
  const limit = /\d+(?= bytes)/.exec(error.message)?.[0];
  if (error.code !== 'too_large') return sentence(error.message);
  return limit ? `It is too large: ${sizeOf(Number(limit))} is the most.` : 'It is too large.';
}

/** The server's message, with a capital letter and a full stop. */
function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** A size as people write it: `3 MB`. */
export function sizeOf(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  const step = bytes < 1 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  const size = bytes / 1024 ** step;
  const number = step && size < 10 ? size.toFixed(1).replace('.0', '') : Math.round(size);
  return `${number} ${units[step]}`;
}
