//! `set-role`, `mute-member`, `unmute-member`

use super::fields::{Id, request};
use super::named::NamedMember;
use super::people_views::{MemberView, OfMember};
use super::{Answer, Answered, Call};
use crate::clock::Time;
use crate::model::{ChatId, ListedMember, Role, UserId};

request! {
    /// A member's new role.
    SetRole {
        /// The chat.
        chat: Id<ChatId>,
        /// The member.
        user: Id<UserId>,
        /// The role; naming another owner hands the chat over.
        role: Role,
    }

    /// A user who is kept from something in a chat.
    Restriction {
        /// The chat.
        chat: Id<ChatId>,
        /// The user.
        user: Id<UserId>,
        /// Until when; without it, for good.
        until: Option<Time>,
    }
}

pub async fn set_role(call: Call<'_>, asked: SetRole) -> Answered<OfMember<'_>> {
    let actor = call.actor().await?;
    answer(&call.app.set_role(&actor, asked.chat.id, &asked.user.id, asked.role).await?)
}

pub async fn mute_member(call: Call<'_>, asked: Restriction) -> Answered<OfMember<'_>> {
    let actor = call.actor().await?;
    answer(&call.app.mute_member(&actor, asked.chat.id, &asked.user.id, asked.until).await?)
}

pub async fn unmute_member(call: Call<'_>, asked: NamedMember) -> Answered<OfMember<'_>> {
    let actor = call.actor().await?;
    answer(&call.app.unmute_member(&actor, asked.chat.id, &asked.user.id).await?)
}

fn answer(member: &ListedMember) -> Answered<OfMember<'_>> {
    Answer::new(&OfMember { member: MemberView::from(member) })
}
