//! What the doors hear of.

use super::{
    ChannelName, Chat, ChatId, ConnectionId, Handle, Invitation, Posted, Profile, ReadState, UserId,
};

/// An event, and for what was committed its number among what this node has committed: 1, 2, 3…
#[derive(Debug)]
pub struct Published {
    pub number: Option<u64>,
    pub event: Event,
}

/// Something for every door of every node to show to its clients.
///
/// What was committed comes in the order of the commits, so the messages of one chat come in the
/// order of `seq`. Who is in a room is not stored; those events come in the order of the changes.
/// Nor are nicks and who is in a channel, but their events have a place among the commits.
#[derive(Debug)]
pub enum Event {
    /// A chat was made; `users` in it are its first members.
    ChatCreated(Chat),
    /// A chat's name, description or privacy was changed.
    ChatUpdated(Chat),
    /// A user has become a member, by joining or by accepting an invitation.
    MemberJoined {
        chat_id: ChatId,
        user_id: UserId,
    },
    /// A member has left, and may still see the chat or not.
    MemberLeft {
        chat_id: ChatId,
        user_id: UserId,
        sees: bool,
    },
    /// The owner has ended a membership; the chat is as it was after.
    MemberRemoved {
        chat: Chat,
        user_id: UserId,
    },
    /// A user has left a team, and so its chats.
    TeamLeft {
        chat_ids: Vec<ChatId>,
        user_id: UserId,
    },
    MessageSent(Posted),
    /// A member has read on; `by` is the connection that said so and has its answer already.
    ChatRead {
        user_id: UserId,
        read: ReadState,
        by: ConnectionId,
    },
    /// A user has been asked into a chat.
    Invited(Invitation),
    /// A chat was deleted, with all its messages.
    ChatDeleted {
        chat_id: ChatId,
    },
    /// A user has become protected: from now on only who has proved to be them acts as them, as
    /// the connection `by` has.
    UserProtected {
        user_id: UserId,
        by: Option<ConnectionId>,
    },
    /// A nick has connected to the channels, by the connection `by`, which has proved nothing if
    /// it is anonymous.
    NickConnected {
        nick: Handle,
        user_id: UserId,
        by: ConnectionId,
        anonymous: bool,
    },
    /// A nick has gone from the channels, and so from each that it was in.
    NickGone {
        nick: Handle,
    },
    /// A nick has come into a channel; its user is a member.
    ChannelJoined {
        chat_id: ChatId,
        channel: ChannelName,
        nick: Handle,
    },
    /// A nick has left a channel.
    ChannelLeft {
        chat_id: ChatId,
        channel: ChannelName,
        nick: Handle,
    },
    /// A user is in a room, with the first of the user's connections.
    ParticipantJoined {
        chat_id: ChatId,
        user: Profile,
        participants: usize,
    },
    /// A user is in a room no more, with the last of the user's connections.
    ParticipantLeft {
        chat_id: ChatId,
        user: Profile,
        participants: usize,
    },
}
