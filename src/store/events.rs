//! Reads the `streams` and `events` tables: what has been committed lately, for the other nodes and
//! for the event log. It is [written](super::outgoing) only if somebody needs it.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx_macros::FromRow;
use uuid::Uuid;

use super::{Db, Store};
use crate::error::Error;
use crate::model::{ConnectionId, Event, Position, Stream};

/// An event that was stored, as another node reads it.
pub struct StoredEvent {
    pub position: Position,
    /// The event's position in its home stream, if this is another stream.
    pub home: Option<Position>,
    /// `None` if the event was deleted, or this version cannot read it.
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
    /// The event's position in its home stream, if this is another stream, and the event, if it is
    /// still stored.
    fn read(self) -> Result<(Option<Position>, Option<Event>), Error> {
        let home = self.home_stream.zip(self.home_number);
        let home = home.map(|(stream, number)| read_position(&stream, number)).transpose()?;
        let event = self.event.map(|event| serde_json::from_str(&event)).transpose();
        let event: Option<Event> = event.map_err(|error| unreadable(&error.to_string()))?;
        Ok((home, event.map(|event| event.caused_by(self.by_connection))))
    }
}

/// Reads stored events, as long as the store is open.
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

    /// The numbers of the latest events of these streams. Streams without events are missing.
    pub async fn list_last_numbers(&self, streams: &[Stream]) -> Result<Vec<Position>, Error> {
        // SQLite has only one node, which misses nothing.
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

    /// The events of a stream from the number `from` on, in order: at most `limit`, and none after
    /// the one that reaches 4 MiB. An event may take half a MiB.
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
        Ok(rows.into_iter().map(|row| stored(stream, row)).collect())
    }

    /// The events of a stream from after the number `after` and before `home` of which these
    /// mirrors tell, each from its number on: in order, each once, at most `limit`.
    pub async fn list_owed(
        &self,
        mirrors: &HashMap<Stream, i64>,
        home: &Position,
        after: i64,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, Error> {
        let Db::Postgres(pool) = &self.db else {
            return Ok(Vec::new());
        };
        let (streams, from): (Vec<_>, Vec<_>) =
            mirrors.iter().map(|(stream, from)| (stream.to_string(), *from)).unzip();
        let rows: Vec<EventRow> = sqlx::query_as(
            "select distinct on (e.home_number) e.home_number as number,
                 null::text as home_stream, null::bigint as home_number,
                 coalesce(e.event, h.event) as event,
                 coalesce(e.by_connection, h.by_connection) as by_connection
             from unnest($1::text[], $2::bigint[]) as mirrors (stream, next)
             join events e on e.stream = mirrors.stream and e.number >= mirrors.next
             left join events h on h.stream = e.home_stream and h.number = e.home_number
             where e.home_stream = $3 and e.home_number > $4 and e.home_number < $5
             order by e.home_number limit $6",
        )
        .bind(streams)
        .bind(from)
        .bind(home.stream.to_string())
        .bind(after)
        .bind(home.number)
        .bind(limit)
        .fetch_all(pool)
        .await?;
        Ok(rows.into_iter().map(|row| stored(&home.stream, row)).collect())
    }
}

/// The event of a row of this stream; without the event if this version cannot read it.
fn stored(stream: &Stream, row: EventRow) -> StoredEvent {
    let number = row.number;
    let (home, event) = row.read().unwrap_or_else(|error| {
        // A newer node has written it. This node goes on without it.
        tracing::error!(%stream, number, %error, "an event is not understood");
        (None, None)
    });
    StoredEvent { position: Position { stream: stream.clone(), number }, home, event }
}

fn read_position(stream: &str, number: i64) -> Result<Position, Error> {
    let stream = Stream::parse(stream).ok_or_else(|| unreadable(stream))?;
    Ok(Position { stream, number })
}

/// The error for data that another version of the server has written, and this one cannot read.
pub(super) fn unreadable(what: &str) -> Error {
    Error::Internal(Some(Arc::new(sqlx::Error::Decode(what.into()))))
}

impl Store {
    /// A reader of the stored events.
    pub fn event_reader(&self) -> EventReader {
        EventReader { db: self.db.clone() }
    }

    /// The id by which the nodes on this database find each other. Errors: on SQLite, which has
    /// only one node.
    pub async fn find_cluster_id(&self) -> Result<Uuid, Error> {
        match &self.db {
            Db::Sqlite(_) => Err(Error::Internal(None)),
            Db::Postgres(pool) => {
                Ok(sqlx::query_scalar("select id from cluster").fetch_one(pool).await?)
            }
        }
    }
}
