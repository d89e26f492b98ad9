// The examples on the page at /docs: each runs as it stands, with the ids of this test, and its
// answer must conform to the contract.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import Ajv from 'ajv/dist/2020.js';

import { IDS } from '../../web-demo/docs.mjs';
import { join } from './client.mjs';
import { serverForThisFile } from './server.mjs';

const kept = (name) =>
  readFileSync(new URL(`../../web-demo/contract/${name}`, import.meta.url), 'utf8');
const contract = JSON.parse(kept('asyncapi.json'));
const server = await serverForThisFile();

const ajv = new Ajv({ strict: false, validateFormats: false });
ajv.addSchema({ $id: 'contract', ...contract });

/** The examples on the page: `[event, code]`. */
const examples = [...kept('docs.html').matchAll(/<pre><code>(.*?emitWithAck\(&quot;(.*?)&quot;.*?)<\/code>/g)].map(
  ([, code, event]) => [event, code.replaceAll('&quot;', '"').replaceAll('&gt;', '>')],
);

/** What has to be done before an example, besides setting the scene. */
const BEFORE = {
  'unban-member': ({ ann, ids }) =>
    ann.ask('ban-member', { chat: { id: ids.chat }, user: { id: ids.user } }),
  unsubscribe: ({ ann, ids }) => ann.ask('subscribe', { channel: `room-${ids.chat}` }),
};

/** A user, and the chats, messages and users that the examples are about. */
async function scene(event) {
  const [ann, bob, carol] = await Promise.all(['ann', 'bob', 'carol'].map((name) => join(server, name)));
  const chat = await ann.createChat([bob]);
  const message = await ann.say(chat, 'hello');
  const theirs = await bob.createChat([]);
  const named = { chat: { id: theirs.id }, user: { id: ann.user.id } };
  const { invitation } = await bob.ask('invite', named);
  const { team } = await ann.ask('create-team', { team: { name: 'a team' }, users: [bob.user.id] });
  const { user } = ['invite', 'add-to-team'].includes(event) ? carol : bob;
  const ids = { chat: chat.id, user: user.id, team: team.id, message: message.id, invitation: invitation.id };
  await BEFORE[event]?.({ ann, ids });
  return { ann, ids };
}

test('every event has its example', () => {
  const events = Object.values(contract.operations).filter(({ tags }) => tags);
  assert.ok(events.length > 40);
  assert.equal(examples.length, events.length);
});

for (const [event, code] of examples) {
  test(`the example of ${event} is taken`, async () => {
    const { ann, ids } = await scene(event);
    const own = Object.entries(IDS).reduce((text, [of, id]) => text.replaceAll(id, ids[of]), code);
    const run = new Function('socket', `return (async () => { return ${own.replace(/;$/, '')} })()`);
    const answer = await run({ emitWithAck: (name, body) => ann.ask(name, body) });
    assert.equal(answer.warnings, undefined);
    const place = `contract#/channels/socketio/messages/${event}.answer/payload/anyOf/0`;
    const is = ajv.getSchema(place) ?? ajv.compile({ $ref: place });
    assert.ok(is(answer), `${ajv.errorsText(is.errors)} ${JSON.stringify(answer)}`);
  });
}

test('a Date is taken as a time', async () => {
  const { ann, ids } = await scene();
  const chat = { id: ids.chat };
  const until = new Date(Date.now() + 60_000);
  const { member } = await ann.ask('mute-member', { chat, user: { id: ids.user }, until });
  assert.equal(new Date(member.muted_until).getTime(), until.getTime());
  const [sent] = (await ann.ask('list-messages', { chat })).messages;
  const at = new Date(sent.created_at);
  const { messages } = await ann.ask('list-messages', { chat, query: { from: at, to: at } });
  assert.deepEqual(messages.map(({ id }) => id), [sent.id]);
});
