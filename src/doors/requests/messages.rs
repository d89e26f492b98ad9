//! `list-messages`, `new-message`

use std::collections::HashSet;

use super::views::messages::{MessageView, Messages};
use super::{Answer, Call};
use crate::doors::input::Input;
use crate::error::Error;
use crate::model::{
    Body, ClientId, Extras, MessageId, MessageQuery, MessageType, Only, Problem, UserId, parse_id,
};

pub async fn list_messages(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let query = call.body.object_or_empty("query")?;
    let (from, to) = query.optional_times("from", "to")?;
    let query = MessageQuery {
        from,
        to,
        after_seq: query.optional_number("after_seq", 0)?,
        before_seq: query.optional_number("before_seq", 0)?,
        only: only(&query)?,
        limit: query.limit()?,
    };
    let viewer = call.viewer().await?;
    let page = call.app.list_messages(&viewer, chat_id, &query).await?;
    Answer::new(&Messages::from(&page))
}

fn only(query: &Input<'_>) -> Result<Option<Only>, Error> {
    let reply_to = query.optional_text("reply_to", parse_id)?;
    let pinned = query.optional_bool("pinned")?.unwrap_or(false);
    match reply_to {
        Some(_) if pinned => Err(query.invalid("pinned", "must not stand beside reply_to")),
        Some(id) => Ok(Some(Only::Replies(id))),
        None => Ok(pinned.then_some(Only::Pinned)),
    }
}

pub async fn new_message(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let message = call.body.object("message")?;
    let kind = message.text("type", |text, _| {
        MessageType::parse(text).ok_or(Problem::Invalid("must be text, img or file"))
    })?;
    let file = message.optional_object("file")?;
    let file = file.map(|file| file.text("id", parse_id)).transpose()?;
    if file.is_some() && kind == MessageType::Text {
        return Err(message.invalid("type", "must be img or file beside a file"));
    }
    let body = match file {
        None => message.text("value", Body::parse)?,
        Some(_) => message.optional_text("value", Body::parse_caption)?.unwrap_or_else(Body::none),
    };
    let client_id = message.optional_id("client_id", ClientId::parse)?;
    let extras = Extras {
        reply_to: reply_to(&message)?,
        mentions: mentions(&message)?.unwrap_or_default(),
        data: message.optional_data_object("data")?,
        file,
    };
    let actor = call.actor().await?;
    let sent = call.app.new_message(&actor, chat_id, kind, body, client_id, extras).await?;
    // In the room the push has another name.
    let id = call.asker.connection().id();
    let subscribed = call.app.is_subscribed(id, chat_id);
    // The service need not be one.
    let member = !call.asker.connection().is_service();
    let pushed = sent.fresh && !subscribed && call.hears(&actor, chat_id, member);
    Ok(Answer::new(&MessageView::new(&sent.message, &sent.author))?.pushed(pushed))
}

fn reply_to(message: &Input<'_>) -> Result<Option<MessageId>, Error> {
    let reply_to = message.optional_object("reply_to")?;
    reply_to.map(|reply_to| reply_to.text("id", parse_id)).transpose()
}

/// The users that a message mentions, each once, if it says so.
pub(super) fn mentions(message: &Input<'_>) -> Result<Option<Vec<UserId>>, Error> {
    const MAX: usize = Extras::MAX_MENTIONS;
    let mentions =
        message.optional_ids("mentions", MAX, UserId::parse).map_err(|error| match error {
            Error::TooLarge { field, .. } => {
                Error::invalid(field, format!("must name {MAX} users at most"))
            }
            error => error,
        })?;
    let mut seen = HashSet::new();
    Ok(mentions.map(|ids| ids.into_iter().filter(|id| seen.insert(id.clone())).collect()))
}
