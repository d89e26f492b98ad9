//! The `blocks` table: who has blocked whom. In a direct chat the row of the blocked member in
//! `members` says so, too: the ledger reads that row anyway.

use futures_util::TryStreamExt;

use super::{Store, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, Person, UserId};

impl Store {
    /// The users that a user has blocked, in the order of their ids, after `after`: at most `limit`
    /// of them, and no more than fit into `max_bytes` after the first; and whether there are more.
    pub async fn list_blocked(
        &self,
        user_id: &UserId,
        after: Option<&UserId>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Person>, bool), Error> {
        let (mut users, mut bytes) = (Vec::new(), 0);
        on!(Db self, |pool| {
            let mut rows = sqlx::query_as::<_, Person>(
                "select u.id, u.handle, u.name, u.photo, u.data, u.last_seen_at
                 from blocks b join users u on u.id = b.blocked_id
                 where b.user_id = $1 and b.blocked_id > $2 order by b.blocked_id limit $3",
            )
            .bind(user_id)
            .bind(after.map_or("", AsRef::as_ref))
            .bind(limit as i64 + 1)
            .fetch(pool);
            while let Some(person) = rows.try_next().await? {
                bytes += person.size();
                if users.len() == limit || (bytes > max_bytes && !users.is_empty()) {
                    return Ok((users, true));
                }
                users.push(person);
            }
        });
        Ok((users, false))
    }
}

impl Tx {
    /// Whether one user has blocked another.
    pub async fn is_blocked(&mut self, by: &UserId, user_id: &UserId) -> Result<bool, Error> {
        let blocked = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "select exists (select 1 from blocks where user_id = $1 and blocked_id = $2)",
            )
            .bind(by)
            .bind(user_id)
            .fetch_one(connection)
            .await
        })?;
        Ok(blocked)
    }

    /// How many users `by` has blocked.
    pub async fn count_blocked(&mut self, by: &UserId) -> Result<i64, Error> {
        let count = on!(Tx self, |connection| {
            sqlx::query_scalar("select count(*) from blocks where user_id = $1")
                .bind(by)
                .fetch_one(connection)
                .await
        })?;
        Ok(count)
    }

    /// Makes `by` block `user_id`, if they do not yet.
    pub async fn insert_block(
        &mut self,
        by: &UserId,
        user_id: &UserId,
        at: Time,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into blocks (user_id, blocked_id, created_at) values ($1, $2, $3)
                 on conflict do nothing",
            )
            .bind(by)
            .bind(user_id)
            .bind(at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Ends the block of `user_id` by `by`.
    pub async fn delete_block(&mut self, by: &UserId, user_id: &UserId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from blocks where user_id = $1 and blocked_id = $2")
                .bind(by)
                .bind(user_id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Notes in a direct chat whether the other user has blocked this member.
    pub async fn update_blocked(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
        blocked: bool,
    ) -> Result<(), Error> {
        self.lock_chats(&[chat_id]).await?;
        self.forget_chat(chat_id);
        on!(Tx self, |connection| {
            sqlx::query("update members set blocked = $3 where chat_id = $1 and user_id = $2")
                .bind(chat_id)
                .bind(user_id)
                .bind(blocked)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
