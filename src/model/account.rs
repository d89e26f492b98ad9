//! Accounts: users who have signed up, and the tokens they are given.

use super::bounds::{Problem, at_most_chars, bounded_text, no_control};
use super::{Handle, Name, UserId, Username};
use crate::clock::Time;
use crate::config::{Limits, Secret};
use crate::model::Message;

const MIN_PASSWORD: usize = 10;
/// A longer password is no safer, and takes longer to hash.
const MAX_PASSWORD: usize = 1024;
const MAX_EMAIL: usize = 254;
const MAX_PHONE_NUMBER: usize = 32;

bounded_text!(
    /// An email address: one `@` with text before and after it, without spaces; at most 254
    /// characters. Addresses that [fold](super::fold) to the same text are the same.
    Email,
    |text, _| {
        at_most_chars(text, MAX_EMAIL)?;
        no_control(text)?;
        let halves = text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !host.contains('@')
        });
        match halves && !text.contains(char::is_whitespace) {
            true => Ok(()),
            false => Err(Problem::Invalid("must be an email address")),
        }
    }
);
bounded_text!(
    /// A phone number: digits, optionally with a `+` before them; at most 32 characters.
    PhoneNumber,
    |text, _| {
        at_most_chars(text, MAX_PHONE_NUMBER)?;
        let digits = text.strip_prefix('+').unwrap_or(text);
        match !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Ok(()),
            false => Err(Problem::Invalid("must be digits, with a + before them perhaps")),
        }
    }
);

/// A password in plain text; only its Argon2id hash is stored.
#[derive(Debug)]
pub struct Password(Secret);

impl Password {
    /// 10 to 1,024 characters.
    pub fn parse(text: &str, _: &Limits) -> Result<Password, Problem> {
        at_most_chars(text, MAX_PASSWORD)?;
        match text.chars().count() < MIN_PASSWORD {
            true => Err(Problem::Invalid("must have 10 characters or more")),
            false => Ok(Password(Secret::from(text))),
        }
    }

    /// A password that is given to log in. It is not checked: a malformed one is simply wrong.
    pub fn attempt(text: &str) -> Password {
        Password(Secret::from(text))
    }

    /// The text itself, to be hashed.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// What a client sends to sign up, besides the password.
#[derive(Debug)]
pub struct NewAccount {
    pub username: Handle,
    pub first_name: Option<Name>,
    pub last_name: Option<Name>,
    pub email: Option<Email>,
    pub phone_number: Option<PhoneNumber>,
}

/// A key of a user, with which the user signs tokens.
#[derive(sqlx_macros::FromRow)]
pub struct TokenKey {
    pub secret_access_key: String,
    pub user_id: UserId,
    pub expires_at: Time,
}

/// A token as it is shown to its user, once.
#[derive(Debug)]
pub struct Token {
    /// 52 characters of base32, like the next two fields.
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub refresh_token: Secret,
    /// A JWT that is ready for use.
    pub access_token: Secret,
    pub user_id: UserId,
    pub is_refreshable: bool,
    pub expires_at: Time,
    pub created_at: Time,
    pub modified_at: Time,
}

/// A message between two users.
#[derive(Debug)]
pub struct DirectMessage {
    pub message: Message,
    pub author: Username,
    pub recipient: Username,
}

/// A direct chat as it is shown in the list of one of its two users.
#[derive(Debug)]
pub struct Thread {
    /// The other user.
    pub with: Username,
    /// Who sent the latest message.
    pub author: Username,
    pub latest: Message,
}
