// The same chat as a good Node developer would write it: socket.io, and better-sqlite3 with an
// fsync at every commit. All writes of one turn of the event loop share a transaction; answers and
// pushes follow the commit. Usage: node server.mjs FILE

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import Database from 'better-sqlite3';
import { Server } from 'socket.io';

const db = new Database(process.argv[2]);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.exec(`
  create table if not exists users (id text primary key, external_id text unique, name text, photo text) without rowid;
  create table if not exists chats (id text primary key, name text, private int, creator_id text,
    last_seq int not null default 0, created_at text, active_at text) without rowid;
  create table if not exists members (chat_id text, user_id text, read_seq int not null default 0,
    primary key (chat_id, user_id)) without rowid;
  create index if not exists members_by_user on members (user_id, chat_id);
  create table if not exists messages (chat_id text, seq int, id text, user_id text, type text,
    msg text, created_at text, primary key (chat_id, seq)) without rowid;
`);

const sql = Object.fromEntries(Object.entries({
  addUser: `insert into users values (?, ?, ?, ?)
    on conflict (external_id) do update set name = excluded.name, photo = excluded.photo returning *`,
  addChat: 'insert into chats values (?, ?, ?, ?, 0, ?, ?) returning *',
  chat: 'select * from chats where id = ?',
  addMember: 'insert or ignore into members (chat_id, user_id) values (?, ?)',
  dropMember: 'delete from members where chat_id = ? and user_id = ?',
  member: 'select read_seq from members where chat_id = ? and user_id = ?',
  chatsOf: 'select chat_id from members where user_id = ?',
  nextSeq: 'update chats set last_seq = last_seq + 1, active_at = ? where id = ? returning last_seq',
  addMessage: 'insert into messages values (?, ?, ?, ?, ?, ?, ?)',
  read: 'update members set read_seq = ? where chat_id = ? and user_id = ?',
  unread: 'select count(*) as n from messages where chat_id = ? and seq > ? and user_id <> ?',
  lastSeq: 'select last_seq from chats where id = ?',
  page: `select * from messages where chat_id = ? and seq > ? and seq < ? order by seq limit ?`,
  latest: `select * from messages where chat_id = ? and seq > ? and seq < ? order by seq desc limit ?`,
  list: `select c.*, (select json_group_array(user_id) from members where chat_id = c.id) as users,
      (select count(*) from messages where chat_id = c.id and seq > m.read_seq and user_id <> m.user_id) as unread
    from members m join chats c on c.id = m.chat_id where m.user_id = ? order by active_at desc limit ?`,
}).map(([name, text]) => [name, db.prepare(text)]));

const roomOf = (chatId) => `room-${chatId}`;
const now = () => new Date().toISOString();
const messageView = ({ created_at, chat_id, ...message }) =>
  ({ ...message, chat_id, room: roomOf(chat_id), created_at, modified_at: created_at });
const chatView = ({ private: isPrivate, creator_id, active_at, users, ...chat }) =>
  ({ ...chat, private: isPrivate === 1, user: creator_id, users, modified_at: active_at });

function check(chatId, userId) {
  return sql.member.get(chatId, userId) ?? refuse('not_found', 'there is no such chat');
}
function refuse(code, message) {
  throw Object.assign(new Error(message), { code });
}

// Each write checks before it changes anything, so that one that fails does not affect the others.
const writes = {
  'create-user': (socket, { user: { external_id, name, photo } }) => {
    const user = sql.addUser.get(randomUUID(), external_id, name, photo);
    return [{ user }, () => {
      socket.data.user = user.id;
      socket.join([`user-${user.id}`, ...sql.chatsOf.all(user.id).map((it) => roomOf(it.chat_id))]);
    }];
  },
  'create-chat': (socket, { chat, users }) => {
    const members = [...new Set([socket.data.user, ...users])];
    const [isPrivate, time] = [Number(chat.private ?? true), now()];
    const made = sql.addChat.get(randomUUID(), chat.name, isPrivate, socket.data.user, time, time);
    for (const user of members) sql.addMember.run(made.id, user);
    const answer = { chat: chatView({ ...made, users: members }) };
    return [answer, () => {
      io.in(members.map((user) => `user-${user}`)).socketsJoin(roomOf(made.id));
      socket.to(roomOf(made.id)).emit('create-chat', answer);
    }];
  },
  'join-chat': (socket, { chat: { id } }) => {
    const chat = sql.chat.get(id);
    if (!chat || chat.private) refuse('not_found', 'there is no such chat');
    sql.addMember.run(id, socket.data.user);
    return [{ chat: chatView(chat) }, () => io.in(`user-${socket.data.user}`).socketsJoin(roomOf(id))];
  },
  'leave-chat': (socket, { chat: { id } }) => {
    check(id, socket.data.user);
    sql.dropMember.run(id, socket.data.user);
    return [{ chat: chatView(sql.chat.get(id)) }, () => io.in(`user-${socket.data.user}`).socketsLeave(roomOf(id))];
  },
  'new-message': (socket, { chat, message: { value, type } }) => {
    check(chat.id, socket.data.user);
    const [id, time] = [randomUUID(), now()];
    const { last_seq: seq } = sql.nextSeq.get(time, chat.id);
    sql.addMessage.run(chat.id, seq, id, socket.data.user, type, value, time);
    const view = messageView({ id, msg: value, type, user_id: socket.data.user, chat_id: chat.id, seq, created_at: time });
    return [view, () => io.to(view.room).emit('new-message', view)];
  },
  'mark-read': (socket, { chat: { id, seq } }) => {
    const { read_seq: before } = check(id, socket.data.user);
    const { last_seq: last } = sql.lastSeq.get(id);
    const read_seq = Math.max(before, Math.min(seq ?? last, last));
    if (read_seq > before) sql.read.run(read_seq, id, socket.data.user);
    const answer = { chat: { id, read_seq, unread: sql.unread.get(id, read_seq, socket.data.user).n } };
    return [answer, () => read_seq > before && socket.to(`user-${socket.data.user}`).emit('mark-read', answer)];
  },
};

const reads = {
  'list-messages': (socket, { chat: { id }, query = {} }) => {
    check(id, socket.data.user);
    const { after_seq, before_seq = Number.MAX_SAFE_INTEGER, limit = 1000 } = query;
    const forward = after_seq !== undefined;
    const rows = (forward ? sql.page : sql.latest).all(id, after_seq ?? 0, before_seq, Math.min(limit, 1000));
    return { messages: (forward ? rows : rows.reverse()).map(messageView) };
  },
  'list-chats': (socket, { limit = 1000 }) => {
    const chats = sql.list.all(socket.data.user, Math.min(limit, 1000));
    return { chats: chats.map((chat) => chatView({ ...chat, users: JSON.parse(chat.users) })) };
  },
};

function attempt(work) {
  try {
    return work();
  } catch ({ code = 'invalid', message }) {
    return [{ error: { code, message } }];
  }
}

let queue = [];
const commit = db.transaction((jobs) => jobs.map(({ work }) => attempt(work)));
function flush() {
  const jobs = queue;
  queue = [];
  const done = commit(jobs);
  done.forEach(([answer, push], index) => {
    push?.();
    jobs[index].answer(answer);
  });
}

const http = createServer();
const io = new Server(http, { serveClient: false });
// As its documentation advises, to hold less memory.
io.engine.on('connection', (connection) => (connection.request = null));
io.on('connection', (socket) => {
  for (const [event, write] of Object.entries(writes)) {
    socket.on(event, (body, answer = (it) => socket.emit(event, it)) => {
      if (queue.push({ work: () => write(socket, body), answer }) === 1) setImmediate(flush);
    });
  }
  for (const [event, read] of Object.entries(reads)) {
    socket.on(event, (body, answer = (it) => socket.emit(event, it)) => {
      answer(attempt(() => [read(socket, body)])[0]);
    });
  }
});
http.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${http.address().port} `));
