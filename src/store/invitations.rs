//! The `invitations` table.

use super::{Store, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{
    ChatId, Invitation, InvitationId, InvitationPage, InvitationStatus, TeamId, UserId,
};

macro_rules! select_pending {
    ($rest:literal) => {
        concat!(
            "select i.id, i.chat_id, c.name as chat_name, i.inviter_id, u.name as inviter_name,
                 i.invitee_id, v.name as invitee_name, i.status, i.created_at
             from invitations i join chats c on c.id = i.chat_id
             join users u on u.id = i.inviter_id join users v on v.id = i.invitee_id
             where i.invitee_id = $1 and i.status = 0 ",
            $rest
        )
    };
}

impl Store {
    /// A user's pending invitations, newest first, from `before` on: at most `limit` of them.
    pub async fn list_invitations(
        &self,
        user_id: &UserId,
        before: Option<(Time, InvitationId)>,
        limit: usize,
    ) -> Result<InvitationPage, Error> {
        let (time, id) = before.unwrap_or((Time::from_micros(i64::MAX), InvitationId::new()));
        let mut invitations: Vec<Invitation> = on!(Db self, |pool| {
            sqlx::query_as(select_pending!(
                "and (i.created_at, i.id) < ($2, $3)
                 order by i.created_at desc, i.id desc limit $4"
            ))
            .bind(user_id)
            .bind(time)
            .bind(id)
            .bind(limit as i64 + 1)
            .fetch_all(pool)
            .await
        })?;
        let more = invitations.len() > limit;
        invitations.truncate(limit);
        let last = invitations.last().filter(|_| more);
        let next = last.map(|invitation| (invitation.created_at, invitation.id));
        Ok(InvitationPage { invitations, next })
    }
}

impl Tx {
    /// A pending invitation of a user.
    pub async fn find_invitation(
        &mut self,
        user_id: &UserId,
        id: InvitationId,
    ) -> Result<Option<Invitation>, Error> {
        let invitation = on!(Tx self, |connection| {
            sqlx::query_as(select_pending!("and i.id = $2"))
                .bind(user_id)
                .bind(id)
                .fetch_optional(connection)
                .await
        })?;
        Ok(invitation)
    }

    /// How many invitations by the inviter are pending, and how many to the invitee.
    pub async fn count_invitations(
        &mut self,
        inviter_id: &UserId,
        invitee_id: &UserId,
    ) -> Result<(i64, i64), Error> {
        let counts = on!(Tx self, |connection| {
            sqlx::query_as(
                "select
                     (select count(*) from invitations where inviter_id = $1 and status = 0),
                     (select count(*) from invitations where invitee_id = $2 and status = 0)",
            )
            .bind(inviter_id)
            .bind(invitee_id)
            .fetch_one(connection)
            .await
        })?;
        Ok(counts)
    }

    pub async fn insert_invitation(&mut self, invitation: &Invitation) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into invitations (id, chat_id, inviter_id, invitee_id, status, created_at)
                 values ($1, $2, $3, $4, $5, $6)",
            )
            .bind(invitation.id)
            .bind(invitation.chat_id)
            .bind(&invitation.inviter_id)
            .bind(&invitation.invitee_id)
            .bind(invitation.status)
            .bind(invitation.created_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Accepts a user's pending invitation to a chat that the user has entered without answering
    /// it.
    pub async fn settle_invitation(
        &mut self,
        chat_id: ChatId,
        invitee_id: &UserId,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "update invitations set status = 1
                 where chat_id = $1 and invitee_id = $2 and status = 0",
            )
            .bind(chat_id)
            .bind(invitee_id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Withdraws the pending invitations to and by a user in a chat.
    pub async fn delete_invitations(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "delete from invitations
                 where chat_id = $1 and status = 0 and (invitee_id = $2 or inviter_id = $2)",
            )
            .bind(chat_id)
            .bind(user_id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Withdraws the pending invitations to and by a user in all chats of a team.
    pub async fn delete_invitations_in_team(
        &mut self,
        team_id: TeamId,
        user_id: &UserId,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "delete from invitations
                 where status = 0 and (invitee_id = $2 or inviter_id = $2)
                 and chat_id in (select id from chats where team_id = $1)",
            )
            .bind(team_id)
            .bind(user_id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Sets the status of a pending invitation; returns false if it is not pending any more.
    pub async fn update_invitation(
        &mut self,
        id: InvitationId,
        status: InvitationStatus,
    ) -> Result<bool, Error> {
        let updated = on!(Tx self, |connection| {
            sqlx::query("update invitations set status = $2 where id = $1 and status = 0")
                .bind(id)
                .bind(status)
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(updated > 0)
    }
}
