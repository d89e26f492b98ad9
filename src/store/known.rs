//! What has to be known of chats and users to append messages to them and to mark them as read.
//!
//! The one writer of a file remembers it from batch to batch, as nobody else changes the database.
//! Whatever changes one of these by other means says so: [`Tx::forget_chat`] and the like. On
//! PostgreSQL other nodes write, too, and each batch reads it anew.

use std::collections::{HashMap, HashSet};
use std::mem;

use super::chats::Head;
use super::members::Reading;
use super::users::Named;
use super::{Transaction, Tx};
use crate::error::Error;
use crate::model::{ChatId, UserId};

/// How many chats, or users, are remembered before all are forgotten.
const MAX_REMEMBERED: usize = 50_000;

#[derive(Default)]
pub(super) struct Known {
    pub chats: HashMap<ChatId, KnownChat>,
    pub users: HashMap<UserId, Named>,
    /// How many members the chats have together.
    members: usize,
}

pub(super) struct KnownChat {
    pub head: Head,
    /// The two users of a direct chat.
    pub pair: Option<[UserId; 2]>,
    /// How far those have read who have done something.
    pub members: HashMap<UserId, Reading>,
}

impl Known {
    /// Reads what is not known yet of these users in these chats.
    pub async fn learn(
        &mut self,
        tx: &mut Tx,
        actors: &HashSet<(ChatId, &UserId)>,
    ) -> Result<(), Error> {
        if self.chats.len().max(self.users.len()).max(self.members) > MAX_REMEMBERED {
            *self = Known::default();
        }
        let chats = actors.iter().map(|(chat_id, _)| *chat_id);
        let chats: HashSet<_> = chats.filter(|id| !self.chats.contains_key(id)).collect();
        for head in tx.find_heads(chats).await? {
            let (pair, members) = (head.pair(), HashMap::new());
            self.chats.insert(head.id, KnownChat { head, pair, members });
        }
        let members = actors.iter().filter(|(chat_id, user_id)| {
            self.chats.get(chat_id).is_some_and(|chat| !chat.members.contains_key(*user_id))
        });
        for (chat_id, user_id, reading) in tx.find_readings(&members.collect()).await? {
            if let Some(chat) = self.chats.get_mut(&chat_id) {
                chat.members.insert(user_id, reading);
                self.members += 1;
            }
        }
        let chats = actors.iter().filter_map(|(chat_id, _)| self.chats.get(chat_id));
        let named = chats.filter_map(|chat| chat.pair.as_ref()).flatten();
        let named = named.chain(actors.iter().map(|(_, user_id)| *user_id));
        let named = named.filter(|id| !self.users.contains_key(*id)).collect();
        self.users.extend(tx.list_named(&named).await?);
        Ok(())
    }
}

impl Tx {
    /// What is remembered; the caller gives it back, changed as the database is.
    pub(super) fn take_known(&mut self) -> Known {
        match &mut *self.inner {
            Transaction::Sqlite(writer) => mem::take(&mut writer.known),
            Transaction::Postgres(_) => Known::default(),
        }
    }

    pub(super) fn remember(&mut self, known: Known) {
        if let Transaction::Sqlite(writer) = &mut *self.inner {
            writer.known = known;
        }
    }

    /// A chat, or who is in it, is about to change.
    pub(super) fn forget_chat(&mut self, id: ChatId) {
        if let Transaction::Sqlite(writer) = &mut *self.inner
            && let Some(chat) = writer.known.chats.remove(&id)
        {
            writer.known.members -= chat.members.len();
        }
    }

    /// A user is about to change.
    pub(super) fn forget_user(&mut self, id: &UserId) {
        if let Transaction::Sqlite(writer) = &mut *self.inner {
            writer.known.users.remove(id);
        }
    }

    /// Who is in many chats is about to change.
    pub(super) fn forget_all(&mut self) {
        drop(self.take_known());
    }
}
