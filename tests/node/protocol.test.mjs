// docs/protocol.md is right: its examples run from top to bottom as they stand, and all requests,
// answers and pushes have the documented fields.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';

import Ajv from 'ajv/dist/2020.js';
import { io } from 'socket.io-client';
import WebSocket from 'ws';

import { connect, join } from './client.mjs';
import { Server, serverForThisFile } from './server.mjs';
import { assertShape, readShape } from './shapes.mjs';
import { within } from './within.mjs';

const ADDRESS = '127.0.0.1:3000';
const API_KEY = 'the key of the service';
const JWT_SECRET = 'the secret of the application';

const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

const contract = JSON.parse(
  readFileSync(new URL('../../web-demo/contract/asyncapi.json', import.meta.url), 'utf8'),
);

/** Fails unless the value conforms to a schema of the contract, and has no other fields. */
const assertContract = (() => {
  const closed = (schema) => {
    if (typeof schema !== 'object' || schema === null) return schema;
    if (Array.isArray(schema)) return schema.map(closed);
    const inner = Object.entries(schema).map(([name, part]) => [name, closed(part)]);
    return Object.fromEntries(schema.properties ? [...inner, ['additionalProperties', false]] : inner);
  };
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const schemas = closed(contract.components.schemas);
  ajv.addSchema({ $id: 'contract', components: { schemas } });
  return (name, value, of = (payload) => payload) => {
    const { payload } = contract.channels.socketio.messages[name];
    const schema = JSON.parse(
      JSON.stringify(closed(of(payload))).replaceAll('"#/components', '"contract#/components'),
    );
    assert.ok(ajv.validate(schema, value), `${name}: ${ajv.errorsText()} ${JSON.stringify(value)}`);
  };
})();

/** The schema of an acknowledgement's successful answer. */
const done = ({ anyOf: [{ allOf: [answer] }] }) => answer;

const section = (name) => page.split(`\n## ${name}\n`)[1].split('\n## ')[0];

/** The code of the page: `{language, text}`. */
const blocks = page
  .split(/^```/m)
  .filter((_, at) => at % 2 === 1)
  .map((block) => ({ language: block.split('\n', 1)[0], text: block.slice(block.indexOf('\n')) }));

/** The texts in the last column of a table, by the events in its first column. */
function tableOf(text) {
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));
  const cells = rows.map((row) => row.split(/(?<!\\)\|/).slice(1, -1));
  return new Map(
    cells.flatMap((row) =>
      row[0].match(/[\w-]+/g).map((event) => [event, { body: row[1], shape: row.at(-1).trim() }]),
    ),
  );
}

/** The shapes to which the page gives names, without its comments on them. */
function namedShapes() {
  const block = blocks.find(({ text }) => text.trim().startsWith('user '));
  const definitions = block.text.replace(/\/\/.*$/gm, '').split(/^(\w+) *=/m).slice(1);
  const named = {};
  while (definitions.length > 0) named[definitions.shift()] = readShape(definitions.shift());
  return named;
}

/** The shape that a row of a table describes, in words or in the page's notation. */
function shapeIn(described, named) {
  const notation = described.match(/^`({[^`]*})`/);
  if (notation) return readShape(notation[1]);
  assert.match(described, /^the message/);
  const { fields } = named.message;
  const beside = described.match(/and `(\w+)`/);
  const more = beside && { [beside[1]]: { optional: false, shape: { name: 'text' } } };
  return { fields: { ...fields, ...more } };
}

const field = (text) => readShape(`{${text}}`).fields;
const chatWith = (named, more) => ({ fields: { ...named.chat.fields, ...field(more) } });

const OWN = 'unread, role?, mentions?, muted?, pinned?, archived?';

/** Events with chats that have more fields than others, or fewer. */
const CHATS_ANSWERED = {
  'create-chat': OWN,
  'open-direct': OWN,
  'join-chat': OWN,
  'update-chat': OWN,
  'remove-member': OWN,
  'update-membership': OWN,
  'list-chats': `${OWN}, last_message?: message`,
  'list-public-chats': 'users?, members',
};
const CHATS_PUSHED = { 'update-membership': OWN, chatroom: 'users?' };

/** The named shapes, with the chat as this event has it. */
function namesFor(event, named, chats) {
  return event in chats ? { ...named, chat: chatWith(named, chats[event]) } : named;
}

describe('the tables', () => {
  const named = namedShapes();
  const requests = tableOf(section('Requests'));
  const pushes = tableOf(section('Pushes'));
  const asked = new Set();
  let server;

  test('say what is answered and pushed', async () => {
    server = await serverForThisFile('--api-key', API_KEY);
    const [ann, bob] = [await join(server, 'ann'), await join(server, 'bob')];
    const eve = await join(server, 'eve');
    const service = await connect(server, { auth: { token: API_KEY } });
    await askEverything(ann, bob, eve);
    await service.next('report');
    assert.deepEqual([...requests.keys()].filter((event) => !asked.has(event)), [], 'not asked');

    const pushed = [ann, bob, eve, service].flatMap(({ received }) => received);
    for (const { event, body } of pushed) {
      assert.ok(pushes.has(event), `${event} is not documented`);
      const shape = shapeIn(pushes.get(event).shape, named);
      assertShape(body, shape, namesFor(event, named, CHATS_PUSHED), event);
      assertContract(`${event}.push`, body);
    }
    const seen = new Set(pushed.map(({ event }) => event));
    // This push is sent only in a large room.
    const unseen = [...pushes.keys()].filter((event) => !seen.has(event) && event !== 'participants');
    assert.deepEqual(unseen, [], 'not pushed');
  });

  async function ask(client, event, body) {
    const answer = await client.ask(event, body);
    asked.add(event);
    const { body: documented, shape } = requests.get(event);
    for (const name of keysOf(body)) {
      assert.match(documented, new RegExp(`\\b${name}\\b`), `${event} takes no ${name}`);
    }
    assertShape(answer, shapeIn(shape, named), namesFor(event, named, CHATS_ANSWERED), event);
    assertContract(`${event}.answer`, answer, done);
    return answer;
  }

  /** Searches until something is found, since indexing takes a moment. */
  async function askUntilFound(client, query) {
    const { messages } = await ask(client, 'search-messages', { query });
    if (messages.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
    await askUntilFound(client, query);
  }

  async function askEverything(ann, bob, eve) {
    const of = ({ user }) => ({ id: user.id });
    const other = await connect(server);
    await ask(other, 'create-user', {
      user: { id: ann.user.id, external_id: ann.user.external_id, name: 'Ann', handle: 'ann_of_7' },
    });
    await ask(ann, 'watch-users', { users: [of(bob)] });
    await ask(bob, 'update-user', { user: { name: 'Bob', photo: '', handle: 'bob', data: { a: 1 } } });
    await ask(ann, 'list-users', { users: [of(bob), { handle: 'ann_of_7' }] });
    await ask(ann, 'list-users', { text: 'bob', limit: 5 });
    await ask(ann, 'create-chat', {
      chat: { name: 'Open', description: 'to all', private: false },
      users: [eve.user.id],
    });
    const ours = { name: 'Ours', client_id: 'made once' };
    const { chat: made } = await ask(ann, 'create-chat', { chat: ours, users: [] });
    const chat = { id: made.id };
    await ask(ann, 'invite', { chat, user: of(bob) });
    const { invitations } = await ask(bob, 'list-invitations', { limit: 5 });
    await ask(bob, 'accept-invitation', { invitation: { id: invitations[0].id } });
    await ask(ann, 'invite', { chat, user: of(eve) });
    const { invitation } = await eve.next('invitation');
    await ask(eve, 'decline-invitation', { invitation: { id: invitation.id } });
    await askOfMessages(ann, bob, chat);
    await ask(bob, 'update-membership', { chat, muted: true, pinned: true, archived: true });
    await ask(bob, 'list-chats', { limit: 5 });
    await ask(ann, 'list-public-chats', { text: 'open', limit: 5 });
    await ask(ann, 'update-chat', {
      chat: { ...chat, name: 'Still ours', description: 'of two', data: { b: 2 }, slow_mode: 1 },
    });
    await askOfRooms(ann, bob, chat);
    await askOfMembers(ann, bob, eve, chat);
    await askOfTeams(ann, bob);
    await ask(ann, 'unwatch-users', { users: [of(bob)] });
    await ask(ann, 'delete-chat', { chat });
    await ann.next('chat-deleted');
    await ask(eve, 'delete-user', { messages: 'erase' });
    other.close();
  }

  async function askOfMessages(ann, bob, chat) {
    const first = { value: 'Hello', type: 'text', client_id: 'the first' };
    const { id } = await ask(ann, 'new-message', { chat, message: first });
    const reply = { value: 'Hi', type: 'text', reply_to: { id }, mentions: [ann.user.id], data: {} };
    const { id: second } = await ask(bob, 'new-message', { chat, message: reply });
    await ask(bob, 'react', { chat, message: { id }, reaction: '👍', on: true });
    await ask(ann, 'edit-message', { chat, message: { id, value: 'Hello!', data: { c: 3 } } });
    await ask(ann, 'pin-message', { chat, message: { id } });
    await ask(bob, 'report-message', { chat, message: { id }, reason: 'loud' });
    await ask(bob, 'delete-message', { chat, message: { id: second } });
    const { previous } = await ask(ann, 'list-messages', { chat, query: { limit: 1 } });
    await ask(ann, 'list-messages', { chat, query: previous });
    await ask(ann, 'list-changes', { chat, after: 0, limit: 1 });
    await askUntilFound(ann, { text: 'hello', chat_id: chat.id, user_id: ann.user.id, limit: 1 });
    await ask(ann, 'count-unread', {});
    const again = await connect(server);
    await again.ask('create-user', { user: { id: ann.user.id, name: 'Ann' } });
    await ask(ann, 'mark-read', { chat, seq: 2 });
    await again.next('mark-read');
    await ask(ann, 'update-membership', { chat, muted: false });
    await again.next('update-membership');
    ann.received.push(...again.received);
    again.close();
    await bob.next('read');
    const { chat: direct } = await ask(ann, 'open-direct', { user: { id: bob.user.id } });
    await ann.say(direct, 'Between us');
    await ask(ann, 'block-user', { user: { id: bob.user.id } });
    await ask(ann, 'list-blocked', { limit: 5 });
    await ask(ann, 'unblock-user', { user: { id: bob.user.id } });
  }

  async function askOfRooms(ann, bob, chat) {
    const room = { channel: `room-${chat.id}` };
    await ask(ann, 'subscribe', room);
    await ask(bob, 'subscribe', room);
    await ann.next('participant-join', ({ user }) => user.id === bob.user.id);
    await ask(bob, 'typing', { chat, on: true });
    await ann.next('typing');
    await ask(bob, 'signal', { chat, data: ['any'], to: [ann.user.id] });
    await ann.next('signal');
    await ann.say(chat, 'in the room');
    await bob.next('chat-message');
    await ask(bob, 'unsubscribe', room);
    await ann.next('participant-leave', ({ user }) => user.id === bob.user.id);
    const another = await join(server, 'another');
    await ann.ask('watch-users', { users: [{ id: another.user.id }] });
    another.close();
    await ann.next('presence');
  }

  async function askOfMembers(ann, bob, eve, chat) {
    const [user, until] = [{ id: bob.user.id }, new Date(Date.now() + 86_400_000).toISOString()];
    await ask(ann, 'list-members', { chat, limit: 1 });
    await ask(ann, 'set-role', { chat, user, role: 'moderator' });
    await ask(ann, 'mute-member', { chat, user, until });
    await ask(ann, 'unmute-member', { chat, user });
    await ask(ann, 'ban-member', { chat, user, until });
    await ask(ann, 'list-bans', { chat, limit: 5 });
    await ask(ann, 'unban-member', { chat, user });
    const open = (await eve.ask('list-public-chats', { text: 'open' })).chats[0];
    await ask(bob, 'join-chat', { chat: { id: open.id } });
    await ask(bob, 'leave-chat', { chat: { id: open.id } });
    await bob.ask('join-chat', { chat: { id: open.id } });
    await ask(ann, 'remove-member', { chat: { id: open.id }, user });
  }

  async function askOfTeams(ann, bob) {
    const { team } = await ask(ann, 'create-team', { team: { name: 'Engines' }, users: [] });
    const of_bob = { team: { id: team.id }, user: { id: bob.user.id } };
    await ask(ann, 'add-to-team', of_bob);
    await ask(bob, 'list-teams', {});
    const chat = { name: 'Of the team', private: false, team_id: team.id };
    await ask(ann, 'create-chat', { chat, users: [] });
    await ask(ann, 'remove-from-team', of_bob);
  }
});

/** All names of fields in a body, except those within data. */
function keysOf(body) {
  if (Array.isArray(body)) return body.flatMap(keysOf);
  if (typeof body !== 'object' || body === null) return [];
  return Object.entries(body).flatMap(([key, value]) =>
    key === 'data' ? [key] : [key, ...keysOf(value)],
  );
}

const needed = ['bash', 'curl', 'jq'].filter((name) => spawnSync(name, ['--version']).error);
const skip = needed.length > 0 && `the commands on the page want ${needed.join(' and ')}`;
if (skip && process.env.CI) throw new Error(skip);

test('the examples run from top to bottom', { skip, timeout: 300_000 }, async () => {
  const server = await Server.start('--api-key', API_KEY, '--jwt-secret', JWT_SECRET);
  const host = new URL(server.url).host;
  const [shell, script] = [new Shell(), new Script()];
  try {
    await script.start(server);
    for (const { language, text } of blocks) {
      const example = text.replaceAll(ADDRESS, host);
      if (language === 'sh') await shell.run(example);
      if (language === 'js') await script.run(example);
      if (language === 'html') {
        const answer = await fetch(example.match(/src="([^"]*)"/)[1]);
        assert.equal(answer.status, 200);
      }
    }
  } finally {
    shell.end();
    script.end();
    await server.dispose();
  }
});

/** A picture of one pixel. */
const CAT = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=',
  'base64',
);

/** One shell for all commands of the page. It ends at the first command that fails. */
class Shell {
  #folder = mkdtempSync(joinPath(tmpdir(), 'page-'));
  #bash = spawn('bash', ['-euo', 'pipefail'], {
    cwd: this.#folder,
    env: { ...process.env, CHINWAG_API_KEY: API_KEY },
  });
  #lines = [];
  #waiting;
  #said = '';

  constructor() {
    writeFileSync(joinPath(this.#folder, 'cat.png'), CAT);
    this.#bash.stdin.write('curl() { command curl -sS --fail-with-body "$@"; echo; }\n');
    this.#bash.stderr.on('data', (text) => (this.#said += text));
    createInterface(this.#bash.stdout).on('line', (line) => {
      if (line === 'DONE') this.#waiting();
      else if (line) this.#lines.push(line);
    });
  }

  /** Runs commands. What their comments show must be printed; `…` stands for anything. */
  async run(commands) {
    this.#lines = [];
    const done = new Promise((resolve) => (this.#waiting = resolve));
    const ended = once(this.#bash, 'exit').then(([code]) => assert.fail(`${code}: ${this.#all}`));
    this.#bash.stdin.write(`${commands}\necho DONE\n`);
    await within(20, Promise.race([done, ended]), () => `running ${commands}\n${this.#all}`);
    for (const shown of commands.match(/(^# [{[].*\n(#  .*\n)*)/gm) ?? []) {
      const text = shown.replace(/^# */gm, '').replaceAll('\n', '').trim();
      const pattern = text
        .split(/(…|\d{13})/)
        .map((part) => ({ '…': '.*' })[part] ?? (/^\d{13}$/.test(part) ? '\\d+' : escaped(part)))
        .join('');
      assert.match(this.#all, new RegExp(`^${pattern}$`, 'm'), `the page shows ${text}`);
    }
  }

  get #all() {
    return [...this.#lines, this.#said].join('\n');
  }

  end() {
    this.#bash.kill();
    rmSync(this.#folder, { recursive: true });
  }
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The variables that the page's pieces of JavaScript use. */
class Script {
  #server;
  #open = [];
  #context;
  #logged = [];
  #shown = [];

  async start(server) {
    this.#server = server;
    const [ann, bob] = [await this.#user('7', 'Ann'), await this.#user('8', 'Bob')];
    const users = [bob.user.id];
    const { chat } = await ann.socket.emitWithAck('create-chat', { chat: { name: 'x' }, users });
    const hello = { value: 'Hello', type: 'text' };
    const message = await ann.socket.emitWithAck('new-message', { chat, message: hello });
    this.#context = {
      ...{ socket: ann.socket, bob: bob.user, chat, message, token: undefined },
      io: (...given) => this.#connect(...given),
      WebSocket: this.#webSocket(),
      show: (message) => this.#shown.push(message.seq),
      replace: (message) => this.#shown.push(message.change),
      console: { log: (...words) => this.#logged.push(words), warn: assert.fail },
      location: { origin: server.url },
      fetch: (path, options) => fetch(new URL(path, server.url), options),
      process: { env: { CHINWAG_JWT_SECRET: JWT_SECRET } },
      createHmac,
    };
  }

  /** Runs a piece of code, and then the functions and handlers that it defines. */
  async run(text) {
    const code = text.replace(/^import .*$/gm, '');
    const names = ['socket', 'token', 'live', 'catchUp', 'catchUpChanges'];
    const found = names.map((name) => `${name}: typeof ${name} === "undefined" ? null : ${name}`);
    const AsyncFunction = (async () => {}).constructor;
    const body = `{ ${code}\n return { ${found.join(', ')} }; }`;
    const run = new AsyncFunction(...Object.keys(this.#context), body);
    const running = run(...Object.values(this.#context));
    const defined = await within(20, running, () => `running ${text}`);
    this.#context.token = defined.token;
    if (text.includes('"connect"')) await this.#reconnect();
    if (text.includes('new WebSocket')) await this.#opened();
    if (!defined.socket.connected) await this.#happens(defined.socket, 'connect');
    // The next pieces use the socket that the page has opened last.
    this.#context.socket = defined.socket;
    const { chat } = this.#context;
    if (defined.catchUp) {
      await defined.catchUp(chat, 0);
      assert.deepEqual(this.#shown.splice(0), [1, 2]);
    }
    if (defined.catchUpChanges) {
      const last = await defined.catchUpChanges(chat, 0);
      assert.equal(this.#shown.splice(0).at(-1), last);
    }
    if (text.includes('"hello world"')) await this.#logs('#django ann: hello world');
  }

  end() {
    for (const socket of this.#open) socket.close();
  }

  async #user(external_id, name) {
    const socket = this.#connect(this.#server.url);
    const user = { external_id, name, photo: '' };
    return { socket, user: (await socket.emitWithAck('create-user', { user })).user };
  }

  /** A socket that fails the test if one of its requests is refused. */
  #connect(url, options) {
    const socket = io(url, { forceNew: true, ...options });
    const emit = socket.emit.bind(socket);
    socket.emit = (event, ...given) => {
      const answered = given.pop();
      if (typeof answered !== 'function') return emit(event, ...given, answered);
      const checked = (...answer) => {
        assert.equal(answer.at(-1)?.error, undefined, event);
        answered(...answer);
      };
      // `emitWithAck` sets a property of its callback, which has to be kept.
      return emit(event, ...given, Object.assign(checked, answered));
    };
    this.#open.push(socket);
    return socket;
  }

  #webSocket() {
    const open = this.#open;
    return class extends WebSocket {
      constructor(...given) {
        super(...given);
        open.push(this);
      }
    };
  }

  async #reconnect() {
    const { socket } = this.#context;
    await this.#happens(socket, 'connect', () => socket.disconnect().connect());
    // Requests are done in order: by this answer, those of the handler are answered, too.
    await socket.emitWithAck('list-chats', {});
  }

  async #opened() {
    const socket = this.#open.at(-1);
    if (socket.readyState !== WebSocket.OPEN) await this.#happens(socket, 'open');
  }

  #happens(socket, event, cause = () => {}) {
    const happened = new Promise((resolve) => socket.once(event, resolve));
    cause();
    return within(20, happened, `waiting for ${event}`);
  }

  async #logs(line) {
    const logged = (async () => {
      const socket = this.#open.at(-1);
      while (!this.#logged.some((words) => words.includes(line))) await once(socket, 'message');
    })();
    await within(20, logged, () => `waiting for ${line} in ${JSON.stringify(this.#logged)}`);
  }
}
