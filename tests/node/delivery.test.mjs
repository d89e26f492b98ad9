// Which clients get which messages, how often and in what order.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';

import { connect, join } from './client.mjs';
import { serverForThisFile } from './server.mjs';

const server = await serverForThisFile();

const upTo = (count) => Array.from({ length: count }, (_, index) => index + 1);
const seqs = (messages) => messages.map((it) => it.seq);
const values = (messages) => messages.map((it) => it.msg);

const people = (...names) => Promise.all(names.map((name) => join(server, name)));

/** Another connection of the same user. */
async function again(client) {
  const other = await connect(server);
  await other.become(client.user);
  return other;
}

/**
 * Sends a last message and waits until all clients have it. Pushes come in order, so that whatever
 * was sent before has arrived by then, or never will.
 */
async function settle(sender, chat, ...clients) {
  const { id } = await sender.say(chat, 'the last');
  await Promise.all(clients.map((client) => client.next('new-message', (it) => it.id === id)));
  await Promise.all(clients.map((client) => client.ask('list-chats', {})));
}

describe('order', () => {
  test('500 requests on one socket are answered in the order sent', async () => {
    const [ann] = await people('ann');
    const chat = await ann.createChat([]);
    const requests = [
      (n) => ann.say(chat, `message ${n}`),
      () => ann.history(chat, { limit: 1 }),
      () => ann.ask('mark-read', { chat: { id: chat.id } }),
      () => ann.ask('list-chats', { limit: 1 }),
      () => ann.refusal('new-message', {}),
    ];

    const answered = [];
    const answers = await Promise.all(
      upTo(500).map(async (n) => {
        const answer = await requests[n % requests.length](n);
        answered.push(n);
        return answer;
      }),
    );

    assert.deepEqual(answered, upTo(500));
    assert.deepEqual(seqs(answers.filter((it) => it.seq)), upTo(100));
  });

  test('500 requests without ack are answered in the order sent', async () => {
    const [ann] = await people('ann');
    const chat = await ann.createChat([]);

    for (const n of upTo(500)) {
      if (n % 2) ann.tell('new-message', ann.message(chat, `${n}`));
      else ann.tell('list-messages', { chat: { id: chat.id }, query: { limit: 1 } });
    }
    await settle(ann, chat, ann);

    assert.deepEqual(values(ann.all('new-message')), [
      ...upTo(500)
        .filter((n) => n % 2)
        .map(String),
      'the last',
    ]);
    assert.deepEqual(
      ann.all('list-messages').map((it) => it.messages[0].seq),
      upTo(250),
      'each sees the message sent before it',
    );
  });

  test('20 senders at once make one gap-free sequence, which all receive in its order', async () => {
    const senders = await people(...upTo(20).map((n) => `sender ${n}`));
    const chat = await senders[0].createChat(senders.slice(1));

    const answers = await Promise.all(
      senders.map(async (sender) => {
        const own = [];
        for (const n of upTo(50)) own.push(await sender.say(chat, `${sender.user.name}: ${n}`));
        return own;
      }),
    );
    for (const own of answers)
      assert.deepEqual(
        seqs(own),
        [...seqs(own)].sort((a, b) => a - b),
      );
    const sent = answers.flat().sort((a, b) => a.seq - b.seq);
    assert.deepEqual(seqs(sent), upTo(1000));

    for (const receiver of senders) {
      await receiver.next('new-message', (it) => it.seq === 1000);
      assert.deepEqual(receiver.all('new-message'), sent);
    }
    assert.deepEqual((await senders[0].history(chat)).messages, sent);
  });
});

describe('new-message', () => {
  test('comes to the sender once when asked without ack', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const chat = await ann.createChat([bob]);

    ann.tell('new-message', ann.message(chat, 'hello'));
    await settle(ann, chat, ann, bob);

    assert.deepEqual(values(ann.all('new-message')), ['hello', 'the last']);
    assert.deepEqual(ann.all('new-message'), bob.all('new-message'));
  });

  test('comes to the sender as answer and as push when asked with ack', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const chat = await ann.createChat([bob]);

    const answer = await ann.say(chat, 'hello');
    await settle(ann, chat, ann, bob);

    assert.deepEqual(values(ann.all('new-message')), ['hello', 'the last']);
    assert.deepEqual(ann.all('new-message')[0], answer);
    assert.deepEqual(ann.all('new-message'), bob.all('new-message'));
  });

  test('comes to all sockets of all members, and to nobody else', async () => {
    const [ann, bob, eve] = await people('ann', 'bob', 'eve');
    const [annsPhone, bobsPhone] = await Promise.all([again(ann), again(bob)]);
    const chat = await ann.createChat([bob]);
    const elsewhere = await ann.createChat([eve]);

    await bobsPhone.say(chat, 'hello');
    await settle(ann, chat, ann, annsPhone, bob, bobsPhone);
    await settle(ann, elsewhere, eve);

    for (const member of [ann, annsPhone, bob, bobsPhone]) {
      const received = member.all('new-message').filter((it) => it.chat_id === chat.id);
      assert.deepEqual(values(received), ['hello', 'the last']);
    }
    assert.ok(eve.all('new-message').every((it) => it.chat_id === elsewhere.id));
  });

  test('claims the user it names', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const chat = await ann.createChat([bob]);
    const stranger = await connect(server);

    const sent = await stranger.ask('new-message', bob.message(chat, 'it is me, bob'));
    assert.equal(sent.user_id, bob.user.id);

    await settle(ann, chat, stranger);
    assert.equal(stranger.all('new-message').at(-1).msg, 'the last');
  });

  test('with a known client_id is answered with the first message and not pushed again', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const chat = await ann.createChat([bob]);
    const client_id = randomUUID();

    const first = await ann.say(chat, 'once', { client_id });
    assert.equal(first.client_id, client_id);
    assert.deepEqual(await ann.say(chat, 'once', { client_id }), first);
    assert.deepEqual(await (await again(ann)).say(chat, 'once', { client_id }), first);
    await settle(ann, chat, ann, bob);

    assert.deepEqual(values(ann.all('new-message')), ['once', 'the last']);
    assert.deepEqual(values(bob.all('new-message')), ['once', 'the last']);
  });

  test('with a known client_id and without ack is answered to the asker alone', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const chat = await ann.createChat([bob]);
    const client_id = randomUUID();

    for (const _ of ['first', 'again']) {
      ann.tell('new-message', ann.message(chat, 'once', { client_id }));
    }
    await settle(ann, chat, ann, bob);

    assert.deepEqual(values(ann.all('new-message')), ['once', 'once', 'the last']);
    assert.deepEqual(values(bob.all('new-message')), ['once', 'the last']);
  });

  test('with a known client_id and another body is a conflict', async () => {
    const [ann] = await people('ann');
    const chat = await ann.createChat([]);
    const client_id = randomUUID();

    await ann.say(chat, 'one thing', { client_id });
    const error = await ann.refusal('new-message', ann.message(chat, 'another', { client_id }));

    assert.equal(error.code, 'conflict');
    assert.deepEqual(values((await ann.history(chat)).messages), ['one thing']);
  });

  test('takes the same client_id from another user and in another chat', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const [chat, other] = [await ann.createChat([bob]), await ann.createChat([bob])];
    const client_id = randomUUID();

    const sent = [
      await ann.say(chat, 'ann, here', { client_id }),
      await bob.say(chat, 'bob, here', { client_id }),
      await ann.say(other, 'ann, there', { client_id }),
    ];
    assert.deepEqual(values(sent), ['ann, here', 'bob, here', 'ann, there']);
    assert.equal(new Set(sent.map((it) => it.id)).size, 3);
  });
});

describe('create-chat', () => {
  test('without ack comes to the creator once, and to the members, who can at once receive', async () => {
    const [ann, bob] = await people('ann', 'bob');

    ann.tell('create-chat', { chat: { name: 'ours' }, users: [bob.user.id] });
    const [{ chat }, invited] = await Promise.all([
      ann.next('create-chat'),
      bob.next('create-chat'),
    ]);
    assert.deepEqual(invited.chat.id, chat.id);
    await settle(ann, chat, ann, bob);
    await settle(bob, chat, ann, bob);

    assert.equal(ann.all('create-chat').length, 1);
    assert.equal(bob.all('create-chat').length, 1);
  });

  test('comes to every socket of a member, and to nobody else', async () => {
    const [ann, bob, eve] = await people('ann', 'bob', 'eve');
    const [annsPhone, bobsPhone] = await Promise.all([again(ann), again(bob)]);

    const chat = await ann.createChat([bob]);
    await settle(ann, chat, annsPhone, bob, bobsPhone);
    await eve.ask('list-chats', {});

    for (const member of [annsPhone, bob, bobsPhone]) {
      assert.deepEqual(
        member.all('create-chat').map((it) => it.chat.id),
        [chat.id],
      );
    }
    assert.deepEqual(eve.all('create-chat'), []);
  });

  test('lists the creator once, asked for or not', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const both = [ann.user.id, bob.user.id].sort();

    for (const members of [[bob], [ann, bob], [bob, bob]]) {
      const chat = await ann.createChat(members, { description: 'what for' });
      assert.deepEqual([...chat.users].sort(), both);
      assert.equal(chat.description, 'what for');
    }
  });
});

describe('mark-read', () => {
  test('counts what others have sent', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const chat = await ann.createChat([bob]);
    for (const n of upTo(3)) await ann.say(chat, `${n}`);

    const unread = async (client) => (await client.ask('list-chats', {})).chats[0].unread;
    assert.equal(await unread(ann), 0, 'one has read what one has written');
    assert.equal(await unread(bob), 3);

    const partly = await bob.ask('mark-read', { chat: { id: chat.id }, seq: 2 });
    assert.deepEqual(partly, { chat: { id: chat.id, read_seq: 2, unread: 1 } });
    assert.equal(await unread(bob), 1);

    const wholly = await bob.ask('mark-read', { chat: { id: chat.id } });
    assert.deepEqual(wholly, { chat: { id: chat.id, read_seq: 3, unread: 0 } });
    assert.equal(await unread(bob), 0);
  });

  test("comes to the user's other sockets only", async () => {
    const [ann, bob] = await people('ann', 'bob');
    const bobsPhone = await again(bob);
    const chat = await ann.createChat([bob]);
    await ann.say(chat, 'hello');

    const answer = await bob.ask('mark-read', { chat: { id: chat.id } });
    assert.deepEqual(await bobsPhone.next('mark-read'), answer);

    bobsPhone.tell('mark-read', { chat: { id: chat.id } });
    assert.deepEqual(await bobsPhone.next('mark-read'), answer);
    await settle(ann, chat, ann, bob, bobsPhone);

    assert.deepEqual(ann.all('mark-read'), []);
    assert.equal(bobsPhone.all('mark-read').length, 2);
  });
});

describe('join-chat and leave-chat', () => {
  test('begin and end the membership of a public chat', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const chat = await ann.createChat([], { private: false });
    await ann.say(chat, 'too early for bob');

    const joined = await bob.ask('join-chat', { chat: { id: chat.id } });
    assert.deepEqual([...joined.chat.users].sort(), [ann.user.id, bob.user.id].sort());
    await ann.say(chat, 'hello bob');
    assert.equal((await bob.next('new-message')).msg, 'hello bob');
    await bob.say(chat, 'hello ann');
    assert.deepEqual(
      (await bob.ask('list-chats', {})).chats.map((it) => it.id),
      [chat.id],
    );

    const left = await bob.ask('leave-chat', { chat: { id: chat.id } });
    assert.deepEqual(left.chat.users, [ann.user.id]);
    await settle(ann, chat, ann);
    assert.deepEqual((await bob.ask('list-chats', {})).chats, []);
    assert.deepEqual(values(bob.all('new-message')), ['hello bob', 'hello ann']);
    assert.equal((await bob.refusal('new-message', bob.message(chat, 'me too'))).code, 'forbidden');
  });

  test('count for all sockets of the user', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const bobsPhone = await again(bob);
    const chat = await ann.createChat([], { private: false });

    await bob.ask('join-chat', { chat: { id: chat.id } });
    await settle(ann, chat, bobsPhone);
    await bob.ask('leave-chat', { chat: { id: chat.id } });
    await settle(ann, chat, ann);
    await bobsPhone.ask('list-chats', {});
    assert.equal(bobsPhone.all('new-message').length, 1);
  });
});

describe('list-chats', () => {
  test('puts the latest activity first', async () => {
    const [ann, bob] = await people('ann', 'bob');
    const chats = [];
    for (const name of ['one', 'two', 'three']) chats.push(await ann.createChat([bob], { name }));
    await bob.say(chats[0], 'first again');
    await bob.say(chats[0], 'and again');

    const { chats: listed, next } = await ann.ask('list-chats', { user: { id: ann.user.id } });
    assert.deepEqual(
      listed.map(({ name, last_seq, unread }) => ({ name, last_seq, unread })),
      [
        { name: 'one', last_seq: 2, unread: 2 },
        { name: 'three', last_seq: 0, unread: 0 },
        { name: 'two', last_seq: 0, unread: 0 },
      ],
    );
    assert.equal(next, undefined);
  });

  test('is paged by giving next back as before', async () => {
    const [ann] = await people('ann');
    const names = upTo(5).map((n) => `chat ${n}`);
    for (const name of names) await ann.createChat([], { name });

    const pages = [];
    let before;
    do {
      const page = await ann.ask('list-chats', { limit: 2, before });
      pages.push(page.chats.map((it) => it.name));
      before = page.next;
    } while (before);

    assert.deepEqual(pages, [['chat 5', 'chat 4'], ['chat 3', 'chat 2'], ['chat 1']]);
  });
});

describe('list-messages', () => {
  async function chatOf(count) {
    const [ann] = await people('ann');
    const chat = await ann.createChat([]);
    const messages = [];
    for (const n of upTo(count)) messages.push(await ann.say(chat, `${n}`));
    const list = async (query) => {
      const { messages: page, ...more } = await ann.history(chat, query);
      return { seqs: seqs(page), ...more };
    };
    return { messages, list };
  }

  test('gives all, or the latest, ascending', async () => {
    const { list } = await chatOf(10);
    assert.deepEqual(await list(), { seqs: upTo(10) });
    assert.deepEqual(await list({ limit: 5_000 }), { seqs: upTo(10) });
    assert.deepEqual(await list({ limit: 3 }), { seqs: [8, 9, 10], previous: { before_seq: 8 } });
  });

  test('gives the earliest after a seq', async () => {
    const { list } = await chatOf(10);
    assert.deepEqual(await list({ after_seq: 0, limit: 3 }), {
      seqs: [1, 2, 3],
      next: { after_seq: 3 },
    });
    assert.deepEqual(await list({ after_seq: 10 }).then((it) => it.seqs), []);
    assert.deepEqual(await list({ after_seq: 4, before_seq: 7 }).then((it) => it.seqs), [5, 6]);
  });

  test('includes both ends of a time span', async () => {
    const { list, messages } = await chatOf(10);
    const [from, to] = [messages[2].created_at, messages[6].created_at];
    assert.deepEqual(await list({ from, to }).then((it) => it.seqs), [3, 4, 5, 6, 7]);
    assert.deepEqual(await list({ from, to, limit: 2 }).then((it) => it.seqs), [3, 4]);
    assert.deepEqual(await list({ from }).then((it) => it.seqs), [3, 4, 5, 6, 7, 8, 9, 10]);
    assert.deepEqual(await list({ to, limit: 2 }).then((it) => it.seqs), [6, 7]);
  });

  test('is walked forwards by next and backwards by previous', async () => {
    const { list } = await chatOf(10);
    const walk = async (query, direction) => {
      const pages = [];
      for (let more = query; more;) {
        const page = await list({ ...more, limit: 4 });
        pages.push(page.seqs);
        more = page[direction];
      }
      return pages;
    };
    assert.deepEqual(await walk({ after_seq: 0 }, 'next'), [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [9, 10],
    ]);
    assert.deepEqual(await walk({}, 'previous'), [
      [7, 8, 9, 10],
      [3, 4, 5, 6],
      [1, 2],
    ]);
  });

  test('keeps a page of large messages under 1 MiB, and loses none', async () => {
    const [ann] = await people('ann');
    const chat = await ann.createChat([]);
    for (const n of upTo(5)) await ann.say(chat, `${n}`.repeat(400 * 1024));

    const read = [];
    for (let more = { after_seq: 0 }; more;) {
      const page = await ann.history(chat, more);
      assert.ok(JSON.stringify(page).length <= 1024 * 1024);
      read.push(...seqs(page.messages));
      more = page.next;
    }
    assert.deepEqual(read, upTo(5));
  });

  test('of a public chat is for everybody', async () => {
    const [ann] = await people('ann');
    const chat = await ann.createChat([], { private: false });
    await ann.say(chat, 'hear, hear');
    const stranger = await connect(server);
    assert.deepEqual(values((await stranger.history(chat)).messages), ['hear, hear']);
  });
});
