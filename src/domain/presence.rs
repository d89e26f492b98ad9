//! The participants of each room by this node's connections, and how the other nodes, if there are
//! any, learn of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::App;
use crate::cluster::{Entered, Entry, Holder, Left, Moved};
use crate::model::{ChatId, ConnectionId, Profile, Seat, UserId};

/// The participants of every room, with their connections.
#[derive(Default)]
pub(super) struct Presence {
    rooms: HashMap<ChatId, Room>,
    /// For each connection, the rooms that it is in, and as which user.
    connections: HashMap<ConnectionId, HashMap<ChatId, UserId>>,
}

/// The participants of one room.
#[derive(Default)]
struct Room {
    users: BTreeMap<UserId, Participant>,
    /// Whether the chat is deleted when its last participant leaves.
    ephemeral: bool,
}

struct Participant {
    profile: Profile,
    connections: HashSet<ConnectionId>,
    /// Whether the other nodes know of the user.
    shared: bool,
}

/// The result of putting somebody into a room.
#[derive(PartialEq, Eq)]
pub(super) enum Put {
    In,
    /// The user is in, and the other nodes do not know yet.
    Unshared,
    /// The user is not in, because nobody was there.
    Out,
}

impl App {
    /// Puts a user into the room of a chat, ephemeral or not; with `only_if_occupied` only if
    /// somebody is there already, on any node. The presence is locked until the event is sent, so
    /// that events come in the order of the changes.
    pub(super) async fn put_in(
        &self,
        presence: &mut Presence,
        (chat_id, ephemeral): (ChatId, bool),
        connection: ConnectionId,
        user: Profile,
        only_if_occupied: bool,
    ) -> Put {
        let Some(user) = presence.enter((chat_id, ephemeral), connection, user) else {
            return Put::In;
        };
        if let Some(cluster) = &self.cluster {
            let holder = Holder::Node(self.node);
            let entry = Entry { chat_id, user: &user, holder, only_if_occupied, announce: true };
            match cluster.redis.enter_room(entry).await {
                Some(Entered::In { .. }) => return Put::In,
                Some(Entered::Unoccupied) => {
                    presence.leave(chat_id, connection);
                    return Put::Out;
                }
                // The other nodes will hear of it when Redis answers again.
                None => presence.set_shared(chat_id, &user.id, false),
            }
        }
        let participants = presence.count(chat_id);
        self.tell_moved(Moved { chat_id, user, participants, joined: true });
        match self.cluster.is_some() {
            true => Put::Unshared,
            false => Put::In,
        }
    }

    /// Takes a connection out of a room. Returns true if it was the last one in the room of an
    /// ephemeral chat, which the caller then [deletes](App::delete_empty).
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
        if let Some(cluster) = &self.cluster {
            let holder = Holder::Node(self.node);
            match cluster.redis.leave_room(chat_id, &user.id, holder).await {
                Some(Left::Gone { remaining }) => return ephemeral && remaining == 0,
                Some(Left::StillThere) => return false,
                // Redis has lost the user, or does not answer.
                Some(Left::Unknown) | None => {}
            }
        }
        let participants = presence.count(chat_id);
        self.tell_moved(Moved { chat_id, user, participants, joined: false });
        ephemeral && participants == 0 && self.cluster.is_none()
    }

    /// If there are other nodes: puts a user of the rooms API into a room in Redis, without an
    /// event. Returns how many users are there then, if this one was not there before. The caller's
    /// transaction keeps the chat from being deleted, and the stored seat does so after it.
    pub(super) async fn enter_seated(&self, chat_id: ChatId, user: &Profile) -> Option<usize> {
        let cluster = self.cluster.as_ref()?;
        let holder = Holder::Lobby;
        let entry = Entry { chat_id, user, holder, only_if_occupied: false, announce: false };
        match cluster.redis.enter_room(entry).await {
            Some(Entered::In { first, count }) => first.then_some(count),
            // Answer with what this node knows.
            Some(Entered::Unoccupied) | None => {
                let presence = self.presence.lock().await;
                (!presence.is_in(chat_id, &user.id)).then(|| presence.count(chat_id) + 1)
            }
        }
    }

    /// If there are other nodes: takes a user of the rooms API out of a room. Returns true if the
    /// user was the last one there.
    pub(super) async fn leave_seated(&self, chat_id: ChatId, user_id: &UserId) -> bool {
        let Some(cluster) = &self.cluster else {
            return false;
        };
        let left = cluster.redis.leave_room(chat_id, user_id, Holder::Lobby).await;
        left == Some(Left::Gone { remaining: 0 })
    }

    /// Whether the room seems to have no participants by connections to other nodes.
    pub(super) async fn seems_empty(&self, chat_id: ChatId) -> bool {
        match &self.cluster {
            Some(cluster) => cluster.seems_empty(chat_id).await,
            None => true,
        }
    }

    /// Notes that Redis may hold wrong data; the next heartbeat corrects it.
    pub(super) fn note_presence_missed(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.redis.note_presence_missed();
        }
    }

    /// Whether a user of the rooms API is in the room by a connection, too.
    pub(super) async fn is_elsewhere(
        &self,
        presence: &Presence,
        chat_id: ChatId,
        seat: &Seat,
    ) -> bool {
        let Seat { user_id, connection, .. } = seat;
        let Some(cluster) = &self.cluster else {
            return presence.is_elsewhere(chat_id, user_id, *connection);
        };
        let held = cluster.redis.is_held_otherwise(chat_id, user_id, Holder::Lobby).await;
        // If that is not known, the user counts as there, because ending a membership is final.
        presence.is_in(chat_id, user_id) || held.unwrap_or(true)
    }

    /// How many users are in a room, on all nodes.
    pub(super) async fn count_in(&self, chat_id: ChatId) -> usize {
        self.count_in_each(&[chat_id]).await.pop().unwrap_or_default()
    }

    /// How many users are in each of these rooms. While Redis does not answer, only users of this
    /// node are counted.
    pub(super) async fn count_in_each(&self, chats: &[ChatId]) -> Vec<usize> {
        if let Some(cluster) = &self.cluster
            && let Some(counts) = cluster.redis.count_rooms(chats).await
        {
            return counts;
        }
        let presence = self.presence.lock().await;
        chats.iter().map(|chat_id| presence.count(*chat_id)).collect()
    }

    /// Shows a move to the clients of this node.
    fn tell_moved(&self, moved: Moved) {
        self.carrier.show_moved(moved);
        self.carrier.flush();
    }
}

impl Presence {
    /// How many users are in a room by connections to this node.
    pub fn count(&self, chat_id: ChatId) -> usize {
        self.rooms.get(&chat_id).map_or(0, |room| room.users.len())
    }

    /// Whether a user is in a room by a connection other than this one.
    pub fn is_elsewhere(
        &self,
        chat_id: ChatId,
        user_id: &UserId,
        connection: ConnectionId,
    ) -> bool {
        let participant = self.rooms.get(&chat_id).and_then(|room| room.users.get(user_id));
        participant.is_some_and(|user| user.connections.iter().any(|id| *id != connection))
    }

    /// Notes whether the other nodes know that a user is in a room.
    pub fn set_shared(&mut self, chat_id: ChatId, user_id: &UserId, shared: bool) {
        let room = self.rooms.get_mut(&chat_id);
        if let Some(participant) = room.and_then(|room| room.users.get_mut(user_id)) {
            participant.shared = shared;
        }
    }

    /// All participants with their rooms, and whether the other nodes know of them.
    pub fn list(&self) -> Vec<(ChatId, Profile, bool)> {
        let of_room = |(chat_id, room): (&ChatId, &Room)| {
            let entry = |user: &Participant| (*chat_id, user.profile.clone(), user.shared);
            room.users.values().map(entry).collect::<Vec<_>>()
        };
        self.rooms.iter().flat_map(of_room).collect()
    }

    pub fn is_in(&self, chat_id: ChatId, user_id: &UserId) -> bool {
        self.rooms.get(&chat_id).is_some_and(|room| room.users.contains_key(user_id))
    }

    /// Whether no user is in any room by this node.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    pub fn is_ephemeral(&self, chat_id: ChatId) -> bool {
        self.rooms.get(&chat_id).is_some_and(|room| room.ephemeral)
    }

    /// The participants of a room, in the order of their ids: at most `max`.
    pub fn list_in(&self, chat_id: ChatId, max: usize) -> Vec<Profile> {
        let participants = self.rooms.get(&chat_id).into_iter();
        let participants = participants.flat_map(|room| room.users.values());
        participants.take(max).map(|participant| participant.profile.clone()).collect()
    }

    /// The user as whom a connection is in a room.
    pub fn user_in(&self, connection: ConnectionId, chat_id: ChatId) -> Option<&UserId> {
        self.connections.get(&connection)?.get(&chat_id)
    }

    pub fn rooms_of(&self, connection: ConnectionId) -> Vec<ChatId> {
        let rooms = self.connections.get(&connection).into_iter();
        rooms.flat_map(HashMap::keys).copied().collect()
    }

    /// Puts a connection into a room. Returns the user, if this is their first connection there.
    pub fn enter(
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
            shared: true,
        });
        participant.connections.insert(connection);
        (participant.connections.len() == 1).then_some(profile)
    }

    /// Takes a connection out of a room. Returns the user, if this was their last connection there.
    pub fn leave(&mut self, chat_id: ChatId, connection: ConnectionId) -> Option<Profile> {
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
