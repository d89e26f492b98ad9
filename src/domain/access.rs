//! Access is a value: whoever holds one of these has been checked, and a function that needs the
//! right takes it as a parameter.

use super::App;
use crate::error::Error;
use crate::model::{ChatId, UserId};
use crate::store::Standing;

/// May see a chat and its history: anyone for a public chat, members for a private one.
pub struct Reader {
    chat_id: ChatId,
}

/// Is a member of a chat.
pub struct Member {
    chat_id: ChatId,
    user_id: UserId,
}

impl Reader {
    pub fn chat_id(&self) -> ChatId {
        self.chat_id
    }
}

impl Member {
    pub fn into_parts(self) -> (ChatId, UserId) {
        (self.chat_id, self.user_id)
    }
}

impl App {
    /// A private chat does not exist for those who are no members of it: `not_found`.
    pub(super) async fn reader(
        &self,
        user_id: Option<&UserId>,
        chat_id: ChatId,
    ) -> Result<Reader, Error> {
        match self.store.find_standing(chat_id, user_id).await? {
            Some(standing) if standing.member || !standing.private => Ok(Reader { chat_id }),
            _ => Err(Error::not_found("chat")),
        }
    }

    /// `not_found` as for a [`Reader`]; `forbidden` for who may see the chat and is no member.
    pub(super) async fn member(&self, user_id: UserId, chat_id: ChatId) -> Result<Member, Error> {
        match self.store.find_standing(chat_id, Some(&user_id)).await? {
            Some(standing) if standing.member => Ok(Member { chat_id, user_id }),
            standing => Err(refuse_member(standing)),
        }
    }
}

/// The error of who would have to be a member and is none.
pub(super) fn refuse_member(standing: Option<Standing>) -> Error {
    match standing {
        Some(standing) if !standing.private => {
            Error::Forbidden("only members of the chat may do this")
        }
        _ => Error::not_found("chat"),
    }
}
