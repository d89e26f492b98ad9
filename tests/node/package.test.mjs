// The package for frontends that the server serves: its contents, and that it works as documented.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

import { installClient, packages } from './installed.mjs';
import { serverForThisFile } from './server.mjs';
import { within } from './within.mjs';

const server = await serverForThisFile();
const { folder, tarball, installed } = await installClient(server);
const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(path.join(installed, 'README.md'), 'utf8');
const codeOf = (language) => readme.match(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms'))[1];

test('the package has the code, its types and a README', () => {
  const about = readdirSync(installed);
  assert.deepEqual(about.sort(), ['LICENSE', 'README.md', 'dist', 'package.json']);
  const files = readdirSync(path.join(installed, 'dist'));
  const code = files.filter((file) => file.endsWith('.js'));
  assert.ok(code.includes('index.js'));
  const types = code.map((file) => file.replace(/\.js$/, '.d.ts'));
  assert.deepEqual(files.sort(), [...code, ...types, 'chinwag.d.ts'].sort());
  const { name, version, dependencies } = JSON.parse(
    readFileSync(path.join(installed, 'package.json'), 'utf8'),
  );
  const [, ofServer] = readFileSync(`${root}/Cargo.toml`, 'utf8').match(/^version = "(.*)"$/m);
  assert.deepEqual([name, version], ['chinwag-client', ofServer]);
  assert.deepEqual(Object.keys(dependencies), ['socket.io-client']);
});

test('the package is served with its type, and the docs page links to it', async () => {
  const { headers } = await fetch(`${server.url}/chinwag-client.tgz`);
  assert.equal(headers.get('content-type'), 'application/gzip');
  const docs = await fetch(`${server.url}/docs`);
  assert.ok((await docs.text()).includes('href="/chinwag-client.tgz"'));
});

test('the package does not say when and where it was built', () => {
  const bytes = gunzipSync(tarball);
  for (const place of [root, homedir(), tmpdir()]) assert.ok(!bytes.includes(`${place}/`), place);
  const times = new Set();
  for (let at = 0; bytes[at]; ) {
    const field = (from, length) => bytes.toString('latin1', at + from, at + from + length);
    times.add(field(136, 11));
    at += 512 * (1 + Math.ceil(parseInt(field(124, 11), 8) / 512));
  }
  assert.equal(times.size, 1);
});

test('the script of its page chats', { timeout: 300_000 }, async () => {
  const script = codeOf('js').replace('http://localhost:3000', server.url);
  writeFileSync(path.join(folder, 'chat.js'), script);
  const stdio = ['ignore', 'pipe', 'inherit'];
  const child = spawn(process.execPath, ['chat.js'], { cwd: folder, stdio });
  try {
    const line = once(createInterface(child.stdout), 'line').then(([line]) => line);
    assert.equal(await within(20, line, 'the line that the script prints'), '1 Ada Hello');
  } finally {
    child.kill();
  }
});

const PROGRAM = `
import { ChatClient, ChatError, type Message, type MyChat } from 'chinwag-client';

const client = new ChatClient({
  url: 'http://127.0.0.1:3000',
  user: { external_id: '7', name: 'Ada' },
  token: async () => 'abc',
  storage: localStorage,
  changed: () => console.log(client.state === 'connected', client.room.here?.participants),
});

client.on('invitation', ({ invitation }) => console.log(invitation.inviter.name));

export async function edit({ id, timeline }: MyChat, value: string): Promise<Message | undefined> {
  client.send({ chat_id: id, text: 'Hello' });
  const last = timeline.messages?.at(-1);
  if (!last) return undefined;
  try {
    const body = { chat: { id }, message: { id: last.id, value } };
    return await client.request('edit-message', { ...body, actor: { id: '7' } });
  } catch (error) {
    if (error instanceof ChatError && error.code === 'forbidden') return last;
    throw error;
  }
}
`;

/** A correct text, and its misspelling, which the compiler must name. */
const MISSPELLED = [
  ["'edit-message'", "'edit-mesage'"],
  ['actor:', 'acter:'],
  ['text:', 'txt:'],
  ["'forbidden'", "'forbiden'"],
  ["external_id: '7', ", ''],
  ["'invitation',", "'invitations',"],
  ["=== 'connected'", "=== 'conected'"],
];

test('its types take a right program, and none with a misspelling', { timeout: 300_000 }, () => {
  for (const module of ['nodenext', 'esnext']) {
    const moduleResolution = module === 'esnext' ? 'bundler' : module;
    const options = { strict: true, noEmit: true, target: 'es2023', skipLibCheck: false, types: [] };
    const compilerOptions = { ...options, module, moduleResolution };
    writeFileSync(
      path.join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['*.ts'] }),
    );
    writeFileSync(path.join(folder, 'right.ts'), PROGRAM);
    writeFileSync(path.join(folder, 'readme.ts'), codeOf('js'));
    MISSPELLED.forEach(([right, wrong], at) => {
      assert.ok(PROGRAM.includes(right), right);
      writeFileSync(path.join(folder, `wrong${at}.ts`), PROGRAM.replace(right, wrong));
    });
    const compiler = path.join(packages, 'typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [compiler, '--pretty', 'false'], {
      cwd: folder,
      encoding: 'utf8',
    });
    const errors = stdout.split('\n').filter((line) => line.includes('error TS'));
    MISSPELLED.forEach(([, wrong], at) =>
      assert.ok(errors.some((line) => line.startsWith(`wrong${at}.ts`)), `${wrong}: ${stdout}`),
    );
    assert.deepEqual(errors.filter((line) => !line.startsWith('wrong')), [], module);
  }
});
