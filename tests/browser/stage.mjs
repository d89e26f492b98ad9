// The server, the browser and the people in front of it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

// The settings of whoever runs the tests must not reach the server.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('CHINWAG_')),
);

const PATIENCE_MS = 20_000;
const WINDOW = { locale: 'en-GB', viewport: { width: 800, height: 600 } };

const binary =
  process.env.CHINWAG_BIN ?? fileURLToPath(new URL('../../target/debug/chinwag', import.meta.url));
const greeting = /^chinwag listening on (http:\/\/127\.0\.0\.1:\d+) \(access: open\)$/;

const executablePath = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((file) => file && existsSync(file));

/** Why there can be no browser test; false where there can. */
export const missing =
  !executablePath &&
  'Chromium is missing: install it (on Debian: apt-get install chromium), or set CHROMIUM to its path';

export function launch() {
  return chromium.launch({ executablePath, args: ['--disable-gpu', '--disable-quic'] });
}

/** The real server, on a free port and with a database of its own. */
export class Server {
  url;
  #directory;
  #process;
  #ended;

  static async start() {
    const server = new Server();
    server.#directory = await mkdtemp(path.join(tmpdir(), 'chinwag-browser-'));
    await server.#spawn('127.0.0.1:0');
    return server;
  }

  /** Starts again on the same port and the same database. */
  restart() {
    return this.#spawn(new URL(this.url).host);
  }

  async stop() {
    this.#process.kill('SIGTERM');
    assert.deepEqual(await this.#ended, [0, null], 'exit code and signal');
  }

  /** Ends it without a chance to say goodbye. */
  async kill() {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  async dispose() {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #spawn(listen) {
    const database = `sqlite:${path.join(this.#directory, 'chinwag.db')}`;
    this.#process = spawn(binary, ['--listen', listen, '--database-url', database], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...environment, RUST_LOG: 'warn' },
    });
    process.once('exit', () => this.#process.kill('SIGKILL'));
    this.#ended = once(this.#process, 'exit');
    const said = once(createInterface(this.#process.stdout), 'line').then(([text]) => text);
    const failure = this.#ended.then(([code]) => `nothing: it ended with ${code}`);
    const line = await Promise.race([said, failure]);
    assert.match(line, greeting);
    this.url = line.match(greeting)[1];
  }
}

/** A window of the demo page, and who looks at it. */
export class Person {
  /** What the page complained of, lost connections aside. */
  complaints = [];

  constructor(page) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (line) => {
      const isLostConnection = /net::ERR_|^WebSocket connection to /.test(line.text());
      if (line.type() === 'error' && !isLostConnection) this.complaints.push(line.text());
    });
  }

  /** Comes with a browser profile of their own. */
  static async arrive(browser, name, address, options) {
    const context = await browser.newContext({ ...WINDOW, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const person = new Person(await context.newPage());
    await person.page.goto(address);
    await person.signIn(name);
    return person;
  }

  async signIn(name) {
    await this.page.getByLabel('Your name').fill(name);
    await this.page.getByRole('button', { name: 'Start' }).click();
  }

  async makeChat(name, visibility = 'Public', team = undefined) {
    await this.page.getByLabel('Who may join').selectOption(visibility);
    if (team) await this.page.getByLabel('Team', { exact: true }).selectOption(team);
    await this.page.getByLabel('New chat').fill(name);
    await this.page.getByRole('button', { name: 'Create' }).click();
  }

  /** What others need to invite this person. */
  id() {
    return this.page.locator('#my-id').textContent();
  }

  /** Opens the chooser by `control` and chooses there: a known person by name, or anybody by id. */
  async choose(control, { name, id }) {
    await this.page.getByRole('button', { name: control, exact: true }).click();
    const chooser = this.page.getByRole('dialog');
    if (id) await chooser.getByLabel('User id').fill(id);
    const button = { name: id ? /^(Invite|Add)$/ : new RegExp(`^${name} \\w{4}$`) };
    await chooser.getByRole('button', button).click();
  }

  /** The card of an invitation to the chat `name`. */
  invitation(name) {
    const cards = this.page.getByRole('region', { name: 'Invitations' }).getByRole('article');
    return cards.filter({ hasText: name });
  }

  discovered(name) {
    return this.page.getByRole('region', { name: 'Discover' }).getByRole('link', { name });
  }

  listed(name) {
    return this.page.locator('#chats').getByRole('link', { name });
  }

  /** Waits until the open chat shows exactly these people as being in it now. */
  async isWith(...names) {
    const wanted = ['You', ...names].join(',');
    const shown = (wanted) =>
      [...document.querySelectorAll('#present li')].map((one) => one.textContent).join() === wanted;
    await this.page.waitForFunction(shown, wanted);
    await this.page.getByText(`${names.length + 1} here`).waitFor();
  }

  async say(...texts) {
    for (const text of texts) {
      await this.page.getByLabel('Message', { exact: true }).fill(text);
      await this.page.keyboard.press('Enter');
    }
  }

  /** Waits until the page shows this message. */
  sees(text) {
    return this.page.locator('.text', { hasText: text }).last().waitFor();
  }

  /** Waits until the page says so of the connection. */
  is(state) {
    return this.page.getByRole('status').filter({ hasText: state }).waitFor();
  }

  /** Waits until the server has confirmed everything this person wrote. */
  async isHeard() {
    await this.page.locator('.pending').first().waitFor({ state: 'detached' });
  }

  async isTold(text) {
    await this.page.getByRole('alert').filter({ hasText: text }).waitFor();
  }

  heading(name) {
    return this.page.getByRole('heading', { name, exact: true });
  }

  texts() {
    return this.page.locator('.text').allTextContents();
  }
}
