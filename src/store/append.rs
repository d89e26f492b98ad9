//! How messages are appended: a batch at a time, in the transaction of the [ledger](super::ledger).
//!
//! What it promises: only a member's message is appended, or the service's outside direct chats, as
//! the database says in the transaction that appends. The messages of a chat get the `seq` 1, 2, 3…
//! without a gap, in the order in which they were queued. A `client_id` that its user repeats in a
//! chat gets the first message again, or `conflict` if the body or the type differs.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::chats::Head;
use super::users::Named;
use super::{Transaction, Tx};
use crate::clock;
use crate::error::Error;
use crate::model::{ChatId, ClientId, Message, MessageId, NewMessage, Place, Posted, Sent, UserId};

/// How many chats, and how many users, are remembered before all are forgotten.
const MAX_KNOWN: usize = 50_000;

type Answer = Result<Sent, Error>;
/// What makes a repeated message the same as an earlier one.
pub(super) type Key = (ChatId, UserId, ClientId);

/// Appends a batch. Returns the answers, in the order of the batch, and what is new.
pub(super) async fn append(
    tx: &mut Tx,
    batch: Vec<NewMessage>,
) -> Result<(Vec<Answer>, Vec<Posted>), Error> {
    let mut known = tx.take_known();
    known.learn(tx, &batch).await?;
    let sent = tx.find_sent(batch.iter().filter_map(new_key).collect()).await?;
    let sent = sent.into_iter().map(Arc::new);
    let mut plan = Plan {
        sent: sent.filter_map(|message| Some((key(&message)?, message))).collect(),
        fresh: Vec::with_capacity(batch.len()),
        known,
    };
    let answers = batch.into_iter().map(|message| plan.place(message)).collect();
    let Plan { known, fresh, .. } = plan;
    if !fresh.is_empty() {
        let messages: Vec<_> = fresh.iter().map(|posted| posted.message.clone()).collect();
        let chats: HashSet<_> = messages.iter().map(|message| message.chat_id).collect();
        let heads: Vec<_> =
            chats.iter().filter_map(|id| Some(&known.chats.get(id)?.head)).collect();
        tx.insert_messages(&messages).await?;
        tx.update_heads(&heads).await?;
        tx.update_own_unread(&messages).await?;
    }
    tx.remember(known);
    Ok((answers, fresh))
}

/// What has to be known of chats and users to append to them. The one writer of a file remembers it;
/// what changes it is forgotten.
#[derive(Default)]
pub(super) struct Known {
    chats: HashMap<ChatId, KnownChat>,
    users: HashMap<UserId, Named>,
}

struct KnownChat {
    head: Head,
    /// The two users of a direct chat.
    pair: Option<[UserId; 2]>,
    /// Those of its members who have sent something.
    senders: HashSet<UserId>,
}

impl Known {
    /// Reads what is not known yet of those whom the batch is of.
    async fn learn(&mut self, tx: &mut Tx, batch: &[NewMessage]) -> Result<(), Error> {
        if self.chats.len().max(self.users.len()) > MAX_KNOWN {
            *self = Known::default();
        }
        let chats = batch.iter().map(|message| message.chat_id);
        let chats: HashSet<_> = chats.filter(|id| !self.chats.contains_key(id)).collect();
        for head in tx.find_heads(chats).await? {
            let (pair, senders) = (head.pair(), HashSet::new());
            self.chats.insert(head.id, KnownChat { head, pair, senders });
        }
        let senders = batch.iter().map(|message| (message.chat_id, &message.user_id));
        let senders = senders.filter(|(chat_id, user_id)| {
            self.chats.get(chat_id).is_some_and(|chat| !chat.senders.contains(*user_id))
        });
        for (chat_id, user_id) in tx.find_members(&senders.collect()).await? {
            if let Some(chat) = self.chats.get_mut(&chat_id) {
                chat.senders.insert(user_id);
            }
        }
        let chats = batch.iter().filter_map(|message| self.chats.get(&message.chat_id));
        let named = chats.filter_map(|chat| chat.pair.as_ref()).flatten();
        let named = named.chain(batch.iter().map(|message| &message.user_id));
        let named = named.filter(|id| !self.users.contains_key(*id)).collect();
        let named = tx.list_named(&named).await?;
        self.users.extend(named);
        Ok(())
    }
}

impl Tx {
    fn take_known(&mut self) -> Known {
        match &mut *self.inner {
            Transaction::Sqlite(writer) => mem::take(&mut writer.known),
            // Other nodes write there, too.
            Transaction::Postgres(_) => Known::default(),
        }
    }

    fn remember(&mut self, known: Known) {
        if let Transaction::Sqlite(writer) = &mut *self.inner {
            writer.known = known;
        }
    }

    /// What is known of a chat, or of who is in it, changes.
    pub(super) fn forget_chat(&mut self, id: ChatId) {
        if let Transaction::Sqlite(writer) = &mut *self.inner {
            writer.known.chats.remove(&id);
        }
    }

    /// What is known of a user changes.
    pub(super) fn forget_user(&mut self, id: &UserId) {
        if let Transaction::Sqlite(writer) = &mut *self.inner {
            writer.known.users.remove(id);
        }
    }

    /// Who is in many chats changes.
    pub(super) fn forget_all(&mut self) {
        drop(self.take_known());
    }
}

/// A batch being given its places.
struct Plan {
    known: Known,
    /// What was sent under the `client_id`s of the batch.
    sent: HashMap<Key, Arc<Message>>,
    fresh: Vec<Posted>,
}

impl Plan {
    fn place(&mut self, new: NewMessage) -> Answer {
        let chat = self.known.chats.get_mut(&new.chat_id).ok_or_else(Error::no_chat)?;
        // In a direct chat nobody but its two users speaks.
        let of_member = new.of_member || chat.pair.is_some();
        if of_member && !chat.senders.contains(&new.user_id) {
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
        self.fresh.push(Posted { message: message.clone(), author, place, by: new.by });
        Ok(Sent { message, fresh: true })
    }
}

fn place_in(
    chat: &KnownChat,
    users: &HashMap<UserId, Named>,
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

fn repeated(first: &Arc<Message>, new: &NewMessage) -> Answer {
    match first.body == new.body && first.kind == new.kind {
        true => Ok(Sent { message: first.clone(), fresh: false }),
        false => {
            Err(Error::conflict("message.client_id", "this client_id belongs to another message"))
        }
    }
}
