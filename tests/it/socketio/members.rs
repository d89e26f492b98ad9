//! `list-members`

use serde_json::{Value, json};

use crate::support::steps::of_chat;
use crate::support::{TestServer, assert_error};

#[tokio::test]
async fn the_list_shows_each_member_and_when_they_joined() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.make_public(&mut []).await;
    bob.done("join-chat", of_chat(&chat)).await;
    ann.say(&chat, "hello").await;
    bob.done("mark-read", of_chat(&chat)).await;
    let listed = bob.done("list-members", of_chat(&chat)).await;
    assert!(listed.get("next").is_none(), "{listed}");
    let members = listed["members"].as_array().unwrap();
    let of = |id: &str| members.iter().find(|it| it["user"]["id"] == id).unwrap();
    assert_eq!(members.len(), 2);
    let (owner, member) = (of(&ann.id), of(&bob.id));
    assert_eq!((&owner["role"], &member["role"]), (&json!("owner"), &json!("member")));
    assert_eq!((&owner["user"]["name"], &owner["user"]["online"]), (&json!("ann"), &json!(true)));
    assert_eq!((&owner["read_seq"], &member["read_seq"]), (&json!(0), &json!(1)));
    assert!(owner["joined_at"].as_str() < member["joined_at"].as_str(), "{members:?}");
}

#[tokio::test]
async fn the_list_comes_in_pages() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut all = vec![ann.id.clone()];
    for name in ["b", "c", "d", "e"] {
        all.push(server.user(name).await.id.clone());
    }
    let others: Vec<_> = all[1..].iter().map(String::as_str).collect();
    let chat = ann.chat("many", true, &others).await;
    all.sort_unstable();
    let (mut listed, mut after) = (Vec::new(), Value::Null);
    loop {
        let body = json!({ "chat": { "id": chat }, "limit": 2, "after": after });
        let page = ann.done("list-members", body).await;
        let members = page["members"].as_array().unwrap();
        assert!(members.len() <= 2);
        listed.extend(members.iter().map(|it| it["user"]["id"].as_str().unwrap().to_owned()));
        match page.get("next") {
            Some(next) => after = next.clone(),
            None => break,
        }
    }
    assert_eq!(listed, all);
    let error = ann.refused("list-members", json!({})).await;
    assert_error(&error, "invalid", Some("chat"));
}
