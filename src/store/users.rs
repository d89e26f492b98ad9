//! The `users` table.

use sqlx::AssertSqlSafe;

use super::sqlite::json;
use super::{Store, Transaction, Tx, is_storable, on};
use crate::error::Error;
use crate::model::{ExternalId, Handle, Profile, User, UserId, Username, fold};

impl Store {
    /// What others see of a user.
    pub async fn find_profile(&self, id: &UserId) -> Result<Option<Profile>, Error> {
        let profile = on!(Db self, |pool| {
            sqlx::query_as("select id, name, photo from users where id = $1")
                .bind(id)
                .fetch_optional(pool)
                .await
        })?;
        Ok(profile)
    }

    /// Whether a user is protected; `None` if there is no such user.
    pub async fn find_protected(&self, id: &UserId) -> Result<Option<bool>, Error> {
        let protected = on!(Db self, |pool| {
            sqlx::query_scalar("select protected from users where id = $1 and deletion is null")
                .bind(id)
                .fetch_optional(pool)
                .await
        })?;
        Ok(protected)
    }

    pub async fn find_user_by_external_id(&self, id: &ExternalId) -> Result<Option<User>, Error> {
        let user = on!(Db self, |pool| {
            sqlx::query_as("select * from users where external_id = $1")
                .bind(id)
                .fetch_optional(pool)
                .await
        })?;
        Ok(user)
    }

    /// The user with this name: a handle, or the id of a user without one. If several have the
    /// handle, as some do from before handles were folded, the one who spells it exactly so.
    pub async fn find_user_id(&self, username: &str) -> Result<Option<UserId>, Error> {
        if !is_storable(username) {
            return Ok(None);
        }
        let id = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select id from users
                 where handle = $1 or handle_folded = $2
                     or (id = $1 and handle is null and deletion is null)
                 order by case $1 when handle then 0 when id then 1 else 2 end limit 1",
            )
            .bind(username)
            .bind(fold(username))
            .fetch_optional(pool)
            .await
        })?;
        Ok(id)
    }

    pub async fn find_username(&self, id: &UserId) -> Result<Option<Username>, Error> {
        let username = on!(Db self, |pool| {
            sqlx::query_scalar("select coalesce(handle, id) from users where id = $1")
                .bind(id)
                .fetch_optional(pool)
                .await
        })?;
        Ok(username)
    }
}

impl Tx {
    pub async fn find_user(&mut self, id: &UserId) -> Result<Option<User>, Error> {
        let user = on!(Tx self, |connection| {
            sqlx::query_as("select * from users where id = $1 and deletion is null")
                .bind(id)
                .fetch_optional(connection)
                .await
        })?;
        Ok(user)
    }

    /// Finds a user. Until the transaction ends, nobody else can change the user; the same holds
    /// for the functions below.
    pub async fn find_user_to_change(&mut self, id: &UserId) -> Result<Option<User>, Error> {
        let sql = "select * from users where id = $1 and deletion is null";
        self.find_user_by(sql, id.as_ref()).await
    }

    pub async fn find_user_by_external_id(
        &mut self,
        external_id: &ExternalId,
    ) -> Result<Option<User>, Error> {
        let sql = "select * from users where external_id = $1";
        self.find_user_by(sql, external_id.as_ref()).await
    }

    pub async fn is_protected(&mut self, id: &UserId) -> Result<bool, Error> {
        let protected: Option<bool> = on!(Tx self, |connection| {
            sqlx::query_scalar("select protected from users where id = $1")
                .bind(id)
                .fetch_optional(connection)
                .await
        })?;
        Ok(protected.unwrap_or(false))
    }

    pub(super) async fn find_user_by(
        &mut self,
        sql: &'static str,
        key: &str,
    ) -> Result<Option<User>, Error> {
        let user = match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_as(sql).bind(key).fetch_optional(inner.in_place()).await?
            }
            Transaction::Postgres(inner) => {
                let sql = AssertSqlSafe(format!("{sql} for no key update"));
                sqlx::query_as(sql).bind(key).fetch_optional(&mut **inner).await?
            }
        };
        Ok(user)
    }

    pub async fn insert_user(&mut self, user: &User) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into users
                     (id, external_id, handle, name, photo, protected, created_at, modified_at,
                      handle_folded, name_folded, data)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(&user.id)
            .bind(&user.external_id)
            .bind(&user.handle)
            .bind(&user.name)
            .bind(&user.photo)
            .bind(user.protected)
            .bind(user.created_at)
            .bind(user.modified_at)
            .bind(user.handle.as_ref().map(Handle::folded))
            .bind(user.name.folded())
            .bind(&user.data)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    pub async fn update_user(&mut self, user: &User) -> Result<(), Error> {
        self.forget_user(&user.id);
        on!(Tx self, |connection| {
            sqlx::query(
                "update users
                 set external_id = $2, handle = $3, name = $4, photo = $5, protected = $6,
                     modified_at = $7,
                     handle_folded = case when handle = $3 then handle_folded else $8 end,
                     name_folded = $9, data = $10
                 where id = $1",
            )
            .bind(&user.id)
            .bind(&user.external_id)
            .bind(&user.handle)
            .bind(&user.name)
            .bind(&user.photo)
            .bind(user.protected)
            .bind(user.modified_at)
            .bind(user.handle.as_ref().map(Handle::folded))
            .bind(user.name.folded())
            .bind(&user.data)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Those of `ids` that belong to no user.
    pub async fn list_unknown_users(&mut self, ids: &[UserId]) -> Result<Vec<String>, Error> {
        let unknown = match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_scalar(
                    "select distinct value from json_each($1)
                     where not exists (
                         select 1 from users where users.id = value and deletion is null
                     )",
                )
                .bind(json(ids.iter()))
                .fetch_all(inner.in_place())
                .await?
            }
            Transaction::Postgres(inner) => {
                sqlx::query_scalar(
                    "select distinct value from unnest($1::text[]) value
                     where not exists (
                         select 1 from users where users.id = value and deletion is null
                     )",
                )
                .bind(ids)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(unknown)
    }
}
