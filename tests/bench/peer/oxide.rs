//! The same chat on stock `socketioxide`: handlers put requests on one queue; a thread with the
//! database writes all waiting requests in one transaction, then answers and pushes.

use std::future::ready;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::FutureExt;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use rusqlite::{Connection, OptionalExtension, Params, Row};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use tokio::net::TcpListener;
use uuid::Uuid;

/// The most that one transaction writes.
const MAX_BATCH: usize = 512;

const SCHEMA: &str = "
    pragma journal_mode = wal;
    pragma synchronous = full;
    create table if not exists users
        (id text primary key, external_id text unique, name text, photo text) without rowid;
    create table if not exists chats (id text primary key, name text, private int,
        creator_id text, last_seq int not null default 0, created_at text, active_at text)
        without rowid;
    create table if not exists members (chat_id text, user_id text,
        read_seq int not null default 0, primary key (chat_id, user_id)) without rowid;
    create index if not exists members_by_user on members (user_id, chat_id);
    create table if not exists messages (chat_id text, seq int, id text, user_id text, type text,
        msg text, created_at text, primary key (chat_id, seq)) without rowid;";

/// The fields of all requests.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    chat: Chat,
    user: NewUser,
    users: Vec<String>,
    message: NewMessage,
    query: Query,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chat {
    id: String,
    name: String,
    private: Option<bool>,
    seq: Option<i64>,
}

#[derive(Default, Deserialize)]
struct NewMessage {
    value: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
struct NewUser {
    external_id: String,
    name: String,
    photo: String,
}

#[derive(Default, Deserialize)]
struct Query {
    after_seq: Option<i64>,
    before_seq: Option<i64>,
    limit: Option<i64>,
}

#[derive(Serialize)]
struct Message {
    id: String,
    msg: String,
    #[serde(rename = "type")]
    kind: String,
    user_id: String,
    room: String,
    chat_id: String,
    seq: i64,
    modified_at: String,
    created_at: String,
}

/// The user of a socket.
#[derive(Clone)]
struct User(String);

struct Job {
    event: &'static str,
    socket: SocketRef,
    body: Body,
    ack: AckSender,
}

/// What to do after the commit.
enum Done {
    Sent(Message),
    Answer(Value),
    /// The socket acts as this user from now on, and enters these rooms.
    Is(Value, String, Vec<String>),
    /// `Enter`: these users' sockets enter this room and get the event. `Leave`: they leave it.
    Enter(Value, Vec<String>, String),
    Leave(Value, String, String),
}

type Outcome = Result<Done, &'static str>;

/// Serves until the process ends.
pub fn serve(database: &Path) {
    let connection = Connection::open(database).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection.set_prepared_statement_cache_capacity(64);
    let (queue, jobs) = channel();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let (service, io) =
            SocketIo::builder().max_buffer_size(4096).max_payload(1 << 20).build_svc();
        io.ns("/", connected.with(move |socket: SocketRef| ready(register(&socket, &queue))));
        std::thread::spawn(move || write(connection, &jobs, &io));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let served = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service.clone())
                .with_upgrades();
            tokio::spawn(served);
        }
    });
}

async fn connected() {}

/// Registers the handlers before the connection is confirmed, so that no early event is missed. The
/// handlers are called in order; the futures that they return are spawned, but do nothing.
fn register(socket: &SocketRef, queue: &Sender<Job>) -> Result<(), String> {
    for event in [
        "create-user",
        "create-chat",
        "join-chat",
        "leave-chat",
        "new-message",
        "mark-read",
        "list-messages",
        "list-chats",
    ] {
        let queue = queue.clone();
        socket.on(event, move |socket: SocketRef, body: TryData<Body>, ack: AckSender| {
            match body.0 {
                Ok(body) => queue.send(Job { event, socket, body, ack }).unwrap(),
                Err(error) => drop(ack.send(&refusal(&error.to_string()))),
            }
            ready(())
        });
    }
    Ok(())
}

fn refusal(why: &str) -> Value {
    json!({ "error": { "code": "invalid", "message": why } })
}

fn write(connection: Connection, jobs: &Receiver<Job>, io: &SocketIo) {
    let store = Store { connection };
    while let Ok(first) = jobs.recv() {
        let batch: Vec<Job> =
            [first].into_iter().chain(jobs.try_iter().take(MAX_BATCH - 1)).collect();
        store.connection.execute_batch("begin immediate").unwrap();
        let outcomes: Vec<_> =
            batch.iter().map(|job| store.act(job.event, &job.socket, &job.body)).collect();
        store.connection.execute_batch("commit").unwrap();
        for (job, outcome) in batch.into_iter().zip(outcomes) {
            follow(io, job, outcome);
        }
    }
}

/// Answers and pushes. With the adapter of one process, none of this has to be awaited.
fn follow(io: &SocketIo, Job { socket, ack, .. }: Job, outcome: Outcome) {
    let answered = match outcome {
        Ok(Done::Sent(message)) => {
            io.to(message.room.clone()).emit("new-message", &message).now_or_never();
            ack.send(&message)
        }
        Ok(Done::Answer(answer)) => ack.send(&answer),
        Ok(Done::Is(answer, user, rooms)) => {
            socket.join([format!("user-{user}")]);
            socket.join(rooms);
            socket.extensions.insert(User(user));
            ack.send(&answer)
        }
        Ok(Done::Enter(answer, users, room)) => {
            io.to(users).join(room.clone()).now_or_never();
            if answer["chat"]["users"].is_array() {
                socket.to(room).emit("create-chat", &answer).now_or_never();
            }
            ack.send(&answer)
        }
        Ok(Done::Leave(answer, user, room)) => {
            io.to(user).leave(room).now_or_never();
            ack.send(&answer)
        }
        Err(why) => ack.send(&refusal(why)),
    };
    // A socket that is gone needs no answer.
    drop(answered);
}

struct Store {
    connection: Connection,
}

/// A write checks before it changes anything, so that one that fails does not affect the others.
impl Store {
    fn act(&self, event: &str, socket: &SocketRef, body: &Body) -> Outcome {
        let User(user) = socket.extensions.get().unwrap_or(User(String::new()));
        let Body { chat, message, query, .. } = body;
        match event {
            "new-message" => self.send(&user, &chat.id, message),
            "create-user" => Ok(self.create_user(&body.user)),
            "create-chat" => Ok(self.create_chat(user, chat, &body.users)),
            "join-chat" => self.join(user, &chat.id),
            "leave-chat" => self.leave(user, &chat.id),
            "mark-read" => self.mark_read(&user, &chat.id, chat.seq),
            "list-messages" => self.list_messages(&user, &chat.id, query),
            _ => Ok(self.list_chats(&user)),
        }
    }

    fn find<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Option<T> {
        self.connection.prepare_cached(sql).unwrap().query_row(params, read).optional().unwrap()
    }

    fn list<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        statement.query_map(params, read).unwrap().map(Result::unwrap).collect()
    }

    fn run(&self, sql: &str, params: impl Params) {
        self.connection.prepare_cached(sql).unwrap().execute(params).unwrap();
    }

    fn read_seq(&self, chat: &str, user: &str) -> Result<i64, &'static str> {
        let sql = "select read_seq from members where chat_id = ? and user_id = ?";
        self.find(sql, [chat, user], |row| row.get(0)).ok_or("there is no such chat")
    }

    fn chat(&self, id: &str) -> Option<Value> {
        self.find("select * from chats where id = ?", [id], |row| chat(row, None))
    }

    fn create_user(&self, new: &NewUser) -> Done {
        let sql = "insert into users values (?, ?, ?, ?) on conflict (external_id)
            do update set name = excluded.name, photo = excluded.photo returning id";
        let user = (Uuid::now_v7().to_string(), &new.external_id, &new.name, &new.photo);
        let id: String = self.find(sql, user, |row| row.get(0)).unwrap();
        let chats = "select 'room-' || chat_id from members where user_id = ?";
        let rooms = self.list(chats, [&id], |row| row.get(0));
        let (external_id, name, photo) = (&new.external_id, &new.name, &new.photo);
        let user = json!({ "id": id, "external_id": external_id, "name": name, "photo": photo });
        Done::Is(json!({ "user": user }), id, rooms)
    }

    fn create_chat(&self, user: String, new: &Chat, users: &[String]) -> Done {
        let (id, now) = (Uuid::now_v7().to_string(), now());
        let private = new.private.unwrap_or(true);
        let row = (&id, &new.name, private, &user, &now, &now);
        self.run("insert into chats values (?, ?, ?, ?, 0, ?, ?)", row);
        let mut members = vec![user];
        members.extend(users.iter().filter(|id| **id != members[0]).cloned().collect::<Vec<_>>());
        for member in &members {
            self.add_member(&id, member);
        }
        let mut chat = self.chat(&id).unwrap();
        chat["users"] = json!(members);
        let users = members.iter().map(|user| format!("user-{user}")).collect();
        Done::Enter(json!({ "chat": chat }), users, format!("room-{id}"))
    }

    fn add_member(&self, chat: &str, user: &str) {
        self.run("insert or ignore into members (chat_id, user_id) values (?, ?)", [chat, user]);
    }

    fn join(&self, user: String, id: &str) -> Outcome {
        let chat = self.chat(id).filter(|chat| chat["private"] == false);
        let chat = chat.ok_or("there is no such chat")?;
        self.add_member(id, &user);
        let users = vec![format!("user-{user}")];
        Ok(Done::Enter(json!({ "chat": chat }), users, format!("room-{id}")))
    }

    fn leave(&self, user: String, id: &str) -> Outcome {
        self.read_seq(id, &user)?;
        self.run("delete from members where chat_id = ? and user_id = ?", [id, &user]);
        let answer = json!({ "chat": self.chat(id) });
        Ok(Done::Leave(answer, format!("user-{user}"), format!("room-{id}")))
    }

    fn send(&self, user: &str, chat: &str, new: &NewMessage) -> Outcome {
        self.read_seq(chat, user)?;
        let (id, now) = (Uuid::now_v7().to_string(), now());
        let sql = "update chats set last_seq = last_seq + 1, active_at = ? where id = ?
            returning last_seq";
        let seq: i64 = self.find(sql, (&now, chat), |row| row.get(0)).unwrap();
        let row = (chat, seq, &id, user, &new.kind, &new.value, &now);
        self.run("insert into messages values (?, ?, ?, ?, ?, ?, ?)", row);
        Ok(Done::Sent(Message {
            id,
            msg: new.value.clone(),
            kind: new.kind.clone(),
            user_id: user.to_owned(),
            room: format!("room-{chat}"),
            chat_id: chat.to_owned(),
            seq,
            modified_at: now.clone(),
            created_at: now,
        }))
    }

    fn mark_read(&self, user: &str, id: &str, seq: Option<i64>) -> Outcome {
        let before = self.read_seq(id, user)?;
        let last = "select last_seq from chats where id = ?";
        let last: i64 = self.find(last, [id], |row| row.get(0)).unwrap();
        let read = before.max(seq.unwrap_or(last).min(last));
        if read > before {
            let sql = "update members set read_seq = ? where chat_id = ? and user_id = ?";
            self.run(sql, (read, id, user));
        }
        let sql = "select count(*) from messages where chat_id = ? and seq > ? and user_id <> ?";
        let unread: i64 = self.find(sql, (id, read, user), |row| row.get(0)).unwrap();
        let chat = json!({ "id": id, "read_seq": read, "unread": unread });
        Ok(Done::Answer(json!({ "chat": chat })))
    }

    fn list_messages(&self, user: &str, id: &str, query: &Query) -> Outcome {
        self.read_seq(id, user)?;
        let order = if query.after_seq.is_some() { "asc" } else { "desc" };
        let sql = format!(
            "select * from messages where chat_id = ? and seq > ? and seq < ?
             order by seq {order} limit ?"
        );
        let (after, before) = (query.after_seq.unwrap_or(0), query.before_seq.unwrap_or(i64::MAX));
        let limit = query.limit.unwrap_or(1000).min(1000);
        let mut messages = self.list(&sql, (id, after, before, limit), message);
        if query.after_seq.is_none() {
            messages.reverse();
        }
        Ok(Done::Answer(json!({ "messages": messages })))
    }

    fn list_chats(&self, user: &str) -> Done {
        let sql =
            "select c.*, (select json_group_array(user_id) from members where chat_id = c.id),
                (select count(*) from messages
                 where chat_id = c.id and seq > m.read_seq and user_id <> m.user_id)
            from members m join chats c on c.id = m.chat_id
            where m.user_id = ? order by active_at desc limit 1000";
        let chats = self.list(sql, [user], |row| {
            let users: String = row.get(7)?;
            chat(row, Some((serde_json::from_str(&users).unwrap(), row.get(8)?)))
        });
        Done::Answer(json!({ "chats": chats }))
    }
}

fn chat(row: &Row<'_>, listed: Option<(Value, i64)>) -> rusqlite::Result<Value> {
    let mut chat = json!({
        "id": row.get::<_, String>(0)?,
        "name": row.get::<_, String>(1)?,
        "private": row.get::<_, bool>(2)?,
        "user": row.get::<_, String>(3)?,
        "last_seq": row.get::<_, i64>(4)?,
        "created_at": row.get::<_, String>(5)?,
        "modified_at": row.get::<_, String>(6)?,
    });
    if let Some((users, unread)) = listed {
        (chat["users"], chat["unread"]) = (users, unread.into());
    }
    Ok(chat)
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let (chat_id, created_at): (String, String) = (row.get(0)?, row.get(6)?);
    Ok(Message {
        id: row.get(2)?,
        msg: row.get(5)?,
        kind: row.get(4)?,
        user_id: row.get(3)?,
        room: format!("room-{chat_id}"),
        chat_id,
        seq: row.get(1)?,
        modified_at: created_at.clone(),
        created_at,
    })
}

fn now() -> String {
    DateTime::<Utc>::from(std::time::SystemTime::now()).to_rfc3339_opts(SecondsFormat::Micros, true)
}
