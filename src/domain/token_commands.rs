//! `chinwag token` and `chinwag check token`: they make tokens by hand, and tell the user of a
//! token.

use std::time::Duration;

use super::faults::Fault;
use super::keys::{Credential, HostClaims, Keys, fault_of_unkept, sign_host};
use crate::clock::{self, Time};
use crate::config::Config;
use crate::error::{CopyError, StartError};
use crate::model::ExternalId;
use crate::store::read_token_key;

/// Why a token cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("set CHINWAG_JWT_SECRET to what the server has: it signs the token")]
    NoSecret,
    #[error("--user must be an external_id: 1 to 255 characters that can be shown")]
    User,
}

/// Why a token would be refused, or cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    #[error("the token would be refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Settings(#[from] StartError),
    #[error(transparent)]
    Database(#[from] CopyError),
}

impl From<Fault> for TokenFault {
    fn from(fault: Fault) -> TokenFault {
        TokenFault::Refused(fault.to_string())
    }
}

/// The user of a token, and when the token is refused: 30 seconds after it expires, as clocks
/// differ.
#[derive(Debug)]
pub enum TokenHolder {
    /// The key of `--api-key`.
    Service,
    /// A user of the host application, by `external_id`.
    Host { external_id: String, until: Time },
    /// A user who has signed up here, by id.
    User { id: String, until: Time },
}

/// A token for a user of the host application, which a server with these settings accepts: it is
/// signed with `jwt_secret`, and has the first `jwt_audience` and the first `jwt_issuer`, if there
/// are any.
pub fn host_token(
    config: &Config,
    external_id: &str,
    lifetime: Duration,
) -> Result<String, TokenError> {
    let external_id = ExternalId::parse(external_id, &config.limits);
    let external_id = external_id.map_err(|_| TokenError::User)?;
    let until = clock::after(lifetime);
    sign_host(config, &external_id, until).ok_or(TokenError::NoSecret)
}

/// Finds the user of a token, as a server with these settings would. Its database is only read.
pub async fn check_token(config: &Config, token: &str) -> Result<TokenHolder, TokenFault> {
    let keys = Keys::load(config)?;
    let of_host = |claims: HostClaims| TokenHolder::Host {
        external_id: claims.external_id.as_ref().to_owned(),
        until: claims.expires_at,
    };
    let key_id = match keys.read(token).await? {
        Credential::ApiKey => return Ok(TokenHolder::Service),
        Credential::Host(claims) => return Ok(of_host(claims)),
        Credential::Signed(key_id) => key_id,
    };
    match read_token_key(&config.database_url, &key_id).await? {
        Some(key) => {
            let until = keys.verify_own(token, &key)?;
            Ok(TokenHolder::User { id: key.user_id.as_ref().to_owned(), until })
        }
        None => {
            let claims = keys.verify_host(token);
            let fault = |fault| fault_of_unkept(token, &key_id, fault);
            Ok(of_host(claims.map_err(fault)?))
        }
    }
}
