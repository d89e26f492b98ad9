//! Invitations: made, listed, answered.

use super::views::{InvitationView, Invitations, OfInvitation};
use super::{Answer, Call, cursor};
use crate::error::Error;
use crate::model::{Invitation, InvitationId, parse_id};

pub async fn invite(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, user_id) = (call.chat_id()?, call.other_user()?);
    let actor = call.actor().await?;
    answer(&call.app.invite(&actor, chat_id, user_id).await?)
}

pub async fn list_invitations(call: Call<'_>) -> Result<Answer, Error> {
    let (limit, before) = (call.body.limit()?, call.before()?);
    let actor = call.actor().await?;
    let page = call.app.list_invitations(actor.user_id(), before, limit).await?;
    Answer::new(&Invitations {
        invitations: page.invitations.iter().map(InvitationView::from).collect(),
        next: page.next.map(cursor),
    })
}

pub async fn accept_invitation(call: Call<'_>) -> Result<Answer, Error> {
    let id = call.invitation_id()?;
    let actor = call.actor().await?;
    answer(&call.app.accept_invitation(&actor, id).await?)
}

pub async fn decline_invitation(call: Call<'_>) -> Result<Answer, Error> {
    let id = call.invitation_id()?;
    let actor = call.actor().await?;
    answer(&call.app.decline_invitation(&actor, id).await?)
}

impl Call<'_> {
    fn invitation_id(&self) -> Result<InvitationId, Error> {
        self.body.object("invitation")?.text("id", parse_id)
    }
}

fn answer(invitation: &Invitation) -> Result<Answer, Error> {
    Answer::new(&OfInvitation { invitation: InvitationView::from(invitation) })
}
