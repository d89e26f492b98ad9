//! The rooms API's lobby: the users that are logged in, each with a seat: in a room or in the
//! waiting room. Messages in the rooms are in [`history`](super::history). A call may come to any
//! node, so the seats are in the store.
//!
//! A call that moves a user locks the seat, then the chats, then the presence.

use super::access::Reader;
use super::buckets::Network;
use super::chats::enter;
use super::presence::Presence;
use super::users::{find_user, give_handle};
use super::{Actor, App, Connection, Viewer};
use crate::clock::{self, Time};
use crate::cluster::Moved;
use crate::error::Error;
use crate::model::{Chat, ChatId, Event, Handle, Name, Profile, Seat, User, UserId, Username};
use crate::store::Tx;

/// A room that a seat is moved into.
struct Destination {
    chat_id: ChatId,
    ephemeral: bool,
    /// Whether the chat is made by this very move, so that nobody is there yet.
    new: bool,
    /// The `seq` of the last message there.
    last_seq: i64,
    /// Whether the user becomes a member by entering.
    joined: bool,
    user: Profile,
}

impl App {
    /// Logs a user in by name, made if nobody has it; a token's user without a handle gets it.
    /// Returns the name as the user spells it, and the room that they are in already. Errors:
    /// `conflict` for a user who is logged in (not for their own token or the service), and for a
    /// name that is taken; those of [`claim`](App::claim); `unavailable` if too many are logged in,
    /// `too_large` if too many are from one address.
    pub async fn log_in_to_lobby(
        &self,
        connection: &Connection,
        name: &Handle,
    ) -> Result<(Username, Option<ChatId>), Error> {
        let user_id = match self.store.find_user_id(name.as_ref()).await? {
            Some(user_id) => self.claim(connection, &user_id).await?.user_id,
            None => {
                self.refuse_full_lobby(connection).await?;
                self.make_lobby_user(connection, name).await?
            }
        };
        if self.store.find_seat(&user_id).await?.is_none() {
            self.refuse_full_lobby(connection).await?;
        }
        let username = self.username_of(&user_id).await?;
        let mut tx = self.store.begin().await?;
        let Some(seat) = tx.find_seat(&user_id).await? else {
            let network = Network::of(connection.address()).to_string();
            tx.insert_seat(&user_id, &network, clock::now()).await?;
            tx.commit([]).await?;
            return Ok((username, None));
        };
        if connection.is_anonymous() {
            return Err(Error::conflict("user", "this user is logged in already"));
        }
        tx.touch_seat(&user_id, clock::now()).await?;
        tx.commit([]).await?;
        Ok((username, seat.chat_id))
    }

    /// Errors: `unavailable` if as many are logged in as may be; `too_large` if as many are from
    /// this address, but for the service.
    async fn refuse_full_lobby(&self, connection: &Connection) -> Result<(), Error> {
        let count = usize::try_from(self.store.count_seats().await?).unwrap_or(usize::MAX);
        if count >= self.limits.max_connections {
            return Err(Error::Unavailable(None));
        }
        if connection.is_service() {
            return Ok(());
        }
        let network = Network::of(connection.address()).to_string();
        let max = self.limits.max_seats_per_address;
        let count = self.store.count_seats_of(&network).await?;
        match usize::try_from(count).is_ok_and(|count| count < max) {
            true => Ok(()),
            false => {
                let unit = "users logged in from one address";
                Err(Error::TooLarge { field: "user".into(), max, unit })
            }
        }
    }

    /// Makes an ephemeral public chat and moves the actor there from `room`, or from the waiting
    /// room. Errors: `conflict` if the actor is not there; `too_large` if the actor has as many
    /// chats as one user may.
    pub async fn new_room(&self, actor: &Actor, room: Option<ChatId>) -> Result<ChatId, Error> {
        self.admit_chat(actor, None).await?;
        self.admit_announcement(&Viewer::from(actor)).await?;
        let mut tx = self.begin_as(actor).await?;
        let seat = seat_in(&mut tx, &actor.user_id, room).await?;
        let user = find_user(&mut tx, &actor.user_id).await?;
        let name = Name::of_room(&user.name, &self.limits);
        let chat = Chat {
            ephemeral: true,
            // The user who is about to enter.
            participants: 1,
            ..Chat::new(name, user.id.clone(), vec![user.id.clone()])
        };
        tx.insert_chat(&chat).await?;
        let chat_id = chat.id;
        let user = profile(user);
        let to =
            Destination { chat_id, ephemeral: true, new: true, last_seq: 0, joined: true, user };
        self.move_seat(seat, tx, Some(to), vec![Event::ChatCreated(chat)]).await?;
        Ok(chat_id)
    }

    /// Moves the actor into another chat's room, as a member of the chat. Errors: `conflict` for an
    /// actor who is not in `room`, or is in the other one already; `not_found`; `forbidden` for a
    /// direct chat of others; `too_large` if the actor has as many chats as one user may.
    pub async fn change_room(
        &self,
        actor: &Actor,
        room: Option<ChatId>,
        chat_id: ChatId,
    ) -> Result<(), Error> {
        self.admit_chat(actor, Some(chat_id)).await?;
        let mut tx = self.begin_as(actor).await?;
        let seat = seat_in(&mut tx, &actor.user_id, room).await?;
        if room == Some(chat_id) {
            return Err(Error::conflict("room", "is the room that you are in"));
        }
        tx.lock_chats(&Vec::from_iter(room.into_iter().chain([chat_id]))).await?;
        let reader = Reader::check_in(&mut tx, chat_id, actor).await?;
        let joined = enter(&mut tx, &reader, &actor.user_id).await?;
        let to = Destination {
            chat_id,
            ephemeral: reader.ephemeral,
            new: false,
            last_seq: reader.last_seq,
            joined: joined.is_some(),
            user: profile(find_user(&mut tx, &actor.user_id).await?),
        };
        self.move_seat(seat, tx, Some(to), joined.into_iter().collect()).await
    }

    /// Moves the actor from `room` into the waiting room, or from there out of the lobby. Returns
    /// whether they are logged in still. Errors: `conflict` for an actor who is not there.
    pub async fn go_back(&self, actor: &Actor, room: Option<ChatId>) -> Result<bool, Error> {
        let mut tx = self.begin_as(actor).await?;
        let seat = seat_in(&mut tx, &actor.user_id, room).await?;
        match seat.chat_id {
            Some(_) => self.move_seat(seat, tx, None, Vec::new()).await.map(|()| true),
            None => {
                tx.delete_seat(&seat.user_id).await?;
                tx.commit([]).await.map(|()| false)
            }
        }
    }

    /// How many users are in a chat's room, or in the waiting room. Errors: `not_found`.
    pub async fn count_users(&self, viewer: &Viewer, room: Option<ChatId>) -> Result<usize, Error> {
        let _permit = self.read_permit(viewer).await?;
        let Some(chat_id) = room else {
            let waiting = self.store.count_waiting_seats().await?;
            return Ok(usize::try_from(waiting).unwrap_or_default());
        };
        let Reader { chat_id, .. } = Reader::check(&self.store, chat_id, viewer).await?;
        Ok(self.count_in(chat_id).await)
    }

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

    /// Logs out users whose last call was too long ago.
    pub(super) async fn log_out_idle(&self) {
        let before = clock::ago(self.limits.lobby_timeout);
        let idle = self.store.list_idle_seats(before).await;
        let idle = idle.inspect_err(|error| error.warn("idle users could not be listed"));
        for user_id in idle.unwrap_or_default() {
            if let Err(error) = self.log_out(&user_id, before).await {
                error.warn("an idle user was not logged out");
            }
        }
    }

    /// Logs a user out whose last call was before this time.
    pub(super) async fn log_out(&self, user_id: &UserId, before: Time) -> Result<(), Error> {
        let idle = |seat: &Seat| seat.last_use < before;
        let mut tx = self.store.begin().await?;
        if let Some(seat) = tx.find_seat(user_id).await?.filter(idle)
            && seat.chat_id.is_some()
        {
            self.move_seat(seat, tx, None, Vec::new()).await?;
            tx = self.store.begin().await?;
        }
        let waits = |seat: &Seat| idle(seat) && seat.chat_id.is_none();
        if tx.find_seat(user_id).await?.filter(waits).is_some() {
            tx.delete_seat(user_id).await?;
            tx.commit([]).await?;
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

    async fn make_lobby_user(
        &self,
        connection: &Connection,
        name: &Handle,
    ) -> Result<UserId, Error> {
        let mut tx = self.store.begin().await?;
        tx.lock_names(&[name.as_ref()]).await?;
        let user_id = give_handle(&mut tx, connection, name).await?.id;
        tx.commit([]).await?;
        Ok(user_id)
    }

    /// Moves a seat out of its room and into another, or into the waiting room, and commits; a
    /// membership that is for the stay alone ends with it. Errors: `not_found` for an ephemeral
    /// chat that everybody has left.
    async fn move_seat(
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
async fn seat_in(tx: &mut Tx, user_id: &UserId, room: Option<ChatId>) -> Result<Seat, Error> {
    right_seat(tx.find_seat(user_id).await?, room)
}

fn right_seat(seat: Option<Seat>, room: Option<ChatId>) -> Result<Seat, Error> {
    let seat = seat.ok_or(Error::conflict("user", "this user is not logged in"))?;
    match seat.chat_id == room {
        true => Ok(seat),
        false => Err(Error::conflict("user", "this user is in another room")),
    }
}

fn profile(user: User) -> Profile {
    Profile { id: user.id, name: user.name, photo: user.photo }
}
