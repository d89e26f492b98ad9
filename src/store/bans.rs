//! The `bans` table: who may not enter a chat. A ban that has expired stays until it is lifted or
//! replaced, or the chat is deleted.

use futures_util::TryStreamExt;
use sqlx_macros::FromRow;

use super::{Store, Tx, on};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{Ban, ChatId, Person, UserId};

macro_rules! ban_columns {
    () => {
        "u.id, u.handle, u.name, u.photo, u.data, u.last_seen_at,
         b.until, b.by_user, b.created_at as banned_at
         from bans b join users u on u.id = b.user_id
         where b.chat_id = $1 and (b.until is null or b.until > $3)"
    };
}

#[derive(FromRow)]
struct BanRow {
    #[sqlx(flatten)]
    user: Person,
    until: Option<Time>,
    by_user: UserId,
    banned_at: Time,
}

impl From<BanRow> for Ban {
    fn from(row: BanRow) -> Ban {
        let BanRow { user, until, by_user, banned_at } = row;
        Ban { user, until, by: by_user, created_at: banned_at }
    }
}

impl Store {
    /// The bans of a chat, in the order of the users' ids, after `after`: at most `limit` of them,
    /// and no more than fit into `max_bytes` after the first; and whether there are more.
    pub async fn list_bans(
        &self,
        chat_id: ChatId,
        after: Option<&UserId>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<Ban>, bool), Error> {
        let (mut bans, mut bytes) = (Vec::new(), 0);
        on!(Db self, |pool| {
            let mut rows = sqlx::query_as::<_, BanRow>(concat!(
                "select ",
                ban_columns!(),
                " and b.user_id > $2 order by b.user_id limit $4"
            ))
            .bind(chat_id)
            .bind(after.map_or("", AsRef::as_ref))
            .bind(clock::now())
            .bind(limit as i64 + 1)
            .fetch(pool);
            while let Some(row) = rows.try_next().await? {
                bytes += row.user.size();
                if bans.len() == limit || (bytes > max_bytes && !bans.is_empty()) {
                    return Ok((bans, true));
                }
                bans.push(row.into());
            }
        });
        Ok((bans, false))
    }
}

impl Tx {
    pub async fn find_ban(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<Option<Ban>, Error> {
        let row: Option<BanRow> = on!(Tx self, |connection| {
            sqlx::query_as(concat!("select ", ban_columns!(), " and b.user_id = $2"))
                .bind(chat_id)
                .bind(user_id)
                .bind(clock::now())
                .fetch_optional(connection)
                .await
        })?;
        Ok(row.map(Ban::from))
    }

    /// Bans a user from a chat; this replaces an earlier ban.
    pub async fn insert_ban(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
        until: Option<Time>,
        by: &UserId,
        created_at: Time,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into bans (chat_id, user_id, until, by_user, created_at)
                 values ($1, $2, $3, $4, $5)
                 on conflict (chat_id, user_id) do update
                 set until = excluded.until, by_user = excluded.by_user,
                     created_at = excluded.created_at",
            )
            .bind(chat_id)
            .bind(user_id)
            .bind(until)
            .bind(by)
            .bind(created_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    pub async fn delete_ban(&mut self, chat_id: ChatId, user_id: &UserId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from bans where chat_id = $1 and user_id = $2")
                .bind(chat_id)
                .bind(user_id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
