//! Credentials: the service's key, tokens signed with a user's own key, and tokens of the host
//! application. This module owns their form and how they are checked; it does not know the users
//! behind them.
//!
//! Algorithms are fixed: a user's key and the host application's secret use HS256, and a public key
//! uses the only algorithm that it is made for. `none` and all others are refused.

use std::sync::Arc;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::faults::Fault;
use super::key_set::KeySet;
use crate::clock::{self, Time};
use crate::config::{Config, Limits, Secret};
use crate::error::{Error, StartError};
use crate::model::{ExternalId, Name, Photo, Token, TokenKey, UserId};

/// Longer tokens are refused without being read.
const MAX_CREDENTIAL: usize = 16 << 10;

/// How much clocks may differ, in seconds.
const LEEWAY: u64 = 30;

/// How long a token lives, in microseconds: 30 days.
const TOKEN_LIFE: i64 = 30 * 24 * 60 * 60 * 1_000_000;

/// How many random bytes a key has; they are written as 52 characters of base32.
const KEY_BYTES: usize = 32;

/// What is needed to check credentials.
pub(super) struct Keys {
    limits: Limits,
    api_key: Option<Secret>,
    host_secret: Option<DecodingKey>,
    host_keys: Option<Arc<KeySet>>,
    /// The audience and the issuer that a token of the host application must name; if empty, any.
    audience: Vec<String>,
    issuer: Vec<String>,
}

/// The claims of a token.
type Claims = Map<String, Value>;

/// A credential, as far as it can be read without the store.
pub(super) enum Credential {
    /// The service's key.
    ApiKey,
    /// A token of the host application, which has been checked.
    Host(HostClaims),
    /// A token that names the key by which it is signed; it has not been checked yet.
    Signed(String),
}

/// The claims of a token of the host application.
pub(super) struct HostClaims {
    pub external_id: ExternalId,
    pub name: Option<Name>,
    pub photo: Option<Photo>,
    /// When the token was issued, if it says so.
    pub issued_at: Option<Time>,
    pub expires_at: Time,
}

#[derive(Serialize)]
struct IssuedClaims {
    exp: i64,
}

/// The claims of a token that is made like those of the host application.
#[derive(Serialize)]
struct MadeClaims<'a> {
    sub: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
}

impl Keys {
    /// Errors: a secret is empty, or the file of public keys cannot be used.
    pub fn load(config: &Config) -> Result<Keys, StartError> {
        let secrets = [("api_key", &config.api_key), ("jwt_secret", &config.jwt_secret)];
        for (name, secret) in secrets {
            if secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
                return Err(StartError::EmptySecret(name));
            }
        }
        if config.jwt_secret.as_ref().is_some_and(|secret| secret.expose().len() < KEY_BYTES) {
            tracing::warn!(
                "the JWT secret is short: anyone who has one token can find it by trying"
            );
        }
        let host_keys = config.jwt_jwks.clone().map(KeySet::load).transpose()?;
        let unset =
            [("--jwt-audience", &config.jwt_audience), ("--jwt-issuer", &config.jwt_issuer)];
        for (setting, _) in unset.iter().filter(|(_, values)| values.is_empty()) {
            if host_keys.is_some() {
                tracing::warn!(
                    "--jwt-jwks without {setting}: every token signed by these keys is accepted, \
                     those meant for other applications too"
                );
            }
        }
        let decoding = |secret: &Secret| DecodingKey::from_secret(secret.expose().as_bytes());
        Ok(Keys {
            limits: config.limits.clone(),
            api_key: config.api_key.clone(),
            host_secret: config.jwt_secret.as_ref().map(decoding),
            host_keys: host_keys.map(Arc::new),
            audience: config.jwt_audience.clone(),
            issuer: config.jwt_issuer.clone(),
        })
    }

    /// Whether anyone could connect with a credential other than those of accounts.
    pub fn any(&self) -> bool {
        self.api_key.is_some() || self.host_secret.is_some() || self.host_keys.is_some()
    }

    /// The host application's public keys, if there are any.
    pub fn host_keys(&self) -> Option<&Arc<KeySet>> {
        self.host_keys.as_ref()
    }

    /// Reads a credential. If its public key is unknown, this may read the file of keys again.
    pub async fn read(&self, credential: &str) -> Result<Credential, Fault> {
        match (self.read_now(credential), &self.host_keys) {
            (Err(Fault::UnknownKey), Some(keys)) if keys.read_for_unknown().await => {
                self.read_now(credential)
            }
            (read, _) => read,
        }
    }

    fn read_now(&self, credential: &str) -> Result<Credential, Fault> {
        if self.is_api_key(credential) {
            return Ok(Credential::ApiKey);
        }
        if credential.len() > MAX_CREDENTIAL {
            return Err(Fault::Malformed);
        }
        let header = read_header(credential)?;
        let access_key = header.extras.get("access_key").map_err(|_| Fault::Malformed)?;
        match access_key.or(header.kid) {
            Some(key_id) if header.alg == Algorithm::HS256 => Ok(Credential::Signed(key_id)),
            _ => self.verify_host(credential).map(Credential::Host),
        }
    }

    /// Checks a token against its user's key; returns when it expires.
    pub fn verify_own(&self, token: &str, key: &TokenKey) -> Result<Time, Fault> {
        let secret = DecodingKey::from_secret(key.secret_access_key.as_bytes());
        let mut validation = validation(Algorithm::HS256);
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token, &secret, &validation)?.claims;
        let end = claims.get("exp").and_then(Value::as_f64).map_or(key.expires_at, end_of);
        ahead(end.min(key.expires_at))
    }

    /// Checks a token of the host application.
    pub fn verify_host(&self, token: &str) -> Result<HostClaims, Fault> {
        let header = read_header(token)?;
        let mut validation = validation(header.alg);
        let required = [("aud", &self.audience), ("iss", &self.issuer)];
        for (claim, _) in required.iter().filter(|(_, values)| !values.is_empty()) {
            validation.required_spec_claims.insert((*claim).into());
        }
        if !self.audience.is_empty() {
            validation.validate_aud = true;
            validation.set_audience(&self.audience);
        }
        if !self.issuer.is_empty() {
            validation.set_issuer(&self.issuer);
        }
        let verify = |key: &DecodingKey| {
            Ok(jsonwebtoken::decode::<Claims>(token, key, &validation).map(|token| token.claims)?)
        };
        let claims = match (header.alg, &self.host_secret, &self.host_keys) {
            (Algorithm::HS256, Some(secret), _) => verify(secret)?,
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, _, Some(keys)) => {
                keys.with(header.kid, header.alg, verify)?
            }
            (Algorithm::HS256 | Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, _, _) => {
                return Err(Fault::UnknownKey);
            }
            _ => return Err(Fault::Algorithm),
        };
        self.host_claims(&claims)
    }

    fn host_claims(&self, claims: &Claims) -> Result<HostClaims, Fault> {
        let claim = |name: &str| claims.get(name).filter(|value| !value.is_null());
        let text = |name, fault| match claim(name).map(Value::as_str) {
            None => Ok(None),
            Some(Some(text)) => Ok(Some(text)),
            Some(None) => Err(fault),
        };
        let sub = match claim("sub").ok_or(Fault::Subject)? {
            Value::String(text) => text.clone(),
            // In a host application, the key of a user may be a number.
            Value::Number(number) => plain(number).ok_or(Fault::InexactSubject)?,
            _ => return Err(Fault::Subject),
        };
        let name = text("name", Fault::Name)?.filter(|name| !name.is_empty());
        let name = name.map(|name| Name::parse_loosely(name, &self.limits)).transpose();
        let photo = text("photo", Fault::Photo)?;
        let photo = photo.map(|photo| Photo::parse(photo, &self.limits)).transpose();
        let issued_at = claim("iat").map(|iat| iat.as_f64().ok_or(Fault::IssuedAt)).transpose()?;
        let exp = claim("exp").and_then(Value::as_f64).ok_or(Fault::NoEnd)?;
        Ok(HostClaims {
            external_id: ExternalId::parse(&sub, &self.limits).map_err(|_| Fault::Subject)?,
            name: name.map_err(|_| Fault::Name)?,
            photo: photo.map_err(|_| Fault::Photo)?,
            issued_at: issued_at.map(of_seconds),
            expires_at: ahead(end_of(exp))?,
        })
    }

    /// Compares in constant time, so that nobody can guess the key piece by piece.
    fn is_api_key(&self, credential: &str) -> bool {
        self.api_key
            .as_ref()
            .is_some_and(|key| digest(key.expose()).ct_eq(&digest(credential)).into())
    }
}

fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    // If no audience is set, tokens of the host application may be meant for any audience.
    validation.validate_aud = false;
    validation
}

/// When a token with this `exp`, in seconds, is refused.
fn end_of(exp: f64) -> Time {
    of_seconds(exp + LEEWAY as f64)
}

fn of_seconds(seconds: f64) -> Time {
    // The cast turns values that are too large into the largest one.
    Time::from_micros((seconds * 1e6) as i64)
}

/// The library compares whole seconds, and would accept a token whose connection is closed at once.
fn ahead(end: Time) -> Result<Time, Fault> {
    match end > clock::now() {
        true => Ok(end),
        false => Err(Fault::Expired),
    }
}

fn read_header(token: &str) -> Result<Header, Fault> {
    jsonwebtoken::decode_header(token).map_err(|_| match names_algorithm(token) {
        true => Fault::Algorithm,
        false => Fault::Malformed,
    })
}

/// Whether a header that cannot be read names an unknown algorithm, such as `none`.
fn names_algorithm(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let header = BASE64URL_NOPAD.decode(header.as_bytes()).unwrap_or_default();
    let header: Claims = serde_json::from_slice(&header).unwrap_or_default();
    header.get("alg").and_then(Value::as_str).is_some_and(|alg| alg.parse::<Algorithm>().is_err())
}

/// A whole number in decimal. `None` if it may have been rounded when it was parsed, and so could
/// stand for another number.
fn plain(number: &Number) -> Option<String> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    match number.as_f64() {
        _ if !number.is_f64() => Some(number.to_string()),
        Some(value) if value.fract() == 0.0 && value.abs() <= EXACT => Some(format!("{value:.0}")),
        _ => None,
    }
}

/// Why a token is refused that names a key which is not stored, but has the form of this server's
/// keys: keys are deleted some time after they have expired.
pub(super) fn fault_of_unkept(token: &str, access_key_id: &str, otherwise: Fault) -> Fault {
    let is_own = access_key_id.len() == BASE32_NOPAD.encode_len(KEY_BYTES)
        && BASE32_NOPAD.decode(access_key_id.as_bytes()).is_ok();
    if !is_own {
        return otherwise;
    }
    let claims = jsonwebtoken::dangerous::insecure_decode::<Claims>(token);
    let end = claims.ok().and_then(|token| token.claims.get("exp")?.as_f64());
    match end.is_some_and(|exp| end_of(exp) <= clock::now()) {
        true => Fault::Expired,
        false => Fault::Revoked,
    }
}

/// A token like those that the host application signs; `None` without its secret.
pub(super) fn sign_host(config: &Config, user: &ExternalId, until: Time) -> Option<String> {
    let claims = MadeClaims {
        sub: user.as_ref(),
        iat: clock::now().as_micros() / 1_000_000,
        exp: until.as_micros() / 1_000_000,
        aud: config.jwt_audience.first().map(String::as_str),
        iss: config.jwt_issuer.first().map(String::as_str),
    };
    let key = EncodingKey::from_secret(config.jwt_secret.as_ref()?.expose().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).ok()
}

/// A new token for a user. Errors: `internal` if the system has no random numbers.
pub(super) fn new_token(user_id: UserId) -> Result<Token, Error> {
    let now = clock::now();
    let expires_at = Time::from_micros(now.as_micros() + TOKEN_LIFE);
    let (access_key_id, secret) = (random_key()?, random_key()?);
    let header = Header { kid: Some(access_key_id.clone()), ..Header::new(Algorithm::HS256) };
    let claims = IssuedClaims { exp: expires_at.as_micros() / 1_000_000 };
    let key = EncodingKey::from_secret(secret.as_bytes());
    let access_token = jsonwebtoken::encode(&header, &claims, &key);
    Ok(Token {
        access_key_id,
        secret_access_key: Secret::from(secret.as_str()),
        refresh_token: Secret::from(random_key()?.as_str()),
        access_token: Secret::from(access_token.map_err(|_| Error::Internal(None))?.as_str()),
        user_id,
        is_refreshable: true,
        expires_at,
        created_at: now,
        modified_at: now,
    })
}

/// The hash by which a refresh token is found.
pub(super) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn random_key() -> Result<String, Error> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Error::Internal(None))?;
    Ok(BASE32_NOPAD.encode(&bytes))
}
