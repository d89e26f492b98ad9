//! Actions of moderators, who mute members and ban users; and reports of messages.

use super::access::{Moderator, Reader};
use super::changes::find_message;
use super::chats::find_chat;
use super::roles::role_of;
use super::users::find_user;
use super::{Actor, App, Viewer};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{
    Ban, ChatId, Event, ListedMember, MessageId, Reason, Report, Role, Signed, UserId,
};

/// A page of the bans of a chat.
pub struct Bans {
    pub bans: Vec<Ban>,
    /// The next page begins after this user; `None` if there is no more.
    pub next: Option<UserId>,
}

impl App {
    /// Keeps a member from sending until a time, or for good if `until` is `None`. Errors:
    /// `not_found`; `forbidden` for an actor who is no moderator, or may not decide about this
    /// member; `conflict` for a user who is not a member; `invalid` for a time in the past;
    /// `rate_limited`.
    pub async fn mute_member(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        user_id: &UserId,
        until: Option<Time>,
    ) -> Result<ListedMember, Error> {
        if until.is_some_and(|until| until <= clock::now()) {
            return Err(Error::invalid("until", PAST));
        }
        self.set_muted(actor, chat_id, user_id, Some(until.unwrap_or(Time::FOREVER))).await
    }

    /// Lets a muted member send again. Errors: those of [`mute_member`](App::mute_member).
    pub async fn unmute_member(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<ListedMember, Error> {
        self.set_muted(actor, chat_id, user_id, None).await
    }

    async fn set_muted(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        user_id: &UserId,
        until: Option<Time>,
    ) -> Result<ListedMember, Error> {
        self.admit_more_writing(&Viewer::from(actor)).await?;
        let mut tx = self.begin_as(actor).await?;
        let moderator = Moderator::check_in(&mut tx, chat_id, actor).await?;
        moderator.refuse_equal(role_of(&mut tx, chat_id, user_id).await?)?;
        tx.update_muted(chat_id, user_id, until).await?;
        let member = self.find_member(&mut tx, chat_id, user_id).await?;
        tx.commit([Event::MemberChanged { chat_id, member: member.clone() }]).await?;
        self.count_bytes_pushed(actor, member.user.size()).await;
        Ok(member)
    }

    /// Keeps a user out of a chat until a time, or for good if `until` is `None`; a member is
    /// removed. Errors: those of [`mute_member`](App::mute_member), but the user need not be a
    /// member.
    pub async fn ban_member(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        user_id: UserId,
        until: Option<Time>,
    ) -> Result<Ban, Error> {
        let now = clock::now();
        if until.is_some_and(|until| until <= now) {
            return Err(Error::invalid("until", PAST));
        }
        self.admit_more_writing(&Viewer::from(actor)).await?;
        let participants = self.count_in(chat_id).await;
        let mut tx = self.begin_as(actor).await?;
        let moderator = Moderator::check_in(&mut tx, chat_id, actor).await?;
        find_user(&mut tx, &user_id).await?;
        let standing = tx.find_standing(chat_id, &user_id).await?;
        moderator.refuse_equal(standing.map_or(Role::Member, |standing| standing.role))?;
        if user_id == actor.user_id {
            return Err(Error::conflict("user.id", "leave the chat instead of banning yourself"));
        }
        let passed_on = self.leave(&mut tx, chat_id, &user_id).await?.into_iter().nth(1);
        tx.delete_invitations(chat_id, &user_id).await?;
        tx.insert_ban(chat_id, &user_id, until, &actor.user_id, now).await?;
        let mut ban = tx.find_ban(chat_id, &user_id).await?.ok_or(Error::Internal(None))?;
        self.see_online([&mut ban.user]).await;
        let chat = find_chat(&mut tx, chat_id, participants).await?;
        let bytes = chat.size();
        let removed = Event::MemberRemoved { chat, user_id };
        tx.commit([removed].into_iter().chain(passed_on)).await?;
        self.count_bytes_pushed(actor, bytes).await;
        Ok(ban)
    }

    /// Ends a ban. Errors: `not_found`; `forbidden` for an actor who is no moderator; `conflict`
    /// for a user who is not banned.
    pub async fn unban_member(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<Ban, Error> {
        let mut tx = self.begin_as(actor).await?;
        Moderator::check_in(&mut tx, chat_id, actor).await?;
        find_user(&mut tx, user_id).await?;
        let ban = tx.find_ban(chat_id, user_id).await?;
        let mut ban = ban.ok_or(Error::conflict("user.id", "is not banned from this chat"))?;
        self.see_online([&mut ban.user]).await;
        tx.delete_ban(chat_id, user_id).await?;
        tx.commit([]).await?;
        Ok(ban)
    }

    /// The bans of a chat, in the order of the users' ids; `after` is a page's `next`. Errors:
    /// `not_found`; `forbidden` for an actor who is no moderator.
    pub async fn list_bans(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Bans, Error> {
        let viewer = Viewer::from(actor);
        self.admit_reading(&viewer).await?;
        let _permit = self.read_permit(&viewer).await?;
        Moderator::check(&self.store, chat_id, actor).await?;
        let max_bytes = self.limits.max_page_bytes;
        let (mut bans, more) =
            self.store.list_bans(chat_id, after.as_ref(), limit, max_bytes).await?;
        self.count_bytes_read(&viewer, bans.iter().map(|ban| ban.user.size()).sum()).await;
        self.see_online(bans.iter_mut().map(|ban| &mut ban.user)).await;
        let next = bans.last().filter(|_| more).map(|ban| ban.user.id.clone());
        Ok(Bans { bans, next })
    }

    /// Reports a message to connections with the API key. Errors: `not_found`; `rate_limited`.
    pub async fn report_message(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        message_id: MessageId,
        reason: Option<Reason>,
    ) -> Result<(), Error> {
        self.admit_change(actor).await?;
        let participants = self.count_in(chat_id).await;
        let mut tx = self.begin_as(actor).await?;
        let reader = Reader::check_in(&mut tx, chat_id, actor).await?;
        let reader = self.reading_on(reader, Some(actor.connection));
        let message = find_message(&mut tx, chat_id, reader.seen_after, message_id).await?;
        let chat = find_chat(&mut tx, chat_id, participants).await?;
        let user = self.find_person(&mut tx, &actor.user_id).await?;
        let Signed { message, author } = message;
        let (message, author) = (message.into(), author.into());
        let report = Report { message, author, chat, user, reason };
        tx.commit([Event::MessageReported(Box::new(report))]).await
    }
}

const PAST: &str = "must be a time to come, such as 2027-01-31T12:00:00Z";
