//! Bounded texts: the checks that a text must pass, and the macro that makes a type of checked
//! texts.

use super::letters::{find_invisible, is_visible};
use crate::error::Error;

/// Why a text was refused. The reader knows the path of the field, and makes an [`Error`] of this.
#[derive(Debug)]
pub enum Problem {
    Invalid(&'static str),
    TooLarge { max: usize, unit: &'static str },
}

impl Problem {
    pub(super) const BLANK: Problem = Problem::Invalid("must not be empty");
    const CONTROL: Problem = Problem::Invalid("must not contain control characters");
    const INVISIBLE: Problem =
        Problem::Invalid("must not contain characters that are invisible or change the direction");
    const NOTHING: Problem = Problem::Invalid("must have something visible");
    const NUL: Problem = Problem::Invalid("must not contain the NUL character");

    /// The error of a request that has this text at `path`.
    pub fn at(self, path: &str) -> Error {
        match self {
            Problem::Invalid(why) => Error::invalid(path, why),
            Problem::TooLarge { max, unit } => {
                Error::TooLarge { field: path.to_owned(), max, unit }
            }
        }
    }
}

/// Refuses a text of more than `max` characters.
pub(super) fn at_most_chars(text: &str, max: usize) -> Result<(), Problem> {
    // A text has at most as many characters as bytes, so most texts need not be counted.
    if text.len() > max && text.chars().count() > max {
        let unit = "characters";
        return Err(Problem::TooLarge { max, unit });
    }
    Ok(())
}

pub(super) fn at_most_bytes(text: &str, max: usize) -> Result<(), Problem> {
    match text.len() > max {
        true => Err(Problem::TooLarge { max, unit: "bytes" }),
        false => Ok(()),
    }
}

// PostgreSQL cannot store NUL in a text.
pub(super) fn no_nul(text: &str) -> Result<(), Problem> {
    match text.contains('\0') {
        true => Err(Problem::NUL),
        false => Ok(()),
    }
}

/// Refuses a text that is blank or has control characters: no id or name may be so.
pub(super) fn printable(text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(Problem::BLANK);
    }
    no_control(text)
}

pub(super) fn no_control(text: &str) -> Result<(), Problem> {
    match text.chars().any(char::is_control) {
        true => Err(Problem::CONTROL),
        false => Ok(()),
    }
}

/// Refuses a text that others cannot see, or that is shown to them differently.
pub(super) fn seen(text: &str) -> Result<(), Problem> {
    printable(text)?;
    if find_invisible(text).is_some() {
        return Err(Problem::INVISIBLE);
    }
    match is_visible(text) {
        true => Ok(()),
        false => Err(Problem::NOTHING),
    }
}

macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, sqlx_macros::Type)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks a text against the form and the limits of its kind.
            pub fn parse(text: &str, limits: &Limits) -> Result<Self, Problem> {
                let check: fn(&str, &Limits) -> Result<(), Problem> = $check;
                check(text, limits)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}
pub(super) use bounded_text;
