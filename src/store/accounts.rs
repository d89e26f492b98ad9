//! The columns of the `users` table that belong to accounts.

use super::{Store, Tx, is_storable, on};
use crate::clock;
use crate::error::Error;
use crate::model::{NewAccount, UserId, fold};

const FIND_TAKEN: &str = "
    select
        exists (
            select 1 from users where handle = $1 or handle_folded = $4 or id = $1
        ) or exists (
            select 1 from released_handles where handle_folded = $4 and until > $5
        ) as username,
        exists (select 1 from users where email_folded = $2) as email,
        exists (select 1 from users where phone_number = $3) as phone";

/// Which parts of a new account are taken by another user.
#[derive(sqlx_macros::FromRow)]
pub struct Taken {
    pub username: bool,
    pub email: bool,
    pub phone: bool,
}

impl Store {
    /// The user with this handle, in any spelling, and the hash of the password; `None` if there is
    /// no such user, or no password.
    pub async fn find_password(&self, handle: &str) -> Result<Option<(UserId, String)>, Error> {
        if !is_storable(handle) {
            return Ok(None);
        }
        let found = on!(Db self, |pool| {
            sqlx::query_as(
                "select id, password_hash from users
                 where (handle = $1 or handle_folded = $2) and password_hash is not null
                 order by case $1 when handle then 0 else 1 end limit 1",
            )
            .bind(handle)
            .bind(fold(handle))
            .fetch_optional(pool)
            .await
        })?;
        Ok(found)
    }

    pub async fn find_taken(&self, new: &NewAccount) -> Result<Taken, Error> {
        let taken = on!(Db self, |pool| {
            sqlx::query_as(FIND_TAKEN)
                .bind(&new.username)
                .bind(new.email.as_ref().map(|email| fold(email.as_ref())))
                .bind(&new.phone_number)
                .bind(new.username.folded())
                .bind(clock::now())
                .fetch_one(pool)
                .await
        })?;
        Ok(taken)
    }

    /// Whether anyone has signed up with a password.
    pub async fn has_accounts(&self) -> Result<bool, Error> {
        let any = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select exists (select 1 from users where password_hash is not null)",
            )
            .fetch_one(pool)
            .await
        })?;
        Ok(any)
    }
}

impl Tx {
    pub async fn find_taken(&mut self, new: &NewAccount) -> Result<Taken, Error> {
        let taken = on!(Tx self, |connection| {
            sqlx::query_as(FIND_TAKEN)
                .bind(&new.username)
                .bind(new.email.as_ref().map(|email| fold(email.as_ref())))
                .bind(&new.phone_number)
                .bind(new.username.folded())
                .bind(clock::now())
                .fetch_one(connection)
                .await
        })?;
        Ok(taken)
    }

    /// Gives a user a password.
    pub async fn update_password(
        &mut self,
        user_id: &UserId,
        password_hash: &str,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("update users set password_hash = $2 where id = $1")
                .bind(user_id)
                .bind(password_hash)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Stores the account of a user.
    pub async fn update_account(
        &mut self,
        user_id: &UserId,
        new: &NewAccount,
        password_hash: &str,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "update users set first_name = $2, last_name = $3, email = $4, phone_number = $5,
                     password_hash = $6, email_folded = $7
                 where id = $1",
            )
            .bind(user_id)
            .bind(&new.first_name)
            .bind(&new.last_name)
            .bind(&new.email)
            .bind(&new.phone_number)
            .bind(password_hash)
            .bind(new.email.as_ref().map(|email| fold(email.as_ref())))
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
