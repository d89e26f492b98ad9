/**
 * The connection to the server: each request on it is answered or fails. It knows nothing of chats.
 */
import { io, type Socket } from 'socket.io-client';

import type {
  Answer,
  ClientToServerEvents,
  Failure,
  MessageToSend,
  ServerToClientEvents,
} from './chinwag.js';
import { ChatError } from './errors.js';

/** The names of all requests. */
export type Asked = keyof ClientToServerEvents;

/** The body of a request. */
export type BodyOf<Event extends Asked> = Parameters<ClientToServerEvents[Event]>[0];

/** The answer to a request that is not refused. */
export type AnswerTo<Event extends Asked> =
  Parameters<Parameters<ClientToServerEvents[Event]>[1]>[0] extends Answer<infer Body>
    ? Body
    : never;

const ANSWER_TIMEOUT_MS = 20_000;
const RETRY_MS = 3_000;

/** The largest frame that a server takes, unless its handshake says otherwise. */
const USUAL_MAX_BYTES = 1 << 20;
/** What a packet adds to a request: the two types and the number of the acknowledgement. */
const ENVELOPE_BYTES = 100;

/** The server's address, and the token. */
export interface Access {
  /** The server's address; by default the server of the page itself. */
  url?: string;
  /** Called at each attempt to connect, as a token may be replaced by a new one. */
  token?: () => string | undefined | Promise<string | undefined>;
}

interface Listener {
  up(): void;
  down(): void;
  /** The server has refused this token, or wants one. */
  refused(error: ChatError): void;
}

/** One event that went over the connection, for showing it to developers. */
export interface Traffic {
  direction: 'in' | 'out';
  event: string;
  body: unknown;
  at: number;
  /** The server's answer, and after how many milliseconds it came. */
  answer?: unknown;
  took_ms?: number;
}

export class Connection {
  /** Called for every event, and again for each request that is answered. */
  watch?: (traffic: Traffic) => void;
  private readonly socket: Socket<ServerToClientEvents, ClientToServerEvents>;
  private retry?: ReturnType<typeof setTimeout>;

  constructor({ url = '/', token }: Access, { up, down, refused }: Listener) {
    this.socket = io(url, {
      autoConnect: false,
      reconnectionDelay: 500,
      reconnectionDelayMax: 3_000,
      auth: (give) => {
        const asked = Promise.resolve().then(() => token?.());
        asked.then(
          (token) => give({ token }),
          // The source of the tokens cannot be reached now.
          () => this.socket.active && this.openLater(),
        );
      },
    });
    this.socket.on('connect', up);
    this.socket.on('disconnect', (reason) => {
      clearTimeout(this.retry);
      down();
      // Socket.IO does not reconnect if the server closed the socket, as it may at a restart.
      if (reason === 'io server disconnect') this.openLater();
    });
    this.socket.on('connect_error', ({ data }: Error & { data?: Failure }) => {
      if (data?.code === 'unauthenticated') refused(new ChatError(data));
      // An active socket tries again by itself; a socket that was refused for now does not.
      else if (!this.socket.active) this.openLater();
    });
    this.socket.onAny((event: string, body: unknown) =>
      this.watch?.({ direction: 'in', event, body, at: Date.now() }),
    );
  }

  get isUp(): boolean {
    return this.socket.connected;
  }

  on<Event extends keyof ServerToClientEvents>(
    event: Event,
    act: ServerToClientEvents[Event],
  ): void {
    // The socket's types cannot tell that the event is none of Socket.IO's own.
    (this.socket as Socket).on<string>(event, act);
  }

  open(): void {
    this.socket.connect();
  }

  close(): void {
    clearTimeout(this.retry);
    this.socket.disconnect();
  }

  /** Breaks off the connection, so that Socket.IO makes a new one. */
  renew(): void {
    if (this.isUp) this.socket.io.engine.close();
  }

  /** Breaks off the connection after a while, as the server is too busy now. */
  renewLater(): void {
    this.retry = setTimeout(() => this.renew(), RETRY_MS);
  }

  async request<Event extends Asked>(event: Event, body: BodyOf<Event>): Promise<AnswerTo<Event>> {
    // Socket.IO would queue the request and send it at the next connect, before the user is named
    // there.
    if (!this.isUp) throw new Error('There is no connection to the server.');
    this.refuseTooLarge(event, body);
    const traffic: Traffic = { direction: 'out', event, body, at: Date.now() };
    this.watch?.(traffic);
    const start = performance.now();
    let answer;
    try {
      // The socket's own types do not know which answer belongs to which event.
      const socket = this.socket as Socket;
      answer = await socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(event, body);
    } catch (error) {
      this.renew();
      const lost = 'The connection was lost before the server answered.';
      throw new Error(`${lost} Look whether it was done, then try again.`, { cause: error });
    }
    traffic.answer = answer;
    traffic.took_ms = performance.now() - start;
    this.watch?.(traffic);
    if (answer.error) throw new ChatError(answer.error);
    return answer;
  }

  /**
   * Throws for a request that is too large: the server would break off the connection without an
   * answer.
   */
  private refuseTooLarge(event: Asked, body: object): void {
    const { length } = new TextEncoder().encode(JSON.stringify([event, body]));
    // The engine keeps the server's limit in a private field.
    const { _maxPayload } = this.socket.io.engine as unknown as { _maxPayload?: number };
    const max = _maxPayload && _maxPayload > 0 ? _maxPayload : USUAL_MAX_BYTES;
    if (length + ENVELOPE_BYTES <= max) return;
    const isText = 'message' in body && (body.message as Partial<MessageToSend>)?.value;
    const [what, field] = isText ? ['message', 'message.value'] : ['request'];
    const advice = isText ? 'Shorten its text, or send it in several messages.' : 'Send less at once.';
    const message = `The ${what} has ${length} bytes, and the server takes ${max}. ${advice}`;
    throw new ChatError({ code: 'too_large', message, field });
  }

  private openLater(): void {
    this.close();
    this.retry = setTimeout(() => this.open(), RETRY_MS);
  }
}

/** Whether the server lets clients in without a token. Waits until it can be asked. */
export function isOpenToAll(url?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const answer = (isOpen: boolean) => {
      connection.close();
      resolve(isOpen);
    };
    const listener = { up: () => answer(true), down: () => {}, refused: () => answer(false) };
    const connection = new Connection({ url }, listener);
    connection.open();
  });
}
