//! The seats of those who are logged in to the rooms API, and how they are moved. A call may come
//! to any node, so they are in the store.
//!
//! What moves a seat locks it, then the chats, then the presence.

use super::App;
use super::presence::Presence;
use super::users::find_user;
use crate::clock;
use crate::cluster::Moved;
use crate::error::Error;
use crate::model::{ChatId, Event, Profile, Seat, User, UserId};
use crate::store::Tx;

/// A room that a seat is moved into.
pub(super) struct Destination {
    pub chat_id: ChatId,
    pub ephemeral: bool,
    /// Whether the chat is made by this very move, so that nobody is there yet.
    pub new: bool,
    /// The `seq` of the last message there.
    pub last_seq: i64,
    /// Whether the user becomes a member by entering.
    pub joined: bool,
    pub user: Profile,
}

impl App {
    /// After the start of a single node: everybody who was in a room is there again.
    pub(super) async fn restore_seats(&self) -> Result<(), Error> {
        let mut presence = self.presence.lock().await;
        for seated in self.store.list_seated().await? {
            presence.enter((seated.chat_id, seated.ephemeral), seated.connection, seated.user);
        }
        Ok(())
    }

    /// Moves a user from a chat's room into the waiting room, if the user is no member of the chat
    /// any more. The carrier must not wait for it.
    pub(super) async fn recall(&self, chat_id: ChatId, user_id: &UserId) -> Result<(), Error> {
        let in_room = |seat: &Seat| seat.chat_id == Some(chat_id);
        if !self.store.find_seat(user_id).await?.as_ref().is_some_and(in_room) {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let Some(mut seat) = tx.find_seat(user_id).await?.filter(in_room) else {
            return Ok(());
        };
        let standing = tx.find_standing(chat_id, user_id).await?;
        if standing.is_none_or(|standing| !standing.member) {
            seat.joined = false;
            self.move_seat(seat, tx, None, Vec::new()).await?;
        }
        Ok(())
    }

    /// The seat of an actor who says to be in `room`, or in the waiting room. Errors: `conflict` if
    /// they are not.
    pub(super) async fn seat(&self, user_id: &UserId, room: Option<ChatId>) -> Result<Seat, Error> {
        let seat = right_seat(self.store.find_seat(user_id).await?, room)?;
        // Not at every call: it is a commit.
        if seat.last_use < clock::ago(self.limits.lobby_timeout / 4) {
            let mut tx = self.store.begin().await?;
            tx.touch_seat(user_id, clock::now()).await?;
            tx.commit([]).await?;
        }
        Ok(seat)
    }

    /// Moves a seat out of its room and into another, or into the waiting room, and commits; a
    /// membership that is for the stay alone ends with it. Errors: `not_found` for an ephemeral
    /// chat that everybody has left.
    pub(super) async fn move_seat(
        &self,
        seat: Seat,
        mut tx: Tx,
        goal: Option<Destination>,
        mut events: Vec<Event>,
    ) -> Result<(), Error> {
        // The chat is locked before the presence: another transaction with the chat may wait for
        // that.
        if let Some(chat_id) = seat.chat_id.filter(|_| seat.joined) {
            tx.lock_chats(&[chat_id]).await?;
        }
        let first_of = match &goal {
            Some(Destination { chat_id, user, ephemeral, new, .. }) => {
                if *ephemeral && !new && !self.is_occupied(*chat_id, &mut tx).await? {
                    return Err(Error::no_chat());
                }
                self.enter_seated(*chat_id, user).await
            }
            None => None,
        };
        // Held over the commit: a chat that has been entered is not deleted for being empty.
        let mut presence = self.presence.lock().await;
        let moved = Seat {
            chat_id: goal.as_ref().map(|goal| goal.chat_id),
            cursor: goal.as_ref().map_or(0, |goal| goal.last_seq),
            joined: goal.as_ref().is_some_and(|goal| goal.joined),
            last_use: clock::now(),
            ..seat.clone()
        };
        let store = async {
            if let Some(chat_id) = seat.chat_id.filter(|_| seat.joined) {
                // A user who is there through another door, too, stays a member. One who has just
                // joined a channel is in its room a moment later.
                if !tx.is_in_channel(&seat.user_id, chat_id).await?
                    && !self.is_elsewhere(&presence, chat_id, &seat).await
                {
                    events.extend(self.leave(&mut tx, chat_id, &seat.user_id).await?);
                }
            }
            tx.update_seat(&moved).await?;
            tx.commit_at_once(events).await
        };
        if let Err(error) = store.await {
            // It may be stored all the same: the next heartbeat looks.
            self.note_presence_missed();
            if let Some(chat_id) = moved.chat_id.filter(|_| first_of.is_some()) {
                self.leave_seated(chat_id, &seat.user_id).await;
            }
            return Err(error);
        }
        let over = match seat.chat_id {
            Some(chat_id) => self.go_out(&mut presence, chat_id, &seat).await,
            None => false,
        };
        if let Some(goal) = goal {
            self.come_in(&mut presence, &seat, goal, first_of).await;
        }
        drop(presence);
        if let Some(chat_id) = seat.chat_id {
            // The move is done: what is not in Redis is put there by the next heartbeat.
            if let Err(error) = self.keep_seated(chat_id, &seat.user_id).await {
                self.note_presence_missed();
                error.warn("a user's place in a room could not be checked");
            }
        }
        if let Some(chat_id) = seat.chat_id.filter(|_| over) {
            self.delete_empty(chat_id).await;
        }
        Ok(())
    }

    /// Whether somebody is in an ephemeral chat's room, or may be; the transaction keeps the chat.
    async fn is_occupied(&self, chat_id: ChatId, tx: &mut Tx) -> Result<bool, Error> {
        match &self.cluster {
            Some(cluster) => Ok(cluster.redis.count_rooms(&[chat_id]).await != Some(vec![0])
                || self.may_be_occupied(chat_id, tx).await?),
            None => Ok(true),
        }
    }

    /// Takes a seat's user out of a room; returns whether the room is empty now.
    async fn go_out(&self, presence: &mut Presence, chat_id: ChatId, seat: &Seat) -> bool {
        match self.cluster {
            Some(_) => self.leave_seated(chat_id, &seat.user_id).await,
            None => self.take_out(presence, chat_id, seat.connection).await,
        }
    }

    /// Tells everybody that a seat's user has come into a room, unless the user was there already:
    /// `first_of` then is `None`, else how many are there now. On the only node, puts the user in.
    async fn come_in(
        &self,
        presence: &mut Presence,
        seat: &Seat,
        goal: Destination,
        first_of: Option<usize>,
    ) {
        let Destination { chat_id, ephemeral, user, .. } = goal;
        if self.cluster.is_none() {
            self.put_in(presence, (chat_id, ephemeral), seat.connection, user, false).await;
        } else if let Some(participants) = first_of {
            self.streams.publish_moved(Moved { chat_id, user, participants, joined: true });
        }
    }

    /// Puts a user back into a room in Redis, if another call has moved the user's seat back there
    /// while this one took the user out.
    async fn keep_seated(&self, chat_id: ChatId, user_id: &UserId) -> Result<(), Error> {
        if self.cluster.is_none() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let seat = tx.find_seat(user_id).await?;
        if seat.is_some_and(|seat| seat.chat_id == Some(chat_id)) {
            let user = find_user(&mut tx, user_id).await?;
            self.enter_seated(chat_id, &profile(user)).await;
            // An error if PostgreSQL has ended the transaction meanwhile, as it was idle for too
            // long: then the seat may have been moved.
            tx.find_seat(user_id).await?;
        }
        Ok(())
    }
}

/// The seat of a user who claims to be in `room`, or in the waiting room; theirs alone until the
/// transaction ends. Errors: `conflict`.
pub(super) async fn seat_in(
    tx: &mut Tx,
    user_id: &UserId,
    room: Option<ChatId>,
) -> Result<Seat, Error> {
    right_seat(tx.find_seat(user_id).await?, room)
}

fn right_seat(seat: Option<Seat>, room: Option<ChatId>) -> Result<Seat, Error> {
    let seat = seat.ok_or(Error::conflict("user", "this user is not logged in"))?;
    match seat.chat_id == room {
        true => Ok(seat),
        false => Err(Error::conflict("user", "this user is in another room")),
    }
}

pub(super) fn profile(user: User) -> Profile {
    Profile { id: user.id, name: user.name, photo: user.photo }
}
