//! `list-members`

use super::fields::{Id, request};
use super::pages::Limit;
use super::views::people::MembersView;
use super::{Answer, Answered, Call};
use crate::model::{ChatId, UserId};

request! {
    /// A page of those who are in a chat, or kept out of it.
    ListMembers {
        /// The chat.
        chat: Id<ChatId>,
        /// How many users at most.
        limit: Option<Limit>,
        /// The `next` of an earlier page, for the page that follows.
        after: Option<UserId>,
    }
}

pub async fn list_members(call: Call<'_>, asked: ListMembers) -> Answered<MembersView<'_>> {
    let limit = Limit::of(asked.limit, call.app.limits());
    let viewer = call.viewer().await?;
    let page = call.app.list_members(&viewer, asked.chat.id, asked.after, limit).await?;
    Answer::new(&MembersView::from(&page))
}
