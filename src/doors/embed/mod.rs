//! For the program that embeds the server: the requests that it can make without a socket, and the
//! events that it is told of.
//!
//! [`Server::service`](crate::Server::service) acts for any user, as a program with the API key
//! does, and with the same checks. [`Server::events`](crate::Server::events) returns the events
//! that are committed.

mod events;
mod values;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio_util::task::TaskTracker;

use super::measured::Measured;
use super::{failure, requests, tasks};
use crate::config::Limits;
use crate::domain::{App, Connection};
use crate::error::Error;
use crate::model::{self, Extras, MessageQuery, Problem, parse_id};

pub use events::{Event, Events, Missed};
pub use values::{Chat, Message, MessagePage, MessageType, NewChat, NewMessage, NewUser, User};

/// Why a request of the host's was refused or failed: a sentence, and the
/// [code](RequestError::code) that all clients get.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct RequestError(Error);

impl RequestError {
    /// `invalid`, `unauthenticated`, `forbidden`, `not_found`, `conflict`, `too_large`,
    /// `rate_limited`, `unavailable` or `internal`. `docs/protocol.md` says what they mean.
    pub fn code(&self) -> &'static str {
        self.0.code().as_str()
    }

    /// The dotted path of the culprit, such as `chat.name`, where there is one.
    pub fn field(&self) -> Option<&str> {
        self.0.field()
    }

    /// How long to wait before the same request may succeed, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after()
    }
}

/// Acts for users without a socket, as a program with the API key does: it may act as anyone, and
/// see and do everything. How often it does so is not limited, except for changes of one user.
/// Clones are the same service.
///
/// A request is done even if its caller does not wait for the answer any more. After
/// [`Server::shutdown`](crate::Server::shutdown) every request is `unavailable`.
#[derive(Clone)]
pub struct Service {
    app: Arc<App>,
    /// The requests being handled.
    work: TaskTracker,
}

impl Service {
    pub(crate) fn of(app: &Arc<App>) -> Service {
        Service { app: app.clone(), work: TaskTracker::new() }
    }

    /// Makes or fetches a user, as the event `create-user` does: a known id fetches the user and
    /// updates the rest.
    ///
    /// # Errors
    /// `invalid` without any id, or for a text that cannot be used; `too_large`; `conflict` for an
    /// id or a handle that another user has; `rate_limited` for a user who is changed too often.
    pub async fn create_user(&self, new: NewUser) -> Result<User, RequestError> {
        let app = self.app.clone();
        self.finish("create-user", async move {
            let new = new.checked(app.limits())?;
            app.create_user(&Connection::of_host(), new).await.map(User::from)
        })
        .await
    }

    /// Makes a chat of the user `owner_id`, who owns it, and of the users in `new`.
    ///
    /// # Errors
    /// `not_found` for a user that does not exist; `invalid` and `too_large` for values that cannot
    /// be used.
    pub async fn create_chat(&self, owner_id: &str, new: NewChat) -> Result<Chat, RequestError> {
        let (app, owner_id) = (self.app.clone(), owner_id.to_owned());
        self.finish("create-chat", async move {
            let (new, users) = new.checked(app.limits())?;
            let owner = user_id(&owner_id, app.limits())?;
            let actor = app.claim(&Connection::of_host(), &owner).await?;
            let made = app.create_chat(&actor, new, users).await?;
            Ok(Chat::from(&made.listed.chat))
        })
        .await
    }

    /// Sends a message as a user, who need not be a member of the chat, unless that is a direct
    /// one. The message is on the disk when this returns.
    ///
    /// # Errors
    /// `not_found` for a user or a chat that does not exist; `forbidden` in a direct chat of two
    /// others, or if the other user has blocked the sender; `conflict` for a `client_id` that
    /// belongs to another message; `invalid` and `too_large` for values that cannot be used.
    pub async fn new_message(
        &self,
        sender_id: &str,
        chat_id: &str,
        new: NewMessage,
    ) -> Result<Message, RequestError> {
        let app = self.app.clone();
        let (sender_id, chat_id) = (sender_id.to_owned(), chat_id.to_owned());
        self.finish("new-message", async move {
            let limits = app.limits();
            let (kind, body, client_id) = new.checked(limits)?;
            let chat_id = read("chat.id", &chat_id, parse_id, limits)?;
            let sender = user_id(&sender_id, limits)?;
            let actor = app.claim(&Connection::of_host(), &sender).await?;
            let extras = Extras::default();
            let sent = app.new_message(&actor, chat_id, kind, body, client_id, extras).await?;
            Ok(Message::new(&sent.message, &sent.author))
        })
        .await
    }

    /// A chat's messages after the one with the `seq` `after_seq`, in order; 0 begins with the
    /// first. Returns at most `limit` of them, and no more than fit on a page; for the page that
    /// follows, pass [`next`](MessagePage::next) as `after_seq`.
    ///
    /// # Errors
    /// `not_found` for a chat that does not exist.
    pub async fn list_messages(
        &self,
        chat_id: &str,
        after_seq: i64,
        limit: usize,
    ) -> Result<MessagePage, RequestError> {
        let (app, chat_id) = (self.app.clone(), chat_id.to_owned());
        self.finish("list-messages", async move {
            let chat_id = read("chat.id", &chat_id, parse_id, app.limits())?;
            let query = MessageQuery {
                from: None,
                to: None,
                after_seq: Some(after_seq),
                before_seq: None,
                only: None,
                limit: limit.clamp(1, app.limits().max_page),
            };
            let viewer = Connection::of_host().viewer();
            app.list_messages(&viewer, chat_id, &query).await.map(MessagePage::from)
        })
        .await
    }

    /// Makes any request that does not concern a socket, by its name and with its body, as
    /// `docs/protocol.md` lists them; `actor: {id}` in the body says who acts. Returns what the
    /// event's acknowledgement would hold.
    ///
    /// # Errors
    /// Those of the request; `invalid` for a request that does not exist; `not_found` for one that
    /// concerns a socket.
    pub async fn request(&self, event: &str, body: Value) -> Result<Value, RequestError> {
        let (app, event) = (self.app.clone(), event.to_owned());
        self.finish(requests::name(&event), async move {
            let unreadable = |_| Error::Internal(None);
            let (body, connection) =
                (to_raw_value(&body).map_err(unreadable)?, Connection::of_host());
            let answer = requests::answer_single(&connection, &app, &event, &body).await?;
            serde_json::from_str(&answer.json).map_err(unreadable)
        })
        .await
    }

    /// Waits until all requests already taken are done, at most for `deadline`.
    pub(crate) async fn close(&self, deadline: Duration) {
        tasks::finish(&self.work, deadline, "requests of the host").await;
    }

    /// Does a request in a task of its own, so that a write that has begun is finished.
    async fn finish<T: Send + 'static>(
        &self,
        request: &'static str,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, RequestError> {
        let _measured = Measured::begin("embed");
        // A task that panicked has no answer.
        let done = self.work.spawn(work).await.unwrap_or(Err(Error::Internal(None)));
        done.inspect_err(|error| failure::log(request, error)).map_err(RequestError)
    }
}

/// Reads a text of the host in the same way as a client's.
fn read<T>(
    field: &str,
    text: &str,
    parse: impl FnOnce(&str, &Limits) -> Result<T, Problem>,
    limits: &Limits,
) -> Result<T, Error> {
    parse(text, limits).map_err(|problem| problem.at(field))
}

fn user_id(text: &str, limits: &Limits) -> Result<model::UserId, Error> {
    read("user.id", text, model::UserId::parse, limits)
}
