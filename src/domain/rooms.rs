//! Rooms: who is in a chat now. It is not stored: after a restart nobody is anywhere until they
//! come back. An ephemeral chat lives as long as somebody is in its room.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::access::Reader;
use super::{App, Attendance, Viewer};
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Event, Profile, Published, Stream, UserId};

/// Who is in every room, with which connections.
#[derive(Default)]
pub(super) struct Presence {
    rooms: HashMap<ChatId, Present>,
    /// The rooms that a connection is in, and as whom.
    connections: HashMap<ConnectionId, HashMap<ChatId, UserId>>,
}

/// About how many bytes a profile takes on the wire beside its texts.
const FIXED_SIZE: usize = 100;

/// Who is in one room.
#[derive(Default)]
struct Present {
    users: BTreeMap<UserId, Participant>,
    /// Whether the chat is deleted with its last participant.
    ephemeral: bool,
}

struct Participant {
    profile: Profile,
    connections: HashSet<ConnectionId>,
}

/// A room as someone in it sees it.
#[derive(Debug)]
pub struct Room {
    /// How many users are in it.
    pub participants: usize,
    /// Who they are, by id: at most [`Room::MAX_USERS`] of them, and no more than fit on a page.
    pub users: Vec<Profile>,
}

impl Room {
    pub const MAX_USERS: usize = 1000;
}

/// May be in a chat's room: as a user, or as nobody in particular.
pub struct Visitor {
    reader: Reader,
    profile: Option<Profile>,
}

impl App {
    /// Whether a user, or nobody in particular, may be in a chat's room. Errors: `not_found`.
    pub async fn see_room(&self, viewer: &Viewer, chat_id: ChatId) -> Result<Visitor, Error> {
        let reader = Reader::check(&self.store, chat_id, viewer).await?;
        let profile = match viewer.user_id() {
            Some(user_id) => self.store.find_profile(user_id).await?,
            None => None,
        };
        Ok(Visitor { reader, profile })
    }

    /// Follows a chat that a user, or nobody in particular, is about to be in the room of; when it
    /// returns, all that comes is heard of here. Errors: `not_found`, `unavailable`.
    pub async fn attend_chat(&self, viewer: &Viewer, chat_id: ChatId) -> Result<Attendance, Error> {
        if self.streams.is_alone() {
            return Ok(Attendance::default());
        }
        Reader::check(&self.store, chat_id, viewer).await?;
        let attendance = self.streams.attend(Stream::Chat(chat_id));
        self.streams.settled().await?;
        Ok(attendance)
    }

    /// A connection is in a room from now on. With a user's first one the user joins. One that is
    /// in it already stays as whom it came. Errors: `not_found` for a chat deleted since.
    pub async fn enter_room(
        &self,
        visitor: Visitor,
        connection: ConnectionId,
    ) -> Result<Room, Error> {
        let Visitor { reader: Reader { chat_id, ephemeral, .. }, profile } = visitor;
        let mut presence = self.presence.lock().await;
        // An ephemeral chat is there as long as somebody is in its room.
        if ephemeral && presence.count(chat_id) == 0 {
            return Err(Error::no_chat());
        }
        if let Some(user) = profile {
            self.put_in(&mut presence, (chat_id, ephemeral), connection, user).await;
        }
        Ok(presence.room(chat_id, self.limits.max_page_bytes))
    }

    /// A connection is in a room no more, unless it has come back, as `is_back` knows. With a
    /// user's last one the user leaves, and with the last user an ephemeral chat ends.
    pub async fn leave_room(
        &self,
        connection: ConnectionId,
        chat_id: ChatId,
        is_back: impl FnOnce() -> bool,
    ) {
        let mut presence = self.presence.lock().await;
        if is_back() {
            return;
        }
        let over = self.take_out(&mut presence, chat_id, connection).await;
        drop(presence);
        if over {
            self.delete_empty(chat_id).await;
        }
    }

    /// A connection has ended, and is in no room any more.
    pub async fn leave_all_rooms(&self, connection: ConnectionId) {
        let rooms = self.presence.lock().await.rooms_of(connection);
        for chat_id in rooms {
            self.leave_room(connection, chat_id, || false).await;
        }
    }

    /// Puts a connection into a room of a chat, ephemeral or not. The presence is held until the
    /// event is on its way: events come in the order of the changes.
    pub(super) async fn put_in(
        &self,
        presence: &mut Presence,
        (chat_id, ephemeral): (ChatId, bool),
        connection: ConnectionId,
        user: Profile,
    ) {
        if let Some(user) = presence.enter((chat_id, ephemeral), connection, user) {
            let participants = presence.count(chat_id);
            let event = Event::ParticipantJoined { chat_id, user, participants };
            self.bus.publish(Published { number: None, kept: None, event: Some(event) }).await;
        }
    }

    /// Takes a connection out of a room; true if that was the last of an ephemeral chat, which is
    /// [to be deleted](App::delete_empty) then.
    pub(super) async fn take_out(
        &self,
        presence: &mut Presence,
        chat_id: ChatId,
        connection: ConnectionId,
    ) -> bool {
        let ephemeral = presence.is_ephemeral(chat_id);
        let Some(user) = presence.leave(chat_id, connection) else {
            return false;
        };
        let participants = presence.count(chat_id);
        let event = Event::ParticipantLeft { chat_id, user, participants };
        self.bus.publish(Published { number: None, kept: None, event: Some(event) }).await;
        ephemeral && participants == 0
    }

    /// Deletes an ephemeral chat, unless somebody is in its room again. One that cannot be deleted
    /// stays until the next start, or until somebody enters and leaves it.
    pub(super) async fn delete_empty(&self, chat_id: ChatId) {
        let delete = async {
            let mut tx = self.store.begin().await?;
            // After the transaction, always: whoever has one open may ask for the presence.
            let presence = self.presence.lock().await;
            if presence.count(chat_id) == 0 && tx.delete_ephemeral_chat(chat_id).await? {
                tx.commit([Event::ChatDeleted { chat_id }]).await?;
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = delete.await {
            let cause = error.cause().map(tracing::field::display);
            tracing::warn!(%error, cause, "an empty room was not deleted");
        }
    }

    /// Who is in a room. It checks nothing: it is for who has just been in it.
    pub async fn look_back(&self, chat_id: ChatId) -> Room {
        self.presence.lock().await.room(chat_id, self.limits.max_page_bytes)
    }
}

impl Presence {
    /// How many users are in a room.
    pub fn count(&self, chat_id: ChatId) -> usize {
        self.rooms.get(&chat_id).map_or(0, |room| room.users.len())
    }

    /// Whether a user is in a room by another connection than this one.
    pub fn is_elsewhere(
        &self,
        chat_id: ChatId,
        user_id: &UserId,
        connection: ConnectionId,
    ) -> bool {
        let participant = self.rooms.get(&chat_id).and_then(|room| room.users.get(user_id));
        participant.is_some_and(|user| user.connections.iter().any(|id| *id != connection))
    }

    fn is_ephemeral(&self, chat_id: ChatId) -> bool {
        self.rooms.get(&chat_id).is_some_and(|room| room.ephemeral)
    }

    fn room(&self, chat_id: ChatId, max_bytes: usize) -> Room {
        let mut bytes = 0;
        let fits = |user: &&Profile| {
            bytes += FIXED_SIZE + user.name.as_ref().len() + user.photo.as_ref().len();
            bytes <= max_bytes
        };
        let participants = self.rooms.get(&chat_id).into_iter();
        let participants = participants.flat_map(|room| room.users.values());
        let users = participants.map(|participant| &participant.profile);
        let users = users.take(Room::MAX_USERS).take_while(fits).cloned().collect();
        Room { participants: self.count(chat_id), users }
    }

    fn rooms_of(&self, connection: ConnectionId) -> Vec<ChatId> {
        let rooms = self.connections.get(&connection).into_iter();
        rooms.flat_map(HashMap::keys).copied().collect()
    }

    /// Returns the user if it is the user's first connection in the room.
    fn enter(
        &mut self,
        (chat_id, ephemeral): (ChatId, bool),
        connection: ConnectionId,
        profile: Profile,
    ) -> Option<Profile> {
        let rooms = self.connections.entry(connection).or_default();
        if rooms.contains_key(&chat_id) {
            return None;
        }
        rooms.insert(chat_id, profile.id.clone());
        let room = self.rooms.entry(chat_id).or_default();
        room.ephemeral = ephemeral;
        let participant = room.users.entry(profile.id.clone()).or_insert_with(|| Participant {
            profile: profile.clone(),
            connections: HashSet::new(),
        });
        participant.connections.insert(connection);
        (participant.connections.len() == 1).then_some(profile)
    }

    /// Returns the user if it was the user's last connection in the room.
    fn leave(&mut self, chat_id: ChatId, connection: ConnectionId) -> Option<Profile> {
        let rooms = self.connections.get_mut(&connection)?;
        let user_id = rooms.remove(&chat_id)?;
        if rooms.is_empty() {
            self.connections.remove(&connection);
        }
        let room = self.rooms.get_mut(&chat_id)?;
        let participant = room.users.get_mut(&user_id)?;
        participant.connections.remove(&connection);
        if !participant.connections.is_empty() {
            return None;
        }
        let participant = room.users.remove(&user_id)?;
        if room.users.is_empty() {
            self.rooms.remove(&chat_id);
        }
        Some(participant.profile)
    }
}
