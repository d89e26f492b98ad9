//! The data of the chat: ids, texts with bounds, users, chats, messages and events. No I/O.

mod account;
mod bounds;
mod chat;
mod event;
mod file;
mod ids;
mod invitation;
mod letters;
mod message;
mod message_pages;
mod reaction;
mod report;
mod route;
mod search;
mod seat;
mod stored;
mod stream;
mod team;
mod text;
mod user;
mod words;

pub use account::{
    DirectMessage, Email, NewAccount, Password, PhoneNumber, Thread, Token, TokenKey,
};
pub use bounds::Problem;
pub use chat::{
    Ban, Chat, ChatChange, ChatPage, ListedChat, ListedMember, MadeChat, Mark, Marked, Membership,
    MembershipChange, NewChat, Passed, PublicChat, PublicChatPage, ReadState, Role, Unread,
};
pub use event::{Committed, Event, Kept};
pub use file::{File, FileName, FileType};
pub use ids::{ChatId, ConnectionId, ExternalId, FileId, Handle, InvitationId, MessageId, TeamId};
pub use ids::{UserId, Username, parse_id, read_id};
pub use invitation::{Invitation, InvitationPage, InvitationStatus};
pub use letters::fold;
pub use message::{
    Change, Changed, ChatKind, Edit, Extras, Message, MessageType, NewMessage, Posted, Sent, Signed,
};
pub use message_pages::{ChangePage, MessagePage, MessageQuery, Only};
pub use reaction::{Reaction, ReactionText};
pub use report::Report;
pub use route::{Hearers, Route};
pub use search::{SearchPage, SearchPlace, SearchQuery};
pub use seat::Seat;
pub use stored::List;
pub use stream::{Position, Stream};
pub use team::Team;
pub use text::fold_beginning;
pub use text::{Body, ChannelName, ClientId, Data, Description, Name, Photo, Reason};
pub use user::{Author, Naming, NewUser, Person, Profile, User, UserChange};
pub use words::{SearchText, words_of};
