//! Which users a caller of the rooms API may act as.

use chinwag::Access;
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::rpc::{assert_fault, call, room_of, state};
use crate::support::signing::{API_KEY, token, with_credentials};

async fn open() -> TestServer {
    TestServer::with_credentials(Access::Open).await
}

async fn closed() -> TestServer {
    TestServer::with_credentials(Access::Token).await
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// The header with the host application's token of a user.
fn host(sub: &str) -> String {
    bearer(&token(sub))
}

/// Signs a user up with a password; returns the header of their token.
async fn register(server: &TestServer, username: &str) -> String {
    bearer(server.sign_up(username).await.access())
}

#[tokio::test]
async fn a_missing_or_wrong_credential_is_401() {
    let count = call(1, "UsersCount", json!(["0"])).to_string();
    let (open, closed) = (open().await, closed().await);
    for (server, headers) in [(&closed, ""), (&closed, "Authorization: Bearer x\r\n")] {
        assert_refused(server, "/rpc", headers, &count).await;
        assert_refused(server, "/rpc", headers, &format!("[{count},{count}]")).await;
    }
    assert_refused(&open, "/rpc", "Authorization: Bearer x\r\n", &count).await;
    assert_refused(&open, "/rpc?access_token=x", "", &count).await;
    for server in [&open, &closed] {
        let path = format!("/rpc?access_token={}", API_KEY.replace(' ', "+"));
        let answer = server.post_rpc(&path, "", &count).await;
        assert_eq!(answer.json()["result"], 0);
    }
}

async fn assert_refused(server: &TestServer, path: &str, headers: &str, body: &str) {
    let answer = server.post_rpc(path, headers, body).await;
    assert_eq!(answer.status, "401", "{}", answer.body);
    assert!(answer.head.contains("www-authenticate: Bearer"), "{}", answer.head);
    let answer = answer.json();
    assert_eq!((&answer["id"], &answer["jsonrpc"]), (&Value::Null, &json!("2.0")));
    assert_fault(&answer["error"], "unauthenticated", None);
}

#[tokio::test]
async fn refused_credentials_count_as_requests() {
    let server = TestServer::with(|config| {
        with_credentials(Access::Open)(config);
        config.limits.requests_per_address = 2;
    })
    .await;
    let count = call(1, "UsersCount", json!(["0"])).to_string();
    for _ in 0..2 {
        assert_refused(&server, "/rpc", "Authorization: Bearer x\r\n", &count).await;
    }
    let answer = server.post_rpc("/rpc", "Authorization: Bearer x\r\n", &count).await;
    assert_eq!(answer.status, "429");
    assert!(answer.head.contains("retry-after: "), "{}", answer.head);
    assert_fault(&answer.json()["error"], "rate_limited", None);
}

#[tokio::test]
async fn a_token_acts_only_as_its_own_user() {
    for server in [open().await, closed().await] {
        let ann = register(&server, "ann").await;
        let bob = register(&server, "bob").await;
        assert_eq!(server.call_as(&ann, "NewUser", json!(["ann"])).await, state("ann", "0"));
        let room = server.call_as(&ann, "NewRoom", json!([state("ann", "0")])).await;
        // Logging in again with one's own token returns the state as it is.
        assert_eq!(server.call_as(&ann, "NewUser", json!(["ann"])).await, room);
        for (method, params) in [
            ("NewUser", json!(["ann"])),
            ("NewUser", json!(["cyd"])),
            ("NewRoom", json!([room])),
            ("EnterRoom", json!([room, "0000"])),
            ("LeaveRoom", json!([room])),
            ("LeaveRoom", json!([state("nobody", "0")])),
            ("SendMessage", json!(["x", room])),
            ("PickUpHistory", json!([room])),
            ("DumpHistory", json!([room])),
        ] {
            assert_fault(&server.fault_as(&bob, method, params).await, "forbidden", None);
        }
        assert_eq!(server.call_as(&bob, "UsersCount", json!([room_of(&room)])).await, 1);
    }
}

#[tokio::test]
async fn nobody_acts_as_a_protected_user() {
    let server = open().await;
    let ann = register(&server, "ann").await;
    assert_fault(&server.fault("NewUser", json!(["ann"])).await, "unauthenticated", None);
    server.call_as(&ann, "NewUser", json!(["ann"])).await;
    let waiting = state("ann", "0");
    for (method, params) in [
        ("NewUser", json!(["ann"])),
        ("NewRoom", json!([waiting])),
        ("LeaveRoom", json!([waiting])),
        ("PickUpHistory", json!([waiting])),
    ] {
        assert_fault(&server.fault(method, params).await, "unauthenticated", None);
    }
    assert_eq!(server.count("0").await, 1);
}

#[tokio::test]
async fn a_tokenless_caller_loses_a_user_that_becomes_protected() {
    let server = open().await;
    let mut client = server.connect().await;
    let user = json!({ "external_id": "7", "handle": "ann", "name": "Ann", "photo": "" });
    client.done("create-user", json!({ "user": user })).await;
    let room = server.in_new_room("ann").await;
    let own = host("7");
    assert_eq!(server.call_as(&own, "NewUser", json!(["ann"])).await, room);
    let fault = server.fault("LeaveRoom", json!([room])).await;
    assert_fault(&fault, "unauthenticated", None);
    assert_eq!(server.count(room_of(&room)).await, 1, "she has stayed");
    assert_eq!(server.call_as(&own, "LeaveRoom", json!([room])).await, state("ann", "0"));
}

#[tokio::test]
async fn a_tokens_user_without_a_handle_gets_a_free_one() {
    let server = closed().await;
    register(&server, "ann").await;
    let host = host("7");
    assert_fault(&server.fault_as(&host, "NewUser", json!(["ann"])).await, "forbidden", None);
    assert_eq!(server.call_as(&host, "NewUser", json!(["bob"])).await, state("bob", "0"));
    let room = server.call_as(&host, "NewRoom", json!([state("bob", "0")])).await;
    server.call_as(&host, "SendMessage", json!(["x", room])).await;
    let history = server.call_as(&host, "DumpHistory", json!([room])).await;
    assert_eq!(history[0]["Author"], "bob");
    assert_fault(&server.fault_as(&host, "NewUser", json!(["cyd"])).await, "forbidden", None);
}

#[tokio::test]
async fn the_service_acts_as_anyone() {
    let service = bearer(API_KEY);
    for server in [open().await, closed().await] {
        register(&server, "ann").await;
        for user in ["ann", "bob"] {
            let waiting = state(user, "0");
            assert_eq!(server.call_as(&service, "NewUser", json!([user])).await, waiting);
            assert_eq!(server.call_as(&service, "NewUser", json!([user])).await, waiting);
            let room = server.call_as(&service, "NewRoom", json!([waiting])).await;
            server.call_as(&service, "SendMessage", json!(["x", room])).await;
            let picked = server.call_as(&service, "PickUpHistory", json!([room])).await;
            assert_eq!(picked["Messages"][0]["Author"], user);
        }
        let nobody = server.fault_as(&service, "NewRoom", json!([state("cyd", "0")])).await;
        assert_fault(&nobody, "conflict", Some("keyHolder"));
    }
}

#[tokio::test]
async fn a_name_that_is_a_users_id_belongs_to_that_user() {
    let server = open().await;
    let mut client = server.connect().await;
    let user = json!({ "id": "ann", "name": "Ann", "photo": "" });
    client.done("create-user", json!({ "user": user })).await;
    let user = json!({ "id": "bob", "handle": "bobby", "name": "Bob", "photo": "" });
    client.done("create-user", json!({ "user": user })).await;
    assert_eq!(server.new_user("ann").await, state("ann", "0"));
    assert_eq!(server.new_user("bobby").await, state("bobby", "0"));
    assert_fault(&server.fault("NewUser", json!(["bob"])).await, "conflict", Some("userId"));
}
