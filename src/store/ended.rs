//! The end of a chat. For everybody it ends at once, when it is marked as `ended`. Its messages, of
//! which there may be millions, are deleted in slices, so that nobody waits long.

use super::{Store, Tx, on};
use crate::clock;
use crate::error::Error;
use crate::model::ChatId;

/// How many messages are deleted at once, while all others who write wait.
pub(super) const SLICE: i64 = 200;

/// Up to where the messages of an ended chat are deleted.
#[derive(Clone, Copy)]
pub struct PurgedTo {
    chat_id: ChatId,
    seq: i64,
}

impl Store {
    /// Deletes a slice of what is left of ended chats, after the place where the last call ended:
    /// otherwise PostgreSQL would step over all deleted rows again. Returns the new place; `None`
    /// if nothing is left.
    pub async fn purge_ended_chats(
        &self,
        before: Option<PurgedTo>,
    ) -> Result<Option<PurgedTo>, Error> {
        let ended: Option<ChatId> = on!(Db self, |pool| {
            sqlx::query_scalar("select id from chats where ended order by id limit 1")
                .fetch_optional(pool)
                .await?
        });
        let Some(chat_id) = ended else {
            return Ok(None);
        };
        let of_chat = before.filter(|before| before.chat_id == chat_id);
        let after = of_chat.map_or(0, |before| before.seq);
        let last: Option<i64> = on!(Db self, |pool| {
            sqlx::query_scalar(LAST_OF_SLICE)
                .bind(chat_id)
                .bind(after)
                .bind(SLICE)
                .fetch_one(pool)
                .await?
        });
        let mut tx = self.begin().await?;
        match last {
            Some(last) => tx.delete_messages(chat_id, after, last).await?,
            None => {
                tx.delete_words(chat_id, 0, i64::MAX).await?;
                on!(Tx tx, |connection| {
                    sqlx::query(DELETE_CHAT).bind(chat_id).execute(connection).await?;
                });
                tx.delete_place(chat_id).await?;
            }
        }
        tx.commit([]).await?;
        self.note_deletion();
        Ok(Some(PurgedTo { chat_id, seq: last.unwrap_or_default() }))
    }
}

const LAST_OF_SLICE: &str = "
    select max(seq) from (
        select seq from messages where chat_id = $1 and seq > $2 order by seq limit $3
    ) slice";

/// Deletes the chat only if it has no messages left; otherwise its messages are gone through again.
const DELETE_CHAT: &str = "
    delete from chats where id = $1 and ended
    and not exists (select 1 from messages where chat_id = $1)";

impl Tx {
    /// Deletes the messages of a chat after `after` up to `last`, and what belongs to them.
    pub(super) async fn delete_messages(
        &mut self,
        chat_id: ChatId,
        after: i64,
        last: i64,
    ) -> Result<(), Error> {
        self.delete_message_files(chat_id, after, last, clock::now()).await?;
        for delete in [
            "delete from reactions where chat_id = $1 and seq > $2 and seq <= $3",
            "delete from mentions where chat_id = $1 and seq > $2 and seq <= $3",
            "delete from messages where chat_id = $1 and seq > $2 and seq <= $3",
        ] {
            on!(Tx self, |connection| {
                let delete = sqlx::query(delete).bind(chat_id).bind(after).bind(last);
                delete.execute(connection).await?;
            });
        }
        self.delete_words(chat_id, after, last).await
    }

    /// Whether this chat exists. Until the transaction ends, nobody else can change or end it.
    pub async fn keep_chat(&mut self, id: ChatId) -> Result<bool, Error> {
        self.lock_chats(&[id]).await?;
        let found: bool = on!(Tx self, |connection| {
            sqlx::query_scalar("select exists (select 1 from chats where id = $1 and not ended)")
                .bind(id)
                .fetch_one(connection)
                .await
        })?;
        Ok(found)
    }

    /// Ends an ephemeral chat. Returns false if there is no such chat, or it is not ephemeral.
    pub async fn end_ephemeral_chat(&mut self, id: ChatId) -> Result<bool, Error> {
        let ephemeral: bool = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "select exists (select 1 from chats where id = $1 and ephemeral and not ended)",
            )
            .bind(id)
            .fetch_one(connection)
            .await
        })?;
        if ephemeral {
            self.end_chat(id).await?;
        }
        Ok(ephemeral)
    }

    /// Ends a chat: it cannot be found any more, and nobody is a member of it or invited.
    pub async fn end_chat(&mut self, id: ChatId) -> Result<(), Error> {
        self.forget_chat(id);
        for end in [
            // Its channel name and its `client_id` are free again.
            "update chats set ended = true, channel_name = null, name_folded = null,
                 client_id = null, member_count = 0
             where id = $1",
            "delete from members where chat_id = $1",
            "delete from invitations where chat_id = $1",
        ] {
            on!(Tx self, |connection| {
                sqlx::query(end).bind(id).execute(connection).await?;
            });
        }
        Ok(())
    }

    /// Whether each node that uses the database is one of the `nodes` that have told who is in
    /// which room, and none of them has [something left to tell](Store::hold_rooms).
    pub async fn are_all_nodes_heard(&mut self, nodes: usize) -> Result<bool, Error> {
        use super::database_lock::{LOCK, ROOMS};
        let super::Transaction::Postgres(inner) = &mut *self.inner else {
            return Ok(true);
        };
        let (there, unheard): (i64, i64) = sqlx::query_as(
            "select count(*) filter (where number = $1), count(*) filter (where number = $2)
             from (
                 select classid::bigint << 32 | objid::bigint as number from pg_locks
                 where locktype = 'advisory' and objsubid = 1 and granted and database = (
                     select oid from pg_database where datname = current_database()
                 )
             ) locks",
        )
        .bind(LOCK)
        .bind(ROOMS)
        .fetch_one(&mut **inner)
        .await?;
        Ok(unheard == 0 && usize::try_from(there).is_ok_and(|there| there <= nodes))
    }
}
