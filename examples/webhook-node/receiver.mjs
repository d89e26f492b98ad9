// A receiver of webhooks: it notifies users who are offline of messages, by push and by mail.
//
// npm ci && CHINWAG_WEBHOOK_SECRET=whsec_… SMTP_URL=smtp://localhost node receiver.mjs 8080
//
// people.json says how to reach each user, by the user's id: replace its entries by yours. A push
// goes to a topic of ntfy or to a UnifiedPush endpoint.
//
// It answers at once and sends later, so that a dead mailbox holds up nothing. Its queue is in
// memory: notifications that are not sent when it ends are lost, and so are those that fail three
// times. It remembers the last 10,000 event ids until it ends: an older event that comes again is
// notified again. A receiver that must lose nothing stores both in a database, and answers after
// that.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createTransport } from "nodemailer";

const { CHINWAG_WEBHOOK_SECRET, SMTP_URL, PEOPLE = "people.json" } = process.env;
const key = Buffer.from(CHINWAG_WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const people = JSON.parse(readFileSync(PEOPLE, "utf8"));
// In seconds.
const MAX_AGE = 5 * 60;
const MAX_BODY = 8 << 20;
const MAX_SEEN = 10_000;
// How many notifications may wait before events are refused, and how many are sent at once.
const MAX_WAITING = 1000;
const AT_ONCE = 8;
const MAX_TRIES = 3;
const RETRY_AFTER = 10_000;
const TIMEOUT = 10_000;

async function push(url, text) {
  const signal = AbortSignal.timeout(TIMEOUT);
  const answer = await fetch(url, { method: "POST", body: text, signal });
  if (!answer.ok) throw new Error(`the push service answered with ${answer.status}`);
}

const timeouts = { connectionTimeout: TIMEOUT, greetingTimeout: TIMEOUT, socketTimeout: TIMEOUT };
const mailer = createTransport({ url: SMTP_URL, ...timeouts }, { from: "Chat <chat@example.com>" });
const mail = (to, text) => mailer.sendMail({ to, subject: "A new message", text });

class Queue {
  #jobs = [];
  // Includes notifications that are being sent or will be tried again.
  #waiting = 0;
  #busy = 0;

  constructor(send) {
    this.send = send;
  }

  get isFull() {
    return this.#waiting >= MAX_WAITING;
  }

  add(to, text) {
    this.#waiting += 1;
    this.#put({ to, text, tries: 0 });
  }

  #put(job) {
    this.#jobs.push(job);
    if (this.#busy < AT_ONCE) this.#work();
  }

  async #work() {
    this.#busy += 1;
    while (this.#jobs.length > 0) await this.#try(this.#jobs.shift());
    this.#busy -= 1;
  }

  async #try(job) {
    try {
      await this.send(job.to, job.text);
    } catch (error) {
      job.tries += 1;
      if (job.tries < MAX_TRIES) return void setTimeout(() => this.#put(job), RETRY_AFTER);
      console.error(`${job.to} is not told of a message: ${error.message}`);
    }
    this.#waiting -= 1;
  }
}

const pushes = new Queue(push);
const mails = new Queue(mail);
// The ids of the latest events that were taken, as an event may come again.
const seen = new Set();

function isGenuine(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp } = headers;
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  // This also refuses an age that is not a number.
  if (!(age < MAX_AGE)) return false;
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  // There are several signatures while a secret is being replaced.
  return String(headers["webhook-signature"]).split(" ").some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

function take(id, { event, data, offline }) {
  if (event !== "message-sent" || seen.has(id)) return;
  seen.add(id);
  // The first id in the set is the oldest.
  if (seen.size > MAX_SEEN) seen.delete(seen.values().next().value);
  const text = `${data.user?.name ?? data.author}: ${data.message.body}`;
  for (const user of offline.filter((user) => user !== data.message.user_id)) {
    const to = people[user] ?? {};
    if (to.push) pushes.add(to.push, text);
    if (to.mail) mails.add(to.mail, text);
  }
}

async function answer(request, response) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY) throw new Error("that is no event");
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString();
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  // Chinwag sends the event again later.
  if (pushes.isFull || mails.isFull) return response.writeHead(503).end();
  take(request.headers["webhook-id"], JSON.parse(body));
  response.writeHead(204).end();
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error.message);
    response.destroy();
  });
});

server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () =>
  console.log(`give chinwag --webhook-url http://127.0.0.1:${server.address().port}/`),
);
