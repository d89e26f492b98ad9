/** Code that does the same as the page has just done, for users to copy. */
import { UPLOAD } from '../chat/uploads';

export interface Recipe {
  title: string;
  code: string;
}

/** Requests that exist only over Socket.IO and not over HTTP. */
const SOCKET_ALONE = ['subscribe', 'unsubscribe', 'watch-users', 'unwatch-users'];

/** `actor` is the id of the acting user, if no token says who acts. */
export function recipesFor(event: string, body: unknown, actor?: string): Recipe[] {
  if (event === UPLOAD) return ofUpload(body as { name: string; type: string }, actor);
  const recipes = [{ title: 'Socket.IO', code: overSocket(event, body, actor) }];
  if (!SOCKET_ALONE.includes(event)) {
    recipes.push({ title: 'curl', code: overHttp(event, body, actor) });
  }
  return recipes;
}

function overSocket(event: string, body: unknown, actor?: string): string {
  const open = actor
    ? `const socket = io(${JSON.stringify(location.origin)});`
    : `const socket = io(${JSON.stringify(location.origin)}, { auth: { token } });`;
  const asked = withActor(event, body, actor);
  return `import { io } from "socket.io-client";

${open}
const answer = await socket.emitWithAck("${event}", ${literal(asked)});`;
}

function overHttp(event: string, body: unknown, actor?: string): string {
  const asked = withActor(event, body, actor);
  const lines = [
    `curl ${location.origin}/api/events/${event}`,
    `-H 'Content-Type: application/json'`,
  ];
  if (!actor) lines.push(`-H "Authorization: Bearer $TOKEN"`);
  lines.push(`-d ${quoted(JSON.stringify(asked))}`);
  return lines.join(CONTINUED);
}

function ofUpload({ name, type }: { name: string; type: string }, actor?: string): Recipe[] {
  const about = new URLSearchParams(actor ? { name, user: actor } : { name });
  const address = `${location.origin}/api/files?${about}`;
  const kind = type || 'application/octet-stream';
  const lines = [`curl ${quoted(address)}`, `-H ${quoted(`Content-Type: ${kind}`)}`];
  if (!actor) lines.push(`-H "Authorization: Bearer $TOKEN"`);
  lines.push(`--data-binary ${quoted(`@${name}`)}`);
  const token = actor ? '' : ', Authorization: `Bearer ${token}`';
  const code = `const response = await fetch(${JSON.stringify(address)}, {
  method: "POST",
  headers: { "Content-Type": ${JSON.stringify(kind)}${token} },
  body: file,
});
const { file: { id } } = await response.json();`;
  return [
    { title: 'JavaScript', code },
    { title: 'curl', code: lines.join(CONTINUED) },
  ];
}

const CONTINUED = ' \\\n  ';
/** Within single quotes a shell takes every character literally, except single quotes. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Adds `actor`, unless the event is `create-user`, which itself says who the user is. */
function withActor(event: string, body: unknown, actor?: string): unknown {
  if (!actor || event === 'create-user') return body;
  return { actor: { id: actor }, ...(body as object) };
}

/** As a person would write it: keys without quotes where they need none. */
function literal(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/^(\s*)"(\w+)":/gm, '$1$2:');
}
