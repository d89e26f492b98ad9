//! `POST /api/files`: the bytes as the body, or as the field `file` of a form.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, ready};

use axum::body::{Body, HttpBody};
use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::config::Limits;
use crate::domain::{Actor, App, Connection, Offer};
use crate::doors::credential::{connect, parameter};
use crate::doors::failure;
use crate::doors::measured::Measured;
use crate::doors::refusal::{Refusal, json};
use crate::error::Error;
use crate::model::{File, FileName, UserId};

/// How many bytes of a form may come before its file.
const FORM: u64 = 64 << 10;

const MUST_BEGIN: &str = "must begin within the first 64 KiB of the form";

/// `{file: {id, name, type, size, width?, height?}}`
#[derive(Serialize)]
struct OfFile {
    file: File,
}

/// Takes a file.
pub async fn answer(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let _measured = Measured::begin("files");
    let taken = take(&app, request).await.inspect_err(|error| failure::log("upload", error))?;
    let answer = serde_json::to_string(&OfFile { file: taken });
    answer.map(|text| json(StatusCode::CREATED, text)).map_err(|_| Error::Internal(None).into())
}

async fn take(app: &App, request: Request) -> Result<File, Error> {
    let (parts, body) = request.into_parts();
    let connection = connect(app, &parts).await?;
    let actor = act(app, &connection, &parts).await?;
    let name = name(parameter(&parts.uri, "name").as_deref(), app.limits(), "name")?;
    let kind = media_type(&parts.headers).map(str::to_owned);
    // The length that the head declares; none if the body comes in chunks.
    let length = body.size_hint().exact();
    match kind.as_deref().is_some_and(is_form) {
        true => take_field(app, &actor, name, Request::from_parts(parts, body), length).await,
        false => {
            let name = name.unwrap_or_else(FileName::none);
            let offer = Offer { name, kind, size: length };
            let bytes = body.into_data_stream().map_err(|_| broken());
            app.upload_file(&actor, offer, bytes).await
        }
    }
}

/// The token's user, or the one that `?user=` names.
async fn act(app: &App, connection: &Connection, parts: &Parts) -> Result<Actor, Error> {
    let named = parameter(&parts.uri, "user");
    let named = named.map(|id| UserId::parse(&id, app.limits()).map_err(|why| why.at("user")));
    match named.transpose()?.or_else(|| connection.user_id().cloned()) {
        Some(user_id) => app.claim(connection, &user_id).await,
        None => Err(Error::invalid("user", "is required: add ?user=ID, or come with a token")),
    }
}

/// Takes the field `file` of a form. If the query has a name, it is used instead of the field's
/// own.
async fn take_field(
    app: &App,
    actor: &Actor,
    name_asked: Option<FileName>,
    request: Request<Body>,
    length: Option<u64>,
) -> Result<File, Error> {
    let max = app.limits().max_file;
    if length.is_some_and(|length| length > max as u64 + FORM) {
        return Err(Error::TooLarge { field: "file".to_owned(), max, unit: "bytes" });
    }
    let left = Arc::new(AtomicU64::new(FORM));
    let request = request.map(|body| Body::from_stream(bounded(body, left.clone())));
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|_| Error::invalid("file", "must be a form with a boundary"))?;
    while let Some(field) = next_field(&mut form, &left).await? {
        if field.name() != Some("file") {
            continue;
        }
        left.store(u64::MAX, Ordering::Relaxed);
        let name = match name_asked {
            Some(name) => Some(name),
            None => name(field.file_name(), app.limits(), "file")?,
        };
        let name = name.unwrap_or_else(FileName::none);
        let kind = field.content_type().map(str::to_owned);
        let offer = Offer { name, kind, size: None };
        return app.upload_file(actor, offer, Box::pin(bytes_of(field))).await;
    }
    Err(Error::invalid("file", "is required: a field of this name with the file"))
}

/// A body of which at most as many bytes come as are `left`; while that is 0, reading it waits.
fn bounded(body: Body, left: Arc<AtomicU64>) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    let mut body = body.into_data_stream();
    stream::poll_fn(move |context| {
        let before = left.load(Ordering::Relaxed);
        if before == 0 {
            return Poll::Pending;
        }
        let more = ready!(body.poll_next_unpin(context));
        if let Some(Ok(more)) = &more {
            left.store(before.saturating_sub(more.len() as u64), Ordering::Relaxed);
        }
        Poll::Ready(more)
    })
}

/// The next field of a form whose body is [bounded]. Errors: `invalid`, also if no field begins
/// within the bytes that may come.
async fn next_field<'a>(
    form: &'a mut Multipart,
    left: &AtomicU64,
) -> Result<Option<Field<'a>>, Error> {
    let mut next = pin!(form.next_field());
    poll_fn(|context| {
        // Its first poll may look for a field before it takes the bytes that have come: poll it
        // twice.
        for _ in 0..2 {
            if let Poll::Ready(found) = next.as_mut().poll(context) {
                return Poll::Ready(found.map_err(|_| broken()));
            }
        }
        match left.load(Ordering::Relaxed) {
            0 => Poll::Ready(Err(Error::invalid("file", MUST_BEGIN))),
            _ => Poll::Pending,
        }
    })
    .await
}

fn bytes_of(field: Field<'_>) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    field.map_err(|_| broken())
}

fn broken() -> Error {
    Error::invalid("file", "did not come to its end")
}

fn name(text: Option<&str>, limits: &Limits, field: &str) -> Result<Option<FileName>, Error> {
    let text = text.filter(|text| !text.trim().is_empty());
    text.map(|text| FileName::parse_path(text, limits).map_err(|why| why.at(field))).transpose()
}

fn is_form(kind: &str) -> bool {
    let (kind, _) = kind.split_once(';').unwrap_or((kind, ""));
    kind.trim().eq_ignore_ascii_case("multipart/form-data")
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok())
}
