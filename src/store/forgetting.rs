//! Deletes old rows of the `events` table that the event log and the webhook have.
//!
//! A round goes over the old rows from the first to the last, a few at a time. A row that the
//! webhook does not have yet is kept, unless the webhook will never get it: if it is too old, or
//! tells of a message that does not exist any more, it is deleted unsent.
//!
//! On PostgreSQL this waits for no locked row. Delivering, resending and erasing lock rows in other
//! orders; the next round finds the rows that were locked in this one.

use sqlx_macros::FromRow;

use super::sqlite::json;
use super::{Db, Store, Transaction, Tx};
use crate::clock::Time;
use crate::error::Error;

/// How many events are examined in one step, and deleted in one transaction, while others wait.
const AT_ONCE: i64 = 500;

/// The last event that was examined.
#[derive(Clone, Copy)]
pub struct ForgottenTo {
    committed_at: Time,
    id: i64,
}

/// The result of one step.
pub struct ForgetStep {
    /// Where the next step begins; `None` at the end.
    pub to: Option<ForgottenTo>,
    /// How many events are kept for the webhook.
    pub kept: usize,
    /// How many events were deleted that the webhook has not received.
    pub dropped: u64,
}

#[derive(FromRow)]
struct Old {
    id: i64,
    committed_at: Time,
    /// Whether the webhook does not have it yet: it is queued or parked.
    waits: bool,
    /// Whether it waits and tells of a message that does not exist any more.
    is_gone: bool,
}

macro_rules! is_gone_sqlite {
    () => {
        "e.event ->> '$.data.message.seq' is not null and not exists (
             select 1 from messages m
             where m.chat_id = unhex(e.event ->> '$.data.message.chat_id', '-')
                 and m.seq = e.event ->> '$.data.message.seq'
         )"
    };
}

macro_rules! is_gone_postgres {
    () => {
        "e.event::json #>> '{data,message,seq}' is not null and not exists (
             select 1 from messages m
             where m.chat_id = (e.event::json #>> '{data,message,chat_id}')::uuid
                 and m.seq = (e.event::json #>> '{data,message,seq}')::bigint
         )"
    };
}

macro_rules! old_events {
    ($is_gone:expr) => {
        concat!(
            "select e.id, e.committed_at, coalesce(w.id, p.id) is not null as waits,
             case when coalesce(w.id, p.id) is null then false else ",
            $is_gone,
            " end as is_gone
             from events e
             left join webhooks w on w.stream = e.stream and w.number = e.number
             left join parked_webhooks p on p.stream = e.stream and p.number = e.number
             where (e.committed_at, e.id) > ($1, $2) and e.committed_at < $3 and e.logged
             order by e.committed_at, e.id limit $4"
        )
    };
}

impl Store {
    /// Deletes some of the events that were committed before `before`. Events that wait for the
    /// webhook stay, unless they were committed before `expired` or their message does not exist
    /// any more.
    pub async fn forget_events(
        &self,
        after: Option<ForgottenTo>,
        before: Time,
        expired: Time,
    ) -> Result<ForgetStep, Error> {
        // Look them up before the transaction, so that nobody who writes waits for a long search.
        let old = self.list_old_events(after, before).await?;
        let is_full = old.len() as i64 == AT_ONCE;
        let to = old.last().map(|it| ForgottenTo { committed_at: it.committed_at, id: it.id });
        let (mut ids, mut dropped) = (Vec::new(), Vec::new());
        for it in &old {
            if it.waits {
                if !it.is_gone && it.committed_at >= expired {
                    continue;
                }
                dropped.push(it.id);
            }
            ids.push(it.id);
        }
        let (kept, mut count) = (old.len() - ids.len(), 0);
        if !ids.is_empty() {
            let mut tx = self.begin().await?;
            // These are found by the events, so they must be deleted first.
            if !dropped.is_empty() {
                count = tx.drop_webhooks(&dropped).await?;
            }
            let deleted = tx.delete_events(&ids).await?;
            tx.delete_ended_streams(deleted).await?;
            tx.commit([]).await?;
        }
        Ok(ForgetStep { to: to.filter(|_| is_full), kept, dropped: count })
    }

    async fn list_old_events(
        &self,
        after: Option<ForgottenTo>,
        before: Time,
    ) -> Result<Vec<Old>, Error> {
        let (at, id) = after.map_or((Time::from_micros(0), 0), |it| (it.committed_at, it.id));
        let old = match &self.db {
            Db::Sqlite(pools) => {
                sqlx::query_as(old_events!(is_gone_sqlite!()))
                    .bind(at)
                    .bind(id)
                    .bind(before)
                    .bind(AT_ONCE)
                    .fetch_all(&pools.readers)
                    .await?
            }
            Db::Postgres(pool) => {
                sqlx::query_as(old_events!(is_gone_postgres!()))
                    .bind(at)
                    .bind(id)
                    .bind(before)
                    .bind(AT_ONCE)
                    .fetch_all(pool)
                    .await?
            }
        };
        Ok(old)
    }
}

/// Whether an event tells of a message that does not exist any more.
pub(super) async fn is_gone(db: &Db, stream: &str, number: i64) -> Result<bool, Error> {
    let gone: Option<bool> = match db {
        Db::Sqlite(pools) => {
            sqlx::query_scalar(concat!(
                "select ",
                is_gone_sqlite!(),
                " from events e where e.stream = $1 and e.number = $2"
            ))
            .bind(stream)
            .bind(number)
            .fetch_optional(&pools.readers)
            .await?
        }
        Db::Postgres(pool) => {
            sqlx::query_scalar(concat!(
                "select ",
                is_gone_postgres!(),
                " from events e where e.stream = $1 and e.number = $2"
            ))
            .bind(stream)
            .bind(number)
            .fetch_optional(pool)
            .await?
        }
    };
    Ok(gone.unwrap_or(true))
}

impl Tx {
    /// Deletes the streams of deleted chats whose last event is one of these, by stream and number.
    /// This is safe, as a chat's id, and so a number in its stream, is never used again.
    async fn delete_ended_streams(&mut self, events: Vec<(String, i64)>) -> Result<(), Error> {
        let (streams, numbers): (Vec<_>, Vec<_>) = events.into_iter().unzip();
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "delete from streams
                     where (stream, last_number) in (
                         select value ->> 0, value ->> 1 from json_each($1)
                     ) and stream like 'chat/%' and not exists (
                         select 1 from chats
                         where id = unhex(substr(stream, 6), '-') and not ended
                     )",
                )
                .bind(json(streams.iter().zip(&numbers)))
                .execute(&mut **inner)
                .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query(
                    "delete from streams
                     where (stream, last_number) in (
                         select * from unnest($1::text[], $2::bigint[])
                     ) and stream like 'chat/%' and not exists (
                         select 1 from chats
                         where id = case when stream like 'chat/%' then substr(stream, 6)::uuid end
                             and not ended
                     )",
                )
                .bind(streams)
                .bind(numbers)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }

    /// Deletes events, and returns the stream and the number of each that was deleted.
    async fn delete_events(&mut self, ids: &[i64]) -> Result<Vec<(String, i64)>, Error> {
        let deleted = match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_as(
                    "delete from events where id in (select value from json_each($1))
                     returning stream, number",
                )
                .bind(json(ids.iter()))
                .fetch_all(&mut **inner)
                .await?
            }
            Transaction::Postgres(inner) => {
                sqlx::query_as(
                    "delete from events where id in (
                         select id from events e where id = any($1) and not exists (
                             select 1 from webhooks w
                             where w.stream = e.stream and w.number = e.number
                         ) and not exists (
                             select 1 from parked_webhooks p
                             where p.stream = e.stream and p.number = e.number
                         ) for update skip locked
                     ) returning stream, number",
                )
                .bind(ids)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(deleted)
    }

    /// Deletes the queued and parked rows of the webhook for these events; returns how many.
    async fn drop_webhooks(&mut self, ids: &[i64]) -> Result<u64, Error> {
        let mut dropped = 0;
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                for sql in [
                    "delete from webhooks where (stream, number) in (
                         select stream, number from events
                         where id in (select value from json_each($1))
                     )",
                    "delete from parked_webhooks where (stream, number) in (
                         select stream, number from events
                         where id in (select value from json_each($1))
                     )",
                ] {
                    let delete = sqlx::query(sql).bind(json(ids.iter()));
                    dropped += delete.execute(&mut **inner).await?.rows_affected();
                }
            }
            Transaction::Postgres(inner) => {
                for sql in [
                    "delete from webhooks where id in (
                         select w.id from webhooks w
                         join events e on e.stream = w.stream and e.number = w.number
                         where e.id = any($1) for update of w skip locked
                     )",
                    "delete from parked_webhooks where id in (
                         select p.id from parked_webhooks p
                         join events e on e.stream = p.stream and e.number = p.number
                         where e.id = any($1) for update of p skip locked
                     )",
                ] {
                    let delete = sqlx::query(sql).bind(ids);
                    dropped += delete.execute(&mut **inner).await?.rows_affected();
                }
            }
        }
        Ok(dropped)
    }
}
