// A receiver of webhooks: it tells those who are offline of a message, by push and by mail.
//
// npm ci && CHINWAG_WEBHOOK_SECRET=whsec_… SMTP_URL=smtp://localhost node receiver.mjs 8080
//
// people.json says how to reach whom, by their ids. What a push goes to is a topic of ntfy or a
// UnifiedPush endpoint: {"bob": {"push": "https://ntfy.sh/bobs-topic", "mail": "bob@example.com"}}
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createTransport } from "nodemailer";

const { CHINWAG_WEBHOOK_SECRET, SMTP_URL, PEOPLE = "people.json" } = process.env;
const key = Buffer.from(CHINWAG_WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const people = JSON.parse(readFileSync(PEOPLE, "utf8"));
const mailer = createTransport(SMTP_URL, { from: "Chat <chat@example.com>" });
const MAX_AGE = 5 * 60;
// What was done lately: an event may come again. A real one keeps this in its database.
const done = new Set();

function isGenuine(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp } = headers;
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  // Not a number either.
  if (!(age < MAX_AGE)) return false;
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  // There are several while a secret is replaced.
  return String(headers["webhook-signature"]).split(" ").some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

async function push(url, text) {
  const answer = await fetch(url, { method: "POST", body: text, signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(`the push service answered with ${answer.status}`);
}

const mail = (to, text) => mailer.sendMail({ to, subject: "A new message", text });

async function once(name, action) {
  if (done.has(name)) return;
  await action();
  done.add(name);
}

async function take(id, { event, data, offline }) {
  if (event !== "message-sent") return;
  const text = `${data.user?.name ?? data.author}: ${data.message.body}`;
  for (const user of offline.filter((user) => user !== data.message.user_id)) {
    const to = people[user] ?? {};
    if (to.push) await once(`${id} push ${user}`, () => push(to.push, text));
    if (to.mail) await once(`${id} mail ${user}`, () => mail(to.mail, text));
  }
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  try {
    await take(request.headers["webhook-id"], JSON.parse(body));
    response.writeHead(204).end();
  } catch (error) {
    console.error(error.message);
    // The event comes again.
    response.writeHead(500).end();
  }
});

server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () =>
  console.log(`give chinwag --webhook-url http://127.0.0.1:${server.address().port}/`),
);
