//! The `members` table: the members of each chat, and how far they have read.

use super::activity::{KEPT, SORTED};
use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{ChatId, Role, TeamId, UserId};

const FIND_STANDING: &str = "
    select c.private, c.direct_pair is not null as direct, c.team_id is not null as of_team,
        c.ephemeral, c.last_seq,
        c.since_joining,
        c.frozen, m.user_id is not null as member, coalesce(m.role, cast(0 as smallint)) as role, m.joined_seq,
        coalesce(m.muted_until > $3, false) as muted, coalesce(m.blocked, false) as blocked,
        t.user_id is not null as in_team,
        exists (
            select 1 from bans
            where chat_id = $1 and user_id = $2 and (until is null or until > $3)
        ) as banned,
        exists (
            select 1 from invitations where invitee_id = $2 and chat_id = $1 and status = 0
        ) as invited
    from chats c left join members m on m.chat_id = c.id and m.user_id = $2
    left join team_members t on t.team_id = c.team_id and t.user_id = $2
    where c.id = $1 and not c.ended";

/// The facts that decide whether somebody may do something in a chat.
#[derive(sqlx_macros::FromRow)]
pub struct Standing {
    pub private: bool,
    /// Whether it is a direct chat.
    pub direct: bool,
    /// Whether the chat belongs to a team.
    pub of_team: bool,
    /// Whether the chat is deleted when nobody is in it any more.
    pub ephemeral: bool,
    pub last_seq: i64,
    /// Whether members see only what was sent since they joined.
    pub since_joining: bool,
    pub member: bool,
    pub role: Role,
    /// The `seq` of the chat's last message when the user joined; `None` if the user is no member.
    pub joined_seq: Option<i64>,
    /// Whether the user may not enter.
    pub banned: bool,
    /// Whether only moderators may send.
    pub frozen: bool,
    pub muted: bool,
    /// Whether the other user of a direct chat has blocked this one.
    pub blocked: bool,
    /// Whether the user is in the chat's team.
    pub in_team: bool,
    /// Whether the user was invited and has not answered.
    pub invited: bool,
}

/// What the ledger knows about a member: how far they have read, and whether they may send.
#[derive(Clone, Copy)]
pub(super) struct KnownMember {
    pub read_seq: i64,
    /// How many of the member's own messages come after that.
    pub own_unread: i64,
    /// In a direct chat: whether the other user has blocked the member.
    pub blocked: bool,
    pub role: Role,
    /// Until when the member may not send.
    pub muted_until: Option<Time>,
    /// In a chat with slow mode: when the member last sent something.
    pub sent_at: Option<Time>,
}

impl Store {
    /// The standing of `user_id`, or of nobody in particular, in a chat; `None` if there is no such
    /// chat.
    pub async fn find_standing(
        &self,
        chat_id: ChatId,
        user_id: Option<&UserId>,
    ) -> Result<Option<Standing>, Error> {
        let standing = on!(Db self, |pool| {
            sqlx::query_as(FIND_STANDING)
                .bind(chat_id)
                .bind(user_id)
                .bind(clock::now())
                .fetch_optional(pool)
                .await
        })?;
        Ok(standing)
    }

    /// The number of chats that a user has created, if they still have members, and of those that
    /// the user has joined, each counted up to `max` only.
    pub async fn count_chats(&self, user_id: &UserId, max: usize) -> Result<usize, Error> {
        let count: i64 = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select (
                     select count(*) from (
                         select 1 from chats c where c.creator_id = $1
                         and exists (select 1 from members m where m.chat_id = c.id) limit $2
                     ) made
                 ) + (
                     select count(*) from (
                         select 1 from members m join chats c on c.id = m.chat_id
                         where m.user_id = $1 and c.creator_id <> $1
                         and m.joined_at <> c.created_at limit $2
                     ) joined
                 )",
            )
            .bind(user_id)
            .bind(max as i64)
            .fetch_one(pool)
            .await
        })?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// How many of a chat's messages after `after` up to `to` are a user's own.
    pub async fn count_own(
        &self,
        chat_id: ChatId,
        user_id: &UserId,
        after: i64,
        to: i64,
    ) -> Result<i64, Error> {
        let count = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select count(*) from messages
                 where chat_id = $1 and seq > $3 and seq <= $4 and user_id = $2",
            )
            .bind(chat_id)
            .bind(user_id)
            .bind(after)
            .bind(to)
            .fetch_one(pool)
            .await
        })?;
        Ok(count)
    }

    /// The chats of a user; `None` if there is no such user.
    pub async fn list_chat_ids(&self, user_id: &UserId) -> Result<Option<Vec<ChatId>>, Error> {
        let rows: Vec<Option<ChatId>> = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select m.chat_id from users u left join members m on m.user_id = u.id
                 where u.id = $1",
            )
            .bind(user_id)
            .fetch_all(pool)
            .await
        })?;
        let known = !rows.is_empty();
        Ok(known.then(|| rows.into_iter().flatten().collect()))
    }
}

impl Tx {
    /// Ends a user's memberships of all chats of a team.
    pub async fn delete_member_in_team(
        &mut self,
        team_id: TeamId,
        user_id: &UserId,
    ) -> Result<(), Error> {
        self.forget_all();
        for keep in [
            "delete from former_members
             where user_id = $2 and chat_id in (select id from chats where team_id = $1)",
            "insert into former_members (chat_id, user_id, muted_until, sent_at)
             select m.chat_id, m.user_id, m.muted_until, m.sent_at
             from members m join chats c on c.id = m.chat_id
             where c.team_id = $1 and m.user_id = $2
             and (m.muted_until is not null or m.sent_at is not null)",
        ] {
            on!(Tx self, |connection| {
                sqlx::query(keep).bind(team_id).bind(user_id).execute(connection).await?;
            });
        }
        on!(Tx self, |connection| {
            sqlx::query(
                "update chats set member_count = member_count - 1
                 where team_id = $1 and id in (select chat_id from members where user_id = $2)",
            )
            .bind(team_id)
            .bind(user_id)
            .execute(connection)
            .await?;
        });
        on!(Tx self, |connection| {
            sqlx::query(
                "delete from members
                 where user_id = $2 and chat_id in (select id from chats where team_id = $1)",
            )
            .bind(team_id)
            .bind(user_id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The chats of a team.
    pub async fn list_team_chat_ids(&mut self, team_id: TeamId) -> Result<Vec<ChatId>, Error> {
        let ids = on!(Tx self, |connection| {
            sqlx::query_scalar("select id from chats where team_id = $1")
                .bind(team_id)
                .fetch_all(connection)
                .await
        })?;
        Ok(ids)
    }

    /// The standing of `user_id` in a chat; `None` if there is no such chat. Until the transaction
    /// ends, nobody else can change the chat or its members.
    pub async fn find_standing(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<Option<Standing>, Error> {
        self.lock_chats(&[chat_id]).await?;
        let standing = on!(Tx self, |connection| {
            sqlx::query_as(FIND_STANDING)
                .bind(chat_id)
                .bind(user_id)
                .bind(clock::now())
                .fetch_optional(connection)
                .await
        })?;
        Ok(standing)
    }

    /// Adds users as members, with everything read; the chat's creator becomes its owner if it has
    /// none. Returns how many were no members before.
    pub async fn insert_members(
        &mut self,
        chat_id: ChatId,
        user_ids: &[UserId],
        joined_at: Time,
    ) -> Result<u64, Error> {
        self.forget_chat(chat_id);
        let done = match &mut *self.inner {
            Transaction::Sqlite(inner) => sqlx::query(
                "insert into members
                     (chat_id, user_id, joined_at, muted_until, sent_at, joined_seq, role,
                      read_seq, own_unread, active_at)
                     select c.id, u.value, $3, f.muted_until, f.sent_at, c.last_seq, case
                         when u.value <> c.creator_id or c.direct_pair is not null then 0
                         when exists (select 1 from members where chat_id = $1 and role = 2) then 0
                         else 2
                     end, c.last_seq, 0, case when u.key + (
                         select count(*) from members indexed by members_kept
                         where chat_id = $1 and active_at is not null
                     ) < $4 and $5 = (
                         select count(*) from (
                             select 1 from members
                             where user_id = u.value and active_at is null limit $5
                         )
                     ) then c.active_at end
                     from chats c, json_each($2) u left join former_members f
                     on f.chat_id = $1 and f.user_id = u.value
                     where c.id = $1
                     on conflict do nothing",
            )
            .bind(chat_id)
            .bind(json(user_ids.iter()))
            .bind(joined_at)
            .bind(KEPT)
            .bind(SORTED)
            .execute(inner.in_place())
            .await?
            .rows_affected(),
            // The chat's row is locked, so that no message can come between.
            Transaction::Postgres(inner) => sqlx::query(
                "insert into members
                     (chat_id, user_id, joined_at, muted_until, sent_at, joined_seq, role,
                      read_seq, own_unread, active_at)
                     select c.id, u.id, $3, f.muted_until, f.sent_at, c.last_seq, case
                         when u.id <> c.creator_id or c.direct then 0
                         when exists (select 1 from members where chat_id = $1 and role = 2) then 0
                         else 2
                     end, c.last_seq, 0, case when u.number + (
                         select count(*) from members
                         where chat_id = $1 and active_at is not null
                     ) <= $4 and $5 = (
                         select count(*) from (
                             select 1 from members m
                             where m.user_id = u.id and m.active_at is null limit $5
                         ) own
                     ) then c.active_at end
                     from (
                         select id, last_seq, active_at, creator_id,
                             direct_pair is not null as direct
                         from chats where id = $1 for no key update
                     ) c, unnest($2::text[]) with ordinality u (id, number)
                     left join former_members f on f.chat_id = $1 and f.user_id = u.id
                     on conflict do nothing",
            )
            .bind(chat_id)
            .bind(user_ids)
            .bind(joined_at)
            .bind(KEPT)
            .bind(SORTED)
            .execute(&mut **inner)
            .await?
            .rows_affected(),
        };
        self.count_members(chat_id, done as i64).await?;
        Ok(done)
    }

    /// Changes a chat's count of members by `more`, which may be negative.
    async fn count_members(&mut self, chat_id: ChatId, more: i64) -> Result<(), Error> {
        if more == 0 {
            return Ok(());
        }
        on!(Tx self, |connection| {
            sqlx::query("update chats set member_count = member_count + $2 where id = $1")
                .bind(chat_id)
                .bind(more)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    pub async fn delete_member(&mut self, chat_id: ChatId, user_id: &UserId) -> Result<(), Error> {
        self.forget_chat(chat_id);
        // Keep mutes and slow mode for a user who leaves and comes back.
        for keep in [
            "delete from former_members where chat_id = $1 and user_id = $2",
            "insert into former_members (chat_id, user_id, muted_until, sent_at)
             select chat_id, user_id, muted_until, sent_at from members
             where chat_id = $1 and user_id = $2
             and (muted_until is not null or sent_at is not null)",
        ] {
            on!(Tx self, |connection| {
                sqlx::query(keep).bind(chat_id).bind(user_id).execute(connection).await?;
            });
        }
        let done = on!(Tx self, |connection| {
            sqlx::query("delete from members where chat_id = $1 and user_id = $2")
                .bind(chat_id)
                .bind(user_id)
                .execute(connection)
                .await?
                .rows_affected()
        });
        self.count_members(chat_id, -(done as i64)).await
    }
}
