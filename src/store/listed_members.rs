//! The members of a chat, a page at a time.

use futures_util::TryStreamExt;
use sqlx_macros::FromRow;

use super::{Store, Tx, on};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{ChatId, ListedMember, Person, Role, UserId};

macro_rules! member_columns {
    () => {
        "u.id, u.handle, u.name, u.photo, u.data, u.last_seen_at,
         m.joined_at, m.role, m.muted_until, case
             when m.receipt_seq > m.read_seq then m.receipt_seq else m.read_seq
         end as read_seq
         from members m join users u on u.id = m.user_id where m.chat_id = $1 and "
    };
}

#[derive(FromRow)]
struct MemberRow {
    #[sqlx(flatten)]
    user: Person,
    joined_at: Time,
    read_seq: i64,
    role: Role,
    muted_until: Option<Time>,
}

impl From<MemberRow> for ListedMember {
    fn from(row: MemberRow) -> ListedMember {
        let MemberRow { user, joined_at, read_seq, role, muted_until } = row;
        let muted_until = muted_until.filter(|until| *until > clock::now());
        ListedMember {
            user,
            role,
            joined_at,
            read_seq,
            muted: muted_until.is_some(),
            muted_until: muted_until.filter(|until| *until != Time::FOREVER),
        }
    }
}

impl Store {
    /// The members of a chat, in the order of their ids, after `after`: at most `limit` of them,
    /// and no more than fit into `max_bytes` after the first; and whether there are more.
    pub async fn list_members(
        &self,
        chat_id: ChatId,
        after: Option<&UserId>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<(Vec<ListedMember>, bool), Error> {
        let (mut members, mut bytes) = (Vec::new(), 0);
        on!(Db self, |pool| {
            let mut rows = sqlx::query_as::<_, MemberRow>(
                concat!(
                    "select ",
                    member_columns!(),
                    "m.user_id > $2 order by m.user_id limit $3"
                ),
            )
            .bind(chat_id)
            .bind(after.map_or("", AsRef::as_ref))
            .bind(limit as i64 + 1)
            .fetch(pool);
            while let Some(row) = rows.try_next().await? {
                bytes += row.user.size();
                if members.len() == limit || (bytes > max_bytes && !members.is_empty()) {
                    return Ok((members, true));
                }
                members.push(row.into());
            }
        });
        Ok((members, false))
    }

    /// The ids of a chat's members after `after`, in order: at most `limit` of them.
    pub async fn list_member_ids(
        &self,
        chat_id: ChatId,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, Error> {
        on!(Db self, |pool| {
            let ids = sqlx::query_scalar(
                "select user_id from members where chat_id = $1 and user_id > $2
                 order by user_id limit $3",
            )
            .bind(chat_id)
            .bind(after.map_or("", AsRef::as_ref))
            .bind(limit as i64)
            .fetch_all(pool)
            .await?;
            Ok(ids)
        })
    }
}

impl Tx {
    pub async fn find_member(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<Option<ListedMember>, Error> {
        let row: Option<MemberRow> = on!(Tx self, |connection| {
            sqlx::query_as(concat!("select ", member_columns!(), "m.user_id = $2"))
                .bind(chat_id)
                .bind(user_id)
                .fetch_optional(connection)
                .await
        })?;
        Ok(row.map(ListedMember::from))
    }
}
