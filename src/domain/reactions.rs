//! Reactions: what users say to a message in a word or a picture.

use super::access::Speaker;
use super::changes::{find_message, record, refuse_deleted, told, unchanged};
use super::{Actor, App};
use crate::clock;
use crate::error::Error;
use crate::model::{
    Change, Changed, ChatId, List, Message, MessageId, Reaction, ReactionText, UserId,
};
use crate::store::Tx;

impl App {
    /// Adds a reaction to a message, or takes it back; if nothing changes, that is no error.
    /// Errors: `not_found`; `forbidden` for an actor who may not send messages; `conflict` for a
    /// deleted message, or for one that has too many different reactions; `rate_limited`.
    pub async fn react(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        id: MessageId,
        reaction: ReactionText,
        on: bool,
    ) -> Result<Changed, Error> {
        self.admit_change(actor).await?;
        let mut tx = self.begin_as(actor).await?;
        let Speaker { seen_after } = Speaker::check_in(&mut tx, chat_id, actor).await?;
        let mut signed = find_message(&mut tx, chat_id, seen_after, id).await?;
        refuse_deleted(&signed.message, "message.id")?;
        let user_id = &actor.user_id;
        let is_change = match on {
            true => tx.insert_reaction(&signed.message, &reaction, user_id).await?,
            false => tx.delete_reaction(&signed.message, &reaction, user_id).await?,
        };
        if !is_change {
            return Ok(unchanged(signed, Change::Reactions));
        }
        match on {
            true => add(&mut signed.message, reaction, user_id)?,
            false => take_back(&mut tx, &mut signed.message, &reaction, user_id).await?,
        }
        let changed = record(&mut tx, signed, Change::Reactions, clock::stamp()).await?;
        tx.commit(told(&changed)).await?;
        self.count_change(actor, &changed.message).await;
        Ok(changed)
    }
}

/// Errors: `conflict` if the message has too many different reactions.
fn add(message: &mut Message, reaction: ReactionText, user_id: &UserId) -> Result<(), Error> {
    let List(all) = message.reactions.get_or_insert_with(|| List(Vec::new()));
    if let Some(same) = all.iter_mut().find(|it| it.reaction == reaction) {
        same.count += 1;
        if same.users.len() < Reaction::MAX_USERS {
            same.users.push(user_id.clone());
        }
        return Ok(());
    }
    if all.len() >= Reaction::MAX_DIFFERENT {
        return Err(Error::conflict("reaction", "a message has 20 different reactions at most"));
    }
    all.push(Reaction { reaction, count: 1, users: vec![user_id.clone()] });
    Ok(())
}

async fn take_back(
    tx: &mut Tx,
    message: &mut Message,
    reaction: &ReactionText,
    user_id: &UserId,
) -> Result<(), Error> {
    let List(mut all) = message.reactions.take().unwrap_or(List(Vec::new()));
    if let Some(same) = all.iter_mut().find(|it| it.reaction == *reaction) {
        same.count -= 1;
        let before = same.users.len();
        same.users.retain(|id| id != user_id);
        // A user who was not listed takes the free place.
        if same.users.len() < before && same.count > same.users.len() as i64 {
            same.users = tx.list_reacting(message, reaction, Reaction::MAX_USERS).await?;
        }
    }
    all.retain(|it| it.count > 0);
    message.reactions = List::of(all);
    Ok(())
}
