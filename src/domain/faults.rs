//! Why tokens are refused: each cause as the log has it, and one of three reasons as clients get
//! it.

use jsonwebtoken::errors::{Error as JwtError, ErrorKind};

use crate::error::{Error, Reason};
use crate::logs;

/// What is wrong with a credential. It contains no part of the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("it is neither the service's key nor a token of up to 16 KiB")]
    Malformed,
    #[error("its algorithm is not that of its key, or none that is taken here")]
    Algorithm,
    #[error("its key is unknown: no key here has its kid, or its algorithm")]
    UnknownKey,
    #[error("its signature is not that of its key")]
    Signature,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet (nbf): do the clocks differ?")]
    Early,
    #[error("its exp is missing, or no number of seconds")]
    NoEnd,
    #[error("its audience (aud) is none of --jwt-audience, or missing")]
    Audience,
    #[error("its issuer (iss) is none of --jwt-issuer, or missing")]
    Issuer,
    #[error("its sub is missing, or no text of a length that an external_id may have")]
    Subject,
    #[error("its sub is a number that is not exact: it must be a whole one up to 2^53, or a text")]
    InexactSubject,
    #[error("its iat is no number of seconds")]
    IssuedAt,
    #[error("its name is no text that a name may be")]
    Name,
    #[error("its photo is no text that a photo may be")]
    Photo,
    #[error("it was revoked")]
    Revoked,
}

impl Fault {
    /// Logs why a token is refused, and makes the error for its client, which says less.
    pub fn refuse(self) -> Error {
        logs::seldom(format!("token refused: {self}"), move |times| {
            tracing::info!(why = %self, times, "a token was refused");
        });
        Error::bad_token(match self {
            Fault::Expired => Reason::Expired,
            Fault::Revoked => Reason::Revoked,
            _ => Reason::Invalid,
        })
    }
}

impl From<JwtError> for Fault {
    fn from(error: JwtError) -> Fault {
        match error.kind() {
            ErrorKind::InvalidSignature
            | ErrorKind::InvalidEcdsaKey
            | ErrorKind::InvalidEddsaKey
            | ErrorKind::InvalidRsaKey(_)
            | ErrorKind::InvalidKeyFormat
            | ErrorKind::Provider(_) => Fault::Signature,
            ErrorKind::ExpiredSignature => Fault::Expired,
            ErrorKind::ImmatureSignature => Fault::Early,
            ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Fault::Algorithm,
            ErrorKind::InvalidAudience => Fault::Audience,
            ErrorKind::InvalidIssuer => Fault::Issuer,
            ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
                "aud" => Fault::Audience,
                "iss" => Fault::Issuer,
                _ => Fault::NoEnd,
            },
            ErrorKind::InvalidClaimFormat(claim) => match claim.as_str() {
                "nbf" => Fault::Early,
                _ => Fault::NoEnd,
            },
            _ => Fault::Malformed,
        }
    }
}
