//! `react`

use super::fields::{Id, request};
use super::views::messages::MessageView;
use super::{Answer, Answered, Call};
use crate::model::{ChatId, MessageId, ReactionText};

request! {
    /// A reaction to a message.
    React {
        /// The chat that the message is in.
        chat: Id<ChatId>,
        /// The message.
        message: Id<MessageId>,
        /// A text of 1 to 64 bytes, mostly an emoji.
        reaction: ReactionText,
        /// False takes it back.
        on: Option<bool>,
    }
}

pub async fn react(call: Call<'_>, asked: React) -> Answered<MessageView<'_>> {
    let (chat_id, id, on) = (asked.chat.id, asked.message.id, asked.on.unwrap_or(true));
    let actor = call.actor().await?;
    Answer::new(&MessageView::from(&call.app.react(&actor, chat_id, id, asked.reaction, on).await?))
}
