//! The members of a chat whom a message does not reach at once, because they have no connection.

use super::App;
use crate::error::Error;
use crate::model::{ChatId, UserId};

/// How many offline members are listed at most, and how many members are read at once.
const MAX_OFFLINE: usize = 1000;

/// How many times members are read at most.
const MAX_PAGES: usize = 10;

impl App {
    /// The members of a chat as whom no connection acts, on any node: at most 1,000 of them, among
    /// the first 10,000 by their ids. `None` while Redis does not know who is online.
    pub(super) async fn list_offline(&self, chat_id: ChatId) -> Result<Option<Vec<UserId>>, Error> {
        if !self.knows_who_is_online() {
            return Ok(None);
        }
        let (mut offline, mut last) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let members = self.store.list_member_ids(chat_id, last.as_ref(), MAX_OFFLINE).await?;
            let Some(online) = self.are_surely_online(&Vec::from_iter(&members)).await else {
                return Ok(None);
            };
            let is_last = members.len() < MAX_OFFLINE;
            last = members.last().cloned();
            let members = members.into_iter().zip(online);
            offline.extend(members.filter(|(_, online)| !online).map(|(user_id, _)| user_id));
            if is_last || offline.len() >= MAX_OFFLINE {
                break;
            }
        }
        offline.truncate(MAX_OFFLINE);
        Ok(Some(offline))
    }
}
