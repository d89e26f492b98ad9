//! Chinwag is a chat server that speaks Socket.IO: users, chats, history, rooms, presence,
//! invitations, teams and direct messages, durable, in one binary with an embedded SQLite file.
//!
//! Run the binary, or embed the server:
//!
//! ```
//! use chinwag::{Config, Server};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), chinwag::StartError> {
//! # let directory = std::env::temp_dir().join(format!("chinwag-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory).expect("a temporary directory");
//! # let database_url = format!("sqlite:{}", directory.join("chat.db").display());
//! let server = Server::start(Config {
//!     listen: ([127, 0, 0, 1], 0).into(),
//!     database_url,
//!     ..Config::default()
//! })
//! .await?;
//! println!("point socket.io-client at http://{}", server.address());
//! server.shutdown().await;
//! # std::fs::remove_dir_all(&directory).expect("the directory is there");
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//!
//! A message goes one way. A door (`doors/`) decodes a frame and calls one function of the domain
//! (`domain/`) with the actor; the domain checks access and hands the message to the store's
//! writer (`store/`); the writer commits a batch; each committed event goes to the bus (`bus/`),
//! and every door shows it to its clients; the caller gets its answer.
//!
//! Imports point one way too: `main` → `doors` → `domain` → `store`, `bus` → `model`, `error`,
//! `clock`, `config`. A test reads the sources and fails on any other.
//!
//! A feature is found by its name: the event `create-chat` is `create_chat` in
//! `domain/chats.rs`, a row of the table in `doors/socketio/requests/mod.rs`, SQL in
//! `store/chats.rs`, and a test in `tests/it/chats.rs`.

mod bus;
mod clock;
mod config;
mod domain;
mod doors;
mod error;
mod model;
mod server;
mod store;

pub use config::{Access, Config, Limits, Registration, Secret};
pub use error::StartError;
pub use server::Server;
