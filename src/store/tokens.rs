//! The `tokens` table: the keys with which users sign.

use sqlx::ConnectOptions;

use super::{Store, Tx, is_storable, on, postgres, sqlite};
use crate::clock::Time;
use crate::config::Url;
use crate::error::{CopyError, Error};
use crate::model::{Token, TokenKey, UserId};

const FIND_KEY: &str =
    "select secret_access_key, user_id, expires_at from tokens where access_key_id = $1";

/// A key, whether or not it has expired, from a database that a server may have open.
pub async fn read_token_key(
    database: &Url,
    access_key_id: &str,
) -> Result<Option<TokenKey>, CopyError> {
    if !is_storable(access_key_id) {
        return Ok(None);
    }
    let failed = CopyError::of(database);
    let key = match database.is_file() {
        true => {
            let options = sqlite::existing(database)?.read_only(true);
            let mut connection = options.connect().await.map_err(&failed)?;
            sqlx::query_as(FIND_KEY).bind(access_key_id).fetch_optional(&mut connection).await
        }
        false => {
            let options = postgres::options(database.expose()).map_err(&failed)?;
            let mut connection = options.connect().await.map_err(&failed)?;
            sqlx::query_as(FIND_KEY).bind(access_key_id).fetch_optional(&mut connection).await
        }
    };
    key.map_err(failed)
}

impl Store {
    /// A key, whether or not it has expired.
    pub async fn find_token_key(&self, access_key_id: &str) -> Result<Option<TokenKey>, Error> {
        if !is_storable(access_key_id) {
            return Ok(None);
        }
        let key = on!(Db self, |pool| {
            sqlx::query_as(FIND_KEY).bind(access_key_id).fetch_optional(pool).await
        })?;
        Ok(key)
    }

    /// Whether a refresh token has this hash, whether or not it has expired.
    pub async fn is_refresh_token(&self, hash: &[u8]) -> Result<bool, Error> {
        let known = on!(Db self, |pool| {
            sqlx::query_scalar("select exists (select 1 from tokens where refresh_hash = $1)")
                .bind(hash)
                .fetch_one(pool)
                .await
        })?;
        Ok(known)
    }
}

impl Tx {
    pub async fn insert_token(&mut self, token: &Token, refresh_hash: &[u8]) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into tokens (access_key_id, secret_access_key, refresh_hash, is_refreshable,
                     user_id, expires_at, created_at, modified_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(&token.access_key_id)
            .bind(token.secret_access_key.expose())
            .bind(refresh_hash)
            .bind(token.is_refreshable)
            .bind(&token.user_id)
            .bind(token.expires_at)
            .bind(token.created_at)
            .bind(token.modified_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Ends the token that this refresh token belongs to, if it may be refreshed; returns its id
    /// and its user.
    pub async fn delete_token_to_refresh(
        &mut self,
        refresh_hash: &[u8],
        now: Time,
    ) -> Result<Option<(String, UserId)>, Error> {
        let ended = on!(Tx self, |connection| {
            sqlx::query_as(
                "delete from tokens
                 where refresh_hash = $1 and is_refreshable and expires_at > $2
                 returning access_key_id, user_id",
            )
            .bind(refresh_hash)
            .bind(now)
            .fetch_optional(connection)
            .await
        })?;
        Ok(ended)
    }

    /// Ends a token; returns its user.
    pub async fn delete_token(&mut self, access_key_id: &str) -> Result<Option<UserId>, Error> {
        let user_id = on!(Tx self, |connection| {
            sqlx::query_scalar("delete from tokens where access_key_id = $1 returning user_id")
                .bind(access_key_id)
                .fetch_optional(connection)
                .await
        })?;
        Ok(user_id)
    }

    /// Ends all tokens of a user but the newest `keep`; returns their ids.
    pub async fn delete_oldest_tokens(
        &mut self,
        user_id: &UserId,
        keep: i64,
    ) -> Result<Vec<String>, Error> {
        let ended = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "delete from tokens where access_key_id in (
                     select access_key_id from tokens where user_id = $1
                     order by created_at desc, access_key_id limit 1000000 offset $2
                 ) returning access_key_id",
            )
            .bind(user_id)
            .bind(keep)
            .fetch_all(connection)
            .await
        })?;
        Ok(ended)
    }

    /// Deletes the tokens that have expired.
    pub async fn delete_expired_tokens(&mut self, now: Time) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from tokens where expires_at <= $1")
                .bind(now)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
