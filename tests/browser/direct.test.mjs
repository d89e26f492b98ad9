// Direct messages in the demo page.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';

const NAMES = ['Ada Lovelace', 'Grace Hopper'];

for (const access of ['token', 'open']) {
  describe(`direct messages with --access ${access}`, suite, () => {
    const stage = setStage('--access', access);

    test('somebody in a room is written to, and answers', async () => {
      const [ada, grace] = await stage.two(NAMES);
      await ada.writeTo('Grace Hopper');
      await ada.say('Just between us:', 'there is a moth in it.');
      const listed = grace.listed('Ada Lovelace');
      await listed.filter({ hasText: '2 unread' }).waitFor();
      assert.equal(await grace.page.title(), '(2) Chinwag');
      assert.equal(await grace.listed(/./).count(), 2);
      await stage.screenshot(`direct-${access}`, ada, grace);
      await listed.click();
      await grace.sees('there is a moth in it.');
      await listed.filter({ hasNotText: 'unread' }).waitFor();
      await grace.say('I know.');
      await ada.sees('I know.');
      assert.deepEqual(await ada.texts(), await grace.texts());

      await ada.listed('Engines').click();
      await ada.heading('Engines').waitFor();
      await grace.say('I have it here.');
      await ada.listed('Grace Hopper').filter({ hasText: '1 unread' }).click();
      await ada.sees('I have it here.');
      await ada.page.locator('#subtitle', { hasText: 'online' }).waitFor();

      await grace.page.reload();
      await grace.heading('Ada Lovelace').waitFor();
      await grace.sees('I have it here.');
      assert.equal(await grace.page.locator('.mine').count(), 2);
    });

    test('a direct chat stays as it is, and there is one for two people', async () => {
      const [ada, grace] = await stage.two(NAMES);
      await ada.writeTo('Grace Hopper');
      const address = ada.page.url();
      const pane = await ada.showDetails();
      for (const name of ['Invite people', 'Edit name', 'Copy link', 'Leave chat', 'Delete chat']) {
        assert.equal(await pane.getByRole('button', { name }).count(), 0, name);
      }
      assert.equal(await ada.page.getByRole('button', { name: 'Invite', exact: true }).count(), 0);
      await ada.hideDetails();
      await grace.listed('Ada Lovelace').waitFor();
      await grace.fromMenu('New', 'New message');
      await grace.find('Ada', 'Ada Lovelace');
      await grace.heading('Ada Lovelace').waitFor();
      assert.equal(grace.page.url(), address);
      await ada.listed('Engines').click();
      await ada.heading('Engines').waitFor();
      await ada.leaveChat();
      await ada.fromMenu('New', 'New message');
      await ada.find('Grace', 'Grace Hopper');
      await ada.heading('Grace Hopper').waitFor();
      assert.equal(ada.page.url(), address);
    });

    test('a user without common chats is found by name or handle', async () => {
      const [ada] = [await stage.enter('Ada Lovelace')];
      const grace = await stage.enter('Grace Hopper');
      await ada.fromMenu('New', 'New message');
      // Where a token is needed, users without a common chat are found only by the whole handle.
      await ada.find(access === 'token' ? '@grace' : 'grace h', 'Grace Hopper');
      await ada.heading('Grace Hopper').waitFor();
      await ada.say('hello');
      await grace.listed('Ada Lovelace').click();
      await grace.sees('hello');
    });

    test('the keyboard is enough to write to somebody, in a narrow window', async () => {
      const [ada] = await stage.two(NAMES, { viewport: { width: 390, height: 844 } });
      const press = async (name) => {
        await ada.page.getByRole('button', { name, exact: true }).focus();
        await ada.page.keyboard.press('Enter');
      };
      await press('Details');
      await press('Actions for Grace Hopper');
      await ada.page
        .getByRole('menuitem', { name: 'Write to them' })
        .and(ada.page.locator(':focus'))
        .waitFor();
      await ada.page.keyboard.press('Enter');
      await ada.heading('Grace Hopper').waitFor();
      await ada.page.keyboard.press('Escape');
      await ada.page.getByRole('link', { name: 'All chats' }).click();
      await ada.listed('Grace Hopper').waitFor();
    });
  });
}

describe('a server with limits', suite, () => {
  const stage = setStage('--messages-per-user', '2');

  test('a user who writes too fast is told when to go on', async () => {
    const ada = await stage.arrive();
    await ada.comeIn('Ada');
    await ada.makeChat('Engines');
    await ada.heading('Engines').waitFor();
    await ada.say('one', 'two', 'three');
    const failed = ada.page.locator('.failed', { hasText: 'That was a lot at once.' });
    await failed.filter({ hasText: /Try again in \d+ seconds?\./ }).waitFor();
  });
});
