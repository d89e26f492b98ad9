// The demo page in a real browser, against the real server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';

/** The packet with which Engine.IO changes from polling to the WebSocket. */
const UPGRADE = '5';

describe('the demo page', suite, () => {
  const stage = setStage();

  /** All have the same messages; a last one from each shows that nothing else was on its way. */
  async function agree(...everybody) {
    for (const [index, person] of everybody.entries()) {
      await person.say(`last word ${index}`);
      await person.isHeard();
    }
    for (const person of everybody) await person.sees(`last word ${everybody.length - 1}`);
    const [first, ...others] = await Promise.all(everybody.map((person) => person.texts()));
    for (const other of others) assert.deepEqual(other, first);
    return first.slice(0, -everybody.length);
  }

  test('two windows talk', async () => {
    const [ada, grace] = await stage.two();
    const nasty = '<img src=x onerror="document.title = 1"> & <b>bold</b>';
    await ada.say('Good morning, Grace. Does the engine run?');
    await grace.sees('Good morning');
    await grace.say('It does, and it has found a moth.', nasty);
    await ada.sees('<b>bold</b>');
    await ada.say('Two\nlines.');
    await grace.sees('Two');
    await stage.screenshot('two-windows', ada, grace);
    assert.deepEqual(await agree(ada, grace), [
      'Good morning, Grace. Does the engine run?',
      'It does, and it has found a moth.',
      nasty,
      'Two\nlines.',
    ]);
    const authors = await ada.page.locator('.author').allTextContents();
    assert.deepEqual(authors.slice(0, 2), ['You', 'Grace']);
  });

  test('the link is copied and leads into the chat', async () => {
    const ada = await stage.enter('Ada', stage.server.url, {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await ada.makeChat('Engines');
    await (await ada.showDetails()).getByRole('button', { name: 'Copy link' }).click();
    await ada.isTold('The link is copied.');
    const link = await ada.page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, ada.page.url());
    const grace = await stage.enter('Grace', link);
    await grace.heading('Engines').waitFor();
  });

  test('a reload keeps the person, the chat and its history', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('one', 'two');
    await ada.isHeard();
    await ada.page.reload();
    await ada.heading('Engines').waitFor();
    await ada.isIn('Ada');
    await ada.sees('two');
    assert.equal(await ada.page.locator('.mine').count(), 2);
    await grace.say('three');
    await ada.sees('three');
    assert.deepEqual(await agree(ada, grace), ['one', 'two', 'three']);
  });

  test('unread messages of other chats are counted until they are read', async () => {
    const [ada, grace] = await stage.two();
    await grace.makeChat('Moths');
    await grace.heading('Moths').waitFor();
    await ada.say('one', 'two');
    const listed = grace.listed('Engines');
    await listed.filter({ hasText: '2 unread' }).waitFor();
    assert.equal(await grace.page.title(), '(2) Chinwag');
    await grace.page.reload();
    await listed.filter({ hasText: '2 unread' }).click();
    await grace.sees('two');
    await listed.filter({ hasNotText: 'unread' }).waitFor();
    await ada.say('three');
    await grace.sees('three');
    await ada.isHeard();
    await grace.page.reload();
    await grace.sees('three');
    await listed.filter({ hasText: 'Ada: three' }).filter({ hasNotText: 'unread' }).waitFor();
  });

  for (const end of ['stop', 'kill']) {
    test(`everything arrives once and in order after a ${end} of the server`, async () => {
      const [ada, grace] = await stage.two();
      await ada.say('before');
      await grace.sees('before');
      await stage.server[end]();
      await ada.is('Reconnecting');
      await grace.is('Reconnecting');
      await ada.say('ada 1', 'ada 2', 'ada 3');
      await grace.say('grace 1', 'grace 2', 'grace 3');
      await ada.page.getByText('Waiting…').first().waitFor();
      await stage.server.restart();
      await Promise.all([ada.is('Connected'), grace.is('Connected')]);
      await Promise.all([ada.isHeard(), grace.isHeard()]);
      const texts = await agree(ada, grace);
      assert.equal(texts.length, 7);
      assert.equal(texts[0], 'before');
      for (const name of ['ada', 'grace']) {
        const own = texts.filter((text) => text.startsWith(name));
        assert.deepEqual(own, [`${name} 1`, `${name} 2`, `${name} 3`]);
      }
    });
  }

  test('a user who was offline misses nothing', async () => {
    const [ada, grace] = await stage.two();
    await grace.page.context().setOffline(true);
    await grace.is('Reconnecting');
    await grace.say('from the train');
    await ada.say('one', 'two', 'three');
    await ada.isHeard();
    await grace.page.context().setOffline(false);
    await grace.is('Connected');
    await grace.isHeard();
    assert.deepEqual(await agree(ada, grace), ['one', 'two', 'three', 'from the train']);
  });

  test('messages that wait to be sent outlive a reload', async () => {
    const [ada, grace] = await stage.two();
    await ada.page.context().setOffline(true);
    await ada.is('Reconnecting');
    await ada.say('not lost');
    await ada.page.getByText('Waiting…').waitFor();
    await ada.page.context().setOffline(false);
    await ada.page.reload();
    await grace.sees('not lost');
    await ada.sees('not lost');
    assert.deepEqual(await agree(ada, grace), ['not lost']);
  });

  test('a message whose answer was lost is sent again and appears once', async () => {
    const [ada, grace] = await stage.two();
    let deaf = false;
    let opened;
    const line = new Promise((resolve) => (opened = resolve));
    await ada.page.routeWebSocket(/socket\.io/, (socket) => {
      const served = socket.connectToServer();
      served.onMessage((packet) => deaf || socket.send(packet));
      socket.onMessage((packet) => {
        served.send(packet);
        if (packet === UPGRADE) opened(socket);
      });
    });
    await ada.page.reload();
    const socket = await line;
    await ada.is('Connected');
    deaf = true;
    await ada.say('is anybody there?');
    await grace.sees('is anybody there?');
    await ada.page.locator('.pending').waitFor();
    deaf = false;
    await socket.close();
    await ada.isHeard();
    assert.deepEqual(await agree(ada, grace), ['is anybody there?']);
  });

  test('a long history loads page by page, also for a user who was away', async () => {
    const count = 1_100;
    const [ada, grace] = await stage.two();
    await grace.page.locator('#messages[aria-busy=false]').waitFor({ state: 'attached' });
    await grace.page.context().setOffline(true);
    await grace.is('Reconnecting');
    await ada.page.addScriptTag({ url: '/socket.io/socket.io.min.js' });
    await ada.page.evaluate(writeMany, { chat: ada.page.url().split('#')[1], count });
    await grace.page.context().setOffline(false);
    await grace.sees(`message ${count}`);
    const all = Array.from({ length: count }, (_, index) => `message ${index + 1}`);
    // Of many messages only those near the position are drawn; scrolling draws the others.
    assert.deepEqual(await grace.texts(), all.slice(-150));
    assert.deepEqual(await seenUpwards(grace), all);

    await grace.page.reload();
    await grace.sees(`message ${count}`);
    await grace.page.locator('.author', { hasText: 'Many' }).first().waitFor();
    assert.deepEqual(await grace.texts(), all.slice(-50));
    // A click would scroll to the button first, which loads a page by itself.
    await grace.page.getByRole('button', { name: 'Earlier messages' }).dispatchEvent('click');
    await grace.page.getByText(`message ${count - 99}`, { exact: true }).waitFor();
    assert.deepEqual(await grace.texts(), all.slice(-100));
    await seenUpwards(grace);
    await grace.page.getByRole('button', { name: 'Jump to latest' }).click();
    await grace.sees(`message ${count}`);
    assert.deepEqual(await grace.texts(), all.slice(-150));
  });

  test('changes of a message are shown, also to a user who was away', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('at noon');
    await grace.sees('at noon');
    const chat = ada.page.url().split('#')[1];
    await ada.page.addScriptTag({ url: '/socket.io/socket.io.min.js' });
    const edit = (text) => ada.page.evaluate(editLast, { chat, text });
    await edit('at one');
    await grace.sees('at one');
    await grace.page.context().setOffline(true);
    await grace.is('Reconnecting');
    await edit('at two');
    await edit(undefined);
    await grace.page.context().setOffline(false);
    await grace.sees('This message was deleted.');
    assert.deepEqual(await grace.texts(), ['This message was deleted.']);
  });

  test('errors are shown', async () => {
    const ada = await stage.arrive(`${stage.server.url}/#no-such-chat`);
    await ada.comeIn('A'.repeat(256));
    await ada.isTold(/name/);
    await ada.comeIn('Ada');
    await ada.isTold(/chat/);
    await ada.page.getByRole('button', { name: 'Dismiss' }).click();
    await ada.makeChat('x'.repeat(256));
    await ada.isTold(/255/);
    await ada.confirm('Cancel');
    await ada.makeChat('x'.repeat(255));
    await ada.heading('x'.repeat(255)).waitFor();
    await ada.page.locator('#toast:empty').waitFor({ state: 'attached' });
  });

  test('a user who leaves a chat gets no more of its messages', async () => {
    const [ada, grace] = await stage.two();
    await grace.leaveChat();
    await grace.page.getByText('Pick a chat, or start one').waitFor();
    await ada.say('unheard');
    await ada.isHeard();
    assert.equal(await grace.listed(/./).count(), 0);
    await ada.isWith(1);
    await grace.page.goto(ada.page.url());
    await grace.sees('unheard');
  });

  test('a public chat is discovered and joined', async () => {
    const [ada, grace] = [await stage.enter('Ada'), await stage.enter('Grace')];
    await grace.is('Connected');
    await grace.discover();
    await ada.makeChat('Secrets', 'Private');
    await ada.heading('Secrets').waitFor();
    await ada.makeChat('Engines');
    await grace.discovered('Engines').waitFor();
    assert.equal(await grace.discovered(/^Join/).count(), 1);
    await grace.page.getByRole('searchbox', { name: 'Search' }).fill('moths');
    await grace.page.getByText('No public chat begins with this.').waitFor();
    await grace.page.getByRole('searchbox', { name: 'Search' }).fill('eng');
    await grace.discovered('Engines').click();
    await grace.heading('Engines').waitFor();
    await grace.discovered(/^Open Engines/).waitFor();
    await grace.page.getByRole('searchbox', { name: 'Search' }).fill('');
    await grace.showChats();
    await grace.listed('Engines').waitFor();
    await ada.say('welcome');
    await grace.say('thank you');
    await ada.sees('thank you');
    assert.deepEqual((await agree(ada, grace)).sort(), ['thank you', 'welcome']);
  });

  test('a chat that is gone is discovered no more', async () => {
    const [ada, grace] = [await stage.enter('Ada'), await stage.enter('Grace')];
    await ada.makeChat('Engines');
    await ada.heading('Engines').waitFor();
    await grace.discover();
    await grace.discovered('Engines').waitFor();
    const actor = { id: await ada.id() };
    await ada.ask('update-chat', { actor, chat: { id: ada.chatId(), private: true } });
    // Nobody is told of it; a new chat makes the page ask for the list again.
    await ada.makeChat('Moths');
    await grace.discovered('Moths').waitFor();
    await grace.discovered('Engines').waitFor({ state: 'detached' });
  });

  test('the number of users in a room is shown', async () => {
    const [ada, grace] = await stage.two();
    await ada.isWith(2);
    await grace.isWith(2);
    await grace.makeChat('Moths');
    await grace.isWith(1);
    await ada.isWith(1);
    await grace.listed('Engines').click();
    await ada.isWith(2);
    await stage.server.kill();
    await ada.is('Reconnecting');
    await stage.server.restart();
    await Promise.all([ada.isWith(2), grace.isWith(2)]);
    await grace.page.close();
    await ada.isWith(1);
  });

  test('an invitation pops up and leads into a private room', async () => {
    const [ada, grace] = await stage.two();
    await ada.makeChat('Secrets', 'Private');
    await ada.heading('Secrets').waitFor();
    await ada.invite('Grace');
    await ada.isTold('Grace is invited');
    await grace.invitation('Secrets').waitFor();
    await ada.listed('Engines').click();
    await ada.isWith(2);
    await ada.say('Come and see what I have found.');
    await grace.sees('Come and see');
    await stage.screenshot('invitation', ada, grace);

    await grace.page.reload();
    await grace.invitation('Secrets').getByRole('button', { name: 'Accept' }).click();
    await grace.heading('Secrets').waitFor();
    assert.equal(await grace.invitation(/./).count(), 0);
    await grace.say('a moth?');
    await ada.listed('Secrets').filter({ hasText: '1 unread' }).click();
    await ada.heading('Secrets').waitFor();
    await ada.say('a moth!');
    assert.deepEqual(await agree(ada, grace), ['a moth?', 'a moth!']);
    // A member is not offered for an invitation.
    await ada.page.getByRole('button', { name: 'Invite', exact: true }).click();
    await ada.page.getByText('Type the beginning of a name or a handle.').waitFor();
  });

  test('an invitation is declined and can come again', async () => {
    const [ada, grace] = [await stage.enter('Ada'), await stage.enter('Grace')];
    await ada.makeChat('Secrets', 'Private');
    await ada.heading('Secrets').waitFor();
    await grace.is('Connected');
    for (const answer of ['Decline', 'Accept']) {
      await ada.invite('Grace');
      await ada.isTold('Grace is invited');
      const card = grace.invitation('Ada invites you');
      await card.getByRole('button', { name: answer }).click();
      await card.waitFor({ state: 'detached' });
    }
    await grace.heading('Secrets').waitFor();
    await ada.isWith(2);
  });

  test('a chat of a team has the team in it and nobody else', async () => {
    const [ada, grace] = [await stage.enter('Ada'), await stage.enter('Grace')];
    const linus = await stage.enter('Linus');
    await Promise.all([grace.is('Connected'), linus.is('Connected')]);
    await ada.fromMenu('Menu', 'Teams');
    await ada.page.getByLabel('New team').fill('Crew');
    await ada.page.getByRole('button', { name: 'Make' }).click();
    await ada.page.getByText('Crew (1)').waitFor();
    await ada.page.getByRole('button', { name: 'Add person to Crew' }).click();
    await ada.find('Grace');
    await ada.isTold('Grace is in Crew now.');
    await ada.makeChat('Engines', 'Public', 'Crew');
    await ada.heading('Engines').waitFor();
    await grace.listed('Engines').click();
    await grace.isWith(2);
    await (await grace.showDetails()).getByText('For the team Crew').waitFor();
    await ada.makeChat('Moths');
    await linus.discover();
    await linus.discovered('Moths').waitFor();
    assert.equal(await linus.discovered(/^Join/).count(), 1);
  });

  test('a chat is renamed, and a removed member does not see it any more', async () => {
    const [ada, grace] = await stage.two();
    const edit = { name: 'Edit name and description' };
    assert.equal(await (await grace.showDetails()).getByRole('button', edit).count(), 0);
    await (await ada.showDetails()).getByRole('button', edit).click();
    await ada.page.getByRole('dialog').getByLabel('Name').fill('Machines');
    await ada.page.getByRole('dialog').getByLabel('What it is about').fill('of every kind');
    await ada.confirm('Save');
    await Promise.all([ada.heading('Machines').waitFor(), grace.heading('Machines').waitFor()]);
    await grace.page.getByText('of every kind').first().waitFor();

    await ada.page.getByRole('button', { name: 'Actions for Grace' }).click();
    await ada.choose('Remove');
    await ada.confirm('Remove');
    await grace.isTold('You are no longer in “Machines”');
    await grace.listed(/./).waitFor({ state: 'detached' });
    await ada.isWith(1);
    await ada.hideDetails();
    await ada.say('unheard');
    await ada.isHeard();

    await grace.page.goto(ada.page.url());
    await grace.sees('unheard');
    const removal = {
      actor: { id: await ada.id() },
      chat: { id: ada.chatId() },
      user: { id: await grace.id() },
    };
    await grace.page.context().setOffline(true);
    await grace.is('Reconnecting');
    await ada.ask('remove-member', removal);
    await grace.page.context().setOffline(false);
    await grace.isTold('You are no longer in “Machines”');
    await grace.page.getByText('Pick a chat, or start one').waitFor();
  });
});

/** Scrolls up until no more messages come; returns all messages that were seen on the way. */
async function seenUpwards({ page }) {
  const all = await page.locator('.text').allTextContents();
  const history = page.getByLabel('Messages', { exact: true });
  while ((await page.locator('.text').first().textContent()) !== 'message 1') {
    const first = await page.locator('.text').first().textContent();
    await history.evaluate((element) => element.scrollTo(0, 0));
    const isOther = (first) => document.querySelector('.text').textContent !== first;
    await page.waitForFunction(isOther, first);
    const texts = await page.locator('.text').allTextContents();
    all.unshift(...texts.slice(0, texts.indexOf(first)));
  }
  return all;
}

/** Runs in the page: edits the chat's last message as its author does, or deletes it. */
async function editLast({ chat: id, text }) {
  const socket = globalThis.io({ forceNew: true });
  const chat = { id };
  const { messages } = await socket.emitWithAck('list-messages', { chat, query: { limit: 1 } });
  const actor = { id: messages[0].user_id };
  const message = { id: messages[0].id, value: text };
  const event = text === undefined ? 'delete-message' : 'edit-message';
  const answer = await socket.emitWithAck(event, { actor, chat, message });
  if (answer.error) throw answer.error;
  socket.disconnect();
}

/** Runs in the page: a third user, who sends with the client that the server serves. */
async function writeMany({ chat, count }) {
  const socket = globalThis.io({ forceNew: true });
  const user = { external_id: 'many', name: 'Many', photo: '' };
  await socket.emitWithAck('create-user', { user });
  await socket.emitWithAck('join-chat', { chat: { id: chat } });
  for (let sent = 0; sent < count;) {
    const answers = [];
    while (answers.length < 50 && sent < count) {
      const message = { value: `message ${++sent}`, type: 'text' };
      answers.push(socket.emitWithAck('new-message', { chat: { id: chat }, message }));
    }
    for (const answer of await Promise.all(answers)) if (answer.error) throw answer.error;
  }
  socket.disconnect();
}
