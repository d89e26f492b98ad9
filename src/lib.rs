//! Chinwag is a chat server that speaks Socket.IO: users, chats, history, rooms, presence,
//! invitations, teams and direct messages, durable, in one binary with an embedded SQLite file, or
//! on many nodes over PostgreSQL and Redis.
//!
//! Run the binary, or embed the server. To the rooms API, JSON-RPC over HTTP,
//! [`Server::start`] is `Init` and [`Server::shutdown`] is `Finalize`:
//!
//! ```
//! use std::error::Error;
//! use std::net::SocketAddr;
//!
//! use chinwag::{Config, Server};
//! use serde_json::{Value, json};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::TcpStream;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//! #   let directory = std::env::temp_dir().join(format!("chinwag-doc-{}", std::process::id()));
//! #   std::fs::create_dir_all(&directory)?;
//! #   let database_url = format!("sqlite:{}", directory.join("chat.db").display());
//!     let server = Server::start(Config {
//!         listen: vec!["127.0.0.1:0".into()],
//!         database_url: database_url.into(),
//!         ..Config::default()
//!     })
//!     .await?;
//!     println!("point socket.io-client at http://{}", server.address());
//!
//!     let waiting = call(server.address(), "NewUser", json!(["ann"])).await?;
//!     let room = call(server.address(), "NewRoom", json!([waiting])).await?;
//!     call(server.address(), "SendMessage", json!(["hello", room])).await?;
//!     let picked_up = call(server.address(), "PickUpHistory", json!([room])).await?;
//!     assert_eq!(picked_up["Messages"][0]["Author"], "ann");
//!     assert_eq!(picked_up["Messages"][0]["Text"], "hello");
//!
//!     server.shutdown().await;
//! #   std::fs::remove_dir_all(&directory)?;
//!     Ok(())
//! }
//!
//! /// Calls a method by a request of its own; returns the result.
//! async fn call(
//!     server: SocketAddr,
//!     method: &str,
//!     params: Value,
//! ) -> Result<Value, Box<dyn Error>> {
//!     let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
//!     let (body, mut answer) = (body.to_string(), String::new());
//!     let length = body.len();
//!     let head = format!(
//!         "POST /rpc HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\
//!          Content-Length: {length}\r\n\r\n"
//!     );
//!     let mut stream = TcpStream::connect(server).await?;
//!     stream.write_all((head + &body).as_bytes()).await?;
//!     stream.read_to_string(&mut answer).await?;
//!     let (_head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
//!     let mut answer: Value = serde_json::from_str(body)?;
//!     match answer.get("error") {
//!         Some(error) => Err(error.to_string().into()),
//!         None => Ok(answer["result"].take()),
//!     }
//! }
//! ```
//!
//! # The map
//!
//! A message goes one way. A door (`doors/`) decodes a frame and calls one function of the domain
//! (`domain/`) with the actor; the domain checks access and hands the message to the store's
//! ledger (`store/`); the ledger commits a batch; the carrier (`domain/carrier.rs`) takes each
//! committed event to the audience (`audience/`), which says who hears of it, and each door renders
//! it once (`doors/<door>/show.rs`); the caller gets its answer.
//!
//! Where there are other nodes, an event has a number in its stream, that of its chat mostly. It
//! goes to them through Redis (`cluster/`), and a node that follows the stream shows it to its own
//! doors (`domain/follower.rs`); one that has missed it, which it sees by the number, reads it from
//! the table `events`. So if a client has not heard of something: is it in `events`; what does
//! `Event::route` say of where it stands; does the log warn of events that were
//! lost or not read, and what do `chinwag_redis_up` and `chinwag_events_fetched_total` say; and
//! what does the door make of it in its `show.rs`.
//!
//! Imports point one way too: `main` → `doors` → `domain` → `audience`, `store`,
//! `cluster`, `event_log` → `model`, `error`, `clock`, `config`, `logs`. A test reads the sources and fails on any
//! other.
//!
//! A feature is found by its name: the event `create-chat` is `create_chat` in
//! `domain/chats.rs`, a row of the table in `doors/socketio/requests/mod.rs`, SQL in
//! `store/chats.rs`, and a test in `tests/it/chats.rs`.

mod audience;
mod clock;
mod cluster;
mod config;
mod domain;
mod doors;
mod error;
mod event_log;
mod logs;
mod model;
mod server;
mod store;

pub use config::{Access, Command, Config, Limits, Program, Registration, Secret, Url};
pub use error::{CopyError, StartError};
pub use server::Server;
#[doc(hidden)]
pub use store::LedgerAlone;
pub use store::{Backup, CopyStep, backup, copy};
