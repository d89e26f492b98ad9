//! Finds fields of a request that the server does not know: misspelled names, mostly. A server that
//! listens on loopback addresses only warns its clients of them; others do not look for them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use serde_json::value::RawValue;

use super::json::{Json, Object};
use crate::error::Error;

/// How many unknown names a client is told of at most.
const MAX_WARNINGS: usize = 5;

/// How many unknown names are looked at, at most.
const MAX_LOOKED_AT: usize = 100;

/// How many characters of such a name are repeated.
const MAX_NAME: usize = 40;

/// The dotted paths of all fields that were looked for in a request, whether they are there or not.
#[derive(Default)]
pub struct Asked(Mutex<BTreeSet<String>>);

impl Asked {
    pub fn note(&self, path: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
    }

    /// A sentence for each unknown field of the request. If the request was refused while it was
    /// being read, the server has not looked for all fields; then only unknown fields that may be
    /// misspellings of the refused field get a sentence.
    pub fn warnings(&self, body: &RawValue, error: Option<&Error>) -> Vec<String> {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unknown = Vec::new();
        if let (false, Ok(Json::Object(object))) = (asked.is_empty(), Json::read(body)) {
            find_unknown(&object, "", &asked, &mut unknown);
        }
        let refused = match error {
            Some(error @ (Error::Invalid { .. } | Error::TooLarge { .. })) => Some(error.field()),
            _ => None,
        };
        let meant = unknown.iter().map(|unknown| (unknown, unknown.meant_by(&asked)));
        let of_refused = meant
            .filter(|(_, meant)| refused.is_none_or(|field| field.is_some() && field == *meant));
        let told = of_refused.filter(|(unknown, meant)| !unknown.of_thing || meant.is_some());
        told.take(MAX_WARNINGS).map(|(unknown, meant)| sentence(&unknown.path, meant)).collect()
    }
}

/// Adds these warnings to an answer, which is a JSON object.
pub fn warned<'a>(answer: &'a str, warnings: &[String]) -> Cow<'a, str> {
    match answer.strip_suffix('}').filter(|_| !warnings.is_empty()) {
        Some(members) => {
            let comma = if members == "{" { "" } else { "," };
            format!(r#"{members}{comma}"warnings":{}}}"#, json!(warnings)).into()
        }
        None => answer.into(),
    }
}

/// A field that the server did not look for.
struct Unknown {
    path: String,
    /// Whether it is part of an object with an `id`, such as a chat that the client sends back as
    /// it got it. Such an object has more fields than a request needs, so only misspellings are
    /// told.
    of_thing: bool,
}

/// Adds the object's unknown fields, and those of the objects within it.
fn find_unknown(
    object: &Object<'_>,
    parent: &str,
    asked: &BTreeSet<String>,
    unknown: &mut Vec<Unknown>,
) {
    let of_thing = asked.contains(&format!("{parent}.id")) && object.get("id").is_some();
    object.each(|name, value| {
        if unknown.len() >= MAX_LOOKED_AT {
            return;
        }
        let path = match parent {
            "" => shortened(&name),
            parent => format!("{parent}.{}", shortened(&name)),
        };
        // A name with a dot in it would be taken for a path.
        if name.contains('.') || !asked.contains(&path) {
            if unknown.iter().all(|unknown| unknown.path != path) {
                unknown.push(Unknown { path, of_thing });
            }
        } else if has_members(&path, asked)
            && let Ok(Json::Object(object)) = Json::read(value)
        {
            find_unknown(&object, &path, asked, unknown);
        }
    });
}

/// Whether some field of the object at this path was looked for.
fn has_members(path: &str, asked: &BTreeSet<String>) -> bool {
    let first = format!("{path}.");
    asked.range(first.clone()..).next().is_some_and(|next| next.starts_with(&first))
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

fn sentence(path: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("{path} is not known here and was ignored; did you mean {meant}?"),
        None => format!("{path} is not known here and was ignored"),
    }
}

impl Unknown {
    /// The path that is probably meant: one that differs only in case and punctuation, as `chatId`
    /// does from `chat.id`; or else the nearest name beside it; or else the same name elsewhere.
    fn meant_by<'a>(&self, asked: &'a BTreeSet<String>) -> Option<&'a str> {
        let others = || asked.iter().map(String::as_str).filter(|other| *other != self.path);
        let (parent, name) = split(&self.path);
        let distance = |other: &&str| edits(&folded(name), &folded(split(other).1));
        let beside = others().filter(|other| split(other).0 == parent);
        let near = |other: &&str| distance(other) <= allowed(split(other).1);
        let nearest = beside.filter(near).min_by_key(distance);
        if self.of_thing {
            return nearest;
        }
        let same = others().find(|other| folded(other) == folded(&self.path));
        same.or(nearest).or_else(|| others().find(|other| distance(other) == 0))
    }
}

/// The one of these names that the client probably meant by `name`, if one is near enough.
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let name = folded(name);
    let near = names.iter().map(|other| (edits(&name, &folded(other)), *other));
    let near = near.filter(|(distance, other)| *distance <= allowed(other));
    near.min_by_key(|(distance, _)| *distance).map(|(_, other)| other)
}

/// A path's parent and the last name in it.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn folded(path: &str) -> String {
    path.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How many edits away from this name a misspelling of it may be.
fn allowed(name: &str) -> usize {
    match name.len() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    }
}

/// How many characters must be inserted, left out or replaced to turn one text into the other.
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, c) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (at, d) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(c != d);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
