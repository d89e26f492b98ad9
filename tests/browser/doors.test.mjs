// Under the hood of the demo page: one chat through four doors side by side.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { setStage, suite } from './stage.mjs';

const DOORS = ['Socket.IO', 'HTTP', 'WebSocket', 'JSON-RPC'];

for (const access of ['open', 'token']) {
  describe(`four doors with --access ${access}`, suite, () => {
    const stage = setStage('--access', access);

    const door = ({ page }, name) => page.getByRole('region', { name, exact: true });
    const send = ({ page }, name) => page.getByRole('button', { name: `Send through ${name}` });
    const received = (person, name) =>
      door(person, name).getByRole('listitem').filter({ has: person.page.getByLabel('received') });

    const isOpen = (person, name) =>
      send(person, name).and(person.page.locator(':enabled')).waitFor();

    async function say(person, name, text) {
      await isOpen(person, name);
      await door(person, name).getByLabel(`Message through ${name}`).fill(text);
      await person.page.keyboard.press('Enter');
    }

    /** Waits until a frame with this text has come through a door. */
    const hears = (person, name, text) =>
      received(person, name).filter({ hasText: text }).first().waitFor();

    /** Sends a text through each door, and waits until all doors and the conversation show it. */
    async function talk(person, names) {
      for (const name of names) await isOpen(person, name);
      for (const name of names) {
        const text = `by ${name}, ${Math.random()}`;
        await say(person, name, text);
        for (const other of names) await hears(person, other, text);
        await person.sees(text);
      }
    }

    /** A person with a handle, who opens the view of all doors. */
    async function look(name, address) {
      const person = await stage.enter(name, address);
      const { page } = person;
      if (!address) await person.makeChat('Engines');
      await page.locator('#conversation').waitFor();
      await page.getByRole('button', { name: 'Under the hood' }).click();
      await page.getByRole('button', { name: 'Four doors' }).click();
      if (access === 'token') return person;
      await door(person, 'WebSocket').getByText(/you have none yet/).waitFor();
      await door(person, 'JSON-RPC').getByRole('button', { name: 'Take a handle' }).click();
      await page.getByRole('dialog').getByLabel('Handle').fill(name.split(' ')[0].toLowerCase());
      await person.confirm('Save');
      return person;
    }

    async function openChannel(person) {
      await door(person, 'WebSocket').getByRole('button', { name: 'Open #ada-doors' }).click();
      await person.heading('#ada-doors').waitFor();
    }

    test('a message sent through one door comes out of all', async () => {
      const ada = await look('Ada Lovelace');
      await door(ada, 'WebSocket').getByText(/leads to channels alone/).waitFor();
      assert.ok(await send(ada, 'WebSocket').isDisabled());
      await talk(ada, DOORS.filter((name) => name !== 'WebSocket'));
      await openChannel(ada);
      await talk(ada, DOORS);

      const grace = await look('Grace Hopper', ada.page.url());
      await talk(grace, DOORS);
      await grace.page.reload();
      await grace.page.getByRole('button', { name: 'Under the hood' }).click();
      await grace.page.getByRole('button', { name: 'Four doors' }).click();
      await talk(grace, DOORS);
      // The other doors stay open while one is cut.
      await grace.page.getByLabel('Cut the connection').check();
      await say(grace, 'Socket.IO', 'sent later');
      await say(grace, 'WebSocket', 'sent at once');
      await hears(grace, 'JSON-RPC', 'sent at once');
      await grace.page.getByLabel('Cut the connection').uncheck();
      await hears(grace, 'JSON-RPC', 'sent later');
    });

    test('a door that opens waits until the one before it is left', async () => {
      const ada = await look('Ada Lovelace');
      const { page } = ada;
      const engines = ada.chatId();
      const goTo = (id) => page.evaluate((id) => (location.hash = id), id);
      await isOpen(ada, 'JSON-RPC');
      // The server hears late that she leaves a room.
      await page.route('**/rpc', async (route) => {
        if (!/EnterRoom|PickUpHistory/.test(route.request().postData())) await sleep(300);
        await route.continue();
      });
      await openChannel(ada);
      await talk(ada, ['JSON-RPC']);
      const channel = ada.chatId();
      await page.unrouteAll({ behavior: 'wait' });
      // The page hears only in the next room that she has entered this one.
      let inNext;
      const isNext = new Promise((resolve) => (inNext = resolve));
      await page.route('**/rpc', async (route) => {
        const response = await route.fetch();
        if (route.request().postData().includes('EnterRoom')) await isNext;
        await route.fulfill({ response });
      });
      await goTo(engines);
      await ada.heading('Engines').waitFor();
      await goTo(channel);
      await ada.heading('#ada-doors').waitFor();
      inNext();
      await talk(ada, ['JSON-RPC']);
      await page.unrouteAll({ behavior: 'wait' });
    });

    test('a door says what is refused', async () => {
      const ada = await look('Ada Lovelace');
      await openChannel(ada);
      const grace = await look('Grace Hopper', ada.page.url());
      await talk(grace, DOORS);
      const pane = await ada.showDetails();
      await pane.getByRole('button', { name: 'Change rules' }).click();
      await ada.page.getByRole('dialog').getByLabel('Who may write').selectOption('on');
      await ada.confirm('Save');
      await grace.page.getByText('Only moderators may write here now.').waitFor();
      for (const name of DOORS) {
        await say(grace, name, 'Am I heard?');
        await door(grace, name).getByRole('alert').filter({ hasText: /Refused: .+/ }).waitFor();
        await hears(grace, name, 'forbidden');
      }
      assert.equal(await ada.page.getByText('Am I heard?').count(), 0);
    });

    test('a door that is shut says why, and opens again', async () => {
      const ada = await look('Ada Lovelace');
      await openChannel(ada);
      await talk(ada, DOORS);
      const { page } = ada;
      await page.getByRole('button', { name: 'Events' }).click();
      await page.evaluate(takeNick);
      await page.getByRole('button', { name: 'Four doors' }).click();
      await door(ada, 'WebSocket').getByText('Closed with 4409').waitFor();
      await isOpen(ada, 'JSON-RPC');
      await page.evaluate(leaveRoom, ada.chatId());
      await door(ada, 'JSON-RPC').getByRole('button', { name: 'Try again' }).click();
      await page.evaluate(() => globalThis.other.close());
      await talk(ada, DOORS);
    });
  });
}

/** Runs in the page: another connection takes the nick. */
async function takeNick() {
  const { access_token } = JSON.parse(sessionStorage.person);
  const take = (resolve) => {
    const address = `${location.origin.replace('http', 'ws')}/chat/login/ada`;
    const other = new WebSocket(address, access_token ? ['bearer', access_token] : []);
    // The connection is closed as long as the door has not given the nick up.
    other.onclose = () => take(resolve);
    other.onmessage = () => {
      other.onclose = null;
      globalThis.other = other;
      resolve();
    };
  };
  await new Promise(take);
}

/** Runs in the page: another program takes the user out of the room. */
async function leaveRoom(RoomId) {
  const { access_token } = JSON.parse(sessionStorage.person);
  const params = { user: { UserId: 'ada', RoomId } };
  await fetch('/rpc', {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(access_token && { Authorization: `Bearer ${access_token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'LeaveRoom', params }),
  });
}
