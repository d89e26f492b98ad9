//! `create-user`

use super::fields::{GivenName, request};
use super::views::{OfUser, UserView};
use super::{Answer, Answered, Call, Named};
use crate::model::{ExternalId, Handle, NewUser, Photo, UserId};

request! {
    /// A user to make or to find.
    CreateUser {
        /// The user: found by `external_id`, your own id, or by `id`, or else made.
        user: UserToMake,
    }

    /// A user to make, or to find by an id.
    UserToMake {
        /// Your own id of the user.
        external_id: Option<ExternalId>,
        /// The server's id; bring one of your own to keep it.
        id: Option<UserId>,
        /// A unique name: 1 to 32 letters of any script, digits and underscores.
        handle: Option<Handle>,
        /// The name that others see.
        name: GivenName,
        /// A picture, as a URL or a data URL.
        photo: Option<Photo>,
    }
}

pub async fn create_user(call: Call<'_>, asked: CreateUser) -> Answered<OfUser<'_>> {
    let UserToMake { external_id, id, handle, name: GivenName(name), photo } = asked.user;
    if external_id.is_none() && id.is_none() {
        return Err(call.body.invalid("user.external_id", "or user.id is required"));
    }
    let new = NewUser { external_id, id, handle, name, photo };
    let user = call.app.create_user(call.asker.connection(), new).await?;
    if !matches!(call.named()?, Named::Actor(_)) {
        call.asker.act(Named::User(user.id.clone())).await?;
    }
    Answer::new(&OfUser { user: UserView::from(&user) })
}
