//! Chinwag is a chat server that speaks Socket.IO: users, chats, history, rooms, presence,
//! invitations, teams and direct messages, durable, in one binary with an embedded SQLite file, or
//! on many nodes over PostgreSQL and Redis.
//!
//! Run the binary, or embed the server in your program. An embedded server listens as the binary
//! does; in addition, [`Server::service`] acts for users, [`Server::events`] returns the events
//! that are committed, and [`Server::start_with_routes`] adds routes of your own. In the rooms API,
//! JSON-RPC over HTTP, [`Server::start`] is `Init` and [`Server::shutdown`] is `Finalize`.
//!
//! ```
//! use chinwag::embed::{Event, NewChat, NewMessage, NewUser};
//! use chinwag::{Config, Server};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #   let directory = tempfile::tempdir()?;
//! #   let database_url = format!("sqlite:{}", directory.path().join("chat.db").display());
//!     let server = Server::start(Config {
//!         listen: vec!["127.0.0.1:0".into()],
//!         database_url: database_url.into(),
//!         ..Config::default()
//!     })
//!     .await?;
//!     println!("point socket.io-client at http://{}", server.address());
//!
//!     let (service, mut events) = (server.service(), server.events());
//!     let external_id = Some("7".into());
//!     let ann = NewUser { external_id, name: "Ann".into(), ..NewUser::default() };
//!     let ann = service.create_user(ann).await?;
//!     let chat = NewChat { name: "Hello".into(), ..NewChat::default() };
//!     let chat = service.create_chat(&ann.id, chat).await?;
//!     service.new_message(&ann.id, &chat.id, NewMessage::text("Hi there")).await?;
//!
//!     assert_eq!(events.next().await, Some(Ok(Event::ChatCreated(chat))));
//!     let Some(Ok(Event::MessageSent(message))) = events.next().await else {
//!         return Err("the message comes after its chat".into());
//!     };
//!     assert_eq!(message.value, "Hi there");
//!
//!     server.shutdown().await;
//!     Ok(())
//! }
//! ```
//!
//! `docs/ARCHITECTURE.md` is the map of the source: where things are, how a message travels, how to
//! add something, and why it is as it is.

mod audience;
mod cli;
mod clock;
mod cluster;
mod config;
mod defects;
mod domain;
mod doors;
mod error;
mod event_log;
mod logs;
mod model;
mod server;
mod store;

/// The version of axum in which the host writes [routes](Server::start_with_routes) of its own. Its
/// features `json` and `multipart` are on; a host that uses others, such as `ws`, turns them on in
/// its own `Cargo.toml`.
pub use axum;
#[doc(hidden)]
pub use cli::run;
pub use config::{
    Access, Check, Command, Config, Limits, Program, Registration, Search, Secret, Url, Webhooks,
    Which,
};
pub use domain::{TokenError, TokenFault, TokenHolder, check_token, host_token};
#[doc(hidden)]
pub use doors::contract;
pub use doors::embed;
pub use doors::http::{Unhealthy, health};
pub use error::{CopyError, StartError};
pub use server::Server;
#[doc(hidden)]
pub use store::LedgerAlone;
pub use store::{
    Backup, CopyStep, Export, Imported, ParkedWebhook, ParkedWebhooks, backup, copy, export, import,
};

/// Makes the Rust examples of README.md compile as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
