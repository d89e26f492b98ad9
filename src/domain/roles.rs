//! The roles of members: the owner of a chat, its moderators, and the others.

use super::access::Owner;
use super::users::find_user;
use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::{ChatId, Event, ListedMember, Role, UserId};
use crate::store::Tx;

impl App {
    /// Gives a member a role. If the member becomes the owner, the former owner becomes a
    /// moderator. Errors: `not_found`; `forbidden` for an actor who is not the owner, and for a
    /// direct chat; `conflict` for a user who is not a member, and for an owner who would leave the
    /// chat without an owner; `rate_limited`.
    pub async fn set_role(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        user_id: &UserId,
        role: Role,
    ) -> Result<ListedMember, Error> {
        self.admit_more_writing(&Viewer::from(actor)).await?;
        let mut tx = self.begin_as(actor).await?;
        let Owner { chat_id, .. } = Owner::check_in(&mut tx, chat_id, actor).await?;
        let before = role_of(&mut tx, chat_id, user_id).await?;
        if before == Role::Owner && role != Role::Owner {
            let why = "make another member the owner instead";
            return Err(Error::conflict("role", why));
        }
        let mut changed = Vec::new();
        if role == Role::Owner
            && before != Role::Owner
            && let Some(former) = tx.find_owner(chat_id).await?
        {
            tx.update_role(chat_id, &former, Role::Moderator).await?;
            changed.push(former);
        }
        if role != before {
            tx.update_role(chat_id, user_id, role).await?;
            changed.push(user_id.clone());
        }
        let mut events = Vec::new();
        for user_id in &changed {
            let member = self.find_member(&mut tx, chat_id, user_id).await?;
            events.push(Event::MemberChanged { chat_id, member });
        }
        let member = self.find_member(&mut tx, chat_id, user_id).await?;
        tx.commit(events).await?;
        self.count_bytes_pushed(actor, member.user.size() * changed.len()).await;
        Ok(member)
    }

    /// Makes another member the owner of a chat whose owner is about to leave: the moderator who
    /// joined first, or the member who did if there is no moderator. Returns the event; `None` if
    /// there is nobody else.
    pub(super) async fn pass_on(
        &self,
        tx: &mut Tx,
        chat_id: ChatId,
        owner: &UserId,
    ) -> Result<Option<Event>, Error> {
        let Some(heir) = tx.find_heir(chat_id, owner).await? else {
            return Ok(None);
        };
        tx.update_role(chat_id, &heir, Role::Owner).await?;
        let member = self.find_member(tx, chat_id, &heir).await?;
        Ok(Some(Event::MemberChanged { chat_id, member }))
    }
}

/// The role of a member. Errors: `not_found` if there is no such user, `conflict` if the user is no
/// member.
pub(super) async fn role_of(tx: &mut Tx, chat_id: ChatId, user_id: &UserId) -> Result<Role, Error> {
    find_user(tx, user_id).await?;
    let standing = tx.find_standing(chat_id, user_id).await?;
    let member = standing.filter(|standing| standing.member);
    let member = member.ok_or(Error::conflict("user.id", "is not a member of this chat"))?;
    Ok(member.role)
}
