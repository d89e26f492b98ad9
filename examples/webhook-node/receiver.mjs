// A receiver of webhooks: it checks who sends them, and says whom it would notify of a message.
// CHINWAG_WEBHOOK_SECRET=whsec_… node receiver.mjs 8080
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.CHINWAG_WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const MAX_AGE = 5 * 60;
// What was seen lately: an event may come again. A real one keeps this in its database.
const seen = new Set();

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

function take({ event, data, offline }) {
  if (event !== "message-sent") return;
  for (const user of offline.filter((user) => user !== data.message.user_id)) {
    console.log(`push to ${user}: ${data.user?.name ?? data.author}: ${data.message.body}`);
  }
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) take(JSON.parse(body));
  seen.add(id);
  // Whatever is not 2xx comes again.
  response.writeHead(204).end();
});

server.listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () =>
  console.log(`give chinwag --webhook-url http://127.0.0.1:${server.address().port}/`),
);
