//! Who may do what with a chat, and what it is for a chat not to exist for somebody.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use crate::steps::{NO_ID, channel, of_chat, of_chat_and};
use crate::support::{Client, TestServer, message};

/// What each request comes to: `ok`, `forbid` (`forbidden`), `none` (`not_found`), `confl`
/// (`conflict`) or `unauth` (`unauthenticated`).
///
/// A chat does not exist for those who get `none`: they get the same for the id of no chat. The
/// owner, the member and the mate are in the team; the guest is a member of the chat who is
/// not. The invited user has not answered yet. The removed one was a guest. Nobody has not said
/// who they are.
const TABLE: &str = "
request        chat          owner   member  guest   mate    invited removed outsider nobody

list-messages  public        ok      ok      ok      ok      ok      ok      ok       ok
list-messages  private       ok      ok      ok      none    none    none    none     none
list-messages  team          ok      ok      ok      ok      none    none    none     none
list-messages  private-team  ok      ok      ok      none    none    none    none     none

new-message    public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth
new-message    private       ok      ok      ok      none    none    none    none     unauth
new-message    team          ok      ok      ok      forbid  none    none    none     unauth
new-message    private-team  ok      ok      ok      none    none    none    none     unauth

mark-read      public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth
mark-read      private       ok      ok      ok      none    none    none    none     unauth
mark-read      team          ok      ok      ok      forbid  none    none    none     unauth
mark-read      private-team  ok      ok      ok      none    none    none    none     unauth

join-chat      public        ok      ok      ok      ok      ok      ok      ok       unauth
join-chat      private       ok      ok      ok      none    none    none    none     unauth
join-chat      team          ok      ok      ok      ok      none    none    none     unauth
join-chat      private-team  ok      ok      ok      none    none    none    none     unauth

leave-chat     public        ok      ok      ok      confl   confl   confl   confl    unauth
leave-chat     private       ok      ok      ok      none    none    none    none     unauth
leave-chat     team          ok      ok      ok      confl   none    none    none     unauth
leave-chat     private-team  ok      ok      ok      none    none    none    none     unauth

update-chat    public        ok      forbid  forbid  forbid  forbid  forbid  forbid   unauth
update-chat    private       ok      forbid  forbid  none    none    none    none     unauth
update-chat    team          ok      forbid  forbid  forbid  none    none    none     unauth
update-chat    private-team  ok      forbid  forbid  none    none    none    none     unauth

remove-member  public        ok      forbid  forbid  forbid  forbid  forbid  forbid   unauth
remove-member  private       ok      forbid  forbid  none    none    none    none     unauth
remove-member  team          ok      forbid  forbid  forbid  none    none    none     unauth
remove-member  private-team  ok      forbid  forbid  none    none    none    none     unauth

invite         public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth
invite         private       ok      ok      ok      none    none    none    none     unauth
invite         team          ok      ok      ok      forbid  none    none    none     unauth
invite         private-team  ok      ok      ok      none    none    none    none     unauth

subscribe      public        ok      ok      ok      ok      ok      ok      ok       ok
subscribe      private       ok      ok      ok      none    none    none    none     none
subscribe      team          ok      ok      ok      ok      none    none    none     none
subscribe      private-team  ok      ok      ok      none    none    none    none     none

unsubscribe    public        confl   confl   confl   confl   confl   confl   confl    confl
unsubscribe    private       confl   confl   confl   none    none    none    none     none
unsubscribe    team          confl   confl   confl   confl   none    none    none     none
unsubscribe    private-team  confl   confl   confl   none    none    none    none     none
";

#[tokio::test]
async fn the_table_holds() {
    let server = TestServer::start().await;
    let mut stage = Stage::set(&server).await;
    let rows = TABLE.lines().map(|line| Vec::from_iter(line.split_whitespace()));
    let mut rows = rows.filter(|row| !row.is_empty());
    let header = rows.next().unwrap();
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for row in rows {
        assert_eq!(row.len(), header.len(), "{row:?}");
        let (event, kind) = (row[0], row[1]);
        assert!(seen.insert((event, kind)), "{event} {kind} stands there twice");
        for (actor, expected) in header.iter().zip(&row).skip(2) {
            let got = stage.play(event, kind, actor).await;
            if got != *expected {
                wrong.push(format!("{event} {kind} {actor}: {got}, not {expected}"));
            }
        }
    }
    assert_eq!(seen.len(), 10 * 4, "a row is missing");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The users of the table, and two on whom requests are made: another member and a stranger.
struct Stage {
    actors: HashMap<&'static str, Client>,
    team: String,
}

impl Stage {
    async fn set(server: &TestServer) -> Stage {
        let mut actors = HashMap::new();
        for name in ["owner", "member", "guest", "mate", "invited", "removed", "outsider"] {
            actors.insert(name, server.user(name).await);
        }
        for name in ["another", "stranger"] {
            actors.insert(name, server.user(name).await);
        }
        actors.insert("nobody", server.connect().await);
        let mut stage = Stage { actors, team: String::new() };
        let (member, mate) = (stage.id("member"), stage.id("mate"));
        stage.team = stage.owner().make_team("crew", &[&member, &mate]).await;
        stage
    }

    fn owner(&mut self) -> &mut Client {
        self.actors.get_mut("owner").unwrap()
    }

    fn id(&self, actor: &str) -> String {
        self.actors[actor].id.clone()
    }

    /// A new chat of this kind, for one cell.
    async fn chat(&mut self, kind: &str) -> String {
        let mut chat = json!({ "name": kind, "private": kind.starts_with("private") });
        if kind.ends_with("team") {
            chat["team_id"] = json!(self.team);
        }
        let users = ["member", "guest", "removed", "another"].map(|actor| self.id(actor));
        let (removed, invited) = (self.id("removed"), self.id("invited"));
        let owner = self.owner();
        let made = owner.done("create-chat", json!({ "chat": chat, "users": users })).await;
        let id = made["chat"]["id"].as_str().unwrap();
        owner.done("remove-member", of_chat_and(id, &removed)).await;
        owner.done("invite", of_chat_and(id, &invited)).await;
        id.to_owned()
    }

    fn body(&self, event: &str, chat: &str) -> Value {
        match event {
            "new-message" => message(chat, "hello"),
            "update-chat" => json!({ "chat": { "id": chat, "name": "new" } }),
            "remove-member" => of_chat_and(chat, &self.id("another")),
            "invite" => of_chat_and(chat, &self.id("stranger")),
            "subscribe" | "unsubscribe" => channel(chat),
            _ => of_chat(chat),
        }
    }

    /// Makes a request and says in the table's words what it came to.
    async fn play(&mut self, event: &str, kind: &str, actor: &str) -> String {
        let chat = self.chat(kind).await;
        let (body, of_none) = (self.body(event, &chat), self.body(event, NO_ID));
        let client = self.actors.get_mut(actor).unwrap();
        let error = client.ask(event, body).await["error"].take();
        let place = if event.ends_with("subscribe") { "channel" } else { "chat.id" };
        let (word, field) = match error["code"].as_str() {
            None => return "ok".into(),
            Some("forbidden") => ("forbid", None),
            Some("unauthenticated") => ("unauth", None),
            Some("conflict") => ("confl", Some(place)),
            Some("not_found") => ("none", Some(place)),
            Some(code) => return code.into(),
        };
        if error.get("field").and_then(Value::as_str) != field {
            return format!("{word} with another field: {error}");
        }
        if word == "none" && client.refused(event, of_none).await != error {
            return format!("{word}, but it does not look like no chat: {error}");
        }
        word.into()
    }
}

#[tokio::test]
async fn an_invisible_chat_is_neither_listed_nor_announced() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut bob = server.user("bob").await;
    let mut mate = server.listener("mate").await;
    let mut eve = server.listener("eve").await;
    let team = ann.make_team("crew", &[&mate.id]).await;
    let mut chats = Vec::new();
    for chat in [
        json!({ "name": "private" }),
        json!({ "name": "private, of the team", "team_id": team }),
        json!({ "name": "of the team", "private": false, "team_id": team }),
    ] {
        chats.push(ann.make(chat, &mut []).await);
    }
    for chat in chats {
        ann.done("subscribe", channel(&chat)).await;
        ann.done("new-message", message(&chat, "psst")).await;
        ann.done("update-chat", json!({ "chat": { "id": chat, "name": "new" } })).await;
        let invitation = ann.invite(&chat, &bob.id).await;
        let body = json!({ "invitation": { "id": invitation["id"] } });
        bob.done("accept-invitation", body).await;
        ann.done("remove-member", of_chat_and(&chat, &bob.id)).await;
    }
    for other in [&mut mate, &mut eve] {
        assert_eq!(other.chats().await, json!([]));
        other.nothing_more().await;
    }
}

#[tokio::test]
async fn a_socket_may_do_what_its_latest_user_may() {
    let server = TestServer::start().await;
    let eve = server.user("eve").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    let as_eve = json!({ "user": { "id": eve.id } });
    ann.done("list-chats", as_eve).await;
    let mut client = ann;
    for (event, body) in [
        ("list-messages", of_chat(&chat)),
        ("new-message", message(&chat, "hello")),
        ("update-chat", json!({ "chat": { "id": chat, "name": "mine" } })),
        ("invite", of_chat_and(&chat, &eve.id)),
        ("subscribe", channel(&chat)),
    ] {
        assert_eq!(client.refused(event, body).await["code"], "not_found", "{event}");
    }
}
