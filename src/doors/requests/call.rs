//! A request: who asks, who acts, and the answer to it.

use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;

use super::User;
use crate::domain::{Actor, App, Connection, Viewer};
use crate::doors::input::Input;
use crate::error::Error;
use crate::model::{ChatId, UserId};

/// Who asks: a socket, or a single request over HTTP or of the host.
pub trait Asker: Sync {
    fn connection(&self) -> &Connection;

    /// Who acts in a request that names this user, if anybody does. Errors: those of
    /// [`App::claim`](crate::domain::App::claim).
    fn act(&self, named: Named) -> BoxFuture<'_, Result<Option<Actor>, Error>>;

    /// Whether the asker gets the pushes of this user.
    fn hears_as(&self, user_id: &UserId) -> bool;
}

/// The user whom a request names to act.
pub enum Named {
    Nobody,
    /// For this request, as `actor`.
    Actor(UserId),
    /// For this and those that follow on the same socket, as `user`.
    User(UserId),
}

/// One request.
pub struct Call<'a> {
    pub asker: &'a dyn Asker,
    pub app: &'a Arc<App>,
    pub body: Input<'a>,
    pub user: User,
}

/// The answer to a request: JSON of the type `Of`, which the compiler compares with the type in the
/// row.
pub struct Answer<Of = ()> {
    pub json: String,
    /// Whether the socket that asked gets the same as a push: without an acknowledgement, the push
    /// is then its answer.
    pub pushed: bool,
    /// Whether there is a new message.
    pub fresh: bool,
    // A function that takes an `Of`, so that an answer can outlive the values that its body has
    // borrowed.
    pub(super) of: PhantomData<fn(Of)>,
}

/// What the function of an event returns.
pub type Answered<Of> = Result<Answer<Of>, Error>;

/// An empty answer: it is done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Done")]
pub struct Nothing {}

impl<Of: Serialize> Answer<Of> {
    pub fn new(body: &Of) -> Answered<Of> {
        let json = serde_json::to_string(body).map_err(|_| Error::Internal(None))?;
        Ok(Answer { json, pushed: false, fresh: false, of: PhantomData })
    }

    pub fn pushed(self, pushed: bool) -> Answer<Of> {
        Answer { pushed, ..self }
    }

    pub fn fresh(self, fresh: bool) -> Answer<Of> {
        Answer { fresh, ..self }
    }
}

impl Call<'_> {
    /// Whether the connection hears the chat as one of the users that it acts as; `member` says
    /// that the actor is a member for sure, as the audience may not know that yet.
    pub fn hears(&self, actor: &Actor, chat_id: ChatId, member: bool) -> bool {
        let as_actor = member && self.asker.hears_as(actor.user_id());
        as_actor || self.app.hears_as_member(self.asker.connection().id(), chat_id)
    }

    /// The user whom the request names to act. Errors: `invalid`.
    pub fn named(&self) -> Result<Named, Error> {
        if let Some(actor) = self.body.optional_object("actor")? {
            return Ok(Named::Actor(actor.id("id", UserId::parse)?));
        }
        match (self.user, self.body.optional_object("user")?) {
            (User::Actor | User::Socket, Some(user)) => {
                Ok(Named::User(user.id("id", UserId::parse)?))
            }
            _ => Ok(Named::Nobody),
        }
    }

    /// Who acts. Errors: `unauthenticated` if nobody does; those of [`Asker::act`].
    pub async fn actor(&self) -> Result<Actor, Error> {
        self.asker.act(self.named()?).await?.ok_or(Error::NO_USER)
    }

    /// Who acts, or nobody: for requests that need no user.
    pub async fn viewer(&self) -> Result<Viewer, Error> {
        let actor = self.asker.act(self.named()?).await?;
        Ok(actor.map_or_else(|| self.asker.connection().viewer(), |actor| Viewer::from(&actor)))
    }
}
