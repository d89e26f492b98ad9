//! Teams: how they are made, listed, joined and left, and the chats of a team.

use serde_json::{Value, json};

use crate::support::steps::{
    NO_ID, assert_ids, assert_presence, channel, of_chat, of_chat_and, sorted,
};
use crate::support::{Client, TestServer, as_pushed, assert_error, message};

fn of_team_and(team: &str, user: &str) -> Value {
    json!({ "team": { "id": team }, "user": { "id": user } })
}

/// The names of a user's teams, sorted.
async fn teams(client: &mut Client) -> Value {
    json!(sorted(&client.done("list-teams", json!({})).await["teams"], "name"))
}

#[tokio::test]
async fn is_made_with_its_creator_as_a_member() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let body = json!({ "team": { "name": "Ground Crew 7" }, "users": [bob.id, ann.id, bob.id] });
    let made = ann.done("create-team", body).await;
    assert_eq!(made["team"]["id"].as_str().unwrap().len(), 36);
    assert_eq!(made["team"]["name"], "Ground Crew 7");
    assert_eq!(made["team"]["slug"], "ground-crew-7");
    assert_eq!(made["team"]["user"], ann.id.as_str());
    assert_ids(&made["team"]["users"], [&ann.id, &bob.id]);
    for member in [&mut ann, &mut bob] {
        let listed = member.done("list-teams", json!({})).await;
        assert_eq!(listed["teams"], json!([made["team"]]));
    }
    let alone = ann.done("create-team", json!({ "team": { "name": "solo" } })).await;
    assert_eq!(alone["team"]["users"], json!([ann.id]));
    assert_eq!(teams(&mut ann).await, json!(["Ground Crew 7", "solo"]));
    assert_eq!(teams(&mut bob).await, json!(["Ground Crew 7"]));
}

#[tokio::test]
async fn no_two_teams_have_the_same_slug() {
    let server = TestServer::start().await;
    let (mut bob, mut ann) = (server.user("bob").await, server.user("ann").await);
    let slug = async |client: &mut Client, name: &str| {
        client.done("create-team", json!({ "team": { "name": name } })).await["team"]["slug"].take()
    };
    assert_eq!(slug(&mut ann, "Ground Crew").await, "ground-crew");
    assert_eq!(slug(&mut bob, "ground & CREW").await, "ground-crew-2");
    assert_eq!(slug(&mut ann, "Ground Crew").await, "ground-crew-3");
    assert_eq!(slug(&mut ann, "Ground Crew 2").await, "ground-crew-2-2");
}

#[tokio::test]
async fn names_every_unknown_user_at_once() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let body = json!({ "team": { "name": "crew" }, "users": ["no-1", ann.id, "no-2"] });
    let error = ann.refused("create-team", body).await;
    assert_error(&error, "not_found", Some("users"));
    let why = error["message"].as_str().unwrap();
    assert!(why.contains("no-1") && why.contains("no-2") && !why.contains(&ann.id), "{why}");
    assert_eq!(teams(&mut ann).await, json!([]));
}

#[tokio::test]
async fn any_member_may_add_another() {
    let server = TestServer::start().await;
    let (mut bob, mut cat) = (server.user("bob").await, server.user("cat").await);
    let mut ann = server.user("ann").await;
    let team = ann.make_team("crew", &[&bob.id]).await;
    let added = bob.done("add-to-team", of_team_and(&team, &cat.id)).await;
    assert_ids(&added["team"]["users"], [&ann.id, &bob.id, &cat.id]);
    assert_eq!(cat.done("list-teams", json!({})).await["teams"], json!([added["team"]]));
    let made = bob.done("create-team", json!({ "team": { "name": "Bob's" } })).await;
    assert_eq!(made["team"]["user"], bob.id.as_str(), "adding Cat did not make the socket hers");

    let error = cat.refused("add-to-team", of_team_and(&team, &bob.id)).await;
    assert_error(&error, "conflict", Some("user.id"));
    let error = ann.refused("add-to-team", of_team_and(&team, NO_ID)).await;
    assert_error(&error, "not_found", Some("user.id"));
}

#[tokio::test]
async fn does_not_exist_for_others() {
    let server = TestServer::start().await;
    let (mut eve, mut ann) = (server.user("eve").await, server.user("ann").await);
    let team = ann.make_team("crew", &[]).await;
    let ann_id = ann.id.clone();
    for event in ["add-to-team", "remove-from-team"] {
        for user in [&eve.id.clone(), &ann_id] {
            let error = eve.refused(event, of_team_and(&team, user)).await;
            assert_error(&error, "not_found", Some("team.id"));
            assert_eq!(eve.refused(event, of_team_and(NO_ID, user)).await, error);
        }
    }
    let chat = |team: &str| json!({ "chat": { "name": "mine", "team_id": team }, "users": [] });
    let error = eve.refused("create-chat", chat(&team)).await;
    assert_error(&error, "not_found", Some("chat.team_id"));
    assert_eq!(eve.refused("create-chat", chat(NO_ID)).await, error);
    assert_eq!(teams(&mut eve).await, json!([]));
    assert_eq!(eve.chats().await, json!([]));
}

#[tokio::test]
async fn its_creator_removes_anyone_and_members_only_themselves() {
    let server = TestServer::start().await;
    let (mut bob, mut cat) = (server.user("bob").await, server.user("cat").await);
    let mut ann = server.user("ann").await;
    let team = ann.make_team("crew", &[&bob.id, &cat.id]).await;
    for other in [&ann.id, &cat.id] {
        let error = bob.refused("remove-from-team", of_team_and(&team, other)).await;
        assert_error(&error, "forbidden", None);
    }
    let left = bob.done("remove-from-team", of_team_and(&team, &bob.id.clone())).await;
    assert_ids(&left["team"]["users"], [&ann.id, &cat.id]);
    assert_eq!(teams(&mut bob).await, json!([]));
    let error = ann.refused("remove-from-team", of_team_and(&team, &bob.id)).await;
    assert_error(&error, "conflict", Some("user.id"));
    let left = ann.done("remove-from-team", of_team_and(&team, &cat.id)).await;
    assert_eq!(left["team"]["users"], json!([ann.id]));

    // A creator who has left the team has no rights in it.
    ann.done("add-to-team", of_team_and(&team, &cat.id)).await;
    ann.done("add-to-team", of_team_and(&team, &bob.id)).await;
    ann.done("remove-from-team", of_team_and(&team, &ann.id.clone())).await;
    let error = ann.refused("remove-from-team", of_team_and(&team, &bob.id)).await;
    assert_error(&error, "not_found", Some("team.id"));
    let error = cat.refused("remove-from-team", of_team_and(&team, &bob.id)).await;
    assert_error(&error, "forbidden", None);
}

#[tokio::test]
async fn its_chats_are_for_its_members() {
    let server = TestServer::start().await;
    let (mut bob, mut eve) = (server.user("bob").await, server.user("eve").await);
    let mut ann = server.user("ann").await;
    let team = ann.make_team("crew", &[&bob.id]).await;
    let open = json!({ "name": "for the team", "private": false, "team_id": team });
    let made = ann.done("create-chat", json!({ "chat": open, "users": [] })).await;
    assert_eq!(made["chat"]["team_id"], team);
    let chat = made["chat"]["id"].as_str().unwrap();
    assert_eq!(ann.next("create-chat").await, as_pushed(made.clone()));
    ann.say(chat, "hello").await;

    assert_eq!(bob.chats().await, json!([]), "he has not joined");
    let page = bob.done("list-messages", of_chat(chat)).await;
    assert_eq!(page["messages"][0]["msg"], "hello");
    bob.done("subscribe", channel(chat)).await;
    ann.sees_join(chat, "bob", 1).await;
    bob.sees_join(chat, "bob", 1).await;
    let joined = bob.done("join-chat", of_chat(chat)).await;
    assert_ids(&joined["chat"]["users"], [&ann.id, &bob.id]);
    assert_eq!(joined["chat"]["team_id"], team);
    let said = bob.done("new-message", message(chat, "hello, Ann")).await;
    assert_eq!(ann.next("new-message").await, said);
    assert_eq!(bob.next("chat-message").await["id"], said["id"]);

    // A user who is added to the team may join its chats.
    let error = eve.refused("join-chat", of_chat(chat)).await;
    assert_error(&error, "not_found", Some("chat.id"));
    bob.done("add-to-team", of_team_and(&team, &eve.id)).await;
    eve.done("join-chat", of_chat(chat)).await;
    eve.done("new-message", message(chat, "me too")).await;
}

#[tokio::test]
async fn a_private_chat_of_a_team_is_entered_by_invitation() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let team = ann.make_team("crew", &[&bob.id]).await;
    let chat = ann.make(json!({ "name": "some of us", "team_id": team }), &mut []).await;
    let error = bob.refused("join-chat", of_chat(&chat)).await;
    assert_error(&error, "not_found", Some("chat.id"));
    let invitation = ann.invite(&chat, &bob.id).await;
    let body = json!({ "invitation": { "id": invitation["id"] } });
    bob.done("accept-invitation", body).await;
    assert_eq!(bob.chats().await, json!([chat]));
}

#[tokio::test]
async fn a_team_chat_made_private_is_closed_to_the_rest_of_the_team() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let team = ann.make_team("crew", &[&bob.id]).await;
    let open = json!({ "name": "ours", "private": false, "team_id": team });
    let chat = ann.make(open, &mut []).await;
    bob.done("subscribe", channel(&chat)).await;
    ann.done("update-chat", json!({ "chat": { "id": chat, "private": true } })).await;
    assert_presence(&ann.next_of("participant-leave").await, &chat, "bob", 0);
    let error = bob.refused("list-messages", of_chat(&chat)).await;
    assert_error(&error, "not_found", Some("chat.id"));
    // When it becomes public again, it is so for the team.
    ann.done("update-chat", json!({ "chat": { "id": chat, "private": false } })).await;
    let error = bob.refused("unsubscribe", channel(&chat)).await;
    assert_error(&error, "conflict", Some("channel"));
    let mut eve = server.connect().await;
    let error = eve.refused("subscribe", channel(&chat)).await;
    assert_error(&error, "not_found", Some("channel"));
}

#[tokio::test]
async fn leaving_a_team_leaves_its_chats() {
    let server = TestServer::start().await;
    let (mut bob, mut cat) = (server.user("bob").await, server.user("cat").await);
    let mut ann = server.user("ann").await;
    let team = ann.make_team("crew", &[&bob.id, &cat.id]).await;
    let other_team = ann.make_team("other", &[&bob.id]).await;
    let open = json!({ "name": "open", "private": false, "team_id": team });
    let open = ann.make(open, &mut [&mut bob]).await;
    let closed = json!({ "name": "closed", "team_id": team });
    let closed = ann.make(closed, &mut [&mut bob]).await;
    let others = json!({ "name": "others", "team_id": other_team });
    let others = ann.make(others, &mut [&mut bob]).await;
    // Cat is subscribed, but no member.
    cat.done("subscribe", channel(&open)).await;
    for chat in [&open, &closed, &others] {
        bob.done("subscribe", channel(chat)).await;
    }
    ann.sees_join(&open, "cat", 1).await;
    ann.sees_join(&open, "bob", 2).await;
    ann.sees_join(&closed, "bob", 1).await;
    ann.sees_join(&others, "bob", 1).await;

    ann.done("remove-from-team", of_team_and(&team, &bob.id)).await;
    let leaves = [ann.next_of("participant-leave").await, ann.next_of("participant-leave").await];
    let mut rooms = leaves.each_ref().map(|leave| leave["room"].as_str().unwrap());
    rooms.sort();
    let mut expected = [&open, &closed].map(|chat| format!("room-{chat}"));
    expected.sort();
    assert_eq!(rooms, expected);
    cat.done("remove-from-team", of_team_and(&team, &cat.id.clone())).await;
    assert_presence(&ann.next_of("participant-leave").await, &open, "cat", 0);
    for chat in [&open, &closed] {
        ann.done("new-message", message(chat, "psst")).await;
        for gone in [&mut bob, &mut cat] {
            let error = gone.refused("list-messages", of_chat(chat)).await;
            assert_error(&error, "not_found", Some("chat.id"));
        }
    }
    assert_eq!(bob.chats().await, json!([others]));

    // Back in the team, they are in none of its chats.
    for back in [&bob.id, &cat.id] {
        ann.done("add-to-team", of_team_and(&team, back)).await;
    }
    assert_eq!(bob.chats().await, json!([others]));
    let error = bob.refused("list-messages", of_chat(&closed)).await;
    assert_error(&error, "not_found", Some("chat.id"));
    for back in [&mut bob, &mut cat] {
        let error = back.refused("unsubscribe", channel(&open)).await;
        assert_error(&error, "conflict", Some("channel"));
        back.done("subscribe", channel(&open)).await;
        back.done("join-chat", of_chat(&open)).await;
    }
    let said = ann.done("new-message", message(&open, "hello again")).await;
    for back in [&mut bob, &mut cat] {
        assert_eq!(back.next_of("chat-message").await["id"], said["id"]);
    }
}

#[tokio::test]
async fn a_member_removed_from_a_team_chat_may_join_again() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let team = ann.make_team("crew", &[&bob.id]).await;
    let open = json!({ "name": "ours", "private": false, "team_id": team });
    let chat = ann.make(open, &mut [&mut bob]).await;
    ann.done("remove-member", of_chat_and(&chat, &bob.id)).await;
    let error = bob.refused("new-message", message(&chat, "hello?")).await;
    assert_error(&error, "forbidden", None);
    bob.done("join-chat", of_chat(&chat)).await;
    bob.done("new-message", message(&chat, "hello again")).await;
}

#[tokio::test]
async fn a_mute_outlasts_the_team() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let team = ann.make_team("crew", &[&bob.id]).await;
    let open = json!({ "name": "for the team", "private": false, "team_id": team });
    let made = ann.done("create-chat", json!({ "chat": open, "users": [bob.id] })).await;
    let chat = made["chat"]["id"].as_str().unwrap();
    let of_bob = json!({ "chat": { "id": chat }, "user": { "id": bob.id } });
    ann.done("mute-member", of_bob).await;
    bob.done("remove-from-team", of_team_and(&team, &bob.id.clone())).await;
    ann.done("add-to-team", of_team_and(&team, &bob.id)).await;
    bob.done("join-chat", of_chat(chat)).await;
    assert_error(&bob.refused("new-message", message(chat, "hi")).await, "forbidden", None);
}
