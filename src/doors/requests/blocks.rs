//! `block-user`, `unblock-user`, `list-blocked`

use super::people_views::{BlockedView, OfPerson};
use super::{Answer, Call};
use crate::error::Error;

pub async fn block_user(call: Call<'_>) -> Result<Answer, Error> {
    let user_id = call.other_user()?;
    let actor = call.actor().await?;
    Answer::new(&OfPerson::from(&call.app.block_user(&actor, &user_id).await?))
}

pub async fn unblock_user(call: Call<'_>) -> Result<Answer, Error> {
    let user_id = call.other_user()?;
    let actor = call.actor().await?;
    Answer::new(&OfPerson::from(&call.app.unblock_user(&actor, &user_id).await?))
}

pub async fn list_blocked(call: Call<'_>) -> Result<Answer, Error> {
    let (limit, after) = (call.body.limit()?, call.after_user()?);
    let actor = call.actor().await?;
    let page = call.app.list_blocked(&actor, after, limit).await?;
    Answer::new(&BlockedView::from(&page))
}
