//! Answers a single request, of a client without a socket.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use super::{Answer, Asker, Named, Row, answer, find};
use crate::domain::{Actor, App, Connection};
use crate::error::Error;
use crate::model::UserId;

struct Single<'a> {
    app: &'a App,
    connection: &'a Connection,
}

/// Answers the request `event`. Errors: those of [`answer`]; `not_found` for one that concerns a
/// socket.
pub async fn answer_single(
    connection: &Connection,
    app: &Arc<App>,
    event: &str,
    body: &RawValue,
) -> Result<Answer, Error> {
    if find(event).is_some_and(Row::is_of_socket) {
        let why = format!("{event} concerns a socket: send it over Socket.IO");
        return Err(Error::NotFound { field: "event", why });
    }
    answer(&Single { app, connection }, app, event, body).await
}

impl Asker for Single<'_> {
    fn connection(&self) -> &Connection {
        self.connection
    }

    fn act(&self, named: Named) -> BoxFuture<'_, Result<Option<Actor>, Error>> {
        Box::pin(async move {
            let user_id = match named {
                Named::Actor(user_id) | Named::User(user_id) => Some(user_id),
                Named::Nobody => self.connection.user_id().cloned(),
            };
            match user_id {
                Some(user_id) => self.app.claim(self.connection, &user_id).await.map(Some),
                None => Ok(None),
            }
        })
    }

    fn hears_as(&self, _: &UserId) -> bool {
        false
    }
}
