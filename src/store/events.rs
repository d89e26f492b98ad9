//! The `streams` and `events` tables: what has been committed lately, for the other nodes and for
//! the event log. They are written only if there is one of these.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::sqlite::json;
use super::{Db, Store, Transaction, Tx};
use crate::clock;
use crate::error::Error;
use crate::model::{Event, Kept, Position, Stream};

/// A row of the `events` table.
struct Row {
    stream: String,
    number: i64,
    event: Option<usize>,
    home: Option<(String, i64)>,
}

/// An event that was kept, as another node reads it.
#[derive(sqlx::FromRow)]
pub struct KeptEvent {
    pub stream: String,
    pub number: i64,
    pub home_stream: Option<String>,
    pub home_number: Option<i64>,
    /// As JSON; none if it has been forgotten.
    pub event: Option<String>,
}

/// What reads kept events, for as long as the store is open.
#[derive(Clone)]
pub struct Reading {
    db: Db,
}

impl Reading {
    /// Whether the store has been closed.
    pub fn is_closed(&self) -> bool {
        match &self.db {
            Db::Sqlite(pools) => pools.readers.is_closed(),
            Db::Postgres(pool) => pool.is_closed(),
        }
    }

    /// The numbers of the latest events of these streams, as far as there are any.
    pub async fn list_last_numbers(&self, streams: &[Stream]) -> Result<Vec<(Stream, i64)>, Error> {
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
        let row = |(stream, number): (String, i64)| Some((Stream::parse(&stream)?, number));
        Ok(rows.into_iter().filter_map(row).collect())
    }

    /// What stands in these streams from these numbers on, each stream in order; at most `limit`.
    pub async fn list_events(
        &self,
        from: &[(Stream, i64)],
        limit: i64,
    ) -> Result<Vec<KeptEvent>, Error> {
        let Db::Postgres(pool) = &self.db else {
            return Ok(Vec::new());
        };
        let (streams, numbers): (Vec<_>, Vec<_>) =
            from.iter().map(|(stream, number)| (stream.to_string(), *number)).unzip();
        let events = sqlx::query_as(
            "select e.stream, e.number, e.home_stream, e.home_number,
                 coalesce(e.event, h.event) as event
             from unnest($1::text[], $2::bigint[]) f (stream, number)
             join events e on e.stream = f.stream and e.number >= f.number
             left join events h on h.stream = e.home_stream and h.number = e.home_number
             order by e.stream, e.number limit $3",
        )
        .bind(streams)
        .bind(numbers)
        .bind(limit)
        .fetch_all(pool)
        .await?;
        Ok(events)
    }
}

impl Store {
    /// Reads what is kept.
    pub fn reading(&self) -> Reading {
        Reading { db: self.db.clone() }
    }

    /// What the nodes on this database find each other by. A file has but one.
    pub async fn find_cluster_id(&self) -> Result<Uuid, Error> {
        match &self.db {
            Db::Sqlite(_) => Err(Error::Internal(None)),
            Db::Postgres(pool) => {
                Ok(sqlx::query_scalar("select id from cluster").fetch_one(pool).await?)
            }
        }
    }
}

impl Tx {
    /// Keeps events in their streams; `logged` says that there is no event log to wait for.
    pub(super) async fn insert_events(
        &mut self,
        events: &[Event],
        logged: bool,
    ) -> Result<Vec<Kept>, Error> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut counts = BTreeMap::<String, i64>::new();
        for stream in events.iter().flat_map(streams_of) {
            *counts.entry(stream.to_string()).or_default() += 1;
        }
        let mut last = self.advance_streams(&counts).await?;
        for (stream, count) in &counts {
            last.entry(stream.clone()).and_modify(|number| *number -= count);
        }
        let mut next = |stream: &Stream| {
            let number = last.entry(stream.to_string()).or_default();
            *number += 1;
            Position { stream: stream.clone(), number: *number }
        };
        let keep = |event: &Event| Kept {
            position: next(&event.home()),
            mirrors: event.mirrors().iter().map(&mut next).collect(),
            // Texts, numbers and times: nothing in them can fail to serialize.
            json: serde_json::to_string(event).unwrap_or_default(),
        };
        let kept: Vec<_> = events.iter().map(keep).collect();
        self.insert_rows(&rows_of(&kept), &kept, logged).await?;
        Ok(kept)
    }

    /// Adds to the last numbers of streams; returns them. Nobody else adds to these streams until
    /// the transaction ends.
    async fn advance_streams(
        &mut self,
        counts: &BTreeMap<String, i64>,
    ) -> Result<BTreeMap<String, i64>, Error> {
        let last: Vec<(String, i64)> = match &mut self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_as(
                    "insert into streams (stream, last_number)
                     select value ->> 0, value ->> 1 from json_each($1) where true
                     on conflict (stream) do update
                     set last_number = streams.last_number + excluded.last_number
                     returning stream, last_number",
                )
                .bind(json(counts.iter()))
                .fetch_all(&mut **inner)
                .await?
            }
            // In one order everywhere, so that two nodes do not wait for each other.
            Transaction::Postgres(inner) => {
                sqlx::query_as(
                    "insert into streams (stream, last_number)
                     select stream, count from unnest($1::text[], $2::bigint[]) s (stream, count)
                     order by stream collate \"C\"
                     on conflict (stream) do update
                     set last_number = streams.last_number + excluded.last_number
                     returning stream, last_number",
                )
                .bind(Vec::from_iter(counts.keys()))
                .bind(Vec::from_iter(counts.values()))
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(last.into_iter().collect())
    }

    async fn insert_rows(
        &mut self,
        rows: &[Row],
        kept: &[Kept],
        logged: bool,
    ) -> Result<(), Error> {
        let text = |row: &Row| row.event.map(|index| kept[index].json.as_str());
        let home_stream = |row: &Row| row.home.as_ref().map(|(stream, _)| stream.clone());
        let home_number = |row: &Row| row.home.as_ref().map(|(_, number)| *number);
        match &mut self.inner {
            Transaction::Sqlite(inner) => {
                let row = |row| (text(row), home_stream(row), home_number(row));
                let rows = json(rows.iter().map(|it| (&it.stream, it.number, row(it))));
                sqlx::query(
                    "insert into events
                         (stream, number, event, home_stream, home_number, committed_at, logged)
                     select value ->> 0, value ->> 1, value ->> '$[2][0]', value ->> '$[2][1]',
                         value ->> '$[2][2]', $2, $3 or value ->> '$[2][0]' is null
                     from json_each($1)",
                )
                .bind(rows)
                .bind(clock::now())
                .bind(logged)
                .execute(&mut **inner)
                .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query(
                    "insert into events
                         (stream, number, event, home_stream, home_number, committed_at, logged)
                     select stream, number, event, home_stream, home_number, $6,
                         $7 or event is null
                     from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
                         e (stream, number, event, home_stream, home_number)",
                )
                .bind(Vec::from_iter(rows.iter().map(|row| &row.stream)))
                .bind(Vec::from_iter(rows.iter().map(|row| row.number)))
                .bind(Vec::from_iter(rows.iter().map(text)))
                .bind(Vec::from_iter(rows.iter().map(home_stream)))
                .bind(Vec::from_iter(rows.iter().map(home_number)))
                .bind(clock::now())
                .bind(logged)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }
}

fn streams_of(event: &Event) -> impl Iterator<Item = Stream> {
    [event.home()].into_iter().chain(event.mirrors())
}

/// A row for each place of each event; the event itself stands at the first.
fn rows_of(kept: &[Kept]) -> Vec<Row> {
    let row = |position: &Position, event, home| Row {
        stream: position.stream.to_string(),
        number: position.number,
        event,
        home,
    };
    let mut rows = Vec::new();
    for (index, kept) in kept.iter().enumerate() {
        rows.push(row(&kept.position, Some(index), None));
        let home = (kept.position.stream.to_string(), kept.position.number);
        rows.extend(kept.mirrors.iter().map(|mirror| row(mirror, None, Some(home.clone()))));
    }
    rows
}
