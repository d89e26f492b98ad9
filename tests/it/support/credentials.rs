//! Credentials of clients of the channels.

use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::chatter::{Chatter, PASSWORD, assert_refused, of_nick, with_password};
use crate::support::signing::{now, signed};

/// The host application's token of a user, valid for so many seconds.
pub fn token(user: &str, seconds: i64) -> String {
    signed(&json!({ "sub": user, "exp": now() + seconds }))
}

pub fn by_token(nick: &str, user: &str) -> String {
    format!("{nick}?access_token={}", token(user, 3600))
}

/// Registers a nick with a password on a connection that then closes.
pub async fn protect(server: &TestServer, nick: &str) {
    let mut chatter = server.chatter(nick).await;
    let registered = chatter.ask(with_password(1, nick, PASSWORD)).await;
    assert_eq!(registered, of_nick(1, nick));
    chatter.tell(json!({ "type": 3 })).await;
    assert_eq!(chatter.closed().await, 1000);
}

/// A connection that the server has asked for a password.
pub async fn waiting(server: &TestServer, nick: &str) -> Chatter {
    let mut chatter = Chatter::open(server.channels(nick)).await;
    let error = chatter.next().await;
    assert_refused(&error, "unauthenticated", None, Value::Null);
    chatter
}
