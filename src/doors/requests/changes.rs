//! `edit-message`, `delete-message`, `list-changes`: changes of messages.

use super::fields::{Id, Mentions, request};
use super::named::NamedMessage;
use super::pages::Limit;
use super::views::messages::{Changes, MessageView};
use super::{Answer, Answered, Call};
use crate::model::{Body, ChatId, Data, Edit, MessageId};

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
    Answer::new(&MessageView::from(&call.app.edit_message(&actor, asked.chat.id, id, edit).await?))
}

pub async fn delete_message(call: Call<'_>, asked: NamedMessage) -> Answered<MessageView<'_>> {
    let actor = call.actor().await?;
    Answer::new(&MessageView::from(
        &call.app.delete_message(&actor, asked.chat.id, asked.message.id).await?,
    ))
}

pub async fn list_changes(call: Call<'_>, asked: ListChanges) -> Answered<Changes<'_>> {
    let limit = Limit::of(asked.limit, call.app.limits());
    let viewer = call.viewer().await?;
    let page = call.app.list_changes(&viewer, asked.chat.id, asked.after, limit).await?;
    Answer::new(&Changes::from(&page))
}
