//! `set-role`

use super::fields::{Id, request};
use super::views::people::{MemberView, OfMember};
use super::{Answer, Answered, Call};
use crate::model::{ChatId, Role, UserId};

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
}

pub async fn set_role(call: Call<'_>, asked: SetRole) -> Answered<OfMember<'_>> {
    let actor = call.actor().await?;
    let member = call.app.set_role(&actor, asked.chat.id, &asked.user.id, asked.role).await?;
    Answer::new(&OfMember { member: MemberView::from(&member) })
}
