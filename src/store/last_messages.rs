//! The latest message of each chat in a list.

use std::collections::HashMap;

use super::sqlite::json;
use super::{Db, Store};
use crate::error::Error;
use crate::model::{ChatId, Signed};

impl Store {
    /// The messages with this `seq` in these chats. Messages that do not exist are missing.
    pub(super) async fn list_last_messages(
        &self,
        places: Vec<(ChatId, i64)>,
    ) -> Result<HashMap<ChatId, Signed>, Error> {
        if places.is_empty() {
            return Ok(HashMap::new());
        }
        let mut messages: Vec<Signed> = match &self.db {
            Db::Sqlite(pools) => {
                sqlx::query_as(
                    "select m.*, u.handle, u.name
                     from json_each($1) j join messages m
                     on m.chat_id = unhex(j.value ->> 0, '-') and m.seq = j.value ->> 1
                     join users u on u.id = m.user_id",
                )
                .bind(json(places.iter()))
                .fetch_all(&pools.readers)
                .await?
            }
            Db::Postgres(pool) => {
                let (ids, seqs): (Vec<_>, Vec<_>) = places.into_iter().unzip();
                sqlx::query_as(
                    "select m.*, u.handle, u.name
                     from unnest($1::uuid[], $2::bigint[]) place (chat_id, seq)
                     join messages m on m.chat_id = place.chat_id and m.seq = place.seq
                     join users u on u.id = m.user_id",
                )
                .bind(ids)
                .bind(seqs)
                .fetch_all(pool)
                .await?
            }
        };
        messages.iter_mut().for_each(|signed| self.urls.sign(&mut signed.message));
        Ok(messages.into_iter().map(|signed| (signed.message.chat_id, signed)).collect())
    }
}
