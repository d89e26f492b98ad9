//! Direct chats: those of the `chats` table with a `direct_pair`.

use sqlx_macros::FromRow;

use super::{Store, Tx, on};
use crate::error::Error;
use crate::model::{ChatId, Message, Name, Thread, UserId, Username};

/// The id of the other user, read from the pair: a deleted user is no member any more.
macro_rules! other {
    () => {
        "case when substr(c.direct_pair, 1, length($1) + 1) = $1 || '\n'
             then substr(c.direct_pair, length($1) + 2)
             else substr(c.direct_pair, 1, length(c.direct_pair) - length($1) - 1) end as other"
    };
}

const LIST_THREADS: &str = concat!(
    "
    select m.*, coalesce(w.handle, w.id) as with_name, coalesce(a.handle, a.id) as author
    from (
        select c.id, c.last_seq, m.active_at, ",
    other!(),
    "
        from members m join chats c on c.id = m.chat_id
        where m.user_id = $1 and m.active_at is not null
            and c.direct_pair is not null and c.last_seq > 0
        union all
        select c.id, c.last_seq, c.active_at, ",
    other!(),
    "
        from members m join chats c on c.id = m.chat_id
        where m.user_id = $1 and m.active_at is null
            and c.direct_pair is not null and c.last_seq > 0
        order by 3 desc, 1 desc limit $2 offset $3
    ) page
    join messages m on m.chat_id = page.id and m.seq = page.last_seq
    join users w on w.id = page.other join users a on a.id = m.user_id
    order by page.active_at desc, page.id desc"
);

#[derive(FromRow)]
struct ThreadRow {
    #[sqlx(flatten)]
    latest: Message,
    with_name: Username,
    author: Username,
}

/// The `direct_pair` of two users, by which their chat is found. No id has a line break.
pub(super) fn direct_pair(users: &[UserId]) -> String {
    let mut ids: Vec<_> = users.iter().map(UserId::as_ref).collect();
    ids.sort_unstable();
    ids.join("\n")
}

impl Store {
    /// The direct chats of a user that have messages, latest first.
    pub async fn list_threads(
        &self,
        user_id: &UserId,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Thread>, Error> {
        let rows: Vec<ThreadRow> = on!(Db self, |pool| {
            sqlx::query_as(LIST_THREADS)
                .bind(user_id)
                .bind(limit)
                .bind(offset)
                .fetch_all(pool)
                .await
        })?;
        let thread = |row: ThreadRow| {
            let ThreadRow { mut latest, with_name, author } = row;
            self.urls.sign(&mut latest);
            Thread { with: with_name, author, latest }
        };
        Ok(rows.into_iter().map(thread).collect())
    }

    /// The direct chat of two users, and its latest `seq`.
    pub async fn find_direct_chat(
        &self,
        users: &[UserId; 2],
    ) -> Result<Option<(ChatId, i64)>, Error> {
        let found = on!(Db self, |pool| {
            sqlx::query_as("select id, last_seq from chats where direct_pair = $1")
                .bind(direct_pair(users))
                .fetch_optional(pool)
                .await
        })?;
        Ok(found)
    }
}

impl Tx {
    /// The names of the two users of a direct chat, in the order of their ids; `None` for any other
    /// chat.
    pub async fn find_direct_names(&mut self, chat_id: ChatId) -> Result<Option<[Name; 2]>, Error> {
        let pair: Option<Option<String>> = on!(Tx self, |connection| {
            sqlx::query_scalar("select direct_pair from chats where id = $1 and not ended")
                .bind(chat_id)
                .fetch_optional(connection)
                .await
        })?;
        let Some((one, other)) = pair
            .flatten()
            .as_deref()
            .and_then(|it| it.split_once('\n'))
            .map(|(one, other)| (UserId::stored(one), UserId::stored(other)))
        else {
            return Ok(None);
        };
        let (one, other) = (self.find_name(&one).await?, self.find_name(&other).await?);
        Ok(one.zip(other).map(Into::into))
    }

    async fn find_name(&mut self, user_id: &UserId) -> Result<Option<Name>, Error> {
        let name = on!(Tx self, |connection| {
            sqlx::query_scalar("select name from users where id = $1")
                .bind(user_id)
                .fetch_optional(connection)
                .await
        })?;
        Ok(name)
    }

    /// The direct chat of two users.
    pub async fn find_direct_chat_id(
        &mut self,
        users: &[UserId; 2],
    ) -> Result<Option<ChatId>, Error> {
        let id = on!(Tx self, |connection| {
            sqlx::query_scalar("select id from chats where direct_pair = $1")
                .bind(direct_pair(users))
                .fetch_optional(connection)
                .await
        })?;
        Ok(id)
    }
}
