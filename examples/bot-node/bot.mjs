// A bot that comes into every chat it is invited to, and answers `ping`.
// npm ci && node bot.mjs http://127.0.0.1:3000
import { io } from "socket.io-client";

const socket = io(process.argv[2] ?? "http://127.0.0.1:3000");
const bot = { id: "node_bot", name: "Bot", photo: "" };

async function ask(event, body) {
  // If the connection breaks there is no answer; the next connection begins anew.
  const answer = await socket.emitWithAck(event, body).catch((error) => ({ error }));
  if (answer.error) console.error(event, answer.error);
  return answer;
}

// Every new connection must say who it is; the pending invitations are pushed then.
socket.on("connect", async () => {
  const { user } = await ask("create-user", { user: bot });
  if (user) console.log(`invite me: ${user.id}`);
});

socket.on("invitation", ({ invitation }) =>
  ask("accept-invitation", { user: bot, invitation: { id: invitation.id } }),
);

socket.on("new-message", ({ id, msg, user_id, chat_id }) => {
  if (user_id === bot.id || msg !== "ping") return;
  const message = { value: "pong", type: "text", client_id: `pong-${id}`, reply_to: { id } };
  ask("new-message", { chat: { id: chat_id }, user: bot, message });
});
