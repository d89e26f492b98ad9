//! The types of the fields of requests. Each type reads its field, and the contract is made from
//! it, too.

use schemars::JsonSchema;
use serde_json::Value;

use crate::clock::Time;
use crate::config::Limits;
use crate::doors::input::{Field, Input, Known};
use crate::error::Error;
use crate::model::{
    Body, ChannelName, ChatId, ClientId, Data, Description, ExternalId, Extras, FileId, Handle,
    InvitationId, MessageId, MessageType, Name, Password, Photo, Problem, ReactionText, Reason,
    Role, SearchText, TeamId, UserId, parse_id,
};

/// How many objects a list in a request may have.
const MAX_NAMED: usize = 1000;

/// The body of a request, or an object in it.
pub trait Request: Sized {
    const FIELDS: &'static [Known];

    /// Errors: `invalid`, `too_large`.
    fn read(input: &Input<'_>) -> Result<Self, Error>;
}

/// Defines requests, and reads each of their fields by its type.
macro_rules! request {
    ($($(#[$meta:meta])* $name:ident { $($(#[$on:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(schemars::JsonSchema)]
        pub struct $name {
            $($(#[$on])* pub(super) $field: $type,)*
        }

        impl $crate::doors::requests::fields::Request for $name {
            const FIELDS: &'static [$crate::doors::input::Known] =
                &[$($crate::doors::input::Known::field::<$type>(stringify!($field))),*];

            fn read(
                input: &$crate::doors::input::Input<'_>,
            ) -> Result<Self, $crate::error::Error> {
                Ok($name {
                    $($field: input.field($crate::doors::input::name(stringify!($field)))?,)*
                })
            }
        }
    )*};
}
pub(in crate::doors) use request;

impl<T: Request> Field for T {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        input.optional_object(key)?.map(|object| T::read(&object)).transpose()
    }

    const WITHIN: &'static [Known] = T::FIELDS;
}

impl<T: Request> Field for Vec<T> {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        let objects = input.optional_objects(key, MAX_NAMED)?;
        objects.map(|objects| objects.iter().map(T::read).collect()).transpose()
    }
}

impl<T: Field> Field for Option<T> {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        Ok(Some(T::read(input, key)?))
    }

    const WITHIN: &'static [Known] = T::WITHIN;
}

/// A thing that is named by its `id`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Id<T> {
    pub id: T,
}

impl<T: Field> Request for Id<T> {
    const FIELDS: &'static [Known] = &[Known::field::<T>("id")];

    fn read(input: &Input<'_>) -> Result<Self, Error> {
        Ok(Id { id: input.field("id")? })
    }
}

/// A request that says nothing but who acts.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct NoFields {}

impl Request for NoFields {
    const FIELDS: &'static [Known] = &[];

    fn read(_: &Input<'_>) -> Result<Self, Error> {
        Ok(NoFields {})
    }
}

macro_rules! texts {
    ($($type:ty => $parse:expr;)*) => {$(
        impl Field for $type {
            fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
                input.optional_text(key, $parse)
            }
        }
    )*};
}

texts! {
    ChatId => parse_id;
    MessageId => parse_id;
    TeamId => parse_id;
    InvitationId => parse_id;
    FileId => parse_id;
    Name => Name::parse;
    Description => Description::parse;
    Reason => Reason::parse;
    Photo => Photo::parse;
    Handle => Handle::parse;
    Body => Body::parse;
    ChannelName => ChannelName::parse_stripped;
    Password => Password::parse;
    PasswordToTry => |text, _| Ok(PasswordToTry(Password::attempt(text)));
    Trimmed => |text, _| Ok(Trimmed(text.trim().to_owned()));
    ReactionText => ReactionText::parse;
    SearchText => SearchText::parse;
    Caption => |text, limits| Body::parse_caption(text, limits).map(Caption);
    GivenName => |text, limits| Name::parse_known(text, limits).map(GivenName);
    Beginning => |text, limits| match text.trim() {
        "" => Ok(Beginning(None)),
        text => Name::parse_known(text, limits).map(|name| Beginning(Some(name))),
    };
    Channel => Channel::parse;
    MessageType => |text, _| {
        MessageType::parse(text).ok_or(Problem::Invalid("must be text, img or file"))
    };
    Role => |text, _| {
        Role::parse(text).ok_or(Problem::Invalid("must be owner, moderator or member"))
    };
    History => |text, _| match text {
        "all" => Ok(History::All),
        "since-joining" => Ok(History::SinceJoining),
        _ => Err(Problem::Invalid("must be all or since-joining")),
    };
    OldMessages => |text, _| match text {
        "keep" => Ok(OldMessages::Keep),
        "erase" => Ok(OldMessages::Erase),
        _ => Err(Problem::Invalid("must be keep or erase")),
    };
}

macro_rules! ids {
    ($($type:ty)*) => {$(
        impl Field for $type {
            fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
                input.optional_id(key, <$type>::parse)
            }
        }
    )*};
}

ids!(UserId ExternalId ClientId);

impl Field for bool {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        input.optional_bool(key)
    }
}

/// A number of something.
impl Field for i64 {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        input.optional_number(key, 0)
    }
}

impl Field for Time {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        input.optional_time(key, Time::parse)
    }
}

/// The end of a span of time: of the second, or of the part of it, that the text names.
pub struct End(pub Time);

impl Field for End {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        Ok(input.optional_time(key, Time::parse_last)?.map(End))
    }
}

impl Field for Data {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        input.optional_data_object(key)
    }
}

/// Any JSON, as it was sent.
#[derive(JsonSchema)]
#[schemars(transparent, inline)]
pub struct AnyJson(#[schemars(with = "Value")] pub String);

impl Field for AnyJson {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        // A null is JSON, too.
        Ok(Some(AnyJson(input.data(key)?.get().to_owned())))
    }
}

impl Field for Vec<UserId> {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        input.optional_ids(key, input.limits().max_chat_users, UserId::parse)
    }
}

/// The users that a message mentions, each once.
pub struct Mentions(pub Vec<UserId>);

impl Field for Mentions {
    fn read(input: &Input<'_>, key: &str) -> Result<Option<Self>, Error> {
        const MAX: usize = Extras::MAX_MENTIONS;
        let mentions =
            input.optional_ids(key, MAX, UserId::parse).map_err(|error| match error {
                Error::TooLarge { field, .. } => {
                    Error::invalid(field, format!("must name {MAX} users at most"))
                }
                error => error,
            })?;
        let mut seen = std::collections::HashSet::new();
        let once =
            |ids: Vec<UserId>| ids.into_iter().filter(|id| seen.insert(id.clone())).collect();
        Ok(mentions.map(once).map(Mentions))
    }
}

/// What a message says, which may be nothing if it has a file.
pub struct Caption(pub Body);

/// A password to log in with, which may be wrong.
pub struct PasswordToTry(pub Password);

/// What a client says a user is called; it need not be a valid name.
pub struct Trimmed(pub String);

/// A name that a user may have had before invisible characters were refused.
pub struct GivenName(pub Name);

/// The beginning of names to look for; none if it is blank.
pub struct Beginning(pub Option<Name>);

/// What members see of what was said before them.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "kebab-case")]
pub enum History {
    /// Everything
    All,
    /// What was sent since they joined
    SinceJoining,
}

/// What becomes of the messages of a user who is deleted.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
pub enum OldMessages {
    /// They stay, by a deleted user
    Keep,
    /// Each is deleted
    Erase,
}

/// The name of the system channel.
pub const SYSTEM: &str = "system";

/// The name of a chat's channel.
pub fn channel_name(chat_id: ChatId) -> String {
    format!("room-{chat_id}")
}

/// What a socket subscribes to.
pub enum Channel {
    System,
    Room(ChatId),
}

impl Channel {
    fn parse(text: &str, limits: &Limits) -> Result<Channel, Problem> {
        match text.strip_prefix("room-") {
            Some(id) => parse_id(id, limits).map(Channel::Room),
            None if text == SYSTEM => Ok(Channel::System),
            None => Err(Problem::Invalid("must be system, or room- and the id of a chat")),
        }
    }
}
