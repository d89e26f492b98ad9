//! What the doors hear of.

use std::sync::Arc;

use super::{Chat, ChatId, ConnectionId, Message, ReadState, UserId};

/// An event and its number among those that this node has committed: 1, 2, 3…
#[derive(Debug)]
pub struct Committed {
    pub number: u64,
    pub event: Event,
}

/// Something that has been committed, for every door of every node to show to its clients.
///
/// Events come in the order of their commits, so those of one chat come in the order of `seq`.
#[derive(Debug)]
pub enum Event {
    /// A chat was made; `users` in it are its first members.
    ChatCreated(Chat),
    MemberJoined {
        chat_id: ChatId,
        user_id: UserId,
    },
    MemberLeft {
        chat_id: ChatId,
        user_id: UserId,
    },
    MessageSent(Arc<Message>),
    /// A member has read on; `by` is the connection that said so and has its answer already.
    ChatRead {
        user_id: UserId,
        read: ReadState,
        by: ConnectionId,
    },
}
