//! Reads a client's JSON into checked values.
//!
//! A value with a plain meaning is accepted: a whole number may be written as a fraction, such as
//! `5.0`, and an id may be a number. Any other mistake is answered by a sentence that names it.
//!
//! serde's derive knows neither the limits that an operator has set nor the difference between a
//! wrong and an oversize text; this reader does, and it names the culprit by its dotted path.

use std::borrow::Cow;

use serde_json::Number;
use serde_json::value::RawValue;

use super::json::{Json, Object};
use crate::clock::Time;
use crate::config::Limits;
use crate::error::Error;
use crate::model::{Data, Problem};

const NO_TIME: Problem = Problem::Invalid("must be a time such as 2026-01-31T12:00:00Z");

/// A type as which a field of a request can be read.
pub trait Field: Sized {
    /// The value at `key`; `None` if it is absent or `null`. Errors: `invalid`, `too_large`.
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error>;

    /// If the value is an object: the fields that it may have.
    const WITHIN: &'static [Known] = &[];
}

/// A field that a request may have.
pub struct Known {
    pub name: &'static str,
    /// If its value is an object: the fields that this may have.
    pub within: &'static [Known],
}

impl Known {
    /// A field of the type `T`, named as the identifier in Rust is.
    pub const fn field<T: Field>(identifier: &'static str) -> Known {
        Known { name: name(identifier), within: T::WITHIN }
    }
}

/// The name of a field whose identifier in Rust this is: `type` for `r#type`.
pub const fn name(identifier: &str) -> &str {
    match identifier.as_bytes() {
        [b'r', b'#', ..] => identifier.split_at(2).1,
        _ => identifier,
    }
}

/// An object of a request, with its path in the request and the limits that its values must keep.
pub struct Input<'a> {
    object: Object<'a>,
    path: String,
    limits: &'a Limits,
}

impl<'a> Input<'a> {
    /// The request as a whole.
    pub fn new(body: &'a RawValue, limits: &'a Limits) -> Result<Input<'a>, Error> {
        match Json::read(body) {
            Ok(Json::Object(object)) => Ok(Input { object, path: String::new(), limits }),
            other => {
                let why = other.map_or_else(|_| OUT_OF_RANGE.to_owned(), |v| no("an object", &v));
                Err(Error::Invalid { field: None, why: format!("the body {why}") })
            }
        }
    }

    /// The field at `key`, as its type reads it.
    pub fn field<T: Field>(&self, key: &str) -> Result<T, Error> {
        T::read(self, key)?.ok_or_else(|| self.invalid(key, "is required"))
    }

    pub fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// The object at `key`.
    pub fn object(&self, key: &str) -> Result<Input<'a>, Error> {
        self.optional_object(key)?.ok_or_else(|| self.invalid(key, "is required"))
    }

    /// The object at `key`, if there is one.
    pub fn optional_object(&self, key: &str) -> Result<Option<Input<'a>>, Error> {
        match self.value(key)? {
            None => Ok(None),
            Some(Json::Object(object)) => Ok(Some(self.inner(key, object))),
            Some(other) => Err(self.invalid(key, no("an object", &other))),
        }
    }

    fn inner(&self, key: &str, object: Object<'a>) -> Input<'a> {
        Input { object, path: self.path(key), limits: self.limits }
    }

    /// The text at `key`, read by `parse`.
    pub fn text<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str, &Limits) -> Result<T, Problem>,
    ) -> Result<T, Error> {
        self.optional_text(key, parse)?.ok_or_else(|| self.invalid(key, "is required"))
    }

    /// The text at `key`, if there is one, read by `parse`.
    pub fn optional_text<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str, &Limits) -> Result<T, Problem>,
    ) -> Result<Option<T>, Error> {
        self.value(key)?.map(|value| self.parsed(value, || self.path(key), parse)).transpose()
    }

    /// The id at `key`, a text or a whole number, read by `parse`.
    pub fn id<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str, &Limits) -> Result<T, Problem>,
    ) -> Result<T, Error> {
        self.optional_id(key, parse)?.ok_or_else(|| self.invalid(key, "is required"))
    }

    /// The id at `key`, if there is one.
    pub fn optional_id<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str, &Limits) -> Result<T, Problem>,
    ) -> Result<Option<T>, Error> {
        let value = self.value(key)?.map(number_as_text);
        value.map(|value| self.parsed(value, || self.path(key), parse)).transpose()
    }

    /// The ids of the list at `key`, if there is one, each read by `parse`; at most `max` of them.
    pub fn optional_ids<T>(
        &self,
        key: &str,
        max: usize,
        parse: impl Fn(&str, &Limits) -> Result<T, Problem>,
    ) -> Result<Option<Vec<T>>, Error> {
        let items = match self.value(key)? {
            None => return Ok(None),
            Some(Json::List(list)) => list.items(max),
            Some(other) => return Err(self.invalid(key, no("a list", &other))),
        };
        let unit = "items";
        let items = items.ok_or_else(|| Error::TooLarge { field: self.path(key), max, unit })?;
        let item = |(at, raw)| {
            let path = || format!("{}.{at}", self.path(key));
            self.parsed(number_as_text(read(raw, path)?), path, &parse)
        };
        items.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Some)
    }

    /// The objects of the list at `key`, if there is one; at most `max` of them.
    pub fn optional_objects(&self, key: &str, max: usize) -> Result<Option<Vec<Input<'a>>>, Error> {
        let items = match self.value(key)? {
            None => return Ok(None),
            Some(Json::List(list)) => list.items(max),
            Some(other) => return Err(self.invalid(key, no("a list", &other))),
        };
        let unit = "items";
        let items = items.ok_or_else(|| Error::TooLarge { field: self.path(key), max, unit })?;
        let item = |(at, raw)| {
            let key = format!("{key}.{at}");
            match read(raw, || self.path(&key))? {
                Json::Object(object) => Ok(self.inner(&key, object)),
                other => Err(self.invalid(&key, no("an object", &other))),
            }
        };
        items.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Some)
    }

    /// The JSON object at `key` that clients keep of a user or a chat, if there is one. Errors:
    /// those of [`data`](Input::data).
    pub fn optional_data_object(&self, key: &str) -> Result<Option<Data>, Error> {
        match self.value(key)? {
            None => Ok(None),
            Some(Json::Object(_)) => Ok(Some(Data::of(self.data(key)?))),
            Some(other) => Err(self.invalid(key, no("an object", &other))),
        }
    }

    /// Any JSON at `key`, as it was sent. Errors: `too_large`; `invalid` if it is absent or nested
    /// too deeply.
    pub fn data(&self, key: &str) -> Result<&'a RawValue, Error> {
        self.value(key)?;
        let raw = self.object.get(key);
        let raw = raw.ok_or_else(|| self.invalid(key, "is required"))?;
        let max = self.limits.max_data;
        if raw.get().len() > max {
            return Err(Error::TooLarge { field: self.path(key), max, unit: "bytes" });
        }
        let deep = |_| self.invalid(key, "must not be nested deeper than 100 levels");
        serde_json::from_str::<serde_json::Value>(raw.get()).map_err(deep)?;
        Ok(raw)
    }

    /// The truth value at `key`, if there is one.
    pub fn optional_bool(&self, key: &str) -> Result<Option<bool>, Error> {
        match self.value(key)? {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(self.invalid(key, "must be true or false")),
        }
    }

    /// The whole number at `key`, `min` or more, if there is one.
    pub fn optional_number(&self, key: &str, min: i64) -> Result<Option<i64>, Error> {
        let number = match self.value(key)? {
            None => return Ok(None),
            Some(Json::Number(number)) => whole(&number),
            Some(_) => None,
        };
        match number.filter(|number| *number >= min) {
            None => Err(self.invalid(key, format!("must be a whole number from {min} on"))),
            number => Ok(number),
        }
    }

    /// The time at `key`, RFC 3339, if there is one, read by `parse`.
    pub fn optional_time(
        &self,
        key: &str,
        parse: fn(&str) -> Option<Time>,
    ) -> Result<Option<Time>, Error> {
        self.optional_text(key, |text, _| parse(text).ok_or(NO_TIME))
    }

    /// The error of a value at `key` that cannot be understood.
    pub fn invalid(&self, key: &str, why: impl Into<String>) -> Error {
        Error::invalid(self.path(key), why)
    }

    /// A `null` counts as absent.
    fn value(&self, key: &str) -> Result<Option<Json<'a>>, Error> {
        let Some(raw) = self.object.get(key) else {
            return Ok(None);
        };
        let value = read(raw, || self.path(key))?;
        Ok(Some(value).filter(|value| !matches!(value, Json::Null)))
    }

    fn parsed<T>(
        &self,
        value: Json<'a>,
        path: impl Fn() -> String,
        parse: impl FnOnce(&str, &Limits) -> Result<T, Problem>,
    ) -> Result<T, Error> {
        let Json::Text(text) = value else {
            return Err(Error::invalid(path(), no("a text", &value)));
        };
        parse(&text, self.limits).map_err(|problem| problem.at(&path()))
    }

    fn path(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

const OUT_OF_RANGE: &str = "must not be a number out of range";

fn read(raw: &RawValue, path: impl FnOnce() -> String) -> Result<Json<'_>, Error> {
    Json::read(raw).map_err(|_| Error::invalid(path(), OUT_OF_RANGE))
}

/// Says what a value must be; for a likely mistake, says also what it is.
fn no(what: &str, value: &Json<'_>) -> String {
    match value {
        Json::Text(text) if text.trim_start().starts_with(['{', '[']) => {
            format!("must be {what}, not a text that holds JSON: send it without encoding it twice")
        }
        Json::Text(_) => format!("must be {what}, not a text"),
        Json::Number(_) => format!("must be {what}, not a number"),
        _ => format!("must be {what}"),
    }
}

/// Turns a whole number into the text of its digits, as an id.
fn number_as_text(value: Json<'_>) -> Json<'_> {
    match &value {
        Json::Number(number) => match digits(number) {
            Some(digits) => Json::Text(Cow::Owned(digits)),
            None => value,
        },
        _ => value,
    }
}

fn digits(number: &Number) -> Option<String> {
    match number.is_f64() {
        false => Some(number.to_string()),
        // A larger number may have been rounded, and stand for one next to it.
        true => whole(number).filter(|number| number.abs() <= 1 << 53).map(|n| n.to_string()),
    }
}

/// The number, if it is whole; a number beyond the range of `i64` becomes the nearest one in it.
fn whole(number: &Number) -> Option<i64> {
    match (number.as_i64(), number.as_f64()) {
        (Some(number), _) => Some(number),
        (None, Some(number)) if number.fract() == 0.0 => Some(number as i64),
        _ => None,
    }
}
