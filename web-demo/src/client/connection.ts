/** The connection to the server: what is asked over it is answered or fails. It knows no chat. */
import { io } from 'socket.io-client';

import { ChatError } from './errors';

const ANSWER_TIMEOUT_MS = 20_000;
const RETRY_MS = 3_000;

interface Listener {
  up(): void;
  down(): void;
  /** The server lets nobody in with this token, or without one. */
  refused(): void;
}

/** One event that went over the connection, or an upload, for a look under the hood. */
export interface Traffic {
  direction: 'in' | 'out';
  event: string;
  body: unknown;
  at: number;
  /** How much of an upload has gone, between 0 and 1. */
  progress?: number;
  /** What the server said to it, and after how long. */
  answer?: unknown;
  took_ms?: number;
}

export class Connection {
  /** Hears of every event, and again of each that is answered. */
  watch?: (traffic: Traffic) => void;
  private readonly socket = io({
    autoConnect: false,
    reconnectionDelay: 500,
    reconnectionDelayMax: 3_000,
    auth: (give) => void this.token().then((token) => give({ token })),
  });
  private retry = 0;
  private cut = false;

  constructor(
    /** Asked at each attempt to connect: one token may be followed by another. */
    private readonly token: () => Promise<string | undefined>,
    { up, down, refused }: Listener,
  ) {
    this.socket.on('connect', up);
    this.socket.on('disconnect', (reason) => {
      down();
      // Socket.IO leaves it at that where the server closed the socket, as it may at a restart.
      if (reason === 'io server disconnect') this.openLater();
    });
    this.socket.on('connect_error', ({ message }) => {
      if (message === 'unauthenticated') refused();
      // An active socket tries again by itself; one that was refused for now does not.
      else if (!this.socket.active) this.openLater();
    });
    this.socket.onAny((event: string, body: unknown) =>
      this.watch?.({ direction: 'in', event, body, at: Date.now() }),
    );
  }

  get isUp(): boolean {
    return this.socket.connected;
  }

  get isCut(): boolean {
    return this.cut;
  }

  on<Body>(event: string, act: (body: Body) => void): void {
    this.socket.on(event, act);
  }

  open(): void {
    if (!this.cut) this.socket.connect();
  }

  close(): void {
    clearTimeout(this.retry);
    this.socket.disconnect();
  }

  /** Keeps it closed, as a tunnel would, until it is let go on. */
  setCut(cut: boolean): void {
    this.cut = cut;
    if (cut) this.close();
    else this.open();
  }

  /** Breaks it off, to be made anew. */
  renew(): void {
    if (this.isUp) this.socket.io.engine.close();
  }

  /** The same after a while, as the server has too much to do. */
  renewLater(): void {
    this.retry = setTimeout(() => this.renew(), RETRY_MS);
  }

  async request<Answer>(event: string, body: object): Promise<Answer> {
    // Socket.IO would keep it and send it at the next connect, ahead of what comes first there.
    if (!this.isUp) throw new Error('There is no connection to the server.');
    const traffic: Traffic = { direction: 'out', event, body, at: Date.now() };
    this.watch?.(traffic);
    const start = performance.now();
    let answer;
    try {
      answer = await this.socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(event, body);
    } catch (error) {
      this.renew();
      throw error;
    }
    traffic.answer = answer;
    traffic.took_ms = performance.now() - start;
    this.watch?.(traffic);
    if (answer.error) throw new ChatError(answer.error);
    return answer;
  }

  private openLater(): void {
    this.retry = setTimeout(() => this.open(), RETRY_MS);
  }
}

/** Whether the server lets in who has no token. Waits until it can be asked. */
export function isOpenToAll(): Promise<boolean> {
  return new Promise((resolve) => {
    const answer = (isOpen: boolean) => {
      connection.close();
      resolve(isOpen);
    };
    const connection = new Connection(async () => undefined, {
      up: () => answer(true),
      down: () => {},
      refused: () => answer(false),
    });
    connection.open();
  });
}
