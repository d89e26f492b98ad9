//! Every door has the same rules for who may act as whom, in both access modes. A cell is the
//! result of acting as the user of the row, through its door, with the credential of the column.

use chinwag::Access;
use serde_json::{Value, json};

use crate::support::chatter::Chatter;
use crate::support::live::Live;
use crate::support::signing::API_KEY;
use crate::support::{Client, TestServer};

/// `bob` has signed up, `ann` is not protected, and `other` is a third user's token. Direct
/// messages always need a token.
const TABLE: &str = "
access  door      user  none    wrong   other   own     key

open    socketio  bob   unauth  unauth  forbid  ok      ok
open    rest      bob   unauth  unauth  forbid  ok      ok
open    live      bob   unauth  unauth  forbid  ok      ok
open    channels  bob   unauth  unauth  unauth  ok      ok
open    rpc       bob   unauth  unauth  forbid  ok      ok
open    socketio  ann   ok      unauth  forbid  -       ok
open    rest      ann   unauth  unauth  forbid  -       ok
open    live      ann   unauth  unauth  forbid  -       ok
open    channels  ann   ok      unauth  unauth  -       ok
open    rpc       ann   ok      unauth  forbid  -       ok

token   socketio  bob   unauth  unauth  forbid  ok      ok
token   rest      bob   unauth  unauth  forbid  ok      ok
token   live      bob   unauth  unauth  forbid  ok      ok
token   channels  bob   unauth  unauth  unauth  ok      ok
token   rpc       bob   unauth  unauth  forbid  ok      ok
token   socketio  ann   unauth  unauth  forbid  -       ok
token   rest      ann   unauth  unauth  forbid  -       ok
token   live      ann   unauth  unauth  forbid  -       ok
token   channels  ann   unauth  unauth  unauth  -       ok
token   rpc       ann   unauth  unauth  forbid  -       ok
";

#[tokio::test]
async fn the_same_rules_hold_on_every_door() {
    let mut wrong = Vec::new();
    for (access, name) in [(Access::Open, "open"), (Access::Token, "token")] {
        let rows = TABLE.lines().map(|line| Vec::from_iter(line.split_whitespace()));
        let mut rows = rows.filter(|row| !row.is_empty());
        let header = rows.next().unwrap();
        for row in rows.filter(|row| row[0] == name) {
            let mut stage = Stage::set(access).await;
            for (credential, expected) in header.iter().zip(&row).skip(3) {
                if *expected == "-" {
                    continue;
                }
                let got = stage.play(row[1], row[2], stage.credential(credential)).await;
                if got != *expected {
                    wrong.push(format!("{row:?}, {credential}: {got}"));
                }
                // A nick can be connected only once: the next cell needs a new server.
                if row[1] == "channels" && got == "ok" {
                    stage = Stage::set(access).await;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

struct Stage {
    server: TestServer,
    own: String,
    other: String,
    /// The names and ids of the users.
    ids: [(&'static str, String); 2],
}

impl Stage {
    async fn set(access: Access) -> Stage {
        let server = TestServer::with_credentials(access).await;
        let bob = server.sign_up("bob").await;
        let eve = server.sign_up("eve").await;
        let mut service = server.service().await;
        let user = json!({ "id": "7", "handle": "ann", "name": "Ann", "photo": "" });
        service.done("create-user", json!({ "user": user })).await;
        let ids = [("bob", bob.id().to_owned()), ("ann", "7".to_owned())];
        let (own, other) = (bob.access().to_owned(), eve.access().to_owned());
        Stage { server, own, other, ids }
    }

    fn credential(&self, column: &str) -> Option<&str> {
        match column {
            "none" => None,
            "wrong" => Some("not.a.token"),
            "other" => Some(&self.other),
            "own" => Some(&self.own),
            _ => Some(API_KEY),
        }
    }

    async fn play(&self, door: &str, user: &str, credential: Option<&str>) -> String {
        let code = match door {
            "socketio" => self.socketio(user, credential).await,
            "rest" => self.rest(user, credential).await,
            "live" => self.live(user, credential).await,
            "channels" => self.channels(user, credential).await,
            _ => self.rpc(user, credential).await,
        };
        match code.as_str() {
            "unauthenticated" => "unauth".into(),
            "forbidden" => "forbid".into(),
            _ => code,
        }
    }

    async fn socketio(&self, user: &str, credential: Option<&str>) -> String {
        let mut client = Client::open(self.server.address()).await;
        client.frame().await;
        let entered = client.enter_with(json!(credential)).await;
        if let Some(refusal) = entered.strip_prefix("44") {
            let refusal: Value = serde_json::from_str(refusal).unwrap();
            return refusal["message"].as_str().unwrap().to_owned();
        }
        let (_, id) = self.ids.iter().find(|(name, _)| *name == user).unwrap();
        code(client.ask("list-chats", json!({ "user": { "id": id } })).await)
    }

    async fn rest(&self, user: &str, credential: Option<&str>) -> String {
        let path = format!("/api/inbox?user={user}");
        let request = self.server.request("GET", &path);
        let request = credential.iter().fold(request, |request, token| request.bearer(token));
        status(request.send().await.status)
    }

    async fn live(&self, user: &str, credential: Option<&str>) -> String {
        let Some(credential) = credential else {
            return status(
                self.server.request("GET", "/api/ws").header(UPGRADE).send().await.status,
            );
        };
        let mut live = match Live::open(self.server.address(), credential).await {
            Ok(live) => live,
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                return status(answer.status().as_u16());
            }
            Err(error) => panic!("{error}"),
        };
        // The recipient does not exist, so that a sender who is allowed gets another error.
        let packet = json!({ "author": user, "recipient": "nobody", "message": "hello" });
        let error = live.refused(packet.to_string()).await;
        match error["field"].as_str() {
            Some("recipient") => "ok".into(),
            _ => code(json!({ "error": error })),
        }
    }

    async fn channels(&self, user: &str, credential: Option<&str>) -> String {
        let query = credential.map(|token| format!("?access_token={}", token.replace(' ', "%20")));
        let address = self.server.channels(format!("{user}{}", query.unwrap_or_default()));
        let frame = Chatter::open(address).await.next().await;
        match frame["type"].as_i64() {
            Some(2) => "ok".into(),
            _ => code(json!({ "error": frame })),
        }
    }

    async fn rpc(&self, user: &str, credential: Option<&str>) -> String {
        let token = credential.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let headers = format!("Content-Type: application/json\r\n{}", token.unwrap_or_default());
        let body = crate::support::rpc::call(1, "NewUser", json!([user])).to_string();
        let answer = self.server.post_rpc("/rpc", &headers, &body).await.json();
        match answer["error"]["data"]["code"].as_str() {
            Some(code) => code.into(),
            None => "ok".into(),
        }
    }
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn code(answer: Value) -> String {
    answer["error"]["code"].as_str().unwrap_or("ok").to_owned()
}

fn status(status: u16) -> String {
    match status {
        200 => "ok".into(),
        401 => "unauthenticated".into(),
        403 => "forbidden".into(),
        other => other.to_string(),
    }
}
