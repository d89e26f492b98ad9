//! Wrong inputs, one for each valid one, for requests about rooms, owners, invitations and teams.

use serde_json::{Value, json};

use crate::support::steps::NO_ID;
use crate::support::{Client, TestServer, assert_error};

const REQUESTS: [&str; 12] = [
    "subscribe",
    "unsubscribe",
    "update-chat",
    "remove-member",
    "invite",
    "list-invitations",
    "accept-invitation",
    "decline-invitation",
    "create-team",
    "list-teams",
    "add-to-team",
    "remove-from-team",
];

/// Everything that a user can list.
async fn state(client: &mut Client) -> [Value; 3] {
    [
        client.done("list-chats", json!({})).await,
        client.done("list-teams", json!({})).await,
        client.done("list-invitations", json!({})).await,
    ]
}

#[tokio::test]
async fn wrong_input_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let team = ann.make_team("crew", &[&bob.id]).await;
    let of_bob = bob.make_private(&mut []).await;
    bob.invite(&of_bob, &ann.id).await;
    ann.next("invitation").await;
    let before = state(&mut ann).await;

    let to = |channel: Value| json!({ "channel": channel });
    let update = |field: &str, value: Value| json!({ "chat": { "id": chat, field: value } });
    let make = |name: Value| json!({ "team": { "name": name }, "users": [] });
    let with = |users: Value| json!({ "team": { "name": "n" }, "users": users });
    let long = "x".repeat(256);
    let mut invalid = vec![
        ("update-chat", json!({}), "chat"),
        ("update-chat", json!({ "chat": chat }), "chat"),
        ("update-chat", json!({ "chat": { "name": "n" } }), "chat.id"),
        ("update-chat", json!({ "chat": { "id": 7, "name": "n" } }), "chat.id"),
        ("update-chat", update("name", json!("")), "chat.name"),
        ("update-chat", update("name", json!("  ")), "chat.name"),
        ("update-chat", update("name", json!("a\u{7}")), "chat.name"),
        ("update-chat", update("name", json!(7)), "chat.name"),
        ("update-chat", update("description", json!(7)), "chat.description"),
        ("update-chat", update("private", json!("yes")), "chat.private"),
        ("list-invitations", json!({ "user": "ann" }), "user"),
        ("create-team", json!({}), "team"),
        ("create-team", json!({ "team": "crew" }), "team"),
        ("create-team", make(json!(null)), "team.name"),
        ("create-team", make(json!("")), "team.name"),
        ("create-team", make(json!(7)), "team.name"),
        ("create-team", with(json!("bob")), "users"),
        ("create-team", with(json!([bob.id, false])), "users.1"),
        ("list-teams", json!({ "user": {} }), "user.id"),
    ];
    for event in ["subscribe", "unsubscribe"] {
        invalid.push((event, json!({}), "channel"));
        for channel in [json!(7), json!({ "id": chat }), json!(""), json!("rooms")] {
            invalid.push((event, to(channel), "channel"));
        }
        for channel in [format!("room:{chat}"), format!("Room-{chat}"), chat.clone()] {
            invalid.push((event, to(json!(channel)), "channel"));
        }
    }
    for event in ["accept-invitation", "decline-invitation"] {
        invalid.push((event, json!({}), "invitation"));
        invalid.push((event, json!({ "invitation": NO_ID }), "invitation"));
        invalid.push((event, json!({ "invitation": {} }), "invitation.id"));
        invalid.push((event, json!({ "invitation": { "id": 7 } }), "invitation.id"));
    }
    let about = [
        ("remove-member", "chat", "chat.id", &chat),
        ("invite", "chat", "chat.id", &chat),
        ("add-to-team", "team", "team.id", &team),
        ("remove-from-team", "team", "team.id", &team),
    ];
    for (event, place, place_id, id) in about {
        let user = json!({ "id": bob.id });
        invalid.push((event, json!({ "user": user }), place));
        invalid.push((event, json!({ "user": user, place: id }), place));
        invalid.push((event, json!({ "user": user, place: {} }), place_id));
        invalid.push((event, json!({ "user": user, place: { "id": 7 } }), place_id));
        invalid.push((event, json!({ place: { "id": id } }), "user"));
        invalid.push((event, json!({ place: { "id": id }, "user": bob.id }), "user"));
        invalid.push((event, json!({ place: { "id": id }, "user": {} }), "user.id"));
        invalid.push((event, json!({ place: { "id": id }, "user": { "id": 7.5 } }), "user.id"));
    }
    for (event, body, field) in invalid {
        assert_error(&ann.refused(event, body).await, "invalid", Some(field));
    }
    let too_large = [
        ("update-chat", update("name", json!(long)), "chat.name"),
        ("update-chat", update("description", json!("x".repeat(4097))), "chat.description"),
        ("create-team", make(json!(long)), "team.name"),
        ("create-team", with(json!(vec!["x"; 1001])), "users"),
    ];
    for (event, body, field) in too_large {
        assert_error(&ann.refused(event, body).await, "too_large", Some(field));
    }
    let user = json!({ "id": bob.id });
    let no_uuid = json!({ "id": "no-uuid" });
    let not_found = [
        ("subscribe", to(json!("room-no-uuid")), "channel"),
        ("unsubscribe", to(json!("room-no-uuid")), "channel"),
        ("update-chat", json!({ "chat": no_uuid }), "chat.id"),
        ("remove-member", json!({ "chat": no_uuid, "user": user }), "chat.id"),
        ("invite", json!({ "chat": no_uuid, "user": user }), "chat.id"),
        ("accept-invitation", json!({ "invitation": no_uuid }), "invitation.id"),
        ("decline-invitation", json!({ "invitation": no_uuid }), "invitation.id"),
        ("add-to-team", json!({ "team": no_uuid, "user": user }), "team.id"),
        ("remove-from-team", json!({ "team": no_uuid, "user": user }), "team.id"),
        ("list-teams", json!({ "user": { "id": "nobody" } }), "user.id"),
        ("list-invitations", json!({ "user": { "id": "nobody" } }), "user.id"),
    ];
    for (event, body, field) in not_found {
        assert_error(&ann.refused(event, body).await, "not_found", Some(field));
    }
    assert_eq!(state(&mut ann).await, before);
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    for event in REQUESTS {
        for body in [json!(null), json!([]), json!("x"), json!(1), json!(true)] {
            assert_error(&ann.refused(event, body).await, "invalid", None);
        }
        ann.send(format!("42{}", json!([event]))).await;
        assert_eq!(ann.next("exception").await["event"], event);
    }
}

#[tokio::test]
async fn a_socket_without_a_user_has_no_invitations_and_no_teams() {
    let server = TestServer::start().await;
    let ann = server.user("ann").await;
    let mut nobody = server.connect().await;
    let invitation = json!({ "invitation": { "id": NO_ID } });
    let team = json!({ "team": { "id": NO_ID }, "user": { "id": ann.id } });
    for (event, body) in [
        ("list-invitations", json!({})),
        ("accept-invitation", invitation.clone()),
        ("decline-invitation", invitation),
        ("create-team", json!({ "team": { "name": "crew" } })),
        ("list-teams", json!({})),
        // In these `user` names the other user: it does not say who asks.
        ("add-to-team", team.clone()),
        ("remove-from-team", team),
        ("list-chats", json!({})),
    ] {
        assert_error(&nobody.refused(event, body).await, "unauthenticated", None);
    }
}

#[tokio::test]
async fn the_largest_valid_input_is_accepted() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    let name = "é".repeat(255);
    let body = json!({ "id": chat, "name": name, "description": "é".repeat(4096) });
    let changed = ann.done("update-chat", json!({ "chat": body })).await;
    assert_eq!(changed["chat"]["name"], name);
    for _ in 0..2 {
        let made = ann.done("create-team", json!({ "team": { "name": name } })).await;
        assert_eq!(made["team"]["name"], name);
    }
}
