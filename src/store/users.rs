//! The `users` table.

use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::error::Error;
use crate::model::{ExternalId, Handle, Profile, User, UserId};

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
}

impl Tx {
    pub async fn find_user(&mut self, id: &UserId) -> Result<Option<User>, Error> {
        self.find_user_by("select * from users where id = $1", id.as_ref()).await
    }

    pub async fn find_user_by_external_id(
        &mut self,
        external_id: &ExternalId,
    ) -> Result<Option<User>, Error> {
        let sql = "select * from users where external_id = $1";
        self.find_user_by(sql, external_id.as_ref()).await
    }

    pub async fn find_user_by_handle(&mut self, handle: &Handle) -> Result<Option<User>, Error> {
        self.find_user_by("select * from users where handle = $1", handle.as_ref()).await
    }

    async fn find_user_by(&mut self, sql: &'static str, key: &str) -> Result<Option<User>, Error> {
        let user = on!(Tx self, |connection| {
            sqlx::query_as(sql).bind(key).fetch_optional(connection).await
        })?;
        Ok(user)
    }

    pub async fn insert_user(&mut self, user: &User) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into users (id, external_id, handle, name, photo, created_at, modified_at)
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(&user.id)
            .bind(&user.external_id)
            .bind(&user.handle)
            .bind(&user.name)
            .bind(&user.photo)
            .bind(user.created_at)
            .bind(user.modified_at)
            .execute(connection)
            .await
        })?;
        Ok(())
    }

    pub async fn update_user(&mut self, user: &User) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "update users
                 set external_id = $2, handle = $3, name = $4, photo = $5, modified_at = $6
                 where id = $1",
            )
            .bind(&user.id)
            .bind(&user.external_id)
            .bind(&user.handle)
            .bind(&user.name)
            .bind(&user.photo)
            .bind(user.modified_at)
            .execute(connection)
            .await
        })?;
        Ok(())
    }

    /// Those of `ids` that are no user's.
    pub async fn list_unknown_users(&mut self, ids: &[UserId]) -> Result<Vec<String>, Error> {
        let unknown = match &mut self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_scalar(
                    "select distinct value from json_each($1)
                     where not exists (select 1 from users where users.id = value)",
                )
                .bind(json(ids.iter()))
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(unknown)
    }
}
