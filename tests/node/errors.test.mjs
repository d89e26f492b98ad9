// Wrong requests are answered with an error, wrong frames close at most their own connection, and
// neither is an error of the server: at the end, its log is searched for errors.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';

import WebSocket from 'ws';

import { connect, join } from './client.mjs';
import { serverForThisFile } from './server.mjs';
import { within } from './within.mjs';

const server = await serverForThisFile();

const chars = (count) => '💬'.repeat(count);
const bytes = (count) => 'x'.repeat(count);

const notObjects = [[null], [[]], ['text'], [5], [true]];
const wrongLimits = [0, -1, '10', 1.5, {}];

/** Ann and Bob share a private chat, Eve has a public and a private one. */
async function world() {
  const [ann, bob, eve] = await Promise.all(['ann', 'bob', 'eve'].map((name) => join(server, name)));
  const chat = await ann.createChat([bob]);
  const open = await eve.createChat([], { private: false });
  const secret = await eve.createChat([]);
  return { ann, bob, eve, chat, open, secret };
}

// For each request: the wrong body, the code, and the field that the error names.
const wrongRequests = {
  'create-user': () => {
    const user = { external_id: 'someone', name: 'Someone', photo: 'photo.png' };
    return [
      [{}, 'invalid', 'user'],
      [{ user: null }, 'invalid', 'user'],
      [{ user: 'ann' }, 'invalid', 'user'],
      [{ user: [] }, 'invalid', 'user'],
      [{ user: { ...user, external_id: undefined } }, 'invalid', /^user/],
      [{ user: { ...user, external_id: 5.5 } }, 'invalid', 'user.external_id'],
      [{ user: { ...user, id: {} } }, 'invalid', 'user.id'],
      [{ user: { ...user, name: undefined } }, 'invalid', 'user.name'],
      [{ user: { ...user, name: ['Ann'] } }, 'invalid', 'user.name'],
      [{ user: { ...user, photo: false } }, 'invalid', 'user.photo'],
      [{ user: { ...user, handle: 5 } }, 'invalid', 'user.handle'],
      [{ user: { ...user, name: chars(256) } }, 'too_large', 'user.name'],
      [{ user: { ...user, photo: bytes(8 * 1024 + 1) } }, 'too_large', 'user.photo'],
    ];
  },

  'create-chat': ({ bob }) => {
    const chat = { name: 'a chat' };
    const known = bob.user.id;
    return [
      [{}, 'invalid', 'chat'],
      [{ chat, users: undefined }, 'invalid', 'users'],
      [{ users: [] }, 'invalid', 'chat'],
      [{ chat: 'a chat', users: [] }, 'invalid', 'chat'],
      [{ chat: {}, users: [] }, 'invalid', 'chat.name'],
      [{ chat: { name: 5 }, users: [] }, 'invalid', 'chat.name'],
      [{ chat: { ...chat, description: 5 }, users: [] }, 'invalid', 'chat.description'],
      [{ chat: { ...chat, private: 'yes' }, users: [] }, 'invalid', 'chat.private'],
      [{ chat, users: known }, 'invalid', 'users'],
      [{ chat, users: { 0: known } }, 'invalid', 'users'],
      [{ chat, users: [known, 5.5] }, 'invalid', 'users.1'],
      [{ chat, users: [known, null] }, 'invalid', 'users.1'],
      [{ chat, users: [known, 'nobody'] }, 'not_found', /^users(\.1)?$/],
      [{ chat: { name: chars(256) }, users: [] }, 'too_large', 'chat.name'],
      [{ chat: { ...chat, description: chars(4097) }, users: [] }, 'too_large', 'chat.description'],
      [{ chat, users: Array.from({ length: 1001 }, (_, n) => `user ${n}`) }, 'too_large', 'users'],
    ];
  },

  'list-chats': ({ ann }) => [
    [{ user: 'ann' }, 'invalid', 'user'],
    [{ user: { id: 5.5 } }, 'invalid', 'user.id'],
    [{ user: { id: 'nobody' } }, 'not_found', 'user.id'],
    [{ before: {} }, 'invalid', 'before'],
    ...wrongLimits.map((limit) => [{ user: { id: ann.user.id }, limit }, 'invalid', 'limit']),
  ],

  'mark-read': ({ chat, secret }) => [
    [{}, 'invalid', 'chat'],
    [{ chat: chat.id }, 'invalid', 'chat'],
    [{ chat: {} }, 'invalid', 'chat.id'],
    [{ chat: { id: 5 } }, 'invalid', 'chat.id'],
    [{ chat: { id: 'nothing' } }, 'not_found', 'chat.id'],
    [{ chat: { id: secret.id } }, 'not_found', 'chat.id'],
    [{ chat: { id: chat.id }, seq: '1' }, 'invalid', 'seq'],
    [{ chat: { id: chat.id }, seq: -1 }, 'invalid', 'seq'],
  ],

  'list-messages': ({ chat, secret }) => {
    const query = (wrong) => ({ chat: { id: chat.id }, query: wrong });
    return [
      [{}, 'invalid', 'chat'],
      [{ chat: [] }, 'invalid', 'chat'],
      [{ chat: {} }, 'invalid', 'chat.id'],
      [{ chat: { id: null } }, 'invalid', 'chat.id'],
      [{ chat: { id: 'nothing' } }, 'not_found', 'chat.id'],
      [{ chat: { id: secret.id } }, 'not_found', 'chat.id'],
      [query('all'), 'invalid', 'query'],
      [query({ from: 'yesterday' }), 'invalid', 'query.from'],
      [query({ from: 5 }), 'invalid', 'query.from'],
      [query({ to: '2024-13-01T00:00:00Z' }), 'invalid', 'query.to'],
      [query({ after_seq: 'first' }), 'invalid', 'query.after_seq'],
      [query({ before_seq: [] }), 'invalid', 'query.before_seq'],
      ...wrongLimits.map((limit) => [query({ limit }), 'invalid', 'query.limit']),
    ];
  },

  'new-message': ({ ann, chat, open, secret }) => {
    const right = ann.message(chat, 'hello');
    const message = (wrong) => ann.message(chat, 'hello', wrong);
    return [
      [{}, 'invalid', /^(chat|message)$/],
      [{ ...right, chat: undefined }, 'invalid', 'chat'],
      [{ ...right, chat: {} }, 'invalid', 'chat.id'],
      [{ ...right, chat: { id: 5 } }, 'invalid', 'chat.id'],
      [{ ...right, chat: { id: 'nothing' } }, 'not_found', 'chat.id'],
      [{ ...right, chat: { id: secret.id } }, 'not_found', 'chat.id'],
      [{ ...right, chat: { id: open.id } }, 'forbidden'],
      [{ ...right, user: 'ann' }, 'invalid', 'user'],
      [{ ...right, user: { id: 5.5 } }, 'invalid', 'user.id'],
      [{ ...right, user: { id: 'nobody' } }, 'not_found', 'user.id'],
      [{ ...right, message: undefined }, 'invalid', 'message'],
      [{ ...right, message: 'hello' }, 'invalid', 'message'],
      [message({ value: undefined }), 'invalid', 'message.value'],
      [message({ value: 5 }), 'invalid', 'message.value'],
      [message({ value: { text: 'hello' } }), 'invalid', 'message.value'],
      [message({ type: undefined }), 'invalid', 'message.type'],
      [message({ type: 'video' }), 'invalid', 'message.type'],
      [message({ type: 0 }), 'invalid', 'message.type'],
      [message({ client_id: 5.5 }), 'invalid', 'message.client_id'],
      [message({ value: bytes(512 * 1024 + 1) }), 'too_large', 'message.value'],
    ];
  },

  'join-chat': ({ secret }) => [
    [{}, 'invalid', 'chat'],
    [{ chat: 'open' }, 'invalid', 'chat'],
    [{ chat: {} }, 'invalid', 'chat.id'],
    [{ chat: { id: true } }, 'invalid', 'chat.id'],
    [{ chat: { id: 'nothing' } }, 'not_found', 'chat.id'],
    [{ chat: { id: secret.id } }, 'not_found', 'chat.id'],
  ],

  'leave-chat': ({ open, secret }) => [
    [{}, 'invalid', 'chat'],
    [{ chat: {} }, 'invalid', 'chat.id'],
    [{ chat: { id: [] } }, 'invalid', 'chat.id'],
    [{ chat: { id: 'nothing' } }, 'not_found', 'chat.id'],
    [{ chat: { id: secret.id } }, 'not_found', 'chat.id'],
    [{ chat: { id: open.id } }, 'conflict'],
  ],
};

const codes = /^(invalid|unauthenticated|forbidden|not_found|conflict|too_large)$/;

function assertError(error, code, field, request) {
  const about = `${JSON.stringify(request).slice(0, 300)} got ${JSON.stringify(error)}`;
  assert.match(error.code, codes, about);
  assert.equal(error.code, code, about);
  assert.equal(typeof error.message, 'string', about);
  assert.notEqual(error.message, '', about);
  if (field instanceof RegExp) assert.match(error.field, field, about);
  else if (field) assert.equal(error.field, field, about);
}

/** Sends a request with and without an ack, and expects the same error both ways. */
async function assertRefused(client, event, body, code, field) {
  assertError(await client.refusal(event, ...body), code, field, body);

  client.tell(event, ...body);
  const exception = await client.next('exception');
  assert.equal(exception.event, event);
  assertError(exception.error, code, field, body);
}

describe('wrong bodies', () => {
  for (const [event, cases] of Object.entries(wrongRequests)) {
    test(event, async () => {
      const actors = await world();
      for (const [body, code, field] of cases(actors)) {
        await assertRefused(actors.ann, event, [body], code, field);
      }
      for (const body of notObjects) await assertRefused(actors.ann, event, body, 'invalid');
      assert.equal((await actors.ann.say(actors.chat, 'all is well')).seq, 1);
    });

    // `list-chats` does not need a body.
    if (event === 'list-chats') continue;
    test(`${event} without a body`, async () => {
      await assertRefused(await join(server, 'ann'), event, [], 'invalid');
    });
  }
});

describe('the largest allowed', () => {
  test('names, descriptions and photos', async () => {
    const ann = await connect(server);
    const photo = bytes(8 * 1024);
    await ann.become({ external_id: 'someone long', name: chars(255), photo });
    assert.equal(ann.user.name, chars(255));
    assert.equal(ann.user.photo, photo);

    const chat = await ann.createChat([], { name: chars(255), description: chars(4096) });
    assert.equal(chat.name, chars(255));
    assert.equal(chat.description, chars(4096));
  });

  test('1,000 users in a chat', async () => {
    const ann = await join(server, 'ann');
    const users = Array.from({ length: 1000 }, (_, n) => `nobody ${n}`);
    const error = await ann.refusal('create-chat', { chat: { name: 'all' }, users });
    assert.equal(error.code, 'not_found', 'not too_large');
  });
});

describe('unknown', () => {
  test('users are all named', async () => {
    const { ann, bob } = await world();
    const users = ['nobody', bob.user.id, 'no one'];
    const error = await ann.refusal('create-chat', { chat: { name: 'a chat' }, users });
    assertError(error, 'not_found', /^users/, users);
    assert.match(error.message, /nobody.*no one/s);
    assert.ok(!error.message.includes(bob.user.id));
  });

  test('events are named', async () => {
    const ann = await join(server, 'ann');
    for (const body of [[], [{}], [null], ['one', 'two']]) {
      await assertRefused(ann, 'make-tea', body, 'invalid');
      assert.match((await ann.refusal('make-tea', ...body)).message, /make-tea/);
    }
  });
});

describe('an id', () => {
  test('of another user than the external_id is a conflict', async () => {
    const { ann, bob } = await world();
    const { external_id, name, photo } = ann.user;
    const user = { external_id, id: bob.user.id, name, photo };
    await assertRefused(await connect(server), 'create-user', [{ user }], 'conflict');
  });
});

describe('a socket that is nobody', () => {
  const requests = {
    'create-chat': () => ({ chat: { name: 'a chat' }, users: [] }),
    'list-chats': () => ({}),
    'mark-read': ({ open }) => ({ chat: { id: open.id } }),
    'new-message': ({ open }) => ({ chat: { id: open.id }, message: { value: 'hello', type: 'text' } }),
    'join-chat': ({ open }) => ({ chat: { id: open.id } }),
    'leave-chat': ({ open }) => ({ chat: { id: open.id } }),
  };
  for (const [event, body] of Object.entries(requests)) {
    test(`is unauthenticated to ${event}`, async () => {
      const stranger = await connect(server);
      await assertRefused(stranger, event, [body(await world())], 'unauthenticated');
    });
  }
});

describe('wrong frames', () => {
  const attachment = Buffer.from([1, 2, 3]);
  const wrongFrames = [
    ['42['],
    ['4'],
    ['42'],
    ['42{}'],
    ['42[]'],
    ['42[5]'],
    ['42[null,{}]'],
    ['42"new-message"'],
    ['42["new-message",{"chat":"\\ud800"}]'],
    ['420[]'],
    ['42-1["list-chats",{}]'],
    ['4299999999999999999999["list-chats",{}]'],
    ['42/elsewhere,["list-chats",{}]'],
    ['40/elsewhere,'],
    ['43999["answer to nothing"]'],
    ['44{"message":"no"}'],
    [`42${'['.repeat(10_000)}`],
    ['999'],
    ['0{}'],
    ['2probe'],
    ['5'],
    ['6'],
    [''],
    ['text'],
    [attachment],
    [attachment, attachment],
    ['451-["new-message",{"_placeholder":true,"num":0}]', attachment],
    ['451-["new-message",{"_placeholder":true,"num":7}]', attachment],
    ['451-["new-message",{"_placeholder":true,"num":0}]', '42["list-chats",{}]'],
    ['451-5["new-message",{"_placeholder":true,"num":0}]', attachment],
    ['4599999["new-message"]', attachment],
    ['451-[', attachment],
  ];

  const sockets = [];
  after(() => sockets.forEach((socket) => socket.terminate()));

  /** A Socket.IO connection without a client library. */
  async function connectByHand() {
    const address = `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
    const socket = new WebSocket(address);
    sockets.push(socket);
    socket.on('error', () => {});
    await within(10, message(socket, /^0\{/), 'opening');
    socket.send('40');
    await within(10, message(socket, /^40\{/), 'connecting');
    return socket;
  }

  function message(socket, wanted) {
    return new Promise((resolve) =>
      socket.on('message', (data) => wanted.test(data) && resolve()),
    );
  }

  /** Sends a request. Resolves when it is answered, or when the connection is closed. */
  function answeredOrClosed(socket) {
    if (socket.readyState !== WebSocket.OPEN) return;
    const over = Promise.race([once(socket, 'close'), message(socket, /^4377\[/)]);
    socket.send('4277["make-tea"]');
    return within(10, over, 'answering or closing');
  }

  for (const frames of wrongFrames) {
    const name = frames.map((it) => (typeof it === 'string' ? it.slice(0, 60) : 'binary')).join(', ');
    test(`${name || 'an empty frame'}`, async () => {
      const socket = await connectByHand();
      for (const frame of frames) socket.send(frame);
      await answeredOrClosed(socket);

      const ann = await join(server, 'ann');
      const chat = await ann.createChat([]);
      assert.equal((await ann.say(chat, 'the server goes on')).seq, 1);
    });
  }
});
