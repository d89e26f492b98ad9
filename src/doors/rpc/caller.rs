//! Who makes the calls of a request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;

use super::Hub;
use super::answers::{answer, response};
use crate::domain::{App, Connection, Viewer};
use crate::doors::client::Client;
use crate::doors::credential::credential;
use crate::doors::{failure, refusal, retry};
use crate::error::Error;
use crate::model::ConnectionId;

/// The connection that a request's credential proves; an anonymous one without a credential.
#[derive(Clone)]
pub struct Caller {
    pub connection: Arc<Connection>,
}

/// A request that is refused as a whole.
pub struct Refused(Error);

impl Caller {
    /// Counts a call. Errors: `rate_limited`; `unauthenticated` if the token has ended since the
    /// request came.
    pub async fn admit(&self, app: &App) -> Result<(), Error> {
        if self.connection.has_ended() {
            return Err(Error::unauthenticated("your token has ended"));
        }
        app.admit_request(&self.connection.viewer()).await
    }
}

impl FromRequestParts<Arc<Hub>> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Caller, Refused> {
        let Client { address } = Client::of_request(parts).map_err(Refused)?;
        let token = credential(&parts.headers, &parts.uri);
        match hub.app.connect(ConnectionId::new(), token.as_deref(), address).await {
            Ok(connection) => Ok(Caller { connection: Arc::new(connection) }),
            Err(error) => {
                // Counted, so that further tries are limited, too.
                let admitted = hub.app.admit_request(&Viewer::nobody(address)).await;
                Err(Refused(admitted.err().unwrap_or(error)))
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Refused(error) = self;
        failure::log("rpc", &error);
        let status = refusal::status(error.code());
        let wait = error.retry_after();
        let mut response = response(status, answer(RawValue::NULL, Err(error.into())));
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response.headers_mut().extend(wait.map(retry::header));
        response
    }
}
