//! Files that messages show.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Type};

use super::bounds::{Problem, at_most_chars, bounded_text, printable};
use super::ids::FileId;
use crate::config::Limits;

bounded_text!(
    /// A file's name: at most `Limits::max_name` characters, none of them a control character or a
    /// slash.
    FileName,
    |text, limits| {
        at_most_chars(text, limits.max_name)?;
        printable(text)?;
        match text.contains(['/', '\\']) {
            true => Err(Problem::Invalid("must not contain a slash")),
            false => Ok(()),
        }
    }
);

impl FileName {
    /// Reads a name as browsers and programs send it, possibly with folders before it.
    pub fn parse_path(text: &str, limits: &Limits) -> Result<FileName, Problem> {
        let name = text.rsplit(['/', '\\']).next().unwrap_or_default();
        FileName::parse(name.trim(), limits)
    }

    /// The name of a file that was sent without one.
    pub fn none() -> FileName {
        FileName("file".to_owned())
    }
}

bounded_text!(
    /// A file's media type, such as `image/png`, in lowercase and without parameters.
    FileType,
    |text, _| {
        let word = |word: &str| {
            let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "!#$&^_.+-".contains(c);
            (1..=127).contains(&word.len()) && word.chars().all(known)
        };
        match text.split_once('/') {
            Some((kind, of)) if word(kind) && word(of) => Ok(()),
            _ => Err(Problem::Invalid("must be a media type such as image/png")),
        }
    }
);

/// The types of pictures that browsers may show in place. A file gets one of them only if its bytes
/// are such a picture.
const SHOWN: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"];

impl FileType {
    /// The type of a picture, as it was found from its bytes.
    pub fn of_picture(name: &str) -> Option<FileType> {
        SHOWN.contains(&name).then(|| FileType(name.to_owned()))
    }

    /// The type that a client states for a file whose bytes are none of the pictures.
    pub fn said(text: Option<&str>, limits: &Limits) -> FileType {
        let text = text.and_then(|text| text.split(';').next()).unwrap_or_default();
        let said = FileType::parse(&text.trim().to_ascii_lowercase(), limits).ok();
        let said = said.filter(|said| !said.is_shown());
        said.unwrap_or_else(|| FileType("application/octet-stream".to_owned()))
    }

    /// Whether browsers may show the file in place, instead of downloading it.
    pub fn is_shown(&self) -> bool {
        SHOWN.contains(&self.0.as_str())
    }
}

/// A file, as messages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("required" = ["id", "name", "type", "size", "url"]))]
pub struct File {
    /// The file's id.
    pub id: FileId,
    /// What it is called.
    pub name: FileName,
    /// Its media type, such as `image/png`.
    #[serde(rename = "type")]
    pub kind: FileType,
    /// In bytes.
    pub size: i64,
    /// Of a picture, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<i64>,
    /// Of a picture, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<i64>,
    /// Where it can be read for a while; made anew each time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
}

impl File {
    /// The JSON that is stored with a message: without the URL, which is made anew each time.
    pub fn json(&self) -> String {
        let kept = File { url: String::new(), ..self.clone() };
        // Serializing texts and numbers cannot fail.
        serde_json::to_string(&kept).unwrap_or_default()
    }
}

impl<D: Database> Type<D> for File
where
    String: Type<D>,
{
    fn type_info() -> D::TypeInfo {
        String::type_info()
    }

    fn compatible(other: &D::TypeInfo) -> bool {
        String::compatible(other)
    }
}

impl<'r, D: Database> Decode<'r, D> for File
where
    String: Decode<'r, D>,
{
    fn decode(value: D::ValueRef<'r>) -> Result<File, BoxDynError> {
        Ok(serde_json::from_str(&String::decode(value)?)?)
    }
}
