//! Chats and who is in them.

use std::collections::BTreeSet;
use std::iter;

use super::access::{Member, Reader};
use super::{Actor, App};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{Chat, ChatId, ChatPage, Event, NewChat, ReadState, UserId};

impl App {
    /// Makes a chat of the actor and `users`. Errors: `not_found`, naming every id in `users`
    /// that is no user's.
    pub async fn create_chat(
        &self,
        actor: &Actor,
        new: NewChat,
        users: Vec<UserId>,
    ) -> Result<Chat, Error> {
        let mut tx = self.store.begin().await?;
        let unknown = tx.list_unknown_users(&users).await?;
        if !unknown.is_empty() {
            let why = format!("no such users: {}", unknown.join(", "));
            return Err(Error::NotFound { field: "users", why });
        }
        // Sorted by id, as the store lists those who joined at the same time.
        let members: BTreeSet<_> = iter::once(actor.user_id.clone()).chain(users).collect();
        let now = clock::now();
        let chat = Chat {
            id: ChatId::new(),
            name: new.name,
            description: new.description,
            private: new.private,
            creator_id: actor.user_id.clone(),
            users: members.into_iter().collect(),
            last_seq: 0,
            created_at: now,
            modified_at: now,
        };
        tx.insert_chat(&chat).await?;
        tx.insert_members(chat.id, &chat.users, now).await?;
        tx.commit([Event::ChatCreated(chat.clone())]).await?;
        Ok(chat)
    }

    /// The actor's chats, latest activity first; `before` is a page's `next`.
    pub async fn list_chats(
        &self,
        actor: &Actor,
        before: Option<(Time, ChatId)>,
        limit: usize,
    ) -> Result<ChatPage, Error> {
        let max_bytes = self.limits.max_page_bytes;
        self.store.list_chats(&actor.user_id, before, limit, max_bytes).await
    }

    /// Makes the actor a member of a public chat; for a member it changes nothing. Errors:
    /// `not_found`.
    pub async fn join_chat(&self, actor: &Actor, chat_id: ChatId) -> Result<Chat, Error> {
        let user_id = actor.user_id.clone();
        let mut tx = self.store.begin().await?;
        let Reader { chat_id } = Reader::check_in(&mut tx, chat_id, &user_id).await?;
        let users = std::slice::from_ref(&user_id);
        let joined = tx.insert_members(chat_id, users, clock::now()).await? > 0;
        let chat = tx.find_chat(chat_id).await?.ok_or_else(Error::no_chat)?;
        tx.commit(joined.then_some(Event::MemberJoined { chat_id, user_id })).await?;
        Ok(chat)
    }

    /// Ends the actor's membership. Errors: `not_found`; `conflict` for who is no member.
    pub async fn leave_chat(&self, actor: &Actor, chat_id: ChatId) -> Result<Chat, Error> {
        let user_id = actor.user_id.clone();
        let mut tx = self.store.begin().await?;
        let Reader { chat_id } = Reader::check_in(&mut tx, chat_id, &user_id).await?;
        if !tx.delete_member(chat_id, &user_id).await? {
            let why = "you are no member of this chat";
            return Err(Error::Conflict { field: "chat.id", why });
        }
        let chat = tx.find_chat(chat_id).await?.ok_or_else(Error::no_chat)?;
        tx.commit([Event::MemberLeft { chat_id, user_id }]).await?;
        Ok(chat)
    }

    /// Marks the chat as read up to `seq`, or all of it. What has been read stays read. Errors:
    /// `not_found`, `forbidden` for who is no member.
    pub async fn mark_read(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        seq: Option<i64>,
    ) -> Result<ReadState, Error> {
        let mut tx = self.store.begin().await?;
        let member = Member::check_in(&mut tx, chat_id, &actor.user_id).await?;
        let (chat_id, user_id) = (member.chat_id, member.user_id);
        let mut reading = tx.find_reading(chat_id, &user_id).await?.ok_or_else(Error::no_chat)?;
        let seq = seq.unwrap_or(reading.last_seq).min(reading.last_seq);
        let moves = seq > reading.read_seq;
        if moves {
            reading = tx.update_reading(chat_id, &user_id, reading, seq).await?;
        }
        let read = ReadState { chat_id, read_seq: reading.read_seq, unread: reading.unread() };
        let event = Event::ChatRead { user_id, read, by: actor.connection };
        tx.commit(moves.then_some(event)).await?;
        Ok(read)
    }
}
