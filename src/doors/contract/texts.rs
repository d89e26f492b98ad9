//! The schemas of texts, ids and times.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::clock::Time;
use crate::doors::requests::fields::{
    Beginning, Caption, Channel, End, GivenName, Mentions, PasswordToTry, Trimmed,
};
use crate::doors::requests::pages::{Before, Limit};
use crate::model::{
    Body, ChannelName, ChatId, ClientId, Data, Description, ExternalId, Extras, FileId, FileName,
    FileType, Handle, InvitationId, List, MessageId, Name, Password, Photo, ReactionText, Reason,
    SearchPlace, SearchText, TeamId, UserId, Username,
};

macro_rules! schemas {
    ($($type:ty => $schema:tt;)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

// An id has no pattern: a client may send any text, and one that is no id names nothing.
schemas! {
    ChatId => { "type": "string" };
    MessageId => { "type": "string" };
    TeamId => { "type": "string" };
    InvitationId => { "type": "string" };
    FileId => { "type": "string" };
    Name => { "type": "string" };
    GivenName => { "type": "string" };
    Beginning => { "type": "string" };
    Description => { "type": "string" };
    Reason => { "type": "string" };
    Photo => { "type": "string" };
    Handle => { "type": "string" };
    Username => { "type": "string" };
    ChannelName => { "type": "string" };
    FileName => { "type": "string" };
    FileType => { "type": "string" };
    Password => { "type": "string" };
    PasswordToTry => { "type": "string" };
    Trimmed => { "type": "string" };
    Body => { "type": "string" };
    Caption => { "type": "string" };
    ReactionText => { "type": "string" };
    SearchText => { "type": "string" };
    SearchPlace => { "type": "string" };
    Before<ChatId> => { "type": "string" };
    Before<InvitationId> => { "type": "string" };
    Channel => { "type": "string", "pattern": "^(system|room-.+)$" };
    Time => { "type": "string", "format": "date-time" };
    End => { "type": "string", "format": "date-time" };
    Data => { "type": "object" };
    Limit => { "type": "integer", "minimum": 1 };
}

macro_rules! ids {
    ($($type:ty)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            /// In a request, an id may also be a whole number: it stands for its digits.
            fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
                match schemas.contract().is_deserialize() {
                    true => json_schema!({ "type": ["string", "integer"] }),
                    false => json_schema!({ "type": "string" }),
                }
            }
        }
    )*};
}

ids!(UserId ExternalId ClientId);

impl JsonSchema for Mentions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Mentions".into()
    }

    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        let mut list = Vec::<UserId>::json_schema(schemas);
        list.insert("maxItems".to_owned(), Extras::MAX_MENTIONS.into());
        list
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(schemas)
    }
}
