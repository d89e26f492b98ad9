//! The `streams` and `events` tables: the outbox. They hold what has been committed lately, for the
//! other nodes and the event log, and are written only if there are other nodes or an event log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::{FromRow, Postgres};
use uuid::Uuid;

use super::sqlite::json;
use super::{Db, Store, Transaction, Tx};
use crate::clock;
use crate::error::Error;
use crate::model::{ConnectionId, Event, Kept, Position, Route, Stream};

/// A row of the `events` table.
#[derive(Serialize)]
struct Row<'a> {
    stream: String,
    number: i64,
    event: Option<&'a RawValue>,
    by: Option<ConnectionId>,
    home_stream: Option<String>,
    home_number: Option<i64>,
}

/// An event that was kept, as another node reads it.
pub struct StoredEvent {
    pub position: Position,
    /// The event's position in its home stream, if that is another one.
    pub home: Option<Position>,
    /// None if it has been forgotten, or is not understood.
    pub event: Option<Event>,
}

#[derive(FromRow)]
struct EventRow {
    number: i64,
    home_stream: Option<String>,
    home_number: Option<i64>,
    event: Option<String>,
    by_connection: Option<ConnectionId>,
}

impl EventRow {
    /// The event's position in its home stream, if that is another one, and the event, if it is
    /// still known.
    fn read(self) -> Result<(Option<Position>, Option<Event>), Error> {
        let home = self.home_stream.zip(self.home_number);
        let home = home.map(|(stream, number)| read_position(&stream, number)).transpose()?;
        let event = self.event.map(|event| serde_json::from_str(&event)).transpose();
        let event: Option<Event> = event.map_err(|error| unreadable(&error.to_string()))?;
        Ok((home, event.map(|event| event.caused_by(self.by_connection))))
    }
}

/// What reads kept events, for as long as the store is open.
#[derive(Clone)]
pub struct EventReader {
    db: Db,
}

impl EventReader {
    /// Whether the store has been closed.
    pub fn is_closed(&self) -> bool {
        match &self.db {
            Db::Sqlite(pools) => pools.readers.is_closed(),
            Db::Postgres(pool) => pool.is_closed(),
        }
    }

    /// The numbers of the latest events of these streams, as far as there are any.
    pub async fn list_last_numbers(&self, streams: &[Stream]) -> Result<Vec<Position>, Error> {
        // A file has one node, which misses nothing.
        let Db::Postgres(pool) = &self.db else {
            return Ok(Vec::new());
        };
        let streams: Vec<_> = streams.iter().map(Stream::to_string).collect();
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select stream, last_number from streams where stream = any($1)")
                .bind(streams)
                .fetch_all(pool)
                .await?;
        rows.into_iter().map(|(stream, number)| read_position(&stream, number)).collect()
    }

    /// The events of a stream from a number on, in order: at most `limit`, and none after the one
    /// that reaches 4 MiB. An event may take half a MiB.
    pub async fn list_events(
        &self,
        stream: &Stream,
        from: i64,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, Error> {
        let Db::Postgres(pool) = &self.db else {
            return Ok(Vec::new());
        };
        let rows: Vec<EventRow> = sqlx::query_as(
            "select number, home_stream, home_number, event, by_connection
             from (select *, sum(size) over (order by number) - size as before
                 from (select e.number, e.home_stream, e.home_number,
                         coalesce(e.event, h.event) as event,
                         coalesce(octet_length(coalesce(e.event, h.event)), 0) as size,
                         coalesce(e.by_connection, h.by_connection) as by_connection
                     from events e
                     left join events h on h.stream = e.home_stream and h.number = e.home_number
                     where e.stream = $1 and e.number >= $2
                     order by e.number limit $3) first)
                 summed
             where before < 4 << 20 order by number",
        )
        .bind(stream.to_string())
        .bind(from)
        .bind(limit)
        .fetch_all(pool)
        .await?;
        let read = |row: EventRow| {
            let number = row.number;
            let (home, event) = row.read().unwrap_or_else(|error| {
                // A newer node has written it; this one goes on without.
                tracing::error!(%stream, number, %error, "an event is not understood");
                (None, None)
            });
            StoredEvent { position: Position { stream: stream.clone(), number }, home, event }
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

fn read_position(stream: &str, number: i64) -> Result<Position, Error> {
    let stream = Stream::parse(stream).ok_or_else(|| unreadable(stream))?;
    Ok(Position { stream, number })
}

/// Another version of the server has written what this one does not know.
fn unreadable(what: &str) -> Error {
    Error::Internal(Some(Arc::new(sqlx::Error::Decode(what.into()))))
}

impl Store {
    /// Reads what is kept.
    pub fn event_reader(&self) -> EventReader {
        EventReader { db: self.db.clone() }
    }

    /// The id by which the nodes on this database find each other. A file has only one node.
    pub async fn find_cluster_id(&self) -> Result<Uuid, Error> {
        match &self.db {
            Db::Sqlite(_) => Err(Error::Internal(None)),
            Db::Postgres(pool) => {
                Ok(sqlx::query_scalar("select id from cluster").fetch_one(pool).await?)
            }
        }
    }
}

/// Events that are about to be kept. Until their streams' last numbers are known, each stands at a
/// place that is counted from the last: at 0, or before.
#[derive(Default)]
pub(super) struct Outgoing {
    /// How many each stream gets.
    counts: BTreeMap<String, i64>,
    kept: Vec<Kept>,
}

impl Outgoing {
    pub fn of(events: &[Event]) -> Result<Outgoing, Error> {
        let routes = Vec::from_iter(events.iter().map(Event::route));
        let mut counts = BTreeMap::<String, i64>::new();
        for stream in
            routes.iter().flat_map(|route| [&route.home].into_iter().chain(&route.mirrors))
        {
            *counts.entry(stream.to_string()).or_default() += 1;
        }
        let mut left = counts.clone();
        let mut next = |stream: &Stream| {
            let left = left.entry(stream.to_string()).or_default();
            *left -= 1;
            Position { stream: stream.clone(), number: -*left }
        };
        let mut kept = Vec::with_capacity(events.len());
        for (event, Route { home, mirrors, by, .. }) in events.iter().zip(routes) {
            kept.push(Kept {
                position: next(&home),
                mirrors: mirrors.iter().map(&mut next).collect(),
                by,
                json: to_raw_value(event).map_err(|error| unreadable(&error.to_string()))?,
            });
        }
        Ok(Outgoing { counts, kept })
    }

    /// The events at their places, after these last numbers.
    pub fn placed(mut self, last: Vec<(String, i64)>) -> Vec<Kept> {
        let last = HashMap::<String, i64>::from_iter(last);
        for Kept { position, mirrors, .. } in &mut self.kept {
            for place in [position].into_iter().chain(mirrors) {
                place.number += last.get(&place.stream.to_string()).copied().unwrap_or_default();
            }
        }
        self.kept
    }

    /// Binds what `keep_events` of PostgreSQL takes.
    pub fn bind<'q>(&'q self, query: LastNumbers<'q>, logged: bool) -> LastNumbers<'q> {
        let rows = rows_of(&self.kept);
        let text = |row: &Row<'q>| row.event.map(RawValue::get);
        query
            .bind(Vec::from_iter(self.counts.keys()))
            .bind(Vec::from_iter(self.counts.values()))
            .bind(Vec::from_iter(rows.iter().map(|row| row.stream.clone())))
            .bind(Vec::from_iter(rows.iter().map(|row| row.number)))
            .bind(Vec::from_iter(rows.iter().map(text)))
            .bind(Vec::from_iter(rows.iter().map(|row| row.by)))
            .bind(Vec::from_iter(rows.iter().map(|row| row.home_stream.clone())))
            .bind(Vec::from_iter(rows.iter().map(|row| row.home_number)))
            .bind(clock::now())
            .bind(logged)
    }
}

/// A query that returns the last numbers of streams.
pub(super) type LastNumbers<'q> = QueryAs<'q, Postgres, (String, i64), PgArguments>;

impl Tx {
    /// Keeps events in their streams; `logged` says that there is no event log to wait for. Nobody
    /// else adds to these streams until the transaction ends.
    pub(super) async fn insert_events(
        &mut self,
        events: &[Event],
        logged: bool,
    ) -> Result<Vec<Kept>, Error> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let outgoing = Outgoing::of(events)?;
        match &mut *self.inner {
            Transaction::Sqlite(_) => {
                let last = self.advance_streams(&outgoing.counts).await?;
                let kept = outgoing.placed(last);
                self.insert_rows(&rows_of(&kept), logged).await?;
                Ok(kept)
            }
            Transaction::Postgres(inner) => {
                let keep = sqlx::query_as(
                    "select * from keep_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                );
                let last = outgoing.bind(keep, logged).fetch_all(&mut **inner).await?;
                Ok(outgoing.placed(last))
            }
        }
    }

    /// Adds to the last numbers of a file's streams; returns them.
    async fn advance_streams(
        &mut self,
        counts: &BTreeMap<String, i64>,
    ) -> Result<Vec<(String, i64)>, Error> {
        let Transaction::Sqlite(inner) = &mut *self.inner else {
            return Ok(Vec::new());
        };
        let last = sqlx::query_as(
            "insert into streams (stream, last_number)
             select value ->> 0, value ->> 1 from json_each($1) where true
             on conflict (stream) do update
             set last_number = streams.last_number + excluded.last_number
             returning stream, last_number",
        )
        .bind(json(counts.iter()))
        .fetch_all(&mut **inner)
        .await?;
        Ok(last)
    }

    async fn insert_rows(&mut self, rows: &[Row<'_>], logged: bool) -> Result<(), Error> {
        let Transaction::Sqlite(inner) = &mut *self.inner else {
            return Ok(());
        };
        sqlx::query(
            "insert into events
                 (stream, number, event, by_connection, home_stream, home_number,
                 committed_at, logged)
             select value ->> 'stream', value ->> 'number', value ->> 'event',
                 unhex(value ->> 'by', '-'), value ->> 'home_stream',
                 value ->> 'home_number', $2, $3 or value ->> 'event' is null
             from json_each($1)",
        )
        .bind(json(rows.iter()))
        .bind(clock::now())
        .bind(logged)
        .execute(inner.in_place())
        .await?;
        Ok(())
    }
}

/// A row for each place of each event; the event itself stands at the first.
fn rows_of(kept: &[Kept]) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for Kept { position, mirrors, json, by } in kept {
        rows.push(Row {
            stream: position.stream.to_string(),
            number: position.number,
            event: Some(json),
            by: *by,
            home_stream: None,
            home_number: None,
        });
        rows.extend(mirrors.iter().map(|mirror| Row {
            stream: mirror.stream.to_string(),
            number: mirror.number,
            event: None,
            by: None,
            home_stream: Some(position.stream.to_string()),
            home_number: Some(position.number),
        }));
    }
    rows
}
