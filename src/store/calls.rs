//! The two functions in the database by which PostgreSQL writes a [batch](super::batch). Separate
//! statements would take a round trip each; with the commit, this takes three. Migrations make the
//! functions.

use std::fmt::Write;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::batch::Numbered;
use super::bounded::{PgTransaction, Pool};
use super::chats::Head;
use super::known::{ActorRow, Known};
use super::outgoing::Outgoing;
use super::sqlite::json;
use crate::clock;
use crate::error::Error;
use crate::model::{Kept, Mark, Message, NewMessage};

/// What the database says about a batch.
#[derive(Default)]
pub(super) struct Found {
    pub known: Known,
    /// The messages that were sent under the `client_id`s of the batch.
    pub sent: Vec<Message>,
}

impl Found {
    fn of(rows: &[PgRow]) -> Result<Found, Error> {
        let mut found = Found::default();
        rows.iter().try_for_each(|row| found.add(row))?;
        Ok(found)
    }

    fn add(&mut self, row: &PgRow) -> Result<(), Error> {
        self.known.add_head(Head::from_row(row)?);
        self.known.add_actor(ActorRow::from_row(row)?);
        if row.try_get::<Option<i64>, _>("seq")?.is_some() {
            self.sent.push(Message::from_row(row)?);
        }
        Ok(())
    }
}

/// Begins a transaction, locks the chats of a batch, and reads them and the users who act there.
/// Nobody else can append to these chats until the transaction ends.
pub(super) async fn begin_batch(
    pool: &Pool,
    messages: &[NewMessage],
    marks: &[Mark],
) -> Result<(PgTransaction, Found), Error> {
    let asked = asked(messages, marks);
    let look = format!(
        "select * from begin_batch(convert_from(decode('{}', 'hex'), 'UTF8')::json)",
        hex(asked.as_bytes())
    );
    let (tx, rows) = PgTransaction::begin_with(pool, &look).await?;
    Ok((tx, Found::of(&rows)?))
}

/// Locks the chats of messages, and reads them and the users who act there, in the transaction of a
/// job.
pub(super) async fn look(tx: &mut PgTransaction, messages: &[NewMessage]) -> Result<Found, Error> {
    let look = sqlx::query("select * from begin_batch($1::text::json)").bind(asked(messages, &[]));
    Found::of(&look.fetch_all(tx).await?)
}

fn asked(messages: &[NewMessage], marks: &[Mark]) -> String {
    let messages = messages.iter().map(|it| (it.chat_id, &it.user_id, it.client_id.as_ref()));
    let marks = marks.iter().map(|it| (it.chat_id, &it.user_id, None));
    json(messages.chain(marks))
}

/// In hexadecimal digits, so that no client's text can end the quotes around it.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes the changes of a batch, and its events, if they are kept; `logged` says that there is no
/// event log to wait for.
pub(super) async fn write_batch(
    tx: &mut PgTransaction,
    numbered: &Numbered,
    outgoing: Outgoing,
    logged: bool,
) -> Result<Vec<Kept>, Error> {
    let Numbered { fresh, .. } = numbered;
    let (heads, readings) = (numbered.heads(), numbered.readings());
    let write = sqlx::query_as(
        "select * from write_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
             $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)",
    )
    .bind(Vec::from_iter(fresh.iter().map(|m| m.chat_id)))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.seq)))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.id)))
    .bind(Vec::from_iter(fresh.iter().map(|m| &m.user_id)))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.kind as i16)))
    .bind(Vec::from_iter(fresh.iter().map(|m| &m.body)))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.client_id.as_ref())))
    .bind(Vec::from_iter(fresh.iter().map(|m| m.created_at)))
    .bind(Vec::from_iter(heads.iter().map(|head| head.id)))
    .bind(Vec::from_iter(heads.iter().map(|head| head.last_seq)))
    .bind(Vec::from_iter(heads.iter().map(|head| head.active_at)))
    .bind(Vec::from_iter(heads.iter().map(|head| head.kept)))
    .bind(Vec::from_iter(readings.iter().map(|(chat_id, ..)| *chat_id)))
    .bind(Vec::from_iter(readings.iter().map(|(_, user_id, _)| *user_id)))
    .bind(Vec::from_iter(readings.iter().map(|(.., reading)| reading.read_seq)))
    .bind(Vec::from_iter(readings.iter().map(|(.., reading)| reading.own_unread)))
    .bind(Vec::from_iter(readings.iter().map(|(.., reading)| reading.sent_at)));
    let last = outgoing.bind(write, logged).fetch_all(tx).await?;
    Ok(outgoing.placed(last))
}

/// Queues events, which this transaction stores, for the webhook.
pub(super) async fn insert_webhooks(tx: &mut PgTransaction, kept: &[Kept]) -> Result<(), Error> {
    if kept.is_empty() {
        return Ok(());
    }
    let places = kept.iter().map(|it| &it.position);
    sqlx::query(
        "insert into webhooks (id, stream, number, next_at)
         select id, stream, number, $4
         from unnest($1::uuid[], $2::text[], $3::bigint[]) kept (id, stream, number)",
    )
    .bind(Vec::from_iter(kept.iter().map(|_| Uuid::now_v7())))
    .bind(Vec::from_iter(places.clone().map(|it| it.stream.to_string())))
    .bind(Vec::from_iter(places.map(|it| it.number)))
    .bind(clock::now())
    .execute(tx)
    .await?;
    Ok(())
}
