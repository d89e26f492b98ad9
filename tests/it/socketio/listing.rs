//! The lists of a user who has many chats.

use serde_json::{Value, json};

use crate::support::{Client, TestServer};

const API_KEY: &str = "the service's key";

/// More chats than are sorted for one list.
const MANY: usize = 205;

/// The ids of all of a client's chats, in the order of the pages.
async fn listed(client: &mut Client) -> Vec<String> {
    let (mut ids, mut before) = (Vec::new(), Value::Null);
    loop {
        let page = client.ask("list-chats", json!({ "limit": 7, "before": before })).await;
        let chats = page["chats"].as_array().unwrap().iter();
        ids.extend(chats.map(|chat| chat["id"].as_str().unwrap().to_owned()));
        match page.get("next") {
            Some(next) => before = next.clone(),
            None => return ids,
        }
    }
}

/// The chat of a client and another user.
async fn direct(client: &mut Client, other: &Client) -> String {
    let answer = client.ask("open-direct", json!({ "user": { "id": other.id } })).await;
    client.next("create-chat").await;
    answer["chat"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn many_chats_are_listed_in_the_order_of_their_activity() {
    let server = TestServer::with(|config| config.api_key = Some(API_KEY.into())).await;
    let (bob, cat) = (server.user("bob").await, server.user("cat").await);
    let mut ann = server.user("ann").await;
    let mut order = Vec::new();
    for name in 0..MANY {
        order.push(ann.chat(&name.to_string(), true, &[]).await);
    }
    order.push(direct(&mut ann, &bob).await);
    order.push(direct(&mut ann, &cat).await);
    for at in [MANY, 3, MANY - 2, MANY + 1, 7, MANY] {
        ann.say(&order[at].clone(), "hello").await;
    }
    let moved = [3, MANY - 2, MANY + 1, 7, MANY].map(|at| order[at].clone());
    order.retain(|id| !moved.contains(id));
    order.extend(moved);
    order.reverse();
    assert!(listed(&mut ann).await == order, "in another order");

    let inbox = server.fetch(&format!("/api/inbox?user={}", ann.id), API_KEY).await;
    let with: Vec<_> =
        inbox.as_array().unwrap().iter().map(|thread| &thread["with_username"]).collect();
    assert_eq!(with, [&bob.id, &cat.id]);
}
