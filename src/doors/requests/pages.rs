//! The pages of lists: how long a page is, and where it begins.

use std::fmt::Display;

use uuid::Uuid;

use crate::clock::Time;
use crate::config::Limits;
use crate::doors::input::{Field, Input};
use crate::error::Error;
use crate::model::{Problem, SearchPlace, read_id};

const NO_NEXT: Problem = Problem::Invalid("must be the next of an earlier page");

/// How many items a page has at most.
pub struct Limit(i64);

impl Field for Limit {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        Ok(input.optional_number(key, 1)?.map(Limit))
    }
}

impl Limit {
    /// The limit asked for, at most the configured maximum; that maximum if none is asked for.
    pub fn of(asked: Option<Limit>, limits: &Limits) -> usize {
        let max = limits.max_page;
        asked.map_or(max, |Limit(limit)| usize::try_from(limit).unwrap_or(max).min(max))
    }
}

/// Where a page begins: the `next` of an earlier page.
pub struct Before<Id>(pub (Time, Id));

impl<Id: From<Uuid>> Field for Before<Id> {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        let read = |text: &str| {
            let (micros, id) = text.split_once('.')?;
            Some(Before((Time::from_micros(micros.parse().ok()?), read_id(id)?)))
        };
        input.optional_text(key, |text, _| read(text).ok_or(NO_NEXT))
    }
}

impl Field for SearchPlace {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        input.optional_text(key, |text, _| SearchPlace::parse(text).ok_or(NO_NEXT))
    }
}

/// The `next` of a page: the time and the id of its last item.
pub fn cursor((time, id): (Time, impl Display)) -> String {
    format!("{}.{id}", time.as_micros())
}
