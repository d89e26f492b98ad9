// Every example of the origin document, request by request, answered by ack and by event.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';

import { connect, join } from './client.mjs';
import { serverForThisFile } from './server.mjs';

const server = await serverForThisFile();

const text = (value) => typeof value === 'string';
const time = (value) =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(value) && !isNaN(Date.parse(value));

const user = { external_id: text, id: text, created_at: time, modified_at: time };
const chat = { id: text, name: text, users: [text], created_at: time, modified_at: time };
const message = {
  id: text,
  msg: text,
  type: text,
  user_id: text,
  created_at: time,
  modified_at: time,
};

/** Checks every field of the shape. The actual value may have more fields. */
function assertShape(actual, shape, at = 'body') {
  if (typeof shape === 'function') {
    assert.ok(shape(actual), `${at} is no ${shape.name}: ${JSON.stringify(actual)}`);
  } else if (Array.isArray(shape)) {
    assert.ok(Array.isArray(actual) && actual.length > 0, `${at} is no filled list`);
    actual.forEach((item, index) => assertShape(item, shape[0], `${at}.${index}`));
  } else {
    assert.equal(typeof actual, 'object', `${at} is no object`);
    for (const name in shape) assertShape(actual[name], shape[name], `${at}.${name}`);
  }
}

const waysToAnswer = {
  'by ack': (client, event, body) => client.ask(event, body),
  'by event': (client, event, body) => {
    client.tell(event, body);
    return client.next(event);
  },
};

for (const [way, request] of Object.entries(waysToAnswer)) {
  describe(`answered ${way}`, () => {
    test('create / fetch user', async () => {
      const client = await connect(server);
      const external_id = `some-id-to-map-in-your-db-${randomUUID()}`;
      const id = `chat-id-${randomUUID()}`;

      const created = await request(client, 'create-user', {
        user: { external_id, id, name: 'Name', photo: 'Photo' },
      });
      assertShape(created, { user });
      assert.equal(created.user.external_id, external_id);

      const fetched = await request(client, 'create-user', {
        user: { external_id, name: 'New Name', photo: 'New Photo' },
      });
      assertShape(fetched, { user });
      assert.equal(fetched.user.id, created.user.id);
      assert.equal(fetched.user.name, 'New Name');
      assert.equal(fetched.user.photo, 'New Photo');
      assert.equal(fetched.user.created_at, created.user.created_at);
    });

    test('create / fetch user by external_id alone', async () => {
      const client = await connect(server);
      const external_id = randomUUID();
      const body = { user: { external_id, name: 'Name', photo: 'Photo' } };

      const created = await request(client, 'create-user', body);
      assertShape(created, { user });
      const fetched = await request(client, 'create-user', body);
      assert.equal(fetched.user.id, created.user.id);
    });

    test('create / fetch user by id alone', async () => {
      const client = await connect(server);
      const id = randomUUID();
      const body = { user: { id, name: 'Name', photo: 'Photo' } };

      const created = await request(client, 'create-user', body);
      const { external_id, ...others } = user;
      assertShape(created, { user: others });
      assert.equal(created.user.id, id, 'users of a replaced system keep their ids');
      const fetched = await request(client, 'create-user', body);
      assert.equal(fetched.user.id, id);
    });

    test('create new chat', async () => {
      const [ann, bob] = await Promise.all([join(server, 'ann'), join(server, 'bob')]);

      const created = await request(ann, 'create-chat', {
        chat: { name: 'chat-name' },
        users: [bob.user.id],
      });
      assertShape(created, { chat });
      assert.equal(created.chat.name, 'chat-name');
      assert.equal(created.chat.user, ann.user.id);
      assert.equal(created.chat.private, true);
      assert.deepEqual([...created.chat.users].sort(), [ann.user.id, bob.user.id].sort());
    });

    test('get all chats', async () => {
      const [ann, bob] = await Promise.all([join(server, 'ann'), join(server, 'bob')]);
      const { id } = await ann.createChat([bob], { name: 'chat-name' });

      const listed = await request(bob, 'list-chats', { user: { id: bob.user.id } });
      assertShape(listed, { chats: [chat] });
      assert.deepEqual(
        listed.chats.map((it) => it.id),
        [id],
      );
      assert.equal(listed.chats[0].name, 'chat-name');
    });

    test('get all messages', async () => {
      const ann = await join(server, 'ann');
      const room = await ann.createChat([]);
      const sent = [];
      for (const value of ['before', 'from', 'between', 'to', 'after']) {
        sent.push(await ann.say(room, value));
      }

      const listed = await request(ann, 'list-messages', {
        query: { from: sent[1].created_at, to: sent[3].created_at },
        chat: { id: room.id },
      });
      assertShape(listed, { messages: [message] });
      assert.deepEqual(
        listed.messages.map((it) => it.msg),
        ['from', 'between', 'to'],
      );
    });

    for (const type of ['img', 'text', 'file']) {
      test(`new message of type ${type} in a chat`, async () => {
        const [ann, bob] = await Promise.all([join(server, 'ann'), join(server, 'bob')]);
        const room = await ann.createChat([bob]);

        const sent = await request(ann, 'new-message', {
          chat: { id: room.id },
          user: { id: ann.user.id },
          message: { value: 'message', type },
        });
        assertShape(sent, message);
        assert.equal(sent.msg, 'message');
        assert.equal(sent.type, type);
        assert.equal(sent.user_id, ann.user.id);
        assert.equal(sent.chat_id, room.id);
        assert.equal(sent.room, `room-${room.id}`);
        assert.equal(sent.seq, 1);

        assert.deepEqual(await bob.next('new-message'), sent);
      });
    }
  });
}
