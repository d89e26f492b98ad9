//! Messages that are older than the retention allows are deleted without a trace.

use serde_json::{Value, json};

use crate::program::housekeeping::run;
use crate::socketio::spelling::execute;
use crate::support::nodes::Processes;
use crate::support::{Client, TestServer, message, services, soon};

/// The `seq` of the first message in the history of a chat.
async fn first(client: &mut Client, chat: &str) -> Value {
    let query = json!({ "chat": { "id": chat }, "query": { "after_seq": 0 } });
    let page = client.ask("list-messages", query).await;
    page["messages"][0]["seq"].clone()
}

/// Waits until the history of a chat begins with this message.
async fn begins_with(client: &mut Client, chat: &str, seq: i64) {
    soon("older ones are deleted", async {
        while first(client, chat).await != json!(seq) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A chat as its member sees it in the list.
async fn own(client: &mut Client, chat: &str) -> Value {
    let list = client.ask("list-chats", json!({})).await;
    list["chats"].as_array().unwrap().iter().find(|it| it["id"] == chat).unwrap().clone()
}

#[tokio::test]
async fn the_shorter_retention_of_chat_and_server_holds() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let short = ann.chat("short", true, &[&bob.id]).await;
    let long = ann.chat("long", true, &[&bob.id]).await;
    for chat in [&short, &long] {
        for at in 1..=450 {
            ann.done("new-message", message(chat, &format!("a message {at}"))).await;
        }
        bob.ask("new-message", message(chat, "from bob")).await;
        let last = ann.ask("new-message", message(chat, "the last")).await;
        assert_eq!(last["seq"], 452);
    }
    let keep = |days: i64| json!({ "chat": { "id": short, "retention_days": days } });
    assert_eq!(bob.refused("update-chat", keep(2)).await["code"], "forbidden");
    let role = json!({ "chat": { "id": short }, "user": { "id": bob.id }, "role": "moderator" });
    ann.ask("set-role", role).await;
    assert_eq!(bob.refused("update-chat", keep(2)).await["code"], "forbidden");
    assert_eq!(ann.refused("update-chat", keep(-1)).await["code"], "invalid");
    assert_eq!(ann.ask("update-chat", keep(2)).await["chat"]["retention_days"], 2);
    assert_eq!(bob.next_of("update-chat").await["chat"]["retention_days"], 2);
    assert_eq!(own(&mut bob, &short).await["unread"], 451);

    // Makes messages older, as if days had gone by.
    let directory = server.shutdown().await;
    let days = |days: i64| days * 24 * 60 * 60 * 1_000_000;
    let (three, five) = (days(3), days(5));
    let older = format!(
        "update messages set created_at = created_at - {three} where seq <= 450;
         update messages set created_at = created_at - {five} where seq <= 10"
    );
    execute(&directory, &older).await;
    let server = TestServer::on(directory, |_| {}).await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    begins_with(&mut ann, &short, 451).await;
    assert_eq!(first(&mut ann, &long).await, 1);
    let unread = async |bob: &mut Client, chat: &str| own(bob, chat).await["unread"].clone();
    assert_eq!(
        (unread(&mut bob, &short).await, unread(&mut bob, &long).await),
        (1.into(), 451.into())
    );
    // A chat cannot be marked as unread further back than its messages go.
    let back = json!({ "chat": { "id": short }, "seq": 1, "unread": true });
    assert_eq!(bob.ask("mark-read", back).await["chat"]["unread"], 1);
    let sent = ann.ask("new-message", message(&short, "and on")).await;
    assert_eq!(sent["seq"], 453);
    let for_ever = json!({ "chat": { "id": short, "retention_days": 0 } });
    assert_eq!(ann.ask("update-chat", for_ever).await["chat"].get("retention_days"), None);

    // The server's limit holds, whatever the chat's retention is.
    let directory = server.shutdown().await;
    let server = TestServer::on(directory, |config| config.retention = 4).await;
    let mut ann = server.user("ann").await;
    begins_with(&mut ann, &long, 11).await;
    assert_eq!(own(&mut ann, &long).await["last_seq"], 452);
}

#[tokio::test]
async fn several_nodes_may_delete_old_messages_at_once() {
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let database = services::database(&postgres).await;
    let server = TestServer::with(|config| config.database_url = database.as_str().into()).await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chats =
        [ann.chat("one", true, &[&bob.id]).await, ann.chat("other", true, &[&bob.id]).await];
    for chat in &chats {
        for at in 1..=250 {
            ann.done("new-message", message(chat, &format!("a message {at}"))).await;
            bob.done("new-message", message(chat, &format!("an answer {at}"))).await;
        }
    }
    server.shutdown().await;
    let days = 3 * 24 * 60 * 60 * 1_000_000_i64;
    let older = format!("update messages set created_at = created_at - {days} where seq <= 490");
    run(&database, &older).await;
    let nodes = Processes::on(vec![(database, redis); 2], &["--retention", "1"]).await;
    let mut bob = nodes[1].user("bob").await;
    for chat in &chats {
        begins_with(&mut bob, chat, 491).await;
        assert_eq!(own(&mut bob, chat).await["unread"], 5);
    }
    for node in 0..nodes.count() {
        assert!(!nodes.log(node).contains("too old"), "{}", nodes.log(node));
    }
    nodes.assert_no_defect();
}
