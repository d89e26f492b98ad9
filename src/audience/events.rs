//! What events change in the register, and which connections they are shown to.

use std::collections::HashSet;
use std::iter;
use std::sync::Arc;

use super::register::{Acting, Chat, Hearing, Register, Subscriber};
use super::{Lost, Recipient, Shown, Way};
use crate::model::{ChatId, ConnectionId, Event, Hearers, Route, Stream, UserId};

/// A chat that so many connections hear keeps their list from event to event; for fewer it is
/// gathered anew.
const KEPT_FROM: usize = 16;

impl Register {
    /// Makes the changes that come before the event is shown: it gives users a chat to hear, or
    /// takes one from users that must not see the event. Returns whether to show it.
    pub(super) fn apply_before(&mut self, event: &Event, lost: &mut Vec<Lost>) -> bool {
        match event {
            Event::ChatCreated(chat) => {
                chat.users.iter().for_each(|user_id| self.add_member(chat.id, user_id));
            }
            Event::MemberJoined { chat_id, user_id } => self.add_member(*chat_id, user_id),
            // A connection that may not see the chat any more must not see what it has become,
            // either.
            Event::ChatUpdated(chat) if chat.private => {
                self.evict(chat.id, lost, |chat, subscriber| {
                    let user_id = subscriber.visit.user_id.as_ref();
                    let member = user_id.is_some_and(|user_id| chat.members.contains(user_id));
                    // A nick in a channel is that of a member. Nothing is kept from the service.
                    !subscriber.as_nick && !member && !subscriber.visit.service
                });
            }
            // Connections that have not proved to be this user act as them no more.
            Event::UserProtected { user_id, by } => {
                self.take_away(user_id, lost, |id, acting| acting.anonymous && Some(id) != *by);
            }
            Event::NickConnected { nick, user_id, by, anonymous } => {
                self.add_nick(nick, user_id, *by, *anonymous);
            }
            // The nick may have come in by another node, and this node may hear of that only now.
            Event::ChannelJoined { chat_id, nick, by, .. } => {
                return self.enter_channel(*chat_id, nick, *by);
            }
            _ => {}
        }
        true
    }

    /// Makes the changes that come after the event was shown: it takes a chat from users that have
    /// seen the event.
    pub(super) fn apply_after(&mut self, event: &Event, lost: &mut Vec<Lost>) {
        match event {
            Event::MemberLeft { chat_id, user_id, sees } => {
                self.end_membership(*chat_id, user_id, *sees, lost);
            }
            Event::MemberRemoved { chat, user_id } => {
                self.end_membership(chat.id, user_id, false, lost);
            }
            Event::ChatDeleted { chat_id } => {
                let chat = self.chats.get(chat_id);
                let members = Vec::from_iter(chat.into_iter().flat_map(|it| &it.members).cloned());
                members.iter().for_each(|user_id| self.remove_member(*chat_id, user_id));
                self.evict(*chat_id, lost, |_, _| true);
            }
            Event::UserDeleted { user_id } => self.take_away(user_id, lost, |_, _| true),
            Event::NickGone { nick, lost } => {
                if let Some(recipient) = self.remove_nick(nick).filter(|_| *lost) {
                    recipient.restart();
                }
            }
            Event::ChannelLeft { chat_id, nick, by, .. } => {
                self.leave_channel(*chat_id, nick, *by);
            }
            _ => {}
        }
    }

    fn end_membership(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
        sees: bool,
        lost: &mut Vec<Lost>,
    ) {
        self.remove_member(chat_id, user_id);
        self.evict(chat_id, lost, |_, subscriber| {
            let sees = sees && !subscriber.as_nick || subscriber.visit.service;
            subscriber.is_here_as(user_id) && !sees
        });
    }

    /// Takes connections that lose the right to be in a room out of it.
    fn evict(
        &mut self,
        chat_id: ChatId,
        lost: &mut Vec<Lost>,
        loses: impl Fn(&Chat, &Subscriber) -> bool,
    ) {
        let Some(chat) = self.chats.get(&chat_id) else {
            return;
        };
        let losing = chat.subscribers.iter().filter(|(_, subscriber)| loses(chat, subscriber));
        for id in Vec::from_iter(losing.map(|(id, _)| *id)) {
            lost.extend(self.leave(id, chat_id));
        }
    }

    /// Takes a user from those connections that lose them, and these out of the rooms where they
    /// were as this user.
    fn take_away(
        &mut self,
        user_id: &UserId,
        lost: &mut Vec<Lost>,
        loses: impl Fn(ConnectionId, &Acting) -> bool,
    ) {
        let connections = self.users.get(user_id).into_iter().flat_map(|user| &user.connections);
        let losing = connections.filter(|(id, acting)| loses(**id, acting)).map(|(id, _)| *id);
        for id in Vec::from_iter(losing) {
            self.take_user(id, user_id);
            let rooms = self.connections.get(&id).into_iter().flat_map(|it| &it.rooms).copied();
            for chat_id in Vec::from_iter(rooms) {
                let chat = self.chats.get(&chat_id);
                let subscriber = chat.and_then(|chat| chat.subscribers.get(&id));
                // The connection of a channel ends, and leaves the channel with that.
                if subscriber.is_some_and(|it| it.is_here_as(user_id) && !it.as_nick) {
                    lost.extend(self.leave(id, chat_id));
                }
            }
        }
    }

    /// Shows an event to the connections that hear it by its route.
    pub(super) fn tell(
        &mut self,
        event: &Event,
        route: &Route,
        unflushed: &mut Vec<Arc<dyn Recipient>>,
    ) {
        let shown = |way| Shown::new(event, way, route.but);
        if let (Stream::User(user_id), Hearers::Watchers { and }) = (&route.home, &route.hearers) {
            let told = and.iter().flat_map(|user_id| self.acting_as(user_id));
            let mut seen = HashSet::new();
            let all = self.watchers(user_id).chain(told);
            let all = all.filter(|recipient| seen.insert(recipient.id()));
            return shown(Way::Watcher).to(all, unflushed);
        }
        for stream in iter::once(&route.home).chain(&route.mirrors) {
            match stream {
                Stream::Chat(chat_id) => self.tell_chat(*chat_id, event, route, unflushed),
                Stream::User(user_id) => shown(Way::User).to(self.acting_as(user_id), unflushed),
                Stream::Everyone => {
                    // What the service hears, its connections need not ask for.
                    let service = matches!(route.hearers, Hearers::Service);
                    let all = self.connections.values().filter(|it| service || it.hears_all());
                    shown(Way::Everyone).to(all.map(|it| &it.recipient), unflushed);
                }
            }
        }
    }

    fn tell_chat(
        &mut self,
        chat_id: ChatId,
        event: &Event,
        route: &Route,
        unflushed: &mut Vec<Arc<dyn Recipient>>,
    ) {
        let shown = |way| Shown::new(event, way, route.but);
        let (in_room, as_member) = (shown(Way::Room), shown(Way::Member));
        // A nick that is out of the channel already is told so.
        if let Event::ChannelLeft { nick, by, .. } = event
            && self.is_nick_of(nick, *by)
            && self.subscriber(*by, chat_id).is_none()
        {
            let connected = self.connections.get(by);
            in_room.to(connected.into_iter().map(|it| &it.recipient), unflushed);
        }
        let hearing = self.chats.get_mut(&chat_id).and_then(|chat| chat.hearing.take());
        let hearing = hearing.unwrap_or_else(|| self.gather(chat_id));
        let named = self.connections_of(chat_id, &route.hearers);
        let hears = |recipient: &&Arc<dyn Recipient>| {
            named.as_ref().is_none_or(|(shown, named)| named.contains(&recipient.id()) == *shown)
        };
        in_room.to(hearing.in_room.iter().filter(hears), unflushed);
        as_member.to(hearing.members.iter().filter(hears), unflushed);
        if let Some(chat) = self.chats.get_mut(&chat_id)
            && hearing.in_room.len() + hearing.members.len() >= KEPT_FROM
        {
            chat.hearing = Some(hearing);
        }
    }

    /// Of those that hear a chat, the connections that are shown an event, with true, or that are
    /// not, with false; `None` if all are shown it.
    fn connections_of(
        &self,
        chat_id: ChatId,
        hearers: &Hearers,
    ) -> Option<(bool, HashSet<ConnectionId>)> {
        let chat = self.chats.get(&chat_id)?;
        let (shown, users, seen_in_room) = match hearers {
            Hearers::All => return None,
            // These are not told by a chat.
            Hearers::Service | Hearers::Watchers { .. } => (true, Vec::new(), None),
            Hearers::Only(users) => (true, Vec::from_iter(users), None),
            Hearers::AllBut(users) => (false, Vec::from_iter(users), None),
            Hearers::OtherMembers(user_id) => {
                let others = chat.members.iter().filter(|member| *member != user_id);
                (true, others.collect(), None)
            }
            Hearers::Seeing { users, seq } => (true, Vec::from_iter(users), Some(*seq)),
            Hearers::NotSeeing { users, seq } => (false, Vec::from_iter(users), Some(*seq)),
        };
        let users = users.into_iter().filter_map(|user_id| self.users.get(user_id));
        let acting = users.flat_map(|user| user.connections.keys());
        // Those in the room that see a message without being members.
        let is_member = |user_id: &UserId| chat.members.contains(user_id);
        let sees = |it: &Subscriber, seq| {
            let is_stranger = !it.visit.user_id.as_ref().is_some_and(is_member);
            it.visit.service || is_stranger && it.since_seq < seq
        };
        let in_room = |seq| chat.subscribers.iter().filter(move |(_, it)| sees(it, seq));
        let seeing = seen_in_room.into_iter().flat_map(in_room);
        Some((shown, acting.chain(seeing.map(|(id, _)| id)).copied().collect()))
    }

    /// The connections that hear a chat's events: those in its room, and the other connections of
    /// its members.
    fn gather(&self, chat_id: ChatId) -> Hearing {
        let Some(chat) = self.chats.get(&chat_id) else {
            return Hearing::default();
        };
        let in_room = chat.subscribers.values().filter(|subscriber| subscriber.confirmed);
        let in_room = in_room.map(|subscriber| subscriber.recipient.clone());
        // Only a connection that acts as several users can be listed twice.
        let mut seen = HashSet::new();
        let acting = chat.members.iter().filter_map(|user_id| self.users.get(user_id));
        let acting = acting.flat_map(|user| &user.connections).filter(|(id, acting)| {
            let several = || self.connections.get(id).is_some_and(|it| it.acts_as_several());
            let in_room =
                || chat.subscribers.get(id).is_some_and(|subscriber| subscriber.confirmed);
            acting.confirmed && !in_room() && (!several() || seen.insert(**id))
        });
        let members = acting.map(|(_, acting)| acting.recipient.clone());
        Hearing { in_room: by_place(in_room.collect()), members: by_place(members.collect()) }
    }
}

/// Sorts recipients by their place in memory: what belongs to sockets that came one after the other
/// lies together, and is reached more quickly in that order.
fn by_place(mut recipients: Vec<Arc<dyn Recipient>>) -> Vec<Arc<dyn Recipient>> {
    recipients.sort_unstable_by_key(|recipient| Arc::as_ptr(recipient).cast::<()>());
    recipients
}
