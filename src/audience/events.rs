//! What events do to the register, and whom they are shown to.

use std::collections::HashSet;
use std::sync::Arc;

use super::register::{Chat, Hearing, Present, Register};
use super::{Lost, Recipient, Shown, Way};
use crate::model::{ChatId, ConnectionId, Event, Hearers, Route, Stream, UserId};

/// From how many on those who hear of a chat are kept from event to event.
const KEPT_FROM: usize = 16;

impl Register {
    /// Takes from an event what has to be so before it is shown: what it gives, and what it takes
    /// from those who are not to see it. Returns whether it is to be shown.
    pub(super) fn apply_before(&mut self, event: &Event, lost: &mut Lost) -> bool {
        match event {
            Event::ChatCreated(chat) => {
                chat.users.iter().for_each(|user_id| self.add_member(chat.id, user_id));
            }
            Event::MemberJoined { chat_id, user_id } => self.add_member(*chat_id, user_id),
            // Those who may not see it any more are not to see what it has become.
            Event::ChatUpdated(chat) if chat.private => {
                self.evict(chat.id, lost, |chat, present| {
                    let user_id = present.visit.user_id.as_ref();
                    let member = user_id.is_some_and(|user_id| chat.members.contains(user_id));
                    // A nick in a channel is that of a member.
                    !present.channel && !member
                });
            }
            Event::UserProtected { user_id, by } => self.protect(user_id, *by, lost),
            Event::NickConnected { nick, user_id, by, anonymous } => {
                self.add_nick(nick, user_id, *by, *anonymous);
            }
            // It may have come by another node before, of which this one hears only now.
            Event::ChannelJoined { chat_id, nick, .. } => {
                return self.enter_channel(*chat_id, nick);
            }
            Event::ChatUpdated(_)
            | Event::MemberLeft { .. }
            | Event::MemberRemoved { .. }
            | Event::MessageSent(_)
            | Event::ChatRead { .. }
            | Event::Invited(_)
            | Event::ChatDeleted { .. }
            | Event::TokenEnded { .. }
            | Event::NickGone { .. }
            | Event::ChannelLeft { .. }
            | Event::ParticipantJoined { .. }
            | Event::ParticipantLeft { .. }
            | Event::ParticipantsMoved { .. }
            | Event::ChatAnnounced { .. }
            | Event::Typing { .. }
            | Event::Signalled { .. } => {}
        }
        true
    }

    /// Takes from those who have seen the event what it takes from them.
    pub(super) fn apply_after(&mut self, event: &Event, lost: &mut Lost) {
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
                let present = self.chats.get(chat_id).into_iter().flat_map(|it| it.present.keys());
                for id in Vec::from_iter(present.copied()) {
                    self.leave(id, *chat_id);
                    lost.rooms.push((id, *chat_id));
                }
            }
            Event::NickGone { nick, lost } => {
                if let Some(recipient) = self.remove_nick(nick).filter(|_| *lost) {
                    recipient.restart();
                }
            }
            Event::ChannelLeft { chat_id, nick, .. } => self.leave_channel(*chat_id, nick),
            _ => {}
        }
    }

    fn end_membership(&mut self, chat_id: ChatId, user_id: &UserId, sees: bool, lost: &mut Lost) {
        self.remove_member(chat_id, user_id);
        self.evict(chat_id, lost, |_, present| {
            present.visit.user_id.as_ref() == Some(user_id) && (present.channel || !sees)
        });
    }

    /// Takes those out of a room who lose the right to be there. Nothing is kept from the service.
    fn evict(&mut self, chat_id: ChatId, lost: &mut Lost, loses: impl Fn(&Chat, &Present) -> bool) {
        let Some(chat) = self.chats.get(&chat_id) else {
            return;
        };
        let evicted = chat.present.iter();
        let evicted = evicted.filter(|(_, present)| !present.visit.service && loses(chat, present));
        let evicted = Vec::from_iter(evicted.map(|(id, present)| (*id, present.channel)));
        for (id, channel) in evicted {
            self.leave(id, chat_id);
            match channel {
                true => lost.channels.push((id, chat_id)),
                false => lost.rooms.push((id, chat_id)),
            }
        }
    }

    /// Takes a user who is protected now from the connections that have not proved to be theirs,
    /// and takes these out of the rooms where they are as the user.
    fn protect(&mut self, user_id: &UserId, by: Option<ConnectionId>, lost: &mut Lost) {
        let connections = self.users.get(user_id).into_iter().flat_map(|user| &user.connections);
        let anonymous = connections.filter(|(id, acting)| acting.anonymous && Some(**id) != by);
        let anonymous = anonymous.map(|(id, acting)| (*id, acting.recipient.clone()));
        for (id, recipient) in Vec::from_iter(anonymous) {
            self.forget_user(id, user_id);
            recipient.lose_user(user_id);
            let rooms = self.connections.get(&id).into_iter().flat_map(|it| &it.rooms).copied();
            for chat_id in Vec::from_iter(rooms) {
                let chat = self.chats.get(&chat_id);
                let present = chat.and_then(|chat| chat.present.get(&id));
                let as_user = |it: &Present| it.visit.user_id.as_ref() == Some(user_id);
                // A channel is left with the connection, which ends.
                if present.is_some_and(|present| as_user(present) && !present.channel) {
                    self.leave(id, chat_id);
                    lost.rooms.push((id, chat_id));
                }
            }
        }
    }

    /// Shows an event to those who hear of it by its streams.
    pub(super) fn tell(&mut self, event: &Event, unflushed: &mut Vec<Arc<dyn Recipient>>) {
        let Route { home, mirrors, hearers, .. } = event.route();
        for stream in [home].iter().chain(&mirrors) {
            match stream {
                Stream::Chat(chat_id) => self.tell_chat(*chat_id, event, &hearers, unflushed),
                Stream::User(user_id) => {
                    let user = self.users.get(user_id);
                    let acting = user.into_iter().flat_map(|user| user.connections.values());
                    let acting = acting.filter(|it| it.confirmed).map(|it| &it.recipient);
                    show(acting, &Shown::new(event, Way::User), unflushed);
                }
                Stream::Everyone => {
                    let all = self.connections.values().filter(|it| it.hears_all());
                    let all = all.map(|it| &it.recipient);
                    show(all, &Shown::new(event, Way::Everyone), unflushed);
                }
            }
        }
    }

    fn tell_chat(
        &mut self,
        chat_id: ChatId,
        event: &Event,
        hearers: &Hearers,
        unflushed: &mut Vec<Arc<dyn Recipient>>,
    ) {
        let (in_room, as_member) = (Shown::new(event, Way::Room), Shown::new(event, Way::Member));
        // A nick that has lost the channel already is told that it is out.
        if let Event::ChannelLeft { nick, .. } = event
            && let Some(nick) = self.nicks.get(nick)
            && self.present(nick.connection, chat_id).is_none()
        {
            let connected = self.connections.get(&nick.connection);
            show(connected.into_iter().map(|it| &it.recipient), &in_room, unflushed);
        }
        let hearing = self.chats.get_mut(&chat_id).and_then(|chat| chat.hearing.take());
        let hearing = hearing.unwrap_or_else(|| self.gather(chat_id));
        match hearers {
            Hearers::All => {
                show(hearing.in_room.iter(), &in_room, unflushed);
                show(hearing.members.iter(), &as_member, unflushed);
            }
            Hearers::AllBut(user_id) => {
                let user = self.users.get(user_id).map(|user| &user.connections);
                let other = |it: &&Arc<dyn Recipient>| {
                    user.is_none_or(|connections| !connections.contains_key(&it.id()))
                };
                show(hearing.in_room.iter().filter(other), &in_room, unflushed);
                show(hearing.members.iter().filter(other), &as_member, unflushed);
            }
            Hearers::Only(users) => {
                let users = users.iter().filter_map(|user_id| self.users.get(user_id));
                let ids: HashSet<_> = users.flat_map(|user| user.connections.keys()).collect();
                let named = |it: &&Arc<dyn Recipient>| ids.contains(&it.id());
                show(hearing.in_room.iter().filter(named), &in_room, unflushed);
                show(hearing.members.iter().filter(named), &as_member, unflushed);
            }
        }
        if let Some(chat) = self.chats.get_mut(&chat_id)
            && hearing.in_room.len() + hearing.members.len() >= KEPT_FROM
        {
            chat.hearing = Some(hearing);
        }
    }

    /// Whom an event of a chat is shown to: the connections in its room, and the others of members.
    fn gather(&self, chat_id: ChatId) -> Hearing {
        let Some(chat) = self.chats.get(&chat_id) else {
            return Hearing::default();
        };
        let in_room = chat.present.values().filter(|present| present.confirmed);
        let in_room = in_room.map(|present| present.recipient.clone()).collect();
        // Only a connection that acts as several users can come up twice.
        let mut seen = HashSet::new();
        let acting = chat.members.iter().filter_map(|user_id| self.users.get(user_id));
        let acting = acting.flat_map(|user| &user.connections).filter(|(id, acting)| {
            let several = || self.connections.get(id).is_some_and(|it| it.acts_as_several());
            let in_room = || chat.present.get(id).is_some_and(|present| present.confirmed);
            acting.confirmed && !in_room() && (!several() || seen.insert(**id))
        });
        let members = acting.map(|(_, acting)| acting.recipient.clone()).collect();
        Hearing { in_room, members }
    }
}

fn show<'a>(
    recipients: impl Iterator<Item = &'a Arc<dyn Recipient>>,
    shown: &Shown<'_>,
    unflushed: &mut Vec<Arc<dyn Recipient>>,
) {
    unflushed.extend(recipients.filter(|recipient| recipient.show(shown)).cloned());
}
