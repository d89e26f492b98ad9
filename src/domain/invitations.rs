//! Invitations, by which users come into private chats.

use super::access::Member;
use super::blocks::refuse_blocked;
use super::users::find_user;
use super::{Actor, App};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{
    ChatId, Event, Invitation, InvitationId, InvitationPage, InvitationStatus, UserId,
};
use crate::store::Tx;

impl App {
    /// Invites a user to a chat. Errors: `not_found`; `forbidden` for an actor who is no member,
    /// for a direct chat, for a banned user, and if the invitee has blocked the actor; `conflict`
    /// for a user who is a member, has an unanswered invitation to this chat, or has too many of
    /// them in all; `too_large` if the actor has invited too many.
    pub async fn invite(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        invitee_id: UserId,
    ) -> Result<Invitation, Error> {
        let mut tx = self.begin_as(actor).await?;
        let member = Member::check_in(&mut tx, chat_id, actor).await?;
        if !actor.service {
            self.refuse_many_invitations(&mut tx, &actor.user_id, &invitee_id).await?;
        }
        refuse_blocked(&mut tx, actor, &invitee_id).await?;
        let invitation = ask_in(&mut tx, member, invitee_id).await?;
        tx.commit([Event::Invited(invitation.clone())]).await?;
        Ok(invitation)
    }

    async fn refuse_many_invitations(
        &self,
        tx: &mut Tx,
        inviter_id: &UserId,
        invitee_id: &UserId,
    ) -> Result<(), Error> {
        let (made, waiting) = tx.count_invitations(inviter_id, invitee_id).await?;
        let reached = |count: i64, max: usize| usize::try_from(count).is_ok_and(|it| it >= max);
        let max = self.limits.max_invitations_per_inviter;
        if reached(made, max) {
            let unit = "invitations of one user that wait for answers";
            return Err(Error::TooLarge { field: "user.id".into(), max, unit });
        }
        match reached(waiting, self.limits.max_invitations_per_invitee) {
            true => Err(Error::conflict("user.id", "has too many invitations to answer")),
            false => Ok(()),
        }
    }

    /// A user's pending invitations, newest first; `before` is a page's `next`.
    pub async fn list_invitations(
        &self,
        user_id: &UserId,
        before: Option<(Time, InvitationId)>,
        limit: usize,
    ) -> Result<InvitationPage, Error> {
        let _permit = self.readers.of_user(user_id).await?;
        self.store.list_invitations(user_id, before, limit).await
    }

    /// Accepts an invitation, and makes the actor a member of the chat. Errors: `not_found` unless
    /// it is a pending invitation of the actor; `too_large` if the actor has as many chats as one
    /// user may.
    pub async fn accept_invitation(
        &self,
        actor: &Actor,
        id: InvitationId,
    ) -> Result<Invitation, Error> {
        self.admit_chat(actor, None).await?;
        self.answer_invitation(actor, id, InvitationStatus::Accepted).await
    }

    /// Declines an invitation; the actor may be invited again. Errors: `not_found` unless it is a
    /// pending invitation of the actor.
    pub async fn decline_invitation(
        &self,
        actor: &Actor,
        id: InvitationId,
    ) -> Result<Invitation, Error> {
        self.answer_invitation(actor, id, InvitationStatus::Declined).await
    }

    async fn answer_invitation(
        &self,
        actor: &Actor,
        id: InvitationId,
        status: InvitationStatus,
    ) -> Result<Invitation, Error> {
        let user_id = actor.user_id.clone();
        let mut tx = self.begin_as(actor).await?;
        let found = tx.find_invitation(&user_id, id).await?;
        let invitation = found.ok_or_else(no_invitation)?;
        tx.lock_chats(&[invitation.chat_id]).await?;
        if !tx.update_invitation(id, status).await? {
            return Err(no_invitation());
        }
        let chat_id = invitation.chat_id;
        let joined = status == InvitationStatus::Accepted
            && tx.insert_members(chat_id, std::slice::from_ref(&user_id), clock::now()).await? > 0;
        tx.commit(joined.then_some(Event::MemberJoined { chat_id, user_id })).await?;
        Ok(Invitation { status, ..invitation })
    }
}

fn no_invitation() -> Error {
    Error::NotFound { field: "invitation.id", why: "no such invitation".into() }
}

async fn ask_in(tx: &mut Tx, member: Member, invitee_id: UserId) -> Result<Invitation, Error> {
    member.refuse_direct()?;
    let Member { chat_id, user_id, .. } = member;
    let invitee = find_user(tx, &invitee_id).await?;
    let standing = tx.find_standing(chat_id, &invitee_id).await?;
    if standing.as_ref().is_some_and(|standing| standing.member) {
        return Err(Error::conflict("user.id", "is a member already"));
    }
    if standing.as_ref().is_some_and(|standing| standing.banned) {
        return Err(Error::Forbidden("this user is banned from the chat"));
    }
    if standing.is_some_and(|standing| standing.invited) {
        return Err(Error::conflict("user.id", "has been invited already"));
    }
    let chat = tx.find_chat(chat_id).await?.ok_or_else(Error::no_chat)?;
    let inviter = find_user(tx, &user_id).await?;
    let invitation = Invitation {
        id: InvitationId::new(),
        chat_id,
        chat_name: chat.name,
        inviter_id: inviter.id,
        inviter_name: inviter.name,
        invitee_id,
        invitee_name: invitee.name,
        status: InvitationStatus::Pending,
        created_at: clock::now(),
    };
    tx.insert_invitation(&invitation).await?;
    Ok(invitation)
}
