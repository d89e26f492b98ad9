//! The forms of JSON-RPC: calls, notifications, batches, and invalid ones.

use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::rpc::{assert_fault, call, notification, room_of, state, texts};

#[tokio::test]
async fn parameters_come_by_name_or_by_position_and_methods_with_or_without_prefix() {
    let server = TestServer::start().await;
    let named = server.call("NewUser", json!({ "userId": "ann", "more": 1 })).await;
    assert_eq!(named, state("ann", "0"));
    let prefixed = server.call("Chatty.NewUser", json!(["bob"])).await;
    assert_eq!(prefixed, state("bob", "0"));
    let room = server.call("Chatty.NewRoom", json!({ "keyHolder": named })).await;
    let id = room_of(&room);
    let entered = server.call("Chatty.EnterRoom", json!({ "roomId": id, "user": prefixed })).await;
    assert_eq!(entered, state("bob", id));
    for prefix in ["", "Chatty."] {
        let say = format!("{prefix}SendMessage");
        assert_eq!(server.call(&say, json!(["by position", room])).await, Value::Null);
        let params = json!({ "content": "by name", "user": room });
        assert_eq!(server.call(&say, params).await, Value::Null);
        assert_eq!(server.call(&say, json!(["aGk=", room, "base64"])).await, Value::Null);
        let dump = format!("{prefix}DumpHistory");
        let params = json!({ "user": room, "offset": 1, "limit": 1 });
        assert_eq!(texts(&server.call(&dump, params).await), ["by name"]);
        assert_eq!(texts(&server.call(&dump, json!([room, 2, 1])).await), ["hi"]);
        let count = format!("{prefix}UsersCount");
        assert_eq!(server.call(&count, json!({ "roomId": id })).await, 2);
        let pick_up = format!("{prefix}PickUpHistory");
        let picked = server.call(&pick_up, json!({ "user": room })).await;
        assert_eq!(texts(&picked["Messages"]), ["by position", "by name", "hi"]);
    }
    let left = server.call("Chatty.LeaveRoom", json!({ "user": entered })).await;
    assert_eq!(left, state("bob", "0"));
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = TestServer::start().await;
    let ann = server.in_new_room("ann").await;
    for (method, params, field) in [
        ("NewUser", json!([]), "userId"),
        ("NewUser", json!({}), "userId"),
        ("NewUser", json!([7]), "userId"),
        ("NewUser", json!(["a b"]), "userId"),
        ("NewUser", json!([""]), "userId"),
        ("NewUser", json!(["ann", "bob"]), "params"),
        ("NewUser", json!("ann"), "params"),
        ("NewUser", json!(null), "userId"),
        ("NewRoom", json!(["ann"]), "keyHolder"),
        ("NewRoom", json!([{ "RoomId": "0" }]), "keyHolder.UserId"),
        ("NewRoom", json!([{ "UserId": "ann" }]), "keyHolder.RoomId"),
        ("EnterRoom", json!([ann]), "roomId"),
        ("EnterRoom", json!({ "roomId": "0" }), "user"),
        ("LeaveRoom", json!([{ "UserId": 1, "RoomId": "0" }]), "user.UserId"),
        ("UsersCount", json!([0]), "roomId"),
        ("SendMessage", json!([null, ann]), "content"),
        ("SendMessage", json!(["", ann]), "content"),
        ("SendMessage", json!(["x", null]), "user"),
        ("SendMessage", json!(["x", ann, "hex"]), "encoding"),
        ("SendMessage", json!(["x", ann, "base64"]), "content"),
        ("SendMessage", json!(["/w==", ann, "base64"]), "content"),
        ("PickUpHistory", json!({ "user": [] }), "user"),
        ("DumpHistory", json!([ann, -1]), "offset"),
        ("DumpHistory", json!([ann, 0, 0]), "limit"),
        ("DumpHistory", json!([ann, 0, -5]), "limit"),
        ("DumpHistory", json!([ann, 0, "5"]), "limit"),
    ] {
        let fault = server.fault(method, params.clone()).await;
        assert_fault(&fault, "invalid", Some(field));
    }
    let long = "a".repeat(33);
    assert_fault(&server.fault("NewUser", json!([long])).await, "too_large", Some("userId"));
    let long = "a".repeat((512 << 10) + 1);
    let fault = server.fault("SendMessage", json!([long, ann])).await;
    assert_fault(&fault, "too_large", Some("content"));
    assert!(server.picked_up(&ann).await.is_empty());
}

#[tokio::test]
async fn a_body_that_is_no_call_gets_its_error_code() {
    let server = TestServer::with_limits(|limits| limits.max_batch = 3).await;
    let many = json!([{}, {}, {}, {}]).to_string();
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("[1,]", -32700),
        ("nonsense", -32700),
        ("{} {}", -32700),
        ("[]", -32600),
        (" [ ] ", -32600),
        (&many, -32600),
        ("1", -32600),
        ("null", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"UsersCount","params":["0"]}"#, -32600),
        (r#"{"id":1,"method":"UsersCount","params":["0"]}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"UsersCount","params":["0"]}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"UsersCount","params":["0"]}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":true,"method":"UsersCount","params":["0"]}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"UsersCount","params":["0"]}"#, -32600),
    ] {
        let answer = server.post_rpc("/rpc", "", body).await;
        assert_eq!(answer.status, "200", "{body}");
        let answer = answer.json();
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
        assert_eq!(answer["id"], Value::Null, "{body}: {answer}");
        assert_eq!(answer["jsonrpc"], "2.0", "{body}: {answer}");
    }
    let list = server.rpc(&json!([["2.0", 1, "UsersCount", ["0"]]])).await;
    assert_eq!(list[0]["error"]["code"], -32600, "{list}");
    let unknown = server.fault("Chatty.Nothing", json!([])).await;
    assert_eq!(unknown["code"], -32601, "{unknown}");
}

#[tokio::test]
async fn an_id_is_returned_unchanged() {
    let server = TestServer::start().await;
    for id in [
        "0",
        "-1",
        "-0",
        "1.5",
        "5.0",
        "1e3",
        "18446744073709551616",
        "123456789012345678901234567890.0",
        "1e999",
        "null",
        r#""""#,
        r#""a\"b""#,
        r#""\u00e9\ud83d""#,
    ] {
        let call =
            |method| format!(r#"{{"id":{id},"jsonrpc":"2.0","method":"{method}","params":["0"]}}"#);
        let (good, bad) = (call("UsersCount"), call("Nothing"));
        let answer = server.post_rpc("/rpc", "", &good).await.body;
        assert_eq!(answer, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":0}}"#));
        let answers = server.post_rpc("/rpc", "", &format!("[{bad},{good}]")).await.body;
        let of_call = format!(r#"{{"jsonrpc":"2.0","id":{id},"#);
        assert_eq!(answers.matches(&of_call).count(), 2, "{answers}");
    }
}

#[tokio::test]
async fn a_notification_is_done_and_not_answered() {
    let server = TestServer::start().await;
    let body = notification("NewUser", json!(["ann"])).to_string();
    let answer = server.post_rpc("/rpc", "", &body).await;
    assert_eq!((answer.status.as_str(), answer.body.as_str()), ("204", ""));
    assert_eq!(server.count("0").await, 1);
    let refused = notification("NewUser", json!(["ann"]));
    let unknown = notification("Nothing", json!([]));
    let bob = notification("NewUser", json!(["bob"]));
    let batch = json!([refused, unknown, bob]).to_string();
    let answer = server.post_rpc("/rpc", "", &batch).await;
    assert_eq!((answer.status.as_str(), answer.body.as_str()), ("204", ""));
    assert_eq!(server.count("0").await, 2);
}

#[tokio::test]
async fn a_batch_is_done_in_order() {
    let server = TestServer::start().await;
    let room = server.in_new_room("ann").await;
    let waiting = server.new_user("bob").await;
    let bob = state("bob", room_of(&room));
    let answers = server
        .rpc(&json!([
            call(1, "UsersCount", json!([room_of(&room)])),
            notification("EnterRoom", json!([waiting, room_of(&room)])),
            call(2, "UsersCount", json!([room_of(&room)])),
            1,
            call(3, "SendMessage", json!(["one", room])),
            notification("SendMessage", json!(["two", bob])),
            call(4, "Nothing", json!([])),
            notification("SendMessage", json!(["", bob])),
            call(5, "NewUser", json!(["bob"])),
            call(6, "SendMessage", json!(["three", room])),
            call(7, "PickUpHistory", json!([bob])),
        ]))
        .await;
    let answers = answers.as_array().unwrap();
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(json!(ids), json!([1, 2, null, 3, 4, 5, 6, 7]));
    assert_eq!((&answers[0]["result"], &answers[1]["result"]), (&json!(1), &json!(2)));
    assert_eq!(answers[2]["error"]["code"], -32600);
    assert_eq!(answers[4]["error"]["code"], -32601);
    assert_fault(&answers[5]["error"], "conflict", Some("userId"));
    assert_eq!(texts(&answers[7]["result"]["Messages"]), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_batch_stops_when_its_answers_are_too_long() {
    let server = TestServer::with_limits(|limits| limits.max_history_bytes = 1000).await;
    let ann = server.in_new_room("ann").await;
    let dump = call(1, "DumpHistory", json!([ann]));
    for _ in 0..2 {
        server.call("SendMessage", json!(["x".repeat(600), ann])).await;
    }
    let rest = notification("SendMessage", json!(["not sent", ann]));
    let answers = server.rpc(&json!([dump, dump, dump, rest, dump])).await;
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 4);
    for given in &answers[..2] {
        assert_eq!(texts(&given["result"]).len(), 1, "{given}");
    }
    for refused in &answers[2..] {
        assert_fault(&refused["error"], "too_large", Some("batch"));
        assert_eq!(refused["id"], 1);
    }
    assert_eq!(server.call("DumpHistory", json!([ann, 2])).await, json!([]));
    // The answers to notifications, which are not sent, count as well.
    let unasked = notification("DumpHistory", json!([ann]));
    let answers = server.rpc(&json!([unasked, unasked, unasked, dump])).await;
    assert_fault(&answers[0]["error"], "too_large", Some("batch"));
}

#[tokio::test]
async fn requests_refused_before_the_call_get_an_http_status() {
    let server = TestServer::with_limits(|limits| limits.max_frame = 1000).await;
    let count = call(1, "UsersCount", json!(["0"])).to_string();
    for (kind, status) in [
        ("", "200"),
        ("Content-Type: application/json\r\n", "200"),
        ("Content-Type: Application/JSON; charset=utf-8\r\n", "200"),
        ("Content-Type: text/plain\r\n", "415"),
        ("Content-Type: application/x-www-form-urlencoded\r\n", "415"),
        ("Origin: https://example.com\r\n", "403"),
    ] {
        assert_eq!(server.post_rpc("/rpc", kind, &count).await.status, status, "{kind}");
    }
    assert_eq!(server.post_rpc("/rpc", "", &" ".repeat(1001)).await.status, "413");
    let got = server.get("/rpc", "").await;
    assert!(got.starts_with("HTTP/1.1 405 "), "{got}");
}

#[tokio::test]
async fn every_call_counts_as_a_request() {
    let server = TestServer::with_limits(|limits| limits.requests_per_address = 6).await;
    let count = call(1, "UsersCount", json!(["0"]));
    let rest = notification("NewUser", json!(["ann"]));
    let answers = server.rpc(&json!([count, 1, count, rest, count])).await;
    assert_eq!(answers[3]["result"], 1, "{answers}");
    assert_eq!(server.post_rpc("/rpc", "", "{").await.json()["error"]["code"], -32700);
    for body in ["{", "[]", &count.to_string()] {
        let answer = server.post_rpc("/rpc", "", body).await;
        assert_eq!(answer.status, "200");
        let fault = &answer.json()["error"];
        assert_fault(fault, "rate_limited", None);
        assert!(fault["data"]["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{fault}");
    }
}
