//! What moderators, muted and banned members, and members of a frozen or slow chat may do.

use serde_json::{Value, json};

use crate::support::steps::table;
use crate::support::{Client, TestServer};

/// The result of each request: `ok`, `forbid` (`forbidden`), `none` (`not_found`) or `limit`
/// (`rate_limited`). The message is the actor's own if the request ends with `-own`, and the
/// owner's otherwise; requests about members name another member. `out` are members banned from a
/// public chat, `gone` those banned from a private one.
const TABLE: &str = "
request         owner   moderator member  muted   frozen  slow    out     gone

new-message     ok      ok        ok      forbid  forbid  limit   forbid  none
edit-own        ok      ok        ok      forbid  forbid  ok      forbid  none
delete-own      ok      ok        ok      ok      ok      ok      forbid  none
edit-message    ok      forbid    forbid  forbid  forbid  forbid  forbid  none
delete-message  ok      ok        forbid  forbid  forbid  forbid  forbid  none
pin-message     ok      ok        forbid  forbid  forbid  forbid  forbid  none
react           ok      ok        ok      forbid  forbid  ok      forbid  none
typing          ok      ok        ok      forbid  forbid  ok      forbid  none
signal          ok      ok        ok      forbid  forbid  ok      forbid  none

list-messages   ok      ok        ok      ok      ok      ok      forbid  none
list-changes    ok      ok        ok      ok      ok      ok      forbid  none
search-messages ok      ok        ok      ok      ok      ok      forbid  none
list-members    ok      ok        ok      ok      ok      ok      forbid  none
report-message  ok      ok        ok      ok      ok      ok      forbid  none
mark-read       ok      ok        ok      ok      ok      ok      forbid  none
subscribe       ok      ok        ok      ok      ok      ok      forbid  none
join-chat       ok      ok        ok      ok      ok      ok      forbid  none
invite          ok      ok        ok      ok      ok      ok      forbid  none

update-chat     ok      ok        forbid  forbid  forbid  forbid  forbid  none
make-private    ok      forbid    forbid  forbid  forbid  forbid  forbid  none
mute-member     ok      ok        forbid  forbid  forbid  forbid  forbid  none
unmute-member   ok      ok        forbid  forbid  forbid  forbid  forbid  none
ban-member      ok      ok        forbid  forbid  forbid  forbid  forbid  none
list-bans       ok      ok        forbid  forbid  forbid  forbid  forbid  none
remove-member   ok      forbid    forbid  forbid  forbid  forbid  forbid  none
set-role        ok      forbid    forbid  forbid  forbid  forbid  forbid  none
delete-chat     ok      forbid    forbid  forbid  forbid  forbid  forbid  none
";

/// An owner, the actor, another member, and a stranger.
struct Three {
    owner: Client,
    actor: Client,
    other: String,
    stranger: String,
}

impl Three {
    /// The result of a request in a new chat in which the actor has this standing.
    async fn play(&mut self, request: &str, standing: &str) -> String {
        let private = standing == "gone";
        let (actor, other) = (self.actor.id.clone(), self.other.clone());
        let chat = json!({ "name": "stage", "private": private });
        let new = json!({ "chat": chat, "users": [actor, other] });
        let id = self.owner.ask("create-chat", new).await["chat"]["id"].clone();
        let channel = format!("room-{}", id.as_str().unwrap());
        let of = |user: &str| json!({ "chat": { "id": id }, "user": { "id": user } });
        let text = json!({ "type": "text", "value": "hi" });
        let said = json!({ "chat": { "id": id }, "message": text });
        let owners = self.owner.ask("new-message", said.clone()).await["id"].clone();
        let own = match standing {
            "owner" => owners.clone(),
            _ => self.actor.ask("new-message", said.clone()).await["id"].clone(),
        };
        let set = |name: &str, value: Value| json!({ "chat": { "id": id, (name): value } });
        let (event, body) = match standing {
            "moderator" => {
                let mut role = of(&actor);
                role["role"] = json!("moderator");
                ("set-role", role)
            }
            "muted" => ("mute-member", of(&actor)),
            "frozen" => ("update-chat", set("frozen", json!(true))),
            "slow" => ("update-chat", set("slow_mode", json!(3600))),
            "out" | "gone" => ("ban-member", of(&actor)),
            _ => ("list-members", json!({ "chat": { "id": id } })),
        };
        let answer = self.owner.ask(event, body).await;
        assert!(answer.get("error").is_none(), "{event}: {answer}");
        if standing == "slow" {
            // The first message is allowed; the next comes too soon.
            self.actor.ask("new-message", said.clone()).await;
        }

        let message = |id: &Value| json!({ "id": id, "value": "ho" });
        let on = |id: &Value| json!({ "chat": said["chat"], "message": message(id) });
        let with = |mut body: Value, name: &str, value: Value| {
            body[name] = value;
            body
        };
        let (event, body) = match request {
            "edit-own" => ("edit-message", on(&own)),
            "delete-own" => ("delete-message", on(&own)),
            "edit-message" | "delete-message" | "pin-message" | "report-message" => {
                (request, on(&owners))
            }
            "react" => (request, with(on(&owners), "reaction", json!("+1"))),
            "signal" => (request, with(of(&other), "data", json!(1))),
            "subscribe" => (request, json!({ "channel": channel })),
            "search-messages" => (request, json!({ "query": { "chat_id": id, "text": "hi" } })),
            "list-changes" => (request, with(of(&other), "after", json!(0))),
            "invite" => (request, of(&self.stranger)),
            "update-chat" => (request, set("name", json!("new"))),
            "make-private" => ("update-chat", set("private", json!(true))),
            "set-role" => (request, with(of(&other), "role", json!("moderator"))),
            "new-message" => (request, said.clone()),
            "mute-member" | "unmute-member" | "ban-member" | "remove-member" => {
                (request, of(&other))
            }
            _ => (request, json!({ "chat": { "id": id } })),
        };
        let actor = if standing == "owner" { &mut self.owner } else { &mut self.actor };
        let answer = actor.ask(event, body).await;
        match answer["error"]["code"].as_str() {
            None => "ok".to_owned(),
            Some("forbidden") => "forbid".to_owned(),
            Some("not_found") => "none".to_owned(),
            Some("rate_limited") => "limit".to_owned(),
            Some(code) => format!("{code}: {answer}"),
        }
    }
}

#[tokio::test]
async fn every_standing_may_do_what_the_table_says() {
    let server = TestServer::with_limits(|limits| {
        limits.announcements_per_user = 0;
        limits.messages_per_user = 0;
        limits.written_bytes_per_user = 0;
        limits.written_bytes_per_address = 0;
    })
    .await;
    let (owner, actor) = (server.user("owner").await, server.user("actor").await);
    let other = server.user("other").await.id;
    let stranger = server.user("stranger").await.id;
    let mut three = Three { owner, actor, other, stranger };
    let (header, rows) = table(TABLE);
    let (mut count, mut wrong) = (0, Vec::new());
    for row in rows {
        count += 1;
        for (standing, expected) in header.iter().zip(&row).skip(1) {
            let got = three.play(row[0], standing).await;
            if got != *expected {
                wrong.push(format!("{} {standing}: {got}, not {expected}", row[0]));
            }
        }
    }
    assert_eq!(count, 27, "a row is missing");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
