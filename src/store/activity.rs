//! What a user's list of chats is ordered by: `members.active_at`, a copy of the chat's.
//!
//! With a copy in each row of `members` the list would be one run of an index, and each message
//! would write as many rows as its chat has members. Without any, a list would look at all chats of
//! its user. So the first [`SORTED`] chats of a user have no copy and are sorted for each list; the
//! others have one, which each message moves on, but for the members of a chat beyond the first
//! [`KEPT`] who have that many. Most users have fewer, and most messages move nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::sqlite::json;
use super::{Transaction, Tx};
use crate::error::Error;
use crate::model::Message;

/// How many chats of a user have no copy before one has. The migration that adds the column goes by
/// the same.
pub(super) const SORTED: i64 = 200;

/// How many copies of one chat's activity there are at most.
pub(super) const KEPT: i64 = 64;

impl Tx {
    /// Moves the copies on in the chats of new messages.
    pub(super) async fn update_activity(&mut self, messages: &[Arc<Message>]) -> Result<(), Error> {
        // A chat's later messages overwrite its earlier ones.
        let latest: HashMap<_, _> =
            messages.iter().map(|m| (m.chat_id, m.created_at.as_micros())).collect();
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "update members indexed by members_kept set active_at = j.value ->> 1
                     from json_each($1) j
                     where chat_id = unhex(j.value ->> 0, '-') and active_at is not null",
                )
                .bind(json(latest.iter()))
                .execute(&mut **inner)
                .await?;
            }
            Transaction::Postgres(inner) => {
                let (ids, times): (Vec<_>, Vec<_>) = latest.into_iter().unzip();
                sqlx::query(
                    "update members m set active_at = j.at
                     from unnest($1::uuid[], $2::bigint[]) j (chat_id, at)
                     where m.chat_id = j.chat_id and m.active_at is not null",
                )
                .bind(ids)
                .bind(times)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }
}
