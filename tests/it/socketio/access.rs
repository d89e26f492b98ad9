//! Which requests about a chat are allowed to whom, and to whom a chat seems not to exist.

use std::collections::BTreeSet;

use chinwag::Access;
use serde_json::json;

use crate::support::signing::with_credentials;
use crate::support::stage::Stage;
use crate::support::steps::{channel, of_chat, of_chat_and, table};
use crate::support::{TestServer, message};

/// The result of each request, where `mark-unread` is a `mark-read` that goes back: `ok`, `forbid`
/// (`forbidden`), `none` (`not_found`), `confl` (`conflict`) or `unauth` (`unauthenticated`).
///
/// To users who get `none`, the chat seems not to exist: they get the same for an id that no chat
/// has. The owner, the member and the mate are in the team; the guest is a member of the chat, but
/// not of the team. The invited user has not answered yet. The removed user was a guest. Nobody has
/// not said which user they are. The service acts as one more outsider. A direct chat has the owner
/// and the member, and nobody else may enter it. Messages that are changed are the owner's.
const TABLE: &str = "
request        chat          owner   member  guest   mate    invited removed outsider nobody  service

list-messages  public        ok      ok      ok      ok      ok      ok      ok       ok      ok
list-messages  private       ok      ok      ok      none    none    none    none     none    ok
list-messages  team          ok      ok      ok      ok      none    none    none     none    ok
list-messages  private-team  ok      ok      ok      none    none    none    none     none    ok
list-messages  direct        ok      ok      none    none    none    none    none     none    ok

new-message    public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth  ok
new-message    private       ok      ok      ok      none    none    none    none     unauth  ok
new-message    team          ok      ok      ok      forbid  none    none    none     unauth  ok
new-message    private-team  ok      ok      ok      none    none    none    none     unauth  ok
new-message    direct        ok      ok      none    none    none    none    none     unauth  forbid

edit-message   public        ok      forbid  forbid  forbid  forbid  forbid  forbid   unauth  ok
edit-message   private       ok      forbid  forbid  none    none    none    none     unauth  ok
edit-message   team          ok      forbid  forbid  forbid  none    none    none     unauth  ok
edit-message   private-team  ok      forbid  forbid  none    none    none    none     unauth  ok
edit-message   direct        ok      forbid  none    none    none    none    none     unauth  ok

delete-message public        ok      forbid  forbid  forbid  forbid  forbid  forbid   unauth  ok
delete-message private       ok      forbid  forbid  none    none    none    none     unauth  ok
delete-message team          ok      forbid  forbid  forbid  none    none    none     unauth  ok
delete-message private-team  ok      forbid  forbid  none    none    none    none     unauth  ok
delete-message direct        ok      forbid  none    none    none    none    none     unauth  ok

pin-message    public        ok      forbid  forbid  forbid  forbid  forbid  forbid   unauth  ok
pin-message    private       ok      forbid  forbid  none    none    none    none     unauth  ok
pin-message    team          ok      forbid  forbid  forbid  none    none    none     unauth  ok
pin-message    private-team  ok      forbid  forbid  none    none    none    none     unauth  ok
pin-message    direct        ok      ok      none    none    none    none    none     unauth  ok

react          public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth  ok
react          private       ok      ok      ok      none    none    none    none     unauth  ok
react          team          ok      ok      ok      forbid  none    none    none     unauth  ok
react          private-team  ok      ok      ok      none    none    none    none     unauth  ok
react          direct        ok      ok      none    none    none    none    none     unauth  forbid

search-messages public        ok      ok      ok      ok      ok      ok      ok       ok      ok
search-messages private       ok      ok      ok      none    none    none    none     none    ok
search-messages team          ok      ok      ok      ok      none    none    none     none    ok
search-messages private-team  ok      ok      ok      none    none    none    none     none    ok
search-messages direct        ok      ok      none    none    none    none    none     none    ok

list-changes   public        ok      ok      ok      ok      ok      ok      ok       ok      ok
list-changes   private       ok      ok      ok      none    none    none    none     none    ok
list-changes   team          ok      ok      ok      ok      none    none    none     none    ok
list-changes   private-team  ok      ok      ok      none    none    none    none     none    ok
list-changes   direct        ok      ok      none    none    none    none    none     none    ok

list-members   public        ok      ok      ok      ok      ok      ok      ok       ok      ok
list-members   private       ok      ok      ok      none    none    none    none     none    ok
list-members   team          ok      ok      ok      ok      none    none    none     none    ok
list-members   private-team  ok      ok      ok      none    none    none    none     none    ok
list-members   direct        ok      ok      none    none    none    none    none     none    ok

typing         public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth  ok
typing         private       ok      ok      ok      none    none    none    none     unauth  ok
typing         team          ok      ok      ok      forbid  none    none    none     unauth  ok
typing         private-team  ok      ok      ok      none    none    none    none     unauth  ok
typing         direct        ok      ok      none    none    none    none    none     unauth  forbid

signal         public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth  ok
signal         private       ok      ok      ok      none    none    none    none     unauth  ok
signal         team          ok      ok      ok      forbid  none    none    none     unauth  ok
signal         private-team  ok      ok      ok      none    none    none    none     unauth  ok
signal         direct        ok      ok      none    none    none    none    none     unauth  forbid

mark-read      public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth  forbid
mark-read      private       ok      ok      ok      none    none    none    none     unauth  forbid
mark-read      team          ok      ok      ok      forbid  none    none    none     unauth  forbid
mark-read      private-team  ok      ok      ok      none    none    none    none     unauth  forbid
mark-read      direct        ok      ok      none    none    none    none    none     unauth  forbid

update-membership public     ok      ok      ok      forbid  forbid  forbid  forbid   unauth  forbid
update-membership private    ok      ok      ok      none    none    none    none     unauth  forbid
update-membership team       ok      ok      ok      forbid  none    none    none     unauth  forbid
update-membership private-team ok    ok      ok      none    none    none    none     unauth  forbid
update-membership direct     ok      ok      none    none    none    none    none     unauth  forbid

mark-unread    public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth  forbid
mark-unread    private       ok      ok      ok      none    none    none    none     unauth  forbid
mark-unread    team          ok      ok      ok      forbid  none    none    none     unauth  forbid
mark-unread    private-team  ok      ok      ok      none    none    none    none     unauth  forbid
mark-unread    direct        ok      ok      none    none    none    none    none     unauth  forbid

join-chat      public        ok      ok      ok      ok      ok      ok      ok       unauth  ok
join-chat      private       ok      ok      ok      none    none    none    none     unauth  ok
join-chat      team          ok      ok      ok      ok      none    none    none     unauth  ok
join-chat      private-team  ok      ok      ok      none    none    none    none     unauth  ok
join-chat      direct        forbid  forbid  none    none    none    none    none     unauth  forbid

leave-chat     public        ok      ok      ok      confl   confl   confl   confl    unauth  confl
leave-chat     private       ok      ok      ok      none    none    none    none     unauth  confl
leave-chat     team          ok      ok      ok      confl   none    none    none     unauth  confl
leave-chat     private-team  ok      ok      ok      none    none    none    none     unauth  confl
leave-chat     direct        forbid  forbid  none    none    none    none    none     unauth  forbid

update-chat    public        ok      forbid  forbid  forbid  forbid  forbid  forbid   unauth  ok
update-chat    private       ok      forbid  forbid  none    none    none    none     unauth  ok
update-chat    team          ok      forbid  forbid  forbid  none    none    none     unauth  ok
update-chat    private-team  ok      forbid  forbid  none    none    none    none     unauth  ok
update-chat    direct        forbid  forbid  none    none    none    none    none     unauth  forbid

remove-member  public        ok      forbid  forbid  forbid  forbid  forbid  forbid   unauth  ok
remove-member  private       ok      forbid  forbid  none    none    none    none     unauth  ok
remove-member  team          ok      forbid  forbid  forbid  none    none    none     unauth  ok
remove-member  private-team  ok      forbid  forbid  none    none    none    none     unauth  ok
remove-member  direct        forbid  forbid  none    none    none    none    none     unauth  forbid

invite         public        ok      ok      ok      forbid  forbid  forbid  forbid   unauth  ok
invite         private       ok      ok      ok      none    none    none    none     unauth  ok
invite         team          ok      ok      ok      forbid  none    none    none     unauth  ok
invite         private-team  ok      ok      ok      none    none    none    none     unauth  ok
invite         direct        forbid  forbid  none    none    none    none    none     unauth  forbid

subscribe      public        ok      ok      ok      ok      ok      ok      ok       ok      ok
subscribe      private       ok      ok      ok      none    none    none    none     none    ok
subscribe      team          ok      ok      ok      ok      none    none    none     none    ok
subscribe      private-team  ok      ok      ok      none    none    none    none     none    ok
subscribe      direct        ok      ok      none    none    none    none    none     none    ok

unsubscribe    public        confl   confl   confl   confl   confl   confl   confl    confl   confl
unsubscribe    private       confl   confl   confl   none    none    none    none     none    confl
unsubscribe    team          confl   confl   confl   confl   none    none    none     none    confl
unsubscribe    private-team  confl   confl   confl   none    none    none    none     none    confl
unsubscribe    direct        confl   confl   none    none    none    none    none     none    confl
";

#[tokio::test]
async fn the_table_holds_with_open_access_and_unprotected_users() {
    assert_table(Access::Open, Stage::of_trusted).await;
}

#[tokio::test]
async fn the_table_holds_with_open_access_and_protected_users() {
    assert_table(Access::Open, Stage::of_protected).await;
}

#[tokio::test]
async fn the_table_holds_with_token_access() {
    assert_table(Access::Token, Stage::of_protected).await;
}

async fn assert_table(access: Access, set: impl AsyncFn(&TestServer) -> Stage) {
    let server = TestServer::with(|config| {
        with_credentials(access)(config);
        // The owner makes a chat for each cell, more than the limit would allow.
        config.limits.announcements_per_user = 0;
        config.limits.messages_per_user = 0;
    });
    let server = server.await;
    let mut stage = set(&server).await;
    let (header, rows) = table(TABLE);
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for row in rows {
        let (event, kind) = (row[0], row[1]);
        assert!(seen.insert((event, kind)), "{event} {kind} stands there twice");
        for (actor, expected) in header.iter().zip(&row).skip(2) {
            // In this mode a client without a token cannot connect.
            if *actor == "nobody" && access == Access::Token {
                continue;
            }
            let got = stage.play(event, kind, actor).await;
            if got != *expected {
                wrong.push(format!("{event} {kind} {actor}: {got}, not {expected}"));
            }
        }
    }
    assert_eq!(seen.len(), 21 * 5, "a row is missing");
    assert!(wrong.is_empty(), "{wrong:#?}");
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
async fn a_socket_has_the_rights_of_its_latest_user() {
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
