//! The `nicks` and `nick_channels` tables: the connected nicks, and the channels they are in.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use uuid::Uuid;

use super::{Store, Tx, on};
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Handle, UserId};

impl Store {
    /// The connected nicks, sorted; no more than fit into `max_bytes` as a list.
    pub async fn list_nicks(&self, max_bytes: usize) -> Result<Vec<Handle>, Error> {
        on!(Db self, |pool| {
            let nicks = sqlx::query_scalar("select nick from nicks order by nick").fetch(pool);
            take_nicks(nicks, max_bytes).await
        })
    }

    /// The nicks in a channel, sorted; no more than fit into `max_bytes` as a list.
    pub async fn list_nicks_in(
        &self,
        chat_id: ChatId,
        max_bytes: usize,
    ) -> Result<Vec<Handle>, Error> {
        on!(Db self, |pool| {
            let nicks = sqlx::query_scalar(
                "select nick from nick_channels where chat_id = $1 order by nick",
            );
            take_nicks(nicks.bind(chat_id).fetch(pool), max_bytes).await
        })
    }

    /// The nodes that nicks are connected to.
    pub async fn list_nick_nodes(&self) -> Result<Vec<Uuid>, Error> {
        let nodes = on!(Db self, |pool| {
            sqlx::query_scalar("select distinct node from nicks").fetch_all(pool).await
        })?;
        Ok(nodes)
    }

    /// The connections by which nicks are connected to a node.
    pub async fn list_nick_connections(&self, node: Uuid) -> Result<Vec<ConnectionId>, Error> {
        let connections = on!(Db self, |pool| {
            sqlx::query_scalar("select connection from nicks where node = $1")
                .bind(node)
                .fetch_all(pool)
                .await
        })?;
        Ok(connections)
    }
}

impl Tx {
    /// Connects a nick; returns false if it is connected already.
    pub async fn insert_nick(
        &mut self,
        nick: &Handle,
        connection: ConnectionId,
        node: Uuid,
    ) -> Result<bool, Error> {
        let inserted = on!(Tx self, |pool| {
            sqlx::query(
                "insert into nicks (nick, connection, node) values ($1, $2, $3)
                 on conflict (nick) do nothing",
            )
            .bind(nick)
            .bind(connection)
            .bind(node)
            .execute(pool)
            .await?
            .rows_affected()
        });
        Ok(inserted > 0)
    }

    /// Disconnects the nick of a connection, if it has one; returns it.
    pub async fn delete_nick(&mut self, connection: ConnectionId) -> Result<Option<Handle>, Error> {
        let nick = on!(Tx self, |pool| {
            sqlx::query_scalar("delete from nicks where connection = $1 returning nick")
                .bind(connection)
                .fetch_optional(pool)
                .await
        })?;
        Ok(nick)
    }

    /// Disconnects the nicks of a node; returns them.
    pub async fn delete_nicks_of(&mut self, node: Uuid) -> Result<Vec<Handle>, Error> {
        let nicks = on!(Tx self, |connection| {
            sqlx::query_scalar("delete from nicks where node = $1 returning nick")
                .bind(node)
                .fetch_all(connection)
                .await
        })?;
        Ok(nicks)
    }

    /// Disconnects all nicks.
    pub async fn delete_all_nicks(&mut self) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from nicks").execute(connection).await?;
        });
        Ok(())
    }

    /// Notes that a nick has come into a channel. Errors: `unavailable` if the nick has just been
    /// disconnected, because another node takes this one for dead; then its connection is about to
    /// be closed.
    pub async fn insert_nick_channel(
        &mut self,
        nick: &Handle,
        chat_id: ChatId,
    ) -> Result<(), Error> {
        let inserted = on!(Tx self, |connection| {
            sqlx::query(
                "insert into nick_channels (nick, chat_id) values ($1, $2) on conflict do nothing",
            )
            .bind(nick)
            .bind(chat_id)
            .execute(connection)
            .await
            .map(drop)
        });
        inserted.map_err(|error| match error.as_database_error() {
            Some(refusal) if refusal.is_foreign_key_violation() => Error::Unavailable(None),
            _ => error.into(),
        })
    }

    /// Whether a user's nick is in a channel.
    pub async fn is_in_channel(
        &mut self,
        user_id: &UserId,
        chat_id: ChatId,
    ) -> Result<bool, Error> {
        let is_in = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "select exists (
                     select 1 from users u join nick_channels n on n.nick = u.handle
                     where u.id = $1 and n.chat_id = $2
                 )",
            )
            .bind(user_id)
            .bind(chat_id)
            .fetch_one(connection)
            .await
        })?;
        Ok(is_in)
    }

    /// A nick has left a channel.
    pub async fn delete_nick_channel(
        &mut self,
        nick: &Handle,
        chat_id: ChatId,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from nick_channels where nick = $1 and chat_id = $2")
                .bind(nick)
                .bind(chat_id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}

/// The first nicks of a stream; no more than fit into `max_bytes` as a list.
async fn take_nicks(
    mut nicks: BoxStream<'_, Result<Handle, sqlx::Error>>,
    max_bytes: usize,
) -> Result<Vec<Handle>, Error> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    while let Some(nick) = nicks.try_next().await? {
        bytes += nick.as_ref().len() + r#""","#.len();
        if bytes > max_bytes {
            break;
        }
        taken.push(nick);
    }
    Ok(taken)
}
