//! The committed events that the host application receives.

use chinwag::embed::{Event, Events, Message, NewMessage};
use futures_util::future::join_all;
use serde_json::json;

use super::{chat, next, user};
use crate::support::nodes::Nodes;
use crate::support::{TestServer, message, soon};

async fn next_sent(events: &mut Events) -> Message {
    match next(events).await {
        Event::MessageSent(message) => message,
        other => panic!("no message was sent: {other:?}"),
    }
}

#[tokio::test]
async fn the_host_gets_events_in_the_order_of_the_commits() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut events = server.as_host().events();
    let id = ann.chat("open", false, &[]).await;
    let Event::ChatCreated(made) = next(&mut events).await else { panic!("the chat comes first") };
    assert_eq!((made.id.as_str(), made.name.as_str(), made.private), (id.as_str(), "open", false));
    assert_eq!((&made.creator_id, &made.users), (&ann.id, &vec![ann.id.clone()]));

    let of_chat = json!({ "chat": { "id": id } });
    bob.done("join-chat", of_chat.clone()).await;
    let (chat_id, user_id) = (id.clone(), bob.id.clone());
    assert_eq!(next(&mut events).await, Event::MemberJoined { chat_id, user_id });
    let said = bob.ask("new-message", message(&id, "hello")).await;
    let sent = next_sent(&mut events).await;
    assert_eq!(said["id"], sent.id.as_str());
    assert_eq!((sent.seq, sent.value.as_str(), sent.user_name.as_str()), (1, "hello", "bob"));
    assert_eq!((&sent.chat_id, &sent.user_id), (&id, &bob.id));

    let edit = json!({ "id": sent.id, "value": "hi" });
    bob.done("edit-message", json!({ "chat": { "id": id }, "message": edit })).await;
    let Event::MessageChanged(changed) = next(&mut events).await else { panic!("it was edited") };
    assert_eq!((changed.value.as_str(), changed.edited_at.is_some()), ("hi", true));
    let of_message = json!({ "chat": { "id": id }, "message": { "id": sent.id } });
    ann.done("delete-message", of_message).await;
    let Event::MessageChanged(changed) = next(&mut events).await else { panic!("it was deleted") };
    assert_eq!((changed.value.as_str(), changed.deleted_at.is_some()), ("", true));

    // The host does not receive what is not stored, or concerns one client alone.
    bob.done("typing", of_chat.clone()).await;
    bob.done("mark-read", of_chat.clone()).await;
    bob.done("leave-chat", of_chat.clone()).await;
    let (chat_id, user_id) = (id.clone(), bob.id.clone());
    assert_eq!(next(&mut events).await, Event::MemberLeft { chat_id, user_id });
    ann.done("delete-chat", of_chat).await;
    assert_eq!(next(&mut events).await, Event::ChatDeleted { chat_id: id });
}

#[tokio::test]
async fn a_listener_gets_only_events_after_its_start() {
    let server = TestServer::start().await;
    let service = server.as_host().service();
    user(service, "ann").await;
    let mut early = server.as_host().events();
    let first = chat(service, &["ann"]).await;
    assert_eq!(next(&mut early).await, Event::ChatCreated(first));
    let mut late = server.as_host().events();
    let second = chat(service, &["ann"]).await;
    assert_eq!(next(&mut early).await, Event::ChatCreated(second.clone()));
    assert_eq!(next(&mut late).await, Event::ChatCreated(second));
}

#[tokio::test]
async fn a_listener_that_does_not_keep_up_is_told_how_much_it_missed() {
    let server = TestServer::start().await;
    let service = server.as_host().service();
    user(service, "ann").await;
    let chat = chat(service, &["ann"]).await;
    let mut events = server.as_host().events();
    let too_many = Events::MAX_BEHIND + 10;
    let sent = (0..too_many).map(|_| service.new_message("ann", &chat.id, NewMessage::text("on")));
    let sent = soon("all are sent", join_all(sent)).await;
    assert!(sent.iter().all(Result::is_ok));
    // By then the host has been sent all of them, too.
    server.user("bob").await.nothing_more().await;

    let missed = events.next().await.unwrap().unwrap_err();
    let last_missed = i64::try_from(missed.count).unwrap();
    assert!(last_missed >= 10, "{missed}");
    let page = service.list_messages(&chat.id, last_missed, too_many).await.unwrap();
    assert!(page.messages.len() > Events::MAX_BEHIND / 2);
    for message in page.messages {
        assert_eq!(next_sent(&mut events).await, message);
    }
}

#[tokio::test]
async fn the_events_end_with_the_server() {
    let server = TestServer::start().await;
    let service = server.as_host().service().clone();
    let mut events = server.as_host().events();
    user(&service, "ann").await;
    let chat = chat(&service, &["ann"]).await;
    server.shutdown().await;
    assert_eq!(next(&mut events).await, Event::ChatCreated(chat.clone()));
    assert_eq!(soon("the events end", events.next()).await, None);

    let late = service.new_message("ann", &chat.id, NewMessage::text("too late")).await;
    assert_eq!(late.map_err(|error| error.code()), Err("unavailable"));
}

#[tokio::test]
async fn a_node_reports_only_its_own_commits_to_its_host() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let mut hosts = [nodes[0].as_host().events(), nodes[1].as_host().events()];
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let id = ann.chat("ours", true, &[&bob.id]).await;
    bob.next("create-chat").await;
    for (client, text) in [(&mut ann, "one"), (&mut bob, "two")] {
        client.ask("new-message", message(&id, text)).await;
    }
    assert!(matches!(next(&mut hosts[0]).await, Event::ChatCreated(_)));
    assert_eq!(next_sent(&mut hosts[0]).await.value, "one");
    assert_eq!(next_sent(&mut hosts[1]).await.value, "two");
}
