//! Warns of fields of a request that its event does not know: misspelled names, mostly. A server
//! that listens on loopback addresses only warns its clients of them; others do not look for them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::json;
use serde_json::value::RawValue;

use super::input::Known;
use super::json::{Json, Object};
use crate::error::Error;

/// How many unknown names a client is told of at most.
const MAX_WARNINGS: usize = 5;

/// How many unknown names are looked at, at most.
const MAX_LOOKED_AT: usize = 100;

/// Nobody guesses what is meant by a longer name of an event.
const MAX_GUESSED: usize = 64;

/// How many characters of such a name are repeated.
const MAX_NAME: usize = 40;

/// A field that says who acts.
const fn acting(name: &'static str) -> Known {
    Known { name, within: &[Known { name: "id", within: &[] }] }
}

/// What every event knows besides its own fields; and those whose `user` says who acts.
pub const ACTOR: &[Known] = &[acting("actor")];
pub const ACTOR_OR_USER: &[Known] = &[acting("actor"), acting("user")];

/// A sentence for each field of the request that is not among `fields`: its event's own, and those
/// that say who acts. If a field was refused, only unknown fields that may be misspellings of that
/// one get a sentence.
pub fn warnings(
    fields: [&'static [Known]; 2],
    body: &RawValue,
    error: Option<&Error>,
) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Ok(Json::Object(object)) = Json::read(body) {
        find_unknown(&object, "", &fields, &mut unknown);
    }
    if unknown.is_empty() {
        return Vec::new();
    }
    let mut known = BTreeSet::new();
    fields.iter().for_each(|fields| add_paths(fields, "", &mut known));
    let meant = unknown.iter().map(|unknown| (unknown, unknown.meant_by(&known)));
    let told = meant.filter(|(unknown, meant)| !unknown.of_thing || meant.is_some());
    let of_refused = told.filter(|(_, meant)| match error {
        Some(error @ (Error::Invalid { .. } | Error::TooLarge { .. })) => {
            error.field().zip(*meant).is_some_and(|(field, meant)| is_within(meant, field))
        }
        _ => true,
    });
    of_refused.take(MAX_WARNINGS).map(|(unknown, meant)| sentence(&unknown.path, meant)).collect()
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

/// A field that the event does not know.
struct Unknown {
    path: String,
    /// Whether it is part of an object with an `id`, such as a chat that the client sends back as
    /// it got it. Such an object has more fields than a request needs, so only misspellings are
    /// told.
    of_thing: bool,
}

/// Adds the object's fields that are not among these, and those of the objects within it.
fn find_unknown(
    object: &Object<'_>,
    parent: &str,
    fields: &[&'static [Known]],
    unknown: &mut Vec<Unknown>,
) {
    let find = |name: &str| fields.iter().copied().flatten().find(|known| known.name == name);
    let of_thing = find("id").is_some() && object.get("id").is_some();
    object.each(|name, value| match find(name) {
        Some(Known { within: [], .. }) => {}
        Some(known) => {
            if let Ok(Json::Object(object)) = Json::read(value) {
                find_unknown(&object, &path(parent, name), &[known.within], unknown);
            }
        }
        None if unknown.len() < MAX_LOOKED_AT => {
            let path = path(parent, &shortened(name));
            if unknown.iter().all(|unknown| unknown.path != path) {
                unknown.push(Unknown { path, of_thing });
            }
        }
        None => {}
    });
}

/// Adds the dotted paths of all these fields, and of those within them.
fn add_paths(fields: &[Known], parent: &str, paths: &mut BTreeSet<String>) {
    for known in fields {
        let path = path(parent, known.name);
        add_paths(known.within, &path, paths);
        paths.insert(path);
    }
}

fn path(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// Whether a path is this field or leads into it.
fn is_within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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
    fn meant_by<'a>(&self, known: &'a BTreeSet<String>) -> Option<&'a str> {
        // The client has written the path of a field as a name.
        if known.contains(&self.path) {
            return None;
        }
        let others = || known.iter().map(String::as_str);
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
    if name.len() > MAX_GUESSED {
        return None;
    }
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
