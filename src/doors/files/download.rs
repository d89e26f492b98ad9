//! `GET /api/files/{id}`: a file by the address that its message shows, or a part of it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock;
use crate::domain::{App, Viewer};
use crate::doors::client::Client;
use crate::doors::credential::parameter;
use crate::doors::failure;
use crate::doors::measured::Measured;
use crate::doors::refusal::Refusal;
use crate::error::Error;
use crate::model::{File, FileId, read_id};

/// Nothing in a file is run, whatever a browser takes it for.
const POLICY: &str = "sandbox; default-src 'none'";

/// The bytes to encode in a header's extended value: all but letters, digits, `.`, `-` and `_`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// Answers with a file.
pub async fn answer(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    parts: Parts,
) -> Result<Response, Refusal> {
    let _measured = Measured::begin("files");
    let given = give(&app, &id, &parts).await;
    Ok(given.inspect_err(|error| failure::log("download", error))?)
}

async fn give(app: &App, id: &str, parts: &Parts) -> Result<Response, Error> {
    let client = Client::of_request(parts)?;
    let viewer = Viewer::nobody(client.address);
    app.admit_request(&viewer).await?;
    let id: FileId = read_id(id).ok_or_else(|| Error::no_file("id"))?;
    let until = parameter(&parts.uri, "until").and_then(|until| until.parse().ok());
    let signature = parameter(&parts.uri, "signature").unwrap_or_default();
    let (file, until) = app.find_file(id, until.unwrap_or_default(), &signature).await?;
    let size = file.size.unsigned_abs();
    let tag = format!("\"{}\"", file.id);
    let about = headers(&file, &tag, until);
    if is_known(&parts.headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let Ok(part) = part(&parts.headers, &tag, size) else {
        let whole = [(CONTENT_RANGE, format!("bytes */{size}"))];
        return Ok(
            (StatusCode::RANGE_NOT_SATISFIABLE, whole, "there is no such part\n").into_response()
        );
    };
    let (from, to) = part.as_ref().map_or((0, size), |part| (*part.start(), part.end() + 1));
    let body = match parts.method == Method::HEAD {
        true => Body::empty(),
        false => Body::from_stream(app.read_file(&viewer, &file, from, to).await?),
    };
    let length = [(CONTENT_LENGTH, (to - from).to_string())];
    let status = if part.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let part =
        part.map(|part| (CONTENT_RANGE, format!("bytes {}-{}/{size}", part.start(), part.end())));
    let mut response = (status, about, length, body).into_response();
    let part = part.and_then(|(name, value)| Some((name, value.parse().ok()?)));
    response.headers_mut().extend(part);
    Ok(response)
}

fn headers(file: &File, tag: &str, until: i64) -> [(HeaderName, String); 7] {
    let left = (until - clock::now().as_micros() / 1_000_000).max(0);
    let place = if file.kind.is_shown() { "inline" } else { "attachment" };
    let name = utf8_percent_encode(file.name.as_ref(), KEPT);
    [
        (CONTENT_TYPE, file.kind.as_ref().to_owned()),
        (CONTENT_DISPOSITION, format!("{place}; filename*=UTF-8''{name}")),
        (CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        // A file never changes, but its address expires.
        (CACHE_CONTROL, format!("private, max-age={left}, immutable")),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (ETAG, tag.to_owned()),
    ]
}

fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// The part that is asked for; `None` for the whole file, and also if several parts are asked for.
/// Errors: the file has no such part.
fn part(asked: &HeaderMap, tag: &str, size: u64) -> Result<Option<RangeInclusive<u64>>, ()> {
    let text = |name| asked.get(name).and_then(|value| value.to_str().ok());
    if text(&IF_RANGE).is_some_and(|known| known.trim() != tag) {
        return Ok(None);
    }
    let Some(Ok(ranges)) = text(&RANGE).map(http_range_header::parse_range_header) else {
        return Ok(None);
    };
    let mut ranges = ranges.validate(size).map_err(drop)?;
    Ok(ranges.pop().filter(|_| ranges.is_empty()))
}
