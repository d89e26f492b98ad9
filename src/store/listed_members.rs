//! The members of a chat, a page at a time.

use futures_util::TryStreamExt;
use sqlx::FromRow;

use super::{Store, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, ListedMember, Person, Role, UserId};

#[derive(FromRow)]
struct MemberRow {
    #[sqlx(flatten)]
    user: Person,
    joined_at: Time,
    read_seq: i64,
    creator: bool,
}

impl From<MemberRow> for ListedMember {
    fn from(row: MemberRow) -> ListedMember {
        let role = role_of(&row);
        let MemberRow { user, joined_at, read_seq, .. } = row;
        ListedMember { user, role, joined_at, read_seq }
    }
}

/// The chat is its creator's.
fn role_of(row: &MemberRow) -> Role {
    match row.creator {
        true => Role::Owner,
        false => Role::Member,
    }
}

impl Store {
    /// The members of a chat, by id: those after one. At most `limit` of them, and no more than fit
    /// into `max_bytes` after the first; whether there are more.
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
                "select u.id, u.handle, u.name, u.photo, u.data, u.last_seen_at,
                     m.joined_at, case
                         when m.receipt_seq > m.read_seq then m.receipt_seq else m.read_seq
                     end as read_seq,
                     c.creator_id = m.user_id and c.direct_pair is null as creator
                 from members m join chats c on c.id = m.chat_id join users u on u.id = m.user_id
                 where m.chat_id = $1 and m.user_id > $2 order by m.user_id limit $3",
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
}
