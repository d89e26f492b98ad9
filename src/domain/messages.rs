//! Sending messages, and reading them in pages.

use std::sync::Arc;

use super::access::Reader;
use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::{Body, ChatId, ClientId, Extras, MessagePage, MessageQuery, MessageType};
use crate::model::{NewMessage, Sent};

impl App {
    /// Appends a message, and returns it once it is durable. Errors: `not_found`, `forbidden` for
    /// an actor who is not a member, `conflict` for a `client_id` that belongs to another message,
    /// `rate_limited`, `unavailable`, and the errors of invalid `extras`.
    pub async fn new_message(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        kind: MessageType,
        body: Body,
        client_id: Option<ClientId>,
        extras: Extras,
    ) -> Result<Sent, Error> {
        self.admit_message(actor, body.as_ref().len() + extras.size()).await?;
        let user_id = actor.user_id.clone();
        // The ledger checks membership for a whole batch, in the transaction that appends. It
        // refuses all who are no members with the same error; here those who may see the chat get
        // another one.
        let message = NewMessage {
            chat_id,
            user_id,
            kind,
            body,
            client_id,
            reply: None,
            mentions: None,
            data: None,
            file: None,
            by: actor.connection,
            of_member: !actor.service,
            anonymous: actor.anonymous,
        };
        let sent = match extras.is_empty() {
            true => self.store.append_message(message).await,
            false => self.send_with_extras(actor, message, extras).await,
        };
        match sent {
            Err(Error::NotFound { field: "chat.id", .. }) => {
                Reader::check(&self.store, chat_id, &Viewer::from(actor)).await?;
                Err(Error::NO_MEMBER)
            }
            // The message is as it is stored, without the address of its file.
            Ok(Sent { mut message, author, fresh: false }) => {
                if message.file.is_some() {
                    self.store.sign_file(Arc::make_mut(&mut message));
                }
                Ok(Sent { message, author, fresh: false })
            }
            sent => sent,
        }
    }

    /// A page of a chat's history; anyone may read that of a public chat. Errors: `not_found`,
    /// `rate_limited`.
    pub async fn list_messages(
        &self,
        viewer: &Viewer,
        chat_id: ChatId,
        query: &MessageQuery,
    ) -> Result<MessagePage, Error> {
        self.admit_reading(viewer).await?;
        let permit = self.read_permit(viewer).await?;
        let Reader { chat_id, seen_after, .. } = self.reader(viewer, chat_id).await?;
        let max_bytes = self.limits.max_page_bytes;
        let page = self.store.list_messages(chat_id, seen_after, query, max_bytes).await?;
        drop(permit);
        self.count_read(viewer, &page.messages).await;
        Ok(page)
    }
}
