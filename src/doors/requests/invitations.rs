//! Makes, lists and answers invitations.

use super::fields::{Id, request};
use super::named::NamedMember;
use super::pages::{Before, Limit, cursor};
use super::views::{InvitationView, Invitations, OfInvitation};
use super::{Answer, Answered, Call};
use crate::model::{Invitation, InvitationId};

request! {
    /// A page of the invitations that wait for your answer.
    ListInvitations {
        /// How many invitations at most.
        limit: Option<Limit>,
        /// The `next` of an earlier page, for the page that follows.
        before: Option<Before<InvitationId>>,
    }

    /// An invitation.
    NamedInvitation {
        /// The invitation.
        invitation: Id<InvitationId>,
    }
}

pub async fn invite(call: Call<'_>, asked: NamedMember) -> Answered<OfInvitation<'_>> {
    let actor = call.actor().await?;
    answer(&call.app.invite(&actor, asked.chat.id, asked.user.id).await?)
}

pub async fn list_invitations(call: Call<'_>, asked: ListInvitations) -> Answered<Invitations<'_>> {
    let limit = Limit::of(asked.limit, call.app.limits());
    let before = asked.before.map(|Before(place)| place);
    let actor = call.actor().await?;
    let page = call.app.list_invitations(actor.user_id(), before, limit).await?;
    Answer::new(&Invitations {
        invitations: page.invitations.iter().map(InvitationView::from).collect(),
        next: page.next.map(cursor),
    })
}

pub async fn accept_invitation(
    call: Call<'_>,
    asked: NamedInvitation,
) -> Answered<OfInvitation<'_>> {
    let actor = call.actor().await?;
    answer(&call.app.accept_invitation(&actor, asked.invitation.id).await?)
}

pub async fn decline_invitation(
    call: Call<'_>,
    asked: NamedInvitation,
) -> Answered<OfInvitation<'_>> {
    let actor = call.actor().await?;
    answer(&call.app.decline_invitation(&actor, asked.invitation.id).await?)
}

fn answer(invitation: &Invitation) -> Answered<OfInvitation<'_>> {
    Answer::new(&OfInvitation { invitation: InvitationView::from(invitation) })
}
