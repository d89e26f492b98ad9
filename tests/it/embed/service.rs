//! What the host application may do in the name of users.

use chinwag::Access;
use chinwag::embed::{MessageType, NewChat, NewMessage, NewUser, RequestError};
use futures_util::FutureExt;
use serde_json::json;

use super::{chat, next, user};
use crate::support::TestServer;

#[track_caller]
fn assert_refused<T>(answer: Result<T, RequestError>, code: &str, field: Option<&str>) {
    let Err(error) = answer else { panic!("it was not refused") };
    assert_eq!((error.code(), error.field()), (code, field), "{error}");
}

#[tokio::test]
async fn a_client_gets_messages_that_the_host_sends() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let service = server.as_host().service();
    let bot = user(service, "bot").await;
    let chat = chat(service, &["bot", &ann.id]).await;
    let made = ann.next("create-chat").await;
    assert_eq!((&made["chat"]["id"], &made["chat"]["user"]), (&json!(chat.id), &json!(bot.id)));
    let new = NewMessage {
        value: "https://example.com/moth.png".into(),
        kind: MessageType::Img,
        client_id: Some("moth".into()),
    };
    let sent = service.new_message("bot", &chat.id, new.clone()).await.unwrap();
    let pushed = ann.next("new-message").await;
    assert_eq!((&pushed["id"], &pushed["seq"]), (&json!(sent.id), &json!(1)));
    assert_eq!((&pushed["type"], &pushed["msg"]), (&json!("img"), &json!(new.value)));
    assert_eq!(pushed["user"]["name"], "bot");

    // Sending it again with the same `client_id` gives the same message.
    assert_eq!(service.new_message("bot", &chat.id, new).await.unwrap(), sent);
    let second = NewMessage::text("more");
    let second = service.new_message("bot", &chat.id, second).await.unwrap();
    assert_eq!(ann.next("new-message").await["seq"], 2);
    let page = service.list_messages(&chat.id, 0, 1).await.unwrap();
    assert_eq!((page.messages, page.next), (vec![sent], Some(1)));
    let page = service.list_messages(&chat.id, 1, 0).await.unwrap();
    assert_eq!((page.messages, page.next), (vec![second], None));
}

#[tokio::test]
async fn the_host_is_refused_the_same_as_a_client_with_the_api_key() {
    let server = TestServer::with_limits(|limits| {
        (limits.max_message, limits.max_chat_users) = (10, 2);
    })
    .await;
    let service = server.as_host().service();
    user(service, "ann").await;
    let chat = chat(service, &["ann"]).await;
    let nameless = NewUser { id: Some("eve".into()), ..NewUser::default() };
    assert_refused(service.create_user(nameless).await, "invalid", Some("user.name"));
    let unknown = NewUser { name: "Eve".into(), ..NewUser::default() };
    assert_refused(service.create_user(unknown).await, "invalid", Some("user.external_id"));
    let named = |name: &str| NewChat { name: name.into(), ..NewChat::default() };
    assert_refused(service.create_chat("ann", named(" ")).await, "invalid", Some("chat.name"));
    assert_refused(service.create_chat("eve", named("x")).await, "not_found", Some("user.id"));
    let with = |users: &[&str]| {
        let users = users.iter().map(ToString::to_string).collect();
        NewChat { users, ..named("x") }
    };
    let many = with(&["a", "b", "c"]);
    assert_refused(service.create_chat("ann", many).await, "too_large", Some("users"));
    let blank = with(&["ann", ""]);
    assert_refused(service.create_chat("ann", blank).await, "invalid", Some("users.1"));
    let text = NewMessage::text;
    let long = service.new_message("ann", &chat.id, text("far too long")).await;
    assert_refused(long, "too_large", Some("message.value"));
    let empty = service.new_message("ann", &chat.id, text("")).await;
    assert_refused(empty, "invalid", Some("message.value"));
    let nowhere = service.new_message("ann", "nowhere", text("hi")).await;
    assert_refused(nowhere, "not_found", Some("chat.id"));
    let by_nobody = service.new_message("eve", &chat.id, text("hi")).await;
    assert_refused(by_nobody, "not_found", Some("user.id"));
    assert_refused(service.list_messages("nowhere", 0, 10).await, "not_found", Some("chat.id"));
}

#[tokio::test]
async fn the_host_may_act_as_anyone_where_others_need_a_token() {
    let server = TestServer::with(|config| {
        config.access = Some(Access::Token);
        config.jwt_secret = Some("of the application".into());
    })
    .await;
    let service = server.as_host().service();
    user(service, "ann").await;
    user(service, "bot").await;
    let chat = chat(service, &["ann"]).await;
    // To a chat that the bot is not a member of.
    let said = service.new_message("bot", &chat.id, NewMessage::text("hi")).await.unwrap();
    assert_eq!((said.seq, said.user_id.as_str()), (1, "bot"));
}

#[tokio::test]
async fn creating_a_chat_again_returns_the_existing_one() {
    let server = TestServer::start().await;
    let service = server.as_host().service();
    user(service, "ann").await;
    let new = NewChat { name: "ours".into(), client_id: Some("x".into()), ..NewChat::default() };
    let made = service.create_chat("ann", new.clone()).await.unwrap();
    assert_eq!(service.create_chat("ann", new).await.unwrap(), made);
}

#[tokio::test]
async fn the_host_can_make_every_request_that_needs_no_socket() {
    let server = TestServer::start().await;
    let service = server.as_host().service();
    user(service, "ann").await;
    let chat = chat(service, &["ann"]).await;
    let said = service.new_message("ann", &chat.id, NewMessage::text("hi")).await.unwrap();
    let react = json!({
        "actor": { "id": "ann" },
        "chat": { "id": chat.id },
        "message": { "id": said.id },
        "reaction": "👍",
    });
    let answer = service.request("react", react).await.unwrap();
    assert_eq!(answer["reactions"][0]["users"], json!(["ann"]));

    let refused = service.request("react", json!({ "chat": { "id": chat.id } })).await;
    assert_refused(refused, "invalid", Some("message"));
    assert_refused(service.request("raect", json!({})).await, "invalid", None);
    assert_refused(service.request("list-teams", json!([])).await, "invalid", None);
    let socket = service.request("subscribe", json!({ "channel": "system" })).await;
    assert_refused(socket, "not_found", Some("event"));
}

#[tokio::test]
async fn a_request_of_the_host_is_done_though_its_future_is_dropped() {
    let server = TestServer::start().await;
    let service = server.as_host().service();
    user(service, "ann").await;
    let mut events = server.as_host().events();
    let new = NewChat { name: "left alone".into(), ..NewChat::default() };
    assert!(service.create_chat("ann", new).now_or_never().is_none());
    let chinwag::embed::Event::ChatCreated(made) = next(&mut events).await else {
        panic!("the chat was not made");
    };
    assert_eq!(made.name, "left alone");
}
