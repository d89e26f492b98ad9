// The server under test: the real binary, on a free port of 127.0.0.1, with a database of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach } from 'node:test';
import { fileURLToPath } from 'node:url';

import { closeAllClients } from './client.mjs';
import { within } from './within.mjs';

const binary =
  process.env.CHINWAG_BIN ?? fileURLToPath(new URL('../../target/debug/chinwag', import.meta.url));

const greeting = /^chinwag listening on (http:\/\/127\.0\.0\.1:\d+) \(access: (?:open|token)\)$/;

// The settings of the person who runs the tests must not reach the server.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('CHINWAG_')),
);

// Kills the servers if the tests are interrupted.
const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** Starts a server for a test file. It and its clients end with the file, even if tests fail. */
export async function serverForThisFile(...settings) {
  const server = await Server.start(...settings);
  afterEach(closeAllClients);
  after(() => server.dispose());
  return server;
}

export class Server {
  /** The server's URL, set by the first start and kept by every restart. */
  url;
  /** Everything logged so far, over all restarts. */
  stderr = '';
  #settings;
  #directory;
  #process;

  static async start(...settings) {
    const server = new Server();
    server.#settings = settings;
    server.#directory = await mkdtemp(path.join(tmpdir(), 'chinwag-test-'));
    await server.#spawn('127.0.0.1:0');
    return server;
  }

  /** Starts again on the same database and the same port. */
  async restart() {
    await this.#spawn(new URL(this.url).host);
  }

  /** Sends SIGTERM, and expects the server to end with status 0. */
  async stop() {
    this.#process.kill('SIGTERM');
    const status = await within(10, this.#process.ended, 'stopping the server');
    assert.deepEqual(status, { code: 0, signal: null }, this.stderr);
  }

  /** Kills it, so that it cannot shut down in order. */
  async kill() {
    this.#process.kill('SIGKILL');
    await this.#process.ended;
  }

  /** Ends the server for good. It must not have logged an error or a panic. */
  async dispose() {
    try {
      if (this.#process.exitCode === null && this.#process.signalCode === null) await this.stop();
    } finally {
      await this.kill();
      await rm(this.#directory, { recursive: true, force: true });
    }
    const complaints = this.stderr.split('\n').filter((line) => /"level":"ERROR"|panicked/.test(line));
    assert.deepEqual(complaints, [], 'complaints in the log');
  }

  async #spawn(listen) {
    const database = path.join(this.#directory, 'chinwag.db');
    const settings = ['--listen', listen, '--database-url', `sqlite:${database}`];
    const child = spawn(binary, [...settings, ...this.#settings], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    running.add(child);
    child.once('exit', () => running.delete(child));
    this.#process = child;

    const line = once(createInterface(child.stdout), 'line').then(([text]) => text);
    const failure = child.ended.then(() => 'nothing: it ended');
    const first = await within(10, Promise.race([line, failure]), 'starting the server');
    assert.match(first, greeting, this.stderr);
    this.url = first.match(greeting)[1];
  }
}
