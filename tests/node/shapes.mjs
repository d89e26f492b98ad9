// The notation of docs/protocol.md for what is sent and answered, such as
// `{users: [person…], more?}`: read, and compared with JSON.

import assert from 'node:assert/strict';

const TOKEN = /\s*([{}[\],:?=…]|"[^"]*"|[\w-]+|$)/y;

/** Reads one shape. */
export function readShape(text) {
  const tokens = tokenize(text);
  const shape = read(tokens);
  assert.equal(tokens.length, 0, `${text} goes on after the shape: ${tokens}`);
  return shape;
}

function tokenize(text) {
  const tokens = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length; ) {
    const [, token] = TOKEN.exec(text) ?? assert.fail(`cannot read ${text}`);
    if (token) tokens.push(token);
  }
  return tokens;
}

function read(tokens) {
  const first = tokens.shift();
  if (first === '{') return { fields: readFields(tokens) };
  if (first === '[') return { items: readItems(tokens) };
  // A name of one or more words: `user id`, `"keep" or "erase"`.
  const words = [first];
  while (tokens.length > 0 && !'{}[],:?…'.includes(tokens[0])) words.push(tokens.shift());
  return { name: words.join(' ') };
}

function readFields(tokens) {
  const fields = {};
  while (tokens[0] !== '}') {
    const name = tokens.shift();
    const optional = tokens[0] === '?' && Boolean(tokens.shift());
    const shape = tokens[0] === ':' && tokens.shift() ? read(tokens) : { name };
    fields[name] = { optional, shape };
    if (tokens[0] === ',') tokens.shift();
  }
  tokens.shift();
  return fields;
}

function readItems(tokens) {
  const item = read(tokens);
  if (tokens[0] === '…') tokens.shift();
  assert.equal(tokens.shift(), ']');
  return item;
}

/**
 * Fails unless the value has all fields of the shape that are not optional, and no others. `named`
 * has the shapes with names.
 */
export function assertShape(value, shape, named, path) {
  if (shape.fields) {
    assert.ok(isObject(value), `${path} is ${JSON.stringify(value)} and no object`);
    for (const [name, { optional, shape: inner }] of Object.entries(shape.fields)) {
      if (name in value) assertShape(value[name], inner, named, `${path}.${name}`);
      else assert.ok(optional, `${path} has no ${name}: ${JSON.stringify(value)}`);
    }
    const unknown = Object.keys(value).filter((name) => !(name in shape.fields));
    assert.deepEqual(unknown, [], `${path} has what is not documented`);
  } else if (shape.items) {
    assert.ok(Array.isArray(value), `${path} is ${JSON.stringify(value)} and no list`);
    value.forEach((item, at) => assertShape(item, shape.items, named, `${path}[${at}]`));
  } else if (named[shape.name] && isObject(value)) {
    assertShape(value, named[shape.name], named, path);
  } else if (shape.name.endsWith('s') && Array.isArray(value)) {
    // `{teams}` is a list of the shape `team`.
    const item = { name: shape.name.slice(0, -1) };
    value.forEach((one, at) => assertShape(one, item, named, `${path}[${at}]`));
  }
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
