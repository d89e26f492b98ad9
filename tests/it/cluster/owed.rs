//! A node begins to follow a chat for a client that is owed only the events to come. Other clients
//! of the node may be owed earlier events, which the node has missed: they get these first.

use serde_json::json;

use crate::cluster::cuts::start;
use crate::support::http::Account;
use crate::support::live::Live;
use crate::support::nodes::Processes;
use crate::support::proxy::Proxy;
use crate::support::steps::{channel, of_chat, of_chat_and};
use crate::support::{Client, message, soon};

#[tokio::test]
async fn earlier_messages_come_first_when_a_user_makes_the_node_follow() {
    for older_hears in [true, false] {
        let Some(mut talk) = Talk::start(older_hears).await else { return };
        let socket = talk.nodes[1].connect_with(talk.ann.access()).await;
        talk.goes_on_before(socket).await;
        talk.is_heard().await;
    }
}

#[tokio::test]
async fn earlier_messages_come_first_when_the_other_user_does() {
    for older_hears in [true, false] {
        let Some(mut talk) = Talk::start(older_hears).await else { return };
        let socket = talk.nodes[1].connect_with(talk.bob.access()).await;
        talk.goes_on_before(socket).await;
        talk.is_heard().await;
    }
}

#[tokio::test]
async fn earlier_messages_come_first_when_nobody_does() {
    for older_hears in [true, false] {
        let Some(mut talk) = Talk::start(older_hears).await else { return };
        let _other = Live::connect(&talk.nodes[1], talk.bob.access()).await;
        talk.speaker.say(&talk.chat, "three").await;
        talk.is_heard().await;
    }
}

/// Bob talks to ann, by a node that hers does not hear.
struct Talk {
    nodes: Processes,
    _networks: (Proxy, Proxy),
    ann: Account,
    bob: Account,
    speaker: Client,
    chat: String,
    hearer: Live,
}

impl Talk {
    /// Until bob has said two things.
    async fn start(older_hears: bool) -> Option<Talk> {
        let (nodes, to_redis, to_postgres) = start().await?;
        let (older, younger) = (nodes[0].sign_up("ann").await, nodes[0].sign_up("bob").await);
        let (ann, bob) = if older_hears { (older, younger) } else { (younger, older) };
        let mut speaker = nodes[0].connect_with(bob.access()).await;
        let with_ann = json!({ "user": { "id": ann.id() } });
        let opened = speaker.done("open-direct", with_ann).await;
        let chat = opened["chat"]["id"].as_str().unwrap().to_owned();
        speaker.next("create-chat").await;
        let hearer = Live::connect(&nodes[1], ann.access()).await;
        to_redis.cut();
        speaker.say(&chat, "one").await;
        speaker.say(&chat, "two").await;
        Some(Talk { nodes, _networks: (to_redis, to_postgres), ann, bob, speaker, chat, hearer })
    }

    /// He says a third, and this socket makes its node look for what it has missed of the chat.
    async fn goes_on_before(&mut self, mut socket: Client) {
        let three = self.speaker.say(&self.chat, "three").await;
        let mut liked = of_chat(&self.chat);
        (liked["message"], liked["reaction"]) = (json!({ "id": three["id"] }), json!("+1"));
        socket.done("react", liked).await;
    }

    async fn is_heard(&mut self) {
        for text in ["one", "two", "three"] {
            assert_eq!(self.hearer.next().await["message"], text);
        }
        self.nodes.assert_no_defect();
    }
}

#[tokio::test]
async fn a_member_whose_joining_was_missed_is_pushed_the_next_message() {
    hear_after_joining(1).await;
}

#[tokio::test]
async fn a_missed_joining_is_not_lost_when_a_visitor_comes_back() {
    hear_after_joining(2).await;
}

/// Makes a team of ann and others, and a chat of the team of which other nodes are told nothing.
async fn make_unheard(ann: &mut Client, team: &[&str], users: &[&str]) -> String {
    let team = ann.make_team("crew", team).await;
    let chat = json!({ "name": "aboard", "private": false, "team_id": team });
    let body = json!({ "chat": chat, "users": users });
    let made = ann.done("create-chat", body).await;
    made["chat"]["id"].as_str().unwrap().to_owned()
}

/// Eve joins by a node that nobody hears; the other one follows the chat for a visitor from then
/// on.
async fn hear_after_joining(visits: usize) {
    let Some((nodes, to_redis, _to_postgres)) = start().await else { return };
    let (mut ann, mut eve) = (nodes[1].user("ann").await, nodes[1].user("eve").await);
    let (mut bob, mut there) = (nodes[0].user("bob").await, nodes[0].user("eve").await);
    let chat = make_unheard(&mut ann, &[&eve.id, &bob.id], &[]).await;
    to_redis.cut();
    eve.done("join-chat", of_chat(&chat)).await;
    bob.done("subscribe", channel(&chat)).await;
    for _ in 1..visits {
        bob.done("unsubscribe", channel(&chat)).await;
        bob.done("subscribe", channel(&chat)).await;
    }
    let said = ann.done("new-message", message(&chat, "welcome")).await;
    // The database names first what has changed first: eve's stream comes last.
    eve.done("mark-read", of_chat(&chat)).await;
    assert_eq!(soon("she hears it", there.next_of("new-message")).await, said);
    nodes.assert_no_defect();
}

#[tokio::test]
async fn a_member_whose_joining_and_removal_were_missed_hears_nothing() {
    let Some((nodes, to_redis, _to_postgres)) = start().await else { return };
    let (mut ann, mut eve) = (nodes[1].user("ann").await, nodes[1].user("eve").await);
    let (mut dan, mut there) = (nodes[1].user("dan").await, nodes[0].user("eve").await);
    let bob = nodes[1].user("bob").await.id;
    let chat = make_unheard(&mut ann, &[&eve.id, &dan.id], &[&bob]).await;
    to_redis.cut();
    eve.done("join-chat", of_chat(&chat)).await;
    // His node follows the chat from then on.
    let mut bob = nodes[0].user("bob").await;
    dan.done("join-chat", of_chat(&chat)).await;
    ann.done("remove-member", of_chat_and(&chat, &eve.id)).await;
    bob.done("new-message", message(&chat, "is she gone?")).await;
    soon("eve is told", there.next("remove-member")).await;
    bob.done("new-message", message(&chat, "she is")).await;
    there.nothing_more().await;
    nodes.assert_no_defect();
}

#[tokio::test]
async fn all_who_know_a_user_are_told_in_order_what_was_missed_of_them() {
    let Some((nodes, to_redis, _to_postgres)) = start().await else { return };
    let mut ann = nodes[1].user("ann").await;
    let mut friends = Vec::new();
    for name in ["bob", "cat", "dan"] {
        friends.push(nodes[0].user(name).await);
    }
    let name = |number: usize| json!({ "user": { "name": format!("ann {number}") } });
    to_redis.cut();
    let mut chat = json!(null);
    for (at, friend) in friends.iter().enumerate() {
        let opened = ann.done("open-direct", json!({ "user": { "id": friend.id } })).await;
        chat = opened["chat"]["id"].clone();
        for number in 12 * at..12 * (at + 1) {
            ann.done("update-user", name(number)).await;
        }
    }
    // Their node follows her from then on, and this makes it look for what it has missed of her.
    let mut tab = nodes[0].connect().await;
    tab.done("list-chats", json!({ "user": { "id": ann.id } })).await;
    ann.done("update-user", name(36)).await;
    tab.done("update-membership", json!({ "chat": { "id": chat, "muted": true } })).await;
    ann.done("update-user", name(37)).await;
    for (at, friend) in friends.iter_mut().enumerate() {
        for number in 12 * at..=37 {
            let updated = friend.next_of("user-updated").await;
            assert_eq!(updated["user"]["name"], format!("ann {number}"));
        }
    }
    nodes.assert_no_defect();
}

/// It is left to the chat, of which the node has missed something before.
#[tokio::test]
async fn an_invitation_is_pushed_though_nobody_hears_the_chat_any_more() {
    let Some((nodes, to_redis, to_postgres)) = start().await else { return };
    let mut ann = nodes[0].user("ann").await;
    let (mut bob, mut eve) = (nodes[1].user("bob").await, nodes[1].user("eve").await);
    let chat = ann.chat("open", false, &[]).await;
    bob.done("subscribe", channel(&chat)).await;
    to_redis.cut();
    to_postgres.cut();
    ann.done("new-message", message(&chat, "one")).await;
    ann.invite(&chat, &eve.id).await;
    // The node looks for the events of its users and then, unanswered, for those of its chats.
    to_postgres.cut_off_at(b"chat/");
    to_postgres.mend();
    soon("it looks", to_postgres.is_cut()).await;
    to_postgres.cut();
    bob.done("unsubscribe", channel(&chat)).await;
    to_postgres.mend();
    let invitation = eve.next_of("invitation").await;
    assert_eq!(invitation["invitation"]["chat"]["id"], chat);
    nodes.assert_no_defect();
}
