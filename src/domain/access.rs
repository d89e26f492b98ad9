//! Access is a value: whoever holds one of these has been checked, and a function that needs the
//! right takes it as a parameter.

use crate::error::Error;
use crate::model::{ChatId, UserId};
use crate::store::{Standing, Store, Tx};

/// May see a chat and its history: anyone for a public chat, members for a private one.
pub(super) struct Reader {
    pub(super) chat_id: ChatId,
}

/// Is a member of a chat.
pub(super) struct Member {
    pub(super) chat_id: ChatId,
    pub(super) user_id: UserId,
}

impl Reader {
    /// A private chat does not exist for those who are no members of it: `not_found`.
    pub async fn check(
        store: &Store,
        chat_id: ChatId,
        user_id: Option<&UserId>,
    ) -> Result<Reader, Error> {
        Reader::with(store.find_standing(chat_id, user_id).await?, chat_id)
    }

    /// The same, in the transaction that needs it.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, user_id: &UserId) -> Result<Reader, Error> {
        Reader::with(tx.find_standing(chat_id, user_id).await?, chat_id)
    }

    fn with(standing: Option<Standing>, chat_id: ChatId) -> Result<Reader, Error> {
        match standing {
            Some(standing) if standing.member || !standing.private => Ok(Reader { chat_id }),
            _ => Err(Error::no_chat()),
        }
    }
}

impl Member {
    /// `not_found` as for a [`Reader`]; `forbidden` for who may see the chat and is no member.
    pub async fn check_in(tx: &mut Tx, chat_id: ChatId, user_id: &UserId) -> Result<Member, Error> {
        match tx.find_standing(chat_id, user_id).await? {
            Some(standing) if standing.member => Ok(Member { chat_id, user_id: user_id.clone() }),
            Some(standing) => Err(Error::no_member(standing.private)),
            None => Err(Error::no_chat()),
        }
    }
}
