//! Socket.IO: namespaces, events, acknowledgements, attachments.

use std::time::Duration;

use super::{Both, Rule, hold};
use crate::support::TestServer;
use crate::support::transports::{Opening, Transport};

const CONNECTS: [Rule; 13] = [
    ("a client asks to be let in", Both, r#"> 40 | < 40{"sid":"…"} | works"#),
    ("it may bring a payload", Both, r#"> 40{} | < 40{"sid":"…"} | works"#),
    ("of which not all is known", Both, r#"> 40{"a":[1]} | < 40{"sid":"…"} | works"#),
    ("in whatever order", Both, r#"> 40{"token":null,"a":1} | < 40{"sid":"…"} | works"#),
    (
        "a refusal has a message and data",
        Both,
        r#"> 40{"token":"x"} | < 44{"data":{"code":"unauthenticated",…},"message":"unauthenticated"}"#,
    ),
    (
        "one that was refused may try again",
        Both,
        r#"> 40{"token":"x"} | < 44{…} | > 40 | < 40{"sid":"…"} | works"#,
    ),
    (
        "a payload that is no JSON is refused",
        Both,
        r#"> 40{"token | < 44{…"message":"unauthenticated"}"#,
    ),
    (
        "there is no other namespace",
        Both,
        r#"> 40/admin, | < 44/admin,{"message":"Invalid namespace"}"#,
    ),
    (
        "its comma may be left out",
        Both,
        r#"> 40/admin | < 44/admin,{"message":"Invalid namespace"}"#,
    ),
    (
        "whatever it brings",
        Both,
        r#"> 40/admin,{"token":"x"} | < 44/admin,{"message":"Invalid namespace"}"#,
    ),
    (
        "who asks for it may be in the main one",
        Both,
        "> 40 | < 40{…} | > 40/admin, | < 44/admin,{…} | works",
    ),
    ("entering twice changes nothing", Both, "> 40 | < 40{…} | > 40 | works"),
    ("an event before all that closes at once", Both, r#"> 420["x"] | closed"#),
];

const DISCONNECTS: [Rule; 5] = [
    ("who leaves is answered no more", Both, r#"> 41 | > 421["x"] | > 40 | < 40… | works"#),
    ("and may come back", Both, "> 41 | > 40 | < 40… | > 41 | > 40 | < 40… | works"),
    ("leaving another namespace is nothing", Both, "> 41/admin, | works"),
    ("also without a comma", Both, "> 41/admin | works"),
    ("and an event in another namespace closes", Both, r#"> 42/admin,["x"] | closed"#),
];

const EVENTS: [Rule; 7] = [
    ("an event is acknowledged by its number", Both, r#"> 42456["x",1] | < 43456[…]"#),
    ("which may be 0", Both, r#"> 420["x"] | < 430[…]"#),
    ("or large", Both, r#"> 429007199254740991["x"] | < 439007199254740991[…]"#),
    ("or come again", Both, r#"> 427["x"] | < 437[…] | > 427["x"] | < 437[…]"#),
    ("without one nothing is acknowledged", Both, r#"> 42["x"] | < 42["exception",{…}] | works"#),
    (
        "an event has as many arguments as it likes",
        Both,
        r#"> 421["x",1,"2",{"3":[true]}] | < 431[{…}] | works"#,
    ),
    ("what the server has not asked for is no harm", Both, r#"> 431[] | > 4315["x",{}] | works"#),
];

const BINARIES: [Rule; 9] = [
    (
        "attachments follow their event",
        Both,
        r#"> 451-7["x",{"_placeholder":true,"num":0}] | + 010203 | < 437[…] | works"#,
    ),
    (
        "as many as it says",
        Both,
        r#"> 452-789["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]
           | + 0102 | + 0304 | < 43789[…] | works"#,
    ),
    ("which may be none", Both, r#"> 450-3["x"] | < 433[…] | works"#),
    (
        "an acknowledgement may have them, too",
        Both,
        r#"> 461-7[{"_placeholder":true,"num":0}] | + 010203 | works"#,
    ),
    ("a text between them closes", Both, r#"> 451-["x"] | > 421["x"] | closed"#),
    ("and bytes after no event", Both, "+ 010203 | closed"),
    ("and a number that is none", Both, r#"> 45x-["x"] | closed"#),
    ("and one without its end", Both, "> 451 | closed"),
    ("and more than there can be", Both, r#"> 4599999999999999999999-["x"] | closed"#),
];

const WRONG: [Rule; 5] = [
    ("a packet of no kind closes", Both, "> 4abc | closed"),
    ("and one whose kind there is not", Both, "> 47 | closed"),
    ("and one of nothing", Both, "> 4 | closed"),
    ("and an acknowledgement of nothing", Both, "> 43[] | closed"),
    ("and an error, which is the server's", Both, r#"> 44{"message":"x"} | closed"#),
];

/// By the text of the protocol the server should close here. Chinwag answers what is wrong instead.
const KINDER: [Rule; 6] = [
    ("a payload is a list", Both, r#"> 42{} | < 42["exception",{…}] | works"#),
    ("that is not empty", Both, r#"> 421[] | < 431[{"error":{…}}] | works"#),
    ("and begins with a name", Both, r#"> 421[5] | < 431[{"error":{…}}] | works"#),
    ("it is JSON", Both, r#"> 421["x" | < 431[{"error":{…}}] | works"#),
    ("there is one", Both, r#"> 42 | < 42["exception",{…}] | works"#),
    ("a number has digits alone", Both, r#"> 42abc["x"] | < 42["exception",{…}] | works"#),
];

const OLD_CONNECTS: [Rule; 4] = [
    ("a client is let in at once", Both, "< 40 | works"),
    ("asking for that changes nothing", Both, "< 40 | > 40 | works"),
    (
        "there is no other namespace",
        Both,
        r#"< 40 | > 40/admin, | < 44/admin,"Invalid namespace" | works"#,
    ),
    (
        "whatever it brings",
        Both,
        r#"< 40 | > 40/admin?token=x, | < 44/admin?token=x,"Invalid namespace" | works"#,
    ),
];

#[tokio::test]
async fn packets_have_the_effect_of_the_protocol() {
    // So that nothing is closed for taking too long instead of for what it sends.
    let server = TestServer::with_limits(|limits| {
        limits.handshake_timeout = Duration::from_secs(60);
    })
    .await;
    hold(&server, 4, "", &CONNECTS).await;
    hold(&server, 3, "", &OLD_CONNECTS).await;
    for rules in [&DISCONNECTS[..], &EVENTS, &BINARIES, &WRONG, &KINDER] {
        hold(&server, 4, "> 40 | < 40{…} | ", rules).await;
        hold(&server, 3, "< 40 | ", rules).await;
    }
}

#[tokio::test]
async fn an_old_client_is_refused_by_a_text() {
    let server = TestServer::start().await;
    for polling in [false, true] {
        let query = "&access_token=x";
        let opening = Opening { protocol: 3, polling, query, authorization: "" };
        let mut transport = Transport::open(&server, opening).await;
        assert_eq!(transport.next().await.as_deref(), Some(r#"44"unauthenticated""#));
    }
}
