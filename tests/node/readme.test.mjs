// The commands and code in README.md work as they stand.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Server, serverForThisFile } from './server.mjs';
import { within } from './within.mjs';

const page = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const packages = fileURLToPath(new URL('node_modules', import.meta.url));

const codeOf = (language) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code);

const server = await serverForThisFile();

test('the script chats', { timeout: 300_000 }, async () => {
  const [script, ...others] = codeOf('js');
  assert.deepEqual(others, []);
  const directory = mkdtempSync(path.join(tmpdir(), 'chinwag-readme-'));
  symlinkSync(packages, path.join(directory, 'node_modules'));
  const text = script.replaceAll('http://127.0.0.1:3000', server.url);
  writeFileSync(path.join(directory, 'chat.mjs'), text);
  const stdio = ['ignore', 'pipe', 'inherit'];
  const child = spawn('node', ['chat.mjs'], { cwd: directory, stdio });
  try {
    const lines = createInterface(child.stdout);
    const [line] = await within(20, once(lines, 'line'), 'the line that the script prints');
    assert.equal(line, '1 Hi there');
  } finally {
    child.kill();
    rmSync(directory, { recursive: true });
  }
});

test('the commands are there, and the settings are taken', { timeout: 300_000 }, async () => {
  const commands = codeOf('sh').flatMap((code) => code.split('\n').filter(Boolean));
  assert.ok(commands.length > 2);
  for (const command of commands) {
    const [program, ...words] = command.split(' ');
    if (program === 'cargo') {
      // Cargo runs the tests, and cannot run within them.
      execFileSync('cargo', [words[0], '--help'], { stdio: 'ignore' });
    } else {
      assert.equal(program, 'chinwag', command);
      const settings = words.join(' ').replace('0.0.0.0:3000', '127.0.0.1:0').split(' ');
      const started = await Server.start(...settings);
      await started.dispose();
    }
  }
});
