//! Channels: the connected nicks, the nicks in a channel, the messages there.

use serde_json::json;

use crate::program::housekeeping::run;
use crate::support::TestServer;
use crate::support::chatter::{Chatter, message, of_channel, of_nick, said_by};
use crate::support::database::url_in;

#[tokio::test]
async fn all_clients_hear_of_nicks_that_connect_and_go() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    let mut bob = server.chatter("bob").await;
    let mut eve = server.chatter("eve").await;
    for nick in ["bob", "eve"] {
        assert_eq!(ann.next().await, of_nick(2, nick));
    }
    assert_eq!(bob.next().await, of_nick(2, "eve"));
    eve.nothing_more().await;

    bob.tell(json!({ "type": 3 })).await;
    assert_eq!(bob.closed().await, 1000);
    for other in [&mut ann, &mut eve] {
        assert_eq!(other.next().await, of_nick(3, "bob"));
        assert_eq!(other.nicks().await, json!(["ann", "eve"]));
    }
    drop(eve);
    assert_eq!(ann.next().await, of_nick(3, "eve"));
    assert_eq!(ann.nicks().await, json!(["ann"]));
    server.chatter("bob").await;
}

#[tokio::test]
async fn a_channel_hears_joins_messages_and_leaves() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    let mut bob = server.chatter("bob").await;
    assert_eq!(ann.next().await, of_nick(2, "bob"));
    // Leading sharps are stripped, so that this is the same channel.
    ann.join("django", "ann").await;
    bob.join("##django", "bob").await;
    assert_eq!(ann.next().await, of_channel(4, "django", "bob"));
    ann.say("#django", "hello world", "ann").await;
    assert_eq!(bob.next().await, message("django", "hello world", "ann"));

    let left = bob.ask(json!({ "type": 5, "channel": "#django" })).await;
    assert_eq!(left, of_channel(5, "django", "bob"));
    assert_eq!(ann.next().await, left);
    ann.say("django", "still here?", "ann").await;
    bob.nothing_more().await;
    bob.join("django", "bob").await;
    assert_eq!(ann.next().await, of_channel(4, "django", "bob"));
    drop(bob);
    assert_eq!(ann.next().await, of_nick(3, "bob"), "a disconnect is told once");
    ann.nothing_more().await;
}

#[tokio::test]
async fn channels_hear_nothing_of_each_other() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    ann.join("rust", "ann").await;
    ann.join("Rust", "ann").await;
    let mut bob = server.chatter("bob").await;
    bob.join("rust", "bob").await;
    let mut eve = server.chatter("eve").await;
    eve.nothing_more().await;
    ann.next().await;
    ann.next().await;
    ann.next().await;
    ann.say("Rust", "in capitals", "ann").await;
    assert_eq!(bob.next().await, of_nick(2, "eve"));
    bob.nothing_more().await;
    ann.say("rust", "in small letters", "ann").await;
    assert_eq!(bob.next().await, message("rust", "in small letters", "ann"));
    eve.nothing_more().await;
}

#[tokio::test]
async fn nicks_are_listed_for_the_server_and_for_a_channel() {
    let server = TestServer::start().await;
    let mut zoe = server.chatter("zoe").await;
    zoe.join("here", "zoe").await;
    let mut ann = server.chatter("ann").await;
    ann.join("here", "ann").await;
    let mut bob = server.chatter("Bob").await;
    assert_eq!(bob.nicks().await, json!(["Bob", "ann", "zoe"]));
    let list = bob.ask(json!({ "type": 6, "channel": "#here" })).await;
    assert_eq!(list, json!({ "type": 6, "users": ["ann", "zoe"] }));
    drop(zoe);
    assert_eq!(bob.next().await, of_nick(3, "zoe"));
    let list = bob.ask(json!({ "type": 6, "channel": "here" })).await;
    assert_eq!(list["users"], json!(["ann"]));
    bob.refused(json!({ "type": 6, "channel": "nowhere" }), "not_found", Some("channel")).await;
    drop(ann);
    assert_eq!(bob.next().await, of_nick(3, "ann"));
    let list = bob.ask(json!({ "type": 6, "channel": "here" })).await;
    assert_eq!(list["users"], json!([]), "the channel is there, and empty");
}

#[tokio::test]
async fn the_nicks_of_a_channel_are_read_once_until_they_change() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    let mut bob = server.chatter("bob").await;
    ann.next().await;
    let list = json!({ "type": 6, "channel": "here" });
    let users = |nicks: &[&str]| json!({ "type": 6, "users": nicks });
    ann.join("here", "ann").await;
    assert_eq!(bob.ask(list.clone()).await, users(&["ann"]));
    // This row is not from the server, which does not know that bob is in the channel.
    let unknown =
        "insert into nick_channels (nick, chat_id) select 'bob', chat_id from nick_channels";
    run(&url_in(server.directory.path()), unknown).await;
    for chatter in [&mut ann, &mut bob] {
        assert_eq!(chatter.ask(list.clone()).await, users(&["ann"]));
    }
    let mut eve = server.chatter("eve").await;
    for chatter in [&mut ann, &mut bob] {
        chatter.next().await;
        // Eve is in no channel yet.
        assert_eq!(chatter.ask(list.clone()).await, users(&["ann"]));
    }
    eve.join("here", "eve").await;
    assert_eq!(ann.next().await, of_channel(4, "here", "eve"));
    for chatter in [&mut ann, &mut bob] {
        assert_eq!(chatter.ask(list.clone()).await, users(&["ann", "bob", "eve"]));
    }
}

#[tokio::test]
async fn joining_twice_and_leaving_or_speaking_from_outside_are_refused() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    ann.join("here", "ann").await;
    let mut bob = server.chatter("bob").await;
    ann.next().await;
    ann.refused(json!({ "type": 4, "channel": "#here" }), "conflict", Some("channel")).await;
    for channel in ["here", "nowhere"] {
        let leave = json!({ "type": 5, "channel": channel });
        bob.refused(leave, "conflict", Some("channel")).await;
        bob.refused(said_by(channel, "hello"), "forbidden", None).await;
    }
    bob.join("here", "bob").await;
    assert_eq!(ann.next().await, of_channel(4, "here", "bob"));
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_nick_that_reconnects_has_to_join_again() {
    let server = TestServer::start().await;
    let mut bob = server.chatter("bob").await;
    let mut ann = server.chatter("ann").await;
    bob.next().await;
    ann.join("here", "ann").await;
    drop(ann);
    assert_eq!(bob.next().await, of_nick(3, "ann"));
    let mut ann = server.chatter("ann").await;
    ann.refused(said_by("here", "hello"), "forbidden", None).await;
    ann.join("here", "ann").await;
    ann.say("here", "hello", "ann").await;
}

#[tokio::test]
async fn a_connection_can_join_a_limited_number_of_channels() {
    let server = TestServer::with_limits(|limits| limits.max_socket_rooms = 1).await;
    let mut ann = server.chatter("ann").await;
    ann.join("one", "ann").await;
    ann.refused(json!({ "type": 4, "channel": "two" }), "too_large", Some("channel")).await;
    ann.ask(json!({ "type": 5, "channel": "one" })).await;
    ann.join("two", "ann").await;
}

#[tokio::test]
async fn requests_are_answered_in_the_order_sent() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    for _ in 0..20 {
        ann.tell(json!({ "type": 4, "channel": "here" })).await;
        ann.tell(said_by("here", "hello")).await;
        ann.tell(json!({ "type": 6 })).await;
        ann.tell(json!({ "type": 5, "channel": "here" })).await;
        ann.tell(json!({ "type": 6, "channel": "here" })).await;
    }
    for _ in 0..20 {
        assert_eq!(ann.next().await, of_channel(4, "here", "ann"));
        assert_eq!(ann.next().await, message("here", "hello", "ann"));
        assert_eq!(ann.next().await, json!({ "type": 6, "users": ["ann"] }));
        assert_eq!(ann.next().await, of_channel(5, "here", "ann"));
        assert_eq!(ann.next().await, json!({ "type": 6, "users": [] }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_of_several_clients_gets_a_nick() {
    let server = TestServer::start().await;
    for round in 0..10 {
        let nick = format!("nick{round}");
        let tries = (0..8).map(|_| async {
            let mut chatter = Chatter::open(server.channels(&nick)).await;
            let first = chatter.next().await;
            let refused = first["type"] == -1;
            if refused {
                assert_eq!(first["code"], "conflict", "{first}");
                assert_eq!(chatter.closed().await, 4409);
            }
            (!refused).then_some(chatter)
        });
        let connected = futures_util::future::join_all(tries).await;
        assert_eq!(connected.iter().flatten().count(), 1, "{nick}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_create_a_channel_at_once_share_it() {
    let server = TestServer::start().await;
    let mut listener = server.listener("listener").await;
    let mut chatters = Vec::new();
    for number in 0..8 {
        chatters.push(server.chatter(&format!("nick{number}")).await);
    }
    let joins = chatters.iter_mut().map(async |chatter| {
        chatter.tell(json!({ "type": 4, "channel": "new" })).await;
        while chatter.next().await["type"] != 4 {}
    });
    futures_util::future::join_all(joins).await;
    let mut asker = server.chatter("asker").await;
    let list = asker.ask(json!({ "type": 6, "channel": "new" })).await;
    assert_eq!(list["users"].as_array().unwrap().len(), 8);
    assert_eq!(listener.next("chatroom").await["room"]["name"], "#new");
    listener.nothing_more().await;
    chatters[0].tell(said_by("new", "hello")).await;
    for chatter in &mut chatters {
        while chatter.next().await != message("new", "hello", "nick0") {}
    }
}
