//! Messages with extras besides their text: a reply to another message, mentions, data, or a file.
//! They are rarer than plain messages, and are written by a job of the ledger, which can read what
//! they refer to.

use super::access::Reader;
use super::changes::{count_reply, refuse_deleted, refuse_strangers, told};
use super::{Actor, App};
use crate::clock;
use crate::error::Error;
use crate::model::{Data, Extras, List, NewMessage, Sent};

impl App {
    /// Errors: `not_found` if the actor is no member of the chat, or if the message answers one
    /// that is not in it; `conflict` if it answers a deleted one; `invalid` if it mentions users
    /// who are no members; `not_found` if the file is not the actor's.
    pub(super) async fn send_with_extras(
        &self,
        actor: &Actor,
        message: NewMessage,
        extras: Extras,
    ) -> Result<Sent, Error> {
        let chat_id = message.chat_id;
        let mut tx = self.begin_as(actor).await?;
        tx.lock_chats(&[chat_id]).await?;
        let answered = match extras.reply_to {
            Some(id) => {
                let Reader { seen_after, .. } = Reader::check_in(&mut tx, chat_id, actor).await?;
                let found = tx.find_message(chat_id, id).await?;
                found.filter(|signed| signed.message.seq > seen_after)
            }
            None => None,
        };
        let file = match extras.file {
            Some(id) => tx.hold_file(id, &actor.user_id, clock::now()).await?,
            None => None,
        };
        let new = NewMessage {
            file: file.clone().map(Box::new),
            reply: answered.as_ref().map(|it| (it.message.id, it.message.seq)),
            mentions: List::of(extras.mentions),
            data: extras.data.and_then(Data::kept),
            ..message
        };
        // If the message was sent before, it does not matter whether its extras would be refused
        // now.
        let (sent, event) = tx.append_message(new).await?;
        let Some(event) = event else {
            return Ok(sent);
        };
        if extras.file.is_some() && file.is_none() {
            return Err(Error::no_file("message.file.id"));
        }
        if extras.reply_to.is_some() {
            let answered = answered.ok_or_else(|| Error::no_message("message.reply_to"))?;
            refuse_deleted(&answered.message, "message.reply_to")?;
        }
        let mentions = sent.message.mentions.iter().flat_map(|List(users)| users);
        let mentions = Vec::from_iter(mentions.cloned());
        refuse_strangers(&mut tx, chat_id, &mentions).await?;
        let answered = count_reply(&mut tx, &sent.message, 1).await?;
        tx.commit([event].into_iter().chain(answered.iter().flat_map(told))).await?;
        metrics::counter!("chinwag_messages_total").increment(1);
        if let Some(answered) = answered {
            self.count_change(actor, &answered.message).await;
        }
        Ok(sent)
    }
}
