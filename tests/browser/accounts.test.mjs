// Accounts in the demo page, where one is needed and where a name is enough.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { setStage, suite } from './stage.mjs';

const LATER = 26 * 24 * 60 * 60_000;

for (const access of ['token', 'open']) {
  describe(`accounts with --access ${access}`, suite, () => {
    const stage = setStage('--access', access);

    async function signedUp(name, address) {
      const person = await stage.arrive(address);
      await person.signUp(name);
      await person.isIn(name.split(' ')[0].toLowerCase());
      return person;
    }

    test('two people sign up and talk', async () => {
      const ada = await signedUp('Ada Lovelace');
      await ada.makeChat('Engines');
      await ada.heading('Engines').waitFor();
      const grace = await signedUp('Grace Hopper', ada.page.url());
      await grace.isWith(2);
      await ada.say('Good morning.');
      await grace.sees('Good morning.');
      await grace.say('And to you.');
      await ada.sees('And to you.');
      assert.equal(await ada.page.locator('.mine').count(), 1);
      assert.deepEqual(await ada.texts(), await grace.texts());
    });

    test('a user stays signed in through reloads, until they sign out', async () => {
      const ada = await signedUp('Ada Lovelace');
      await ada.makeChat('Secrets', 'Private');
      await ada.heading('Secrets').waitFor();
      await ada.say('mine');
      await ada.isHeard();
      await ada.page.reload();
      await ada.isIn('ada');
      await ada.sees('mine');
      const token = await ada.page.evaluate(tokenInPage);

      const told = ada.page.waitForResponse(/\/api\/auth_token$/);
      await ada.signOut();
      await ada.page.getByText('You are signed out.').waitFor();
      assert.equal((await told).status(), 200);
      assert.equal(await ada.page.evaluate(() => sessionStorage.length), 0);
      assert.equal(await ada.page.evaluate(connectInPage, token), 'unauthenticated');
      await ada.page.reload();
      const first = access === 'open' ? 'Your name' : 'Username';
      await ada.page.getByLabel(first).and(ada.page.locator(':focus')).waitFor();
      if (access === 'open') await ada.page.getByText('Sign in to an account').click();
      await ada.signIn('ada');
      await ada.isIn('ada');
      await ada.listed('Secrets').click();
      await ada.sees('mine');
      assert.equal(await ada.page.locator('.mine').count(), 1);
    });

    test('errors of a form are shown beside its fields', async () => {
      const ada = await stage.arrive();
      const wrong = { Username: '7', Password: 'short', Email: 'x', Phone: 'y' };
      await ada.signUp('Ada Lovelace', wrong);
      await ada.isRefused('Sign up', 'not right yet');
      const form = ada.page.getByRole('form', { name: 'Sign up' });
      for (const label of Object.keys(wrong)) {
        const field = form.getByLabel(label);
        assert.equal(await field.getAttribute('aria-invalid'), 'true', label);
        const why = `#${await field.getAttribute('aria-describedby')}`;
        assert.match(await form.locator(why).textContent(), /\w/, label);
      }
      assert.equal(await form.getByLabel('Last name').getAttribute('aria-invalid'), null);
      assert.ok(await form.getByLabel('Username').evaluate((field) => field.matches(':focus')));
      await stage.screenshot(`sign-up-${access}`, ada);
      await ada.signUp('Ada Lovelace');
      await ada.isIn('ada');
    });

    test('a username and a password are enough', async () => {
      const ada = await stage.arrive();
      const none = { 'First name': '', 'Last name': '', Email: '', Phone: '' };
      await ada.signUp('Ada Lovelace', none);
      await ada.isIn('ada');
      await ada.page.locator('#handle', { hasText: '@ada' }).waitFor({ state: 'attached' });
    });

    test('a username that is taken and a wrong password are refused', async () => {
      await signedUp('Ada Lovelace');
      const other = await stage.arrive();
      await other.signUp('Ada Byron', { Email: 'byron@example.com', Phone: '1815' });
      await other.isRefused('Sign up', 'another user has this username');
      await other.page.getByRole('button', { name: 'Sign in to an account' }).click();
      for (const [username, password] of [
        ['ada', 'not the password'],
        ['nobody', undefined],
      ]) {
        await other.signIn(username, password);
        await other.isRefused('Sign in', 'The username or the password is wrong.');
      }
      await other.signIn('ada');
      await other.isIn('ada');
    });

    test('an expired token leads to the form, and signing in leads into the chat', async () => {
      const ada = await signedUp('Ada Lovelace');
      await ada.makeChat('Engines');
      await ada.heading('Engines').waitFor();
      await ada.page.evaluate(endInPage);
      await ada.page.getByText('Your session has ended.').waitFor();
      await ada.signIn('ada');
      await ada.heading('Engines').waitFor();
      await ada.isIn('ada');
    });

    test('a token is renewed days before it ends', async () => {
      const ada = await signedUp('Ada Lovelace');
      const before = await ada.page.evaluate(tokenInPage);
      await ada.page.clock.setFixedTime(Date.now() + LATER);
      await ada.page.reload();
      await ada.isIn('ada');
      const after = await ada.page.evaluate(tokenInPage);
      assert.notEqual(after, before);
      assert.equal(await ada.page.evaluate(connectInPage, before), 'unauthenticated');
      assert.equal(await ada.page.evaluate(connectInPage, after), 'connected');
    });
  });
}

describe('accounts that the server refuses', suite, () => {
  const stage = setStage('--failed-logins-per-account', '1');

  test('a user who tries too often is told when to come back', async () => {
    const ada = await stage.arrive();
    await ada.signUp('Ada Lovelace');
    await ada.signOut();
    await ada.signIn('ada', 'not the password');
    await ada.isRefused('Sign in', 'The username or the password is wrong.');
    await ada.signIn('ada', 'not the password');
    await ada.isRefused('Sign in', /Try again in \d+ (second|minute)s?\./);
  });

  test('nobody can sign up once registration is closed, and that is said', async () => {
    await stage.server.stop();
    await stage.server.restart('--registration', 'closed');
    const ada = await stage.arrive();
    await ada.signUp('Ada Lovelace');
    await ada.isRefused('Sign up', 'Nobody can sign up here.');
  });
});

describe('guests and accounts', suite, () => {
  const stage = setStage();

  test('a guest signs in, or changes their mind', async () => {
    const ada = await stage.arrive();
    await ada.signUp('Ada Lovelace');
    await ada.signOut();
    await ada.page.getByRole('button', { name: 'Come in with a name alone' }).click();
    await ada.comeIn('Guest');
    await ada.makeChat('Engines');
    await ada.heading('Engines').waitFor();
    const engines = new URL(ada.page.url()).hash;
    await ada.say('as a guest');
    await ada.isHeard();
    await ada.makeChat('Secrets', 'Private');
    await ada.heading('Secrets').waitFor();
    await ada.fromMenu('Menu', 'Sign in');
    await ada.page.getByRole('form', { name: 'Sign in' }).waitFor();
    await ada.page.reload();
    await ada.isIn('Guest');
    await ada.heading('Secrets').waitFor();
    await ada.listed('Engines').click();
    await ada.sees('as a guest');
    await ada.listed('Secrets').click();
    await ada.heading('Secrets').waitFor();
    await ada.fromMenu('Menu', 'Sign in');
    await ada.signIn('ada');
    await ada.isIn('ada');
    await ada.isTold('no such chat');
    assert.equal(await ada.listed(/./).count(), 0);
    await ada.page.evaluate((hash) => (location.hash = hash), engines);
    await ada.sees('as a guest');
    assert.equal(await ada.page.locator('.mine').count(), 0);
  });

  test('a guest is asked to sign in once a token is needed', async () => {
    const ada = await stage.arrive();
    await ada.comeIn('Ada');
    await ada.is('Connected');
    await stage.server.stop();
    await stage.server.restart('--access', 'token');
    await ada.page.getByText('The server wants to know who you are.').waitFor();
    assert.equal(await ada.page.getByLabel('Your name').isVisible(), false);
    await ada.signUp('Ada Lovelace');
    await ada.isIn('ada');
  });
});

/** Runs in the page: the token that it has stored. */
function tokenInPage() {
  return JSON.parse(sessionStorage.getItem('person')).access_token;
}

/** Runs in the page: the server's answer to a token. */
async function connectInPage(token) {
  await import('/socket.io/socket.io.js');
  return new Promise((resolve) => {
    const socket = globalThis.io({ forceNew: true, auth: { token } });
    const answer = (text) => {
      socket.disconnect();
      resolve(text);
    };
    socket.on('connect', () => answer('connected'));
    socket.on('connect_error', ({ message }) => answer(message));
  });
}

/** Runs in the page: ends the token, as another program might. */
async function endInPage() {
  const { access_token } = JSON.parse(sessionStorage.getItem('person'));
  const headers = { Authorization: `Bearer ${access_token}` };
  await fetch('/api/auth_token', { method: 'DELETE', headers });
}
