// A chat client of any protocol version that stores everything that it was sent.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { io as latest } from 'socket.io-client';
import version2 from 'socket.io-client-2';
import { io as version3 } from 'socket.io-client-3';
import { io as version40 } from 'socket.io-client-4.0';
import { io as version45 } from 'socket.io-client-4.5';

import { within } from './within.mjs';

const PATIENCE = 10;
const clients = new Set();

/** The clients of each version: the latest release of it in the registry. */
const versions = { 2: version2, 3: version3, '4.0': version40, 4.5: version45, 4: latest };

/** A client that begins to connect. What it sends before is sent once it is connected. */
export function open(server, { version = 4, ...options } = {}) {
  const socket = versions[version](server.url, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    ...options,
  });
  return new Client(socket);
}

/** A connected client that does not act as a user yet. */
export async function connect(server, options) {
  const client = open(server, options);
  await client.connected();
  return client;
}

/** A connected client that acts as a new user. */
export async function join(server, name, options) {
  const client = await connect(server, options);
  await client.become({ external_id: `${name}-${randomUUID()}`, name, photo: `${name}.png` });
  return client;
}

export function closeAllClients() {
  for (const client of clients) client.close();
}

class Client {
  /** Every event so far, in the order of arrival: `{event, body}`. */
  received = [];
  /** The user this client acts as. */
  user;
  #socket;
  #unread = [];
  #waiting = [];
  #givingUp = new Set();
  #upgrade;

  constructor(socket) {
    clients.add(this);
    this.#socket = socket;
    // Version 2 has no `onAny`.
    const { onevent } = socket;
    socket.onevent = (packet) => {
      this.#receive(...packet.data);
      onevent.call(socket, packet);
    };
    socket.on('disconnect', (reason) => {
      for (const giveUp of this.#givingUp) giveUp(new Error(`disconnected: ${reason}`));
    });
    this.#upgrade = new Promise((resolve) => socket.io.engine.on('upgrade', resolve));
  }

  /** Sends a request with an ack. Resolves with the answer, or rejects if that is an error. */
  async ask(event, ...body) {
    const answer = await this.#answer(event, body);
    if (answer.error) throw new Error(`${event}: ${JSON.stringify(answer.error)}`);
    return answer;
  }

  /** Sends a request with an ack that has to be refused. Resolves with the error. */
  async refusal(event, ...body) {
    const answer = await this.#answer(event, body);
    assert.ok(answer.error, `${event} ${excerpt(body)} was not refused: ${excerpt(answer)}`);
    return answer.error;
  }

  /** Sends a request without an ack: the answer will be an event. */
  tell(event, ...body) {
    this.#socket.emit(event, ...body);
  }

  /** The body of the next event of that name, which may be here already or still to come. */
  next(event, wanted = () => true) {
    const index = this.#unread.findIndex((it) => it.event === event && wanted(it.body));
    if (index >= 0) return Promise.resolve(this.#unread.splice(index, 1)[0].body);
    const arrival = new Promise((resolve) => this.#waiting.push({ event, wanted, resolve }));
    const names = () => this.received.map((it) => it.event).join(', ') || 'nothing';
    return this.#unlessDisconnected(arrival, () => `waiting for ${event} (received: ${names()})`);
  }

  /** The bodies of all events of that name so far. */
  all(event) {
    return this.received.filter((it) => it.event === event).map((it) => it.body);
  }

  async become(user) {
    ({ user: this.user } = await this.ask('create-user', { user }));
  }

  async createChat(members, chat = {}) {
    const users = members.map((member) => member.user.id);
    return (await this.ask('create-chat', { chat: { name: 'a chat', ...chat }, users })).chat;
  }

  say(chat, value, extra = {}) {
    return this.ask('new-message', this.message(chat, value, extra));
  }

  /** The body of a `new-message` request. */
  message(chat, value, extra = {}) {
    return {
      chat: { id: chat.id },
      user: { id: this.user.id },
      message: { value, type: 'text', ...extra },
    };
  }

  /** A page of the chat's messages. */
  history(chat, query = {}) {
    return this.ask('list-messages', { chat: { id: chat.id }, query });
  }

  connected() {
    return this.#happens('connect');
  }

  disconnected() {
    return this.#happens('disconnect');
  }

  /** Resolves when polling has been upgraded to a WebSocket. */
  upgraded() {
    return within(PATIENCE, this.#upgrade, 'the upgrade');
  }

  get transport() {
    return this.#socket.io.engine.transport.name;
  }

  close() {
    clients.delete(this);
    this.#socket.close();
  }

  #answer(event, body) {
    const answer = new Promise((resolve) => this.#socket.emit(event, ...body, resolve));
    return this.#unlessDisconnected(answer, () => `the answer to ${event} ${excerpt(body)}`);
  }

  #unlessDisconnected(promise, what) {
    let giveUp;
    const disconnection = new Promise((_, reject) => this.#givingUp.add((giveUp = reject)));
    return within(PATIENCE, Promise.race([promise, disconnection]), what).finally(() =>
      this.#givingUp.delete(giveUp),
    );
  }

  #happens(state) {
    const isSo = this.#socket.connected === (state === 'connect');
    const change = isSo || new Promise((resolve) => this.#socket.once(state, resolve));
    return within(PATIENCE, change, `waiting for ${state}`);
  }

  #receive(event, body) {
    const arrival = { event, body };
    this.received.push(arrival);
    const index = this.#waiting.findIndex((it) => it.event === event && it.wanted(body));
    if (index >= 0) this.#waiting.splice(index, 1)[0].resolve(body);
    else this.#unread.push(arrival);
  }
}

function excerpt(value) {
  return JSON.stringify(value)?.slice(0, 200);
}
