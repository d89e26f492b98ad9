// The page of the REST API in a real browser, against the real server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { missing, setStage } from './stage.mjs';

describe('the page of the REST API', { skip: missing, timeout: 120_000 }, () => {
  const stage = setStage();

  test('shows every endpoint, lets one try them, and asks nobody else', async () => {
    const somebody = await stage.arrive();
    const { page } = somebody;
    const hosts = new Set();
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.protocol !== 'data:') hosts.add(url.origin);
    });
    await page.goto(`${stage.server.url}/api/docs`);
    await page.locator('.opblock').first().waitFor();
    const described = await (await fetch(`${stage.server.url}/api/openapi.json`)).json();
    const operations = Object.values(described.paths).flatMap(Object.keys);
    assert.ok(operations.length > 20);
    assert.equal(await page.locator('.opblock').count(), operations.length);
    const { access_token } = await signUp(page);
    await authorize(page, access_token);
    const answer = await tryOut(page, 'GET /api/inbox');
    assert.match(answer, /"status": "success"/);
    await stage.screenshot('docs', somebody);
    assert.deepEqual([...hosts], [stage.server.url]);
  });
});

async function signUp(page) {
  const answer = await tryOut(page, 'POST /api/register', {
    first_name: 'Bob',
    last_name: 'Bobson',
    username: 'bob',
    password: 'correct horse',
    email: 'bob@example.com',
    phone: '0123456789',
  });
  return JSON.parse(answer).data[0].token;
}

async function authorize(page, token) {
  await page.getByRole('button', { name: 'Authorize' }).first().click();
  const dialog = page.locator('.dialog-ux');
  await dialog.locator('input').fill(token);
  await dialog.getByRole('button', { name: 'Apply credentials' }).click();
  await dialog.getByRole('button', { name: 'Close', exact: true }).click();
}

/** Makes a request by the page's form; returns what was answered with 200. */
async function tryOut(page, request, body) {
  const [method, path] = request.split(' ');
  const named = page.locator(`.opblock-${method.toLowerCase()}`);
  const endpoint = named.filter({ has: page.locator(`[data-path="${path}"]`) });
  await endpoint.locator('.opblock-summary-control').click();
  await endpoint.getByRole('button', { name: 'Try it out' }).click();
  if (body) await endpoint.locator('textarea').fill(JSON.stringify(body));
  await endpoint.getByRole('button', { name: 'Execute' }).click();
  const answer = endpoint.locator('.live-responses-table .response');
  assert.match(await answer.locator('.response-col_status').textContent(), /^200/);
  return answer.locator('.highlight-code .microlight, .highlight-code code').first().textContent();
}
