//! How messages are appended: a batch at a time, in the transaction of the [ledger](super::ledger).
//!
//! What it promises: only a member's message is appended, or the service's outside direct chats;
//! membership is looked up in the transaction that appends, once for the whole batch. The messages
//! of a chat get the `seq` 1, 2, 3… without a gap, in the order in which they were queued. A
//! `client_id` that its user repeats in a chat gets the first message again, or `conflict` if the
//! body or the type differs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Tx;
use super::chats::Head;
use super::users::Named;
use crate::clock;
use crate::error::Error;
use crate::model::{ChatId, ClientId, Message, MessageId, NewMessage, Place, Posted, Sent, UserId};

type Answer = Result<Sent, Error>;
/// What makes a repeated message the same as an earlier one.
type Key = (ChatId, UserId, ClientId);

/// Appends a batch. Returns the answers, in the order of the batch, and what is new.
pub(super) async fn append(
    tx: &mut Tx,
    batch: Vec<NewMessage>,
) -> Result<(Vec<Answer>, Vec<Posted>), Error> {
    let chats: HashSet<_> = batch.iter().map(|message| message.chat_id).collect();
    let heads = tx.find_heads(chats.into_iter()).await?;
    let senders = batch.iter().map(|message| (message.chat_id, &message.user_id)).collect();
    let members = tx.find_members(&senders).await?;
    let keys: Vec<_> = batch.iter().filter_map(new_key).collect();
    let known = tx.find_sent(&keys).await?.into_iter().map(Arc::new);
    let pairs: HashMap<_, _> =
        heads.iter().filter_map(|head| Some((head.id, head.pair()?))).collect();
    let named = batch.iter().map(|message| &message.user_id).chain(pairs.values().flatten());
    let users = tx.list_named(&named.collect()).await?;
    let mut plan = Plan {
        heads: heads.into_iter().map(|head| (head.id, head)).collect(),
        members,
        pairs,
        users,
        known: known.filter_map(|message| Some((key(&message)?, message))).collect(),
        fresh: Vec::with_capacity(batch.len()),
    };
    let answers = batch.into_iter().map(|message| plan.place(message)).collect();
    let fresh = plan.fresh;
    if !fresh.is_empty() {
        let messages: Vec<_> = fresh.iter().map(|posted| posted.message.clone()).collect();
        tx.insert_messages(&messages).await?;
        tx.update_heads(&messages).await?;
        tx.update_activity(&messages).await?;
        tx.update_own_unread(&messages).await?;
    }
    Ok((answers, fresh))
}

/// A batch being given its places.
struct Plan {
    heads: HashMap<ChatId, Head>,
    members: HashSet<(ChatId, UserId)>,
    /// The two users of each direct chat.
    pairs: HashMap<ChatId, [UserId; 2]>,
    users: HashMap<UserId, Named>,
    known: HashMap<Key, Arc<Message>>,
    fresh: Vec<Posted>,
}

impl Plan {
    fn place(&mut self, new: NewMessage) -> Answer {
        if !self.heads.contains_key(&new.chat_id) {
            return Err(Error::no_chat());
        }
        // In a direct chat nobody but its two users speaks.
        let of_member = new.of_member || self.pairs.contains_key(&new.chat_id);
        if of_member && !self.members.contains(&(new.chat_id, new.user_id.clone())) {
            return Err(Error::no_chat());
        }
        let key = new_key(&new);
        if let Some(first) = key.as_ref().and_then(|key| self.known.get(key)) {
            return repeated(first, &new);
        }
        let user = self.users.get(&new.user_id).ok_or_else(Error::no_user)?;
        if new.anonymous && user.protected {
            return Err(Error::NO_USER);
        }
        let author = user.username.clone();
        let (by, place) = (new.by, self.place_of(&new)?);
        let head = self.heads.get_mut(&new.chat_id).ok_or_else(Error::no_chat)?;
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
            self.known.insert(key, message.clone());
        }
        self.fresh.push(Posted { message: message.clone(), author, place, by });
        Ok(Sent { message, fresh: true })
    }

    fn place_of(&self, new: &NewMessage) -> Result<Place, Error> {
        let Some([one, other]) = self.pairs.get(&new.chat_id) else {
            let head = self.heads.get(&new.chat_id);
            let channel = head.and_then(|head| head.channel_name.clone());
            return Ok(channel.map_or(Place::Chat, Place::Channel));
        };
        let to = if *one == new.user_id { other } else { one };
        let to_name = &self.users.get(to).ok_or_else(Error::no_user)?.username;
        Ok(Place::Direct { to: to.clone(), to_name: to_name.clone() })
    }
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
