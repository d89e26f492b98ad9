//! The service: a client with its key acts as any user and may do everything.

use chinwag::Access;
use serde_json::{Value, json};

use crate::socketio::tokens::assert_kept_out;
use crate::support::signing::{API_KEY, with_credentials};
use crate::support::steps::{channel, of_chat, of_chat_and, on_channel};
use crate::support::transports::{Opening, Transport};
use crate::support::{Client, TestServer, as_pushed, assert_error, message};

fn as_user(id: &str, mut body: Value) -> Value {
    body["user"] = json!({ "id": id });
    body
}

#[tokio::test]
async fn the_service_can_send_its_key_like_a_token() {
    let encoded: String = API_KEY.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let (query, bearer) = (format!("&access_token={encoded}"), format!("Bearer {API_KEY}"));
    let server = TestServer::with_credentials(Access::Token).await;
    let mut ann = server.token_user("ann").await;
    let chat = ann.make_private(&mut []).await;
    let said = ann.say(&chat, "psst").await;
    let read = json!(["list-messages", of_chat(&chat)]);
    let with_token = format!("40{}", json!({ "token": API_KEY }));
    for (protocol, packet, query, authorization) in [
        (4, with_token.as_str(), "", ""),
        (4, "40", query.as_str(), ""),
        (4, "40", "", bearer.as_str()),
        (3, "", query.as_str(), ""),
        (3, "", "", bearer.as_str()),
    ] {
        for polling in [false, true] {
            let opening = Opening { protocol, polling, query, authorization };
            let mut client = Transport::open(&server, opening).await;
            if !packet.is_empty() {
                client.send(packet).await;
            }
            assert!(client.packet().await.starts_with("40"), "{opening:?}");
            client.send(&format!("427{read}")).await;
            assert_eq!(client.until("437").await.1[0]["messages"], json!([said]), "{opening:?}");
        }
    }
}

#[tokio::test]
async fn without_a_key_there_is_no_service() {
    let server = TestServer::with(|config| {
        with_credentials(Access::Open)(config);
        config.api_key = None;
    })
    .await;
    for key in [API_KEY, ""] {
        let mut client = Client::open(server.address()).await;
        assert!(client.frame().await.starts_with('0'));
        assert_kept_out(&client.enter_with(json!(key)).await);
    }
}

#[tokio::test]
async fn the_service_acts_as_the_user_that_it_names() {
    let server = TestServer::with_credentials(Access::Open).await;
    let ann = server.token_user("ann").await.id;
    let mut service = server.service().await;
    for event in ["list-chats", "list-teams", "create-team"] {
        let body = json!({ "team": { "name": "x" } });
        assert_error(&service.refused(event, body).await, "unauthenticated", None);
    }
    service
        .done("create-user", json!({ "user": { "id": "bob", "name": "Bob", "photo": "" } }))
        .await;
    service.done("unsubscribe", json!({ "channel": "system" })).await;
    let chat = service.make_private(&mut []).await;
    service.done("invite", of_chat_and(&chat, &ann)).await;
    let waiting = service.done("list-invitations", as_user(&ann, json!({}))).await;
    assert_eq!(service.next("invitation").await["invitation"], waiting["invitations"][0]);
    let accept = json!({ "invitation": { "id": waiting["invitations"][0]["id"] } });
    service.done("accept-invitation", accept).await;
    for id in [ann.as_str(), "bob"] {
        let said = service.done("new-message", as_user(id, message(&chat, "hello"))).await;
        assert_eq!(said["user_id"], id);
        assert_eq!(service.next("new-message").await, said);
    }
    // It cannot act as an unknown user, and then goes on acting as before.
    let error = service.refused("list-chats", as_user("nobody", json!({}))).await;
    assert_error(&error, "not_found", Some("user.id"));
    assert_eq!(service.say(&chat, "as before").await["user_id"], "bob");
}

#[tokio::test]
async fn the_service_reads_private_chats_without_a_user() {
    let server = TestServer::with_credentials(Access::Token).await;
    let mut ann = server.token_user("ann").await;
    let mut service = server.service().await;
    let chat = ann.make_private(&mut []).await;
    let here = service.done("subscribe", channel(&chat)).await;
    assert_eq!((&here["participants"], &here["users"]), (&json!(0), &json!([])));
    let said = ann.say(&chat, "psst").await;
    assert_eq!(service.next("chat-message").await, on_channel(&said));
    assert_eq!(service.done("list-messages", of_chat(&chat)).await["messages"], json!([said]));
    service.done("unsubscribe", channel(&chat)).await;
    ann.nothing_more().await;
}

#[tokio::test]
async fn the_service_may_do_everything_in_a_chat_of_others() {
    let server = TestServer::with_credentials(Access::Token).await;
    let mut service = server.service().await;
    let mut bob = server.token_user("bob").await;
    let carl = server.token_user("carl").await.id;
    let mut ann = server.token_user("ann").await;
    let (ann_id, bob_id) = (ann.id.clone(), bob.id.clone());
    let chat = ann.make_private(&mut [&mut bob]).await;
    let as_carl = |body| as_user(&carl, body);

    let said = service.done("new-message", as_carl(message(&chat, "from outside"))).await;
    assert_eq!(said["user_id"], carl.as_str());
    let body = json!({ "chat": { "id": chat, "name": "renamed" } });
    let renamed = service.done("update-chat", body).await;
    service.done("remove-member", of_chat_and(&chat, &bob_id)).await;
    service.done("invite", of_chat_and(&chat, &bob_id)).await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.next("new-message").await, said);
        assert_eq!(client.next("update-chat").await, as_pushed(renamed.clone()));
        client.next("remove-member").await;
    }
    bob.next("invitation").await;
    service.done("remove-member", of_chat_and(&chat, &ann_id)).await;
    ann.next("remove-member").await;
    assert_eq!(service.done("list-chats", as_carl(json!({}))).await["chats"], json!([]));
    // It can join by acting as a user who is a member already.
    service.done("join-chat", as_carl(of_chat(&chat))).await;
    assert_eq!(service.done("list-chats", json!({})).await["chats"][0]["id"], chat.as_str());
    ann.nothing_more().await;
}

#[tokio::test]
async fn the_service_may_do_everything_in_a_team() {
    let server = TestServer::with_credentials(Access::Token).await;
    let mut service = server.service().await;
    let mut bob = server.token_user("bob").await;
    let mut ann = server.token_user("ann").await;
    let (ann_id, carl) = (ann.id.clone(), server.token_user("carl").await.id);
    let team = ann.make_team("crew", &[]).await;
    service.done("list-chats", as_user(&carl, json!({}))).await;
    let of_team = |user: &str| json!({ "team": { "id": team }, "user": { "id": user } });
    service.done("add-to-team", of_team(&bob.id)).await;
    let chat = json!({ "name": "of the team", "private": false, "team_id": team });
    service.done("create-chat", json!({ "chat": chat, "users": [bob.id] })).await;
    assert_eq!(bob.next("create-chat").await["chat"]["user"], carl.as_str());
    service.done("remove-from-team", of_team(&ann_id)).await;
    assert_eq!(ann.done("list-teams", json!({})).await["teams"], json!([]));
}

#[tokio::test]
async fn the_service_stays_subscribed_to_a_chat_made_private() {
    let server = TestServer::with_credentials(Access::Open).await;
    let mut ann = server.token_user("ann").await;
    let eve = server.token_user("eve").await.id;
    let mut nobody = server.connect().await;
    let (mut service, mut as_eve) = (server.service().await, server.service().await);
    let chat = ann.make_public(&mut []).await;
    as_eve.done("list-chats", as_user(&eve, json!({}))).await;
    for client in [&mut service, &mut as_eve, &mut nobody] {
        client.done("subscribe", channel(&chat)).await;
    }
    ann.sees_join(&chat, "eve", 1).await;
    ann.done("update-chat", json!({ "chat": { "id": chat, "private": true } })).await;
    ann.next("update-chat").await;
    let said = ann.say(&chat, "among us").await;
    for client in [&mut service, &mut as_eve] {
        assert_eq!(client.next_of("chat-message").await, on_channel(&said));
    }
    let error = nobody.refused("unsubscribe", channel(&chat)).await;
    assert_error(&error, "not_found", Some("channel"));
}

#[tokio::test]
async fn the_service_has_no_limits_of_requests_and_messages() {
    let server = TestServer::with(|config| {
        with_credentials(Access::Open)(config);
        config.limits.requests_per_address = 10;
        config.limits.requests_per_user = 5;
        config.limits.messages_per_user = 2;
    })
    .await;
    let mut service = server.service().await;
    let user = json!({ "user": { "id": "ann", "name": "Ann", "photo": "" } });
    service.done("create-user", user).await;
    let chat = service.make_private(&mut []).await;
    for text in (0..20).map(|at| at.to_string()) {
        service.done("list-chats", json!({})).await;
        service.say(&chat, &text).await;
    }
    // Its messages do not count against the limits of the users that it acts as.
    let mut ann = server.connect().await;
    for text in ["as", "Ann"] {
        ann.done("new-message", as_user("ann", message(&chat, text))).await;
    }
    let error = ann.refused("new-message", message(&chat, "herself")).await;
    assert_eq!(error["code"], "rate_limited");
}

#[tokio::test]
async fn the_service_is_answered_once_without_an_ack() {
    let server = TestServer::with_credentials(Access::Open).await;
    let (mut ann, bob) = (server.token_user("ann").await, server.token_user("bob").await);
    let chat = ann.make_private(&mut []).await;
    let rename = |by: &str| {
        let chat = json!({ "id": chat, "name": format!("by {by}") });
        as_user(by, json!({ "chat": chat }))
    };
    // Ann is a member, and gets the push. Bob is none.
    for by in [&ann.id, &bob.id] {
        let mut service = server.service().await;
        service.tell("update-chat", rename(by)).await;
        let pushed = service.next("update-chat").await;
        assert_eq!(pushed["chat"]["name"], format!("by {by}"));
        service.tell("new-message", as_user(by, message(&chat, by))).await;
        assert_eq!(service.next("new-message").await["msg"], *by);
        service.nothing_more().await;
    }
    // In the room it gets the push, whichever user it acts as.
    let mut service = server.service().await;
    service.done("subscribe", channel(&chat)).await;
    service.tell("update-chat", rename(&bob.id)).await;
    service.next("update-chat").await;
    service.nothing_more().await;
}

#[tokio::test]
async fn the_service_gets_one_event_as_sender_and_member() {
    let server = TestServer::with_credentials(Access::Open).await;
    let (mut ann, bob) = (server.token_user("ann").await, server.token_user("bob").await);
    let chat = ann.make_private(&mut []).await;
    let mut service = server.service().await;
    service.done("list-chats", as_user(&ann.id, json!({}))).await;
    let as_bob = |mut body: Value| {
        body["actor"] = json!({ "id": bob.id });
        body
    };
    service.tell("new-message", as_bob(message(&chat, "hi"))).await;
    assert_eq!(service.next("new-message").await["msg"], "hi");
    let renamed = json!({ "chat": { "id": chat, "name": "new" } });
    service.tell("update-chat", as_bob(renamed)).await;
    assert_eq!(service.next("update-chat").await["chat"]["name"], "new");
    service.nothing_more().await;
}
