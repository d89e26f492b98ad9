//! Reads the calls in a body, one or a batch, and answers them.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::answers::{Fault, answer, response};
use super::caller::Caller;
use super::{Hub, methods};
use crate::doors::json::{Json, List};
use crate::error::Error;

/// One call; a notification has no id.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// Reads an id that is present. One that is null is an id, too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Call<'a> {
    /// Reads a call; `None` if this is none. Any number can be an id, and is answered to the last
    /// digit.
    fn read(item: &'a RawValue) -> Option<Call<'a>> {
        // Without this check, a list of the members' values would be read as a call, too.
        let object = Some(item.get()).filter(|text| text.starts_with('{'))?;
        let call: Call<'_> = serde_json::from_str(object).ok()?;
        let id = call.id.map_or("", RawValue::get);
        let is_id = !id.starts_with(['{', '[', 't', 'f']);
        (call.jsonrpc == "2.0" && is_id).then_some(call)
    }
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
    match answer_all(&hub, &caller, &body).await {
        Some(answer) => response(StatusCode::OK, answer),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Whether the body says that it is JSON, or does not say what it is.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// The answer to a body; `None` if it holds notifications only.
async fn answer_all(hub: &Hub, caller: &Caller, body: &[u8]) -> Option<String> {
    let Ok(body) = serde_json::from_slice::<&RawValue>(body) else {
        return Some(refuse_all(hub, caller, Fault::no_json()).await);
    };
    let Ok(Json::List(list)) = Json::read(body) else {
        let (answer, asked) = call(hub, caller, body).await;
        return asked.then_some(answer);
    };
    match calls(&list, hub.app.limits().max_batch) {
        Some(calls) => batch(hub, caller, calls).await,
        None => Some(refuse_all(hub, caller, Fault::no_call()).await),
    }
}

/// The calls of a batch. None if there are none or too many.
fn calls<'a>(list: &List<'a>, max: usize) -> Option<Vec<&'a RawValue>> {
    list.items(max).filter(|calls| !calls.is_empty())
}

/// Does calls one after another, and returns their answers. Once the answers, those to
/// notifications included, are over the limit, the rest of the calls are refused.
async fn batch(hub: &Hub, caller: &Caller, calls: Vec<&RawValue>) -> Option<String> {
    let max = hub.app.limits().max_history_bytes;
    let (mut answers, mut length) = (String::new(), 0);
    for item in calls {
        let (answer, asked) = match length > max {
            true => too_large(item, max),
            false => call(hub, caller, item).await,
        };
        length += answer.len();
        if asked {
            answers.push(if answers.is_empty() { '[' } else { ',' });
            answers.push_str(&answer);
        }
    }
    answers.push(']');
    (answers.len() > 1).then_some(answers)
}

/// Does one call. Returns its answer, and whether that is asked for: a notification's is not.
async fn call(hub: &Hub, caller: &Caller, item: &RawValue) -> (String, bool) {
    let admitted = caller.admit(&hub.app).await;
    let call = Call::read(item);
    let id = call.as_ref().and_then(|call| call.id);
    let asked = call.is_none() || id.is_some();
    let done = match (admitted, call) {
        (Err(error), _) => Err(error.into()),
        (Ok(()), None) => Err(Fault::no_call()),
        (Ok(()), Some(call)) => methods::call(&call.method, &hub.app, caller, call.params).await,
    };
    (answer(id.unwrap_or(RawValue::NULL), done), asked)
}

fn too_large(item: &RawValue, max: usize) -> (String, bool) {
    let error = Error::TooLarge { field: "batch".into(), max, unit: "bytes of answers" };
    let call = Call::read(item);
    let id = call.as_ref().and_then(|call| call.id);
    let asked = call.is_none() || id.is_some();
    (answer(id.unwrap_or(RawValue::NULL), Err(error.into())), asked)
}

/// The answer to a body that holds no calls. The body counts as one call.
async fn refuse_all(hub: &Hub, caller: &Caller, fault: Fault) -> String {
    let fault = caller.admit(&hub.app).await.err().map_or(fault, Fault::from);
    answer(RawValue::NULL, Err(fault))
}
