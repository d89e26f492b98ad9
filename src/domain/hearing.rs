//! How a connection comes to hear things: it opens, acts as users, goes into rooms. The
//! [audience](crate::audience) knows what each connection hears; this module says what it may hear.

use std::sync::Arc;

use super::{Actor, App, Connection, Room, Viewer};
use crate::audience::{Recipient, Visit};
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, UserId};

impl App {
    /// A connection has opened; it acts as nobody yet. False if the server ends.
    pub fn open(&self, recipient: Arc<dyn Recipient>) -> bool {
        self.carrier.audience.add(recipient)
    }

    /// A connection has closed. If it was in a room, it [leaves](App::leave_all_rooms) all it is
    /// in.
    pub async fn close_connection(&self, connection: ConnectionId) {
        if self.carrier.audience.remove(connection) {
            self.leave_all_rooms(connection).await;
        }
    }

    /// Makes a connection what it was when it opened: it acts as nobody and is in no room.
    pub async fn start_over(&self, connection: ConnectionId) {
        if self.carrier.audience.reset(connection) {
            self.leave_all_rooms(connection).await;
        }
    }

    /// Takes no more connections, and tells the open ones that the server ends.
    pub fn finish_connections(&self) {
        self.carrier.audience.stop();
    }

    /// Makes a connection act as a user and hear all the user's chats; `then` is called at the
    /// moment from which it does. Returns whether this is new. Errors: those of
    /// [`claim`](App::claim); `too_large` for a connection of too many users; `unavailable` for one
    /// that has closed.
    pub async fn act_as(
        &self,
        connection: &Connection,
        user_id: &UserId,
        then: impl FnOnce(Actor),
    ) -> Result<bool, Error> {
        let (id, audience) = (connection.id(), &self.carrier.audience);
        let _following = self.follow_user(connection, user_id).await?;
        let max = self.limits.max_socket_users;
        let new = audience.act_as(id, user_id, connection.is_anonymous(), max)?;
        let acting = async {
            let actor = self.claim(connection, user_id).await?;
            if audience.confirm_user(id, user_id, || then(actor))? {
                let chats = self.chats_of(user_id).await?;
                audience.learn_chats(id, user_id, chats)?;
            }
            self.streams.positioned().await
        };
        let acting = acting.await;
        if acting.is_err() && new {
            audience.take_user(id, user_id);
        }
        acting.map(|()| new)
    }

    /// Makes a connection hear the direct messages of the user that it has proved to be.
    pub fn hear_direct(&self, connection: &Connection) {
        if let Some(user_id) = connection.user_id() {
            self.carrier.audience.set_user(connection.id(), user_id);
        }
    }

    /// Puts a connection into a chat's room, as a user that it acts as or as nobody in particular.
    /// With a user's first connection the user joins. A connection that is there already stays the
    /// user that it came as. Errors: `not_found`; `too_large` for a connection in too many rooms;
    /// `unauthenticated` for a connection that has lost the user; `unavailable`.
    pub async fn subscribe(
        &self,
        connection: ConnectionId,
        viewer: &Viewer,
        chat_id: ChatId,
    ) -> Result<Room, Error> {
        let audience = &self.carrier.audience;
        let _following = self.follow_chat(viewer, chat_id).await?;
        let Viewer { user_id, service, .. } = viewer.clone();
        let max = self.limits.max_socket_rooms;
        let new = audience.enter(connection, chat_id, Visit { user_id, service }, max)?;
        let entering = async {
            let visitor = self.see_room(viewer, chat_id).await?;
            if visitor.sees_since() {
                // What is on its way is not sent since, and is not to be pushed.
                self.wait_until_shown().await;
            }
            if !audience.confirm_room(connection, chat_id, visitor.last_seq()) {
                return Err(Error::no_chat());
            }
            self.enter_room(visitor, connection).await
        };
        let entered = entering.await;
        if entered.is_err() && new {
            audience.leave(connection, chat_id);
            // It may have been there before.
            self.leave_lost_room(connection, chat_id).await;
        }
        let room = entered?;
        // It may have closed, or lost the right, before it was put into the room.
        if !audience.is_in_room(connection, chat_id) {
            self.leave_lost_room(connection, chat_id).await;
            return Err(Error::no_chat());
        }
        Ok(room)
    }

    /// Takes a connection out of a chat's room. Errors: `conflict` if it is not there, `not_found`
    /// if the viewer does not see the chat either.
    pub async fn unsubscribe(
        &self,
        connection: ConnectionId,
        viewer: &Viewer,
        chat_id: ChatId,
    ) -> Result<Room, Error> {
        if !self.carrier.audience.leave(connection, chat_id) {
            // A chat that they may not see does not exist for them.
            self.see_room(viewer, chat_id).await?;
            return Err(Error::conflict("channel", "is not subscribed to"));
        }
        self.leave_room(connection, chat_id).await;
        Ok(self.look_back(chat_id).await)
    }

    /// Whether a connection hears a chat as one of the users that it acts as.
    pub fn hears_as_member(&self, connection: ConnectionId, chat_id: ChatId) -> bool {
        self.carrier.audience.acts_as_member(connection, chat_id)
    }

    /// Whether a connection is in a chat's room.
    pub fn is_subscribed(&self, connection: ConnectionId, chat_id: ChatId) -> bool {
        self.carrier.audience.is_in_room(connection, chat_id)
    }

    /// Sets whether a connection hears what everybody hears. Returns whether that is a change.
    pub fn set_hears_all(&self, connection: ConnectionId, hears: bool) -> bool {
        self.carrier.audience.set_hears_all(connection, hears)
    }
}
