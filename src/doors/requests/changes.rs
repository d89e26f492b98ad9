//! `edit-message`, `delete-message`, `react`, `pin-message`, `list-changes`: what becomes of messages.

use super::messages::mentions;
use super::views::messages::{Changes, MessageView};
use super::{Answer, Call};
use crate::error::Error;
use crate::model::{Body, Changed, Edit, MessageId, ReactionText, parse_id};

pub async fn edit_message(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let message = call.body.object("message")?;
    let id = message.text("id", parse_id)?;
    let edit = Edit {
        body: message.optional_text("value", Body::parse)?,
        mentions: mentions(&message)?,
        data: message.optional_data_object("data")?,
    };
    if edit.is_empty() {
        return Err(call.body.invalid("message", "must have value, mentions or data to change"));
    }
    let actor = call.actor().await?;
    answer(&call.app.edit_message(&actor, chat_id, id, edit).await?)
}

pub async fn delete_message(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, id) = (call.chat_id()?, call.message_id()?);
    let actor = call.actor().await?;
    answer(&call.app.delete_message(&actor, chat_id, id).await?)
}

pub async fn react(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, id) = (call.chat_id()?, call.message_id()?);
    let reaction = call.body.text("reaction", ReactionText::parse)?;
    let on = call.body.optional_bool("on")?.unwrap_or(true);
    let actor = call.actor().await?;
    answer(&call.app.react(&actor, chat_id, id, reaction, on).await?)
}

pub async fn pin_message(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, id) = (call.chat_id()?, call.message_id()?);
    let on = call.body.optional_bool("on")?.unwrap_or(true);
    let actor = call.actor().await?;
    answer(&call.app.pin_message(&actor, chat_id, id, on).await?)
}

pub async fn list_changes(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let after = call.body.optional_number("after", 0)?;
    let after = after.ok_or_else(|| call.body.invalid("after", "is required"))?;
    let limit = call.body.limit()?;
    let viewer = call.viewer().await?;
    let page = call.app.list_changes(&viewer, chat_id, after, limit).await?;
    Answer::new(&Changes::from(&page))
}

impl Call<'_> {
    fn message_id(&self) -> Result<MessageId, Error> {
        self.body.object("message")?.text("id", parse_id)
    }
}

fn answer(changed: &Changed) -> Result<Answer, Error> {
    Answer::new(&MessageView::new(&changed.message, &changed.user))
}
