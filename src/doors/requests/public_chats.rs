//! `list-public-chats`

use super::fields::{Beginning, request};
use super::pages::{Before, Limit, cursor};
use super::views::chats::{PublicChatView, PublicChats};
use super::{Answer, Answered, Call};
use crate::model::ChatId;

request! {
    /// A page of the public chats.
    ListPublicChats {
        /// What their names begin with.
        text: Option<Beginning>,
        /// How many chats at most.
        limit: Option<Limit>,
        /// The `next` of an earlier page, for the page that follows.
        before: Option<Before<ChatId>>,
    }
}

pub async fn list_public_chats(
    call: Call<'_>,
    asked: ListPublicChats,
) -> Answered<PublicChats<'_>> {
    let limit = Limit::of(asked.limit, call.app.limits());
    let before = asked.before.map(|Before(place)| place);
    let text = asked.text.and_then(|Beginning(text)| text);
    let viewer = call.viewer().await?;
    let page = call.app.list_public_chats(&viewer, text.as_ref(), before, limit).await?;
    let chats = page.chats.iter().map(PublicChatView::from).collect();
    Answer::new(&PublicChats { chats, next: page.next.map(cursor) })
}
