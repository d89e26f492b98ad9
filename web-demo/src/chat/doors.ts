/** The other doors to a chat besides Socket.IO, each with its raw frames. */
import type { Failure, Message } from 'chinwag-client';

const EVERY_MS = 1_000;
/** Close codes after which reconnecting is useless: a wrong nick, or the nick of another user. */
const FINAL = [4400, 4401];

/** The user who opens the doors, and the chat. */
export interface Visit {
  chat_id: string;
  /** The `seq` of the last message that the doors do not show. */
  seq: number;
  user_id: string;
  handle: string;
  token(): Promise<string | undefined>;
}

export interface Listener {
  frame(direction: 'in' | 'out', text: string): void;
  /** Called with whether the user can send, and with a text about the door's state. */
  state(isOpen: boolean, text: string): void;
  /** Called when the door is closed until the user tries again. */
  shut(why: string): void;
  /** Called when the server has refused a request. */
  refused(why: string): void;
}

export interface Door {
  send(text: string): void;
  close(): void;
}

interface Page {
  messages?: Message[];
  error?: Failure;
}

/** The requests of Socket.IO as `POST /api/events/…`. */
export function openHttp(visit: Visit, listener: Listener): Door {
  let after_seq = visit.seq;
  const ask = async (event: string, asked: object, isNews = (_: Page) => true): Promise<Page> => {
    const actor = (await visit.token()) ? {} : { actor: { id: visit.user_id } };
    const body = { ...actor, chat: { id: visit.chat_id }, ...asked };
    return exchange(`/api/events/${event}`, body, visit, listener, isNews);
  };
  const read = async () => {
    const isNews = ({ messages }: Page) => messages?.length !== 0;
    const { messages, error } = await ask('list-messages', { query: { after_seq } }, isNews);
    after_seq = messages?.at(-1)?.seq ?? after_seq;
    listener.state(!error, error ? error.message : 'Asks once a second');
  };
  const close = repeat(read, listener);
  const send = (value: string) =>
    void ask('new-message', { message: { value, type: 'text' } }).then(
      ({ error }) => error && listener.refused(error.message),
      () => listener.refused('The server cannot be reached.'),
    );
  return { send, close };
}

interface Answer {
  id?: number;
  result?: { Messages?: unknown[] };
  error?: { message: string };
}

/** Resolves when the user has left the room of the last visit, and can come into another. */
let left: Promise<unknown> = Promise.resolve();

/** The rooms API, JSON-RPC at `/rpc`. */
export function openRpc(visit: Visit, listener: Listener): Door {
  const lobby = { UserId: visit.handle, RoomId: '0' };
  const user = { UserId: visit.handle, RoomId: visit.chat_id };
  let [id, isIn, entering] = [0, false, Promise.resolve()];
  const call = (method: string, params: object) => ({ jsonrpc: '2.0', id: ++id, method, params });
  // Without an id, so that there is no answer: the user may not be logged in at all.
  const leave = [user, lobby].map((user) => {
    return { jsonrpc: '2.0', method: 'LeaveRoom', params: { user } };
  });
  const ask = async (body: object, isNews = (_: Answer) => true) => {
    const answer: Answer | Answer[] = await exchange('/rpc', body, visit, listener, isNews);
    return [answer].flat().find(({ error }) => error)?.error;
  };
  const enter = async () => {
    await left;
    const logIn = call('NewUser', { userId: visit.handle });
    const goIn = call('EnterRoom', { user: lobby, roomId: visit.chat_id });
    const error = await ask([...leave, logIn, goIn]);
    isIn = !error;
    listener.state(isIn, error ? error.message : 'Asks once a second');
  };
  const read = async () => {
    if (!isIn) return (entering = enter());
    const isNews = ({ result }: Answer) => result?.Messages?.length !== 0;
    const error = await ask(call('PickUpHistory', { user }), isNews);
    if (!error) return listener.state(true, 'Asks once a second');
    isIn = false;
    stop();
    listener.shut(error.message);
  };
  const stop = repeat(read, listener);
  const send = (content: string) =>
    void ask(call('SendMessage', { content, user })).then(
      (error) => error && listener.refused(error.message),
      () => listener.refused('The server cannot be reached.'),
    );
  const close = () => {
    stop();
    // The page may be closing, too. If the server cannot be reached, it logs the user out by itself
    // later.
    const goOut = async () => isIn && post('/rpc', leave, await visit.token(), true);
    left = entering
      .catch(() => {})
      .then(goOut)
      .catch(() => {});
  };
  return { send, close };
}

interface Frame {
  type: number;
  user?: string;
  message?: string;
  /** The `type` that an error answers. */
  request?: number;
}

/** Resolves when the last connection has closed, so that its nick is free again. */
let freed: Promise<unknown> = Promise.resolve();

/** A channel over a plain WebSocket at `/chat/login/…`. */
export function openWebSocket(visit: Visit, channel: string, listener: Listener): Door {
  const { handle } = visit;
  let socket: WebSocket | undefined;
  let [timer, isOver] = [0, false];
  const put = (packet: object) => {
    const text = JSON.stringify(packet);
    listener.frame('out', text);
    socket?.send(text);
  };
  const take = ({ type, user, message = '', request }: Frame) => {
    if (type === 2 && user === handle) put({ type: 4, channel });
    if (type === 4 && user === handle) listener.state(true, 'Connected');
    if (type !== -1) return;
    listener.refused(message);
    if (request === 4) listener.state(false, 'Not in the channel');
  };
  const open = async () => {
    const [token] = await Promise.all([visit.token(), freed]);
    if (isOver) return;
    listener.state(false, 'Connecting…');
    const address = `${location.origin}/chat/login/${encodeURIComponent(handle)}`;
    socket = new WebSocket(address.replace(/^http/, 'ws'), token ? ['bearer', token] : []);
    socket.onmessage = ({ data }) => {
      listener.frame('in', data);
      take(JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => {
      const why = `Closed with ${code}${reason && `, ${reason}`}`;
      if (FINAL.includes(code)) return listener.shut(why);
      listener.state(false, `${why}. Connecting again…`);
      timer = setTimeout(open, EVERY_MS);
    };
  };
  void open();
  const close = () => {
    isOver = true;
    clearTimeout(timer);
    if (!socket || socket.readyState === WebSocket.CLOSED) return;
    const ending = socket;
    freed = new Promise((resolve) => (ending.onclose = resolve));
    if (socket.readyState === WebSocket.OPEN) put({ type: 3 });
    socket.close();
  };
  return { send: (message) => put({ type: 0, dest: channel, message }), close };
}

/** Sends a POST request; shows it and its answer if the answer has something new. */
async function exchange<Body>(
  path: string,
  body: object,
  visit: Visit,
  listener: Listener,
  isNews: (answer: Body) => boolean,
): Promise<Body> {
  const response = await post(path, body, await visit.token());
  const text = await response.text();
  const answer = JSON.parse(text) as Body;
  if (isNews(answer)) {
    listener.frame('out', `POST ${path}\n${JSON.stringify(body)}`);
    listener.frame('in', `${response.status}\n${text}`);
  }
  return answer;
}

function post(path: string, body: object, token?: string, keepalive = false): Promise<Response> {
  const headers = {
    'Content-Type': 'application/json',
    ...(token && { Authorization: `Bearer ${token}` }),
  };
  return fetch(path, { method: 'POST', headers, body: JSON.stringify(body), keepalive });
}

/** Calls `ask` again and again, until the returned function is called. */
function repeat(ask: () => Promise<void>, listener: Listener): () => void {
  let [timer, isOver] = [0, false];
  const next = async () => {
    await ask().catch(() => listener.state(false, 'The server cannot be reached. Asking again…'));
    if (!isOver) timer = setTimeout(next, EVERY_MS);
  };
  timer = setTimeout(next);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
