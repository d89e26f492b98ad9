//! What moderators do to members, and what members and the service are told: mutes, bans, reports.

use serde_json::json;

use crate::socketio::roles::{Chat, text};
use crate::support::TestServer;

#[tokio::test]
async fn a_muted_member_can_read_but_not_send() {
    let mut chat = Chat::new(true).await;
    let (eve, ann) = (chat.of(&chat.eve), chat.of(&chat.ann));
    // Moderators cannot mute each other, and members cannot mute anybody.
    assert_eq!(chat.bob.refused("mute-member", ann).await["code"], "forbidden");
    let bob = chat.of(&chat.bob);
    assert_eq!(chat.eve.refused("mute-member", bob).await["code"], "forbidden");
    let member = chat.bob.ask("mute-member", eve.clone()).await["member"].clone();
    assert_eq!((&member["muted"], member.get("muted_until")), (&json!(true), None));
    assert_eq!(chat.eve.next_of("member-changed").await["member"]["role"], "moderator");
    assert_eq!(chat.eve.next_of("member-changed").await["member"]["muted"], true);
    let refused = chat.eve.refused("new-message", text(&chat.id, "hm")).await;
    assert_eq!(refused["code"], "forbidden");
    chat.ann.ask("new-message", text(&chat.id, "hi")).await;
    assert_eq!(chat.eve.next_of("new-message").await["msg"], "hi");
    assert_eq!(chat.bob.ask("unmute-member", eve.clone()).await["member"].get("muted"), None);
    chat.eve.ask("new-message", text(&chat.id, "at last")).await;
    // With a time at which it ends.
    let mut until = eve;
    until["until"] = json!("2001-01-01T00:00:00Z");
    let refused = chat.bob.refused("mute-member", until.clone()).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("invalid"), &json!("until")));
    until["until"] = json!("2999-01-01T00:00:00Z");
    let member = chat.bob.ask("mute-member", until).await["member"].clone();
    assert_eq!(member["muted_until"], "2999-01-01T00:00:00.000000Z");
    let again = json!({ "chat": { "id": chat.id }, "user": { "id": chat.eve.id } });
    // A member who leaves and comes back is still muted.
    let of_chat = json!({ "chat": { "id": chat.id } });
    chat.eve.ask("leave-chat", of_chat.clone()).await;
    chat.ann.ask("invite", again.clone()).await;
    let invitation = chat.eve.next_of("invitation").await["invitation"]["id"].clone();
    chat.eve.ask("accept-invitation", json!({ "invitation": { "id": invitation } })).await;
    assert_eq!(chat.eve.refused("new-message", text(&chat.id, "hm")).await["code"], "forbidden");
    chat.bob.ask("unmute-member", again).await;
    chat.eve.ask("new-message", text(&chat.id, "again")).await;
}

#[tokio::test]
async fn a_banned_user_is_removed_and_cannot_come_back() {
    for private in [true, false] {
        let mut chat = Chat::new(private).await;
        let hidden = if private { "not_found" } else { "forbidden" };
        let of_chat = json!({ "chat": { "id": chat.id } });
        let room = json!({ "channel": format!("room-{}", chat.id) });
        chat.eve.ask("subscribe", room.clone()).await;
        let (eve, ann, me) = (chat.of(&chat.eve), chat.of(&chat.ann), chat.of(&chat.bob));
        assert_eq!(chat.bob.refused("ban-member", ann).await["code"], "forbidden");
        assert_eq!(chat.bob.refused("ban-member", me).await["code"], "forbidden");
        let banned = chat.bob.ask("ban-member", eve.clone()).await;
        assert_eq!(
            (&banned["member"]["user"]["id"], &banned["member"]["banned"]),
            (&json!(chat.eve.id), &json!(true))
        );
        let pushed = chat.eve.next_of("remove-member").await;
        assert!(!pushed["chat"]["users"].as_array().unwrap().contains(&json!(chat.eve.id)));
        for (event, body) in [
            ("join-chat", of_chat.clone()),
            ("subscribe", room.clone()),
            ("list-messages", of_chat.clone()),
            ("new-message", text(&chat.id, "hm")),
        ] {
            assert_eq!(chat.eve.refused(event, body).await["code"], hidden, "{event}");
        }
        assert_eq!(chat.ann.refused("invite", eve.clone()).await["code"], "forbidden");
        let bans = chat.ann.ask("list-bans", of_chat.clone()).await["bans"].clone();
        assert_eq!(
            (&bans[0]["user"]["id"], &bans[0]["by"]["id"]),
            (&json!(chat.eve.id), &json!(chat.bob.id))
        );
        let outside = chat.eve.refused("list-bans", of_chat.clone()).await;
        assert_eq!(outside["code"], hidden);
        chat.ann.ask("new-message", text(&chat.id, "gone")).await;
        chat.eve.nothing_more().await;
        chat.bob.ask("unban-member", eve.clone()).await;
        assert_eq!(chat.bob.refused("unban-member", eve.clone()).await["code"], "conflict");
        assert_eq!(chat.ann.ask("list-bans", of_chat.clone()).await["bans"], json!([]));
        match private {
            true => chat.ann.ask("invite", eve).await,
            false => chat.eve.ask("join-chat", of_chat).await,
        };
    }
}

#[tokio::test]
async fn only_the_service_gets_reports() {
    const KEY: &str = "the service's key";
    let server = TestServer::with(|config| config.api_key = Some(KEY.into())).await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut service = server.connect_with(KEY).await;
    let id = ann.chat("tea", true, &[&bob.id]).await;
    let sent = ann.say(&id, "rude").await;
    let report = json!({ "chat": { "id": id }, "message": { "id": sent["id"] }, "reason": "rude" });
    assert_eq!(bob.ask("report-message", report.clone()).await, json!({}));
    let told = service.next_of("report").await;
    assert_eq!((&told["chat"]["id"], &told["message"]["msg"]), (&json!(id), &json!("rude")));
    assert_eq!((&told["user"]["id"], &told["reason"]), (&json!(bob.id), &json!("rude")));
    let mut eve = server.user("eve").await;
    assert_eq!(eve.refused("report-message", report).await["code"], "not_found");
    ann.nothing_more().await;
}
