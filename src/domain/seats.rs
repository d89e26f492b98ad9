//! The seats of users who are logged in to the rooms API, and how seats are moved. As each call may
//! come to any node, seats are in the store.
//!
//! Code that moves a seat locks the seat, then the chats, then the presence.

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
    /// Whether this move creates the chat, so that nobody is there yet.
    pub new: bool,
    /// The `seq` of the last message there.
    pub last_seq: i64,
    /// Whether the user becomes a member by entering.
    pub joined: bool,
    pub user: Profile,
}

impl App {
    /// Puts all users of the rooms API back into their rooms, after a single node has started.
    pub(super) async fn restore_seats(&self) -> Result<(), Error> {
        let mut presence = self.presence.lock().await;
        for seated in self.store.list_seated().await? {
            presence.enter((seated.chat_id, seated.ephemeral), seated.connection, seated.user);
        }
        Ok(())
    }

    /// Moves a user from a chat's room into the waiting room, if the user is no member of the chat
    /// any more. The carrier must not wait for this.
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

    /// The seat of a user who says that they are in `room`, or in the waiting room if that is
    /// `None`. Errors: `conflict` if they are not.
    pub(super) async fn seat(&self, user_id: &UserId, room: Option<ChatId>) -> Result<Seat, Error> {
        let seat = right_seat(self.store.find_seat(user_id).await?, room)?;
        // Not at every call, as it takes a commit.
        if seat.last_use < clock::ago(self.limits.lobby_timeout / 4) {
            let mut tx = self.store.begin().await?;
            tx.touch_seat(user_id, clock::now()).await?;
            tx.commit([]).await?;
        }
        Ok(seat)
    }

    /// Moves a seat from its room into another, or into the waiting room, and commits. If the user
    /// was a member only for the stay, the membership ends. Errors: `not_found` for an ephemeral
    /// chat that everybody has left.
    pub(super) async fn move_seat(
        &self,
        seat: Seat,
        mut tx: Tx,
        goal: Option<Destination>,
        mut events: Vec<Event>,
    ) -> Result<(), Error> {
        // Lock the chat before the presence: another transaction that has locked the chat may be
        // waiting for the presence.
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
        // Held until after the commit, so that the chat which the user enters is not deleted as
        // empty.
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
                // A user who is there through another door, too, stays a member. A user who has
                // just joined a channel will be in its room in a moment.
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
            // The move may be stored all the same; the next heartbeat checks that.
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
            // The move is done. If this fails, the next heartbeat puts the user into Redis.
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

    /// Whether somebody is in an ephemeral chat's room, or may be. The caller's transaction keeps
    /// the chat from being deleted.
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

    /// Tells everybody that a seat's user has come into a room. `first_of` is how many users are
    /// there now, or `None` if this one was there already, and nobody is told. On a single node,
    /// this puts the user into the room.
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
            // This fails if PostgreSQL has ended the transaction meanwhile, as it was idle for too
            // long. Then the seat may have been moved.
            tx.find_seat(user_id).await?;
        }
        Ok(())
    }
}

/// The seat of a user who says that they are in `room`, or in the waiting room. Until the
/// transaction ends, nobody else can change it. Errors: `conflict`.
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
