//! Chats, and one's own part in them.

use super::views::{ChatView, Chats, OfChat, OfId};
use super::{Answer, Call, cursor};
use crate::domain::Actor;
use crate::error::Error;
use crate::model::{
    Chat, ChatChange, ClientId, Description, ListedChat, Name, NewChat, Problem, UserId, parse_id,
};

/// The longest pause of a slow mode, in seconds: a day. A longer one is lowered to it.
const MAX_SLOW_MODE: i64 = 86_400;

/// The longest time that a chat says its messages are kept, in days: a hundred years.
const MAX_RETENTION: i64 = 36_500;

pub async fn create_chat(call: Call<'_>) -> Result<Answer, Error> {
    let chat = call.body.object("chat")?;
    let new = NewChat {
        name: chat.text("name", Name::parse)?,
        description: chat.optional_text("description", Description::parse)?,
        private: chat.optional_bool("private")?.unwrap_or(true),
        team_id: chat.optional_text("team_id", parse_id)?,
        client_id: chat.optional_id("client_id", ClientId::parse)?,
    };
    let users = call.body.ids("users", call.app.limits().max_chat_users, UserId::parse)?;
    let actor = call.actor().await?;
    let made = call.app.create_chat(&actor, new, users).await?;
    match made.fresh {
        true => pushed_chat(&call, &actor, &made.listed),
        false => chat_answer(&made.listed),
    }
}

pub async fn open_direct(call: Call<'_>) -> Result<Answer, Error> {
    let user_id = call.other_user()?;
    let actor = call.actor().await?;
    chat_answer(&call.app.open_direct(&actor, &user_id).await?)
}

pub async fn list_chats(call: Call<'_>) -> Result<Answer, Error> {
    let (limit, before) = (call.body.limit()?, call.before()?);
    let actor = call.actor().await?;
    let page = call.app.list_chats(&actor, before, limit).await?;
    let last = |chat: &Chat| page.last_messages.get(&chat.id);
    let chats = page.chats.iter().map(|it| ChatView::from(it).with_last(last(&it.chat))).collect();
    Answer::new(&Chats { chats, next: page.next.map(cursor) })
}

pub async fn update_chat(call: Call<'_>) -> Result<Answer, Error> {
    let chat = call.body.object("chat")?;
    let chat_id = chat.text("id", parse_id)?;
    let change = ChatChange {
        name: chat.optional_text("name", Name::parse)?,
        description: chat.optional_text("description", Description::parse)?,
        private: chat.optional_bool("private")?,
        data: chat.optional_data_object("data")?,
        frozen: chat.optional_bool("frozen")?,
        slow_mode: chat.optional_number("slow_mode", 0)?.map(|it| it.min(MAX_SLOW_MODE)),
        since_joining: chat.optional_text("history", |text, _| match text {
            "all" => Ok(false),
            "since-joining" => Ok(true),
            _ => Err(Problem::Invalid("must be all or since-joining")),
        })?,
        retention_days: chat.optional_number("retention_days", 0)?.map(|it| it.min(MAX_RETENTION)),
    };
    let actor = call.actor().await?;
    let listed = call.app.update_chat(&actor, chat_id, change).await?;
    pushed_chat(&call, &actor, &listed)
}

pub async fn join_chat(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let actor = call.actor().await?;
    chat_answer(&call.app.join_chat(&actor, chat_id).await?)
}

pub async fn leave_chat(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let actor = call.actor().await?;
    chat_answer(&call.app.leave_chat(&actor, chat_id).await?)
}

pub async fn remove_member(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, user_id) = (call.chat_id()?, call.other_user()?);
    let actor = call.actor().await?;
    let listed = call.app.remove_member(&actor, chat_id, user_id).await?;
    pushed_chat(&call, &actor, &listed)
}

pub async fn delete_chat(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let actor = call.actor().await?;
    call.app.delete_chat(&actor, chat_id).await?;
    // The push has another name.
    Answer::new(&OfChat { chat: OfId { id: chat_id } })
}

/// The answer that all members get as a push, the actor's sockets included.
fn pushed_chat(call: &Call<'_>, actor: &Actor, listed: &ListedChat) -> Result<Answer, Error> {
    let (id, chat_id) = (call.asker.connection().id(), listed.chat.id);
    let member = listed.membership.is_some();
    let hears = call.hears(actor, chat_id, member) || call.app.is_subscribed(id, chat_id);
    Ok(chat_answer(listed)?.pushed(hears))
}

fn chat_answer<'a>(chat: impl Into<ChatView<'a>>) -> Result<Answer, Error> {
    Answer::new(&OfChat { chat: chat.into() })
}
