// What a user can do with messages and chats in the demo page.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';

describe('messages in the demo page', suite, () => {
  const stage = setStage();

  test('a message is answered, and the quotation leads to it', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('Does the engine run?');
    await grace.sees('Does the engine run?');
    await grace.act('Does the engine run?', 'Reply');
    await grace.page.getByText('Reply to Ada').waitFor();
    await grace.page
      .getByLabel('Message', { exact: true })
      .and(grace.page.locator(':focus'))
      .waitFor();
    await grace.say('It does.');
    const quoted = ada.message('It does.').getByRole('button', { name: 'In reply to Ada' });
    await ada.isLedTo('Does the engine run?', () => quoted.click());
    await grace.act('Does the engine run?', 'Reply');
    await grace.page.keyboard.press('Escape');
    await grace.page.locator('#about').waitFor({ state: 'hidden' });
  });

  test('a message is reacted to, and the reaction taken back', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('It runs.');
    await grace.sees('It runs.');
    await grace.act('It runs.', 'React');
    await grace.page
      .getByRole('group', { name: 'Reactions' })
      .getByRole('button', { name: '🎉' })
      .click();
    await ada.message('It runs.').getByRole('button', { name: '🎉 1: Grace' }).click();
    await grace.message('It runs.').getByRole('button', { name: /^🎉 2/ }).click();
    await ada.message('It runs.').getByRole('button', { name: '🎉 1: you' }).waitFor();
  });

  test('a user edits and deletes their own messages', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('at noom');
    await ada.sees('at noom');
    await ada.isHeard();
    await ada.page.getByLabel('Message', { exact: true }).press('ArrowUp');
    await ada.page.getByText('Edit message').waitFor();
    await ada.say('at noon');
    await grace.message('at noon').getByText('edited').waitFor();
    await ada.act('at noon', 'Delete');
    await ada.confirm('Cancel');
    await ada.sees('at noon');
    await ada.act('at noon', 'Delete');
    await ada.confirm('Delete');
    await grace.sees('This message was deleted.');
    assert.deepEqual(await grace.texts(), ['This message was deleted.']);
    await ada.listed('Engines').filter({ hasText: 'Message deleted' }).waitFor();
  });

  test('a name is completed, and the mentioned user sees it in the list', async () => {
    const [ada, grace] = await stage.two();
    await grace.makeChat('Moths');
    await grace.heading('Moths').waitFor();
    const field = ada.page.getByLabel('Message', { exact: true });
    await field.pressSequentially('Look, @gr');
    await ada.page.getByRole('option', { name: 'Grace' }).waitFor();
    await field.press('Enter');
    assert.equal(await field.inputValue(), 'Look, @Grace ');
    await field.pressSequentially('it moves');
    await field.press('Enter');
    await ada.page.locator('.mention', { hasText: '@Grace' }).waitFor();
    await grace.listed('Engines').filter({ hasText: '1 mention you' }).click();
    await grace.page.locator('.mention', { hasText: '@Grace' }).waitFor();
    await grace.listed('Engines').filter({ hasNotText: 'mention you' }).waitFor();
  });

  test('a message is pinned, and found among the details', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('The key is under the mat.', 'Tell nobody.');
    await grace.sees('Tell nobody.');
    await ada.act('The key', 'Pin');
    const pane = await grace.showDetails();
    const pinned = pane.getByRole('button', { name: 'The key is under the mat.' });
    await grace.isLedTo('The key', () => pinned.click());
    await grace.message('The key').hover();
    await grace.message('The key').getByRole('button', { name: 'More actions' }).click();
    await grace.page.getByRole('menuitem', { name: 'Copy text' }).waitFor();
    assert.equal(await grace.page.getByRole('menuitem', { name: 'Pin' }).count(), 0);
  });

  test('typing users and readers are shown', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('Are you there?');
    await ada.message('Are you there?').getByText('Read by Grace').waitFor({ state: 'attached' });
    await grace.page.getByLabel('Message', { exact: true }).pressSequentially('Yes');
    await ada.page.getByRole('status').filter({ hasText: 'Grace is typing…' }).waitFor();
    await grace.page.keyboard.press('Enter');
    await ada.sees('Yes');
    await ada.page
      .getByRole('status')
      .filter({ hasText: 'is typing' })
      .waitFor({ state: 'hidden' });
  });

  test('new messages are counted while the user reads further up', async () => {
    const [ada, grace] = await stage.two();
    await ada.say(...Array.from({ length: 30 }, (_, index) => `line ${index}`));
    await ada.isHeard();
    await grace.sees('line 29');
    const history = grace.page.getByLabel('Messages', { exact: true });
    await history.evaluate((element) => element.scrollTo(0, 0));
    await grace.page.getByRole('button', { name: 'Jump to latest' }).waitFor();
    await ada.say('one', 'two');
    await grace.page.getByRole('button', { name: '2 new messages' }).waitFor();
    await grace.listed('Engines').filter({ hasText: '2 unread' }).waitFor();
    await grace.page.getByRole('button', { name: '2 new messages' }).click();
    await grace.page.locator('#latest').waitFor({ state: 'hidden' });
    await grace.listed('Engines').filter({ hasNotText: 'unread' }).waitFor();
  });

  test('the first new message is marked, and messages can be marked as unread', async () => {
    const [ada, grace] = await stage.two();
    await grace.makeChat('Moths');
    await grace.heading('Moths').waitFor();
    await ada.say('old news', 'newer news');
    await grace.listed('Engines').filter({ hasText: '2 unread' }).click();
    await grace.page.getByText('New messages', { exact: true }).waitFor();
    await grace.listed('Engines').filter({ hasNotText: 'unread' }).waitFor();
    await grace.act('newer news', 'Mark as unread');
    await grace.listed('Engines').filter({ hasText: '1 unread' }).waitFor();
  });

  test('links, code and bold are shown, and a long text is folded', async () => {
    const [ada] = await stage.two();
    await ada.say('See https://example.com/a, `run` and **this**');
    const said = ada.message('See').locator('.text');
    assert.equal(await said.getByRole('link').getAttribute('href'), 'https://example.com/a');
    assert.equal(await said.locator('code').textContent(), 'run');
    assert.equal(await said.locator('strong').textContent(), 'this');
    const long = 'word '.repeat(400).trim();
    await ada.say(long);
    await ada.page.getByRole('button', { name: 'Show all of it' }).click();
    await ada.page.getByRole('button', { name: 'Show less' }).waitFor();
    assert.equal((await ada.texts()).at(-1), long);
  });

  test('the connection can be cut, and the code of each action copied', async () => {
    const options = { permissions: ['clipboard-read', 'clipboard-write'] };
    const ada = await stage.enter('Ada', stage.server.url, options);
    await ada.makeChat('Engines');
    await ada.heading('Engines').waitFor();
    await ada.page.getByRole('button', { name: 'Under the hood' }).click();
    await ada.page.getByLabel('Cut the connection').check();
    await ada.is('Cut off');
    await ada.say('unwise', 'from a tunnel');
    const waiting = ada.page.locator('.message.pending').filter({ hasText: 'Waiting…' });
    await waiting.nth(1).waitFor();
    await waiting.first().hover();
    await waiting.first().getByRole('button', { name: 'More actions' }).click();
    await ada.page.getByRole('menuitem', { name: 'Discard' }).click();
    await waiting.filter({ hasText: 'unwise' }).waitFor({ state: 'detached' });
    await ada.page.getByLabel('Cut the connection').uncheck();
    await ada.is('Connected');
    await ada.isHeard();
    await ada.page.getByRole('heading', { name: 'Latest action: new-message' }).waitFor();
    await ada.page.getByRole('button', { name: 'Copy curl' }).click();
    await ada.isTold('The code is copied.');
    const code = await ada.page.evaluate(() => navigator.clipboard.readText());
    const body = JSON.parse(code.match(/-d '(.*)'$/s)[1]);
    const { msg } = await ada.ask('new-message', body);
    assert.equal(msg, 'from a tunnel');
    assert.deepEqual(await ada.texts(), ['from a tunnel']);
  });

  test('a chat is muted, pinned and archived for oneself', async () => {
    const [ada, grace] = await stage.two();
    const pane = await grace.showDetails();
    for (const name of ['Mute', 'Pin to the top', 'Archive']) {
      await pane.getByRole('switch', { name }).click();
      await pane.getByRole('switch', { name, checked: true }).waitFor();
    }
    await grace.listed('Engines').waitFor({ state: 'detached' });
    await grace.page.getByRole('button', { name: 'Archived' }).click();
    await grace.listed('Engines').filter({ hasText: 'Muted' }).waitFor();
    await grace.page.reload();
    await grace.is('Connected');
    assert.equal(await grace.listed('Engines').count(), 0);
    await ada.say('back again');
    await grace.listed('Engines').filter({ hasText: 'Pinned' }).waitFor();
  });

  test('a moderator is made, and the chat deleted', async () => {
    const [ada, grace] = await stage.two();
    const pane = await ada.showDetails();
    await pane.getByRole('button', { name: 'Actions for Grace' }).click();
    await ada.choose('Make a moderator');
    await (await grace.showDetails()).getByRole('button', { name: 'Edit name' }).waitFor();
    await pane.getByText('moderator').waitFor();
    await pane.getByRole('button', { name: 'Delete chat' }).click();
    await ada.confirm('Delete');
    await grace.isTold('You are no longer in “Engines”');
    await ada.page.getByText('Pick a chat, or start one').waitFor();
    assert.equal(await ada.listed(/./).count(), 0);
  });

  test('a user changes their name and handle, and is found by it', async () => {
    const [ada, grace] = await stage.two();
    await ada.fromMenu('Menu', 'Edit profile');
    const form = ada.page.getByRole('dialog');
    await form.getByLabel('Name').fill('Countess Ada');
    await form.getByLabel('Handle').fill('countess');
    await ada.confirm('Save');
    await ada.isIn('Countess Ada');
    await (await grace.showDetails()).getByText('Countess Ada').waitFor();
    await ada.page.reload();
    await ada.isIn('Countess Ada');
    await grace.hideDetails();
    await grace.fromMenu('New', 'New message');
    await grace.find('@countess', 'Countess Ada');
    await grace.heading('Countess Ada').waitFor();
  });

  test('a refused message can be sent again or given up', async () => {
    const [ada, grace] = await stage.two();
    const owner = { id: await ada.id() };
    const chat = { id: ada.chatId() };
    const user = { id: await grace.id() };
    // While her connection is cut, so that she is not told of it.
    await grace.fromMenu('Menu', 'Under the hood');
    await grace.page.getByLabel('Cut the connection').check();
    await grace.is('Cut off');
    await ada.ask('mute-member', { actor: owner, chat, user });
    await grace.say('first', 'second');
    await grace.page.getByLabel('Cut the connection').uncheck();
    const failed = grace.page.locator('.message.failed');
    await failed.nth(1).waitFor();
    await failed.last().getByRole('button', { name: 'Discard' }).click();
    await grace.page.reload();
    await failed.filter({ hasText: 'first' }).waitFor();
    await ada.ask('unmute-member', { actor: owner, chat, user });
    await failed.getByRole('button', { name: 'Try again' }).click();
    await ada.sees('first');
    assert.deepEqual(await ada.texts(), ['first']);
  });

  test('a chat that loads slowly does not take the focus from another field', async () => {
    const [ada] = await stage.two();
    const { page } = ada;
    await ada.makeChat('Moths');
    await page.locator('#text:focus').waitFor();
    // Requests are held back. That is possible with polling, but not with a WebSocket.
    let letGo;
    let mayGo = Promise.resolve();
    await page.routeWebSocket(/socket\.io/, (socket) => socket.close());
    await page.route(/socket\.io/, async (route) => {
      if (route.request().method() === 'POST') await mayGo;
      await route.continue();
    });
    await page.reload();
    await ada.isWith(1);
    mayGo = new Promise((resolve) => (letGo = resolve));
    await ada.listed('Engines').click();
    await ada.heading('Engines').waitFor();
    const field = page.getByRole('searchbox', { name: 'Search' });
    await field.click();
    letGo();
    await ada.isWith(2);
    await page.locator('#messages[aria-busy=false]').waitFor({ state: 'attached' });
    await ada.isHeard();
    await page.keyboard.type('moth');
    assert.equal(await field.inputValue(), 'moth');
  });

  test('a click is not lost if its control is drawn anew at the same time', async () => {
    const [ada] = await stage.two();
    const pane = await ada.showDetails();
    await pane.getByRole('button', { name: 'Actions for Grace' }).hover();
    await ada.page.mouse.down();
    await ada.page.evaluate(drawDetails);
    await ada.page.mouse.up();
    await ada.choose('Write to them');
    await ada.heading('Grace').waitFor();
  });

  test('the keyboard is enough to act on a message', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('first', 'last');
    await grace.sees('last');
    await grace.page.getByLabel('Messages', { exact: true }).focus();
    await grace.page.keyboard.press('ArrowUp');
    await grace.page.keyboard.press('ArrowUp');
    await grace.page.locator('.message:focus', { hasText: 'first' }).waitFor();
    await grace.page.keyboard.press('Tab');
    await grace.page
      .getByRole('button', { name: 'React' })
      .and(grace.page.locator(':focus'))
      .waitFor();
    await grace.page.keyboard.press('Enter');
    await grace.page.keyboard.press('Enter');
    await ada.message('first').getByRole('button', { name: '👍 1: Grace' }).waitFor();
  });
});

/** Runs in the page: has it draw the details anew, and gives it time for that. */
async function drawDetails() {
  delete document.getElementById('details-content').dataset.drawn;
  document.dispatchEvent(new Event('visibilitychange'));
  await new Promise((resolve) => setTimeout(resolve, 100));
}
