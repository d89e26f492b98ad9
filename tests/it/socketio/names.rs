//! Names and handles in all scripts, and those that would be invisible or misleading.

use serde_json::json;

use crate::support::TestServer;
use crate::support::chatter::{Chatter, of_nick};
use crate::support::signing::{claims, signed};
use chinwag::Access;

#[tokio::test]
async fn names_of_all_scripts_are_accepted() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    for name in [
        "Ann",
        "José María",
        "नरेन्द्र",
        "สมชาย ใจดี",
        "محمد عبد الله",
        "علی\u{200c}رضا",
        "ශ\u{dca}\u{200d}රී",
        "രാജന\u{d4d}\u{200d}",
        "שרה",
        "Nguyễn Văn A\u{300}",
        "👩\u{200d}👩\u{200d}👧",
        "❤\u{fe0f} Ann",
        "👩🏽\u{200d}⚕\u{fe0f}",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "1\u{fe0f}\u{20e3}",
        "葛\u{e0100}城",
        "O'Neil-Smith, Jr. (7)",
    ] {
        let user = json!({ "external_id": name, "name": name, "photo": "" });
        let answer = client.done("create-user", json!({ "user": user })).await;
        assert_eq!(answer["user"]["name"], name);
    }
}

#[tokio::test]
async fn invisible_and_misleading_names_are_refused() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    for name in [
        "x\u{202e}gpj",
        "\u{2066}x\u{2069}",
        "x\u{200f}",
        "a\u{200b}nn",
        "\u{feff}ann",
        "a\u{ad}nn",
        "an\u{2060}n",
        "\u{3164}",
        "\u{115f}x",
        "\u{200d}",
        "\u{200d}ann",
        "ann\u{200c}",
        "ann \u{200d}b",
        "a\u{200d}\u{200d}b",
        "ann\u{e0067}",
        "\u{fe0f}",
        " \u{fe0f}x",
        "a\u{2028}b",
        "\u{2800}",
        "\u{301}",
        "\u{a0}",
    ] {
        let user = json!({ "external_id": "new", "name": name, "photo": "" });
        let error = ann.refused("create-user", json!({ "user": user })).await;
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("invalid"), &json!("user.name")),
            "{name:?}"
        );
        for (request, body) in [
            ("create-chat", json!({ "chat": { "name": name }, "users": [] })),
            ("create-team", json!({ "team": { "name": name } })),
        ] {
            assert_eq!(ann.refused(request, body).await["code"], "invalid", "{name:?}");
        }
    }
}

#[tokio::test]
async fn a_host_application_s_name_is_cleaned() {
    let server = TestServer::with_credentials(Access::Token).await;
    let mut claims = claims("7");
    claims["name"] = "\u{200f}\u{5e9}\u{5e8}\u{5d4}\u{200f}".into();
    let mut client = server.connect_with(&signed(&claims)).await;
    let made = client.done("create-chat", json!({ "chat": { "name": "own" }, "users": [] })).await;
    let room = json!({ "channel": format!("room-{}", made["chat"]["id"].as_str().unwrap()) });
    let answer = client.done("subscribe", room).await;
    assert_eq!(answer["users"][0]["name"], "\u{5e9}\u{5e8}\u{5d4}");
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn nicks_and_handles_take_letters_of_every_script() {
    let server = TestServer::start().await;
    // All of them stay connected, since the others would be shown the frame of one that leaves.
    let mut chatters = Vec::new();
    for nick in
        ["नरेन्द्र", "สมชาย", "محمّد", "ශ\u{dca}\u{200d}රී", "zoe\u{308}", "தமிழ்", "김철수", "Ⅷ_x"]
    {
        let mut chatter = Chatter::open(server.channels(percent(nick))).await;
        assert_eq!(chatter.next().await, of_nick(2, nick));
        chatter.join(nick, nick).await;
        chatters.push(chatter);
    }
    for nick in [
        "\u{3164}",
        "a\u{115f}",
        "\u{301}a",
        "a_\u{301}",
        "a\u{200d}b",
        "a\u{fe0f}",
        "\u{202e}a",
        "a b",
    ] {
        assert_eq!(server.turned_away(&percent(nick)).await.1, 4400, "{nick:?}");
    }
}
