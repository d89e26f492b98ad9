//! Which streams events belong to, and who hears them.

use super::{Changed, ChatId, ChatKind, ConnectionId, Event, Posted, Stream, UserId};

/// Where an event belongs, who hears it, and which connection has caused it.
pub struct Route {
    /// The stream that it belongs to.
    pub home: Stream,
    /// The other streams that tell of it, for nodes that do not follow its home, or do not yet.
    pub mirrors: Vec<Stream>,
    /// The connection that has caused it, where that matters.
    pub by: Option<ConnectionId>,
    /// The connection that is not shown it, because it gets an answer that says the same.
    pub but: Option<ConnectionId>,
    /// Which of those who hear the chat are shown it.
    pub hearers: Hearers,
}

/// Which of those who hear an event's chat are shown it.
pub enum Hearers {
    All,
    Only(Vec<UserId>),
    AllBut(Vec<UserId>),
    /// Those who see a certain message, where members see only what was sent since they joined:
    /// these members, and users in the room who are no members.
    Seeing {
        users: Vec<UserId>,
        seq: i64,
    },
    /// All but those of `Seeing`.
    NotSeeing {
        users: Vec<UserId>,
        seq: i64,
    },
    /// Only connections with the API key, wherever they are.
    Service,
    /// The chat's members but this one. Users in the room who are no members are not shown it.
    OtherMembers(UserId),
    /// For an event of a user: the connections that watch the user, and those of these users.
    Watchers {
        and: Vec<UserId>,
    },
}

impl Route {
    fn of(home: Stream) -> Route {
        Route { home, mirrors: Vec::new(), by: None, but: None, hearers: Hearers::All }
    }

    fn told_to<'a>(self, users: impl IntoIterator<Item = &'a UserId>) -> Route {
        let mirrors = users.into_iter().cloned().map(Stream::User).collect();
        Route { mirrors, ..self }
    }

    fn caused_by(self, by: impl Into<Option<ConnectionId>>) -> Route {
        Route { by: by.into(), ..self }
    }

    fn answered_to(self, by: impl Into<Option<ConnectionId>>) -> Route {
        let by = by.into();
        Route { by, but: by, ..self }
    }
}

impl Event {
    /// Its streams, and who hears it. The doors decide what to show.
    pub fn route(&self) -> Route {
        let of_chat = |chat_id: &ChatId| Route::of(Stream::Chat(*chat_id));
        let of_user = |user_id: &UserId| Route::of(Stream::User(user_id.clone()));
        match self {
            Event::ChatCreated(chat) if !chat.private && chat.team_id.is_none() => {
                Route { mirrors: vec![Stream::Everyone], ..of_chat(&chat.id) }
            }
            Event::ChatCreated(chat) => of_chat(&chat.id).told_to(&chat.users),
            Event::ChatUpdated(chat) => of_chat(&chat.id),
            Event::MemberRemoved { chat, user_id } => of_chat(&chat.id).told_to([user_id]),
            Event::MemberJoined { chat_id, user_id }
            | Event::MemberLeft { chat_id, user_id, .. } => of_chat(chat_id).told_to([user_id]),
            Event::MessageSent(Posted { message, chat_kind, by, .. }) => {
                let of_chat = of_chat(&message.chat_id).caused_by(*by);
                match chat_kind {
                    ChatKind::Direct { to, .. } => of_chat.told_to([&message.user_id, to]),
                    ChatKind::Chat | ChatKind::Channel(_) => of_chat,
                }
            }
            Event::MessageChanged(Changed { message, seen_by, .. }) => {
                let seeing = |users| Hearers::Seeing { users, seq: message.seq };
                let hearers = seen_by.clone().map_or(Hearers::All, seeing);
                Route { hearers, ..of_chat(&message.chat_id) }
            }
            Event::MessageTouched { chat_id, seen_by, seq, .. } => {
                let hearers = Hearers::NotSeeing { users: seen_by.clone(), seq: *seq };
                Route { hearers, ..of_chat(chat_id) }
            }
            Event::Invited(it) => of_chat(&it.chat_id).told_to([&it.invitee_id]),
            Event::MessageReported(_) => {
                Route { hearers: Hearers::Service, ..Route::of(Stream::Everyone) }
            }
            Event::ChatDeleted { chat_id }
            | Event::MemberChanged { chat_id, .. }
            | Event::ParticipantJoined { chat_id, .. }
            | Event::ParticipantLeft { chat_id, .. }
            | Event::ParticipantsMoved { chat_id, .. } => of_chat(chat_id),
            Event::ChannelJoined { chat_id, by, .. } | Event::ChannelLeft { chat_id, by, .. } => {
                of_chat(chat_id).caused_by(*by)
            }
            Event::Typing { chat_id, user_id, .. } => {
                Route { hearers: Hearers::AllBut(vec![user_id.clone()]), ..of_chat(chat_id) }
            }
            Event::MemberRead { chat_id, user_id, .. } => {
                Route { hearers: Hearers::OtherMembers(user_id.clone()), ..of_chat(chat_id) }
            }
            Event::Signalled { chat_id, user_id, to, by, .. } => {
                let hearers = match to {
                    // The user's own other sockets get it, too.
                    Some(to) => Hearers::Only(to.iter().chain([user_id]).cloned().collect()),
                    None => Hearers::All,
                };
                Route { hearers, ..of_chat(chat_id).answered_to(*by) }
            }
            Event::ChatRead { user_id, by, .. } | Event::MembershipUpdated { user_id, by, .. } => {
                of_user(user_id).answered_to(*by)
            }
            Event::UserProtected { user_id, by } => of_user(user_id).caused_by(*by),
            Event::UserUpdated { user, direct_with, by } => {
                let and = direct_with.iter().chain([&user.id]).cloned().collect();
                let of_user = of_user(&user.id).told_to(direct_with).answered_to(*by);
                Route { hearers: Hearers::Watchers { and }, ..of_user }
            }
            Event::PresenceChanged { user_id, .. } => {
                Route { hearers: Hearers::Watchers { and: Vec::new() }, ..of_user(user_id) }
            }
            Event::TokenEnded { user_id, .. } | Event::UserDeleted { user_id } => of_user(user_id),
            Event::NickConnected { by, .. } => Route::of(Stream::Everyone).caused_by(*by),
            Event::NickGone { .. } | Event::ChatAnnounced { .. } => Route::of(Stream::Everyone),
        }
    }
}
