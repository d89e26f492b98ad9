//! The chats that anyone may see: neither private nor a team's. Only these have a `name_folded`, by
//! which they are searched.

use futures_util::TryStreamExt;
use sqlx_macros::FromRow;

use super::chats::ChatRow;
use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{Chat, ChatId, Name, PublicChat, PublicChatPage};

/// The columns of a chat, without the ids of its members.
macro_rules! columns {
    () => {
        "c.id, c.name, c.description, c.private, false as direct, c.channel_name, c.ephemeral,
         c.team_id, c.creator_id, c.last_seq, c.last_change, c.active_at, c.data, c.frozen,
         c.slow_mode, c.since_joining, c.retention_days, c.created_at, c.modified_at,
         cast(null as text) as users, c.member_count"
    };
}

const LIST_ALL: &str = concat!(
    "select ",
    columns!(),
    " from chats c where c.name_folded is not null and (c.active_at, c.id) < ($1, $2)
     order by c.active_at desc, c.id desc limit $3"
);

/// This uses the index of names: the plus keeps the databases from reading all chats in the order
/// of their activity.
const LIST_NAMED: &str = concat!(
    "select ",
    columns!(),
    " from chats c where c.name_folded >= $4 and c.name_folded < $5
     and (+c.active_at, c.id) < ($1, $2) order by +c.active_at desc, c.id desc limit $3"
);

#[derive(FromRow)]
struct PublicChatRow {
    #[sqlx(flatten)]
    chat: ChatRow,
    active_at: Time,
    member_count: i64,
}

impl Store {
    /// The public chats whose names begin with `beginning`, which is
    /// [folded](crate::model::Name::folded), or all public chats: latest activity first, from
    /// `before` on, at most `limit`, and no more than fit into `max_bytes` after the first.
    pub async fn list_public_chats(
        &self,
        beginning: Option<&str>,
        before: Option<(Time, ChatId)>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<PublicChatPage, Error> {
        let (time, id) = before.unwrap_or((Time::from_micros(i64::MAX), ChatId::new()));
        let sql = if beginning.is_some() { LIST_NAMED } else { LIST_ALL };
        let (mut chats, mut next, mut last, mut bytes) = (Vec::new(), None, None, 0);
        on!(Db self, |pool| {
            let mut query = sqlx::query_as::<_, PublicChatRow>(sql)
                .bind(time)
                .bind(id)
                .bind(limit as i64 + 1);
            if let Some(beginning) = beginning {
                query = query.bind(beginning).bind(format!("{beginning}{}", char::MAX));
            }
            let mut rows = query.fetch(pool);
            while let Some(row) = rows.try_next().await? {
                let chat = Chat::from(row.chat);
                bytes += chat.size();
                if chats.len() == limit || (bytes > max_bytes && !chats.is_empty()) {
                    next = last;
                    break;
                }
                last = Some((row.active_at, chat.id));
                chats.push(PublicChat { chat, members: row.member_count });
            }
        });
        Ok(PublicChatPage { chats, next })
    }

    /// Fills in the folded names of public chats that an older version has made.
    pub(super) async fn fold_public_names(&self) -> Result<(), Error> {
        loop {
            let page: Vec<(ChatId, Name)> = on!(Db self, |pool| {
                sqlx::query_as(
                    "select id, name from chats
                     where name_folded is null and not private and team_id is null and not ended
                     limit 1000",
                )
                .fetch_all(pool)
                .await
            })?;
            if page.is_empty() {
                return Ok(());
            }
            let mut tx = self.begin().await?;
            tx.update_folded_names(page).await?;
            tx.commit([]).await?;
        }
    }
}

impl Tx {
    async fn update_folded_names(&mut self, page: Vec<(ChatId, Name)>) -> Result<(), Error> {
        let names = page.into_iter().map(|(id, name)| (id, name.folded()));
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "update chats set name_folded = j.value ->> 1 from json_each($1) j
                     where chats.id = unhex(j.value ->> 0, '-')",
                )
                .bind(json(names))
                .execute(&mut **inner)
                .await?;
            }
            Transaction::Postgres(inner) => {
                let (ids, names): (Vec<_>, Vec<_>) = names.unzip();
                // Lock in the order in which all transactions lock chats.
                sqlx::query(
                    "with locked as (
                         select id from chats where id = any($1) order by id for no key update
                     )
                     update chats set name_folded = form.name
                     from unnest($1::uuid[], $2::text[]) form (id, name)
                     join locked on locked.id = form.id
                     where chats.id = form.id",
                )
                .bind(ids)
                .bind(names)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }
}
