// A chat with a long history stays quick: few of its messages are drawn, however many there are.
// `CHINWAG_HISTORY=50000 node --test history.test.mjs` measures one with so many.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';

const SAID = Number(process.env.CHINWAG_HISTORY ?? 5_000);
/** How many messages the page draws at most. */
const MOST_DRAWN = 150;
/** A step takes a tenth of this; it would take more if it depended on the length of the history. */
const MOST_MS = 500;

const CHAT = '01a00000-0000-7000-8000-000000000000';
const time = (seq) =>
  new Date(Date.UTC(2026, 0, 1) + seq * 60_000).toISOString().replace('Z', '000Z');
const idOf = (seq) => CHAT.slice(0, -12) + String(seq).padStart(12, '0');

/** The rows of Ada and Grace, who have chatted for long; the first message is pinned. */
function rows() {
  const [joined_at, last] = [time(0), time(SAID)];
  const at = { created_at: joined_at, modified_at: joined_at };
  const people = ['Ada', 'Grace'].map((name) => {
    const id = name.toLowerCase();
    return { id, external_id: id, name, photo: '', protected: false, name_folded: id, ...at };
  });
  const chat = { id: CHAT, name: 'Engines', name_folded: 'engines', private: true, ...at };
  const rules = { frozen: false, slow_mode: 0, since_joining: false, retention_days: 0 };
  const state = { creator_id: 'ada', last_seq: SAID, active_at: last, last_change: 1 };
  const members = people.map(({ id }, index) => ({
    ...{ chat_id: CHAT, user_id: id, joined_at, read_seq: SAID, own_unread: 0, active_at: last },
    ...{ blocked: false, role: index ? 0 : 2, joined_seq: 0, muted: false, pinned: false },
  }));
  const messages = Array.from({ length: SAID }, (_, index) => {
    const [seq, created_at] = [index + 1, time(index + 1)];
    const body = `message ${seq} ${'and so on '.repeat(seq % 12)}`;
    const user_id = seq % 3 ? 'ada' : 'grace';
    const message = { chat_id: CHAT, seq, id: idOf(seq), user_id, kind: 0, body, created_at };
    const change = seq === 1 ? { change: 1, pinned_at: created_at } : {};
    return { ...message, modified_at: created_at, ...change };
  });
  const table = (name, all) => all.map((row) => ({ table: name, row }));
  return [
    ...table('users', people),
    ...table('chats', [{ ...chat, ...rules, ...state }]),
    ...table('members', members),
    ...table('messages', messages),
  ];
}

describe('a long history', suite, () => {
  const stage = setStage();

  /** Ada with her chat open, and with what the measurements need. */
  async function open() {
    await stage.server.import(rows());
    const ada = await stage.arrive('about:blank');
    await ada.page.addInitScript(() => {
      const person = { external_id: 'ada', name: 'Ada', photo: '' };
      sessionStorage.setItem('person', JSON.stringify(person));
    });
    await ada.page.goto(`${stage.server.url}#${CHAT}`);
    await ada.sees(`message ${SAID} `);
    return ada;
  }

  /** How many messages are drawn, and the number of the last one. */
  const drawn = ({ page }) =>
    page.locator('.message').evaluateAll((all) => ({
      count: all.length,
      last: Number(all.at(-1).dataset.seq),
    }));

  /** Scrolls to an edge, over and over, until this message is drawn; returns how often. */
  const scroll = ({ page }, isUp, goal) =>
    page.evaluate(
      async ([isUp, goal]) => {
        const history = document.getElementById('history');
        const edge = () => {
          const all = document.querySelectorAll('.message');
          return Number(all[isUp ? 0 : all.length - 1].dataset.seq);
        };
        let steps = 0;
        for (; isUp ? edge() > goal : edge() < goal; steps += 1) {
          const before = edge();
          history.scrollTop = isUp ? 0 : history.scrollHeight;
          while (edge() === before) await new Promise(requestAnimationFrame);
        }
        return steps;
      },
      [isUp, goal],
    );

  /**
   * The processor time of the page for each of the steps that `work` says it had. Other times
   * would say little, as the machine does other things, too.
   */
  async function cost(name, { page }, work) {
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const spent = async () => {
      const { metrics } = await session.send('Performance.getMetrics');
      return metrics.find(({ name }) => name === 'TaskDuration').value * 1_000;
    };
    const [before, start] = [await spent(), performance.now()];
    const steps = (await work()) ?? 1;
    const each = (whole) => Math.round(whole / steps);
    const [busy, all] = [each((await spent()) - before), each(performance.now() - start)];
    const line = `${name}: ${steps} times ${busy} ms of processor time, ${all} ms in all`;
    if (process.env.CHINWAG_HISTORY) console.log(line);
    assert.ok(busy < MOST_MS, line);
    await session.detach();
  }

  test('a user scrolls, jumps and writes in it', async () => {
    const ada = await open();
    const { page } = ada;
    const pane = await ada.showDetails();
    const pinned = pane.getByRole('button', { name: /message 1 / });
    await pinned.waitFor();
    await ada.hideDetails();
    // In parts: if the time depended on how much is loaded, the last part would be the slowest.
    const goals = process.env.CHINWAG_HISTORY ? [0.8, 0.6, 0.4, 0.2, 0] : [0.8];
    for (const goal of goals.map((share) => Math.max(1, SAID * share))) {
      await cost(`scrolling up to ${goal}`, ada, () => scroll(ada, true, goal));
      const { count, last } = await drawn(ada);
      assert.ok(count <= MOST_DRAWN && last < SAID, `${count} up to ${last}`);
    }
    await cost('going to the latest', ada, async () => {
      await page.locator('#latest').click();
      await ada.sees(`message ${SAID} `);
    });
    await cost('writing', ada, async () => {
      await ada.say('something new');
      await ada.isHeard();
      await ada.sees('something new');
    });
    await ada.showDetails();
    await cost('going to the first', ada, () => ada.isLedTo('message 1 ', () => pinned.click()));
    await cost('scrolling down', ada, () => scroll(ada, false, 1_000));
    assert.ok((await drawn(ada)).count <= MOST_DRAWN);
    await page.locator('#latest').click();
    await ada.sees('something new');
    const { count, last } = await drawn(ada);
    assert.ok(count <= MOST_DRAWN && last === SAID + 1, `${count} up to ${last}`);
  });
});
