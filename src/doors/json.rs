//! Reads a client's JSON one level at a time. Values that the server does not need are skipped as
//! text. The JSON never becomes a tree, which would take ninety times the memory, and is never read
//! recursively.

use std::borrow::Cow;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

/// Up to this many members of an object are kept with their names; no request has more.
const MAX_NAMED: usize = 100;

/// A value, read as far as its outermost level.
pub enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(List<'a>),
    Object(Object<'a>),
}

/// A list whose items have not been read.
pub struct List<'a>(&'a RawValue);

/// An object whose members have not been read.
pub struct Object<'a> {
    raw: &'a RawValue,
    members: Members<'a>,
}

/// Where the members of an object are, in their order.
enum Members<'a> {
    Named(Vec<(Cow<'a, str>, &'a RawValue)>),
    /// For an object with more members: the hashes of their names, which no client can predict, and
    /// where in the text their values begin; sorted. This takes about three times the memory of the
    /// text.
    Hashed {
        hashed: Vec<(u64, u32)>,
        state: RandomState,
    },
}

/// A text. Half of a surrogate pair, which no text may hold, is read as U+FFFD, because some
/// clients cut their users' emoji in two.
pub struct Text<'a>(pub Cow<'a, str>);

impl<'a> Json<'a> {
    /// Errors: a number is out of range.
    pub fn read(raw: &'a RawValue) -> serde_json::Result<Json<'a>> {
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'n') => Json::Null,
            Some(b't') => Json::Bool(true),
            Some(b'f') => Json::Bool(false),
            Some(b'"') => Json::Text(serde_json::from_str::<Text<'a>>(text)?.0),
            Some(b'[') => Json::List(List(raw)),
            Some(b'{') => Json::Object(Object::read(raw)?),
            _ => Json::Number(serde_json::from_str(text)?),
        })
    }
}

impl<'a> List<'a> {
    /// The items; `None` if there are more than `max`.
    pub fn items(&self, max: usize) -> Option<Vec<&'a RawValue>> {
        // The text is known to be a list, so that only the number of its items can be wrong.
        serde_json::Deserializer::from_str(self.0.get()).deserialize_seq(Items { max }).ok()
    }
}

impl<'a> Object<'a> {
    fn read(raw: &'a RawValue) -> serde_json::Result<Object<'a>> {
        let mut members = Members::Named(Vec::new());
        each_member(raw, |name, value| members.add(raw, name, value))?;
        if let Members::Hashed { hashed, .. } = &mut members {
            hashed.sort_unstable();
        }
        Ok(Object { raw, members })
    }

    /// The last member of this name.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        match &self.members {
            Members::Named(named) => {
                let mut from_last = named.iter().rev();
                from_last.find(|(key, _)| key == name).map(|(_, value)| *value)
            }
            Members::Hashed { hashed, state } => {
                let hash = state.hash_one(name);
                let end = hashed.partition_point(|(other, _)| *other <= hash);
                let (_, at) = hashed[..end].last().filter(|(other, _)| *other == hash)?;
                let from_there = self.raw.get().get(*at as usize..)?;
                let mut text = serde_json::Deserializer::from_str(from_there);
                <&RawValue>::deserialize(&mut text).ok()
            }
        }
    }

    /// Calls `show` with the name and the value of each member, in their order.
    pub fn each(&self, mut show: impl FnMut(&str, &'a RawValue)) {
        match &self.members {
            Members::Named(named) => named.iter().for_each(|(name, value)| show(name, value)),
            Members::Hashed { .. } => {
                // This cannot fail, because the object has been read before.
                let _ = each_member(self.raw, |name, value| show(&name, value));
            }
        }
    }
}

impl<'a> Members<'a> {
    /// Adds a member of the object whose text is `raw`.
    fn add(&mut self, raw: &RawValue, name: Cow<'a, str>, value: &'a RawValue) {
        let begins = |value: &RawValue| value.get().as_ptr().addr() - raw.get().as_ptr().addr();
        // No frame or body is longer than 4 GiB.
        let place = |value| u32::try_from(begins(value)).unwrap_or(u32::MAX);
        match self {
            Members::Named(named) if named.len() < MAX_NAMED => named.push((name, value)),
            Members::Named(named) => {
                let state = RandomState::new();
                let hash = |(name, value)| (state.hash_one(&name), place(value));
                let hashed = named.drain(..).chain([(name, value)]).map(hash).collect();
                *self = Members::Hashed { hashed, state };
            }
            Members::Hashed { hashed, state } => {
                hashed.push((state.hash_one(name), place(value)));
            }
        }
    }
}

/// Calls `show` with the name and the value of each member of an object, in their order.
fn each_member<'a>(
    raw: &'a RawValue,
    show: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> serde_json::Result<()> {
    serde_json::Deserializer::from_str(raw.get()).deserialize_map(Shown(show))
}

struct Shown<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Shown<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            (self.0)(name, map.next_value()?);
        }
        Ok(())
    }
}

struct Items {
    max: usize,
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == self.max {
                return Err(A::Error::custom("too many items"));
            }
            items.push(item);
        }
        Ok(items)
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'de>, D::Error> {
        // Read as bytes, a text is not refused for half of a surrogate pair.
        deserializer.deserialize_bytes(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Text<'de>, E> {
        Ok(Text(std::str::from_utf8(bytes).map_or_else(|_| mended(bytes).into(), Cow::Borrowed)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Text<'de>, E> {
        Ok(Text(mended(bytes).into()))
    }
}

/// Makes text of these bytes. They are UTF-8, but half of a surrogate pair is encoded like a
/// character of three bytes, of which the first is always 0xed: it becomes U+FFFD.
fn mended(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if chunk.invalid() == [0xed] {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}
