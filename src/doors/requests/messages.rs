//! `list-messages`, `new-message`

use super::views::{After, Before, MessageView, Messages};
use super::{Answer, Call};
use crate::error::Error;
use crate::model::{Body, ClientId, MessageQuery, MessageType, Problem};

pub async fn list_messages(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let query = call.body.object_or_empty("query")?;
    let (from, to) = query.optional_times("from", "to")?;
    let query = MessageQuery {
        from,
        to,
        after_seq: query.optional_number("after_seq", 0)?,
        before_seq: query.optional_number("before_seq", 0)?,
        limit: query.limit()?,
    };
    let viewer = call.viewer().await?;
    let page = call.app.list_messages(&viewer, chat_id, &query).await?;
    Answer::new(&Messages {
        messages: page.messages.iter().map(MessageView::from).collect(),
        next: page.next.map(|after_seq| After { after_seq }),
        previous: page.previous.map(|before_seq| Before { before_seq }),
    })
}

pub async fn new_message(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let message = call.body.object("message")?;
    let kind = message.text("type", |text, _| {
        MessageType::parse(text).ok_or(Problem::Invalid("must be text, img or file"))
    })?;
    let body = message.text("value", Body::parse)?;
    let client_id = message.optional_id("client_id", ClientId::parse)?;
    let actor = call.actor().await?;
    let sent = call.app.new_message(&actor, chat_id, kind, body, client_id).await?;
    // In the room the push has another name.
    let subscribed = call.app.is_subscribed(call.asker.connection().id(), chat_id);
    let pushed = sent.fresh && !subscribed && call.asker.hears_as(actor.user_id());
    Ok(Answer::new(&MessageView::from(&*sent.message))?.pushed(pushed))
}
