//! What Chinwag is about: plain data, no I/O.

mod account;
mod chat;
mod event;
mod ids;
mod invitation;
mod letters;
mod message;
mod seat;
mod team;
mod text;
mod user;

pub use account::{
    DirectMessage, Email, NewAccount, Password, PhoneNumber, Thread, Token, TokenKey,
};
pub use chat::{Chat, ChatChange, ChatPage, ListedChat, Mark, Marked, NewChat, Passed, ReadState};
pub use event::{Committed, Event, Hearers, Kept, Position, Route, Stream};
pub use ids::{ChatId, ConnectionId, ExternalId, Handle, InvitationId, MessageId, TeamId, UserId};
pub use ids::{Username, parse_id, read_id};
pub use invitation::{Invitation, InvitationPage, InvitationStatus};
pub use letters::fold;
pub use message::{
    ChatKind, Message, MessagePage, MessageQuery, MessageType, NewMessage, Posted, Sent, Signed,
};
pub use seat::Seat;
pub use team::Team;
pub use text::{Body, ChannelName, ClientId, Description, Name, Photo, Problem};
pub use user::{NewUser, Profile, User};
