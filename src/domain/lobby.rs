//! The lobby of the rooms API: users log in, move from room to room, and are logged out. Their
//! rooms are in their [seats](super::seats); messages in the rooms are in
//! [`history`](super::history).

use super::access::Reader;
use super::buckets::Network;
use super::chats::enter;
use super::seats::{Destination, profile, seat_in};
use super::users::{find_user, give_handle};
use super::{Actor, App, Connection, Viewer};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{Chat, ChatId, Event, Handle, Name, Seat, UserId, Username};

impl App {
    /// Logs a user in by name. If nobody has the name, a new user gets it, or the token's user if
    /// that has no handle. Returns the name as the user spells it, and the room that they are in
    /// already. Errors: `conflict` for a user who is logged in (unless by their own token or the
    /// service), and for a name that is taken; those of [`claim`](App::claim); `unavailable` if too
    /// many are logged in, `too_large` if too many are from one address.
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

    /// Errors: `unavailable` if as many users are logged in as may be; `too_large` if as many are
    /// from this address as may be, which does not apply to the service.
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

    /// Makes an ephemeral public chat, and moves the actor there from `room`, or from the waiting
    /// room if that is `None`. Errors: `conflict` if the actor is not there; `too_large` if the
    /// actor has as many chats as one user may.
    pub async fn new_room(&self, actor: &Actor, room: Option<ChatId>) -> Result<ChatId, Error> {
        self.admit_chat(actor, None).await?;
        self.admit_announcement(&Viewer::from(actor)).await?;
        let mut tx = self.begin_as(actor).await?;
        let seat = seat_in(&mut tx, &actor.user_id, room).await?;
        let user = find_user(&mut tx, &actor.user_id).await?;
        let name = Name::of_room(&user.name, &self.limits);
        let chat = Chat {
            ephemeral: true,
            // This counts the user, who is about to enter.
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

    /// Moves the actor from `room` into another chat's room, and makes them a member of that chat.
    /// Errors: `conflict` for an actor who is not in `room`, or is in the other one already;
    /// `not_found`; `forbidden` for a direct chat of others; `too_large` if the actor has as many
    /// chats as one user may.
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

    /// Moves the actor from `room` into the waiting room, or logs them out if they are there
    /// already. Returns whether they are still logged in. Errors: `conflict` for an actor who is
    /// not in `room`.
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

    /// Logs out users who have not called for too long.
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

    /// Logs a user out, if their last call was before this time.
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
}
