// Tokens with the real clients: how they are brought, which are refused, and how they end.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { describe, test } from 'node:test';

import { io as version4 } from 'socket.io-client';
import version2 from 'socket.io-client-2';

import { serverForThisFile } from './server.mjs';
import { within } from './within.mjs';

const SECRET = 'what the host application signs with';
const server = await serverForThisFile('--access', 'token', '--jwt-secret', SECRET);

const clients = { 4: version4, 2: version2 };
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT as a host application makes it. */
function hostToken(claims, secret = SECRET) {
  const body = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64(claims)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

const soon = () => Math.floor(Date.now() / 1000) + 3600;

function open(version, options, t) {
  const socket = clients[version](server.url, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    ...options,
  });
  t.after(() => socket.close());
  return socket;
}

const happens = (socket, event) => within(10, once(socket, event), event);

async function post(path, fields, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const body = new URLSearchParams(fields);
  const response = await fetch(`${server.url}/api/${path}`, { method: 'POST', body, headers });
  return (await response.json()).data[0];
}

async function signUp(username) {
  const { token } = await post('register', {
    first_name: username,
    last_name: 'Test',
    username,
    password: 'correct horse',
    email: `${username}@example.com`,
    phone: String(Math.floor(Math.random() * 1e12)),
  });
  return token;
}

describe('a client of version 4', () => {
  for (const transports of [['websocket'], ['polling']]) {
    test(`comes in by auth.token, over ${transports}`, async (t) => {
      const token = hostToken({ sub: 'ann', name: 'Ann', exp: soon() });
      const socket = open(4, { transports, auth: { token } }, t);
      await happens(socket, 'connect');
      assert.deepEqual(await socket.emitWithAck('list-chats', {}), { chats: [] });
    });
  }

  for (const [what, auth, reason] of [
    ['no token', undefined, 'invalid'],
    ['a false token', { token: hostToken({ sub: 'ann', exp: soon() }, 'another secret') }, 'invalid'],
    ['an old token', { token: hostToken({ sub: 'ann', exp: soon() - 7200 }) }, 'expired'],
  ]) {
    test(`is told unauthenticated with ${what}, and may come again`, async (t) => {
      const socket = open(4, { auth }, t);
      const [error] = await happens(socket, 'connect_error');
      assert.equal(error.message, 'unauthenticated');
      assert.equal(error.data.code, 'unauthenticated');
      assert.equal(error.data.reason, reason);
      socket.auth = { token: hostToken({ sub: 'ann', exp: soon() }) };
      socket.connect();
      await happens(socket, 'connect');
    });
  }

  test('writes to another user directly, who reads it over REST', async (t) => {
    const [bob, eve] = [await signUp('bob'), await signUp('eve')];
    const socket = open(4, { auth: { token: bob.access_token } }, t);
    await happens(socket, 'connect');
    const { chat } = await socket.emitWithAck('open-direct', { user: { id: eve.user_id } });
    assert.equal(chat.direct, true);
    const message = { value: 'Hi Eve', type: 'text' };
    const sent = await socket.emitWithAck('new-message', { chat, message });
    const headers = { Authorization: `Bearer ${eve.access_token}` };
    const response = await fetch(`${server.url}/api/thread/bob`, { headers });
    assert.deepEqual((await response.json()).data, [
      {
        author: 'bob',
        created_at: sent.created_at,
        message: 'Hi Eve',
        message_type: 0,
        recipient: 'eve',
      },
    ]);
    const refused = await socket.emitWithAck('list-chats', { user: { id: eve.user_id } });
    assert.equal(refused.error.code, 'forbidden');
  });

  test('is disconnected when its token is revoked, and not let in again', async (t) => {
    const { access_token: token } = await signUp('dan');
    const socket = open(4, { auth: { token } }, t);
    await happens(socket, 'connect');
    const gone = happens(socket, 'disconnect');
    const headers = { Authorization: `Bearer ${token}` };
    await fetch(`${server.url}/api/auth_token`, { method: 'DELETE', headers });
    await gone;
    socket.connect();
    const [error] = await happens(socket, 'connect_error');
    assert.equal(error.message, 'unauthenticated');
    assert.equal(error.data.reason, 'revoked');
  });
});

describe('a client of version 2', () => {
  test('comes in by access_token', async (t) => {
    const query = { access_token: hostToken({ sub: 'ann', exp: soon() }) };
    const socket = open(2, { query }, t);
    await happens(socket, 'connect');
    const answer = await new Promise((resolve) => socket.emit('list-chats', {}, resolve));
    assert.deepEqual(answer, { chats: [] });
  });

  test('is told unauthenticated without one', async (t) => {
    const socket = open(2, {}, t);
    const [error] = await happens(socket, 'error');
    assert.equal(error, 'unauthenticated');
  });
});
