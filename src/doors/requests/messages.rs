//! `list-messages`, `new-message`

use super::fields::{Caption, End, Id, Mentions, request};
use super::pages::Limit;
use super::views::messages::{MessageView, Messages};
use super::{Answer, Answered, Call};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{
    Body, ChatId, ClientId, Data, Extras, FileId, MessageId, MessageQuery, MessageType, Only,
    Problem,
};

request! {
    /// A page of a chat's messages.
    ListMessages {
        /// The chat.
        chat: Id<ChatId>,
        /// Which of its messages; the latest, if it is absent.
        query: Option<MessagesWanted>,
    }

    /// Which messages of a chat are wanted; the bounds hold together.
    #[derive(Default)]
    MessagesWanted {
        /// Sent at this time or later.
        from: Option<Time>,
        /// Sent at this time or earlier; a time without decimals means the whole second.
        to: Option<End>,
        /// Those with a higher `seq`.
        after_seq: Option<i64>,
        /// Those with a lower `seq`.
        before_seq: Option<i64>,
        /// Those that answer the message of this id.
        reply_to: Option<MessageId>,
        /// True for the pinned ones alone.
        pinned: Option<bool>,
        /// How many messages at most.
        limit: Option<Limit>,
    }

    /// A message to send.
    NewMessage {
        /// The chat that it goes to.
        chat: Id<ChatId>,
        /// The message.
        message: MessageToSend,
    }

    /// What a message says.
    MessageToSend {
        /// What kind of thing the message is.
        r#type: MessageType,
        /// A file that you have uploaded, for an `img` or a `file`.
        file: Option<Id<FileId>>,
        /// The text; of an `img` or a `file` the caption, or without `file` a URL.
        value: Option<Caption>,
        /// An id of your own: sent again with the same one, the message is stored and pushed once.
        client_id: Option<ClientId>,
        /// The message of this chat that it answers.
        reply_to: Option<Id<MessageId>>,
        /// The ids of the members it mentions.
        mentions: Option<Mentions>,
        /// A JSON object of yours.
        data: Option<Data>,
    }
}

pub async fn list_messages(call: Call<'_>, asked: ListMessages) -> Answered<Messages<'_>> {
    let wanted = asked.query.unwrap_or_default();
    let query = MessageQuery {
        from: wanted.from,
        to: wanted.to.map(|End(time)| time),
        after_seq: wanted.after_seq,
        before_seq: wanted.before_seq,
        only: only(wanted.reply_to, wanted.pinned.unwrap_or(false))?,
        limit: Limit::of(wanted.limit, call.app.limits()),
    };
    let viewer = call.viewer().await?;
    let page = call.app.list_messages(&viewer, asked.chat.id, &query).await?;
    Answer::new(&Messages::from(&page))
}

fn only(reply_to: Option<MessageId>, pinned: bool) -> Result<Option<Only>, Error> {
    match reply_to {
        Some(_) if pinned => {
            Err(Problem::Invalid("must not stand beside reply_to").at("query.pinned"))
        }
        Some(id) => Ok(Some(Only::Replies(id))),
        None => Ok(pinned.then_some(Only::Pinned)),
    }
}

pub async fn new_message(call: Call<'_>, asked: NewMessage) -> Answered<MessageView<'_>> {
    let (chat_id, message) = (asked.chat.id, asked.message);
    let file = message.file.map(|file| file.id);
    let body = body(message.r#type, file, message.value)?;
    let extras = Extras {
        reply_to: message.reply_to.map(|message| message.id),
        mentions: message.mentions.map(|Mentions(ids)| ids).unwrap_or_default(),
        data: message.data,
        file,
    };
    let actor = call.actor().await?;
    let (kind, client_id) = (message.r#type, message.client_id);
    let sent = call.app.new_message(&actor, chat_id, kind, body, client_id, extras).await?;
    // A socket in the room is pushed the message under another name.
    let id = call.asker.connection().id();
    let subscribed = call.app.is_subscribed(id, chat_id);
    // The service can send without being a member.
    let member = !call.asker.connection().is_service();
    let pushed = sent.fresh && !subscribed && call.hears(&actor, chat_id, member);
    let answer = Answer::new(&MessageView::new(&sent.message, &sent.author))?;
    Ok(answer.pushed(pushed).fresh(sent.fresh))
}

/// The text of a message, which may be empty if there is a file.
fn body(kind: MessageType, file: Option<FileId>, value: Option<Caption>) -> Result<Body, Error> {
    let wrong = |why, path| Err(Problem::Invalid(why).at(path));
    match (value, file) {
        (_, Some(_)) if kind == MessageType::Text => {
            wrong("must be img or file beside a file", "message.type")
        }
        (Some(Caption(body)), Some(_)) => Ok(body),
        (None, Some(_)) => Ok(Body::none()),
        (Some(Caption(body)), None) if !body.as_ref().is_empty() => Ok(body),
        (Some(_), None) => wrong("must not be empty", "message.value"),
        (None, None) => wrong("is required", "message.value"),
    }
}
