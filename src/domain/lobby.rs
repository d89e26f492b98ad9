//! The rooms API's lobby: who is logged in there, and in which room. It is not stored, as presence
//! is not; what is said in the rooms is in [`history`](super::history).
//!
//! A seat is locked while its user's call changes or reads it; then comes the transaction, then
//! the presence.

use std::time::Instant;

use tokio::sync::OwnedMutexGuard;

use super::access::Reader;
use super::chats::{end_membership, sees};
use super::seats::{Seat, Stay};
use super::users::{find_user, give_handle};
use super::{Actor, App, Connection, Viewer};
use crate::clock;
use crate::error::Error;
use crate::model::{Chat, ChatId, Event, Handle, Name, Profile, User, UserId};
use crate::store::Tx;

impl App {
    /// Logs a user in by name, made if nobody has it; a token's user without a handle gets it.
    /// Returns the room that they are in already. Errors: `conflict` for who is logged in, but to
    /// their own token and the service, and for a name that is taken; those of
    /// [`claim`](App::claim); `unavailable` if too many are logged in.
    pub async fn log_in_to_lobby(
        &self,
        connection: &Connection,
        name: &Handle,
    ) -> Result<Option<ChatId>, Error> {
        let max = self.limits.max_connections;
        let user_id = match self.store.find_user_id(name.as_ref()).await? {
            Some(user_id) => self.claim(connection, &user_id).await?.user_id,
            None if self.lobby.is_full(max) => return Err(Error::Unavailable(None)),
            None => self.make_lobby_user(connection, name).await?,
        };
        // Again for who is logged out meanwhile.
        loop {
            let Some(seat) = self.lobby.enter(&user_id, max)? else {
                return Ok(None);
            };
            if connection.is_anonymous() {
                return Err(Error::conflict("user", "this user is logged in already"));
            }
            let mut seat = seat.lock().await;
            if !seat.gone {
                seat.last_use = Instant::now();
                return Ok(seat.room());
            }
        }
    }

    /// Makes an ephemeral public chat and moves the actor there from `room`, or from the waiting
    /// room. Errors: `conflict` for who is not there.
    pub async fn new_room(&self, actor: &Actor, room: Option<ChatId>) -> Result<ChatId, Error> {
        let mut seat = self.seat(&actor.user_id, room).await?;
        let mut tx = self.begin_as(actor).await?;
        let user = find_user(&mut tx, &actor.user_id).await?;
        let name = Name::of_room(&user.name, &self.limits);
        let chat = Chat {
            ephemeral: true,
            // The one who is about to enter.
            participants: 1,
            ..Chat::new(name, user.id.clone(), vec![user.id.clone()])
        };
        tx.insert_chat(&chat).await?;
        let chat_id = chat.id;
        let stay = Stay { chat_id, ephemeral: true, cursor: 0, joined: true };
        let events = vec![Event::ChatCreated(chat)];
        self.move_seat(&mut seat, tx, Some((stay, profile(user))), events).await?;
        Ok(chat_id)
    }

    /// Moves the actor into another chat's room, as a member of the chat. Errors: `conflict` for
    /// who is not in `room`, or in the other one already; `not_found`; `forbidden` for a direct
    /// chat of others.
    pub async fn change_room(
        &self,
        actor: &Actor,
        room: Option<ChatId>,
        chat_id: ChatId,
    ) -> Result<(), Error> {
        let mut seat = self.seat(&actor.user_id, room).await?;
        if room == Some(chat_id) {
            return Err(Error::conflict("room", "is the room that you are in"));
        }
        let user_id = actor.user_id.clone();
        let mut tx = self.begin_as(actor).await?;
        let reader = Reader::check_in(&mut tx, chat_id, actor).await?;
        let users = std::slice::from_ref(&user_id);
        let joined = tx.insert_members(chat_id, users, clock::now()).await? > 0;
        if joined {
            reader.refuse_direct()?;
            tx.settle_invitation(chat_id, &user_id).await?;
        }
        let chat = tx.find_chat(chat_id).await?.ok_or_else(Error::no_chat)?;
        let user = find_user(&mut tx, &user_id).await?;
        let stay = Stay { chat_id, ephemeral: chat.ephemeral, cursor: chat.last_seq, joined };
        let events = joined.then_some(Event::MemberJoined { chat_id, user_id });
        let to = Some((stay, profile(user)));
        self.move_seat(&mut seat, tx, to, events.into_iter().collect()).await
    }

    /// Moves the actor from `room` into the waiting room, or from there out of the lobby. Returns
    /// whether they are logged in still. Errors: `conflict` for who is not there.
    pub async fn go_back(&self, actor: &Actor, room: Option<ChatId>) -> Result<bool, Error> {
        let mut seat = self.seat(&actor.user_id, room).await?;
        match seat.stay {
            Some(_) => self.move_to_waiting_room(&mut seat).await?,
            None => self.lobby.remove(&mut seat),
        }
        Ok(!seat.gone)
    }

    /// How many users are in a chat's room, or in the waiting room. Errors: `not_found`.
    pub async fn count_users(&self, viewer: &Viewer, room: Option<ChatId>) -> Result<usize, Error> {
        let Some(chat_id) = room else {
            return Ok(self.lobby.waiting());
        };
        let Reader { chat_id, .. } = Reader::check(&self.store, chat_id, viewer).await?;
        Ok(self.presence.lock().await.count(chat_id))
    }

    /// Moves a user into the waiting room who is in a chat's room and no member of the chat any
    /// more. It must not be waited for by who takes the events.
    pub async fn recall(&self, chat_id: ChatId, user_id: &UserId) -> Result<(), Error> {
        let Some(seat) = self.lobby.find(user_id) else {
            return Ok(());
        };
        let mut seat = seat.lock_owned().await;
        let Some(stay) = seat.stay.as_mut().filter(|stay| stay.chat_id == chat_id) else {
            return Ok(());
        };
        let mut tx = self.store.begin().await?;
        let standing = tx.find_standing(chat_id, user_id).await?;
        if standing.is_none_or(|standing| !standing.member) {
            stay.joined = false;
            self.move_seat(&mut seat, tx, None, Vec::new()).await?;
        }
        Ok(())
    }

    /// Logs out who has not called for too long.
    pub async fn log_out_idle(&self) {
        let seats = self.lobby.seats();
        for seat in seats {
            // One that is in use is not idle.
            let Ok(mut seat) = seat.try_lock_owned() else {
                continue;
            };
            if seat.gone || seat.last_use.elapsed() < self.limits.lobby_timeout {
                continue;
            }
            if let Err(error) = self.log_out(&mut seat).await {
                tracing::warn!(%error, "an idle user was not logged out");
            }
        }
    }

    async fn log_out(&self, seat: &mut Seat) -> Result<(), Error> {
        if seat.stay.is_some() {
            self.move_to_waiting_room(seat).await?;
        }
        self.lobby.remove(seat);
        Ok(())
    }

    /// The seat of who says to be in `room`, or in the waiting room; theirs alone until it is
    /// dropped. Errors: `conflict`.
    pub(super) async fn seat(
        &self,
        user_id: &UserId,
        room: Option<ChatId>,
    ) -> Result<OwnedMutexGuard<Seat>, Error> {
        let logged_out = || Error::conflict("user", "this user is not logged in");
        let seat = self.lobby.find(user_id).ok_or_else(logged_out)?;
        let mut seat = seat.lock_owned().await;
        if seat.gone {
            return Err(logged_out());
        }
        if seat.room() != room {
            return Err(Error::conflict("user", "this user is in another room"));
        }
        seat.last_use = Instant::now();
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

    async fn move_to_waiting_room(&self, seat: &mut Seat) -> Result<(), Error> {
        let tx = self.store.begin().await?;
        self.move_seat(seat, tx, None, Vec::new()).await
    }

    /// Moves a seat out of its room and into another, or into the waiting room, and commits; a
    /// membership that is for the stay alone ends with it.
    async fn move_seat(
        &self,
        seat: &mut Seat,
        mut tx: Tx,
        to: Option<(Stay, Profile)>,
        mut events: Vec<Event>,
    ) -> Result<(), Error> {
        // Held over the commit: a chat that has been entered is not deleted for being empty.
        let mut presence = self.presence.lock().await;
        if let Some(Stay { chat_id, joined: true, .. }) = seat.stay {
            let user_id = seat.user_id.clone();
            // Who is there through another door, too, stays a member.
            let elsewhere = presence.is_elsewhere(chat_id, &user_id, seat.connection);
            if !elsewhere && end_membership(&mut tx, chat_id, &user_id).await? {
                let sees = sees(&mut tx, chat_id, &user_id).await?;
                events.push(Event::MemberLeft { chat_id, user_id, sees });
            }
        }
        tx.commit(events).await?;
        let (stay, profile) = to.unzip();
        self.lobby.count_move(seat.stay.is_none(), stay.is_none());
        let left = std::mem::replace(&mut seat.stay, stay).map(|stay| stay.chat_id);
        let over = match left {
            Some(chat_id) => self.take_out(&mut presence, chat_id, seat.connection).await,
            None => false,
        };
        if let (Some(stay), Some(profile)) = (&seat.stay, profile) {
            let room = (stay.chat_id, stay.ephemeral);
            self.put_in(&mut presence, room, seat.connection, profile).await;
        }
        drop(presence);
        if let Some(chat_id) = left.filter(|_| over) {
            self.delete_empty(chat_id).await;
        }
        Ok(())
    }
}

fn profile(user: User) -> Profile {
    Profile { id: user.id, name: user.name, photo: user.photo }
}
