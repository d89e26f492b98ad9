//! `list-users`, `update-user`, `delete-user`, `watch-users`, `unwatch-users`

use super::people_views::{OfPerson, OfUserId, PeopleView};
use super::views::OfId;
use super::{Answer, Call};
use crate::doors::input::Input;
use crate::error::Error;
use crate::model::{ExternalId, Handle, Name, Naming, Photo, Problem, UserChange, UserId};

/// So many users can be named in one request.
const MAX_NAMED: usize = 1000;

pub async fn list_users(call: Call<'_>) -> Result<Answer, Error> {
    let viewer = call.viewer().await?;
    let named = call.body.optional_objects("users", MAX_NAMED)?;
    let found = match named {
        Some(named) => {
            let namings = named.iter().map(naming).collect::<Result<Vec<_>, _>>()?;
            call.app.list_users(&viewer, &namings).await?
        }
        None => {
            let blank = Problem::Invalid("must not be empty");
            let text = call.body.text("text", |text, limits| match text.trim() {
                "" => Err(blank),
                text => Name::parse_known(text, limits),
            });
            let text = text.map_err(|error| call.or_users(error))?;
            call.app.find_users(&viewer, text.as_ref(), call.body.limit()?).await?
        }
    };
    Answer::new(&PeopleView::from(&found))
}

pub async fn update_user(call: Call<'_>) -> Result<Answer, Error> {
    let user = call.body.object("user")?;
    let change = UserChange {
        name: user.optional_text("name", Name::parse)?,
        photo: user.optional_text("photo", Photo::parse)?,
        handle: user.optional_text("handle", Handle::parse)?,
        data: user.optional_data_object("data")?,
    };
    let actor = call.actor().await?;
    Answer::new(&OfPerson::from(&call.app.update_user(&actor, change).await?))
}

pub async fn delete_user(call: Call<'_>) -> Result<Answer, Error> {
    let named = call.body.optional_object("user")?;
    let named = named.map(|user| user.optional_id("id", UserId::parse)).transpose()?.flatten();
    let erase = call.body.text("messages", |text, _| match text {
        "keep" => Ok(false),
        "erase" => Ok(true),
        _ => Err(Problem::Invalid("must be keep or erase")),
    })?;
    let viewer = call.viewer().await?;
    let user_id = match named {
        Some(user_id) if viewer.user_id() != Some(&user_id) => {
            call.app.delete_user(&viewer, &user_id, erase).await?;
            user_id
        }
        Some(_) | None => {
            let actor = call.actor().await?;
            call.app.delete_self(&actor, erase).await?;
            actor.user_id().clone()
        }
    };
    Answer::new(&OfUserId { user: OfId { id: &user_id } })
}

pub async fn watch_users(call: Call<'_>) -> Result<Answer, Error> {
    let users = call.named_users()?;
    let viewer = call.viewer().await?;
    let found = call.app.watch_users(call.asker.connection().id(), &viewer, users).await?;
    Answer::new(&PeopleView::from(&found))
}

pub async fn unwatch_users(call: Call<'_>) -> Result<Answer, Error> {
    let users = call.named_users()?;
    let viewer = call.viewer().await?;
    let found = call.app.unwatch_users(call.asker.connection().id(), &viewer, users).await?;
    Answer::new(&PeopleView::from(&found))
}

/// One of the users of a request, by the first of the names that is there.
fn naming(user: &Input<'_>) -> Result<Naming, Error> {
    if let Some(id) = user.optional_id("id", UserId::parse)? {
        return Ok(Naming::Id(id));
    }
    if let Some(id) = user.optional_id("external_id", ExternalId::parse)? {
        return Ok(Naming::ExternalId(id));
    }
    let handle = user.optional_text("handle", Handle::parse)?;
    handle
        .map(Naming::Handle)
        .ok_or_else(|| user.invalid("id", "or external_id, or handle is required"))
}

impl Call<'_> {
    fn named_users(&self) -> Result<Vec<UserId>, Error> {
        let users = self.body.optional_objects("users", MAX_NAMED)?;
        let users = users.ok_or_else(|| self.body.invalid("users", "is required"))?;
        users.iter().map(|user| user.id("id", UserId::parse)).collect()
    }

    /// Says of a request without a text that it needs one of the two.
    fn or_users(&self, error: Error) -> Error {
        match error {
            Error::Invalid { field, why } if why == "is required" => {
                Error::Invalid { field, why: "or users is required".into() }
            }
            error => error,
        }
    }
}
