//! Nicks: the names under which clients are connected to the channels. The store knows the nicks of
//! all nodes; this module knows those of this node's connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::sync::Mutex;

use super::users::give_handle;
use super::{Actor, App, Connection, Viewer};
use crate::error::Error;
use crate::model::{ChannelName, ChatId, ConnectionId, Event, Handle, Password};

/// The nicks of this node's connections.
#[derive(Default)]
pub(super) struct Nicks {
    /// Locked from before the nicks are read for a change until its events are sent, so that events
    /// come in the order of the changes.
    pub change_lock: Mutex<()>,
    held: std::sync::Mutex<HeldNicks>,
}

#[derive(Default)]
pub(super) struct HeldNicks {
    connections: HashMap<ConnectionId, HeldNick>,
}

/// A connection's nick and its channels.
pub(super) struct HeldNick {
    pub nick: Handle,
    actor: Actor,
    pub channels: HashMap<ChannelName, ChatId>,
}

impl App {
    /// Decides as whom a connection asks for a nick: with the nick's password, as its user; without
    /// one, as before. But a connection that came by a password is anonymous without it. Errors:
    /// those of [`connect`](App::connect) and of [`log_in`](App::log_in).
    pub async fn connect_as(
        &self,
        connection: &Arc<Connection>,
        nick: &Handle,
        password: Option<Password>,
        address: IpAddr,
    ) -> Result<Arc<Connection>, Error> {
        let id = connection.id();
        match password {
            Some(password) => {
                let proven = self.connect_by_password(id, nick.as_ref(), password, address).await?;
                Ok(Arc::new(proven))
            }
            None if connection.is_proven() => Ok(Arc::new(self.connect(id, None, address).await?)),
            None => Ok(connection.clone()),
        }
    }

    /// Connects under a nick, which stands for the user with this handle. If nobody has the handle,
    /// the user of the connection's token gets it, or a new user. The connection's former nick
    /// disconnects and leaves its channels. Returns the nick as the user spells it. Errors:
    /// `unauthenticated`, `forbidden` for a connection that may not act as the user; `conflict` for
    /// a nick that is connected.
    pub async fn take_nick(
        &self,
        connection: &Connection,
        nick: &Handle,
    ) -> Result<(Actor, Handle), Error> {
        let actor = self.carrier.nicks.held().get(connection.id()).map(|held| held.actor.clone());
        if let Some(actor) = actor {
            self.admit_announcement(&Viewer::from(&actor)).await?;
        }
        let _changing = self.carrier.nicks.change_lock.lock().await;
        let mut tx = self.store.begin().await?;
        // Lock the former nick, too: other connections may be asking for it, while this one waits
        // for theirs.
        let old = self.carrier.nicks.held().get(connection.id()).map(|held| held.nick.clone());
        let names = [Some(nick), old.as_ref()].into_iter().flatten().map(AsRef::as_ref);
        tx.lock_names(&Vec::from_iter(names)).await?;
        let user = match tx.find_user_by_handle(nick).await? {
            Some(user) => {
                connection.may_act_as(&user.id, user.protected)?;
                user
            }
            None => give_handle(&mut tx, connection, nick).await?,
        };
        // Use the spelling that is stored, and not that of the request.
        let nick = user.handle.as_ref().unwrap_or(nick);
        tx.delete_nick(connection.id()).await?;
        if !tx.insert_nick(nick, connection.id(), self.node).await? {
            return Err(Error::conflict("user", "this nick is connected already"));
        }
        let mut events = self.carrier.nicks.held().leaving_events(connection.id());
        events.push(Event::NickConnected {
            nick: nick.clone(),
            user_id: user.id.clone(),
            by: connection.id(),
            anonymous: connection.is_anonymous(),
        });
        if let Err(error) = tx.commit(events).await {
            // The commit may have been kept: neither nick is the connection's for sure.
            self.carrier.nicks.held().remove(connection.id());
            self.give_up_nick(connection.id()).await;
            return Err(error);
        }
        let actor = connection.actor(user.id);
        self.carrier.nicks.held().insert(actor.clone(), nick);
        self.leave_all_rooms(connection.id()).await;
        Ok((actor, nick.clone()))
    }

    /// Notes that a connection to the channels has closed. Its nick is free then, unless the server
    /// ends.
    pub async fn close_nick(&self, connection: ConnectionId) {
        self.carrier.audience.remove(connection);
        if !self.is_ending() {
            self.leave_nick(connection).await;
        }
    }

    /// Frees the nick of a connection, if it has one.
    pub async fn leave_nick(&self, connection: ConnectionId) {
        let _changing = self.carrier.nicks.change_lock.lock().await;
        if self.carrier.nicks.held().remove(connection).is_none() {
            return;
        }
        self.give_up_nick(connection).await;
    }

    /// Whether the connection has a nick.
    pub fn has_nick(&self, connection: ConnectionId) -> bool {
        self.carrier.nicks.held().get(connection).is_some()
    }

    async fn give_up_nick(&self, connection: ConnectionId) {
        if let Err(error) = self.free_nick(connection).await {
            // Housekeeping tries again.
            error.warn("a nick is not free yet");
        }
        self.leave_all_rooms(connection).await;
    }

    async fn free_nick(&self, connection: ConnectionId) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        let gone = tx.delete_nick(connection).await?;
        tx.commit(gone.map(|nick| Event::NickGone { nick, lost: false })).await
    }

    /// Frees the nicks of this node's connections that ended while the store did not answer.
    pub(super) async fn free_nicks(&self) -> Result<(), Error> {
        for connection in self.store.list_nick_connections(self.node).await? {
            // Look under the lock: a task that takes a nick adds it to the held ones before it
            // unlocks.
            let _changing = self.carrier.nicks.change_lock.lock().await;
            if self.carrier.nicks.held().get(connection).is_none() {
                self.free_nick(connection).await?;
            }
        }
        Ok(())
    }

    /// The connected nicks, sorted, as many as fit on a page.
    pub async fn list_nicks(&self, actor: &Actor) -> Result<Arc<[Handle]>, Error> {
        let _permit = self.read_permit(&Viewer::from(actor)).await?;
        self.nicks().await
    }
}

impl Nicks {
    /// The nicks as they are now. A task that changes them must hold the `change_lock`.
    pub fn held(&self) -> MutexGuard<'_, HeldNicks> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a nick of this node has joined or left a channel. The request has noted that,
    /// too, unless it was not told whether its commit was kept.
    pub fn note(&self, event: &Event) {
        match event {
            Event::ChannelJoined { chat_id, channel, nick, by } => {
                if let Some(held) = self.held().get_mut(*by).filter(|held| held.nick == *nick) {
                    held.channels.insert(channel.clone(), *chat_id);
                }
            }
            Event::ChannelLeft { channel, nick, by, .. } => {
                if let Some(held) = self.held().get_mut(*by).filter(|held| held.nick == *nick) {
                    held.channels.remove(channel);
                }
            }
            _ => {}
        }
    }
}

impl HeldNicks {
    pub fn get(&self, connection: ConnectionId) -> Option<&HeldNick> {
        self.connections.get(&connection)
    }

    pub fn get_mut(&mut self, connection: ConnectionId) -> Option<&mut HeldNick> {
        self.connections.get_mut(&connection)
    }

    /// The events when a connection gives up its nick; none if it has no nick.
    fn leaving_events(&self, connection: ConnectionId) -> Vec<Event> {
        let Some(HeldNick { nick, channels, .. }) = self.get(connection) else {
            return Vec::new();
        };
        let left = channels.iter().map(|(channel, chat_id)| Event::ChannelLeft {
            chat_id: *chat_id,
            channel: channel.clone(),
            nick: nick.clone(),
            by: connection,
        });
        left.chain([Event::NickGone { nick: nick.clone(), lost: false }]).collect()
    }

    fn insert(&mut self, actor: Actor, nick: &Handle) {
        let connection = actor.connection;
        let held = HeldNick { nick: nick.clone(), actor, channels: HashMap::new() };
        self.connections.insert(connection, held);
    }

    fn remove(&mut self, connection: ConnectionId) -> Option<HeldNick> {
        self.connections.remove(&connection)
    }
}
