//! A client of the rooms API.

use serde_json::{Value, json};

use crate::support::TestServer;

/// An answer over HTTP.
pub struct Answer {
    pub status: String,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

/// A state as the methods take and return it.
pub fn state(user: &str, room: &str) -> Value {
    json!({ "UserId": user, "RoomId": room })
}

impl TestServer {
    /// Sends a body, with further header lines.
    pub async fn post_rpc(&self, path: &str, headers: &str, body: &str) -> Answer {
        let (host, length) = (self.address(), body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        );
        let answer = self.exchange(&request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().to_owned();
        // This does not read chunks, in which long bodies may come.
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        assert!(!chunked, "{head}");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The JSON answer to a JSON body, which must have the status 200.
    pub async fn rpc(&self, body: &Value) -> Value {
        self.rpc_as("", body).await
    }

    /// The same with further header lines.
    pub async fn rpc_as(&self, headers: &str, body: &Value) -> Value {
        let headers = format!("Content-Type: application/json\r\n{headers}");
        let answer = self.post_rpc("/rpc", &headers, &body.to_string()).await;
        assert_eq!(answer.status, "200", "{}", answer.body);
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
        answer.json()
    }

    /// The result of a call that must not be refused.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.call_as("", method, params).await
    }

    pub async fn call_as(&self, headers: &str, method: &str, params: Value) -> Value {
        let mut answer = self.rpc_as(headers, &call(7, method, params)).await;
        assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
        assert_eq!(answer["id"], 7, "{answer}");
        assert!(answer.get("error").is_none(), "{method} was refused: {answer}");
        answer["result"].take()
    }

    /// The error of a call that must be refused.
    pub async fn fault(&self, method: &str, params: Value) -> Value {
        self.fault_as("", method, params).await
    }

    pub async fn fault_as(&self, headers: &str, method: &str, params: Value) -> Value {
        let mut answer = self.rpc_as(headers, &call(8, method, params)).await;
        assert_eq!(answer["id"], 8, "{answer}");
        assert!(answer.get("result").is_none(), "{method} was not refused: {answer}");
        answer["error"].take()
    }

    /// Logs a user in; returns the state.
    pub async fn new_user(&self, user: &str) -> Value {
        self.call("NewUser", json!([user])).await
    }

    /// Logs a user in and makes them a room; returns the state.
    pub async fn in_new_room(&self, user: &str) -> Value {
        let waiting = self.new_user(user).await;
        self.call("NewRoom", json!([waiting])).await
    }

    /// Logs a user in and puts them into a room; returns the state.
    pub async fn in_room(&self, user: &str, room: &str) -> Value {
        let waiting = self.new_user(user).await;
        self.call("EnterRoom", json!([waiting, room])).await
    }

    pub async fn count(&self, room: &str) -> u64 {
        self.call("UsersCount", json!([room])).await.as_u64().unwrap()
    }

    /// The texts of the messages that a user picks up.
    pub async fn picked_up(&self, state: &Value) -> Vec<String> {
        let picked = self.call("PickUpHistory", json!([state])).await;
        assert_eq!(picked["State"], *state);
        texts(&picked["Messages"])
    }
}

pub fn room_of(state: &Value) -> &str {
    state["RoomId"].as_str().unwrap()
}

pub fn texts(messages: &Value) -> Vec<String> {
    let messages = messages.as_array().unwrap().iter();
    messages.map(|message| message["Text"].as_str().unwrap().to_owned()).collect()
}

pub fn call(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

pub fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// Fails unless a call was refused with this code of the domain, for this field.
#[track_caller]
pub fn assert_fault(fault: &Value, code: &str, field: Option<&str>) {
    let number = if code == "invalid" { -32602 } else { -32000 };
    assert_eq!(fault["code"], number, "{fault}");
    assert_eq!(fault["data"]["code"], code, "{fault}");
    assert_eq!(fault["data"].get("field").and_then(Value::as_str), field, "{fault}");
    assert!(fault["message"].as_str().is_some_and(|message| !message.is_empty()), "{fault}");
}
