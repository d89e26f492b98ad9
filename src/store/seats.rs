//! The `seats` table: the users who are logged in to the rooms API, and their rooms.

use super::{Store, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Profile, Seat, UserId};

impl Store {
    /// The seat of a user who is logged in.
    pub async fn find_seat(&self, user_id: &UserId) -> Result<Option<Seat>, Error> {
        let seat = on!(Db self, |pool| {
            sqlx::query_as("select * from seats where user_id = $1")
                .bind(user_id)
                .fetch_optional(pool)
                .await
        })?;
        Ok(seat)
    }

    /// How many users are logged in.
    pub async fn count_seats(&self) -> Result<i64, Error> {
        let count = on!(Db self, |pool| {
            sqlx::query_scalar("select count(*) from seats").fetch_one(pool).await
        })?;
        Ok(count)
    }

    /// How many users are logged in from an address.
    pub async fn count_seats_of(&self, network: &str) -> Result<i64, Error> {
        let count = on!(Db self, |pool| {
            sqlx::query_scalar("select count(*) from seats where network = $1")
                .bind(network)
                .fetch_one(pool)
                .await
        })?;
        Ok(count)
    }

    /// How many users are logged in but in no room.
    pub async fn count_waiting_seats(&self) -> Result<i64, Error> {
        let count = on!(Db self, |pool| {
            sqlx::query_scalar("select count(*) from seats where chat_id is null")
                .fetch_one(pool)
                .await
        })?;
        Ok(count)
    }

    /// Up to 1,000 users who have not called since this time.
    pub async fn list_idle_seats(&self, before: Time) -> Result<Vec<UserId>, Error> {
        let users = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select user_id from seats where last_use < $1 order by last_use limit 1000",
            )
            .bind(before)
            .fetch_all(pool)
            .await
        })?;
        Ok(users)
    }

    /// The users in rooms, with their rooms.
    pub async fn list_seated(&self) -> Result<Vec<Seated>, Error> {
        let seated = on!(Db self, |pool| {
            sqlx::query_as(
                "select s.chat_id, c.ephemeral, s.connection, u.id, u.name, u.photo
                 from seats s join users u on u.id = s.user_id
                 join chats c on c.id = s.chat_id and not c.ended",
            )
            .fetch_all(pool)
            .await
        })?;
        Ok(seated)
    }
}

/// A user of the rooms API who is in a room.
#[derive(sqlx_macros::FromRow)]
pub struct Seated {
    pub chat_id: ChatId,
    pub ephemeral: bool,
    /// The connection by which presence counts the user.
    pub connection: ConnectionId,
    #[sqlx(flatten)]
    pub user: Profile,
}

impl Tx {
    /// The seat of a user who is logged in. Until the transaction ends, nobody else can change it.
    pub async fn find_seat(&mut self, user_id: &UserId) -> Result<Option<Seat>, Error> {
        self.lock_names(&[user_id.as_ref()]).await?;
        let seat = on!(Tx self, |connection| {
            sqlx::query_as("select * from seats where user_id = $1")
                .bind(user_id)
                .fetch_optional(connection)
                .await
        })?;
        Ok(seat)
    }

    /// Logs a user in from an address, into the waiting room; returns false if the user is logged
    /// in already.
    pub async fn insert_seat(
        &mut self,
        user_id: &UserId,
        network: &str,
        now: Time,
    ) -> Result<bool, Error> {
        let inserted = on!(Tx self, |connection| {
            sqlx::query(
                "insert into seats (user_id, connection, cursor, joined, last_use, network)
                 values ($1, $2, 0, false, $3, $4) on conflict do nothing",
            )
            .bind(user_id)
            .bind(ConnectionId::new())
            .bind(now)
            .bind(network)
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(inserted > 0)
    }

    /// Stores a changed seat, as when a user moves to another room.
    pub async fn update_seat(&mut self, seat: &Seat) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "update seats set chat_id = $2, cursor = $3, joined = $4, last_use = $5
                 where user_id = $1",
            )
            .bind(&seat.user_id)
            .bind(seat.chat_id)
            .bind(seat.cursor)
            .bind(seat.joined)
            .bind(seat.last_use)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Notes that a user has called.
    pub async fn touch_seat(&mut self, user_id: &UserId, now: Time) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("update seats set last_use = $2 where user_id = $1")
                .bind(user_id)
                .bind(now)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Moves the cursor past the messages that a user has picked up; returns false if the stored
    /// seat is not in that chat, or at that cursor, any more.
    pub async fn move_cursor(&mut self, seat: &Seat, cursor: i64) -> Result<bool, Error> {
        let moved = on!(Tx self, |connection| {
            sqlx::query(
                "update seats set cursor = $4 where user_id = $1 and chat_id = $2 and cursor = $3",
            )
            .bind(&seat.user_id)
            .bind(seat.chat_id)
            .bind(seat.cursor)
            .bind(cursor)
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(moved > 0)
    }

    /// Logs a user out.
    pub async fn delete_seat(&mut self, user_id: &UserId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from seats where user_id = $1")
                .bind(user_id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Notes for all users that they have just called: while no server was running, nobody could.
    pub async fn touch_all_seats(&mut self, now: Time) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("update seats set last_use = $1").bind(now).execute(connection).await?;
        });
        Ok(())
    }

    /// Whether any seat is in a chat's room.
    pub async fn is_seated(&mut self, chat_id: ChatId) -> Result<bool, Error> {
        let seated = on!(Tx self, |connection| {
            sqlx::query_scalar("select exists (select 1 from seats where chat_id = $1)")
                .bind(chat_id)
                .fetch_one(connection)
                .await
        })?;
        Ok(seated)
    }
}
