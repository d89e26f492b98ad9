//! `pin-message`

use serde_json::json;

use crate::socketio::changes::of_message;
use crate::socketio::extras::talk;
use crate::support::{TestServer, assert_error};

#[tokio::test]
async fn moderators_pin_messages_and_members_list_them() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let one = bob.say_quietly(&chat, "one").await;
    let two = ann.say_quietly(&chat, "two").await;
    let error = bob.refused("pin-message", of_message(&chat, &one)).await;
    assert_error(&error, "forbidden", None);
    let pinned = ann.done("pin-message", of_message(&chat, &one)).await;
    assert_eq!(pinned["pinned_at"], pinned["modified_at"]);
    assert_eq!(ann.done("pin-message", of_message(&chat, &one)).await, pinned);
    assert_eq!(bob.next_of("message-changed").await["changed"], "pinned");
    let list = json!({ "chat": { "id": chat }, "query": { "pinned": true } });
    let page = bob.done("list-messages", list.clone()).await;
    assert_eq!(page, json!({ "messages": [pinned] }));
    let mut off = of_message(&chat, &one);
    off["on"] = false.into();
    assert_eq!(ann.done("pin-message", off).await.get("pinned_at"), None);
    assert_eq!(bob.done("list-messages", list.clone()).await, json!({ "messages": [] }));
    ann.done("pin-message", of_message(&chat, &two)).await;
    for at in 0..99 {
        let said = ann.say_quietly(&chat, &at.to_string()).await;
        ann.done("pin-message", of_message(&chat, &said)).await;
    }
    let error = ann.refused("pin-message", of_message(&chat, &one)).await;
    assert_error(&error, "conflict", Some("message.id"));
    let page = bob.done("list-messages", list).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 100);
}
