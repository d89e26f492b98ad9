//! `list-users`, `update-user`

use super::fields::{Beginning, request};
use super::pages::Limit;
use super::views::people::{OfPerson, PeopleView};
use super::{Answer, Answered, Call};
use crate::error::Error;
use crate::model::{Data, ExternalId, Handle, Name, Naming, Photo, Problem, UserChange, UserId};

request! {
    /// Users by their names, or by how these begin.
    ListUsers {
        /// The users you name, at most 1,000. Those who are unknown are left out.
        users: Option<Vec<UserName>>,
        /// In place of `users`: what the handle or the name begins with.
        text: Option<Beginning>,
        /// How many users at most; for `text` alone.
        limit: Option<Limit>,
    }

    /// A user, by one of these.
    UserName {
        /// The user's id.
        id: Option<UserId>,
        /// Your own id of the user.
        external_id: Option<ExternalId>,
        /// The user's handle.
        handle: Option<Handle>,
    }

    /// How you want to be seen.
    UpdateUser {
        /// What is to be changed of yourself.
        user: UserToUpdate,
    }

    /// What is to be changed of a user; what is absent stays.
    UserToUpdate {
        /// The name that others see.
        name: Option<Name>,
        /// A picture, as a URL or a data URL.
        photo: Option<Photo>,
        /// A unique name: 1 to 32 letters of any script, digits and underscores.
        handle: Option<Handle>,
        /// A JSON object of yours; it replaces the one before, and `{}` clears it.
        data: Option<Data>,
    }
}

pub async fn list_users(call: Call<'_>, asked: ListUsers) -> Answered<PeopleView<'_>> {
    let viewer = call.viewer().await?;
    let found = match (asked.users, asked.text) {
        (Some(users), _) => {
            let namings =
                users.into_iter().enumerate().map(naming).collect::<Result<Vec<_>, _>>()?;
            call.app.list_users(&viewer, &namings).await?
        }
        (None, Some(Beginning(Some(text)))) => {
            let limit = Limit::of(asked.limit, call.app.limits());
            call.app.find_users(&viewer, text.as_ref(), limit).await?
        }
        (None, Some(Beginning(None))) => {
            return Err(call.body.invalid("text", "must not be empty"));
        }
        (None, None) => return Err(call.body.invalid("text", "or users is required")),
    };
    Answer::new(&PeopleView::from(&found))
}

pub async fn update_user(call: Call<'_>, asked: UpdateUser) -> Answered<OfPerson<'_>> {
    let UserToUpdate { name, photo, handle, data } = asked.user;
    let change = UserChange { name, photo, handle, data };
    let actor = call.actor().await?;
    Answer::new(&OfPerson::from(&call.app.update_user(&actor, change).await?))
}

/// How a request names one of its users: by the first of the three fields that is there.
fn naming((at, user): (usize, UserName)) -> Result<Naming, Error> {
    let naming = user.id.map(Naming::Id);
    let naming = naming.or_else(|| user.external_id.map(Naming::ExternalId));
    let naming = naming.or_else(|| user.handle.map(Naming::Handle));
    let none = Problem::Invalid("or external_id, or handle is required");
    naming.ok_or_else(|| none.at(&format!("users.{at}.id")))
}
