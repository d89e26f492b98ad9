// The search over all messages in the demo page.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';

const field = ({ page }) => page.getByRole('searchbox', { name: 'Search' });
const results = ({ page }) =>
  page.getByRole('region', { name: 'Found in messages' }).getByRole('listitem');
const says = ({ page }, text) => page.getByRole('status').filter({ hasText: text }).waitFor();

/** A person in a chat with these messages. */
async function arrive(stage, ...texts) {
  const ada = await stage.arrive();
  await ada.comeIn('Ada');
  await ada.makeChat('Engines');
  await ada.heading('Engines').waitFor();
  const actor = { id: await ada.id() };
  const chat = { id: ada.chatId() };
  for (const value of texts) {
    await ada.ask('new-message', { actor, chat, message: { type: 'text', value } });
  }
  return ada;
}

/** Indexing takes a moment: types the text again until something is found. */
async function find(person, text) {
  while ((await results(person).count()) === 0) {
    await field(person).fill('');
    // Until the page has forgotten the last answer, which would be taken for the next one.
    await person.page.locator('#found-state[hidden]').waitFor({ state: 'attached' });
    await field(person).fill(text);
    await person.page
      .locator('#results li, #found-state:not([hidden]):not(:text("Searching"))')
      .first()
      .waitFor();
  }
}

describe('search in the demo page', suite, () => {
  const stage = setStage();

  test('a message is found in all chats, and the chat opens at its place', async () => {
    const lines = Array.from({ length: 300 }, (_, index) => `line ${index}`);
    const ada = await arrive(stage, '<b>Café</b> ‘Moths’ opens', ...lines);
    await ada.makeChat('Others');
    await ada.heading('Others').waitFor();
    await find(ada, 'cafe mot');
    const found = results(ada).filter({ hasText: 'Engines' }).filter({ hasText: 'You: ' });
    assert.deepEqual(await found.locator('mark').allTextContents(), ['Café', 'Moths']);
    assert.equal(await found.locator('b').count(), 0);
    await ada.isLedTo('Moths', () => found.getByRole('button').click());
    await ada.heading('Engines').waitFor();
    // Then with only the latest messages loaded.
    await field(ada).press('Escape');
    await ada.listed('Others').click();
    await ada.heading('Others').waitFor();
    await ada.page.reload();
    await ada.is('Connected');
    await find(ada, 'cafe mot');
    await ada.isLedTo('Moths', () => found.getByRole('button').click());
    assert.equal((await ada.texts()).includes('line 299'), false);
    // From there one can scroll down to the latest messages.
    const history = ada.page.getByLabel('Messages', { exact: true });
    await history.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await ada.page.locator('.text', { hasText: 'line 60' }).first().waitFor();
    await ada.page.getByRole('button', { name: 'Jump to latest' }).click();
    await ada.sees('line 299');
    await ada.say('the end');
    await ada.isHeard();
    await ada.sees('the end');
    await field(ada).press('Escape');
    await results(ada).first().waitFor({ state: 'hidden' });
    assert.equal(await field(ada).inputValue(), '');
    await ada.listed('Others').waitFor();
  });

  test('more is found than is shown at first', async () => {
    const texts = Array.from({ length: 25 }, (_, index) => `moth ${index}`);
    const ada = await arrive(stage, ...texts);
    await find(ada, texts.at(-1));
    await field(ada).fill('moth');
    await results(ada).nth(19).waitFor();
    await ada.page.getByRole('button', { name: 'Earlier results' }).click();
    await results(ada).nth(24).waitFor();
    await ada.page.getByRole('button', { name: 'Earlier results' }).waitFor({ state: 'hidden' });
    await field(ada).fill('butterfly');
    await says(ada, 'No message has these words.');
    await field(ada).fill('?');
    await says(ada, 'No message has these words.');
  });
});

describe('a server without search', suite, () => {
  const stage = setStage('--search', 'off');

  test('the page says that there is no search', async () => {
    const ada = await arrive(stage, 'moth');
    await field(ada).fill('moth');
    await says(ada, 'Messages cannot be searched on this server.');
  });
});
