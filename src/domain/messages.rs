//! Messages: sent once, read in pages.

use super::{Actor, App, access};
use crate::error::Error;
use crate::model::{Body, ChatId, ClientId, MessagePage, MessageQuery, MessageType};
use crate::model::{NewMessage, Sent, UserId};
use crate::store::Appended;

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
        let user_id = actor.user_id.clone();
        let message = NewMessage { chat_id, user_id, kind, body, client_id };
        // The writer looks up membership for a whole batch at once, where nothing can change it
        // before the message is in.
        match self.store.append_message(message).await? {
            Appended::Sent(sent) => Ok(sent),
            Appended::NoMember(standing) => Err(access::refuse_member(standing)),
        }
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
