// The size of the demo page as the browser loads it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { setStage, suite } from './stage.mjs';

const MOST_BYTES = 200_000;

describe('the weight of the demo page', suite, () => {
  const stage = setStage();

  test('everything that it loads is less than 200 kB, compressed', async () => {
    const ada = await stage.arrive('about:blank');
    const answers = [];
    ada.page.on('response', (response) => answers.push(response));
    await ada.page.goto(stage.server.url);
    await ada.comeIn('Ada');
    await ada.makeChat('Engines');
    await ada.heading('Engines').waitFor();
    // A poll that is still open has no body yet, and is not part of the page.
    const parts = answers.filter((answer) => !answer.url().includes('/socket.io/?'));
    const sizes = await Promise.all(
      parts.map(async (answer) => [answer.url(), gzipSync(await answer.body()).length]),
    );
    assert.ok(sizes.some(([url]) => url.endsWith('/app.js')));
    const sum = sizes.reduce((sum, [, size]) => sum + size, 0);
    assert.ok(sum < MOST_BYTES, `${sum} bytes: ${JSON.stringify(sizes)}`);
  });
});
