//! A body, the calls in it, one or a batch, and the answer to them.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jsonrpsee_core::server::{ConnectionId, Extensions, MethodCallback, MethodResponse};
use jsonrpsee_types::{ErrorCode, ErrorObjectOwned, Id, Params, TwoPointZero};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Hub;
use super::caller::Caller;
use super::parameters::refusal;
use crate::error::Error;

/// One call; a notification has no id.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(rename = "jsonrpc")]
    _version: TwoPointZero,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<Id<'a>>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// An id that is null is one, too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Id<'de>>, D::Error> {
    Id::deserialize(deserializer).map(Some)
}

/// `POST /rpc`
pub async fn handle(
    State(hub): State<Arc<Hub>>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_json(&headers) {
        let why = "the body must be application/json\n";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    }
    match answer(&hub, &caller, &body).await {
        Some(answer) => json(StatusCode::OK, answer),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// An answer with a body of JSON.
pub fn json(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Whether the body says that it is JSON, or does not say what it is.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// What a body is answered; nothing if all of it is notifications.
async fn answer(hub: &Hub, caller: &Caller, body: &[u8]) -> Option<String> {
    let Ok(body) = serde_json::from_slice::<&RawValue>(body) else {
        return Some(refuse_all(hub, caller, ErrorCode::ParseError).await);
    };
    if !body.get().starts_with('[') {
        let (answer, asked) = call(hub, caller, body).await;
        return asked.then(|| answer.to_string());
    }
    let calls: Vec<&RawValue> = serde_json::from_str(body.get()).unwrap_or_default();
    if calls.is_empty() || calls.len() > hub.app.limits().max_batch {
        return Some(refuse_all(hub, caller, ErrorCode::InvalidRequest).await);
    }
    batch(hub, caller, calls).await
}

/// The answers to calls that are done one after another. Once the answers, those to notifications
/// too, are as long as they may be, the rest of the calls are not done.
async fn batch(hub: &Hub, caller: &Caller, calls: Vec<&RawValue>) -> Option<String> {
    let max = hub.app.limits().max_history_bytes;
    let (mut answers, mut length) = (String::new(), 0);
    for item in calls {
        let (answer, asked) = match length > max {
            true => too_large(item, max),
            false => call(hub, caller, item).await,
        };
        length += answer.as_ref().len();
        if asked {
            answers.push(if answers.is_empty() { '[' } else { ',' });
            answers.push_str(answer.as_ref());
        }
    }
    answers.push(']');
    (answers.len() > 1).then_some(answers)
}

/// Does one call. Returns its answer, and whether that is asked for: a notification's is not.
async fn call(hub: &Hub, caller: &Caller, item: &RawValue) -> (MethodResponse, bool) {
    let read = serde_json::from_str::<Call>(item.get());
    let admitted = caller.admit(&hub.app).await;
    let Ok(call) = read else {
        let invalid = ErrorObjectOwned::from(ErrorCode::InvalidRequest);
        let error = admitted.err().map_or(invalid, |error| refusal(&error));
        return (MethodResponse::error(Id::Null, error), true);
    };
    let notification = call.id.is_none();
    let id = call.id.unwrap_or(Id::Null).into_owned();
    let answer = match (admitted, hub.methods.method(&call.method)) {
        (Err(error), _) => MethodResponse::error(id, refusal(&error)),
        (Ok(()), Some(MethodCallback::Async(method))) => {
            let params = Params::new(call.params.map(RawValue::get)).into_owned();
            let mut extensions = Extensions::new();
            extensions.insert(caller.clone());
            method(id, params, ConnectionId::default(), usize::MAX, extensions).await
        }
        (Ok(()), _) => MethodResponse::error(id, ErrorCode::MethodNotFound),
    };
    (answer, !notification)
}

fn too_large(item: &RawValue, max: usize) -> (MethodResponse, bool) {
    let error = Error::TooLarge { field: "batch".into(), max, unit: "bytes of answers" };
    let id = serde_json::from_str::<Call>(item.get()).map_or(Some(Id::Null), |call| call.id);
    let asked = id.is_some();
    (MethodResponse::error(id.unwrap_or(Id::Null), refusal(&error)), asked)
}

/// The answer to a body that cannot be taken for calls. It counts as one.
async fn refuse_all(hub: &Hub, caller: &Caller, code: ErrorCode) -> String {
    let error = match caller.admit(&hub.app).await {
        Ok(()) => ErrorObjectOwned::from(code),
        Err(error) => refusal(&error),
    };
    MethodResponse::error(Id::Null, error).to_string()
}
