//! `edit-message`, `delete-message`, `react`, `pin-message`, `list-changes`: what becomes of
//! messages.

use super::fields::{Id, Limit, Mentions, request};
use super::named::NamedMessage;
use super::views::messages::{Changes, MessageView};
use super::{Answer, Answered, Call};
use crate::model::{Body, Changed, ChatId, Data, Edit, MessageId, ReactionText};

request! {
    /// What is to be changed of a message.
    EditMessage {
        /// The chat that the message is in.
        chat: Id<ChatId>,
        /// The message, and what is to be changed of it.
        message: MessageToEdit,
    }

    /// A message, and what is to be changed of it; what is absent stays.
    MessageToEdit {
        /// Which message.
        id: MessageId,
        /// The text.
        value: Option<Body>,
        /// The ids of the members it mentions; an empty list clears them.
        mentions: Option<Mentions>,
        /// A JSON object of yours; it replaces the one before, and `{}` clears it.
        data: Option<Data>,
    }

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

    /// A message to pin.
    PinMessage {
        /// The chat that the message is in.
        chat: Id<ChatId>,
        /// The message.
        message: Id<MessageId>,
        /// False takes the pin off.
        on: Option<bool>,
    }

    /// A page of the messages that were changed.
    ListChanges {
        /// The chat.
        chat: Id<ChatId>,
        /// The number of the last change that you know; 0 for all.
        after: i64,
        /// How many messages at most.
        limit: Option<Limit>,
    }
}

pub async fn edit_message(call: Call<'_>, asked: EditMessage) -> Answered<MessageView<'_>> {
    let MessageToEdit { id, value, mentions, data } = asked.message;
    let edit = Edit { body: value, mentions: mentions.map(|Mentions(ids)| ids), data };
    if edit.is_empty() {
        return Err(call.body.invalid("message", "must have value, mentions or data to change"));
    }
    let actor = call.actor().await?;
    answer(&call.app.edit_message(&actor, asked.chat.id, id, edit).await?)
}

pub async fn delete_message(call: Call<'_>, asked: NamedMessage) -> Answered<MessageView<'_>> {
    let actor = call.actor().await?;
    answer(&call.app.delete_message(&actor, asked.chat.id, asked.message.id).await?)
}

pub async fn react(call: Call<'_>, asked: React) -> Answered<MessageView<'_>> {
    let (chat_id, id, on) = (asked.chat.id, asked.message.id, asked.on.unwrap_or(true));
    let actor = call.actor().await?;
    answer(&call.app.react(&actor, chat_id, id, asked.reaction, on).await?)
}

pub async fn pin_message(call: Call<'_>, asked: PinMessage) -> Answered<MessageView<'_>> {
    let (chat_id, id, on) = (asked.chat.id, asked.message.id, asked.on.unwrap_or(true));
    let actor = call.actor().await?;
    answer(&call.app.pin_message(&actor, chat_id, id, on).await?)
}

pub async fn list_changes(call: Call<'_>, asked: ListChanges) -> Answered<Changes<'_>> {
    let limit = Limit::of(asked.limit, call.app.limits());
    let viewer = call.viewer().await?;
    let page = call.app.list_changes(&viewer, asked.chat.id, asked.after, limit).await?;
    Answer::new(&Changes::from(&page))
}

fn answer(changed: &Changed) -> Answered<MessageView<'_>> {
    Answer::new(&MessageView::new(&changed.message, &changed.user))
}
