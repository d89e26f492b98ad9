//! What Chinwag is about: plain data, no I/O.

mod chat;
mod event;
mod ids;
mod message;
mod text;
mod user;

pub use chat::{Chat, ChatPage, ListedChat, NewChat, ReadState};
pub use event::{Committed, Event};
pub use ids::{ChatId, ConnectionId, ExternalId, Handle, MessageId, UserId};
pub use message::{Message, MessagePage, MessageQuery, MessageType, NewMessage, Sent};
pub use text::{Body, ClientId, Description, Name, Photo, Problem};
pub use user::{NewUser, User};
