//! Credentials: the service's key, tokens signed with a user's own key, tokens of the host
//! application. It owns what they look like and how they are checked; who is behind them it does
//! not know.
//!
//! The algorithm is pinned: a user's key and the host's secret sign HS256, and a public key signs
//! by the one algorithm that it is made for. `none` and all others are refused.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use data_encoding::BASE32_NOPAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::{self, Time};
use crate::config::{Config, Limits, Secret};
use crate::error::{Error, StartError};
use crate::model::{ExternalId, Name, Photo, Token, TokenKey, UserId};

/// Tokens that are longer are refused unread.
const MAX_CREDENTIAL: usize = 16 << 10;

/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 30;

/// How long a token lives, in microseconds: 30 days.
const TOKEN_LIFE: i64 = 30 * 24 * 60 * 60 * 1_000_000;

/// Random bytes of a key, which are 52 characters of base32.
const KEY_BYTES: usize = 32;

/// What credentials are checked with.
pub(super) struct Keys {
    limits: Limits,
    api_key: Option<Secret>,
    host_secret: Option<DecodingKey>,
    /// The host application's public keys by their `kid`.
    host_keys: HashMap<String, (Algorithm, DecodingKey)>,
}

/// What a credential is, as far as it can be told without the store.
pub(super) enum Credential {
    /// The service's key.
    ApiKey,
    /// A token of the host application, checked.
    Host(HostClaims),
    /// A token that names the key it is signed with, and is not checked yet.
    Signed(String),
}

/// What the host application's token says.
pub(super) struct HostClaims {
    pub external_id: ExternalId,
    pub name: Option<Name>,
    pub photo: Option<Photo>,
    /// When the host application said so, if it says.
    pub issued_at: Option<Time>,
    pub expires_at: Time,
}

#[derive(Deserialize)]
struct RawHostClaims {
    sub: String,
    exp: f64,
    iat: Option<f64>,
    name: Option<String>,
    photo: Option<String>,
}

#[derive(Deserialize)]
struct OwnClaims {
    exp: Option<f64>,
}

#[derive(Serialize)]
struct IssuedClaims {
    exp: i64,
}

impl Keys {
    /// Errors: an empty secret; a file of public keys that cannot be used.
    pub fn load(config: &Config) -> Result<Keys, StartError> {
        let secrets = [("api_key", &config.api_key), ("jwt_secret", &config.jwt_secret)];
        for (name, secret) in secrets {
            if secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
                return Err(StartError::EmptySecret(name));
            }
        }
        if config.jwt_secret.as_ref().is_some_and(|secret| secret.expose().len() < KEY_BYTES) {
            tracing::warn!("the JWT secret is short: who has one token may find it by trying");
        }
        let host_keys = config.jwt_jwks.as_deref().map(read_key_set).transpose()?;
        let decoding = |secret: &Secret| DecodingKey::from_secret(secret.expose().as_bytes());
        Ok(Keys {
            limits: config.limits.clone(),
            api_key: config.api_key.clone(),
            host_secret: config.jwt_secret.as_ref().map(decoding),
            host_keys: host_keys.unwrap_or_default(),
        })
    }

    /// Whether anyone could connect with a credential that no account stands behind.
    pub fn any(&self) -> bool {
        self.api_key.is_some() || self.host_secret.is_some() || !self.host_keys.is_empty()
    }

    /// None for what is no valid credential.
    pub fn read(&self, credential: &str) -> Option<Credential> {
        if self.is_api_key(credential) {
            return Some(Credential::ApiKey);
        }
        if credential.len() > MAX_CREDENTIAL {
            return None;
        }
        let header = jsonwebtoken::decode_header(credential).ok()?;
        match header.extras.get("access_key").ok()?.or(header.kid) {
            Some(key_id) if header.alg == Algorithm::HS256 => Some(Credential::Signed(key_id)),
            _ => self.verify_host(credential).map(Credential::Host),
        }
    }

    /// Checks a token against its user's key; returns when it expires.
    pub fn verify_own(&self, token: &str, key: &TokenKey) -> Option<Time> {
        let secret = DecodingKey::from_secret(key.secret_access_key.as_bytes());
        let mut validation = validation(Algorithm::HS256);
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<OwnClaims>(token, &secret, &validation).ok()?.claims;
        let expires_at = claims.exp.map_or(key.expires_at, end_of);
        Some(expires_at.min(key.expires_at)).filter(is_ahead)
    }

    /// Checks a token of the host application.
    pub fn verify_host(&self, token: &str) -> Option<HostClaims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let (algorithm, key) = match header.alg {
            Algorithm::HS256 => (Algorithm::HS256, self.host_secret.as_ref()?),
            _ => {
                let (algorithm, key) = self.host_keys.get(&header.kid?)?;
                (*algorithm, key)
            }
        };
        let validation = validation(algorithm);
        let claims = jsonwebtoken::decode::<RawHostClaims>(token, key, &validation).ok()?.claims;
        Some(HostClaims {
            external_id: ExternalId::parse(&claims.sub, &self.limits).ok()?,
            name: claims
                .name
                .filter(|name| !name.is_empty())
                .map(|name| Name::parse(&name, &self.limits))
                .transpose()
                .ok()?,
            photo: claims.photo.map(|photo| Photo::parse(&photo, &self.limits)).transpose().ok()?,
            issued_at: claims.iat.map(of_seconds),
            expires_at: Some(end_of(claims.exp)).filter(is_ahead)?,
        })
    }

    /// Compared in a time that does not tell how much of it is right.
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
    // Whom else the host application's tokens are meant for is its own affair.
    validation.validate_aud = false;
    validation
}

/// When a token with this `exp`, in seconds, is refused.
fn end_of(exp: f64) -> Time {
    of_seconds(exp + LEEWAY as f64)
}

fn of_seconds(seconds: f64) -> Time {
    // Casting keeps what is too large at the largest.
    Time::from_micros((seconds * 1e6) as i64)
}

/// The library counts whole seconds: it would let in who is closed at once.
fn is_ahead(end: &Time) -> bool {
    *end > clock::now()
}

fn read_key_set(file: &Path) -> Result<HashMap<String, (Algorithm, DecodingKey)>, StartError> {
    let bad = |why: String| StartError::Keys { file: file.to_owned(), why };
    let text = fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    // The error itself quotes the file, which may hold a secret by mistake.
    let no_set = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        bad(format!("it is no JSON Web Key Set at line {line}, column {column}"))
    };
    let set: JwkSet = serde_json::from_str(&text).map_err(no_set)?;
    // Keys for other uses stand in such files, too.
    let mut keys = HashMap::new();
    for jwk in &set.keys {
        if let (Some(kid), Some(algorithm)) = (&jwk.common.key_id, algorithm(jwk)) {
            let key = DecodingKey::from_jwk(jwk).map_err(|error| bad(error.to_string()))?;
            keys.insert(kid.clone(), (algorithm, key));
        }
    }
    match keys.is_empty() {
        true => Err(bad("it holds no key with a kid for RS256, ES256 or EdDSA".into())),
        false => Ok(keys),
    }
}

/// The one algorithm that a public key is used with.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    let named = jwk.common.key_algorithm.map(|named| named.to_string().parse::<Algorithm>());
    named.is_none_or(|named| named.is_ok_and(|named| named == algorithm)).then_some(algorithm)
}

/// A new token of a user. Errors: `internal` if the system has no random numbers.
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

/// What a refresh token is found by.
pub(super) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn random_key() -> Result<String, Error> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Error::Internal(None))?;
    Ok(BASE32_NOPAD.encode(&bytes))
}
