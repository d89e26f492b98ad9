// Makes the page at /docs from the two descriptions. The page is complete in itself and runs no
// script. It is stored in `contract/`; `tests/node/contract.test.mjs` compares it, and sends its
// examples.

const escape = (text) =>
  String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

/** A sentence of a description: text in backquotes is shown as code. */
const prose = (text = '') => escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');

const nameOf = (schema) => schema.$ref?.split('/').at(-1);

/** A type in a few words, with links to named types. */
function type(schema) {
  if (schema.$ref) return `<a href="#type-${nameOf(schema)}">${nameOf(schema)}</a>`;
  if ('const' in schema) return escape(JSON.stringify(schema.const));
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(type).join(' or ');
  if (schema.allOf) return schema.allOf.map(type).join(' and ');
  if (schema.enum) return schema.enum.map((value) => escape(JSON.stringify(value))).join(' or ');
  const kinds = [schema.type ?? 'any JSON'].flat();
  return kinds.map((kind) => ofKind(kind, schema)).join(' or ');
}

function ofKind(kind, schema) {
  if (kind === 'array') return `[${schema.items ? type(schema.items) : ''}…]`;
  if (kind === 'object' && schema.properties) {
    const fields = fieldsOf(schema).map(({ name, field, optional }) => {
      const mark = optional ? '?' : '';
      return Object.keys(field).length > 0 ? `${name}${mark}: ${type(field)}` : name + mark;
    });
    return `{ ${fields.join(', ')} }`;
  }
  return kind === 'string' && schema.format === 'date-time' ? 'time' : kind;
}

/** The fields of an object, required ones first. */
function fieldsOf(schema) {
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    return { name, field, optional: !schema.required?.includes(name) };
  });
  return fields.sort((one, other) => one.optional - other.optional);
}

function table(schema) {
  const rows = fieldsOf(schema).map(({ name, field, optional }) => {
    const mark = optional ? '<span class="optional">optional</span>' : '';
    const says = prose(field.description);
    return `<tr><th scope="row"><code>${name}</code> ${mark}</th><td>${type(field)}</td><td>${says}</td></tr>`;
  });
  if (rows.length === 0) return '<p class="none">Nothing more.</p>';
  return `<div class="wide"><table><tbody>${rows.join('')}</tbody></table></div>`;
}

/** Optional fields that examples show nevertheless, as a request without them would do little. */
const SHOWN = ['value', 'external_id', 'photo', 'text', 'description', 'muted'];

/** The ids in examples. */
export const IDS = {
  chat: '019b4c3e-5a10-7d02-8c6f-3f1e9a7b2d40',
  user: '019b4c3d-91f7-7a3e-b5d8-60c2e4f81a93',
  team: '019b4c41-0c88-7f5b-9e14-d27a3b6c8051',
  message: '019b4c3f-7e6d-7c19-a2b4-95e0d1c7f638',
  invitation: '019b4c42-d3b5-7e80-8f97-1a5c6e2b90d4',
};

/** The texts of examples, by the names of their fields. */
const WORDS = {
  ...IDS,
  channel: `room-${IDS.chat}`,
  'user.name': 'Ann',
  external_id: '7',
  photo: 'https://example.com/ann.png',
  'chat.name': 'Lunch',
  description: 'What we eat',
  'team.name': 'Kitchen',
  value: 'Hello',
  text: 'hello',
  reaction: '👍',
  data: { x: 1 },
};

/** An example value of a type: its required fields, and few more. */
function example(schema, schemas, path = '') {
  if (schema.$ref) return example(schemas[nameOf(schema)], schemas, path);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => example(one, schemas)));
  if (schema.enum) return schema.enum[0];
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices[0].const ?? example(choices[0], schemas, path);
  const name = path.split('.').at(-1);
  switch ([schema.type].flat()[0]) {
    case 'object': {
      const shown = fieldsOf(schema).filter((it) => !it.optional || SHOWN.includes(it.name));
      const inner = (it) => (it === 'id' || !path ? path || it : `${path}.${it}`);
      return Object.fromEntries(
        shown.map((it) => [it.name, example(it.field, schemas, inner(it.name))]),
      );
    }
    case 'array':
      return [example(schema.items ?? {}, schemas, path.replace(/s$/, ''))];
    case 'integer':
      // For `after`, 0 asks for a list from its beginning, as its numbers begin with 1.
      return name === 'after' ? 0 : 1;
    case 'boolean':
      return true;
    default:
      return WORDS[path] ?? WORDS[name] ?? name;
  }
}

const inJs = (value) => JSON.stringify(value).replace(/"(\w+)":/g, '$1: ').replace(/,/g, ', ');

const anchor = (text) => text.toLowerCase().replace(/[^a-z]+/g, '-');

/** What a reader must know before the first request. */
const START = `<section><h2 id="start">Start</h2>
<p>In a page of this server, or in Node with this server's address in <code>io(…)</code>:</p>
<pre><code>const socket = io();
socket.on("connect", async () => {
  // Each connection begins as nobody: say who you are after each reconnect, too.
  await socket.emitWithAck("create-user", { user: { external_id: "7", name: "Ann" } });
});
socket.on("new-message", (message) => console.log(message.seq, message.msg));</code></pre>
<ul>
<li>Requests act as the user that the socket has named last; <code>actor: { id }</code> in a request
names another for this one request.</li>
<li>A server that wants tokens takes one as <code>io({ auth: { token } })</code>;
<code>POST /api/accounts</code> makes an account and gives its first token.</li>
<li>What came while you were away: <code>list-messages</code> with <code>after_seq</code> brings new
messages, <code>list-changes</code> brings edits, deletions and reactions.</li>
<li>By default a message has up to 512 KiB of text and a frame up to 1 MiB: a connection that sends a
larger frame is closed. A refusal for what is too large names the limit.</li>
</ul></section>`;

/** @returns {string} the page */
export function docs(asyncapi, openapi) {
  const schemas = { ...openapi.components.schemas, ...asyncapi.components.schemas };
  const { messages } = asyncapi.channels.socketio;
  const operations = Object.entries(asyncapi.operations);
  const requests = operations.filter(([, it]) => it.tags);
  const features = asyncapi.info.tags.map(({ name }) => name);
  const pushes = operations.filter(([name]) => name.endsWith('.push'));

  const request = ([event, operation]) => {
    const body = messages[`${event}.request`].payload;
    const [own] = body.allOf ?? [];
    const acting = nameOf(body.allOf?.[1] ?? body);
    const schema = own ? schemas[nameOf(own)] : {};
    const [[answer]] = [messages[`${event}.answer`].payload.anyOf[0].allOf];
    const path = `/api/events/${event}`;
    const doors = openapi.paths[path] ? `Socket.IO, <code>POST ${path}</code>` : 'Socket.IO alone';
    const shown = escape(`await socket.emitWithAck("${event}", ${inJs(example(body, schemas))});`);
    return `<article id="${event}">
      <h3><a href="#${event}">${event}</a></h3>
      <p>${prose(operation.summary)}. <span class="doors">${doors}</span></p>
      ${table(schema)}
      <p>Who acts: ${type({ $ref: acting })}. Answer: ${type(answer)}. Refusals: <a href="#errors">errors</a>.</p>
      <pre><code>${shown}</code></pre>
    </article>`;
  };

  const push = ([name, operation]) => {
    const { name: event, payload } = messages[name];
    return `<tr><th scope="row" id="${name}"><code>${event}</code></th><td>${type(payload)}</td>
      <td>${prose(operation.summary)}. ${prose(operation.description)}</td></tr>`;
  };

  const socket = (name) => {
    const { address, description, messages: frames } = asyncapi.channels[name];
    const kindOf = ({ payload }) => (payload.allOf?.[0] ?? payload).properties?.type?.const;
    const inOrder = Object.entries(frames).sort(([, one], [, other]) => kindOf(one) - kindOf(other));
    const rows = inOrder.map(([frame, { payload, summary }]) => {
      const way = asyncapi.operations[`${name}.${frame}`].action === 'receive' ? 'you send' : 'you get';
      const kind = kindOf({ payload });
      const body = payload.allOf?.[1] ?? (payload.$ref ? payload : {});
      const what = nameOf(body) ? type(body) : 'nothing more';
      const mark = kind === undefined ? '' : `<code>type: ${kind}</code> `;
      return `<tr><th scope="row">${way}</th><td>${mark}${what}</td><td>${prose(summary)}</td></tr>`;
    });
    return `<h3><code>${escape(address)}</code></h3><p>${prose(description)}</p>
      <div class="wide"><table><tbody>${rows.join('')}</tbody></table></div>`;
  };

  const endpoint = ([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
      const asked = (operation.parameters ?? []).map(
        (it) => `<tr><th scope="row"><code>${it.name}</code></th><td>in the ${it.in}</td><td>${prose(it.description)}</td></tr>`,
      );
      const answers = Object.entries(operation.responses).map(([status, it]) => {
        const response = it.$ref ? openapi.components.responses[nameOf(it)] : it;
        const schema = Object.values(response.content ?? {})[0]?.schema;
        const shown = schema && Object.keys(schema).length > 0 ? type(schema) : '';
        return `<tr><th scope="row">${status}</th><td>${shown}</td><td>${prose(response.description)}</td></tr>`;
      });
      return `<article><h3><code>${method.toUpperCase()} ${escape(path)}</code></h3>
        <p>${prose(operation.summary ?? operation.description)}</p>
        ${body && Object.keys(body).length > 0 ? `<p>Body: ${type(body)}</p>` : ''}
        <div class="wide"><table><tbody>${[...asked, ...answers].join('')}</tbody></table></div></article>`;
    });

  const named = ([name, schema]) => `<article id="type-${name}"><h3>${name}</h3>
    <p>${prose(schema.description)}</p>
    ${schema.type === 'object' ? table(schema) : `<p>${type(schema)}</p>`}</article>`;

  const codes = schemas.Failure.properties.code.oneOf.map(
    (it) => `<tr><th scope="row"><code>${it.const}</code></th><td>${prose(it.description)}.</td></tr>`,
  );
  const { '/rpc': rpc, ...rest } = openapi.paths;
  const own = Object.entries(rest).filter(([path]) => !path.startsWith('/api/events/'));
  const calls = rpc.post.requestBody.content['application/json'].schema.anyOf[0].oneOf.map((call) => {
    const { method, params } = call.properties;
    return `<tr><th scope="row"><code>${method.enum[0]}</code></th><td>${type(params.anyOf[0])}</td>
      <td>${prose(params.anyOf[1].description)}</td></tr>`;
  });
  const list = features.map(
    (feature) => `<section><h2 id="${anchor(feature)}">${feature}</h2>
      ${requests.filter(([, it]) => it.tags[0].name === feature).map(request).join('')}</section>`,
  );
  const links = features.map((feature) => {
    const events = requests.filter(([, it]) => it.tags[0].name === feature);
    const each = events.map(([event]) => `<a href="#${event}">${event}</a>`).join(' ');
    return `<p><a class="feature" href="#${anchor(feature)}">${feature}</a> ${each}</p>`;
  });
  const types = Object.entries(schemas).sort(([one], [other]) => (one < other ? -1 : 1));

  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Chinwag: what clients and the server say</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs.css">
</head>
<body>
<header>
<h1>Chinwag ${escape(asyncapi.info.version)}</h1>
<p>What clients and the server say to each other. For programs:
<a href="/asyncapi.json">asyncapi.json</a>, <a href="/openapi.json">openapi.json</a>, and for
TypeScript <a href="/chinwag.d.ts">chinwag.d.ts</a>. For frontends: <code>npm install</code> with the
address of <a href="/chinwag-client.tgz">chinwag-client.tgz</a>: a client that reconnects, sends again
and fills gaps by itself.</p>
<nav aria-label="Contents">
<p><a class="feature" href="#start">Start</a></p>
${links.join('\n')}
<p><a class="feature" href="#pushes">Pushes</a> <a class="feature" href="#errors">Errors</a>
<a class="feature" href="#sockets">Plain WebSockets</a> <a class="feature" href="#rest">REST and files</a>
<a class="feature" href="#rpc">Rooms API</a> <a class="feature" href="#types">Types</a></p>
</nav>
</header>
<main>
${START}
<p>${prose(asyncapi.channels.socketio.description)}</p>
${list.join('\n')}
<section><h2 id="pushes">Pushes</h2><p>What sockets get without asking.</p>
<div class="wide"><table><tbody>${pushes.map(push).join('')}</tbody></table></div></section>
<section><h2 id="errors">Errors</h2><p>A refused request is answered
<code>{ error: <a href="#type-Failure">Failure</a> }</code>. Any request may meet any of these codes.</p>
<div class="wide"><table><tbody>${codes.join('')}</tbody></table></div></section>
<section><h2 id="sockets">Plain WebSockets</h2>${socket('channels')}${socket('direct')}</section>
<section><h2 id="rest">REST and files</h2><p>${prose(openapi.info.description)}</p>
${own.flatMap(endpoint).join('\n')}</section>
<section><h2 id="rpc">Rooms API</h2><p>JSON-RPC 2.0 on <code>POST /rpc</code>, one call or a batch of
them. The parameters are given by name or in order.</p>
<div class="wide"><table><tbody>${calls.join('')}</tbody></table></div></section>
<section><h2 id="types">Types</h2>${types.map(named).join('\n')}</section>
</main>
</body>
</html>
`;
}
