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
pub use chat::{
    Chat, ChatChange, ChatPage, ListedChat, ListedMember, Mark, Marked, NewChat, Passed, ReadState,
    Role,
};
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
pub use text::fold_beginning;
pub use text::{Body, ChannelName, ClientId, Data, Description, Name, Photo, Problem};
pub use user::{Naming, NewUser, Person, Profile, User, UserChange};
