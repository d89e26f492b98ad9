//! Credentials as a host application issues them, and sockets that connect with them.

use std::time::{SystemTime, UNIX_EPOCH};

use chinwag::{Access, Config, Secret};
use data_encoding::BASE64;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::{Client, TestServer};

pub const SECRET: &str = "what the host application signs with";
pub const API_KEY: &str = "what the service shows";

// Keys for these tests only, in DER: PKCS #1 for RSA, PKCS #8 for the others.
const RSA: &str = "\
    MIIEogIBAAKCAQEAv4rkhSKkHgAyQlZCxdXC1bDtrZnyEsMTZYpsdPZ+qhByxs+86NwoLpx0LcHsYoeBGvLbXVMkemW5\
    ZqLv/fnISudwVAlYlxBmiRn8yRu7FfEq8Isvc2ixkz0LX8Ta9uNY5vnFVyOOYF7jc1m0mNL2nA9gg9WaIjUxJiuQxGc8\
    503E9qza7354Z7E23sOasTFofTDHW9pZZSXHc9nOc/UX+kn3LLvdRFtgnuEELUxCjQF/CgFnRVusNn5G5KE5TSqRzU5c\
    uX7sMkIXZ1QEEtRZ2jLUp9PXv675gdHwkELn1tmVsnEHb2cU2XCWZpxyut+g0RTFPIY5HMXOQEMeOLP88QIDAQABAoIB\
    AAwKxyWwoRlKwV4mzrFh6EsngbXbmxq/XXGRk5KB6cI24QRrTJDmQHd3uh0jV0F1i/IeCRkTsFQqn46amVSCFuvQo6EA\
    6msq6otdkSUyo180h5LSaVQL5bggSx4FAhAqCG2TD+tTzrBz3sBiiCZggwUaOWLoc7WJWxLvg705UVyoTOtBbmHtGNzC\
    ZE4f2Q3HXQeI3ar58+NXg4PpWUvYRb4vDuWb99PHLza/CXv3jzHjOgrV5NVEf3j9NNft9nfwDFWVUbB1IX7HTq/i32v5\
    5PZd5WVeN0J6eJgXC/JAokBRvPH3wIIv8gOoqzpi23LgDs0eajDNLCdXJtmDj60PUJECgYEA4nYOJWALFBJYeFC+7h+R\
    6/zt72hQvXCt5ey9FFxs0iZdZGHk/Mxk8WfleEhyp7nMfwdmZd394seSXbpEjeHUBKObhnIrJcrbw/XrKSRRNgChTCBe\
    5MnaYaG8oxVtz/VPfqtThUNkJrt8fgTeKUMMW0MyIYHwl4PzNw5oupHw5/kCgYEA2IbXrQKxDkIZ2NnnNl697W67FndP\
    9YAJ6nq9pt2TBCQuHijubcnWKEOgXmW9jr5d1ztp7ReRb0+4VgM3Gf1Y/R3qPfHIToqEQp/NlVZonQm2080liUbmCEi8\
    b5ZaGjq7FIuVlJEacz6D0F4ClJo7BXwqCo9Fd8/yKE9DPbJZqrkCgYANriIGofmpWb5cbkxKaD/RaLMa7ktKVl8674Uw\
    kLDGNSkZIkzJ9LL4XlVfYckDVtcCqXjHGJT4uSOfY9w2UfkT2qpPgeAXZVzHRrjRAG+jeoBD8ASrf4IgubuCgo3irSgD\
    N+hQuZR4PoUzu6mMBo/dh36kxYu6K29q2QT8mEpcSQKBgFkonSKmmxWN7mq2v1hKBtb/45XKp2glwu+Efxd44ZKw+zR8\
    EkGu/LozrpNwPW/Lv4Ri+KkiLUaygusYA9Z11fDUIqJDLwH4U6HDf7ngjM8tMtVgAfbW9N2wZbdlJ9DpIiPBnmRAo62U\
    rl5cd5+NKoSFriIPAMHnJIWorb139SgxAoGAadVO9KZoruUP3HaLq1/SHTzWiuLnt5cefMPUvBXzc9oPgFRqVEueRjjZ\
    +sWXNvbg645XddogaLHdXYWt1he9TcQKhA+SvBWr9ecrkq4fndulMeRyqqMkpnz8t1Dt50butBDTHSG8RMQ55V+/o+m1\
    5Mo5WQeEWZcmVRmzzndzyF0=";
const P256: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIK2RjnUAaW4uueIrXeXmyXKMg+4Ys\
    KwkDHZh5iBuovShRANCAAQU2os3X5bKz4SH7sapl8gfCUQtY9Qi6WfBh0o7QKukY1adJAFSACQ1lImCRn97XqtKA0sz\
    aT9Dnnpcu4vmCxtr";
const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEICLHTDAKboIr24wx8wgwTr6iVoqK21kq1/D8ChxOvjgv";

/// The whole seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// The claims of a token that is valid for an hour.
pub fn claims(sub: &str) -> Value {
    json!({ "sub": sub, "exp": now() + 3600 })
}

/// A token with these claims, signed with the secret.
pub fn signed(claims: &Value) -> String {
    sign(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes()))
}

/// A token of the user with this `external_id`, signed with the secret.
pub fn token(sub: &str) -> String {
    signed(&claims(sub))
}

pub fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).unwrap()
}

pub fn header(algorithm: Algorithm, kid: &str) -> Header {
    Header { kid: Some(kid.into()), ..Header::new(algorithm) }
}

/// The private key for an asymmetric algorithm.
pub fn private_key(algorithm: Algorithm) -> EncodingKey {
    let der = |base64: &str| BASE64.decode(base64.as_bytes()).unwrap();
    match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_der(&der(P256)),
        Algorithm::EdDSA => EncodingKey::from_ed_der(&der(ED25519)),
        _ => EncodingKey::from_rsa_der(&der(RSA)),
    }
}

/// The public key for that private key, with this `kid`.
pub fn jwk(algorithm: Algorithm, kid: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(&private_key(algorithm), algorithm).unwrap();
    jwk.common.key_id = Some(kid.into());
    serde_json::to_value(jwk).unwrap()
}

/// Settings of a server with the host application's secret and the service's API key.
pub fn with_credentials(access: Access) -> impl FnOnce(&mut Config) {
    move |config| {
        config.access = Some(access);
        config.jwt_secret = Some(Secret::from(SECRET));
        config.api_key = Some(Secret::from(API_KEY));
    }
}

impl TestServer {
    pub async fn with_credentials(access: Access) -> TestServer {
        TestServer::with(with_credentials(access)).await
    }

    /// A client with the token of the user of this name, who is made at first sight. It has left
    /// the system channel.
    pub async fn token_user(&self, name: &str) -> Client {
        let mut client = self.connect_with(&token(name)).await;
        client.done("unsubscribe", json!({ "channel": "system" })).await;
        // With a token one may create only oneself; the answer has the user's id.
        let user = json!({ "external_id": name, "name": name, "photo": "" });
        let answer = client.done("create-user", json!({ "user": user })).await;
        client.id = answer["user"]["id"].as_str().unwrap().to_owned();
        client
    }

    /// A client with the service's API key, which does not act as a user yet.
    pub async fn service(&self) -> Client {
        self.connect_with(API_KEY).await
    }

    pub async fn connect_with(&self, credential: &str) -> Client {
        let mut client = Client::open(self.address()).await;
        assert!(client.frame().await.starts_with('0'));
        let answer = client.enter_with(json!(credential)).await;
        assert!(answer.starts_with("40{\"sid\":"), "{answer}");
        client
    }

    /// Whether a user with this `external_id` exists; if not, this makes one.
    pub async fn knows(&self, external_id: &str) -> bool {
        // An unknown `external_id` goes to a new user with this id; the user of a known one has
        // another id.
        let id = format!("not {external_id}");
        let user = json!({ "external_id": external_id, "id": id, "name": "x", "photo": "" });
        let mut service = self.service().await;
        let answer = service.done("create-user", json!({ "user": user })).await;
        answer["user"]["id"] != id
    }
}

impl Client {
    /// Asks to enter the namespace `/` with this `auth.token`; returns the answer.
    pub async fn enter_with(&mut self, token: Value) -> String {
        self.send(format!("40{}", json!({ "token": token }))).await;
        self.frame().await
    }
}
