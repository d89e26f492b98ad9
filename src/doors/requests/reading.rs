//! `mark-read`, `count-unread`, `update-membership`: what is one's own of chats.

use serde::Serialize;

use super::views::{ChatView, OfChat, ReadView};
use super::{Answer, Call};
use crate::error::Error;
use crate::model::{MembershipChange, Problem, Unread};

#[derive(Serialize)]
struct UnreadView {
    chats: i64,
    messages: i64,
    mentions: i64,
}

pub async fn mark_read(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let seq = call.body.optional_number("seq", 0)?;
    let unread = call.body.optional_bool("unread")?.unwrap_or(false);
    let back = match (unread, seq) {
        (true, None) => return Err(Problem::Invalid("is required with unread").at("seq")),
        (true, seq) => seq,
        (false, _) => None,
    };
    let actor = call.actor().await?;
    let read = match back {
        Some(seq) => call.app.mark_unread(&actor, chat_id, seq).await?,
        None => call.app.mark_read(&actor, chat_id, seq).await?,
    };
    Answer::new(&OfChat { chat: ReadView::from(&read) })
}

pub async fn count_unread(call: Call<'_>) -> Result<Answer, Error> {
    let actor = call.actor().await?;
    let Unread { chats, messages, mentions } = call.app.count_unread(&actor).await?;
    Answer::new(&UnreadView { chats, messages, mentions })
}

pub async fn update_membership(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let change = MembershipChange {
        muted: call.body.optional_bool("muted")?,
        pinned: call.body.optional_bool("pinned")?,
        archived: call.body.optional_bool("archived")?,
    };
    let actor = call.actor().await?;
    let listed = call.app.update_membership(&actor, chat_id, change).await?;
    Answer::new(&OfChat { chat: ChatView::from(&listed) })
}
