//! The events that the host is told of.

use super::values::{Chat, Message, text};
use crate::domain::{Listening, RecvError};
use crate::model::{self, Changed, Posted};

/// Something that this server has committed, whichever door the request came through.
///
/// The host is not told of events that are not stored (typing, signals, presence, participants),
/// nor of events that concern one client alone (how far somebody has read, tokens, muted chats),
/// nor of connections to the channels: a user who joins a channel is a member of its chat. Of
/// several nodes, each tells its host only of its own commits, so that together they tell of each
/// event once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    ChatCreated(Chat),
    /// The chat as it is now.
    ChatUpdated(Chat),
    ChatDeleted {
        chat_id: String,
    },
    MemberJoined {
        chat_id: String,
        user_id: String,
    },
    /// A member has left, or was removed or banned.
    MemberLeft {
        chat_id: String,
        user_id: String,
    },
    /// A member has another role, or may not send any more, or may again.
    MemberChanged {
        chat_id: String,
        user_id: String,
    },
    /// A message was sent, perhaps by the host itself.
    MessageSent(Message),
    /// A message was edited, deleted, pinned, answered or reacted to; it is as it is now.
    MessageChanged(Message),
    /// A user has reported a message.
    MessageReported {
        message: Message,
        /// The user who has reported it.
        user_id: String,
        reason: Option<String>,
    },
    /// A user has been asked into a chat.
    Invited {
        chat_id: String,
        inviter_id: String,
        invitee_id: String,
    },
    /// A user has another name, photo, handle or other data.
    UserUpdated {
        user_id: String,
    },
    UserDeleted {
        user_id: String,
    },
}

impl Event {
    /// `None` for an event that hosts are not told of.
    fn of(event: &model::Event) -> Option<Event> {
        Some(match event {
            model::Event::ChatCreated(chat) => Event::ChatCreated(chat.into()),
            model::Event::ChatUpdated(chat) => Event::ChatUpdated(chat.into()),
            model::Event::ChatDeleted { chat_id } => {
                Event::ChatDeleted { chat_id: chat_id.to_string() }
            }
            model::Event::MemberJoined { chat_id, user_id } => {
                Event::MemberJoined { chat_id: chat_id.to_string(), user_id: text(user_id) }
            }
            model::Event::MemberLeft { chat_id, user_id, .. } => {
                Event::MemberLeft { chat_id: chat_id.to_string(), user_id: text(user_id) }
            }
            model::Event::MemberRemoved { chat, user_id } => {
                Event::MemberLeft { chat_id: chat.id.to_string(), user_id: text(user_id) }
            }
            model::Event::MemberChanged { chat_id, member } => Event::MemberChanged {
                chat_id: chat_id.to_string(),
                user_id: text(&member.user.id),
            },
            model::Event::MessageSent(Posted { message, user, .. }) => {
                Event::MessageSent(Message::new(message, user))
            }
            model::Event::MessageChanged(Changed { message, user, .. }) => {
                Event::MessageChanged(Message::new(message, user))
            }
            model::Event::MessageReported(report) => Event::MessageReported {
                message: Message::new(&report.message, &report.author),
                user_id: text(&report.user.id),
                reason: report.reason.as_ref().map(text),
            },
            model::Event::Invited(it) => Event::Invited {
                chat_id: it.chat_id.to_string(),
                inviter_id: text(&it.inviter_id),
                invitee_id: text(&it.invitee_id),
            },
            model::Event::UserUpdated { user, .. } => {
                Event::UserUpdated { user_id: text(&user.id) }
            }
            model::Event::UserDeleted { user_id } => Event::UserDeleted { user_id: text(user_id) },
            _ => return None,
        })
    }
}

/// A listener was too slow, and has missed `count` events. Some of them may be of kinds that hosts
/// are not told of. It goes on with the oldest events that are still there.
///
/// To catch up, ask [`Service::list_messages`](super::Service::list_messages) of each chat for what
/// comes after the last `seq` that you know, and
/// [`request`](super::Service::request)`("list-changes", …)` for what comes after the last
/// `change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} events were missed")]
pub struct Missed {
    pub count: u64,
}

/// The events that are committed after [`Server::events`](crate::Server::events) was called, in the
/// order of the commits.
pub struct Events(Listening);

impl Events {
    /// How many events a listener may be behind before it misses the oldest.
    pub const MAX_BEHIND: usize = crate::domain::MAX_BEHIND;

    pub(crate) fn of(listening: Listening) -> Events {
        Events(listening)
    }

    /// The next event; `None` once the server has shut down and all events were taken. The future
    /// can be dropped, and `next` called again, without losing an event.
    ///
    /// # Errors
    /// [`Missed`] if more than [`Events::MAX_BEHIND`] were committed since the last call. The next
    /// call goes on after those.
    pub async fn next(&mut self) -> Option<Result<Event, Missed>> {
        loop {
            match self.0.recv().await {
                Ok(event) => {
                    if let Some(event) = Event::of(&event) {
                        return Some(Ok(event));
                    }
                }
                Err(RecvError::Lagged(count)) => return Some(Err(Missed { count })),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
