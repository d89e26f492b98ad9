//! Requests that say no more than which chat, user or message they are about.

use super::fields::{Id, request};
use crate::model::{ChatId, MessageId, UserId};

request! {
    /// A chat.
    NamedChat {
        /// The chat.
        chat: Id<ChatId>,
    }

    /// A user.
    NamedUser {
        /// The other user.
        user: Id<UserId>,
    }

    /// A user in a chat.
    NamedMember {
        /// The chat.
        chat: Id<ChatId>,
        /// The other user.
        user: Id<UserId>,
    }

    /// A message.
    NamedMessage {
        /// The chat that the message is in.
        chat: Id<ChatId>,
        /// The message.
        message: Id<MessageId>,
    }
}
