//! Writes the `streams` and `events` tables, which are the outbox. Each event is stored in its home
//! stream, and other streams refer to it.

use std::collections::{BTreeMap, HashMap};
use std::iter;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;

use super::events::unreadable;
use super::sqlite::json;
use super::{Transaction, Tx};
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

/// Events that are about to be stored. Until the last numbers of their streams are known, the
/// numbers of their positions count back from the end: 0 is the last event of a stream, -1 the one
/// before.
#[derive(Default)]
pub(super) struct Outgoing {
    /// How many events each stream gets.
    counts: BTreeMap<String, i64>,
    kept: Vec<Kept>,
}

impl Outgoing {
    pub fn of(events: &[Event]) -> Result<Outgoing, Error> {
        let routes = Vec::from_iter(events.iter().map(Event::route));
        let mut counts = BTreeMap::<String, i64>::new();
        for Route { home, mirrors, .. } in &routes {
            for stream in iter::once(home).chain(mirrors) {
                *counts.entry(stream.to_string()).or_default() += 1;
            }
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

    /// The events with their real numbers, given the last number that each stream has now.
    pub fn placed(mut self, last: Vec<(String, i64)>) -> Vec<Kept> {
        let last = HashMap::<String, i64>::from_iter(last);
        for Kept { position, mirrors, .. } in &mut self.kept {
            for place in [position].into_iter().chain(mirrors) {
                place.number += last.get(&place.stream.to_string()).copied().unwrap_or_default();
            }
        }
        self.kept
    }

    /// Binds the parameters of PostgreSQL's function `keep_events`.
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
    /// Stores events in their streams; `logged` says that there is no event log to wait for. Until
    /// the transaction ends, nobody else can add to these streams.
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

    /// Raises the last numbers of streams on SQLite; returns the new ones.
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
        .fetch_all(inner.in_place())
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

/// A row for each position of each event. Only the row of the home stream has the event itself.
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
