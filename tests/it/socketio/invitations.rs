//! Invitations: the way into a private chat.

use serde_json::{Value, json};

use crate::support::steps::{NO_ID, assert_ids, of_chat, of_chat_and, sorted};
use crate::support::{Client, TestServer, assert_error};

fn of_invitation(invitation: &Value) -> Value {
    json!({ "invitation": { "id": invitation["id"] } })
}

/// The ids of a user's invitations, in the order of the list.
async fn pending(client: &mut Client) -> Vec<Value> {
    let mut listed = client.done("list-invitations", json!({})).await["invitations"].take();
    listed.as_array_mut().unwrap().iter_mut().map(|invitation| invitation["id"].take()).collect()
}

#[tokio::test]
async fn an_invitation_reaches_only_the_sockets_of_its_invitee() {
    let server = TestServer::start().await;
    let (mut one, mut two) = (server.user("bob").await, server.user("bob").await);
    let (mut cat, mut eve) = (server.user("cat").await, server.user("eve").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut cat]).await;
    let mut invitation = ann.invite(&chat, &one.id).await;
    let pushed = json!({ "invitation": invitation });
    for tab in [&mut one, &mut two] {
        assert_eq!(tab.next("invitation").await, pushed);
    }
    let listed = one.done("list-invitations", json!({})).await;
    assert_eq!(listed, json!({ "invitations": [invitation] }));
    assert_eq!(invitation["id"].take().as_str().unwrap().len(), 36);
    assert!(invitation["created_at"].take().as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "id": null,
        "status": "pending",
        "chat": { "id": chat, "name": "private" },
        "inviter": { "id": ann.id, "name": "ann" },
        "invitee": { "id": one.id, "name": "bob" },
        "created_at": null,
    });
    assert_eq!(invitation, expected);
    for other in [&mut ann, &mut cat, &mut eve] {
        assert!(pending(other).await.is_empty());
        other.nothing_more().await;
    }
}

#[tokio::test]
async fn without_an_ack_the_answer_is_an_event() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    ann.tell("invite", of_chat_and(&chat, &bob.id)).await;
    let answer = ann.next("invite").await;
    assert_eq!(bob.next("invitation").await, answer);
    assert_eq!(ann.say(&chat, "still Ann").await["user_id"], ann.id.as_str());
    bob.tell("list-invitations", json!({})).await;
    assert_eq!(bob.next("list-invitations").await["invitations"][0], answer["invitation"]);
    bob.tell("decline-invitation", of_invitation(&answer["invitation"])).await;
    assert_eq!(bob.next("decline-invitation").await["invitation"]["status"], "declined");
    bob.nothing_more().await;
}

#[tokio::test]
async fn an_invitation_waits_for_an_invitee_who_is_away() {
    let server = TestServer::start().await;
    let bob = server.user("bob").await.id;
    let mut ann = server.user("ann").await;
    let (first, second) = (ann.make_private(&mut []).await, ann.make_private(&mut []).await);
    let first = json!({ "invitation": ann.invite(&first, &bob).await });
    let second = json!({ "invitation": ann.invite(&second, &bob).await });
    let mut back = server.user("bob").await;
    assert_eq!(back.next("invitation").await, first);
    assert_eq!(back.next("invitation").await, second);
    assert_eq!(
        pending(&mut back).await,
        [&second, &first].map(|of| of["invitation"]["id"].clone())
    );
    back.nothing_more().await;

    // Naming the user in a request has the same effect, also after a restart.
    let directory = server.shutdown().await;
    let server = TestServer::on(directory, |_| {}).await;
    let mut back = server.connect().await;
    back.done("list-chats", json!({ "user": { "id": bob } })).await;
    assert_eq!(back.next("invitation").await, first);
    assert_eq!(back.next("invitation").await, second);
}

#[tokio::test]
async fn accepting_makes_a_member() {
    let server = TestServer::start().await;
    let (mut one, mut two) = (server.user("bob").await, server.user("bob").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    ann.say(&chat, "before").await;
    let mut invitation = ann.invite(&chat, &one.id).await;
    for tab in [&mut one, &mut two] {
        tab.next("invitation").await;
    }
    let accepted = one.done("accept-invitation", of_invitation(&invitation)).await;
    invitation["status"] = json!("accepted");
    assert_eq!(accepted["invitation"], invitation);
    let said = ann.say(&chat, "welcome").await;
    for tab in [&mut one, &mut two] {
        assert_eq!(tab.next("new-message").await, said);
    }
    assert_eq!(two.chats().await, json!([chat]));
    let page = two.done("list-messages", of_chat(&chat)).await;
    assert_eq!(page["messages"][0]["msg"], "before");
    let listed = ann.done("list-chats", json!({})).await;
    assert_ids(&listed["chats"][0]["users"], [&ann.id, &one.id]);
    assert!(pending(&mut one).await.is_empty());
}

#[tokio::test]
async fn a_user_who_declined_can_be_invited_again() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    let mut invitation = ann.invite(&chat, &bob.id).await;
    let declined = bob.done("decline-invitation", of_invitation(&invitation)).await;
    invitation["status"] = json!("declined");
    assert_eq!(declined["invitation"], invitation);
    assert!(pending(&mut bob).await.is_empty());
    assert_eq!(bob.chats().await, json!([]));
    let again = ann.invite(&chat, &bob.id).await;
    assert_eq!(pending(&mut bob).await, [again["id"].clone()]);
    bob.done("accept-invitation", of_invitation(&again)).await;
    assert_eq!(bob.chats().await, json!([chat]));
}

#[tokio::test]
async fn only_its_invitee_can_answer_it_and_only_once() {
    let server = TestServer::start().await;
    let (mut bob, mut eve) = (server.user("bob").await, server.user("eve").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    let accepted = ann.invite(&chat, &bob.id).await;
    let declined = ann.invite(&chat, &eve.id).await;
    let of_none = json!({ "invitation": { "id": NO_ID } });
    let no_such = bob.refused("accept-invitation", of_none).await;
    assert_error(&no_such, "not_found", Some("invitation.id"));
    for event in ["accept-invitation", "decline-invitation"] {
        for other in [&mut ann, &mut eve] {
            assert_eq!(other.refused(event, of_invitation(&accepted)).await, no_such);
        }
    }
    bob.done("accept-invitation", of_invitation(&accepted)).await;
    eve.done("decline-invitation", of_invitation(&declined)).await;
    for event in ["accept-invitation", "decline-invitation"] {
        assert_eq!(bob.refused(event, of_invitation(&accepted)).await, no_such);
        assert_eq!(eve.refused(event, of_invitation(&declined)).await, no_such);
    }
    assert_eq!(eve.chats().await, json!([]));
}

#[tokio::test]
async fn members_and_invited_users_cannot_be_invited() {
    let server = TestServer::start().await;
    let (mut bob, eve) = (server.user("bob").await, server.user("eve").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    ann.invite(&chat, &eve.id).await;
    for user in [&ann.id.clone(), &bob.id, &eve.id] {
        let error = ann.refused("invite", of_chat_and(&chat, user)).await;
        assert_error(&error, "conflict", Some("user.id"));
    }
    let error = bob.refused("invite", of_chat_and(&chat, &eve.id)).await;
    assert_error(&error, "conflict", Some("user.id"));
    let error = ann.refused("invite", of_chat_and(&chat, NO_ID)).await;
    assert_error(&error, "not_found", Some("user.id"));
}

#[tokio::test]
async fn only_one_of_two_simultaneous_invitations_is_sent() {
    let server = TestServer::start().await;
    let (mut bob, mut eve) = (server.user("bob").await, server.user("eve").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let body = of_chat_and(&chat, &eve.id);
    let by_ann = ann.request("invite", body.clone()).await;
    let by_bob = bob.request("invite", body).await;
    let answers = [ann.answer(by_ann).await, bob.answer(by_bob).await];
    let refused = answers.iter().filter(|answer| answer["error"]["code"] == "conflict").count();
    assert_eq!(refused, 1, "{answers:?}");
    eve.next("invitation").await;
    eve.nothing_more().await;
}

#[tokio::test]
async fn any_member_may_invite_to_any_kind_of_chat() {
    let server = TestServer::start().await;
    let (mut bob, mut eve) = (server.user("bob").await, server.user("eve").await);
    let mut ann = server.user("ann").await;
    let team = ann.make_team("crew", &[]).await;
    let mut chats = Vec::new();
    for chat in [
        json!({ "name": "public", "private": false }),
        json!({ "name": "private" }),
        json!({ "name": "of the team", "private": false, "team_id": team }),
        json!({ "name": "private, of the team", "team_id": team }),
    ] {
        let chat = ann.make(chat, &mut [&mut bob]).await;
        let invitation = bob.invite(&chat, &eve.id).await;
        eve.done("accept-invitation", of_invitation(&invitation)).await;
        chats.push(chat);
    }
    chats.sort();
    assert_eq!(eve.chats().await, json!(chats));
    let listed = eve.done("list-chats", json!({})).await;
    assert_eq!(sorted(&listed["chats"], "id"), chats);
}

#[tokio::test]
async fn joining_the_chat_ends_an_invitation() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut []).await;
    let invitation = ann.invite(&chat, &bob.id).await;
    bob.done("join-chat", of_chat(&chat)).await;
    assert!(pending(&mut bob).await.is_empty());
    let error = bob.refused("decline-invitation", of_invitation(&invitation)).await;
    assert_error(&error, "not_found", Some("invitation.id"));
    bob.done("leave-chat", of_chat(&chat)).await;
    ann.invite(&chat, &bob.id).await;
}

#[tokio::test]
async fn an_invitation_ends_when_its_inviter_leaves_the_chat() {
    let server = TestServer::start().await;
    let (mut bob, mut eve) = (server.user("bob").await, server.user("eve").await);
    let mut ann = server.user("ann").await;
    let left = ann.make_private(&mut [&mut bob]).await;
    let removed = ann.make_private(&mut [&mut bob]).await;
    for chat in [&left, &removed] {
        bob.invite(chat, &eve.id).await;
    }
    let invitations = pending(&mut eve).await;
    assert_eq!(invitations.len(), 2);
    bob.done("leave-chat", of_chat(&left)).await;
    ann.done("remove-member", of_chat_and(&removed, &bob.id)).await;
    assert!(pending(&mut eve).await.is_empty());
    for id in invitations {
        let body = json!({ "invitation": { "id": id } });
        let error = eve.refused("accept-invitation", body).await;
        assert_error(&error, "not_found", Some("invitation.id"));
    }
    // Another member may invite her again.
    ann.invite(&left, &eve.id).await;
}
