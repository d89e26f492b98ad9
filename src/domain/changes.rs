//! Editing and deleting messages. Each change has a number, by which a client that was away finds
//! the changes that it has missed.

use super::access::{Member, Moderator, Reader, Speaker};
use super::{Actor, App, Viewer};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{
    Change, ChangePage, Changed, ChatId, Edit, Event, List, Message, MessageId, Signed, UserId,
};
use crate::store::Tx;

impl App {
    /// Changes what a message says; absent fields stay as they are. Errors: `not_found`;
    /// `forbidden` for an actor who did not send it, or is no member; `conflict` if it is deleted;
    /// `invalid` if it mentions users who are no members; `rate_limited`.
    pub async fn edit_message(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        id: MessageId,
        edit: Edit,
    ) -> Result<Changed, Error> {
        self.admit_change(actor).await?;
        let mut tx = self.begin_as(actor).await?;
        let member = Member::check_in(&mut tx, chat_id, actor).await?;
        let mut signed = find_message(&mut tx, chat_id, member.seen_after, id).await?;
        if signed.message.user_id != actor.user_id && !actor.service {
            return Err(Error::Forbidden("only the sender of a message may edit it"));
        }
        refuse_deleted(&signed.message, "message.id")?;
        if !actor.service {
            Speaker::check_in(&mut tx, chat_id, actor).await?;
        }
        refuse_strangers(&mut tx, chat_id, edit.mentions.as_deref().unwrap_or_default()).await?;
        let mentions_others = edit.mentions.is_some();
        apply(&mut signed.message, edit);
        if mentions_others {
            tx.replace_mentions(&signed.message).await?;
        }
        let now = clock::stamp();
        signed.message.edited_at = Some(now);
        tx.update_body(&signed.message).await?;
        tx.insert_erasure(&signed.message).await?;
        let changed = record(&mut tx, signed, Change::Edited, now).await?;
        tx.commit(told(&changed)).await?;
        self.count_change(actor, &changed.message).await;
        Ok(changed)
    }

    /// Deletes the content of a message; the message itself stays in the history. A message that is
    /// deleted already stays as it is. Errors: `not_found`; `forbidden` for an actor who neither
    /// sent it nor is a moderator; `rate_limited`.
    pub async fn delete_message(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        id: MessageId,
    ) -> Result<Changed, Error> {
        self.admit_change(actor).await?;
        let mut tx = self.begin_as(actor).await?;
        let member = Member::check_in(&mut tx, chat_id, actor).await?;
        let signed = find_message(&mut tx, chat_id, member.seen_after, id).await?;
        if signed.message.user_id != actor.user_id {
            Moderator::of(&member)?;
        }
        if signed.message.deleted_at.is_some() {
            return Ok(unchanged(signed, Change::Deleted));
        }
        let (deleted, answered) = delete(&mut tx, signed).await?;
        tx.commit([&deleted].into_iter().chain(&answered).flat_map(told)).await?;
        for changed in answered.iter().chain([&deleted]) {
            self.count_change(actor, &changed.message).await;
        }
        Ok(deleted)
    }

    /// The messages of a chat that were changed after the change `after`. Anyone may read those of
    /// a public chat. Errors: `not_found`, `rate_limited`.
    pub async fn list_changes(
        &self,
        viewer: &Viewer,
        chat_id: ChatId,
        after: i64,
        limit: usize,
    ) -> Result<ChangePage, Error> {
        self.admit_reading(viewer).await?;
        let permit = self.read_permit(viewer).await?;
        let Reader { chat_id, seen_after, .. } = self.reader(viewer, chat_id).await?;
        let max_bytes = self.limits.max_page_bytes;
        let page = self.store.list_changes(chat_id, seen_after, after, limit, max_bytes).await?;
        drop(permit);
        self.count_read(viewer, &page.messages).await;
        Ok(page)
    }
}

/// Deletes the content of a message. Returns this change, and that of the message that it answered,
/// if any.
pub(super) async fn delete(
    tx: &mut Tx,
    mut signed: Signed,
) -> Result<(Changed, Option<Changed>), Error> {
    let now = clock::stamp();
    signed.message.delete(now);
    tx.replace_mentions(&signed.message).await?;
    tx.delete_message_file(&signed.message, now).await?;
    tx.update_body(&signed.message).await?;
    tx.delete_reactions(&signed.message).await?;
    tx.insert_erasure(&signed.message).await?;
    let deleted = record(tx, signed, Change::Deleted, now).await?;
    let answered = count_reply(tx, &deleted.message, -1).await?;
    Ok((deleted, answered))
}

fn apply(message: &mut Message, edit: Edit) {
    if let Some(body) = edit.body {
        message.body = body;
    }
    if let Some(mentions) = edit.mentions {
        message.mentions = List::of(mentions);
    }
    if let Some(data) = edit.data {
        message.data = data.kept();
    }
}

/// A message, for a user who sees messages after `seen_after`. Errors: `not_found`.
pub(super) async fn find_message(
    tx: &mut Tx,
    chat_id: ChatId,
    seen_after: i64,
    id: MessageId,
) -> Result<Signed, Error> {
    let found = tx.find_message(chat_id, id).await?;
    let found = found.filter(|signed| signed.message.seq > seen_after);
    found.ok_or_else(|| Error::no_message("message.id"))
}

/// Errors: `conflict` if the message is deleted.
pub(super) fn refuse_deleted(message: &Message, field: &'static str) -> Result<(), Error> {
    match message.deleted_at {
        Some(_) => Err(Error::conflict(field, "this message is deleted")),
        None => Ok(()),
    }
}

/// Errors: `invalid`, naming the mentioned users who are no members.
pub(super) async fn refuse_strangers(
    tx: &mut Tx,
    chat_id: ChatId,
    mentions: &[UserId],
) -> Result<(), Error> {
    if mentions.is_empty() {
        return Ok(());
    }
    let strangers = tx.list_strangers(chat_id, mentions).await?;
    match strangers.is_empty() {
        true => Ok(()),
        false => {
            let why = format!("must name members of the chat, not {}", strangers.join(", "));
            Err(Error::invalid("message.mentions", why))
        }
    }
}

/// Gives a change its number, and stores everything of the message besides its text. The caller
/// pushes the change once it is committed.
pub(super) async fn record(
    tx: &mut Tx,
    mut signed: Signed,
    changed: Change,
    now: Time,
) -> Result<Changed, Error> {
    let message = &mut signed.message;
    let (change, since_joining) = tx.next_change(message.chat_id).await?;
    message.change = Some(change);
    message.modified_at = now;
    tx.update_message(message).await?;
    let seen_by = match since_joining {
        true => Some(tx.list_who_see(message.chat_id, message.seq).await?),
        false => None,
    };
    Ok(Changed { seen_by, ..unchanged(signed, changed) })
}

/// The events of a change: one for those who see the message, and one for those who do not.
pub(super) fn told(changed: &Changed) -> Vec<Event> {
    let Changed { message, seen_by, .. } = changed;
    let touched = seen_by.clone().zip(message.change).map(|(seen_by, change)| {
        let (chat_id, message_id, seq) = (message.chat_id, message.id, message.seq);
        Event::MessageTouched { chat_id, message_id, seq, change, seen_by }
    });
    [Event::MessageChanged(changed.clone())].into_iter().chain(touched).collect()
}

/// The answer for a message that needs no change.
pub(super) fn unchanged(signed: Signed, changed: Change) -> Changed {
    let Signed { message, author } = signed;
    Changed { message: message.into(), user: author.into(), changed, seen_by: None }
}

/// Adds `more` to the count of replies of the message that this one answers, if any.
pub(super) async fn count_reply(
    tx: &mut Tx,
    reply: &Message,
    more: i64,
) -> Result<Option<Changed>, Error> {
    let Some(seq) = reply.reply_seq else {
        return Ok(None);
    };
    let Some(mut signed) = tx.find_message_at(reply.chat_id, seq).await? else {
        return Ok(None);
    };
    let replies = signed.message.replies.unwrap_or_default() + more;
    signed.message.replies = Some(replies).filter(|replies| *replies > 0);
    record(tx, signed, Change::Replies, clock::stamp()).await.map(Some)
}
