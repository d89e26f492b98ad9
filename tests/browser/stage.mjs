// The server, the browser, and what each test begins and ends with.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach } from 'node:test';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { Person } from './person.mjs';

// The settings of the person who runs the tests must not reach the server.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('CHINWAG_')),
);

const binary =
  process.env.CHINWAG_BIN ?? fileURLToPath(new URL('../../target/debug/chinwag', import.meta.url));
const greeting = /^chinwag listening on (http:\/\/127\.0\.0\.1:\d+) \(access: (?:open|token)\)$/;

const executablePath = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((file) => file && existsSync(file));

/** Why browser tests cannot run; false if they can. */
const missing =
  !executablePath &&
  'Chromium is missing: install it (on Debian: apt-get install chromium), or set CHROMIUM to its path';

if (missing && process.env.CI) throw new Error(missing);

/** The options of a suite. On a busy machine the longest takes several minutes. */
export const suite = { skip: missing, timeout: 900_000 };

const screenshots = fileURLToPath(new URL('../../target/screenshots/', import.meta.url));

/**
 * Starts a server with these settings for each test of a suite, and closes the pages at its end;
 * no page may have reported an error.
 */
export function setStage(...settings) {
  let browser, people;
  const stage = {
    server: undefined,
    async arrive(address = stage.server.url, options) {
      const person = await Person.arrive(browser, address, options);
      people.push(person);
      return person;
    },
    /** A person who has entered: with an account where one is needed, and otherwise as a guest. */
    async enter(name, address, options) {
      const person = await stage.arrive(address, options);
      if (settings.includes('token')) await person.signUp(name);
      else await person.comeIn(name);
      await person.is('Connected');
      return person;
    },
    /** A person in a chat of their own, and another who has entered by its link. */
    async two([one, other] = ['Ada', 'Grace'], options) {
      const host = await stage.enter(one, undefined, options);
      await host.makeChat('Engines');
      await host.heading('Engines').waitFor();
      const guest = await stage.enter(other, host.page.url());
      await Promise.all([host.isWith(2), guest.isWith(2)]);
      return [host, guest];
    },
    /** One picture of several windows side by side. */
    async screenshot(name, ...everybody) {
      const shots = await Promise.all(everybody.map(({ page }) => page.screenshot()));
      const page = await browser.newPage({ viewport: { width: 1640, height: 640 } });
      const image = (shot) => `<img src="data:image/png;base64,${shot.toString('base64')}">`;
      await page.setContent(
        `<body style="margin:0;display:flex;gap:2rem">${shots.map(image).join('')}`,
      );
      await page.screenshot({ path: `${screenshots}${name}.png`, fullPage: true });
      await page.close();
    },
  };
  before(async () => {
    const args = ['--disable-gpu', '--disable-quic'];
    browser = await chromium.launch({ executablePath, args });
    await mkdir(screenshots, { recursive: true });
  });
  after(() => browser?.close());
  beforeEach(async () => {
    people = [];
    stage.server = undefined;
    stage.server = await Server.start(...settings);
  });
  afterEach(async () => {
    const complaints = people.flatMap((person) => person.complaints);
    await Promise.all(people.map((person) => person.page.context().close()));
    await stage.server?.dispose();
    assert.deepEqual(complaints, []);
  });
  return stage;
}

/** The real server, on a free port and with a database of its own. */
class Server {
  url;
  #settings;
  #directory;
  #process;
  #ended;

  static async start(...settings) {
    const server = new Server();
    server.#settings = settings;
    server.#directory = await mkdtemp(path.join(tmpdir(), 'chinwag-browser-'));
    await server.#spawn('127.0.0.1:0');
    return server;
  }

  /** Starts again on the same port and the same database, with these settings. */
  restart(...settings) {
    this.#settings = settings;
    return this.#spawn(new URL(this.url).host);
  }

  async stop() {
    this.#process.kill('SIGTERM');
    assert.deepEqual(await this.#ended, [0, null], 'exit code and signal');
  }

  /** Kills it, so that it cannot say goodbye. */
  async kill() {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** Starts again with these rows of an export in its database. */
  async import(rows) {
    await this.stop();
    const lines = [{ chinwag_export: 1 }, ...rows, { rows: rows.length }];
    const args = ['import', '--database-url', this.#database, '-'];
    const stdio = ['pipe', 'ignore', 'inherit'];
    const program = spawn(binary, args, { stdio, env: environment });
    program.stdin.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    assert.deepEqual(await once(program, 'exit'), [0, null], 'exit code and signal');
    await this.restart(...this.#settings);
  }

  async dispose() {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #database() {
    return `sqlite:${path.join(this.#directory, 'chinwag.db')}`;
  }

  async #spawn(listen) {
    const settings = ['--listen', listen, '--database-url', this.#database, ...this.#settings];
    this.#process = spawn(binary, settings, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...environment, RUST_LOG: 'warn' },
    });
    const end = () => this.#process.kill('SIGKILL');
    process.once('exit', end);
    this.#ended = once(this.#process, 'exit').finally(() => process.off('exit', end));
    const said = once(createInterface(this.#process.stdout), 'line').then(([text]) => text);
    const failure = this.#ended.then(([code]) => `nothing: it ended with ${code}`);
    const line = await Promise.race([said, failure]);
    assert.match(line, greeting);
    this.url = line.match(greeting)[1];
    // A suite that has run out of time must end, even if it has just started this server.
    this.#process.unref();
    this.#process.stdout.unref();
  }
}
