//! Writes what is written most, the messages of a group and how far members have read, a batch at a
//! time, in a transaction of the [ledger](super::ledger).
//!
//! What it promises: a message is appended only if its sender may send it, according to the
//! database in the transaction that appends. The sender must be a member who is not blocked or
//! muted; in a frozen chat it must be a moderator; in slow mode other members must wait. The
//! service may send to any chat but a direct one. The messages of a chat get the `seq` 1, 2, 3…
//! without a gap, in the order in which they were queued. If a user repeats a `client_id` in a
//! chat, the answer is the first message, or `conflict` if the body or the type differs. What has
//! been read stays read, and one's own messages are read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::calls::{look, write_batch};
use super::chats::Head;
use super::known::{Known, KnownChat, KnownUser};
use super::members::KnownMember;
use super::outgoing::Outgoing;
use super::{Transaction, Tx};
use crate::clock;
use crate::defects;
use crate::error::Error;
use crate::model::{
    Author, ChatId, ChatKind, ClientId, Event, Mark, Marked, Message, MessageId, NewMessage,
    Posted, ReadState, Role, Sent, UserId,
};

/// Identifies a message that is sent again.
pub(super) type Key = (ChatId, UserId, ClientId);

/// The results of a batch: the answers, in the batch's order, and the events.
#[derive(Default)]
pub(super) struct Written {
    pub sent: Vec<Result<Sent, Error>>,
    pub marked: Vec<Result<Marked, Error>>,
    pub events: Vec<Event>,
}

/// The changes of a batch, which are to be stored.
pub(super) struct Numbered {
    pub known: Known,
    pub fresh: Vec<Arc<Message>>,
    /// The members who have read further, or have sent something.
    changed: HashSet<(ChatId, UserId)>,
    pub written: Written,
}

/// Appends messages, then marks chats as read, in the transaction of a group. This is for SQLite
/// only: PostgreSQL's batches are written by two [calls](super::calls).
pub(super) async fn write(
    tx: &mut Tx,
    messages: Vec<NewMessage>,
    marks: Vec<Mark>,
) -> Result<Written, Error> {
    let mut known = tx.take_known();
    let actors = messages.iter().map(|message| (message.chat_id, &message.user_id));
    let actors = actors.chain(marks.iter().map(|mark| (mark.chat_id, &mark.user_id)));
    known.learn(tx, actors).await?;
    let sent = tx.find_sent(messages.iter().filter_map(new_key).collect()).await?;
    let numbered = number(known, sent, messages, marks);
    if let Transaction::Sqlite(writer) = &mut *tx.inner {
        writer.insert_messages(&numbered.fresh)?;
        writer.update_heads(&numbered.heads())?;
        writer.update_readings(&numbered.readings())?;
    }
    tx.remember(numbered.known);
    Ok(numbered.written)
}

/// Appends one message and its extras in the transaction of a job; returns the event, if the
/// message is new.
pub(super) async fn append(
    tx: &mut Tx,
    message: NewMessage,
) -> Result<(Sent, Option<Event>), Error> {
    let chat_id = message.chat_id;
    let mut written = match &mut *tx.inner {
        Transaction::Sqlite(_) => {
            let written = write(tx, vec![message], Vec::new()).await;
            // If the job fails later, what is remembered of the chat is wrong.
            tx.forget_chat(chat_id);
            written?
        }
        Transaction::Postgres(inner) => {
            let messages = [message];
            let found = look(inner, &messages).await?;
            let numbered = number(found.known, found.sent, messages.into(), Vec::new());
            if !numbered.changes_nothing() {
                write_batch(inner, &numbered, Outgoing::default(), true).await?;
            }
            numbered.written
        }
    };
    let sent = written.sent.pop().unwrap_or(Err(Error::Internal(None)))?;
    if sent.fresh {
        tx.update_message(&sent.message).await?;
        tx.insert_mentions(&sent.message).await?;
        tx.insert_message_file(&sent.message).await?;
    }
    Ok((sent, written.events.pop()))
}

/// Gives each message of a batch its `seq`; `sent` are the messages that were sent under its
/// `client_id`s before.
pub(super) fn number(
    known: Known,
    sent: Vec<Message>,
    messages: Vec<NewMessage>,
    marks: Vec<Mark>,
) -> Numbered {
    let sent = sent.into_iter().map(Arc::new);
    let mut batch = Batch {
        known,
        sent: sent.filter_map(|message| Some((key(&message)?, message))).collect(),
        fresh: Vec::with_capacity(messages.len()),
        events: Vec::new(),
        changed: HashSet::new(),
    };
    let sent = messages.into_iter().map(|message| batch.number(message)).collect();
    let marked = marks.into_iter().map(|mark| batch.mark(mark)).collect();
    let Batch { known, fresh, events, changed, .. } = batch;
    Numbered { known, fresh, changed, written: Written { sent, marked, events } }
}

impl Numbered {
    /// The heads of the chats that get messages.
    pub fn heads(&self) -> Vec<&Head> {
        let chats: HashSet<_> = self.fresh.iter().map(|message| message.chat_id).collect();
        chats.iter().filter_map(|id| Some(&self.known.chats.get(id)?.head)).collect()
    }

    /// How far each member who has read further, or has sent something, has read now.
    pub fn readings(&self) -> Vec<(ChatId, &UserId, &KnownMember)> {
        let readings = self.changed.iter().filter_map(|(chat_id, user_id)| {
            Some((*chat_id, user_id, self.known.chats.get(chat_id)?.members.get(user_id)?))
        });
        readings.collect()
    }

    pub fn changes_nothing(&self) -> bool {
        self.fresh.is_empty() && self.changed.is_empty()
    }
}

impl Written {
    /// Counts what is committed.
    pub fn count(&self) {
        let fresh = self.sent.iter().flatten().filter(|sent| sent.fresh).count();
        metrics::counter!("chinwag_messages_total").increment(fresh as u64);
        metrics::counter!("chinwag_message_batches_total").increment(u64::from(fresh > 0));
    }
}

/// A batch whose messages are being numbered.
struct Batch {
    known: Known,
    /// The messages that were sent under the `client_id`s of the batch.
    sent: HashMap<Key, Arc<Message>>,
    fresh: Vec<Arc<Message>>,
    events: Vec<Event>,
    /// The members who have read further, or have sent something.
    changed: HashSet<(ChatId, UserId)>,
}

impl Batch {
    fn number(&mut self, mut new: NewMessage) -> Result<Sent, Error> {
        if defects::has("forget client ids") {
            new.client_id = None;
        }
        let chat = self.known.chats.get_mut(&new.chat_id).ok_or_else(Error::no_chat)?;
        // In a direct chat only its two users may send.
        let of_member = new.of_member || chat.pair.is_some();
        if of_member && !chat.members.contains_key(&new.user_id) {
            return Err(Error::no_chat());
        }
        let key = new_key(&new);
        if let Some(first) = key.as_ref().and_then(|key| self.sent.get(key)) {
            let author = self.known.users.get(&new.user_id).ok_or_else(Error::no_user)?;
            return repeated(first, &author.author, &new);
        }
        let user = self.known.users.get(&new.user_id).ok_or_else(Error::no_user)?;
        if new.anonymous && user.protected {
            return Err(Error::NO_USER);
        }
        // The service may send as any user.
        if new.of_member
            && let Some(member) = chat.members.get(&new.user_id)
        {
            may_send(&chat.head, member)?;
        }
        let author = user.author.clone();
        let chat_kind = kind_of(chat, &self.known.users, &new.user_id)?;
        let head = &mut chat.head;
        head.last_seq += 1;
        // Times never fall within a chat, whatever the clock does.
        head.active_at = head.active_at.max(clock::stamp());
        if let Some(reading) = chat.members.get_mut(&new.user_id) {
            reading.own_unread += 1;
            if head.slow_mode > 0 {
                reading.sent_at = Some(clock::now());
            }
            self.changed.insert((new.chat_id, new.user_id.clone()));
        }
        let message = Arc::new(Message {
            id: MessageId::at(head.active_at),
            chat_id: new.chat_id,
            seq: head.last_seq,
            user_id: new.user_id,
            kind: new.kind,
            body: new.body,
            client_id: new.client_id,
            created_at: head.active_at,
            modified_at: head.active_at,
            change: None,
            edited_at: None,
            deleted_at: None,
            pinned_at: None,
            reply_id: new.reply.map(|(id, _)| id),
            reply_seq: new.reply.map(|(_, seq)| seq),
            replies: None,
            mentions: new.mentions,
            data: new.data,
            reactions: None,
            file: new.file.map(|file| *file),
        });
        if let Some(key) = key {
            self.sent.insert(key, message.clone());
        }
        self.fresh.push(message.clone());
        let posted = Posted {
            author: author.username(&message.user_id),
            message: message.clone(),
            user: author.clone(),
            chat_kind,
            by: new.by,
        };
        self.events.push(Event::MessageSent(posted));
        Ok(Sent { message, author, fresh: true })
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
            // The member's own messages up to `seq` count as read already. If their number is not
            // known, the caller must count them.
            let own = match passed.filter(|passed| (passed.after, passed.to) == (before, seq)) {
                Some(passed) => passed.own,
                None if seq == last || reading.own_unread == 0 => reading.own_unread,
                None => return Ok(Marked::Uncounted { after: before, to: seq }),
            };
            (reading.read_seq, reading.own_unread) = (seq, reading.own_unread - own);
        }
        let unread = last - reading.read_seq - reading.own_unread;
        let read = ReadState { chat_id, read_seq: reading.read_seq, unread };
        let moved = seq > before;
        if moved {
            self.changed.insert((chat_id, user_id.clone()));
            self.events.push(Event::ChatRead { user_id, read, by });
        }
        Ok(Marked::Read { read, moved })
    }
}

/// Errors: `forbidden` for a member who is blocked or muted, and for one who is no moderator of a
/// frozen chat; `rate_limited` in slow mode.
fn may_send(head: &Head, member: &KnownMember) -> Result<(), Error> {
    if member.blocked {
        return Err(Error::BLOCKED);
    }
    let now = clock::now();
    if member.muted_until.is_some_and(|until| until > now) {
        return Err(Error::MUTED);
    }
    if member.role > Role::Member {
        return Ok(());
    }
    if head.frozen {
        return Err(Error::FROZEN);
    }
    let pause = Duration::from_secs(head.slow_mode.unsigned_abs());
    match member.sent_at.and_then(|at| pause.checked_sub(now.since(at))) {
        Some(retry_after) if !retry_after.is_zero() => Err(Error::RateLimited { retry_after }),
        _ => Ok(()),
    }
}

fn kind_of(
    chat: &KnownChat,
    users: &HashMap<UserId, KnownUser>,
    sender: &UserId,
) -> Result<ChatKind, Error> {
    let Some([one, other]) = &chat.pair else {
        return Ok(chat.head.channel_name.clone().map_or(ChatKind::Chat, ChatKind::Channel));
    };
    let to = if one == sender { other } else { one };
    let to_name = users.get(to).ok_or_else(Error::no_user)?.author.username(to);
    Ok(ChatKind::Direct { to: to.clone(), to_name })
}

fn new_key(new: &NewMessage) -> Option<Key> {
    Some((new.chat_id, new.user_id.clone(), new.client_id.clone()?))
}

fn key(message: &Message) -> Option<Key> {
    Some((message.chat_id, message.user_id.clone(), message.client_id.clone()?))
}

fn repeated(first: &Arc<Message>, author: &Arc<Author>, new: &NewMessage) -> Result<Sent, Error> {
    let same_file =
        first.file.as_ref().map(|file| file.id) == new.file.as_ref().map(|file| file.id);
    let same = first.body == new.body && first.kind == new.kind && same_file;
    // If the first message was edited or deleted, its original text is not known any more.
    match same || first.edited_at.is_some() || first.deleted_at.is_some() {
        true => Ok(Sent { message: first.clone(), author: author.clone(), fresh: false }),
        false => {
            Err(Error::conflict("message.client_id", "this client_id belongs to another message"))
        }
    }
}
