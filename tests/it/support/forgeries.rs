//! Invalid tokens for the user `mallory`.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::signing::{
    API_KEY, SECRET, claims, header, jwk, now, private_key, sign, signed, token,
};

/// Tokens with wrong claims.
fn wrong_claims() -> Vec<(&'static str, String)> {
    let with = |field: &str, value: Value| {
        let mut claims = claims("mallory");
        claims[field] = value;
        signed(&claims)
    };
    vec![
        ("expired", with("exp", json!(now() - 60))),
        ("not valid yet", with("nbf", json!(now() + 3600))),
        ("no exp", signed(&json!({ "sub": "mallory" }))),
        ("exp is null", with("exp", Value::Null)),
        ("exp is a text", with("exp", json!("2099-01-01"))),
        ("no sub", signed(&json!({ "exp": now() + 3600, "name": "mallory" }))),
        ("an empty sub", with("sub", json!(""))),
        ("sub is a fraction", with("sub", json!(7.5))),
        ("a long sub", with("sub", json!("x".repeat(256)))),
        ("a long name", with("name", json!("x".repeat(256)))),
        ("a blank name", with("name", json!(" "))),
        ("name is an object", with("name", json!({}))),
        ("a long photo", with("photo", json!("x".repeat((8 << 10) + 1)))),
        ("a list", signed(&json!(["mallory", now() + 3600]))),
    ]
}

/// Tokens with wrong signatures.
fn wrong_signatures() -> Vec<(&'static str, String)> {
    let claims = claims("mallory");
    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    let signed_by = |algorithm, kid: &str, key| sign(&header(algorithm, kid), &claims, key);
    let right = token("mallory");
    let (head, signature) = right.rsplit_once('.').unwrap();
    let other_head = token("mallory-2");
    let unsigned = |header: Value| {
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        (encode(&header), encode(&claims))
    };
    let (none, body) = unsigned(json!({ "alg": "none", "typ": "JWT" }));
    let (numbered, _) = unsigned(json!({ "alg": "HS256", "access_key": 7 }));
    let rsa = private_key(Algorithm::RS256);
    vec![
        ("another secret", sign(&Header::default(), &claims, &EncodingKey::from_secret(b"guess"))),
        ("another's signature", format!("{}.{signature}", other_head.rsplit_once('.').unwrap().0)),
        ("no signature", format!("{head}.")),
        ("two parts", head.to_owned()),
        ("four parts", format!("{right}.{signature}")),
        ("a padded signature", format!("{right}=")),
        ("alg none", format!("{none}.{body}.")),
        ("alg none, with a signature", format!("{none}.{body}.{signature}")),
        ("an access key of another type", format!("{numbered}.{body}.{signature}")),
        ("HS384", signed_by(Algorithm::HS384, "x", &secret)),
        ("HS512", signed_by(Algorithm::HS512, "x", &secret)),
        ("an unknown kid", signed_by(Algorithm::RS256, "RS512", &rsa)),
        ("no kid", sign(&Header::new(Algorithm::RS256), &claims, &rsa)),
        ("the kid's key with another hash", signed_by(Algorithm::RS384, "RS256", &rsa)),
        ("the kid's key with another padding", signed_by(Algorithm::PS256, "RS256", &rsa)),
        (
            "the kid of another key",
            signed_by(Algorithm::ES256, "RS256", &private_key(Algorithm::ES256)),
        ),
    ]
}

/// Tokens of HS256, signed with a public key, which everyone knows, as the secret.
fn confused() -> Vec<(&'static str, String)> {
    let jwk = jwk(Algorithm::RS256, "RS256");
    let modulus = jwk["n"].as_str().unwrap();
    let bytes = BASE64URL_NOPAD.decode(modulus.as_bytes()).unwrap();
    // RSAPublicKey: a sequence of the modulus and 65537.
    let der =
        [b"\x30\x82\x01\x0a\x02\x82\x01\x01\x00", &bytes[..], b"\x02\x03\x01\x00\x01"].concat();
    let by = |secret: &[u8]| {
        let key = EncodingKey::from_secret(secret);
        sign(&header(Algorithm::HS256, "RS256"), &claims("mallory"), &key)
    };
    vec![
        ("signed with a public key's DER", by(&der)),
        ("signed with a modulus", by(&bytes)),
        ("signed with a modulus in base64", by(modulus.as_bytes())),
        ("signed with a JWK", by(jwk.to_string().as_bytes())),
        ("signed with nothing", by(b"")),
    ]
}

/// All invalid tokens, and texts that are no tokens. The server has the keys of `tokens.rs`.
pub fn wrong() -> Vec<(&'static str, String)> {
    let odd = [("empty", ""), ("no token", "nonsense"), ("dots", ".."), ("not ASCII", "ä.ö.ü")];
    let odd = odd.map(|(why, token)| (why, token.to_owned())).into_iter();
    let almost = ("almost the service's key", API_KEY.to_uppercase());
    let signed = wrong_claims().into_iter().chain(wrong_signatures()).chain(confused());
    signed.chain(odd).chain([almost]).collect()
}
