// Acknowledged messages stay stored, however the server ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { connect, join } from './client.mjs';
import { serverForThisFile } from './server.mjs';

const server = await serverForThisFile();

const upTo = (count) => Array.from({ length: count }, (_, index) => index + 1);

/** Accepts the errors that requests may get when the server ends. */
function endOfServer({ message }) {
  assert.match(message, /^disconnected|"unavailable"/);
}

async function wholeHistory(client, chat) {
  const messages = [];
  for (let more = { after_seq: 0 }; more;) {
    const page = await client.history(chat, more);
    messages.push(...page.messages);
    more = page.next;
  }
  return messages;
}

test('users, chats and messages outlive a stop', async () => {
  const [ann, bob] = await Promise.all([join(server, 'ann'), join(server, 'bob')]);
  const chat = await ann.createChat([bob], { name: 'to be kept', description: 'for good' });
  for (const value of ['text', 'Grüße', '👍🏽']) await ann.say(chat, value, { client_id: value });
  await bob.ask('mark-read', { chat: { id: chat.id }, seq: 2 });
  const chats = await bob.ask('list-chats', {});
  const history = await bob.history(chat);

  await server.stop();
  await server.restart();

  const later = await connect(server);
  const { external_id, name, photo } = bob.user;
  await later.become({ external_id, name, photo });
  assert.equal(later.user.id, bob.user.id);
  assert.equal(later.user.created_at, bob.user.created_at);
  assert.deepEqual(await later.ask('list-chats', {}), chats);
  assert.deepEqual(await later.history(chat), history);
  assert.equal((await later.say(chat, 'and on')).seq, 4);
});

test('a kill under load loses no acknowledged message and doubles none', async () => {
  const senders = await Promise.all(upTo(6).map((n) => join(server, `sender ${n}`)));
  const chat = await senders[0].createChat(senders.slice(1));
  const sent = new Map();
  const acknowledged = new Map();

  const enough = new Promise((resolve) => {
    for (const sender of senders) {
      const send = async (n) => {
        const client_id = `${sender.user.name}, ${n}`;
        const message = sender.message(chat, `message ${client_id}`, { client_id });
        sent.set(client_id, message);
        acknowledged.set(client_id, await sender.ask('new-message', message));
        if (acknowledged.size >= 500) resolve();
        await send(n + 4);
      };
      // Four are always under way, so that some are unanswered when the server is killed.
      for (const n of upTo(4)) send(n).catch(endOfServer);
    }
  });
  await enough;
  await server.kill();
  await Promise.all(senders.map((sender) => sender.disconnected()));
  await server.restart();

  const reader = await connect(server);
  await reader.become(senders[0].user);
  const kept = new Map((await wholeHistory(reader, chat)).map((it) => [it.client_id, it]));
  for (const [client_id, answer] of acknowledged) {
    assert.deepEqual(kept.get(client_id), answer, 'what was acknowledged was kept');
  }

  const unanswered = [...sent].filter(([client_id]) => !acknowledged.has(client_id));
  assert.notEqual(unanswered.length, 0, 'the kill came in the middle');
  for (const [, message] of unanswered) await reader.ask('new-message', message);

  const history = await wholeHistory(reader, chat);
  assert.deepEqual(
    history.map((it) => it.seq),
    upTo(sent.size),
    'no gap',
  );
  assert.deepEqual(history.map((it) => it.client_id).sort(), [...sent.keys()].sort(), 'each once');
  for (const message of history) {
    const { user, message: original } = sent.get(message.client_id);
    assert.equal(message.msg, original.value);
    assert.equal(message.user_id, user.id);
  }
});

test('a stop under load loses no acknowledged message', async () => {
  const senders = await Promise.all(upTo(6).map((n) => join(server, `sender ${n}`)));
  const chat = await senders[0].createChat(senders.slice(1));
  const acknowledged = [];

  const enough = new Promise((resolve) => {
    for (const sender of senders) {
      const send = async () => {
        acknowledged.push(await sender.say(chat, 'so far so good'));
        if (acknowledged.length >= 200) resolve();
        await send();
      };
      send().catch(endOfServer);
    }
  });
  await enough;
  await server.stop();
  await server.restart();

  const reader = await connect(server);
  await reader.become(senders[0].user);
  const kept = new Map((await wholeHistory(reader, chat)).map((it) => [it.seq, it]));
  for (const answer of acknowledged) assert.deepEqual(kept.get(answer.seq), answer);
});

for (const version of [4, 2]) {
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    const name = `version ${version} over ${transports.join(' and ')}`;
    test(`${name} comes back after a stop by itself`, async () => {
      const client = await join(server, 'ann', {
        version,
        transports,
        reconnection: true,
        reconnectionDelay: 20,
        reconnectionDelayMax: 100,
      });
      if (transports.length === 2) await client.upgraded();
      const chat = await client.createChat([]);
      await client.say(chat, 'before');

      const closed = client.disconnected();
      await server.stop();
      await closed;
      await server.restart();
      await client.connected();

      await client.become(client.user);
      await client.say(chat, 'after');
      const { messages } = await client.history(chat);
      assert.deepEqual(
        messages.map((it) => it.msg),
        ['before', 'after'],
      );
    });
  }
}
