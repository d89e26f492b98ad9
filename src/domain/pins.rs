//! Pins: messages of a chat that are shown first.

use super::access::{Member, Moderator};
use super::changes::{find_message, record, refuse_deleted, told, unchanged};
use super::{Actor, App};
use crate::clock;
use crate::error::Error;
use crate::model::{Change, Changed, ChatId, MessageId};

/// How many messages of one chat may be pinned.
const MAX_PINNED: i64 = 100;

impl App {
    /// Pins a message, or unpins it; if nothing changes, that is no error. Errors: `not_found`;
    /// `forbidden` for an actor who is no moderator, unless it is a direct chat; `conflict` for a
    /// deleted message, or if too many messages are pinned; `rate_limited`.
    pub async fn pin_message(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        id: MessageId,
        on: bool,
    ) -> Result<Changed, Error> {
        self.admit_change(actor).await?;
        let mut tx = self.begin_as(actor).await?;
        let member = Member::check_in(&mut tx, chat_id, actor).await?;
        Moderator::or_of_two(&member)?;
        let mut signed = find_message(&mut tx, chat_id, member.seen_after, id).await?;
        refuse_deleted(&signed.message, "message.id")?;
        if signed.message.pinned_at.is_some() == on {
            return Ok(unchanged(signed, Change::Pinned));
        }
        if on && tx.count_pinned(chat_id).await? >= MAX_PINNED {
            return Err(Error::conflict("message.id", "a chat has 100 pinned messages at most"));
        }
        let now = clock::stamp();
        signed.message.pinned_at = on.then_some(now);
        let changed = record(&mut tx, signed, Change::Pinned, now).await?;
        tx.commit(told(&changed)).await?;
        self.count_change(actor, &changed.message).await;
        Ok(changed)
    }
}
