// The client on bad networks: connections are cut, and pushes are lost without a cut.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, describe, test } from 'node:test';

import { join } from './client.mjs';
import { installClient } from './installed.mjs';
import { proxyTo } from './proxy.mjs';
import { Server, serverForThisFile } from './server.mjs';
import { within } from './within.mjs';

const server = await serverForThisFile();
const { ChatClient } = await (await installClient(server)).load();

const people = [];
afterEach(() => people.splice(0).forEach(({ client }) => client.close()));

/** A person whose client is connected through a proxy of its own. */
class Person {
  /** How often the client has sent each request. */
  asked = {};
  #waiting = new Set();

  static async arrive(name, options = {}, at = server) {
    const person = new Person();
    person.line = await proxyTo(at);
    people.push(person);
    person.begin({ user: { external_id: `${name}-${randomUUID()}`, name }, ...options });
    await within(10, person.client.connect(), `${name} connects`);
    return person;
  }

  /** Makes a new client, as loading the page does. */
  begin(options) {
    this.options = options;
    const changed = () => this.#waiting.forEach((look) => look());
    this.client = new ChatClient({ url: this.line.url, changed, ...options });
    this.client.connection.watch = ({ direction, event, answer }) => {
      if (direction === 'out' && !answer) this.asked[event] = (this.asked[event] ?? 0) + 1;
    };
  }

  async makeChat(...others) {
    const users = others.map(({ client }) => client.myId);
    const { chat } = await this.client.request('create-chat', { chat: { name: 'ours' }, users });
    await Promise.all([this, ...others].map((person) => person.open(chat.id)));
    return chat.id;
  }

  async open(chat_id) {
    await this.until(() => this.client.chats.has(chat_id), 'the chat');
    await this.client.open(chat_id);
  }

  say(...texts) {
    const chat_id = this.client.current;
    for (const text of texts) this.client.send({ chat_id, text });
  }

  get messages() {
    return this.client.chats.get(this.client.current)?.timeline.messages ?? [];
  }

  get texts() {
    return this.messages.map(({ msg }) => msg);
  }

  /** Waits until `isSo` is true of what the client knows. */
  until(isSo, what) {
    const arrival = new Promise((resolve) => {
      const look = () => {
        if (!isSo()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
    return within(60, arrival, () => `${what} (there: ${JSON.stringify(this.texts)})`);
  }

  hears(...texts) {
    return this.until(() => texts.every((text) => this.texts.includes(text)), texts.join());
  }

  isUp() {
    return this.until(() => this.client.state === 'connected', 'the connection');
  }

  isDown() {
    return this.until(() => this.client.state === 'reconnecting', 'the cut');
  }

  /** Waits until the connection has been upgraded to a WebSocket. */
  async upgraded() {
    const answered = async () => {
      while (!this.line.frames.includes('"mentions"'))
        await this.client.request('count-unread', {});
    };
    await within(10, answered(), 'the upgrade');
  }
}

const upTo = (count) => Array.from({ length: count }, (_, index) => index + 1);

/** The messages that the server has of the person's open chat. */
async function historyOf({ client, options }) {
  const plain = await join(server, 'plain');
  await plain.become(options.user);
  const { messages } = await plain.history({ id: client.current });
  return messages;
}

describe('a line that is cut again and again', { timeout: 300_000 }, () => {
  test('loses nothing, doubles nothing and keeps the order', async () => {
    const [ann, bob] = await Promise.all([Person.arrive('ann'), Person.arrive('bob')]);
    await ann.makeChat(bob);
    await Promise.all([ann.upgraded(), bob.upgraded()]);
    // Ann is cut off when the server has her message, but she has no answer; Bob in between.
    const cuts = { ann: 0, bob: 0 };
    const every = (count, name) => {
      let left = count;
      return (text) => {
        if (!text.includes('"client_id"') || (left -= 1)) return 'pass';
        left = count;
        cuts[name] += 1;
        return 'cut';
      };
    };
    ann.line.judge = every(5, 'ann');
    bob.line.judge = every(7, 'bob');

    const texts = upTo(30).map((n) => `message ${n}`);
    ann.say(...texts);
    await ann.until(() => ann.client.outbox.pending.length === 0, 'all is confirmed');
    await ann.hears(...texts);
    await bob.hears(...texts);

    // Whoever is slow to come back is sent many messages at once, and cut off less often.
    while (cuts.ann < 3 || cuts.bob < 2) {
      const text = `message ${texts.length + 1}`;
      texts.push(text);
      ann.say(text);
      await Promise.all([ann.hears(text), bob.hears(text)]);
    }
    assert.deepEqual(ann.texts, texts);
    assert.deepEqual(bob.texts, texts);
    const kept = await historyOf(bob);
    assert.deepEqual(kept.map(({ seq, msg }) => [seq, msg]), texts.map((text, at) => [at + 1, text]));
    assert.deepEqual(bob.messages.map(({ id }) => id), kept.map(({ id }) => id));
  });

  test('sends what is written without a connection, in its order', async () => {
    const [ann, bob] = await Promise.all([Person.arrive('ann'), Person.arrive('bob')]);
    await ann.makeChat(bob);
    ann.line.setDown(true);
    await ann.isDown();
    ann.say('one', 'two', 'three');
    const shown = ann.client.outbox.of(ann.client.current).map(({ text }) => text);
    assert.deepEqual(shown, ['one', 'two', 'three'], 'it is there to be shown at once');
    ann.line.setDown(false);
    await bob.hears('three');
    assert.deepEqual(bob.texts, ['one', 'two', 'three']);
    await ann.until(() => ann.client.outbox.pending.length === 0, 'all is confirmed');
    assert.deepEqual(ann.texts, bob.texts);
  });

  test('fails a message that is too large for the server, and sends the next ones', async () => {
    const ann = await Person.arrive('ann');
    const chat_id = await ann.makeChat();
    const refused = { code: 'too_large', field: 'message.value' };
    const long = 'x'.repeat(1_100_000);
    const message = { value: long, type: 'text' };
    const body = { chat: { id: chat_id }, user: { id: ann.client.myId }, message };
    await assert.rejects(ann.client.request('new-message', body), refused);
    await assert.rejects(ann.client.request('list-users', { text: long }), { code: 'too_large' });
    // In JSON the second is six times as long, and in UTF-8 the third is three times as long.
    const texts = [long, '\u0001'.repeat(300_000), '€'.repeat(400_000)];
    ann.say(...texts, 'short');
    await ann.hears('short');
    const failures = ann.client.outbox.pending.map(({ failure }) => failure);
    assert.equal(failures.length, texts.length);
    for (const failure of failures) assert.match(failure, /the server takes 1048576\. Shorten/);
    assert.equal(ann.client.state, 'connected');
    assert.deepEqual(ann.texts, ['short']);
  });

  test('sends messages even if there is no room to store them', async () => {
    const setItem = () => {
      throw new Error('full');
    };
    const storage = { getItem: () => null, setItem, removeItem: () => {} };
    const ann = await Person.arrive('ann', { storage });
    await ann.makeChat();
    ann.say('not kept', 'last');
    await ann.hears('not kept', 'last');
  });

  test('a reloaded page sends the messages that were stored before', async () => {
    const storage = {
      getItem: (key) => storage[key] ?? null,
      setItem: (key, value) => void (storage[key] = value),
      removeItem: (key) => void delete storage[key],
    };
    const ann = await Person.arrive('ann', { storage });
    const chat_id = await ann.makeChat();
    ann.line.setDown(true);
    await ann.isDown();
    ann.say('kept');
    ann.client.close();
    ann.line.setDown(false);
    ann.begin(ann.options);
    await ann.client.connect();
    await ann.open(chat_id);
    await ann.hears('kept');
    assert.deepEqual(Object.keys(storage), ['getItem', 'setItem', 'removeItem']);
  });
});

describe('a server that limits the messages of a minute', { timeout: 300_000 }, () => {
  test('has all of them in the end, in their order', async () => {
    const slow = await Server.start('--messages-per-user', '60');
    const ann = await Person.arrive('ann', {}, slow);
    await ann.makeChat();
    const texts = upTo(62).map((n) => `message ${n}`);
    ann.say(...texts);
    await ann.hears('message 62');
    assert.deepEqual(ann.texts, texts);
    ann.client.close();
    await slow.dispose();
  });
});

describe('errors that waiting does not mend', { timeout: 300_000 }, () => {
  async function isRefused(code, options) {
    const person = new Person();
    person.line = await proxyTo(server);
    people.push(person);
    person.begin({ failed: () => {}, ...options });
    const refused = assert.rejects(person.client.connect(), { code }, code);
    await within(10, refused, `the refusal (${code})`);
    assert.equal(person.client.connection.isUp, false);
  }

  test('connect rejects if its user or token is refused', async () => {
    await isRefused('not_found', { user: { id: 'nobody' } });
    const user = { external_id: randomUUID(), name: 'Eve' };
    await isRefused('unauthenticated', { user, token: () => 'bad' });

    const body = new URLSearchParams({ username: 'eve', password: 'correct horse' });
    const answer = await fetch(`${server.url}/api/accounts`, { method: 'POST', body });
    const [{ token }] = (await answer.json()).data;
    await isRefused('forbidden', { user, token: () => token.access_token });
  });

  test('open rejects where there is no such chat', async () => {
    const ann = await Person.arrive('ann');
    await assert.rejects(ann.client.open('nope'), { code: 'not_found' });
    assert.equal(ann.client.current, undefined);
  });
});

describe('a client that was away', { timeout: 300_000 }, () => {
  test('gets the messages and changes it missed, and no earlier ones twice', async () => {
    const [ann, bob] = await Promise.all([Person.arrive('ann'), Person.arrive('bob')]);
    const chat_id = await ann.makeChat(bob);
    ann.say('wrong', 'unwise', 'fine');
    await Promise.all([ann.hears('fine'), bob.hears('fine')]);
    bob.line.setDown(true);
    await bob.isDown();

    const [wrong, unwise, fine] = ann.messages.map(({ id }) => id);
    const chat = { id: chat_id };
    await ann.client.request('edit-message', { chat, message: { id: wrong, value: 'right' } });
    await ann.client.request('delete-message', { chat, message: { id: unwise } });
    await ann.client.request('react', { chat, message: { id: fine }, reaction: '👍' });
    ann.say('there is more');
    await ann.hears('there is more');
    bob.line.setDown(false);
    await bob.hears('there is more');

    assert.deepEqual(bob.texts, ['right', '', 'fine', 'there is more']);
    const kept = await historyOf(bob);
    assert.deepEqual(ann.messages, kept);
    assert.deepEqual(bob.messages, kept);
    assert.equal(bob.messages[2].reactions[0].reaction, '👍');
  });

  test('is no longer in a chat that its user was removed from', async () => {
    const [ann, bob] = await Promise.all([Person.arrive('ann'), Person.arrive('bob')]);
    const chat_id = await ann.makeChat(bob);
    bob.line.setDown(true);
    await bob.isDown();
    const removed = { chat: { id: chat_id }, user: { id: bob.client.myId } };
    await ann.client.request('remove-member', removed);
    bob.line.setDown(false);
    await bob.isUp();
    assert.equal(bob.client.chats.has(chat_id), false);
    assert.equal(bob.client.current, undefined);
  });
});

describe('a push that is lost', { timeout: 300_000 }, () => {
  /** Drops all that Bob is sent, from a piece with this text on, until that has come once. */
  const lose = (bob, wanted) => {
    bob.line.judge = (text) => {
      if (!text.includes(wanted)) return 'pass';
      bob.line.judge = () => 'pass';
      return 'lose';
    };
  };

  test('is noticed by the next message, and fetched', async () => {
    const [ann, bob] = await Promise.all([Person.arrive('ann'), Person.arrive('bob')]);
    await ann.makeChat(bob);
    await bob.upgraded();
    ann.say('first');
    await bob.hears('first');
    lose(bob, 'second');
    ann.say('second');
    await ann.until(() => ann.client.outbox.pending.length === 0, 'it is confirmed');
    const asked = bob.asked['list-messages'];
    ann.say('third');
    await bob.hears('third');
    assert.deepEqual(bob.texts, ['first', 'second', 'third']);
    assert.equal(bob.asked['list-messages'], asked + 1);
    assert.equal(bob.client.state, 'connected');
  });

  test('is noticed by the next change, and fetched', async () => {
    const [ann, bob] = await Promise.all([Person.arrive('ann'), Person.arrive('bob')]);
    const chat = { id: await ann.makeChat(bob) };
    await bob.upgraded();
    ann.say('first', 'second');
    await Promise.all([ann.hears('second'), bob.hears('second')]);
    const [first, second] = ann.messages.map(({ id }) => id);
    lose(bob, 'first, edited');
    const edit = (id, value) => ann.client.request('edit-message', { chat, message: { id, value } });
    await edit(first, 'first, edited');
    await edit(second, 'second, edited');
    await bob.hears('second, edited');
    assert.deepEqual(bob.texts, ['first, edited', 'second, edited']);
    assert.equal(bob.asked['list-changes'], 1);
  });
});

describe('presence and typing', { timeout: 300_000 }, () => {
  test('are shown to other members', async () => {
    const [ann, bob] = await Promise.all([Person.arrive('ann'), Person.arrive('bob')]);
    const chat_id = await ann.makeChat(bob);
    const { people, chats, room } = bob.client;
    const { myId } = ann.client;
    await bob.until(() => people.get(myId)?.online, 'ann is online');
    await bob.until(() => room.here?.users.some(({ id }) => id === myId), 'ann is in the room');
    for (const _ of upTo(20)) ann.client.typing(chat_id);
    await bob.until(() => chats.get(chat_id).typing.has(myId), 'ann is writing');
    assert.equal(ann.asked.typing, 1);
    ann.say('done');
    await bob.hears('done');
    assert.equal(chats.get(chat_id).typing.size, 0);
    ann.client.close();
    await bob.until(() => people.get(myId).online === false, 'ann is gone');
    await bob.until(() => room.here.users.length === 1, 'ann has left the room');
  });
});
