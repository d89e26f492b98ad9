//! Chats and who is in them.

use std::collections::{BTreeSet, HashSet};
use std::iter;

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
        let known = tx.list_known_users(&users).await?;
        let known: HashSet<_> = known.into_iter().collect();
        let unknown: Vec<_> = users.iter().filter(|id| !known.contains(id)).collect();
        if !unknown.is_empty() {
            return Err(Error::NotFound {
                what: "users",
                ids: unknown.into_iter().map(|id| id.as_ref().to_owned()).collect(),
            });
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
        let reader = self.reader(Some(&actor.user_id), chat_id).await?;
        let chat_id = reader.chat_id();
        let user_id = actor.user_id.clone();
        let mut tx = self.store.begin().await?;
        let users = std::slice::from_ref(&user_id);
        let joined = tx.insert_members(chat_id, users, clock::now()).await? > 0;
        let chat = tx.find_chat(chat_id).await?.ok_or_else(|| Error::not_found("chat"))?;
        tx.commit(joined.then_some(Event::MemberJoined { chat_id, user_id })).await?;
        Ok(chat)
    }

    /// Ends the actor's membership. Errors: `not_found`; `conflict` for who is no member.
    pub async fn leave_chat(&self, actor: &Actor, chat_id: ChatId) -> Result<Chat, Error> {
        let reader = self.reader(Some(&actor.user_id), chat_id).await?;
        let chat_id = reader.chat_id();
        let user_id = actor.user_id.clone();
        let mut tx = self.store.begin().await?;
        if !tx.delete_member(chat_id, &user_id).await? {
            return Err(Error::Conflict {
                field: Some("chat.id"),
                why: "you are no member of this chat",
            });
        }
        let chat = tx.find_chat(chat_id).await?.ok_or_else(|| Error::not_found("chat"))?;
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
        let member = self.member(actor.user_id.clone(), chat_id).await?;
        let (chat_id, user_id) = member.into_parts();
        let mut tx = self.store.begin().await?;
        let reading = tx.find_reading(chat_id, &user_id).await?;
        let reading = reading.ok_or_else(|| Error::not_found("chat"))?;
        let seq = seq.unwrap_or(reading.last_seq).min(reading.last_seq);
        let read_seq = seq.max(reading.read_seq);
        let unread = tx.update_reading(chat_id, &user_id, read_seq).await?;
        let read = ReadState { chat_id, read_seq, unread };
        let by = actor.connection;
        tx.commit([Event::ChatRead { user_id, read, by }]).await?;
        Ok(read)
    }
}
