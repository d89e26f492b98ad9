//! `set-role`, `mute-member`, `unmute-member`

use super::people_views::{MemberView, OfMember};
use super::{Answer, Call};
use crate::error::Error;
use crate::model::{ListedMember, Problem, Role};

pub async fn set_role(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, user_id) = (call.chat_id()?, call.other_user()?);
    let role = call.body.text("role", |text, _| {
        Role::parse(text).ok_or(Problem::Invalid("must be owner, moderator or member"))
    })?;
    let actor = call.actor().await?;
    answer(&call.app.set_role(&actor, chat_id, &user_id, role).await?)
}

pub async fn mute_member(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, user_id) = (call.chat_id()?, call.other_user()?);
    let until = call.body.optional_time("until")?;
    let actor = call.actor().await?;
    answer(&call.app.mute_member(&actor, chat_id, &user_id, until).await?)
}

pub async fn unmute_member(call: Call<'_>) -> Result<Answer, Error> {
    let (chat_id, user_id) = (call.chat_id()?, call.other_user()?);
    let actor = call.actor().await?;
    answer(&call.app.unmute_member(&actor, chat_id, &user_id).await?)
}

fn answer(member: &ListedMember) -> Result<Answer, Error> {
    Answer::new(&OfMember { member: MemberView::from(member) })
}
