//! The message writer: one task that appends messages in batches.
//!
//! What it promises: only a member's message is appended, and membership is looked up in the
//! transaction that appends it, once for the whole batch. A message is answered after the commit that made it durable. The messages of
//! a chat get the `seq` 1, 2, 3… without a gap, in the order in which they were queued. A
//! `client_id` that its user repeats in a chat gets the first message again, or `conflict` if the
//! body or the type differs. If a batch fails, none of its messages exists and each is answered
//! with the error.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::FromRow;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::members::Standing;
use super::{Db, Transaction, Turn, Tx};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{ChatId, ClientId, Event, Message, MessageId, NewMessage, Sent, UserId};

/// The most messages one transaction appends.
const MAX_BATCH: usize = 512;

type Answer = Result<Appended, Error>;
/// What makes a repeated message the same as an earlier one.
type Key = (ChatId, UserId, ClientId);

/// What became of a message.
#[derive(Clone, Debug)]
pub enum Appended {
    Sent(Sent),
    /// Its sender is no member of the chat, but stands to it like this; none if there is no such
    /// chat.
    NoMember(Option<Standing>),
}

struct Append {
    message: NewMessage,
    answer: oneshot::Sender<Answer>,
}

/// The way to the writing task.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Append>,
    closing: CancellationToken,
    task: TaskTracker,
}

impl Writer {
    /// Starts the task; `capacity` messages may wait for it.
    pub fn start(db: Db, turn: Turn, capacity: usize) -> Writer {
        let (queue, appends) = mpsc::channel(capacity);
        let closing = CancellationToken::new();
        let task = TaskTracker::new();
        task.spawn(run(db, turn, appends, closing.clone()));
        Writer { queue, closing, task }
    }

    /// Queues a message and returns it once it is durable. A full queue is `unavailable`.
    pub async fn append(&self, message: NewMessage) -> Answer {
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(Append { message, answer }) {
            Ok(()) => answered.await.unwrap_or(Err(Error::Unavailable(None))),
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => Err(Error::Unavailable(None)),
        }
    }

    /// False once the task has ended, as it does when the store is closed.
    pub fn is_running(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Refuses further messages and waits until those in the queue are written and answered.
    pub async fn drain(&self) {
        self.closing.cancel();
        self.task.close();
        self.task.wait().await;
    }
}

async fn run(db: Db, turn: Turn, mut appends: mpsc::Receiver<Append>, closing: CancellationToken) {
    let mut queued = Vec::with_capacity(MAX_BATCH);
    loop {
        let count = tokio::select! {
            count = appends.recv_many(&mut queued, MAX_BATCH) => count,
            () = closing.cancelled(), if !appends.is_closed() => {
                appends.close();
                continue;
            }
        };
        if count == 0 {
            return;
        }
        let (batch, askers): (Vec<_>, Vec<_>) =
            queued.drain(..).map(|append| (append.message, append.answer)).unzip();
        let answers = match write(&db, &turn, batch).await {
            Ok(answers) => answers,
            Err(error) => vec![Err(error); askers.len()],
        };
        for (asker, answer) in askers.into_iter().zip(answers) {
            // An asker that is gone needs no answer.
            let _ = asker.send(answer);
        }
    }
}

/// Appends a batch in one transaction; the answers are in the order of the batch.
async fn write(db: &Db, turn: &Turn, batch: Vec<NewMessage>) -> Result<Vec<Answer>, Error> {
    let mut tx = Tx::begin(db, turn).await?;
    let mut batch_plan = Plan {
        heads: tx.find_heads(&batch).await?,
        members: tx.find_members(&batch).await?,
        known: tx.find_repeated(&batch).await?,
        fresh: Vec::with_capacity(batch.len()),
    };
    let answers = batch.into_iter().map(|message| batch_plan.place(message)).collect();
    let fresh = batch_plan.fresh;
    if !fresh.is_empty() {
        tx.insert_messages(&fresh).await?;
        tx.update_heads(&fresh).await?;
        tx.update_own_unread(&fresh).await?;
    }
    metrics::counter!("chinwag_messages_total").increment(fresh.len() as u64);
    metrics::counter!("chinwag_message_batches_total").increment(1);
    tx.commit(fresh.into_iter().map(Event::MessageSent)).await?;
    Ok(answers)
}

/// Where a chat's next message goes.
struct Head {
    private: bool,
    last_seq: i64,
    active_at: Time,
}

/// A batch being given its places.
struct Plan {
    heads: HashMap<ChatId, Head>,
    members: HashSet<(ChatId, UserId)>,
    known: HashMap<Key, Arc<Message>>,
    fresh: Vec<Arc<Message>>,
}

impl Plan {
    fn place(&mut self, new: NewMessage) -> Answer {
        let Some(head) = self.heads.get_mut(&new.chat_id) else {
            return Ok(Appended::NoMember(None));
        };
        if !self.members.contains(&(new.chat_id, new.user_id.clone())) {
            let standing = Standing { private: head.private, member: false };
            return Ok(Appended::NoMember(Some(standing)));
        }
        let key = key(&new);
        if let Some(first) = key.as_ref().and_then(|key| self.known.get(key)) {
            return repeated(first, &new);
        }
        head.last_seq += 1;
        // Times never fall within a chat, whatever the clock does.
        head.active_at = head.active_at.max(clock::now());
        let message = Arc::new(Message {
            id: MessageId::new(),
            chat_id: new.chat_id,
            seq: head.last_seq,
            user_id: new.user_id,
            kind: new.kind,
            body: new.body,
            client_id: new.client_id,
            created_at: head.active_at,
            modified_at: head.active_at,
        });
        if let Some(key) = key {
            self.known.insert(key, message.clone());
        }
        self.fresh.push(message.clone());
        Ok(Appended::Sent(Sent { message, fresh: true }))
    }
}

fn key(message: &NewMessage) -> Option<Key> {
    let client_id = message.client_id.clone()?;
    Some((message.chat_id, message.user_id.clone(), client_id))
}

fn repeated(first: &Arc<Message>, new: &NewMessage) -> Answer {
    match first.body == new.body && first.kind == new.kind {
        true => Ok(Appended::Sent(Sent { message: first.clone(), fresh: false })),
        false => Err(Error::Conflict {
            field: Some("message.client_id"),
            why: "this client_id belongs to another message",
        }),
    }
}

impl Tx {
    async fn find_heads(&mut self, batch: &[NewMessage]) -> Result<HashMap<ChatId, Head>, Error> {
        let chats = json(batch.iter().map(|message| message.chat_id.to_hex()));
        let rows: Vec<(ChatId, bool, i64, Time)> = match &mut self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_as(
                    "select id, private, last_seq, active_at from chats
                     where id in (select unhex(value) from json_each($1))",
                )
                .bind(chats)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        let head = |(id, private, last_seq, active_at)| (id, Head { private, last_seq, active_at });
        Ok(rows.into_iter().map(head).collect())
    }

    /// Which of the batch's senders are members of the chats that they send to.
    async fn find_members(
        &mut self,
        batch: &[NewMessage],
    ) -> Result<HashSet<(ChatId, UserId)>, Error> {
        let pairs: HashSet<_> = batch.iter().map(|new| (new.chat_id, &new.user_id)).collect();
        let pairs = json(pairs.iter().map(|(chat, user)| (chat.to_hex(), user)));
        let members: Vec<(ChatId, UserId)> = match &mut self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_as(
                    "select m.chat_id, m.user_id from json_each($1) j join members m
                     on m.chat_id = unhex(j.value ->> 0) and m.user_id = j.value ->> 1",
                )
                .bind(pairs)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(members.into_iter().collect())
    }

    /// The messages already stored under a `client_id` of the batch.
    async fn find_repeated(
        &mut self,
        batch: &[NewMessage],
    ) -> Result<HashMap<Key, Arc<Message>>, Error> {
        let keys: Vec<_> = batch.iter().filter_map(key).collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let keys = json(keys.iter().map(|(chat, user, client)| (chat.to_hex(), user, client)));
        let rows = match &mut self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "select m.* from json_each($1) j join messages m
                     on m.chat_id = unhex(j.value ->> 0) and m.user_id = j.value ->> 1
                     and m.client_id = j.value ->> 2",
                )
                .bind(keys)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        let mut known = HashMap::new();
        for row in rows {
            let message = Message::from_row(&row)?;
            if let Some(client_id) = message.client_id.clone() {
                let key = (message.chat_id, message.user_id.clone(), client_id);
                known.insert(key, Arc::new(message));
            }
        }
        Ok(known)
    }

    async fn insert_messages(&mut self, messages: &[Arc<Message>]) -> Result<(), Error> {
        let rows = json(messages.iter().map(|m| {
            let (chat, id, kind) = (m.chat_id.to_hex(), m.id.to_hex(), m.kind as i16);
            (chat, m.seq, id, &m.user_id, kind, &m.body, &m.client_id, m.created_at.as_micros())
        }));
        match &mut self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "insert into messages
                         (chat_id, seq, id, user_id, kind, body, client_id, created_at, modified_at)
                     select unhex(value ->> 0), value ->> 1, unhex(value ->> 2), value ->> 3,
                         value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 7
                     from json_each($1)",
                )
                .bind(rows)
                .execute(&mut **inner)
                .await?
            }
        };
        Ok(())
    }

    async fn update_heads(&mut self, messages: &[Arc<Message>]) -> Result<(), Error> {
        // A chat's later messages overwrite its earlier ones.
        let heads: HashMap<_, _> = messages
            .iter()
            .map(|m| (m.chat_id, (m.chat_id.to_hex(), m.seq, m.created_at.as_micros())))
            .collect();
        match &mut self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "update chats set last_seq = j.value ->> 1, active_at = j.value ->> 2
                     from json_each($1) j where chats.id = unhex(j.value ->> 0)",
                )
                .bind(json(heads.values()))
                .execute(&mut **inner)
                .await?
            }
        };
        Ok(())
    }

    async fn update_own_unread(&mut self, messages: &[Arc<Message>]) -> Result<(), Error> {
        let mut sent: HashMap<_, i64> = HashMap::new();
        for message in messages {
            *sent.entry((message.chat_id, &message.user_id)).or_default() += 1;
        }
        let sent = json(sent.iter().map(|((chat, user), count)| (chat.to_hex(), user, count)));
        match &mut self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "update members set own_unread = own_unread + (j.value ->> 2)
                     from json_each($1) j
                     where chat_id = unhex(j.value ->> 0) and user_id = j.value ->> 1",
                )
                .bind(sent)
                .execute(&mut **inner)
                .await?
            }
        };
        Ok(())
    }
}

/// A JSON array, as SQLite's `json_each` reads it.
fn json<T: serde::Serialize>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<T> = items.collect();
    // Texts and numbers: nothing in them can fail to serialize.
    serde_json::to_string(&items).unwrap_or_default()
}
