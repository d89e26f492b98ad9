//! Channels: public chats with a channel name, which nicks join and leave. A user in a channel is a
//! member of its chat, and in its room.

use std::sync::Arc;

use super::access::Reader;
use super::chats::join;
use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::{
    Body, ChannelName, Chat, ChatId, ConnectionId, Event, Extras, Handle, MessageType, Name,
};
use crate::store::Tx;

impl App {
    /// Lets the actor's nick join a channel, which is made when it is first used. Errors:
    /// `conflict` if the nick is in it already, `not_found` if the channel has become private,
    /// `too_large` if the nick is in too many channels or the user in too many chats.
    pub async fn join_channel(&self, actor: &Actor, channel: &ChannelName) -> Result<(), Error> {
        let _changing = self.carrier.nicks.change_lock.lock().await;
        let nick = self.check_newcomer(actor, channel)?;
        let profile = self.store.find_profile(&actor.user_id).await?;
        let known = self.store.find_channel(channel).await?;
        self.admit_chat(actor, known).await?;
        if known.is_none() {
            self.admit_announcement(&Viewer::from(actor)).await?;
        }
        let mut tx = self.begin_as(actor).await?;
        tx.lock_names(&[channel.as_ref()]).await?;
        let (chat_id, event) = match tx.find_channel(channel).await? {
            Some(chat_id) => {
                let joined = join(&mut tx, actor, chat_id).await;
                (chat_id, joined.map_err(|error| at(error, "channel"))?)
            }
            None => {
                let chat = insert_channel(&mut tx, actor, channel).await?;
                (chat.id, Some(Event::ChatCreated(chat)))
            }
        };
        tx.insert_nick_channel(&nick, chat_id).await?;
        let by = actor.connection;
        let joined = Event::ChannelJoined { chat_id, channel: channel.clone(), nick, by };
        tx.commit(event.into_iter().chain([joined])).await?;
        if let Some(held) = self.carrier.nicks.held().get_mut(by) {
            held.channels.insert(channel.clone(), chat_id);
        }
        if let Some(profile) = profile {
            let mut presence = self.presence.lock().await;
            self.put_in(&mut presence, (chat_id, false), actor.connection, profile, false).await;
        }
        Ok(())
    }

    /// Lets the actor's nick leave a channel, and the user its chat. Errors: `conflict` if the nick
    /// is not in it.
    pub async fn leave_channel(&self, actor: &Actor, channel: &ChannelName) -> Result<(), Error> {
        let _changing = self.carrier.nicks.change_lock.lock().await;
        let (nick, chat_id) = self
            .nick_and_chat(actor, channel)
            .ok_or(Error::conflict("channel", "you are not in this channel"))?;
        let mut tx = self.begin_as(actor).await?;
        let member_left = self.leave(&mut tx, chat_id, &actor.user_id).await?;
        tx.delete_nick_channel(&nick, chat_id).await?;
        let by = actor.connection;
        let left = Event::ChannelLeft { chat_id, channel: channel.clone(), nick, by };
        tx.commit([left].into_iter().chain(member_left)).await?;
        self.forget_channel(actor.connection, channel, chat_id).await;
        Ok(())
    }

    /// Takes a connection out of a channel because its user is no member of the chat any more. If
    /// the user becomes a member again, they must join the channel again.
    pub(super) async fn lose_channel(&self, connection: ConnectionId, chat_id: ChatId) {
        let _changing = self.carrier.nicks.change_lock.lock().await;
        let Some((nick, channel)) = self.carrier.nicks.held().get(connection).and_then(|held| {
            let (channel, _) = held.channels.iter().find(|(_, id)| **id == chat_id)?;
            Some((held.nick.clone(), channel.clone()))
        }) else {
            return;
        };
        let put_out = async {
            let mut tx = self.store.begin().await?;
            tx.delete_nick_channel(&nick, chat_id).await?;
            let (channel, by) = (channel.clone(), connection);
            tx.commit([Event::ChannelLeft { chat_id, channel, nick, by }]).await
        };
        if let Err(error) = put_out.await {
            error.warn("a nick is still listed in a channel");
        }
        self.forget_channel(connection, &channel, chat_id).await;
    }

    /// Sends a message to a channel. Errors: `forbidden` if the actor's nick is not in it; those of
    /// [`new_message`](App::new_message).
    pub async fn say(&self, actor: &Actor, channel: &ChannelName, body: Body) -> Result<(), Error> {
        let (_, chat_id) =
            self.nick_and_chat(actor, channel).ok_or(Error::Forbidden("join the channel first"))?;
        let sent = self
            .new_message(actor, chat_id, MessageType::Text, body, None, Extras::default())
            .await;
        sent.map(drop).map_err(|error| at(error, "dest"))
    }

    /// The nicks in a channel, sorted, as many as fit on a page. Errors: `not_found`.
    pub async fn list_nicks_in(
        &self,
        actor: &Actor,
        channel: &ChannelName,
    ) -> Result<Arc<[Handle]>, Error> {
        let viewer = Viewer::from(actor);
        let _permit = self.read_permit(&viewer).await?;
        let chat_id = self.store.find_channel(channel).await?.ok_or_else(no_channel)?;
        let reader = Reader::check(&self.store, chat_id, &viewer).await;
        reader.map_err(|error| at(error, "channel"))?;
        self.nicks_in(chat_id).await
    }

    /// The actor's nick, if it may join this channel besides the channels that it is in. Errors:
    /// `unauthenticated`, `conflict`, `too_large`.
    fn check_newcomer(&self, actor: &Actor, channel: &ChannelName) -> Result<Handle, Error> {
        let nicks = self.carrier.nicks.held();
        let held = nicks.get(actor.connection).ok_or(Error::NO_USER)?;
        if held.channels.contains_key(channel) {
            return Err(Error::conflict("channel", "you are in this channel already"));
        }
        let max = self.limits.max_socket_rooms;
        if held.channels.len() >= max {
            return Err(Error::TooLarge { field: "channel".into(), max, unit: "channels" });
        }
        Ok(held.nick.clone())
    }

    fn nick_and_chat(&self, actor: &Actor, channel: &ChannelName) -> Option<(Handle, ChatId)> {
        let nicks = self.carrier.nicks.held();
        let held = nicks.get(actor.connection)?;
        Some((held.nick.clone(), *held.channels.get(channel)?))
    }

    async fn forget_channel(
        &self,
        connection: ConnectionId,
        channel: &ChannelName,
        chat_id: ChatId,
    ) {
        if let Some(held) = self.carrier.nicks.held().get_mut(connection) {
            held.channels.remove(channel);
        }
        self.leave_room(connection, chat_id).await;
    }
}

async fn insert_channel(tx: &mut Tx, actor: &Actor, channel: &ChannelName) -> Result<Chat, Error> {
    let user_id = &actor.user_id;
    let chat = Chat {
        channel_name: Some(channel.clone()),
        ..Chat::new(Name::from(channel), user_id.clone(), vec![user_id.clone()])
    };
    tx.insert_chat(&chat).await?;
    Ok(chat)
}

fn no_channel() -> Error {
    Error::NotFound { field: "channel", why: "no such channel".into() }
}

/// Makes `not_found` name the channel: here, clients know it by its name and not by its chat's id.
fn at(error: Error, field: &'static str) -> Error {
    match error {
        Error::NotFound { .. } => Error::NotFound { field, why: "no such channel".into() },
        error => error,
    }
}
