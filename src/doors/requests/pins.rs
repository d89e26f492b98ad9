//! `pin-message`

use super::fields::{Id, request};
use super::views::messages::MessageView;
use super::{Answer, Answered, Call};
use crate::model::{ChatId, MessageId};

request! {
    /// A message to pin.
    PinMessage {
        /// The chat that the message is in.
        chat: Id<ChatId>,
        /// The message.
        message: Id<MessageId>,
        /// False takes the pin off.
        on: Option<bool>,
    }
}

pub async fn pin_message(call: Call<'_>, asked: PinMessage) -> Answered<MessageView<'_>> {
    let (chat_id, id, on) = (asked.chat.id, asked.message.id, asked.on.unwrap_or(true));
    let actor = call.actor().await?;
    Answer::new(&MessageView::from(&call.app.pin_message(&actor, chat_id, id, on).await?))
}
