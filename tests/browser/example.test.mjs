// The page in examples/page, served as a static file, in a real browser.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';

const file = new URL('../../examples/page/index.html', import.meta.url);

describe('the page among the examples', suite, () => {
  const stage = setStage();

  test('two windows talk, and a late one sees what was said', async () => {
    const text = await readFile(file, 'utf8');
    assert.equal(text.split('http://127.0.0.1:3000').length, 3, 'the page names its server');
    const page = text.replaceAll('http://127.0.0.1:3000', stage.server.url);
    const site = createServer((_, response) =>
      response.setHeader('Content-Type', 'text/html').end(page),
    );
    await once(site.listen(0, '127.0.0.1'), 'listening');
    const arrive = async () => {
      const person = await stage.arrive(`http://127.0.0.1:${site.address().port}/`);
      await person.page.getByRole('button', { name: 'Send', disabled: false }).waitFor();
      return person;
    };
    try {
      const [one, other] = [await arrive(), await arrive()];
      const nasty = '<img src=x onerror="document.title = 1">';
      await say(one, 'Hello');
      await sees(other, 'A guest: Hello');
      await say(other, nasty);
      await sees(one, `A guest: ${nasty}`);
      const late = await arrive();
      await sees(late, `A guest: ${nasty}`);
      const lines = await late.page.locator('li').allTextContents();
      assert.deepEqual(lines, ['A guest: Hello', `A guest: ${nasty}`]);
    } finally {
      site.close();
    }
  });
});

async function say({ page }, text) {
  await page.getByLabel('Your message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

function sees({ page }, text) {
  return page.locator('li', { hasText: text }).waitFor();
}
