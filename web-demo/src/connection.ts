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

export class Connection {
  private readonly socket = io({
    autoConnect: false,
    reconnectionDelay: 500,
    reconnectionDelayMax: 3_000,
    auth: (give) => void this.token().then((token) => give({ token })),
  });
  private retry = 0;

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
  }

  get isUp(): boolean {
    return this.socket.connected;
  }

  on<Body>(event: string, act: (body: Body) => void): void {
    this.socket.on(event, act);
  }

  open(): void {
    this.socket.connect();
  }

  close(): void {
    clearTimeout(this.retry);
    this.socket.disconnect();
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
    let answer;
    try {
      answer = await this.socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck(event, body);
    } catch (error) {
      this.renew();
      throw error;
    }
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
