//! `typing`, `signal`: what is not kept.

use super::{Answer, Call, Nothing};
use crate::error::Error;
use crate::model::UserId;

pub async fn typing(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let on = call.body.optional_bool("on")?.unwrap_or(true);
    let actor = call.actor().await?;
    call.app.typing(&actor, chat_id, on).await?;
    Answer::new(&Nothing {})
}

pub async fn signal(call: Call<'_>) -> Result<Answer, Error> {
    let chat_id = call.chat_id()?;
    let data = call.body.data("data")?.get().to_owned();
    let max_users = call.app.limits().max_chat_users;
    let to = call.body.optional_ids("to", max_users, UserId::parse)?;
    let actor = call.actor().await?;
    call.app.signal(&actor, chat_id, data, to).await?;
    Answer::new(&Nothing {})
}
