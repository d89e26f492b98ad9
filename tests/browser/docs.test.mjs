// The page of the contract in a real browser, against the real server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';

describe('the page of the contract', suite, () => {
  const stage = setStage();

  test('shows every event, in light and dark and on a phone, and asks nobody else', async () => {
    const somebody = await stage.arrive();
    const { page } = somebody;
    const hosts = new Set();
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol !== 'data:') hosts.add(url.origin);
    });
    await page.goto(`${stage.server.url}/docs`);
    const described = await (await fetch(`${stage.server.url}/asyncapi.json`)).json();
    const events = Object.entries(described.operations).filter(([, { tags }]) => tags);
    assert.ok(events.length > 40);
    for (const [event, { summary }] of events) {
      assert.match(await page.locator(`[id="${event}"]`).textContent(), new RegExp(summary));
    }
    // The target of every link exists.
    const lost = await page.evaluate(() =>
      [...document.querySelectorAll('a[href^="#"]')]
        .map((link) => link.getAttribute('href').slice(1))
        .filter((id) => !document.getElementById(id)),
    );
    assert.deepEqual(lost, []);
    await stage.screenshot('docs', somebody);
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await paper();
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.notEqual(await paper(), light);
    await page.setViewportSize({ width: 360, height: 740 });
    const fits = () => document.documentElement.scrollWidth <= window.innerWidth;
    assert.ok(await page.evaluate(fits), 'the page is wider than a phone');
    await stage.screenshot('docs-phone', somebody);
    assert.deepEqual([...hosts], [stage.server.url]);
  });
});
