//! `mark-read`, `count-unread`

use schemars::JsonSchema;
use serde::Serialize;

use super::fields::{Id, NoFields, request};
use super::views::{OfChat, ReadView};
use super::{Answer, Answered, Call};
use crate::model::{ChatId, Problem, Unread};

request! {
    /// How far you have read a chat.
    MarkRead {
        /// The chat.
        chat: Id<ChatId>,
        /// Up to this message; without it, all.
        seq: Option<i64>,
        /// True to go back: `seq` and what follows are unread.
        unread: Option<bool>,
    }
}

/// What is unread in your chats, but for those that are muted.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Unread")]
pub struct UnreadView {
    /// In how many chats something is unread.
    chats: i64,
    /// How many messages are unread in all.
    messages: i64,
    /// How many of them mention you.
    mentions: i64,
}

pub async fn mark_read(call: Call<'_>, asked: MarkRead) -> Answered<OfChat<ReadView>> {
    let (chat_id, seq) = (asked.chat.id, asked.seq);
    let back = match (asked.unread.unwrap_or(false), seq) {
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

pub async fn count_unread(call: Call<'_>, _: NoFields) -> Answered<UnreadView> {
    let actor = call.actor().await?;
    let Unread { chats, messages, mentions } = call.app.count_unread(&actor).await?;
    Answer::new(&UnreadView { chats, messages, mentions })
}
