// What axe finds wrong in each view of the demo page, for people who cannot see it or not well.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';

import { picture } from './picture.mjs';
import { setStage, suite } from './stage.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SIZES = [
  [390, 844],
  [768, 1024],
  [1440, 900],
];

describe('accessibility of the demo page', suite, () => {
  const stage = setStage();

  /** Checks the view in light and in dark colours. */
  async function isClean({ page }, view) {
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
      assert.deepEqual(found, [], `${view}, ${colorScheme}`);
    }
  }

  for (const [width, height] of SIZES) {
    test(`nothing is found in any view at ${width} pixels`, async () => {
      const ada = await stage.arrive(stage.server.url, { viewport: { width, height } });
      const { page } = ada;
      await page.getByLabel('Your name').waitFor();
      await isClean(ada, 'welcome');
      await page.getByRole('button', { name: 'Make an account' }).click();
      await page.getByText('More about you').click();
      await isClean(ada, 'sign up');
      await page.getByRole('button', { name: 'Come in with a name alone' }).click();
      await ada.comeIn('Ada');
      await ada.is('Connected');
      await isClean(ada, 'no chats');
      await ada.makeChat('Engines');
      await ada.heading('Engines').waitFor();
      const grace = await stage.arrive(page.url());
      await grace.comeIn('Grace');
      await grace.say('See **this**: https://example.com', '`code`');
      await ada.sees('code');
      await ada.say('Thank you, @Grace');
      await ada.isHeard();
      await ada.act('See', 'Reply');
      await ada.say('Yes');
      await ada.isHeard();
      await ada.act('See', 'React');
      await isClean(ada, 'reactions');
      await page.getByRole('group', { name: 'Reactions' }).getByRole('button').first().click();
      await page.locator('.reaction').waitFor();
      await isClean(ada, 'conversation');
      const photo = { name: 'moth.png', mimeType: 'image/png', buffer: picture(80, 60) };
      const notes = { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('It runs.') };
      const nothing = { ...notes, name: 'nothing.txt', buffer: Buffer.alloc(0) };
      await page.locator('#files').setInputFiles([photo, notes, nothing]);
      await page.getByRole('button', { name: 'Remove nothing.txt' }).waitFor();
      await page.locator('.attachment .preview', { hasText: 'must not be empty' }).waitFor();
      await page.getByRole('button', { name: 'Remove moth.png' }).waitFor();
      await page.getByRole('button', { name: 'Remove notes.txt' }).waitFor();
      await isClean(ada, 'files to send');
      await page.getByRole('button', { name: 'Remove nothing.txt' }).click();
      await page.getByRole('button', { name: 'Send', exact: true }).click();
      await ada.isHeard();
      await ada.message('notes.txt').getByRole('link').waitFor();
      await isClean(ada, 'files');
      const pane = await ada.showDetails();
      await pane.getByRole('button', { name: 'Actions for Grace' }).click();
      await isClean(ada, 'details and a menu');
      await page.keyboard.press('Escape');
      await ada.hideDetails();
      await page.getByRole('button', { name: 'Under the hood' }).click();
      await page.locator('.event').first().click();
      await isClean(ada, 'under the hood');
      await page.getByRole('button', { name: 'Four doors' }).click();
      await isClean(ada, 'four doors, two of them shut');
      await page.getByRole('button', { name: 'Take a handle' }).first().click();
      await page.getByRole('dialog').getByLabel('Handle').fill('ada');
      await ada.confirm('Save');
      await page.getByRole('button', { name: 'Open #ada-doors' }).click();
      await page.getByLabel('Frames of WebSocket').getByLabel('received').first().waitFor();
      await isClean(ada, 'four doors');
      await page.getByRole('button', { name: 'Close', exact: true }).click();
      await page.evaluate(() => (location.hash = ''));
      await ada.listed('Engines').waitFor();
      await isClean(ada, 'list');
      await page.getByRole('searchbox', { name: 'Search' }).fill('this');
      await page.locator('#results mark').waitFor();
      await isClean(ada, 'search');
      await page.getByRole('searchbox', { name: 'Search' }).fill('nowhere');
      await page.getByText('No message has these words.').waitFor();
      await isClean(ada, 'search without results');
      await page.getByRole('searchbox', { name: 'Search' }).fill('');
      await ada.discover();
      await page.getByRole('button', { name: 'Open Engines' }).waitFor();
      await isClean(ada, 'discover');
      for (const item of ['New chat', 'New message']) {
        await ada.fromMenu('New', item);
        await page.getByRole('dialog').waitFor();
        await isClean(ada, item);
        await ada.confirm('Cancel');
      }
    });

    test(`nothing is found where people are kept apart at ${width} pixels`, async () => {
      const ada = await stage.arrive(stage.server.url, { viewport: { width, height } });
      const { page } = ada;
      await ada.comeIn('Ada');
      await ada.makeChat('Engines');
      await ada.heading('Engines').waitFor();
      const grace = await stage.arrive(page.url(), { viewport: { width, height } });
      await grace.comeIn('Grace');
      await grace.say('Buy moths!');
      await ada.act('Buy moths!', 'Report');
      await page.getByRole('dialog').waitFor();
      await isClean(ada, 'report');
      await ada.confirm('Cancel');
      await ada.act('Buy moths!', 'Block');
      await page.getByRole('dialog').waitFor();
      await isClean(ada, 'block');
      await ada.confirm('Block');
      await ada.sees('You have blocked Grace.');
      await isClean(ada, 'a folded message');
      await page.getByRole('button', { name: 'Dismiss' }).click();
      const pane = await ada.showDetails();
      await pane.getByRole('button', { name: 'Change rules' }).click();
      const form = page.getByRole('dialog', { name: 'Rules of the chat' });
      await isClean(ada, 'rules');
      await form.getByLabel('Slow mode').selectOption('300');
      await form.getByLabel('New members see').selectOption('since-joining');
      await form.getByLabel('Messages are kept').selectOption('30');
      await ada.confirm('Save');
      const question = page.getByRole('dialog', { name: 'Delete older messages?' });
      await question.waitFor();
      await isClean(ada, 'a question over a dialog');
      await question.getByRole('button', { name: 'Delete them' }).click();
      await pane.getByText('Messages are deleted after 30 days').waitFor();
      await isClean(ada, 'details with rules');
      await grace.say('Cheap moths!');
      await grace.page.getByText(/^You can write in/).waitFor();
      await isClean(grace, 'a slow chat');
      const chat = { id: ada.chatId() };
      const actor = { id: await ada.id() };
      await ada.ask('update-chat', { actor, chat: { ...chat, frozen: true } });
      await grace.page.getByText('Only moderators may write here now.').waitFor();
      await isClean(grace, 'a frozen chat');
      await ada.hideDetails();
      await page.evaluate(() => (location.hash = ''));
      await ada.fromMenu('Menu', 'Blocked people');
      await page.getByRole('button', { name: 'Unblock Grace' }).waitFor();
      await isClean(ada, 'blocked people');
    });
  }
});
