// The same conversation over every transport, with current and old versions of the clients.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { join, open } from './client.mjs';
import { serverForThisFile } from './server.mjs';

const KIB = 1024;
const server = await serverForThisFile();

const versions = ['4', '4.5', '4.0', '3', '2'];
const transports = {
  websocket: ['websocket'],
  polling: ['polling'],
  'polling, then websocket': ['polling', 'websocket'],
};

const phrases = [
  'plain text',
  'Grüße, 世界, здравствуй',
  '👩‍👩‍👧‍👦 🇳🇱 👍🏽 e\u0301',
  'شكرا \u202eright to left',
  'quotes " \' ` and \\ and </script>',
  'lines\r\nand\ttabs, \u2028 \u2029',
  // The separators of polling payloads.
  '12:4a\u001e4b',
];

/** Two members of a chat send all phrases in turns, and alternate between ack and event. */
async function converse(ann, bob) {
  const chat = await ann.createChat([bob], { name: '💬 Gespräch' });
  const invited = await bob.next('create-chat', (body) => body.chat.id === chat.id);
  assert.equal(invited.chat.name, '💬 Gespräch');

  for (const phrase of phrases) {
    const answer = await ann.say(chat, phrase);
    assert.equal(answer.msg, phrase);
    assert.deepEqual(await ann.next('new-message'), answer);
    assert.deepEqual(await bob.next('new-message'), answer);

    bob.tell('new-message', bob.message(chat, phrase));
    const reply = await bob.next('new-message');
    assert.equal(reply.msg, phrase);
    assert.equal(reply.user_id, bob.user.id);
    assert.deepEqual(await ann.next('new-message'), reply);
  }

  const { messages } = await bob.history(chat);
  assert.deepEqual(messages.map((it) => it.msg), phrases.flatMap((it) => [it, it]));
}

for (const version of versions) {
  describe(`socket.io-client ${version}`, () => {
    for (const [name, list] of Object.entries(transports)) {
      test(`converses over ${name}`, async () => {
        const options = { version, transports: list };
        const [ann, bob] = await Promise.all([join(server, 'ann', options), join(server, 'bob', options)]);
        if (list.length === 2) await Promise.all([ann.upgraded(), bob.upgraded()]);
        assert.equal(ann.transport, list.at(-1));
        await converse(ann, bob);
      });
    }

    // An upgrade may happen to end before anything is sent: therefore several attempts.
    for (const attempt of [1, 2, 3]) {
      test(`loses and swaps nothing while it upgrades, attempt ${attempt}`, async () => {
        const ann = await join(server, 'ann');
        const chat = await ann.createChat([]);
        const late = open(server, { version, transports: ['polling', 'websocket'] });
        late.user = ann.user;
        const sent = [];
        const answers = [];
        const sayThree = async () => {
          const values = [1, 2, 3].map((n) => `message ${sent.length + n}`);
          sent.push(...values);
          answers.push(...(await Promise.all(values.map((value) => late.say(chat, value)))));
        };

        let upgraded = false;
        const upgrade = late.upgraded().then(() => (upgraded = true));
        while (!upgraded) await sayThree();
        await upgrade;
        await sayThree();

        assert.equal(late.transport, 'websocket');
        assert.deepEqual(answers.map((it) => it.msg), sent);
        for (const client of [late, ann]) {
          await client.next('new-message', (it) => it.msg === sent.at(-1));
          assert.deepEqual(client.all('new-message').map((it) => it.msg), sent);
        }
      });
    }

    for (const transport of ['websocket', 'polling']) {
      const options = { version, transports: [transport] };

      test(`sends 512 KiB, and not a byte more, over ${transport}`, async () => {
        const [ann, bob] = await Promise.all([join(server, 'ann', options), join(server, 'bob', options)]);
        const chat = await ann.createChat([bob]);
        const oneByte = 'x'.repeat(512 * KIB);
        const threeBytes = '世'.repeat((512 * KIB - 2) / 3) + 'xx';

        for (const largest of [oneByte, threeBytes]) {
          const answer = await ann.say(chat, largest);
          assert.ok(answer.msg === largest, 'the answer has the text');
          assert.ok((await bob.next('new-message')).msg === largest, 'the push has the text');

          const error = await ann.refusal('new-message', ann.message(chat, `${largest}x`));
          assert.equal(error.code, 'too_large');
          assert.equal(error.field, 'message.value');
        }
        assert.equal((await ann.say(chat, 'still here')).seq, 3);
      });

      test(`is closed after a frame over 1 MiB on ${transport}, and the server goes on`, async () => {
        const [ann, bob] = await Promise.all([join(server, 'ann', options), join(server, 'bob', options)]);
        const chat = await ann.createChat([bob]);

        ann.tell('new-message', ann.message(chat, 'x'.repeat(KIB * KIB)));
        await ann.disconnected();

        const answer = await bob.say(chat, 'bob is unharmed');
        assert.equal(answer.seq, 1);
        assert.deepEqual(await bob.next('new-message'), answer);
        await converse(await join(server, 'cleo', options), bob);
      });
    }
  });
}

for (const old of ['websocket', 'polling']) {
  for (const present of ['websocket', 'polling']) {
    test(`version 2 over ${old} converses with version 4 over ${present}`, async () => {
      const ann = await join(server, 'ann', { version: 2, transports: [old] });
      const bob = await join(server, 'bob', { version: 4, transports: [present] });
      await converse(ann, bob);
      await converse(bob, ann);
    });
  }
}
