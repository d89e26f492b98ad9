//! What is written most, a batch at a time, in the transaction of the [ledger](super::ledger): the
//! messages of a group, and how far members have read.
//!
//! What it promises: only a member's message is appended, or the service's outside direct chats, as
//! the database says in the transaction that appends. The messages of a chat get the `seq` 1, 2, 3…
//! without a gap, in the order in which they were queued. A `client_id` that its user repeats in a
//! chat gets the first message again, or `conflict` if the body or the type differs. What has been
//! read stays read, and one's own messages are read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::bounded::PgTransaction;
use super::chats::Head;
use super::known::{Known, KnownChat, KnownUser};
use super::members::Reading;
use super::{Transaction, Tx};
use crate::clock;
use crate::error::Error;
use crate::model::{
    ChatId, ClientId, Event, Mark, Marked, Message, MessageId, NewMessage, Place, Posted,
    ReadState, Sent, UserId,
};

/// What makes a repeated message the same as an earlier one.
pub(super) type Key = (ChatId, UserId, ClientId);

/// What became of a batch: the answers in its order, and the events.
#[derive(Default)]
pub(super) struct Written {
    pub sent: Vec<Result<Sent, Error>>,
    pub marked: Vec<Result<Marked, Error>>,
    pub events: Vec<Event>,
}

/// Appends messages, then marks chats as read.
pub(super) async fn write(
    tx: &mut Tx,
    messages: Vec<NewMessage>,
    marks: Vec<Mark>,
) -> Result<Written, Error> {
    let mut known = tx.take_known();
    let actors = messages.iter().map(|message| (message.chat_id, &message.user_id));
    let actors = actors.chain(marks.iter().map(|mark| (mark.chat_id, &mark.user_id)));
    known.learn(tx, &actors.collect()).await?;
    let sent = tx.find_sent(messages.iter().filter_map(new_key).collect()).await?;
    let sent = sent.into_iter().map(Arc::new);
    let mut batch = Batch {
        known,
        sent: sent.filter_map(|message| Some((key(&message)?, message))).collect(),
        fresh: Vec::with_capacity(messages.len()),
        events: Vec::new(),
        changed: HashSet::new(),
    };
    let sent = messages.into_iter().map(|message| batch.place(message)).collect();
    let marked = marks.into_iter().map(|mark| batch.mark(mark)).collect();
    let Batch { known, fresh, events, changed, .. } = batch;
    store(tx, &known, &fresh, &changed).await?;
    tx.remember(known);
    Ok(Written { sent, marked, events })
}

async fn store(
    tx: &mut Tx,
    known: &Known,
    fresh: &[Arc<Message>],
    changed: &HashSet<(ChatId, UserId)>,
) -> Result<(), Error> {
    let chats: HashSet<_> = fresh.iter().map(|message| message.chat_id).collect();
    let heads = chats.iter().filter_map(|id| Some(&known.chats.get(id)?.head));
    let heads: Vec<_> = heads.collect();
    let readings = changed.iter().filter_map(|(chat_id, user_id)| {
        Some((*chat_id, user_id, known.chats.get(chat_id)?.members.get(user_id)?))
    });
    let readings: Vec<_> = readings.collect();
    match &mut *tx.inner {
        Transaction::Sqlite(writer) => {
            writer.insert_messages(fresh)?;
            writer.update_heads(&heads)?;
            writer.update_readings(&readings)?;
        }
        Transaction::Postgres(_) if readings.is_empty() && fresh.is_empty() => {}
        Transaction::Postgres(inner) => {
            store_rows(inner, fresh, &heads, &readings).await?;
            let kept = Vec::from_iter(heads.into_iter().filter(|head| head.kept));
            if !kept.is_empty() {
                update_activity(inner, &kept).await?;
            }
        }
    }
    Ok(())
}

/// All in one statement, as each is a round trip.
async fn store_rows(
    tx: &mut PgTransaction,
    fresh: &[Arc<Message>],
    heads: &[&Head],
    readings: &[(ChatId, &UserId, &Reading)],
) -> Result<(), Error> {
    sqlx::query(
        "with appended as (
             insert into messages
                 (chat_id, seq, id, user_id, kind, body, client_id, created_at, modified_at)
             select chat_id, seq, id, user_id, kind, body, client_id, at, at
             from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::smallint[],
                 $6::text[], $7::text[], $8::bigint[])
                 m (chat_id, seq, id, user_id, kind, body, client_id, at)
         ), moved as (
             update chats set last_seq = h.seq, active_at = h.at
             from unnest($9::uuid[], $10::bigint[], $11::bigint[]) h (id, seq, at)
             where chats.id = h.id
         )
         update members m set read_seq = r.read_seq, own_unread = r.own_unread
         from unnest($12::uuid[], $13::text[], $14::bigint[], $15::bigint[])
             r (chat_id, user_id, read_seq, own_unread)
         where m.chat_id = r.chat_id and m.user_id = r.user_id",
    )
    .bind(Vec::from_iter(fresh.iter().map(|m| m.chat_id)))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.seq)))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.id)))
    .bind(Vec::from_iter(fresh.iter().map(|m| &m.user_id)))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.kind as i16)))
    .bind(Vec::from_iter(fresh.iter().map(|m| &m.body)))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.client_id.as_ref())))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.created_at)))
    .bind(Vec::from_iter(heads.iter().map(|head| head.id)))
    .bind(Vec::from_iter(heads.iter().map(|head| head.last_seq)))
    .bind(Vec::from_iter(heads.iter().map(|head| head.active_at)))
    .bind(Vec::from_iter(readings.iter().map(|(chat_id, ..)| *chat_id)))
    .bind(Vec::from_iter(readings.iter().map(|(_, user_id, _)| *user_id)))
    .bind(Vec::from_iter(readings.iter().map(|(.., reading)| reading.read_seq)))
    .bind(Vec::from_iter(readings.iter().map(|(.., reading)| reading.own_unread)))
    .execute(tx)
    .await?;
    Ok(())
}

/// Moves the copies of chats' [activity](super::activity) on.
async fn update_activity(tx: &mut PgTransaction, heads: &[&Head]) -> Result<(), Error> {
    sqlx::query(
        "update members m set active_at = h.at from unnest($1::uuid[], $2::bigint[]) h (id, at)
         where m.chat_id = h.id and m.active_at is not null",
    )
    .bind(Vec::from_iter(heads.iter().map(|head| head.id)))
    .bind(Vec::from_iter(heads.iter().map(|head| head.active_at)))
    .execute(tx)
    .await?;
    Ok(())
}

/// A batch being given its places.
struct Batch {
    known: Known,
    /// What was sent under the `client_id`s of the batch.
    sent: HashMap<Key, Arc<Message>>,
    fresh: Vec<Arc<Message>>,
    events: Vec<Event>,
    /// The members who have read on, if only what they have sent.
    changed: HashSet<(ChatId, UserId)>,
}

impl Batch {
    fn place(&mut self, new: NewMessage) -> Result<Sent, Error> {
        let chat = self.known.chats.get_mut(&new.chat_id).ok_or_else(Error::no_chat)?;
        // In a direct chat nobody but its two users speaks.
        let of_member = new.of_member || chat.pair.is_some();
        if of_member && !chat.members.contains_key(&new.user_id) {
            return Err(Error::no_chat());
        }
        let key = new_key(&new);
        if let Some(first) = key.as_ref().and_then(|key| self.sent.get(key)) {
            return repeated(first, &new);
        }
        let user = self.known.users.get(&new.user_id).ok_or_else(Error::no_user)?;
        if new.anonymous && user.protected {
            return Err(Error::NO_USER);
        }
        let author = user.username.clone();
        let place = place_in(chat, &self.known.users, &new.user_id)?;
        let head = &mut chat.head;
        head.last_seq += 1;
        // Times never fall within a chat, whatever the clock does.
        head.active_at = head.active_at.max(clock::stamp());
        if let Some(reading) = chat.members.get_mut(&new.user_id) {
            reading.own_unread += 1;
            self.changed.insert((new.chat_id, new.user_id.clone()));
        }
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
            self.sent.insert(key, message.clone());
        }
        self.fresh.push(message.clone());
        let posted = Posted { message: message.clone(), author, place, by: new.by };
        self.events.push(Event::MessageSent(posted));
        Ok(Sent { message, fresh: true })
    }

    fn mark(&mut self, mark: Mark) -> Result<Marked, Error> {
        let Mark { chat_id, user_id, seq, passed, by, anonymous } = mark;
        let user = self.known.users.get(&user_id).ok_or_else(Error::no_user)?;
        if anonymous && user.protected {
            return Err(Error::NO_USER);
        }
        let chat = self.known.chats.get_mut(&chat_id).ok_or_else(Error::no_chat)?;
        let reading = chat.members.get_mut(&user_id).ok_or_else(Error::no_chat)?;
        let (last, before) = (chat.head.last_seq, reading.read_seq);
        let seq = seq.map_or(last, |seq| seq.min(last));
        if seq > before {
            // How many of the messages that are passed are one's own, which are read already.
            let own = match passed.filter(|passed| (passed.after, passed.to) == (before, seq)) {
                Some(passed) => passed.own,
                None if seq == last || reading.own_unread == 0 => reading.own_unread,
                None => return Ok(Marked::Uncounted { after: before, to: seq }),
            };
            (reading.read_seq, reading.own_unread) = (seq, reading.own_unread - own);
        }
        let unread = last - reading.read_seq - reading.own_unread;
        let read = ReadState { chat_id, read_seq: reading.read_seq, unread };
        if seq > before {
            self.changed.insert((chat_id, user_id.clone()));
            self.events.push(Event::ChatRead { user_id, read, by });
        }
        Ok(Marked::Read(read))
    }
}

fn place_in(
    chat: &KnownChat,
    users: &HashMap<UserId, KnownUser>,
    sender: &UserId,
) -> Result<Place, Error> {
    let Some([one, other]) = &chat.pair else {
        return Ok(chat.head.channel_name.clone().map_or(Place::Chat, Place::Channel));
    };
    let to = if one == sender { other } else { one };
    let to_name = users.get(to).ok_or_else(Error::no_user)?.username.clone();
    Ok(Place::Direct { to: to.clone(), to_name })
}

fn new_key(new: &NewMessage) -> Option<Key> {
    Some((new.chat_id, new.user_id.clone(), new.client_id.clone()?))
}

fn key(message: &Message) -> Option<Key> {
    Some((message.chat_id, message.user_id.clone(), message.client_id.clone()?))
}

fn repeated(first: &Arc<Message>, new: &NewMessage) -> Result<Sent, Error> {
    match first.body == new.body && first.kind == new.kind {
        true => Ok(Sent { message: first.clone(), fresh: false }),
        false => {
            Err(Error::conflict("message.client_id", "this client_id belongs to another message"))
        }
    }
}
