//! `/api/inbox` and `/api/thread/{username}`: the direct messages between two users.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use super::Hub;
use super::caller::Caller;
use super::envelope::{Envelope, PER_PAGE, Refusal};
use crate::clock::Time;
use crate::doors::credential::parameter;
use crate::error::Error;
use crate::model::{DirectMessage, Message, Thread, Username};

/// The latest of a thread.
#[derive(Serialize, ToSchema)]
pub struct ThreadView {
    /// Who sent the latest message.
    #[schema(value_type = String)]
    author_username: Username,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    latest_message: String,
    /// The other one of the two.
    #[schema(value_type = String)]
    with_username: Username,
}

impl From<Thread> for ThreadView {
    fn from(thread: Thread) -> ThreadView {
        ThreadView {
            author_username: thread.author,
            created_at: thread.latest.created_at,
            latest_message: thread.latest.plain_text().into_owned(),
            with_username: thread.with,
        }
    }
}

/// A message of a thread.
#[derive(Serialize, ToSchema)]
pub struct DirectView {
    #[schema(value_type = String)]
    author: Username,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    message: String,
    /// 0 text, 1 img, 2 file.
    message_type: i16,
    #[schema(value_type = String)]
    recipient: Username,
}

impl DirectView {
    fn new(message: &Message, author: &Username, recipient: &Username) -> DirectView {
        DirectView {
            author: author.clone(),
            created_at: message.created_at,
            message: message.plain_text().into_owned(),
            message_type: message.kind as i16,
            recipient: recipient.clone(),
        }
    }
}

/// The threads of the token's user, the latest first.
#[utoipa::path(get, path = "/api/inbox", tag = "direct messages", security(("token" = [])),
    params(
        ("page" = Option<i64>, Query, description = "from 1"),
        ("user" = Option<String>, Query, description = "whose; with the service's key"),
    ),
    responses(
        (status = 200, body = Envelope<ThreadView>),
        (status = 400, description = "`Form error`: the service's key without `user`"),
        (status = 401, description = "`Authentication error`"),
        (status = 403, description = "`user` is not the token's"),
        (status = 404, description = "`user` is nobody's name"),
        (status = 429, description = "too many requests"),
    ))]
pub async fn list_inbox(
    State(hub): State<Arc<Hub>>,
    Caller { actor }: Caller,
    uri: Uri,
) -> Result<Envelope<ThreadView>, Refusal> {
    let page = page(&uri);
    let threads = hub.app.list_inbox(&actor, page, PER_PAGE).await?;
    Ok(Envelope::page(page, threads.into_iter().map(ThreadView::from).collect()))
}

/// What has been said between the token's user and another one, the newest first.
#[utoipa::path(get, path = "/api/thread/{username}", tag = "direct messages",
    security(("token" = [])),
    params(
        ("username" = String, Path, description = "the other one"),
        ("page" = Option<i64>, Query, description = "from 1"),
        ("user" = Option<String>, Query, description = "whose; with the service's key"),
    ),
    responses(
        (status = 200, body = Envelope<DirectView>),
        (status = 400, description = "`User error`: nobody has this username; or `Form error`"),
        (status = 401, description = "`Authentication error`"),
        (status = 403, description = "`user` is not the token's"),
        (status = 404, description = "`user` is nobody's name"),
        (status = 409, description = "it is the user's own name"),
        (status = 429, description = "too many requests"),
    ))]
pub async fn list_thread(
    State(hub): State<Arc<Hub>>,
    Caller { actor }: Caller,
    Path(username): Path<String>,
    uri: Uri,
) -> Result<Envelope<DirectView>, Refusal> {
    let page = page(&uri);
    let messages = hub.app.list_thread(&actor, username.trim(), page, PER_PAGE).await;
    let messages = messages.map_err(|error| match error {
        Error::NotFound { .. } => Refusal::user("unknown username"),
        error => Refusal::from(error),
    })?;
    let view = |sent: &DirectMessage| DirectView::new(&sent.message, &sent.author, &sent.recipient);
    Ok(Envelope::page(page, messages.iter().map(view).collect()))
}

/// The page asked for; 1 if it is absent or is no number above 0.
fn page(uri: &Uri) -> i64 {
    let asked = parameter(uri, "page").and_then(|page| page.parse().ok());
    asked.filter(|page| *page > 0).unwrap_or(1)
}
