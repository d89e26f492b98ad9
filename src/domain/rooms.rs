//! Rooms: the participants of a chat. Of these, only the seats of the rooms API are stored. When a
//! node ends, its other clients are in no room until they come back. An ephemeral chat exists as
//! long as somebody is in its room, or may be.

use super::access::Reader;
use tokio::sync::MutexGuard;

use super::presence::{Presence, Put};
use super::{App, Viewer};
use crate::cluster::Following;
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Event, Profile, Stream};
use crate::store::Tx;

/// About how many bytes a profile takes on the wire besides its texts.
const FIXED_SIZE: usize = 100;

/// A room, as its participants see it.
#[derive(Debug)]
pub struct Room {
    /// How many users are in it.
    pub participants: usize,
    /// The users, in the order of their ids: at most [`Room::MAX_USERS`] of them, and no more than
    /// fit on a page.
    pub users: Vec<Profile>,
}

impl Room {
    pub const MAX_USERS: usize = 1000;
}

/// The right to be in a chat's room, as a user or as nobody in particular.
pub(super) struct Visitor {
    reader: Reader,
    profile: Option<Profile>,
}

impl Visitor {
    /// The `seq` of the chat's last message.
    pub fn last_seq(&self) -> i64 {
        self.reader.last_seq
    }

    /// Whether messages from before they came are hidden from them.
    pub fn sees_since(&self) -> bool {
        self.reader.seen_after > 0
    }
}

impl App {
    /// Checks whether a viewer may read a chat. If members see only what was sent since they
    /// joined, a viewer who is no member sees what was sent since their connection came into the
    /// room. Errors: `not_found`.
    pub(super) async fn reader(&self, viewer: &Viewer, chat_id: ChatId) -> Result<Reader, Error> {
        let reader = Reader::check(&self.store, chat_id, viewer).await?;
        Ok(self.reading_on(reader, viewer.connection))
    }

    /// Like [`reader`](App::reader), for a right that was checked already.
    pub(super) fn reading_on(&self, reader: Reader, connection: Option<ConnectionId>) -> Reader {
        let audience = &self.carrier.audience;
        let since = connection.and_then(|id| audience.in_room_since(id, reader.chat_id));
        match since.filter(|_| !reader.member) {
            Some(since) => reader.since(since),
            None => reader,
        }
    }

    /// Checks whether a user, or nobody in particular, may be in a chat's room. Errors:
    /// `not_found`.
    pub(super) async fn see_room(
        &self,
        viewer: &Viewer,
        chat_id: ChatId,
    ) -> Result<Visitor, Error> {
        let _permit = self.read_permit(viewer).await?;
        let reader = Reader::check(&self.store, chat_id, viewer).await?;
        let profile = match viewer.user_id() {
            Some(user_id) => self.store.find_profile(user_id).await?,
            None => None,
        };
        Ok(Visitor { reader, profile })
    }

    /// Makes this node follow a chat whose room a viewer is about to enter. Once this returns, all
    /// events of the chat are heard here. Errors: `not_found`, `unavailable`.
    pub(super) async fn follow_chat(
        &self,
        viewer: &Viewer,
        chat_id: ChatId,
    ) -> Result<Following, Error> {
        if self.streams.is_alone() {
            return Ok(Following::default());
        }
        Reader::check(&self.store, chat_id, viewer).await?;
        let following = self.streams.follow(Stream::Chat(chat_id));
        self.streams.positioned().await?;
        Ok(following)
    }

    /// Puts a connection into a room. With their first connection there, a user becomes a
    /// participant. A connection that is in the room already stays the user as whom it came.
    /// Errors: `not_found` if the chat was deleted meanwhile.
    pub(super) async fn enter_room(
        &self,
        visitor: Visitor,
        connection: ConnectionId,
    ) -> Result<Room, Error> {
        let Visitor { reader: Reader { chat_id, ephemeral, .. }, profile } = visitor;
        let mut presence = self.presence.lock().await;
        // An ephemeral chat with an empty room may have been deleted meanwhile. A single node
        // deletes it while it holds the lock of the presence, which is held here.
        if ephemeral
            && self.cluster.is_none()
            && presence.count(chat_id) == 0
            && !self.store.is_ephemeral(chat_id).await?
        {
            return Err(Error::no_chat());
        }
        let put = match profile.clone() {
            Some(user) => {
                let room = (chat_id, ephemeral);
                self.put_in(&mut presence, room, connection, user, ephemeral).await
            }
            None => Put::In,
        };
        drop(presence);
        match (put, profile) {
            (Put::Unshared, _) if ephemeral => self.keep_for(chat_id, connection).await?,
            (Put::Out, Some(user)) => self.come_back(chat_id, connection, user).await?,
            _ => {}
        }
        Ok(self.look_back(chat_id).await)
    }

    /// Keeps an ephemeral chat from being deleted while a connection is in its room and the other
    /// nodes do not know. Errors: `not_found`, `unavailable`; then the connection is out of the
    /// room again.
    async fn keep_for(&self, chat_id: ChatId, connection: ConnectionId) -> Result<(), Error> {
        let keep = async {
            self.store.hold_rooms().await?;
            // This waits for a deletion of the chat that began before.
            match self.store.begin().await?.keep_chat(chat_id).await? {
                true => Ok(()),
                false => Err(Error::no_chat()),
            }
        };
        let kept = keep.await;
        if kept.is_err() {
            self.leave_room(connection, chat_id).await;
        }
        kept
    }

    /// Puts a user into the room of an ephemeral chat that seems to be empty, if somebody may be
    /// there all the same. Errors: `not_found`.
    async fn come_back(
        &self,
        chat_id: ChatId,
        connection: ConnectionId,
        user: Profile,
    ) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        if !tx.keep_chat(chat_id).await? || !self.may_be_occupied(chat_id, &mut tx).await? {
            return Err(Error::no_chat());
        }
        let mut presence = self.presence.lock().await;
        let put = self.put_in(&mut presence, (chat_id, true), connection, user, false).await;
        drop(presence);
        // Check that the transaction, and so its lock, still exists: PostgreSQL ends a transaction
        // that is idle for too long.
        let kept = tx.keep_chat(chat_id).await;
        drop(tx);
        if !matches!(kept, Ok(true)) {
            self.leave_room(connection, chat_id).await;
            return Err(kept.err().unwrap_or_else(Error::no_chat));
        }
        match put {
            Put::Unshared => self.keep_for(chat_id, connection).await,
            Put::In | Put::Out => Ok(()),
        }
    }

    /// Whether somebody may be in a room that is empty in Redis: a user of the rooms API is in it,
    /// or a node is missing or was missing until lately. The caller's transaction keeps the chat
    /// from being deleted.
    pub(super) async fn may_be_occupied(
        &self,
        chat_id: ChatId,
        tx: &mut Tx,
    ) -> Result<bool, Error> {
        if tx.is_seated(chat_id).await? {
            return Ok(true);
        }
        match &self.cluster {
            Some(cluster) => Ok(!cluster.hears_all_nodes(tx).await?),
            None => Ok(false),
        }
    }

    /// Takes a connection out of a room. With their last connection there a user leaves, and with
    /// its last user an ephemeral chat ends.
    pub(super) async fn leave_room(&self, connection: ConnectionId, chat_id: ChatId) {
        let presence = self.presence.lock().await;
        self.go_from(presence, connection, chat_id).await;
    }

    /// Takes a connection out of a room that it has lost, as [`leave_room`](App::leave_room) does,
    /// unless it has come back meanwhile as the same user.
    pub(super) async fn leave_lost_room(&self, connection: ConnectionId, chat_id: ChatId) {
        let (presence, audience) = (self.presence.lock().await, &self.carrier.audience);
        let user_id = presence.user_in(connection, chat_id);
        let is_back = |user_id| audience.is_in_room_as(connection, chat_id, user_id);
        if !user_id.is_some_and(is_back) {
            self.go_from(presence, connection, chat_id).await;
        }
    }

    async fn go_from(
        &self,
        mut presence: MutexGuard<'_, Presence>,
        connection: ConnectionId,
        chat_id: ChatId,
    ) {
        let over = self.take_out(&mut presence, chat_id, connection).await;
        drop(presence);
        if over {
            self.delete_empty(chat_id).await;
        }
    }

    /// Takes a connection out of all rooms.
    pub(super) async fn leave_all_rooms(&self, connection: ConnectionId) {
        let rooms = self.presence.lock().await.rooms_of(connection);
        for chat_id in rooms {
            self.leave_room(connection, chat_id).await;
        }
    }

    /// Deletes an ephemeral chat, unless somebody is in its room, or may be. If it cannot be
    /// deleted, it stays until housekeeping finds it.
    pub(super) async fn delete_empty(&self, chat_id: ChatId) {
        let delete = async {
            // Most chats are not ephemeral, and this check costs less than a transaction.
            if self.is_ending() || !self.store.is_ephemeral(chat_id).await? {
                return Ok(());
            }
            let mut tx = self.store.begin().await?;
            if !tx.keep_chat(chat_id).await? || self.may_be_occupied(chat_id, &mut tx).await? {
                return Ok(());
            }
            // Always lock the transaction first, then the presence: code with an open transaction
            // may ask for the presence.
            let presence = self.presence.lock().await;
            // A connection that comes into an empty room first enters it, and then checks whether
            // the chat exists.
            if presence.count(chat_id) > 0 || !self.seems_empty(chat_id).await {
                return Ok(());
            }
            if tx.end_ephemeral_chat(chat_id).await? {
                tx.commit_at_once([Event::ChatDeleted { chat_id }]).await?;
                self.ended.notify_one();
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = delete.await {
            error.warn("an empty room was not deleted");
        }
    }

    /// The participants of a room. This checks no right: it is for a connection that has just
    /// entered or left.
    pub(super) async fn look_back(&self, chat_id: ChatId) -> Room {
        let shared = match &self.cluster {
            Some(cluster) => cluster.redis.list_room(chat_id, Room::MAX_USERS).await,
            None => None,
        };
        let mut users = match shared {
            Some(users) => users,
            None => self.presence.lock().await.list_in(chat_id, Room::MAX_USERS),
        };
        let participants = match users.len() < Room::MAX_USERS {
            true => users.len(),
            false => self.count_in(chat_id).await,
        };
        let (mut bytes, max_bytes) = (0, self.limits.max_page_bytes);
        let fits = |user: &Profile| {
            bytes += FIXED_SIZE + user.name.as_ref().len() + user.photo.as_ref().len();
            bytes <= max_bytes
        };
        users.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let count = users.iter().take(Room::MAX_USERS).map(fits).take_while(|fits| *fits).count();
        users.truncate(count);
        Room { participants, users }
    }
}
