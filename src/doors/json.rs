//! Reads a client's JSON one level at a time. What nobody asks for is passed over as text and is
//! never made a tree, which would take ninety times the room; nor is it read to any depth.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

/// Of how many members of an object the places are remembered: more than any request has. In one
/// of more, each that is asked for is looked for anew.
const MAX_MEMBERS: usize = 100;

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
    /// None if there are too many.
    members: Option<Vec<(Cow<'a, str>, &'a RawValue)>>,
}

/// A text. Half of a surrogate pair, which no text may hold, is read as U+FFFD: clients cut their
/// users' emoji in two.
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
    /// None if there are more than `max`.
    pub fn items(&self, max: usize) -> Option<Vec<&'a RawValue>> {
        // The text is known to be a list, so that it is the number alone that can be wrong.
        serde_json::Deserializer::from_str(self.0.get()).deserialize_seq(Items { max }).ok()
    }
}

impl<'a> Object<'a> {
    fn read(raw: &'a RawValue) -> serde_json::Result<Object<'a>> {
        let mut members = Some(Vec::new());
        each_member(raw, |key, value| match &mut members {
            Some(few) if few.len() < MAX_MEMBERS => few.push((key, value)),
            _ => members = None,
        })?;
        Ok(Object { raw, members })
    }

    /// The last member of this name.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        if let Some(members) = &self.members {
            let mut from_last = members.iter().rev();
            return from_last.find(|(key, _)| key == name).map(|(_, value)| *value);
        }
        let mut found = None;
        let look = |key: Cow<str>, value| {
            if key == name {
                found = Some(value);
            }
        };
        each_member(self.raw, look).ok()?;
        found
    }
}

/// Shows the members of an object, in their order.
fn each_member<'a>(
    raw: &'a RawValue,
    show: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> serde_json::Result<()> {
    serde_json::Deserializer::from_str(raw.get()).deserialize_map(Members(show))
}

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            (self.0)(key, map.next_value()?);
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
        // As bytes, a text is not refused for half of a surrogate pair.
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

/// The bytes are UTF-8, save that half of a surrogate pair stands as the three bytes that it would
/// have there, of which the first is always the same.
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
