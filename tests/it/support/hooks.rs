//! A receiver of webhooks, whose answers a test chooses, and servers that send them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chinwag::Config;
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::support::patience::within;
use crate::support::program::Running;
use crate::support::signing::now;
use crate::support::{Client, get};

/// A call may be retried with growing pauses; housekeeping comes every half minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// 32 bytes.
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// A call that the receiver got.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: String,
    pub body: String,
    pub json: Value,
}

impl Call {
    /// The text of a message that was sent; empty for other events.
    pub fn text(&self) -> &str {
        match self.json["event"] == "message-sent" {
            true => self.json["data"]["message"]["body"].as_str().unwrap_or_default(),
            false => "",
        }
    }
}

/// How the receiver answers a call.
pub enum Answer {
    /// With the first lines of an answer, such as `200 OK`, and a short body.
    Whole(String),
    /// With these bytes and nothing after them, on a connection that stays open.
    Begun(String),
    /// Not at all, on a connection that stays open.
    Nothing,
    /// Not at all: it closes the connection, and the test does not see the call.
    Gone,
}

impl Answer {
    pub fn status(status: u16) -> Answer {
        Answer::Whole(format!("{status} Status"))
    }
}

type Answering = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;

pub struct Receiver {
    pub address: SocketAddr,
    calls: mpsc::UnboundedReceiver<Call>,
    accepting: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Receiver {
    /// Starts a receiver on a free port that answers with these statuses.
    pub async fn start(answer: impl Fn(&Call) -> u16 + Send + Sync + 'static) -> Receiver {
        Receiver::answering(move |call| Answer::status(answer(call))).await
    }

    pub async fn answering(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, calls) = mpsc::unbounded_channel();
        let answer: Answering = Arc::new(answer);
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, answer.clone(), told.clone()));
            }
        });
        Receiver { address, calls, accepting }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.address)
    }

    pub async fn next(&mut self) -> Call {
        within(PATIENCE, self.calls.recv()).await.expect("a call of the webhook").unwrap()
    }

    /// The next call for a message.
    pub async fn next_message(&mut self) -> Call {
        loop {
            let call = self.next().await;
            if !call.text().is_empty() {
                return call;
            }
        }
    }

    /// Takes the calls that have come by now.
    pub fn taken(&mut self) -> Vec<Call> {
        std::iter::from_fn(|| self.calls.try_recv().ok()).collect()
    }
}

/// Handles the requests of a connection until it closes, or one is left without an answer.
async fn serve(
    stream: TcpStream,
    answer: Answering,
    told: mpsc::UnboundedSender<Call>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut named = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            named.next().unwrap_or_else(|| panic!("no {name} in {head}")).1.to_owned()
        };
        let mut body = vec![0; header("content-length").parse().unwrap()];
        stream.read_exact(&mut body).await.ok()?;
        let body = String::from_utf8(body).unwrap();
        assert!(head.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{head}");
        assert_eq!(header("content-type"), "application/json");
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let signed = format!("{id}.{timestamp}.{body}");
        assert_eq!(header("webhook-signature"), signature(&signed), "of {signed}");
        let now = now();
        assert!(timestamp.parse::<i64>().unwrap().abs_diff(now) < 60, "{timestamp}");
        let call = Call { id, json: serde_json::from_str(&body).unwrap(), body };
        let answer = answer(&call);
        if matches!(answer, Answer::Gone) {
            return None;
        }
        let _ = told.send(call);
        let (answer, goes_on) = match answer {
            Answer::Whole(lines) => {
                (format!("HTTP/1.1 {lines}\r\nContent-Length: 2\r\n\r\nok"), true)
            }
            Answer::Begun(bytes) => (bytes, false),
            Answer::Nothing | Answer::Gone => (String::new(), false),
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
        if !goes_on {
            return std::future::pending().await;
        }
    }
}

fn signature(signed: &str) -> String {
    let key = BASE64.decode(SECRET.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(signed.as_bytes());
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

/// Makes a server send its events to this URL.
pub fn hooked(url: String) -> impl Fn(&mut Config) {
    move |config| {
        config.webhook_url = Some(url.as_str().into());
        config.webhook_secret = Some(SECRET.into());
        config.webhook_private = true;
    }
}

/// The same for a server process, with the database of a directory.
pub fn program(directory: &Path, url: &str, arguments: &[&str]) -> Running {
    Running::with(directory, |command| {
        command.args(["--listen", "127.0.0.1:0", "--webhook-url", url, "--webhook-private"]);
        command.args(arguments).env("CHINWAG_WEBHOOK_SECRET", SECRET);
    })
}

/// A client that acts as Ann.
pub async fn ann(running: &Running) -> Client {
    let mut client = Client::connect(running.address).await;
    let user = json!({ "id": "ann", "name": "Ann", "photo": "" });
    client.ask("create-user", json!({ "user": user })).await;
    client.ask("unsubscribe", json!({ "channel": "system" })).await;
    client
}

/// Waits until a metric has a value that `will_do` accepts.
pub async fn until(running: &Running, name: &str, will_do: impl Fn(f64) -> bool) {
    let wait = async {
        loop {
            let text = get(running.address, "/metrics", "").await;
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            if line.is_some_and(|value| will_do(value.trim().parse().unwrap())) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(within(PATIENCE, wait).await.is_some(), "{name} has another value");
}

/// Waits until a query of a database counts `expected`.
pub async fn until_count(url: &str, sql: &str, expected: i64) {
    let wait = async {
        while count(url, sql).await != expected {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(within(PATIENCE, wait).await.is_some(), "{sql}");
}

pub async fn count(url: &str, sql: &str) -> i64 {
    let sql = AssertSqlSafe(sql.to_owned());
    let counted = match url.starts_with("sqlite:") {
        true => {
            let mut connection = SqliteConnection::connect(url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await
        }
        false => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await
        }
    };
    counted.unwrap()
}
