//! Reads the body of a request: JSON or a form.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::Hub;
use super::envelope::{Refusal, why};
use crate::config::Limits;
use crate::doors::input::Input;
use crate::error;
use crate::model::Problem;

/// A body as JSON; an empty object for an empty body.
pub struct Body(pub Box<RawValue>);

impl FromRequest<Arc<Hub>> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Body, Refusal> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        let bytes = Bytes::from_request(request, hub).await.map_err(unread)?;
        let body = match kind.as_str() {
            _ if bytes.is_empty() => form(&bytes)?,
            "application/json" => serde_json::from_slice(&bytes)
                .map_err(|error| Refusal::form(json!({ "error": error.to_string() })))?,
            "application/x-www-form-urlencoded" => form(&bytes)?,
            _ => {
                let why = "the body must be application/json or application/x-www-form-urlencoded";
                return Err(Refusal::gate(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
            }
        };
        Ok(Body(body))
    }
}

/// The refusal of a body that could not be read to its end.
fn unread(error: BytesRejection) -> Refusal {
    Refusal::gate(error.status(), &error.body_text())
}

fn form(bytes: &[u8]) -> Result<Box<RawValue>, Refusal> {
    let pairs: BTreeMap<_, _> = form_urlencoded::parse(bytes).collect();
    to_raw_value(&pairs).map_err(|_| Refusal::from(error::Error::Internal(None)))
}

/// A body being read, and what is wrong with it so far.
pub struct Form<'a> {
    input: Input<'a>,
    errors: Map<String, Value>,
}

impl<'a> Form<'a> {
    pub fn read(body: &'a RawValue, limits: &'a Limits) -> Result<Form<'a>, Refusal> {
        Ok(Form { input: Input::new(body, limits)?, errors: Map::new() })
    }

    /// The text of a field, trimmed; `None` if it is missing or wrong.
    pub fn text<T>(
        &mut self,
        field: &str,
        parse: impl FnOnce(&str, &Limits) -> Result<T, Problem>,
    ) -> Option<T> {
        let parse = |text: &str, limits: &Limits| match text.trim() {
            "" => Err(Problem::Invalid("is required")),
            text => parse(text, limits),
        };
        let text = self.input.text(field, parse);
        text.map_err(|error| self.wrong(field, &why(&error))).ok()
    }

    /// The text of a field that may be left out, or empty, unless it is `required`.
    pub fn text_if<T>(
        &mut self,
        field: &str,
        required: bool,
        parse: impl FnOnce(&str, &Limits) -> Result<T, Problem>,
    ) -> Option<T> {
        if required {
            return self.text(field, parse);
        }
        let parse = |text: &str, limits: &Limits| match text.trim() {
            "" => Ok(None),
            text => parse(text, limits).map(Some),
        };
        let text = self.input.optional_text(field, parse);
        text.map_err(|error| self.wrong(field, &why(&error))).ok().flatten().flatten()
    }

    pub fn is_right(&self) -> bool {
        self.errors.is_empty()
    }

    pub fn wrong(&mut self, field: &str, why: &str) {
        self.errors.insert(field.to_owned(), why.into());
    }

    pub fn refusal(self) -> Refusal {
        Refusal::form(Value::Object(self.errors))
    }
}
