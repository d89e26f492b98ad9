// What separates users in the demo page: blocks, reports, and the rules of a chat.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';

describe('blocks, reports and rules', suite, () => {
  const stage = setStage();

  /**
   * Changes the rules of the open chat; `values` has the values by the labels of their fields.
   * `meanwhile` runs while the dialog is open.
   */
  async function setRules(person, values, meanwhile = async () => {}) {
    const pane = await person.showDetails();
    await pane.getByRole('button', { name: 'Change rules' }).click();
    const form = person.page.getByRole('dialog');
    await meanwhile();
    for (const [label, value] of Object.entries(values))
      await form.getByLabel(label, { exact: true }).selectOption(value);
    await person.confirm('Save');
  }

  const composer = ({ page }) => page.getByLabel('Message', { exact: true });
  const hold = ({ page }) => page.locator('#hold');

  test('somebody is blocked, what they say is folded away, and they are unblocked', async () => {
    const [ada, grace] = await stage.two();
    await grace.say('Buy moths!');
    await ada.sees('Buy moths!');
    const pane = await ada.showDetails();
    await pane.getByRole('button', { name: 'Actions for Grace' }).click();
    await ada.choose('Block');
    await ada.confirm('Cancel');
    await ada.sees('Buy moths!');
    await pane.getByRole('button', { name: 'Actions for Grace' }).click();
    await ada.choose('Block');
    await ada.confirm('Block');
    await ada.isTold('Grace is blocked.');
    await ada.sees('You have blocked Grace.');
    await pane.getByText('blocked').waitFor();
    await grace.say('Cheap moths!');
    await ada.page.getByText('You have blocked Grace.').nth(1).waitFor();
    assert.equal((await ada.texts()).join().includes('moths'), false);
    await ada.listed('Engines').filter({ hasText: 'somebody you have blocked' }).waitFor();
    await ada.hideDetails();
    await ada.page.locator('#filter').fill('moths');
    const results = ada.page.locator('#results');
    await results.getByText('Message of somebody you have blocked').first().waitFor();
    await ada.page.locator('#filter').fill('');
    await ada.page.reload();
    await ada.page.getByText('You have blocked Grace.').nth(1).waitFor();
    await ada.page.getByRole('button', { name: 'Show it' }).first().click();
    await ada.sees('Buy moths!');
    await ada.fromMenu('Menu', 'Blocked people');
    await ada.page.getByRole('button', { name: 'Unblock Grace' }).click();
    await ada.page.getByText('You have blocked nobody.').waitFor();
    await ada.confirm('Close');
    await ada.sees('Cheap moths!');
  });

  test('only the blocker is told that a direct chat is blocked', async () => {
    const [ada, grace] = await stage.two();
    await grace.writeTo('Ada');
    await grace.say('Hello');
    await ada.listed('Grace').click();
    const pane = await ada.showDetails();
    await pane.getByRole('button', { name: 'Block Grace' }).click();
    await ada.confirm('Block');
    await ada.hideDetails();
    await hold(ada).getByText('You have blocked Grace. They cannot answer you.').waitFor();
    await ada.sees('Hello');
    assert.equal(await hold(grace).isVisible(), false);
    await grace.say('Are you there?');
    await grace.page.locator('.message.failed').waitFor();
    await hold(ada).getByRole('button', { name: 'Unblock' }).click();
    await hold(ada).waitFor({ state: 'hidden' });
    await ada.page.locator('#text:focus').waitFor();
    await grace.page.getByRole('button', { name: 'Try again' }).click();
    await ada.sees('Are you there?');
  });

  test('a message is reported, again if it did not get through', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('Buy moths!');
    await grace.sees('Buy moths!');
    await grace.act('Buy moths!', 'Report');
    const form = grace.page.getByRole('dialog', { name: 'Report message' });
    await form.getByText('Buy moths!').waitFor();
    await grace.confirm('Report');
    assert.equal(await form.locator('select:invalid').count(), 1);
    await form.getByLabel('What is wrong with it').selectOption('Spam');
    await form.getByLabel('More about it').fill('There are no moths.');
    await form.getByLabel('Block Ada, too').check();
    await stage.server.kill();
    await grace.is('Reconnecting');
    await grace.confirm('Report');
    await form.getByRole('alert').filter({ hasText: 'There is no connection' }).waitFor();
    await stage.server.restart();
    await grace.is('Connected');
    await grace.confirm('Report');
    await grace.isTold('The report was sent. Thank you.');
    await form.waitFor({ state: 'detached' });
    await grace.sees('You have blocked Ada.');
    assert.equal(await grace.page.getByRole('menuitem').count(), 0);
    await grace.page.getByRole('button', { name: 'Under the hood' }).click();
    await grace.page.getByRole('button', { name: 'report-message' }).last().click();
    await grace.page.getByText('"Spam: There are no moths."').first().waitFor();
  });

  test('a dialog that was closed too early says what went wrong after it', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('Buy moths!');
    await grace.sees('Buy moths!');
    // The report is held back. That is possible with polling, but not with a WebSocket.
    await grace.page.routeWebSocket(/socket\.io/, (socket) => socket.close());
    await grace.page.route(/socket\.io/, async (route) => {
      if (!route.request().postData()?.includes('report-message')) await route.continue();
    });
    await grace.page.reload();
    await grace.act('Buy moths!', 'Report');
    const form = grace.page.getByRole('dialog', { name: 'Report message' });
    await form.getByLabel('What is wrong with it').selectOption('Spam');
    await grace.confirm('Report');
    await grace.page.keyboard.press('Escape');
    await form.waitFor({ state: 'detached' });
    await grace.page.getByRole('button', { name: 'Under the hood' }).click();
    await grace.page.getByLabel('Cut the connection').check();
    await grace.isTold('The connection was lost before the server answered.');
  });

  test('a slow chat says when one can write again', async () => {
    const [ada, grace] = await stage.two();
    await setRules(ada, { 'Slow mode': '30' });
    const line = 'Slow mode: one message every 30 seconds';
    await hold(grace).getByText(line).waitFor();
    await grace.say('first', 'second');
    await hold(grace)
      .getByText(/^You can write in 0:\d\d$/)
      .waitFor();
    await grace.isHeard();
    assert.equal(await composer(grace).inputValue(), 'second');
    assert.equal(await grace.page.getByRole('button', { name: 'Send' }).isEnabled(), false);
    await grace.page.reload();
    await hold(grace)
      .getByText(/^You can write in 0:\d\d$/)
      .waitFor();
    assert.equal(await hold(ada).isVisible(), false);
    await setRules(ada, { 'Slow mode': '5' });
    await hold(grace)
      .getByText(/^You can write in/)
      .waitFor({ state: 'hidden' });
    await grace.say('third');
    await ada.sees('third');
    assert.deepEqual(await ada.texts(), ['first', 'third']);
    await (await grace.showDetails()).getByText('one message every 5 seconds').waitFor();
    await setRules(ada, { 'Slow mode': '0' });
    await hold(grace).waitFor({ state: 'hidden' });
  });

  test('in a frozen chat moderators alone write, and the composer says so', async () => {
    const [ada, grace] = await stage.two();
    await ada.say('Do you hear me?');
    await grace.act('Do you hear me?', 'Reply');
    const answered = grace.page.getByText('Reply to Ada');
    await answered.waitFor();
    await composer(grace).fill('half a thought');
    await setRules(ada, { 'Who may write': 'on' });
    await hold(grace).getByText('Only moderators may write here now.').waitFor();
    await composer(grace).waitFor({ state: 'hidden' });
    await ada.say('Listen.');
    await grace.sees('Listen.');
    await answered.waitFor({ state: 'hidden' });
    assert.equal(await grace.page.locator('.tools [aria-label="Reply"]').count(), 0);
    await setRules(ada, { 'Who may write': '' });
    await composer(grace).waitFor();
    await composer(grace).press('Enter');
    await ada.sees('half a thought');
  });

  test('a muted member sees for how long', async () => {
    const [ada, grace] = await stage.two();
    const [actor, user] = [{ id: await ada.id() }, { id: await grace.id() }];
    const mute = (until) =>
      ada.ask('mute-member', { actor, chat: { id: ada.chatId() }, user, until });
    await mute();
    await hold(grace).getByText('A moderator has muted you here.').waitFor();
    await composer(grace).waitFor({ state: 'hidden' });
    const day = 24 * 60 * 60_000;
    await mute(new Date(Date.now() + day).toISOString());
    await hold(grace)
      .getByText(/^You can write after \d.*, \d\d:\d\d$/)
      .waitFor();
    await mute(new Date(Date.now() + 90_000).toISOString());
    await hold(grace)
      .getByText(/You can write in 1:\d\d/)
      .waitFor();
    await mute(new Date(Date.now() + 1_500).toISOString());
    await composer(grace).waitFor();
    await (await ada.showDetails()).getByRole('button', { name: 'Actions for Grace' }).click();
    await ada.choose('Keep from writing');
    await hold(grace).getByText('A moderator has muted you here.').waitFor();
  });

  test('the owner sets what is kept, and what new members see; a moderator the rest', async () => {
    const [ada, grace] = await stage.two();
    const rules = { 'New members see': 'since-joining', 'Messages are kept': '30' };
    await setRules(ada, rules);
    const question = ada.page.getByRole('dialog', { name: 'Delete older messages?' });
    await question.getByRole('button', { name: 'Cancel' }).click();
    await ada.page.getByRole('alert').filter({ hasText: 'Nothing has been changed.' }).waitFor();
    await ada.confirm('Save');
    await question.getByRole('button', { name: 'Delete them' }).click();
    const seen = await grace.showDetails();
    await seen.getByText('Messages are deleted after 30 days').waitFor();
    await seen.getByText('Members see only what is said after they join').waitFor();
    assert.equal(await seen.getByRole('button', { name: 'Change rules' }).count(), 0);
    const pane = await ada.showDetails();
    await pane.getByRole('button', { name: 'Actions for Grace' }).click();
    await ada.choose('Make a moderator');
    const [actor, chat] = [{ id: await ada.id() }, { id: ada.chatId(), frozen: true }];
    await setRules(grace, { 'New members see': 'all', 'Slow mode': '10' }, async () => {
      await ada.ask('update-chat', { actor, chat });
      await seen.getByText('Only moderators may write').waitFor();
    });
    await pane.getByText('one message every 10 seconds').waitFor();
    await pane.getByText('Only moderators may write').waitFor();
    await pane.getByText('Members see').waitFor({ state: 'hidden' });
    await grace.page.reload();
    await grace.showDetails();
    await seen.getByText('Messages are deleted after 30 days').waitFor();
    await seen.getByText('Members see').waitFor({ state: 'hidden' });
  });
});
