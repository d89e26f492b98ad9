//! `block-user`, `unblock-user`, `list-blocked`

use super::fields::request;
use super::named::NamedUser;
use super::pages::Limit;
use super::views::people::{BlockedView, OfPerson};
use super::{Answer, Answered, Call};
use crate::model::UserId;

request! {
    /// A page of the users you have blocked.
    ListBlocked {
        /// How many users at most.
        limit: Option<Limit>,
        /// The `next` of an earlier page, for the page that follows.
        after: Option<UserId>,
    }
}

pub async fn block_user(call: Call<'_>, asked: NamedUser) -> Answered<OfPerson<'_>> {
    let actor = call.actor().await?;
    Answer::new(&OfPerson::from(&call.app.block_user(&actor, &asked.user.id).await?))
}

pub async fn unblock_user(call: Call<'_>, asked: NamedUser) -> Answered<OfPerson<'_>> {
    let actor = call.actor().await?;
    Answer::new(&OfPerson::from(&call.app.unblock_user(&actor, &asked.user.id).await?))
}

pub async fn list_blocked(call: Call<'_>, asked: ListBlocked) -> Answered<BlockedView<'_>> {
    let limit = Limit::of(asked.limit, call.app.limits());
    let actor = call.actor().await?;
    let page = call.app.list_blocked(&actor, asked.after, limit).await?;
    Answer::new(&BlockedView::from(&page))
}
