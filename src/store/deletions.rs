//! Deleted users. The row stays, without the user's data, so that nobody else gets the id.

use super::{Store, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, MessageId, UserId};

/// How many messages, of all users, are searched in one run.
const RUN: i64 = 5000;

/// The messages of one user within a run of all messages.
pub struct Said {
    pub messages: Vec<(ChatId, MessageId)>,
    /// The last message of the run; `None` if there are no more messages.
    pub last: Option<(ChatId, i64)>,
}

/// The name that everybody sees of a deleted user.
const NAME: &str = "Deleted user";

impl Store {
    /// Some of the deleted users whose memberships are still to be deleted.
    pub async fn list_being_deleted(&self) -> Result<Vec<UserId>, Error> {
        let users = on!(Db self, |pool| {
            sqlx::query_scalar("select id from users where deletion = 1 order by id limit 100")
                .fetch_all(pool)
                .await
        })?;
        Ok(users)
    }

    /// A deleted user whose messages are still to be erased.
    pub async fn find_being_erased(&self) -> Result<Option<UserId>, Error> {
        let user = on!(Db self, |pool| {
            sqlx::query_scalar("select id from users where deletion > 1 order by id limit 1")
                .fetch_optional(pool)
                .await
        })?;
        Ok(user)
    }

    /// A user's messages that are not deleted, within the run of all messages after this one.
    pub async fn list_said(
        &self,
        user_id: &UserId,
        (chat_id, seq): (ChatId, i64),
    ) -> Result<Said, Error> {
        let run: Vec<(ChatId, i64, Option<MessageId>)> = on!(Db self, |pool| {
            sqlx::query_as(
                "select chat_id, seq, case when user_id = $1 and deleted_at is null then id end
                 from messages where (chat_id, seq) > ($2, $3) order by chat_id, seq limit $4",
            )
            .bind(user_id)
            .bind(chat_id)
            .bind(seq)
            .bind(RUN)
            .fetch_all(pool)
            .await
        })?;
        let last = run.last().map(|(chat_id, seq, _)| (*chat_id, *seq));
        let own = run.into_iter().filter_map(|(chat_id, _, id)| Some((chat_id, id?)));
        Ok(Said { messages: own.collect(), last })
    }

    /// The next of the chats that a user is a member of: `limit` at most.
    pub async fn list_some_chats(
        &self,
        user_id: &UserId,
        limit: i64,
    ) -> Result<Vec<ChatId>, Error> {
        let chats = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select m.chat_id from members m join chats c on c.id = m.chat_id
                 where m.user_id = $1 and not c.ended limit $2",
            )
                .bind(user_id)
                .bind(limit)
                .fetch_all(pool)
                .await
        })?;
        Ok(chats)
    }
}

impl Tx {
    /// Deletes everything of a user but the id, the memberships and the messages. Notes that the
    /// memberships are still to be deleted and, with `erase`, the messages to be erased.
    pub async fn delete_profile(
        &mut self,
        user_id: &UserId,
        now: Time,
        erase: bool,
    ) -> Result<(), Error> {
        self.forget_user(user_id);
        on!(Tx self, |connection| {
            sqlx::query(
                "update users
                 set external_id = null, handle = null, handle_folded = null, name = $2,
                     name_folded = '', photo = '', data = null, first_name = null,
                     last_name = null, email = null, email_folded = null, phone_number = null,
                     password_hash = null, protected = true, last_seen_at = null,
                     modified_at = $3, deletion = $4
                 where id = $1",
            )
            .bind(user_id)
            .bind(NAME)
            .bind(now)
            .bind(if erase { 2_i16 } else { 1 })
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Deletes the `client_id`s of the chats that a user has made.
    pub async fn delete_chat_names(&mut self, user_id: &UserId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "update chats set client_id = null
                 where creator_id = $1 and client_id is not null",
            )
            .bind(user_id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Takes a user out of all teams, and deletes the user's blocks and pending invitations.
    pub async fn delete_ties(&mut self, user_id: &UserId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from team_members where user_id = $1")
                .bind(user_id)
                .execute(connection)
                .await?;
        });
        on!(Tx self, |connection| {
            sqlx::query("delete from blocks where user_id = $1 or blocked_id = $1")
                .bind(user_id)
                .execute(connection)
                .await?;
        });
        on!(Tx self, |connection| {
            sqlx::query(
                "delete from invitations
                 where status = 0 and (invitee_id = $1 or inviter_id = $1)",
            )
            .bind(user_id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Notes that the deletion of a user is complete.
    pub async fn end_deletion(&mut self, user_id: &UserId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("update users set deletion = 0 where id = $1 and deletion > 0")
                .bind(user_id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
