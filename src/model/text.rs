//! Bounded texts. If there is a value of such a type, its text has been checked, by this node or by
//! the node that wrote it.

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::bounds::{
    Problem, at_most_bytes, at_most_chars, bounded_text, no_control, no_nul, printable, seen,
};
use super::letters::{fold, is_word, without_invisible};
use super::{ExternalId, Handle};
use crate::config::Limits;

bounded_text!(
    /// The name of a user, a chat or a team: at most `Limits::max_name` characters, none of them a
    /// control character or invisible, and at least one of them visible.
    Name,
    |text, limits| {
        at_most_chars(text, limits.max_name)?;
        seen(text)
    }
);
bounded_text!(
    /// Why a user reports a message: at most `Limits::max_description` characters.
    Reason,
    |text, limits| {
        at_most_chars(text, limits.max_description)?;
        no_nul(text)
    }
);

bounded_text!(
    /// What a chat is about: at most `Limits::max_description` characters.
    Description,
    |text, limits| {
        at_most_chars(text, limits.max_description)?;
        no_nul(text)
    }
);
bounded_text!(
    /// A user's picture, as a URL or a data URL: at most `Limits::max_photo` bytes, or empty.
    Photo,
    |text, limits| {
        at_most_bytes(text, limits.max_photo)?;
        no_control(text)
    }
);
bounded_text!(
    /// The name of a channel, without the `#`: a letter, digit or underscore of any script, and up
    /// to 63 more of those, dots and hyphens.
    ChannelName,
    |text, _| {
        at_most_chars(text, 64)?;
        let first = |c: char| c.is_alphanumeric() || c == '_';
        match text.starts_with(first) && is_word(text, |c| "_.-".contains(c)) {
            true => Ok(()),
            false => Err(Problem::Invalid("must be letters, digits, underscores, dots, hyphens")),
        }
    }
);
bounded_text!(
    /// What a message says: 1 byte to `Limits::max_message`.
    Body,
    |text, limits| {
        at_most_bytes(text, limits.max_message)?;
        if text.is_empty() {
            return Err(Problem::BLANK);
        }
        no_nul(text)
    }
);
bounded_text!(
    /// A client's own id of a message, by which a repeated send is recognised.
    ClientId,
    |text, limits| {
        at_most_chars(text, limits.max_name)?;
        printable(text)
    }
);

/// Data that clients keep with a thing: a JSON object of at most `Limits::max_data` bytes, stored
/// as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, sqlx_macros::Type)]
#[sqlx(transparent)]
pub struct Data(String);

impl Data {
    /// Takes the text of a JSON object that its reader has checked.
    pub fn of(object: &RawValue) -> Data {
        Data(object.get().to_owned())
    }

    /// The data; `None` if the object is empty.
    pub fn kept(self) -> Option<Data> {
        let inner = self.0.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        match inner.is_some_and(|inner| inner.trim().is_empty()) {
            true => None,
            false => Some(self),
        }
    }
}

impl AsRef<str> for Data {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Serializes as a JSON object, and not as a string.
impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Data, D::Error> {
        Ok(Data::of(&Box::<RawValue>::deserialize(deserializer)?))
    }
}

impl Body {
    /// Reads the caption of a file, which may be empty.
    pub fn parse_caption(text: &str, limits: &Limits) -> Result<Body, Problem> {
        if text.is_empty() { Ok(Body::none()) } else { Body::parse(text, limits) }
    }

    /// The body of a deleted message, or of a message with a file and no caption.
    pub fn none() -> Body {
        Body(String::new())
    }

    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl ChannelName {
    /// Reads a name with or without the `#`s before it.
    pub fn parse_stripped(text: &str, limits: &Limits) -> Result<ChannelName, Problem> {
        ChannelName::parse(text.trim_start_matches('#'), limits)
    }
}

impl From<&ChannelName> for Name {
    /// What a channel is called among other chats.
    fn from(channel: &ChannelName) -> Name {
        Name(format!("#{}", channel.0))
    }
}

impl From<&Handle> for Name {
    /// The name of a user who has only a nick.
    fn from(nick: &Handle) -> Name {
        Name(nick.as_ref().to_owned())
    }
}

impl From<&ExternalId> for Name {
    /// The name of a user of whom only the external id is known.
    fn from(id: &ExternalId) -> Name {
        Name(id.as_ref().to_owned())
    }
}

impl Name {
    /// Reads a name for which somebody else vouches, and leaves out its invisible characters.
    pub fn parse_loosely(text: &str, limits: &Limits) -> Result<Name, Problem> {
        match Name::parse(text, limits) {
            Err(Problem::Invalid(_)) => Name::parse(&without_invisible(text), limits),
            parsed => parsed,
        }
    }

    /// Reads a name that may be older than the refusal of invisible characters. A new name must
    /// also pass [`check_seen`](Name::check_seen).
    pub fn parse_known(text: &str, limits: &Limits) -> Result<Name, Problem> {
        at_most_chars(text, limits.max_name)?;
        printable(text)?;
        Ok(Name(text.to_owned()))
    }

    /// Refuses a text that others cannot see, or that is shown to them differently.
    pub fn check_seen(&self) -> Result<(), Problem> {
        seen(&self.0)
    }

    /// The form in which names are searched: the first characters, folded. A name is found if this
    /// begins with the folded text that somebody searches for.
    pub fn folded(&self) -> String {
        fold_beginning(&self.0)
    }

    /// Two names with something between them, cut to `Limits::max_name` characters.
    pub fn joined(one: &Name, between: &str, other: &Name, limits: &Limits) -> Name {
        Name(format!("{}{between}{}", one.0, other.0).chars().take(limits.max_name).collect())
    }

    /// The name of a room that somebody has made, cut to `Limits::max_name` characters.
    pub fn of_room(maker: &Name, limits: &Limits) -> Name {
        Name(format!("Room of {}", maker.0).chars().take(limits.max_name).collect())
    }
}

/// How many characters of a name a search compares.
const LOOKED_AT: usize = 64;

/// The beginning of a name or a handle, folded as in [`Name::folded`].
pub fn fold_beginning(text: &str) -> String {
    let mut folded = fold(text);
    if let Some((end, _)) = folded.char_indices().nth(LOOKED_AT) {
        folded.truncate(end);
    }
    folded
}

impl Photo {
    /// The picture of a user who has none.
    pub fn none() -> Photo {
        Photo(String::new())
    }
}
