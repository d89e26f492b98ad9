//! Messages: sent once, read in pages.

use super::{Actor, App};
use crate::error::Error;
use crate::model::{Body, ChatId, ClientId, MessagePage, MessageQuery, MessageType};
use crate::model::{NewMessage, Sent, UserId};

impl App {
    /// Appends a message and returns it once it is durable. Errors: `not_found`, `forbidden` for
    /// who is no member, `conflict` for a `client_id` that belongs to another message,
    /// `unavailable`.
    pub async fn new_message(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        kind: MessageType,
        body: Body,
        client_id: Option<ClientId>,
    ) -> Result<Sent, Error> {
        let member = self.member(actor.user_id.clone(), chat_id).await?;
        let (chat_id, user_id) = member.into_parts();
        let message = NewMessage { chat_id, user_id, kind, body, client_id };
        self.store.append_message(message).await
    }

    /// A page of a chat's history, for anyone if the chat is public. Errors: `not_found`.
    pub async fn list_messages(
        &self,
        user_id: Option<&UserId>,
        chat_id: ChatId,
        query: &MessageQuery,
    ) -> Result<MessagePage, Error> {
        let reader = self.reader(user_id, chat_id).await?;
        self.store.list_messages(reader.chat_id(), query, self.limits.max_page_bytes).await
    }
}
