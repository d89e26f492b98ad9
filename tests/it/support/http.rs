//! Requests to the REST door, and their answers.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{TestServer, soon};

pub const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
pub const JSON: &str = "Content-Type: application/json\r\n";
pub const PASSWORD: &str = "correct horse";

/// A request that is being built.
pub struct Request<'a> {
    pub server: &'a TestServer,
    method: &'a str,
    path: &'a str,
    headers: String,
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub bytes: Vec<u8>,
    /// The bytes as a text; what is not UTF-8 is replaced.
    pub text: String,
    /// The text as JSON; null if it is not JSON.
    pub json: Value,
}

/// A user who has signed up, with a token.
pub struct Account {
    pub username: String,
    pub token: Value,
}

impl TestServer {
    pub fn request<'a>(&'a self, method: &'a str, path: &'a str) -> Request<'a> {
        Request { server: self, method, path, headers: String::new(), body: Vec::new() }
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request("POST", path).json(&body).send().await
    }

    /// The data of a GET with a token, which must succeed.
    pub async fn fetch(&self, path: &str, token: &str) -> Value {
        self.request("GET", path).bearer(token).send().await.data()
    }

    /// Signs a user up.
    pub async fn sign_up(&self, username: &str) -> Account {
        let data = self.post("/api/register", registration(username)).await.data();
        Account { username: username.to_owned(), token: data[0]["token"].clone() }
    }

    pub async fn log_in(&self, username: &str, password: &str) -> Answer {
        let login = json!({ "username": username, "password": password });
        self.post("/api/auth_token", login).await
    }
}

impl Account {
    /// The access token.
    pub fn access(&self) -> &str {
        self.token["access_token"].as_str().unwrap()
    }

    pub fn id(&self) -> &str {
        self.token["user_id"].as_str().unwrap()
    }
}

/// A valid body for signing up: every unique field is derived from the username.
pub fn registration(username: &str) -> Value {
    let digits: String = username.bytes().map(|byte| format!("{byte:03}")).collect();
    json!({
        "first_name": "Bob",
        "last_name": "Bobson",
        "username": username,
        "password": PASSWORD,
        "email": format!("{username}@example.com"),
        "phone": digits,
    })
}

impl Request<'_> {
    pub fn bearer(self, token: &str) -> Self {
        self.header(&format!("Authorization: Bearer {token}\r\n"))
    }

    /// Adds header lines, each ended by `\r\n`.
    pub fn header(mut self, lines: &str) -> Self {
        self.headers += lines;
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.header(JSON).body(body.to_string())
    }

    /// Adds a body and its length.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len();
        self.header(&format!("Content-Length: {length}\r\n"))
    }

    /// Adds a body in chunks.
    pub fn chunked(mut self, body: &[u8]) -> Self {
        for chunk in body.chunks(64 << 10) {
            self.body.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
            self.body.extend([chunk, b"\r\n"].concat());
        }
        self.body.extend(b"0\r\n\r\n");
        self.header("Transfer-Encoding: chunked\r\n")
    }

    /// Sends it on a connection of its own, as much of it as the server reads.
    pub async fn send(self) -> Answer {
        let Request { server, method, path, headers, body } = self;
        let host = server.address();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
        );
        let (mut read, mut write) = TcpStream::connect(host).await.unwrap().into_split();
        // The server may refuse the request before it has read all of it: then sending fails.
        let sending = tokio::spawn(async move {
            let _ = write.write_all(&[head.into_bytes(), body].concat()).await;
            write
        });
        let mut answer = Vec::new();
        let _ = soon("the connection closes", read.read_to_end(&mut answer)).await;
        sending.abort();
        Answer::read(&answer)
    }
}

impl Answer {
    fn read(answer: &[u8]) -> Answer {
        let end = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("an answer");
        let (head, bytes) = (String::from_utf8_lossy(&answer[..end]), &answer[end + 4..]);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let text = String::from_utf8_lossy(bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer { status, head: head.into_owned(), bytes: bytes.to_vec(), text, json }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The data of an answer that must be a success.
    #[track_caller]
    pub fn data(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        let data = &self.json["data"];
        let error = json!({ "code": 200, "errors": null, "message": "" });
        let expected = json!({ "status": "success", "data": data, "error": error,
            "page": self.json["page"], "per_page": 10,
            "current_page": data.as_array().expect("a list").len() });
        assert_eq!(self.json, expected);
        data.clone()
    }

    /// Checks that a request was refused in the envelope; returns the reasons, `error.errors`.
    #[track_caller]
    pub fn refused(&self, code: u16, message: &str) -> &Value {
        assert_eq!(self.status, code, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let mut error = self.json["error"].clone();
        let errors = error["errors"].take();
        let reasons = errors.as_object().expect("an object").values();
        assert!(reasons.map(|why| why.as_str().unwrap_or_default()).all(|why| !why.is_empty()));
        let mut expected = json!({ "code": code, "errors": null, "message": message });
        if let Some(wait) = error.get("retry_after_ms") {
            expected["retry_after_ms"] = wait.clone();
        }
        assert_eq!(error, expected, "{self:?}");
        let rest = json!({ "status": "fail", "data": [], "error": self.json["error"],
            "page": 1, "per_page": 10, "current_page": 0 });
        assert_eq!(self.json, rest);
        &self.json["error"]["errors"]
    }

    /// Fails unless the request was limited, with a wait of at most so many milliseconds.
    #[track_caller]
    pub fn limited(&self, most: u64) {
        self.refused(429, "Rate limited");
        let wait = self.json["error"]["retry_after_ms"].as_u64().expect("whole milliseconds");
        assert!((1..=most).contains(&wait), "{self:?}");
        assert_eq!(self.header("retry-after"), Some(wait.div_ceil(1000).to_string().as_str()));
    }
}
