//! The table of events: each decodes its body, calls the function of the same name in the domain
//! and encodes what that returns.

use serde_json::Value;

use super::session::Session;
use super::views::{After, Answer, Before, ChatView, Chats, MessageView, Messages, OfChat, OfUser};
use super::views::{ReadView, UserView};
use crate::clock::Time;
use crate::domain::{Actor, App};
use crate::doors::input::Input;
use crate::error::Error;
use crate::model::{Body, Chat, ChatId, ClientId, Description, ExternalId, Handle, MessageQuery};
use crate::model::{MessageType, Name, NewChat, NewUser, Photo, Problem, UserId};

/// One request of one socket.
struct Call<'a> {
    session: &'a Session,
    app: &'a App,
    body: Input<'a>,
}

/// Answers the request `event`; an event that is none is `invalid`.
pub(super) async fn answer(
    session: &Session,
    app: &App,
    event: &str,
    body: &Value,
) -> Result<Answer, Error> {
    let call = || Ok::<_, Error>(Call { session, app, body: Input::new(body, app.limits())? });
    match event {
        "create-user" => create_user(call()?).await,
        "create-chat" => create_chat(call()?).await,
        "list-chats" => list_chats(call()?).await,
        "list-messages" => list_messages(call()?).await,
        "new-message" => new_message(call()?).await,
        "mark-read" => mark_read(call()?).await,
        "join-chat" => join_chat(call()?).await,
        "leave-chat" => leave_chat(call()?).await,
        _ => Err(Error::Invalid { field: None, why: format!("there is no event {event}") }),
    }
}

async fn create_user(call: Call<'_>) -> Result<Answer, Error> {
    let user = call.body.object("user")?;
    let new = NewUser {
        external_id: user.optional_text("external_id", ExternalId::parse)?,
        id: user.optional_text("id", UserId::parse)?,
        handle: user.optional_text("handle", Handle::parse)?,
        name: user.text("name", Name::parse)?,
        photo: user.text("photo", Photo::parse)?,
    };
    if new.external_id.is_none() && new.id.is_none() {
        return Err(user.invalid("external_id", "or user.id is required"));
    }
    let user = call.app.create_user(new).await?;
    call.session.act_as(&user.id).await?;
    Answer::new(&OfUser { user: UserView::from(&user) })
}

async fn create_chat(call: Call<'_>) -> Result<Answer, Error> {
    let chat = call.body.object("chat")?;
    let new = NewChat {
        name: chat.text("name", Name::parse)?,
        description: chat.optional_text("description", Description::parse)?,
        private: chat.optional_bool("private")?.unwrap_or(true),
    };
    if chat.optional_text("team_id", Name::parse)?.is_some() {
        let why = "there are no teams yet".into();
        return Err(Error::NotFound { field: "chat.team_id", why });
    }
    let users = call.body.texts("users", call.app.limits().max_chat_users, UserId::parse)?;
    let actor = call.actor().await?;
    let chat = call.app.create_chat(&actor, new, users).await?;
    chat_answer(&chat).map(|answer| answer.pushed(true))
}

async fn list_chats(call: Call<'_>) -> Result<Answer, Error> {
    let limit = call.body.limit()?;
    let before = call.body.optional_text("before", |text, _| {
        read_cursor(text).ok_or(Problem::Invalid("must be the next of an earlier page"))
    })?;
    let actor = call.actor().await?;
    let page = call.app.list_chats(&actor, before, limit).await?;
    let next = page.next.map(|(active_at, id)| format!("{}.{id}", active_at.as_micros()));
    Answer::new(&Chats { chats: page.chats.iter().map(ChatView::from).collect(), next })
}

async fn list_messages(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let query = call.body.object_or_empty("query")?;
    let query = MessageQuery {
        from: query.optional_time("from")?,
        to: query.optional_time("to")?,
        after_seq: query.optional_number("after_seq", 0)?,
        before_seq: query.optional_number("before_seq", 0)?,
        limit: query.limit()?,
    };
    let user_id = call.claim_user().await?;
    let page = call.app.list_messages(user_id.as_ref(), chat_id, &query).await?;
    Answer::new(&Messages {
        messages: page.messages.iter().map(MessageView::from).collect(),
        next: page.next.map(|after_seq| After { after_seq }),
        previous: page.previous.map(|before_seq| Before { before_seq }),
    })
}

async fn new_message(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let message = call.body.object("message")?;
    let kind = message.text("type", |text, _| {
        MessageType::parse(text).ok_or(Problem::Invalid("must be text, img or file"))
    })?;
    let body = message.text("value", Body::parse)?;
    let client_id = message.optional_text("client_id", ClientId::parse)?;
    let actor = call.actor().await?;
    let sent = call.app.new_message(&actor, chat_id, kind, body, client_id).await?;
    Ok(Answer::new(&MessageView::from(&*sent.message))?.pushed(sent.fresh))
}

async fn mark_read(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let seq = call.body.optional_number("seq", 0)?;
    let actor = call.actor().await?;
    let read = call.app.mark_read(&actor, chat_id, seq).await?;
    Answer::new(&OfChat { chat: ReadView::from(&read) })
}

async fn join_chat(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let actor = call.actor().await?;
    chat_answer(&call.app.join_chat(&actor, chat_id).await?)
}

async fn leave_chat(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let actor = call.actor().await?;
    chat_answer(&call.app.leave_chat(&actor, chat_id).await?)
}

impl Call<'_> {
    fn chat_id(&self) -> Result<ChatId, Error> {
        self.body.object("chat")?.text("id", ChatId::parse)
    }

    /// Who asks: the request's `user`, whom the socket acts as from now on, or else its latest.
    async fn actor(&self) -> Result<Actor, Error> {
        let user_id = self.claim_user().await?.ok_or(Error::Unauthenticated)?;
        Ok(Actor { user_id, connection: self.session.id })
    }

    async fn claim_user(&self) -> Result<Option<UserId>, Error> {
        let Some(user) = self.body.optional_object("user")? else {
            return Ok(self.session.latest_user());
        };
        let user_id = user.text("id", UserId::parse)?;
        self.session.act_as(&user_id).await?;
        Ok(Some(user_id))
    }
}

fn chat_answer(chat: &Chat) -> Result<Answer, Error> {
    Answer::new(&OfChat { chat: ChatView::from(chat) })
}

/// Reads back what a page of chats called `next`.
fn read_cursor(text: &str) -> Option<(Time, ChatId)> {
    let (micros, id) = text.split_once('.')?;
    let time = Time::from_micros(micros.parse().ok()?);
    Some((time, ChatId::read(id)?))
}
