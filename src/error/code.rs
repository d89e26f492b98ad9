//! The codes of errors, as clients see them.

use schemars::JsonSchema;
use serde::Serialize;

/// Defines the codes. The contract shows clients what is said of each.
macro_rules! codes {
    ($($(#[$says:meta])* $code:ident $text:literal;)*) => {
        /// The public code of an error, the same on all doors.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
        #[schemars(inline)]
        pub enum Code {
            $($(#[$says])* #[serde(rename = $text)] $code,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// The text that clients see.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$code => $text,)*
                }
            }
        }
    };
}

codes! {
    /// The request cannot be understood; `field` is the culprit
    Invalid "invalid";
    /// It takes a token, or nobody has said which user acts
    Unauthenticated "unauthenticated";
    /// You may see it, but not do this to it
    Forbidden "forbidden";
    /// There is no such thing, for you
    NotFound "not_found";
    /// It contradicts what is stored
    Conflict "conflict";
    /// `field` is over its limit
    TooLarge "too_large";
    /// Too many in a short time; one more is taken after `retry_after_ms`
    RateLimited "rate_limited";
    /// The server is busy; the same request may succeed later
    Unavailable "unavailable";
    /// A defect of the server, which has logged it
    Internal "internal";
}
