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
//! `docs/ARCHITECTURE.md` is the map of the source: where things are, how a message travels, how to
//! add something, and why it is as it is.

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

pub use config::{Access, Check, Command, Config, Limits, Program, Registration, Secret, Url};
pub use domain::{TokenError, TokenFault, TokenHolder, check_token, host_token};
pub use doors::http::{Unhealthy, health};
pub use error::{CopyError, StartError};
pub use server::Server;
#[doc(hidden)]
pub use store::LedgerAlone;
pub use store::{Backup, CopyStep, backup, copy};
