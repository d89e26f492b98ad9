//! Reads a client's JSON into checked values.
//!
//! serde's derive knows neither the limits that an operator has set nor the difference between a
//! wrong and an oversize text; this reader does, and it names the culprit by its dotted path.

use serde_json::{Map, Value};

use crate::clock::Time;
use crate::config::Limits;
use crate::error::Error;
use crate::model::Problem;

/// An object of a request, its path in it, and the limits that hold.
pub struct Input<'a> {
    /// None for one that is not there.
    object: Option<&'a Map<String, Value>>,
    path: String,
    limits: &'a Limits,
}

impl<'a> Input<'a> {
    /// The request as a whole.
    pub fn new(body: &'a Value, limits: &'a Limits) -> Result<Input<'a>, Error> {
        let object = body.as_object().ok_or_else(|| Error::Invalid {
            field: None,
            why: "the body must be an object".into(),
        })?;
        let path = String::new();
        Ok(Input { object: Some(object), path, limits })
    }

    /// The object at `key`.
    pub fn object(&self, key: &str) -> Result<Input<'a>, Error> {
        self.optional_object(key)?.ok_or_else(|| self.invalid(key, "is required"))
    }

    /// The object at `key`, if there is one.
    pub fn optional_object(&self, key: &str) -> Result<Option<Input<'a>>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let object = value.as_object().ok_or_else(|| self.invalid(key, "must be an object"))?;
        let path = self.path(key);
        Ok(Some(Input { object: Some(object), path, limits: self.limits }))
    }

    /// The object at `key`, or an empty one.
    pub fn object_or_empty(&self, key: &str) -> Result<Input<'a>, Error> {
        let empty = || Input { object: None, path: self.path(key), limits: self.limits };
        Ok(self.optional_object(key)?.unwrap_or_else(empty))
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
        let parse = |value| parse_text(value, self.limits, &self.path(key), parse);
        self.value(key).map(parse).transpose()
    }

    /// The texts of the list at `key`, each read by `parse`; at most `max` of them.
    pub fn texts<T>(
        &self,
        key: &str,
        max: usize,
        parse: impl Fn(&str, &Limits) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Error> {
        let texts = self.optional_texts(key, max, parse)?;
        texts.ok_or_else(|| self.invalid(key, "is required"))
    }

    /// The same, if there is such a list.
    pub fn optional_texts<T>(
        &self,
        key: &str,
        max: usize,
        parse: impl Fn(&str, &Limits) -> Result<T, Problem>,
    ) -> Result<Option<Vec<T>>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let items = value.as_array().ok_or_else(|| self.invalid(key, "must be a list"))?;
        if items.len() > max {
            let unit = "items";
            return Err(Error::TooLarge { field: self.path(key), max, unit });
        }
        let item = |(at, value)| {
            parse_text(value, self.limits, &format!("{}.{at}", self.path(key)), &parse)
        };
        items.iter().enumerate().map(item).collect::<Result<_, _>>().map(Some)
    }

    /// The truth value at `key`, if there is one.
    pub fn optional_bool(&self, key: &str) -> Result<Option<bool>, Error> {
        let read = |value: &Value| {
            value.as_bool().ok_or_else(|| self.invalid(key, "must be true or false"))
        };
        self.value(key).map(read).transpose()
    }

    /// The whole number at `key`, `min` or more, if there is one.
    pub fn optional_number(&self, key: &str, min: i64) -> Result<Option<i64>, Error> {
        let read = |value: &Value| match value.as_i64() {
            Some(number) if number >= min => Ok(number),
            // A number that is larger still means as much as the largest.
            _ if value.as_f64().is_some_and(|number| number >= i64::MAX as f64) => Ok(i64::MAX),
            _ => Err(self.invalid(key, format!("must be a whole number from {min} on"))),
        };
        self.value(key).map(read).transpose()
    }

    /// The time at `key`, RFC 3339, if there is one.
    pub fn optional_time(&self, key: &str) -> Result<Option<Time>, Error> {
        let invalid = Problem::Invalid("must be a time such as 2026-01-31T12:00:00Z");
        self.optional_text(key, |text, _| Time::parse(text).ok_or(invalid))
    }

    /// How many items a page may have: `limit`, lowered to the maximum, which it also defaults
    /// to.
    pub fn limit(&self) -> Result<usize, Error> {
        let max = self.limits.max_page;
        let limit = self.optional_number("limit", 1)?;
        Ok(limit.map_or(max, |limit| usize::try_from(limit).unwrap_or(max).min(max)))
    }

    /// The error of a value at `key` that cannot be understood.
    pub fn invalid(&self, key: &str, why: impl Into<String>) -> Error {
        Error::invalid(self.path(key), why)
    }

    /// A `null` counts as absent.
    fn value(&self, key: &str) -> Option<&'a Value> {
        self.object?.get(key).filter(|value| !value.is_null())
    }

    fn path(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }
}

fn parse_text<T>(
    value: &Value,
    limits: &Limits,
    path: &str,
    parse: impl FnOnce(&str, &Limits) -> Result<T, Problem>,
) -> Result<T, Error> {
    let text = value.as_str().ok_or_else(|| Error::invalid(path, "must be a text"))?;
    parse(text, limits).map_err(|problem| match problem {
        Problem::Invalid(why) => Error::invalid(path, why),
        Problem::TooLarge { max, unit } => Error::TooLarge { field: path.to_owned(), max, unit },
    })
}
