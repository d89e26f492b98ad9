// The contract that the server serves: it conforms to the standards, its page is made from the
// descriptions, and TypeScript reports misspelled names.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv';

import { docs } from '../../web-demo/docs.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const kept = (name) => readFileSync(path(`../../web-demo/contract/${name}`), 'utf8');

/** If this variable is set, the page is written anew. */
const WRITE = 'CHINWAG_WRITE_CONTRACT';

test('what goes over sockets is described as AsyncAPI wants it', () => {
  const description = JSON.parse(kept('asyncapi.json'));
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const official = readFileSync(path('node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json'));
  assert.ok(ajv.validate(JSON.parse(official), description), ajv.errorsText());
  assert.equal(description.asyncapi, '3.0.0');
  const addresses = Object.values(description.channels).map(({ address }) => address);
  assert.deepEqual(addresses.sort(), ['/api/ws', '/chat/login/{nick}', '/socket.io/']);
  const named = (place) => place.slice(2).split('/').reduce((within, name) => within?.[name], description);
  const places = [...kept('asyncapi.json').matchAll(/"\$ref": "(.*?)"/g)].map(([, place]) => place);
  assert.ok(places.length > 100);
  assert.deepEqual(places.filter((place) => !named(place)), []);
});

test('the page at /docs is made of the descriptions', () => {
  const made = docs(JSON.parse(kept('asyncapi.json')), JSON.parse(kept('openapi.json')));
  if (process.env[WRITE]) writeFileSync(path('../../web-demo/contract/docs.html'), made);
  const why = `web-demo/contract/docs.html is stale: set ${WRITE}=1 and run this test again`;
  assert.ok(made === kept('docs.html'), why);
});

test('a validator of OpenAPI 3.1 reads what is served over HTTP', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(JSON.parse(kept('openapi.json')));
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, '3.1');
});

const PROGRAM = `
import { io, type Socket } from 'socket.io-client';
import type { ClientToServerEvents, Message, ServerToClientEvents } from './chinwag';

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io('http://127.0.0.1:3000');

export async function send(text: string): Promise<Message> {
  const made = await socket.emitWithAck('create-chat', {
    chat: { name: 'Lunch', private: false },
    users: ['7', 8],
    actor: { id: 9 },
  });
  if (made.error) throw new Error(made.error.message);
  const answer = await socket.emitWithAck('new-message', {
    chat: { id: made.chat.id },
    message: { value: text, type: 'text' },
  });
  if (answer.error) throw new Error(answer.error.code === 'conflict' ? 'again' : 'no');
  return answer;
}

export async function mute(chat: string, user: string, last: Message): Promise<boolean> {
  const until = new Date(Date.now() + 60_000);
  await socket.emitWithAck('mute-member', { chat: { id: chat }, user: { id: user }, until });
  const from = new Date(last.created_at);
  await socket.emitWithAck('list-messages', { chat: { id: chat }, query: { from, to: from } });
  const mine = await socket.emitWithAck('list-chats', {});
  if (mine.error) return false;
  return mine.chats.every(({ unread, users }) => unread === 0 && users.includes(user));
}

export async function countPublic(): Promise<number> {
  const found = await socket.emitWithAck('list-public-chats', {});
  return (found.chats ?? []).reduce((sum, { members }) => sum + members, 0);
}

export async function lastChange(chat: string): Promise<number> {
  const changes = await socket.emitWithAck('list-changes', { chat: { id: chat }, after: 0 });
  return changes.messages?.at(-1)?.change.valueOf() ?? 0;
}

let last = 0;
socket.on('new-message', ({ msg, seq }) => console.log(seq.toFixed(), msg.trim()));
socket.on('message-changed', (message) => {
  last = message.change;
  if ('changed' in message && message.changed === 'edited') console.log(message.user.name);
});
socket.on('update-membership', ({ chat }) => console.log(chat.unread.toFixed(), last));
socket.on('chatroom', ({ room }) => console.log(room.name));
export const source = ({ file }: Message): string | undefined => file && new URL(file.url).href;
`;

/** A correct text, its misspelling, and the compiler's message that must name it. */
const MISSPELLED = [
  ["'new-message', {", "'new-mesage', {", /new-mesage/],
  ["on('new-message'", "on('new-mesage'", /new-mesage/],
  ['value: text', 'valeu: text', /valeu/],
  ["private: false", "privat: false", /privat/],
  ["type: 'text'", "type: 'txt'", /txt/],
  ['actor: { id', 'acter: { id', /acter/],
  ['made.chat.id', 'made.chat.di', /di/],
  ['msg, seq', 'mgs, seq', /mgs/],
  ["=== 'conflict'", "=== 'conflicts'", /conflicts/],
  ['chat.unread', 'chat.unred', /unred/],
  ['{ members }', '{ users }', /users/],
  ['room.name', 'room.users', /users/],
];

test('TypeScript takes a right program, and none with a misspelling', () => {
  const folder = mkdtempSync(join(tmpdir(), 'chinwag-types-'));
  try {
    symlinkSync(path('node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'chinwag.d.ts'), kept('chinwag.d.ts'));
    writeFileSync(join(folder, 'right.ts'), PROGRAM);
    MISSPELLED.forEach(([right, wrong], at) => {
      assert.ok(PROGRAM.includes(right), right);
      writeFileSync(join(folder, `wrong${at}.ts`), PROGRAM.replace(right, wrong));
    });
    const options = { strict: true, noEmit: true, module: 'esnext', moduleResolution: 'bundler' };
    const compilerOptions = { ...options, target: 'es2023', skipLibCheck: false, types: [] };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['*.ts'] }),
    );
    const compiler = path('node_modules/typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [compiler, '--pretty', 'false'], {
      cwd: folder,
      encoding: 'utf8',
    });
    const errors = stdout.split('\n').filter((line) => line.includes('error TS'));
    const of = (name) => errors.filter((line) => line.startsWith(name));
    MISSPELLED.forEach(([, wrong, named], at) => {
      const found = of(`wrong${at}.ts`);
      assert.ok(found.some((line) => named.test(line)), `${wrong}: ${stdout}`);
    });
    const others = errors.filter((line) => !line.startsWith('wrong'));
    assert.deepEqual(others, []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
