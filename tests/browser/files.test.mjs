// Files in the demo page: chosen, pasted or dropped, uploaded, sent and shown.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';
import { picture } from './picture.mjs';

const PHOTO = { name: 'engine.png', mimeType: 'image/png', buffer: picture(704, 512) };
const NOTES = { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('It runs.\n') };

/** Chooses files by the composer's control for that. */
async function choose({ page }, ...files) {
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach files' }).click();
  await (await chooser).setFiles(files);
}

/** Pastes or drops a file with the event that a browser would send. */
async function give({ page }, event, { name, mimeType, buffer }) {
  await page.evaluate(
    ([event, name, type, bytes]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(bytes)], name, { type }));
      const about = { bubbles: true, cancelable: true, clipboardData: data, dataTransfer: data };
      const Kind = event === 'paste' ? ClipboardEvent : DragEvent;
      document.getElementById('text').dispatchEvent(new Kind(event, about));
    },
    [event, name, mimeType, [...buffer]],
  );
}

const tray = ({ page }) => page.getByRole('list', { name: 'Attached files' });
/** Waits until this file can be sent. */
const isUploaded = (person, { name }) =>
  tray(person)
    .getByRole('button', { name: `Remove ${name}` })
    .waitFor();
const send = ({ page }) => page.getByRole('button', { name: 'Send', exact: true }).click();

const NAMES = ['Ada Lovelace', 'Grace Hopper'];

for (const access of ['open', 'token']) {
  describe(`files with --access ${access}`, suite, () => {
    const stage = setStage('--access', access);

    test('a picture is chosen, sent with a text, and opened', async () => {
      const [ada, grace] = await stage.two(NAMES);
      await choose(ada, PHOTO);
      await isUploaded(ada, PHOTO);
      await tray(ada).locator('canvas').waitFor();
      await ada.say('The engine');
      await tray(ada).waitFor({ state: 'hidden' });
      const shown = grace.message('The engine').getByRole('img', { name: PHOTO.name });
      await shown.waitFor();
      await grace.page.waitForFunction(() => document.querySelector('.picture img').naturalWidth);
      assert.equal(await shown.evaluate((image) => image.naturalWidth), 704);
      await grace.listed('Engines').filter({ hasText: 'Picture: The engine' }).waitFor();
      const opened = grace.page.context().waitForEvent('page');
      await shown.click();
      await (await opened).waitForURL(/\/api\/files\/[\w-]+\?/);
      await grace.page.reload();
      await shown.waitFor();
    });
  });
}

describe('files in the demo page', suite, () => {
  const stage = setStage();

  test('a picture has its place before it is there', async () => {
    const [ada, grace] = await stage.two(NAMES);
    let letCome;
    const come = new Promise((resolve) => (letCome = resolve));
    await grace.page.route('**/api/files/**', async (route) => {
      await come;
      await route.continue();
    });
    await choose(ada, PHOTO);
    await isUploaded(ada, PHOTO);
    await send(ada);
    const shown = grace.page.getByRole('img', { name: `Picture ${PHOTO.name}` });
    await shown.waitFor();
    const before = await shown.boundingBox();
    assert.equal(await shown.evaluate((image) => image.complete && image.naturalWidth > 0), false);
    assert.deepEqual([before.width, before.height], [352, 256]);
    letCome();
    await grace.page.waitForFunction(() => document.querySelector('.picture img').naturalWidth);
    assert.deepEqual(await shown.boundingBox(), before);
    await grace.page.unrouteAll({ behavior: 'wait' });
  });

  test('files are pasted and dropped, and others come as a download', async () => {
    const [ada, grace] = await stage.two(NAMES);
    await give(ada, 'paste', PHOTO);
    await isUploaded(ada, PHOTO);
    await give(ada, 'drop', NOTES);
    await isUploaded(ada, NOTES);
    await ada.say('Both of them');
    await grace.message('Both of them').getByRole('img').waitFor();
    const coming = grace.page.waitForEvent('download');
    const row = grace.page.getByRole('link', { name: /^Download notes.txt 9 bytes/ });
    await row.click();
    const download = await coming;
    assert.equal(download.suggestedFilename(), 'notes.txt');
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    assert.deepEqual(Buffer.concat(chunks), NOTES.buffer);
    assert.equal(await ada.page.locator('.message').count(), 2);
    await grace.act('notes.txt', 'Reply');
    await grace.page.locator('#about', { hasText: 'File: notes.txt' }).waitFor();
  });

  test('the progress of an upload is shown, and it can be cancelled', async () => {
    const [ada] = await stage.two(NAMES);
    await ada.page.route('**/api/files?*', () => {});
    await choose(ada, NOTES, PHOTO);
    const bar = tray(ada).getByRole('progressbar', { name: 'Uploading notes.txt' });
    await bar.waitFor();
    const control = ada.page.getByRole('button', { name: 'Send', exact: true });
    assert.equal(await control.isEnabled(), false);
    await tray(ada).getByRole('button', { name: 'Cancel notes.txt' }).click();
    await bar.waitFor({ state: 'detached' });
    await tray(ada).getByRole('button', { name: 'Cancel engine.png' }).click();
    await tray(ada).waitFor({ state: 'hidden' });
    await ada.page.getByLabel('Message', { exact: true }).and(ada.page.locator(':focus')).waitFor();
  });

  test('attached files stay with their chat', async () => {
    const [ada] = await stage.two(NAMES);
    await choose(ada, NOTES);
    await isUploaded(ada, NOTES);
    await ada.makeChat('Moths');
    await ada.heading('Moths').waitFor();
    await tray(ada).waitFor({ state: 'hidden' });
    await ada.listed('Engines').click();
    await isUploaded(ada, NOTES);
    await tray(ada).getByRole('button', { name: 'Remove notes.txt' }).click();
    await tray(ada).waitFor({ state: 'hidden' });
  });

  test('a picture that cannot be read is shown as a file', async () => {
    const [ada, grace] = await stage.two(NAMES);
    await grace.page.route('**/api/files/**', (route) => route.fulfill({ status: 403 }));
    await choose(ada, PHOTO);
    await isUploaded(ada, PHOTO);
    await send(ada);
    await grace.page
      .getByRole('link', { name: 'Download engine.png' })
      .filter({ hasText: 'It cannot be shown' })
      .waitFor();
  });

  test('the details have the files of what is loaded, and lead further back', async () => {
    const [ada, grace] = await stage.two(NAMES);
    await choose(ada, PHOTO, NOTES);
    await isUploaded(ada, PHOTO);
    await isUploaded(ada, NOTES);
    await send(ada);
    const pane = await grace.showDetails();
    const files = pane.locator('section', { hasText: 'Files' });
    const shown = files.getByRole('img', { name: `Picture ${PHOTO.name}` });
    await shown.waitFor();
    await files.getByRole('link', { name: 'Download notes.txt 9 bytes' }).waitFor();
    const opened = grace.page.context().waitForEvent('page');
    await shown.click();
    await (await opened).waitForURL(/\/api\/files\/[\w-]+\?/);
    await ada.isHeard();
    await ada.say(...Array.from({ length: 55 }, (_, index) => `line ${index}`));
    await grace.sees('line 54');
    await grace.listed('Engines').filter({ hasNotText: 'unread' }).waitFor();
    await grace.page.reload();
    await grace.showDetails();
    await files.getByText('None in the messages that are loaded.').waitFor();
    await files.getByRole('button', { name: 'Look further back' }).click();
    await shown.waitFor();
    await files.getByText('loaded').waitFor({ state: 'detached' });
    const chat = { id: ada.chatId() };
    const query = { limit: 1, after_seq: 0 };
    const { messages } = await ada.ask('list-messages', {
      actor: { id: await ada.id() },
      chat,
      query,
    });
    const message = { id: messages[0].id };
    await ada.ask('delete-message', { actor: { id: await ada.id() }, chat, message });
    await shown.waitFor({ state: 'detached' });
  });

  test('in slow mode files are sent one by one', async () => {
    const [ada, grace] = await stage.two(NAMES);
    const [actor, chat] = [{ id: await ada.id() }, { id: ada.chatId(), slow_mode: 5 }];
    await ada.ask('update-chat', { actor, chat });
    await choose(grace, NOTES, PHOTO);
    await isUploaded(grace, NOTES);
    await isUploaded(grace, PHOTO);
    await grace.page.getByText('Each file is a message of its own.').waitFor();
    await Promise.all([grace.page.getByText(/^You can write in/).waitFor(), send(grace)]);
    await ada.message(NOTES.name).waitFor();
    await tray(grace).getByText(PHOTO.name).waitFor();
    // The send comes when the time of slow mode is over.
    await send(grace);
    await ada.page.getByRole('img', { name: `Picture ${PHOTO.name}` }).waitFor();
    assert.equal(await grace.page.locator('.message.failed').count(), 0);
  });

  test('all the files that were asked for stay when the details are drawn anew', async () => {
    const [ada] = await stage.two(NAMES);
    const files = Array.from({ length: 6 }, (_, index) => ({ ...NOTES, name: `notes ${index}` }));
    await choose(ada, ...files);
    for (const file of files) await isUploaded(ada, file);
    await send(ada);
    await ada.isHeard();
    const pane = await ada.showDetails();
    const links = pane.getByRole('link', { name: /^Download/ });
    await pane.getByRole('button', { name: 'Show all 6' }).click();
    await links.nth(5).waitFor();
    const [actor, chat] = [{ id: await ada.id() }, { id: ada.chatId(), frozen: true }];
    await ada.ask('update-chat', { actor, chat });
    await pane.getByText('Only moderators may write').waitFor();
    assert.equal(await links.count(), 6);
  });

  test('uploads are under the hood, too, with the code for them', async () => {
    const [ada] = await stage.two(NAMES);
    await ada.page.getByRole('button', { name: 'Under the hood' }).click();
    await choose(ada, NOTES);
    await isUploaded(ada, NOTES);
    const hood = ada.page.getByRole('region', { name: 'Under the hood' });
    await hood.getByRole('button', { name: /POST \/api\/files [\d.]+ ms/ }).click();
    await hood.getByText(`/api/files?name=${NOTES.name}&user=`).first().waitFor();
    await hood.getByText('"size": 9').waitFor();
    await ada.page.route('**/api/files?*', () => {});
    await choose(ada, PHOTO);
    await hood.getByRole('button', { name: /POST \/api\/files \d+ %/ }).waitFor();
    await tray(ada)
      .getByRole('button', { name: `Cancel ${PHOTO.name}` })
      .click();
    await hood
      .getByRole('button', { name: /POST \/api\/files [\d.]+ ms/ })
      .last()
      .click();
    await hood.getByText('"cancelled"').waitFor();
  });

  test('an address of another server is a link and nothing else', async () => {
    const [ada, grace] = await stage.two(NAMES);
    const message = { type: 'img', value: 'https://pictures.example/a.png' };
    const chat = { id: ada.chatId() };
    await ada.ask('new-message', { actor: { id: await ada.id() }, chat, message });
    await grace.sees('Picture: https://pictures.example/a.png');
    assert.equal(await grace.page.getByRole('img').count(), 0);
  });
});

describe('a server with little room', suite, () => {
  const stage = setStage('--max-file', '40000', '--max-files-total', '50000');
  // So large that the server refuses it before it has all of it.
  const HUGE = 20_000_000;
  const file = (name, size) => ({ name, mimeType: 'text/plain', buffer: Buffer.alloc(size, 'a') });
  const isRefused = (person, text) =>
    tray(person).getByRole('alert').filter({ hasText: text }).waitFor();

  test('it is said why a file is not taken, and it can be sent later', async () => {
    const [ada, grace] = await stage.two(NAMES);
    await choose(ada, file('long.txt', HUGE));
    await isRefused(ada, 'It is too large: 39 kB is the most.');
    await tray(ada).getByRole('button', { name: 'Remove long.txt' }).click();
    await choose(ada, file('nothing.txt', 0));
    await isRefused(ada, 'File must not be empty.');
    await tray(ada).getByRole('button', { name: 'Remove nothing.txt' }).click();
    await choose(ada, file('first.txt', 30_000), file('second.txt', 30_000));
    await isRefused(ada, 'The server has no room for more files.');
    await send(ada);
    await grace.page.getByRole('link', { name: /^Download (first|second).txt/ }).waitFor();
    await stage.server.kill();
    await stage.server.restart();
    await ada.is('Connected');
    await tray(ada).getByRole('button', { name: 'Try again' }).click();
    await tray(ada)
      .getByRole('button', { name: /^Remove (first|second).txt/ })
      .waitFor();
    await tray(ada).getByRole('alert').waitFor({ state: 'detached' });
    await send(ada);
    await grace.page
      .getByRole('link', { name: /^Download/ })
      .nth(1)
      .waitFor();
  });
});
