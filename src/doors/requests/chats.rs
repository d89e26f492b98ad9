//! Makes, lists, changes and deletes chats, and lets users join and leave them.

use super::fields::{History, Id, request};
use super::named::{NamedChat, NamedMember};
use super::pages::{Before, Limit, cursor};
use super::views::chats::{ChatView, Chats, OwnChat};
use super::views::{OfChat, OfId};
use super::{Answer, Answered, Call};
use crate::domain::Actor;
use crate::model::{
    Chat, ChatChange, ChatId, ClientId, Data, Description, ListedChat, Name, NewChat, TeamId,
    UserId,
};

/// The longest pause of a slow mode, in seconds: a day. A longer one is lowered to it.
const MAX_SLOW_MODE: i64 = 86_400;

/// The longest time for which a chat can keep its messages before it deletes them, in days: a
/// hundred years. A longer one is lowered to it.
const MAX_RETENTION: i64 = 36_500;

request! {
    /// A new chat and its first members.
    CreateChat {
        /// The chat to make.
        chat: ChatToMake,
        /// The members besides the creator, who is one in any case.
        users: Vec<UserId>,
    }

    /// A chat to make.
    ChatToMake {
        /// What it is called.
        name: Name,
        /// What it is about.
        description: Option<Description>,
        /// Whether only its members see it; true unless it says otherwise.
        private: Option<bool>,
        /// The team that it belongs to, whose members may see it and join it.
        team_id: Option<TeamId>,
        /// An id of your own: sent again with the same one, the request makes no second chat.
        client_id: Option<ClientId>,
    }

    /// A page of your chats.
    ListChats {
        /// How many chats at most.
        limit: Option<Limit>,
        /// The `next` of an earlier page, for the page that follows.
        before: Option<Before<ChatId>>,
    }

    /// What is to be changed of a chat.
    UpdateChat {
        /// The chat, and what is to be changed of it.
        chat: ChatToUpdate,
    }

    /// A chat, and what is to be changed of it; what is absent stays.
    ChatToUpdate {
        /// Which chat.
        id: ChatId,
        /// What it is called.
        name: Option<Name>,
        /// What it is about; an empty text clears it.
        description: Option<Description>,
        /// Whether only its members see it. For the owner.
        private: Option<bool>,
        /// A JSON object of yours; it replaces the one before, and `{}` clears it.
        data: Option<Data>,
        /// Whether moderators alone may send.
        frozen: Option<bool>,
        /// How many seconds a member must wait between two messages; 0 ends it.
        slow_mode: Option<i64>,
        /// What members see of what was said before they joined.
        history: Option<History>,
        /// After how many days messages are deleted; 0 keeps them. For the owner.
        retention_days: Option<i64>,
    }
}

pub async fn create_chat(call: Call<'_>, asked: CreateChat) -> Answered<OfChat<ChatView<'_>>> {
    let ChatToMake { name, description, private, team_id, client_id } = asked.chat;
    let new = NewChat { name, description, private: private.unwrap_or(true), team_id, client_id };
    let actor = call.actor().await?;
    let made = call.app.create_chat(&actor, new, asked.users).await?;
    match made.fresh {
        true => pushed_chat(&call, &actor, &made.listed),
        false => chat_answer(&made.listed),
    }
}

pub async fn list_chats(call: Call<'_>, asked: ListChats) -> Answered<Chats<'_>> {
    let limit = Limit::of(asked.limit, call.app.limits());
    let before = asked.before.map(|Before(place)| place);
    let actor = call.actor().await?;
    let page = call.app.list_chats(&actor, before, limit).await?;
    let last = |chat: &Chat| page.last_messages.get(&chat.id);
    let chats = page.chats.iter().map(|it| OwnChat::new(it, last(&it.chat))).collect();
    Answer::new(&Chats { chats, next: page.next.map(cursor) })
}

pub async fn update_chat(call: Call<'_>, asked: UpdateChat) -> Answered<OfChat<ChatView<'_>>> {
    let asked = asked.chat;
    let change = ChatChange {
        name: asked.name,
        description: asked.description,
        private: asked.private,
        data: asked.data,
        frozen: asked.frozen,
        slow_mode: asked.slow_mode.map(|seconds| seconds.min(MAX_SLOW_MODE)),
        since_joining: asked.history.map(|history| matches!(history, History::SinceJoining)),
        retention_days: asked.retention_days.map(|days| days.min(MAX_RETENTION)),
    };
    let actor = call.actor().await?;
    let listed = call.app.update_chat(&actor, asked.id, change).await?;
    pushed_chat(&call, &actor, &listed)
}

pub async fn join_chat(call: Call<'_>, asked: NamedChat) -> Answered<OfChat<OwnChat<'_>>> {
    let actor = call.actor().await?;
    let listed = call.app.join_chat(&actor, asked.chat.id).await?;
    Answer::new(&OfChat { chat: OwnChat::new(&listed, None) })
}

pub async fn leave_chat(call: Call<'_>, asked: NamedChat) -> Answered<OfChat<ChatView<'_>>> {
    let actor = call.actor().await?;
    chat_answer(&call.app.leave_chat(&actor, asked.chat.id).await?)
}

pub async fn remove_member(call: Call<'_>, asked: NamedMember) -> Answered<OfChat<ChatView<'_>>> {
    let actor = call.actor().await?;
    let listed = call.app.remove_member(&actor, asked.chat.id, asked.user.id).await?;
    pushed_chat(&call, &actor, &listed)
}

pub async fn delete_chat(call: Call<'_>, asked: NamedChat) -> Answered<OfChat<OfId<ChatId>>> {
    let Id { id: chat_id } = asked.chat;
    let actor = call.actor().await?;
    call.app.delete_chat(&actor, chat_id).await?;
    // The push has another name, so that it cannot stand for the answer.
    Answer::new(&OfChat { chat: OfId { id: chat_id } })
}

/// The answer that all members get as a push, the actor's sockets included.
fn pushed_chat<'a>(
    call: &Call<'_>,
    actor: &Actor,
    listed: &'a ListedChat,
) -> Answered<OfChat<ChatView<'a>>> {
    let (id, chat_id) = (call.asker.connection().id(), listed.chat.id);
    let member = listed.membership.is_some();
    let hears = call.hears(actor, chat_id, member) || call.app.is_subscribed(id, chat_id);
    Ok(chat_answer(listed)?.pushed(hears))
}

fn chat_answer<'a>(chat: impl Into<ChatView<'a>>) -> Answered<OfChat<ChatView<'a>>> {
    Answer::new(&OfChat { chat: chat.into() })
}
