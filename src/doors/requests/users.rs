//! `create-user`

use super::views::{OfUser, UserView};
use super::{Answer, Call, Named};
use crate::error::Error;
use crate::model::{ExternalId, Handle, Name, NewUser, Photo, UserId};

pub async fn create_user(call: Call<'_>) -> Result<Answer, Error> {
    let user = call.body.object("user")?;
    let new = NewUser {
        external_id: user.optional_id("external_id", ExternalId::parse)?,
        id: user.optional_id("id", UserId::parse)?,
        handle: user.optional_text("handle", Handle::parse)?,
        name: user.text("name", Name::parse_known)?,
        photo: user.optional_text("photo", Photo::parse)?,
    };
    if new.external_id.is_none() && new.id.is_none() {
        return Err(user.invalid("external_id", "or user.id is required"));
    }
    let user = call.app.create_user(call.asker.connection(), new).await?;
    if !matches!(call.named()?, Named::Actor(_)) {
        call.asker.act(Named::User(user.id.clone())).await?;
    }
    Answer::new(&OfUser { user: UserView::from(&user) })
}
