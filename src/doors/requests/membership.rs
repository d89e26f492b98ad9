//! `update-membership`: how a member sees a chat of theirs.

use super::fields::{Id, request};
use super::views::OfChat;
use super::views::chats::OwnChat;
use super::{Answer, Answered, Call};
use crate::model::{ChatId, MembershipChange};

request! {
    /// What a chat is to you; what is absent stays.
    UpdateMembership {
        /// The chat.
        chat: Id<ChatId>,
        /// Whether it is left out of what is counted as unread.
        muted: Option<bool>,
        /// Whether it is pinned; your application decides how to show that.
        pinned: Option<bool>,
        /// Whether it is put away until the next message.
        archived: Option<bool>,
    }
}

pub async fn update_membership(
    call: Call<'_>,
    asked: UpdateMembership,
) -> Answered<OfChat<OwnChat<'_>>> {
    let UpdateMembership { chat, muted, pinned, archived } = asked;
    let change = MembershipChange { muted, pinned, archived };
    let actor = call.actor().await?;
    let listed = call.app.update_membership(&actor, chat.id, change).await?;
    Answer::new(&OfChat { chat: OwnChat::new(&listed, None) })
}
