//! What the `members` table stores of a chat for one member: how far the member has read, and
//! whether the member has muted, pinned or archived the chat.

use sqlx_macros::FromRow;

use super::{Store, Tx, on};
use crate::error::Error;
use crate::model::{ChatId, Membership, MembershipChange, Unread, UserId};

/// How far a member has read, and how many messages are unread.
#[derive(FromRow)]
pub struct ReadingRow {
    pub read_seq: i64,
    pub unread: i64,
    /// The member sees the messages after this `seq`; the messages up to it are hidden from the
    /// member or do not exist any more.
    pub seen_after: i64,
}

impl Store {
    /// How far a member has read; `None` if the user is no member.
    pub async fn find_reading(
        &self,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<Option<ReadingRow>, Error> {
        let row = on!(Db self, |pool| {
            sqlx::query_as(
                "select m.read_seq, c.last_seq - m.read_seq - m.own_unread as unread,
                     case when c.since_joining then m.joined_seq else coalesce((
                         select min(seq) - 1 from messages where chat_id = c.id
                     ), c.last_seq) end as seen_after
                 from members m join chats c on c.id = m.chat_id
                 where m.chat_id = $1 and m.user_id = $2",
            )
            .bind(chat_id)
            .bind(user_id)
            .fetch_optional(pool)
            .await
        })?;
        Ok(row)
    }

    /// Up to which `seq` a member had read before they went back, 0 if they never did; `None` if
    /// the user is no member, or if the chat has more than `max` members.
    pub async fn find_receipt(
        &self,
        chat_id: ChatId,
        user_id: &UserId,
        max: i64,
    ) -> Result<Option<i64>, Error> {
        let seq = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select coalesce(m.receipt_seq, 0)
                 from members m join chats c on c.id = m.chat_id
                 where m.chat_id = $1 and m.user_id = $2 and c.member_count <= $3",
            )
            .bind(chat_id)
            .bind(user_id)
            .bind(max)
            .fetch_optional(pool)
            .await
        })?;
        Ok(seq)
    }

    /// What is unread in all chats of a user, without muted chats.
    pub async fn count_unread(&self, user_id: &UserId) -> Result<Unread, Error> {
        let unread = on!(Db self, |pool| {
            sqlx::query_as(
                "select count(*) as chats, cast(coalesce(sum(unread), 0) as bigint) as messages,
                     cast(coalesce(sum(mentions), 0) as bigint) as mentions
                 from (
                     select c.last_seq - m.read_seq - m.own_unread as unread, (
                             select count(*) from mentions
                             where user_id = $1 and chat_id = m.chat_id and seq > m.read_seq
                         ) as mentions
                     from members m join chats c on c.id = m.chat_id
                     where m.user_id = $1 and not m.muted
                 ) own
                 where unread > 0",
            )
            .bind(user_id)
            .fetch_one(pool)
            .await
        })?;
        Ok(unread)
    }
}

impl Tx {
    /// A user's membership of a chat; `None` if the user is no member.
    pub async fn find_membership(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<Option<Membership>, Error> {
        let membership = on!(Tx self, |connection| {
            sqlx::query_as(
                "select c.last_seq - m.read_seq - m.own_unread as unread, (
                         select count(*) from mentions
                         where user_id = $2 and chat_id = $1 and seq > m.read_seq
                     ) as mentions, m.role, m.muted, m.pinned,
                     coalesce(m.archived_seq >= c.last_seq, false) as archived
                 from members m join chats c on c.id = m.chat_id
                 where m.chat_id = $1 and m.user_id = $2",
            )
            .bind(chat_id)
            .bind(user_id)
            .fetch_optional(connection)
            .await
        })?;
        Ok(membership)
    }

    /// Mutes, pins or archives a chat for one member, or undoes that; absent fields stay as they
    /// are. A chat is archived up to its latest message.
    pub async fn update_membership(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
        change: MembershipChange,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "update members
                 set muted = coalesce($3, muted), pinned = coalesce($4, pinned),
                     archived_seq = case
                         when $5 then (select last_seq from chats where id = $1)
                         when not $5 then null
                         else archived_seq
                     end
                 where chat_id = $1 and user_id = $2",
            )
            .bind(chat_id)
            .bind(user_id)
            .bind(change.muted)
            .bind(change.pinned)
            .bind(change.archived)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Moves a member's `read_seq` back from `from` to `to`. Of the messages between, `own` are the
    /// member's own. Returns false if the member's `read_seq` has changed meanwhile.
    pub async fn move_reading_back(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
        from: i64,
        to: i64,
        own: i64,
    ) -> Result<bool, Error> {
        self.forget_chat(chat_id);
        let moved = on!(Tx self, |connection| {
            sqlx::query(
                "update members
                 set read_seq = $4, own_unread = own_unread + $5,
                     receipt_seq = case when receipt_seq > $3 then receipt_seq else $3 end
                 where chat_id = $1 and user_id = $2 and read_seq = $3",
            )
            .bind(chat_id)
            .bind(user_id)
            .bind(from)
            .bind(to)
            .bind(own)
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(moved > 0)
    }
}
