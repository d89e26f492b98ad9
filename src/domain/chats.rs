//! Chats and their members.

use std::collections::BTreeSet;
use std::iter;

use super::access::{Moderator, Owner, Reader, TeamMember};
use super::users::find_user;
use super::{Actor, App, Viewer};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{
    Chat, ChatChange, ChatId, ChatPage, ClientId, Data, Event, ListedChat, MadeChat, Membership,
    NewChat, Role, UserId,
};
use crate::store::Tx;

impl App {
    /// Makes a chat of the actor and `users`. If it is sent again with the same `client_id`, the
    /// answer is that chat as it is now. Errors: `not_found`, naming every id in `users` that
    /// belongs to no user, or for a team that the actor is not in; `too_large` if the actor has as
    /// many chats as one user may; `rate_limited`.
    pub async fn create_chat(
        &self,
        actor: &Actor,
        new: NewChat,
        users: Vec<UserId>,
    ) -> Result<MadeChat, Error> {
        // Look before this counts for the limits, and once more below, as the same request may come
        // twice at the same time.
        if let Some(client_id) = &new.client_id {
            let mut tx = self.begin_as(actor).await?;
            if let Some(made) = find_made(&mut tx, actor, client_id).await? {
                drop(tx);
                return Ok(self.with_participants(made).await);
            }
        }
        self.admit_chat(actor, None).await?;
        self.admit_more_writing(&Viewer::from(actor)).await?;
        if !new.private && new.team_id.is_none() {
            self.admit_announcement(&Viewer::from(actor)).await?;
        }
        let mut tx = self.begin_as(actor).await?;
        if let Some(client_id) = &new.client_id
            && let Some(made) = find_made(&mut tx, actor, client_id).await?
        {
            drop(tx);
            return Ok(self.with_participants(made).await);
        }
        let unknown = tx.list_unknown_users(&users).await?;
        if !unknown.is_empty() {
            return Err(Error::no_users(&unknown));
        }
        if let Some(team_id) = new.team_id {
            TeamMember::check_in(&mut tx, team_id, actor, "chat.team_id").await?;
        }
        // Sorted by id, because the store sorts members who joined at the same time so.
        let members: BTreeSet<_> = iter::once(actor.user_id.clone()).chain(users).collect();
        let members = members.into_iter().collect();
        let chat = Chat {
            description: new.description.filter(|text| !text.as_ref().is_empty()),
            private: new.private,
            team_id: new.team_id,
            ..Chat::new(new.name, actor.user_id.clone(), members)
        };
        tx.insert_chat(&chat).await?;
        if let Some(client_id) = &new.client_id {
            tx.note_made(chat.id, client_id).await?;
        }
        tx.commit([Event::ChatCreated(chat.clone())]).await?;
        self.count_bytes_pushed(actor, chat.size()).await;
        let listed = ListedChat { chat, membership: Some(Membership::of_new(Role::Owner)) };
        Ok(MadeChat { listed, fresh: true })
    }

    async fn with_participants(&self, mut made: MadeChat) -> MadeChat {
        made.listed.chat.participants = self.count_in(made.listed.chat.id).await;
        made
    }

    /// The actor's chats, latest activity first; `before` is a page's `next`. Errors:
    /// `rate_limited`.
    pub async fn list_chats(
        &self,
        actor: &Actor,
        before: Option<(Time, ChatId)>,
        limit: usize,
    ) -> Result<ChatPage, Error> {
        let (viewer, max_bytes) = (Viewer::from(actor), self.limits.max_page_bytes);
        self.admit_reading(&viewer).await?;
        let permit = self.read_permit(&viewer).await?;
        let mut page = self.store.list_chats(&actor.user_id, before, limit, max_bytes).await?;
        drop(permit);
        let read = page.last_messages.values().map(|signed| signed.message.size());
        self.count_bytes_read(&viewer, read.sum()).await;
        let ids: Vec<_> = page.chats.iter().map(|listed| listed.chat.id).collect();
        let counts = self.count_in_each(&ids).await;
        for (listed, participants) in page.chats.iter_mut().zip(counts) {
            listed.chat.participants = participants;
        }
        Ok(page)
    }

    /// Makes the actor a member of a chat. Anyone who may see the chat may join it; for a member
    /// this changes nothing. A pending invitation counts as accepted. Errors: `not_found`,
    /// `forbidden` for a direct chat, `too_large` if the actor has as many chats as one user may.
    pub async fn join_chat(&self, actor: &Actor, chat_id: ChatId) -> Result<ListedChat, Error> {
        self.admit_chat(actor, Some(chat_id)).await?;
        let participants = self.count_in(chat_id).await;
        let mut tx = self.begin_as(actor).await?;
        let joined = join(&mut tx, actor, chat_id).await?;
        let chat = find_chat(&mut tx, chat_id, participants).await?;
        let listed = listed(&mut tx, chat, &actor.user_id).await?;
        tx.commit(joined).await?;
        Ok(listed)
    }

    /// Ends the actor's membership. Errors: `not_found`; `conflict` for an actor who is not a
    /// member; `forbidden` for a direct chat.
    pub async fn leave_chat(&self, actor: &Actor, chat_id: ChatId) -> Result<Chat, Error> {
        let participants = self.count_in(chat_id).await;
        let mut tx = self.begin_as(actor).await?;
        let reader = Reader::check_in(&mut tx, chat_id, actor).await?;
        reader.refuse_direct()?;
        if !reader.member {
            return Err(Error::conflict("chat.id", "you are not a member of this chat"));
        }
        let left = self.leave(&mut tx, chat_id, &actor.user_id).await?;
        let chat = find_chat(&mut tx, chat_id, participants).await?;
        tx.commit(left).await?;
        Ok(chat)
    }

    /// Changes a chat's name, description and settings; an empty description or empty data are
    /// removed. Errors: `not_found`; `forbidden` for an actor who is no moderator, or who is not
    /// the owner and would change the chat's privacy or how long it keeps messages; `rate_limited`.
    pub async fn update_chat(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        change: ChatChange,
    ) -> Result<ListedChat, Error> {
        self.admit_more_writing(&Viewer::from(actor)).await?;
        let participants = self.count_in(chat_id).await;
        let mut tx = self.begin_as(actor).await?;
        if change.private.is_some() || change.retention_days.is_some() {
            Owner::check_in(&mut tx, chat_id, actor).await?;
        } else {
            Moderator::check_in(&mut tx, chat_id, actor).await?;
        }
        let chat = changed(find_chat(&mut tx, chat_id, participants).await?, change);
        tx.update_chat(&chat).await?;
        let listed = listed(&mut tx, chat, &actor.user_id).await?;
        tx.commit([Event::ChatUpdated(listed.chat.clone())]).await?;
        self.count_bytes_pushed(actor, listed.chat.size()).await;
        Ok(listed)
    }

    /// Ends another user's membership. Errors: `not_found`, `forbidden` for an actor who is not the
    /// owner, `conflict` for oneself or a user who is not a member; `rate_limited`.
    pub async fn remove_member(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        user_id: UserId,
    ) -> Result<ListedChat, Error> {
        self.admit_more_writing(&Viewer::from(actor)).await?;
        let participants = self.count_in(chat_id).await;
        let mut tx = self.begin_as(actor).await?;
        let owner = Owner::check_in(&mut tx, chat_id, actor).await?;
        let passed_on = self.remove(&mut tx, &owner, &user_id).await?;
        let chat = find_chat(&mut tx, chat_id, participants).await?;
        let listed = listed(&mut tx, chat, &actor.user_id).await?;
        let removed = Event::MemberRemoved { chat: listed.chat.clone(), user_id };
        tx.commit([removed].into_iter().chain(passed_on)).await?;
        self.count_bytes_pushed(actor, listed.chat.size()).await;
        Ok(listed)
    }

    /// Deletes a chat with all its messages. Errors: `not_found`, `forbidden` for an actor who is
    /// not the owner, and for a direct chat.
    pub async fn delete_chat(&self, actor: &Actor, chat_id: ChatId) -> Result<(), Error> {
        let mut tx = self.begin_as(actor).await?;
        Owner::check_in(&mut tx, chat_id, actor).await?;
        tx.end_chat(chat_id).await?;
        tx.commit([Event::ChatDeleted { chat_id }]).await?;
        self.ended.notify_one();
        Ok(())
    }

    /// Ends a membership. Returns its event, and a second one if the chat gets another owner; no
    /// events if there was no membership.
    pub(super) async fn leave(
        &self,
        tx: &mut Tx,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<Vec<Event>, Error> {
        let standing = tx.find_standing(chat_id, user_id).await?;
        let Some(standing) = standing.filter(|standing| standing.member) else {
            return Ok(Vec::new());
        };
        let left = end_membership(tx, chat_id, user_id, standing.sees_as_stranger()).await?;
        let passed_on = match standing.role {
            // An ephemeral chat needs no owner: it ends with its last participant.
            Role::Owner if !standing.ephemeral => self.pass_on(tx, chat_id, user_id).await?,
            Role::Owner | Role::Moderator | Role::Member => None,
        };
        Ok([left].into_iter().chain(passed_on).collect())
    }

    /// Ends another user's membership. Returns the event of the chat's new owner, if it gets one.
    async fn remove(
        &self,
        tx: &mut Tx,
        owner: &Owner,
        user_id: &UserId,
    ) -> Result<Option<Event>, Error> {
        find_user(tx, user_id).await?;
        if *user_id == owner.user_id {
            let why = "leave the chat instead of removing yourself";
            return Err(Error::conflict("user.id", why));
        }
        let mut left = self.leave(tx, owner.chat_id, user_id).await?.into_iter();
        match left.next() {
            Some(_) => Ok(left.next()),
            None => Err(Error::conflict("user.id", "is not a member of this chat")),
        }
    }
}

/// The chat that the actor has created with this `client_id`, if it was not deleted. Errors:
/// `not_found` if the actor may not see it any more.
async fn find_made(
    tx: &mut Tx,
    actor: &Actor,
    client_id: &ClientId,
) -> Result<Option<MadeChat>, Error> {
    let Some(chat_id) = tx.find_made(&actor.user_id, client_id).await? else {
        return Ok(None);
    };
    Reader::check_in(tx, chat_id, actor).await?;
    let chat = find_chat(tx, chat_id, 0).await?;
    let listed = listed(tx, chat, &actor.user_id).await?;
    Ok(Some(MadeChat { listed, fresh: false }))
}

fn changed(chat: Chat, change: ChatChange) -> Chat {
    let description = change.description.or(chat.description);
    Chat {
        name: change.name.unwrap_or(chat.name),
        description: description.filter(|text| !text.as_ref().is_empty()),
        private: change.private.unwrap_or(chat.private),
        data: change.data.or(chat.data).and_then(Data::kept),
        frozen: change.frozen.unwrap_or(chat.frozen),
        slow_mode: change.slow_mode.unwrap_or(chat.slow_mode),
        since_joining: change.since_joining.unwrap_or(chat.since_joining),
        retention_days: change.retention_days.unwrap_or(chat.retention_days),
        modified_at: clock::now(),
        ..chat
    }
}

/// A chat, with the number of users in its room. The caller counts them before the transaction
/// begins, because nobody else can write while it is open. Errors: `not_found`.
pub(super) async fn find_chat(
    tx: &mut Tx,
    chat_id: ChatId,
    participants: usize,
) -> Result<Chat, Error> {
    let chat = tx.find_chat(chat_id).await?.ok_or_else(Error::no_chat)?;
    Ok(Chat { participants, ..chat })
}

/// A chat, with this user's membership.
pub(super) async fn listed(tx: &mut Tx, chat: Chat, user_id: &UserId) -> Result<ListedChat, Error> {
    let membership = tx.find_membership(chat.id, user_id).await?;
    Ok(ListedChat { chat, membership })
}

/// Makes the actor a member; returns the event if they were not one. Errors: `not_found`,
/// `forbidden`.
pub(super) async fn join(
    tx: &mut Tx,
    actor: &Actor,
    chat_id: ChatId,
) -> Result<Option<Event>, Error> {
    let reader = Reader::check_in(tx, chat_id, actor).await?;
    reader.refuse_direct()?;
    enter(tx, &reader, &actor.user_id).await
}

/// Makes a user a member, if they are none; returns the event. Errors: `forbidden` for a direct
/// chat.
pub(super) async fn enter(
    tx: &mut Tx,
    reader: &Reader,
    user_id: &UserId,
) -> Result<Option<Event>, Error> {
    if reader.member {
        return Ok(None);
    }
    reader.refuse_direct()?;
    let chat_id = reader.chat_id;
    tx.insert_members(chat_id, std::slice::from_ref(user_id), clock::now()).await?;
    if reader.invited {
        tx.settle_invitation(chat_id, user_id).await?;
    }
    Ok(Some(Event::MemberJoined { chat_id, user_id: user_id.clone() }))
}

/// Ends a membership, and withdraws the invitations of and by the member, which would be a way
/// back. `sees` says whether the user may still see the chat.
async fn end_membership(
    tx: &mut Tx,
    chat_id: ChatId,
    user_id: &UserId,
    sees: bool,
) -> Result<Event, Error> {
    tx.delete_invitations(chat_id, user_id).await?;
    tx.delete_member(chat_id, user_id).await?;
    Ok(Event::MemberLeft { chat_id, user_id: user_id.clone(), sees })
}
