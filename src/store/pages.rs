//! Removes what SQLite has left on the pages of a file. When SQLite deletes a row, it overwrites
//! it, but not the copies that were left behind when rows moved from page to page. A page that
//! becomes empty is overwritten as a whole: so the rows around a deleted one are deleted and
//! inserted again.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params, params_from_iter};
use uuid::Uuid;

use super::indexed::rowid;
use super::rows::SqliteWriter;
use crate::error::Error;
use crate::model::ChatId;

/// How many bytes of rows on either side are rewritten: those of several pages.
const NEIGHBOURS: usize = 16 << 10;

/// A row with more bytes is not rewritten: most of it is on pages of its own.
const MAX_MOVED: usize = 8 << 10;

/// A row of which nothing but its present content may be left in the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    Message(ChatId, i64),
    /// The words of a message, in the index's internal table.
    Words(i64),
    Event(i64),
}

/// Rows on one side of a row, the nearest first.
#[derive(Default)]
struct Neighbours {
    rows: Vec<Vec<Value>>,
    /// The last row of the nearer half.
    middle: Option<Vec<Value>>,
}

impl RowKey {
    /// The table, and its key: the first columns of the table.
    fn table(self) -> (&'static str, &'static [&'static str]) {
        match self {
            RowKey::Message(..) => ("messages", &["chat_id", "seq"]),
            RowKey::Words(_) => ("search_words_content", &["id"]),
            RowKey::Event(_) => ("events", &["id"]),
        }
    }

    fn values(self) -> Vec<Value> {
        match self {
            RowKey::Message(chat, seq) => vec![chat.as_ref().to_vec().into(), seq.into()],
            RowKey::Words(id) | RowKey::Event(id) => vec![id.into()],
        }
    }

    /// The key of a row that is in the same table as this key.
    fn of(self, row: &[Value]) -> Option<RowKey> {
        match (self, row) {
            (RowKey::Message(..), [Value::Blob(chat), Value::Integer(seq), ..]) => {
                Uuid::from_slice(chat).ok().map(|chat| RowKey::Message(chat.into(), *seq))
            }
            (RowKey::Words(_), [Value::Integer(id), ..]) => Some(RowKey::Words(*id)),
            (RowKey::Event(_), [Value::Integer(id), ..]) => Some(RowKey::Event(*id)),
            _ => None,
        }
    }
}

impl Neighbours {
    /// All rows in ascending order: `self` has the rows before a row, the nearest first, and
    /// `from_there` has that row and those after it. If rows are deleted in ascending order, the
    /// pages in the middle become empty, and not only those at the edges.
    fn then(self, from_there: Neighbours) -> Vec<Vec<Value>> {
        self.rows.into_iter().rev().chain(from_there.rows).collect()
    }
}

impl SqliteWriter {
    /// Rewrites a row and the rows around it. Returns the last row that needs no call of its own
    /// any more, as enough rows on both of its sides were rewritten, too.
    pub fn rewrite_around(&self, key: RowKey) -> Result<Option<RowKey>, Error> {
        let before = self.list_neighbours(key, "<", "desc")?;
        let from_there = self.list_neighbours(key, ">=", "asc")?;
        let reached = from_there.middle.as_deref().and_then(|row| key.of(row));
        self.write_anew(key, &before.then(from_there))?;
        Ok(reached)
    }

    /// The row that has, or had, the words of a message, if the chat is in the index.
    pub fn find_words(&self, chat: ChatId, seq: i64) -> Result<Option<RowKey>, Error> {
        let mut find =
            self.rows().prepare_cached("select number from search_chats where chat_id = ?1")?;
        let number = find.query_row(params![chat.as_ref()], |row| row.get(0)).optional()?;
        Ok(number.map(|number| RowKey::Words(rowid(number, seq))))
    }

    /// The rows on one side of a row that are small enough to be rewritten.
    fn list_neighbours(&self, key: RowKey, side: &str, order: &str) -> Result<Neighbours, Error> {
        let (table, keys) = key.table();
        let order = Vec::from_iter(keys.iter().map(|key| format!("{key} {order}"))).join(", ");
        let values = vec!["?"; keys.len()].join(", ");
        let keys = keys.join(", ");
        let list =
            format!("select * from {table} where ({keys}) {side} ({values}) order by {order}");
        let mut list = self.rows().prepare_cached(&list)?;
        let columns = list.column_count();
        let (mut neighbours, mut length) = (Neighbours::default(), 0);
        let mut found = list.query(params_from_iter(key.values()))?;
        while let Some(row) = found.next()? {
            let row: Vec<Value> = (0..columns).map(|at| row.get(at)).collect::<Result<_, _>>()?;
            length += size(&row).min(MAX_MOVED);
            if length < NEIGHBOURS / 2 {
                neighbours.middle = Some(row.clone());
            }
            if size(&row) <= MAX_MOVED {
                neighbours.rows.push(row);
            }
            if length >= NEIGHBOURS {
                break;
            }
        }
        Ok(neighbours)
    }

    /// Deletes rows and inserts them again.
    fn write_anew(&self, key: RowKey, rows: &[Vec<Value>]) -> Result<(), Error> {
        let (table, keys) = key.table();
        let is_it = Vec::from_iter(keys.iter().map(|key| format!("{key} = ?"))).join(" and ");
        let mut delete =
            self.rows().prepare_cached(&format!("delete from {table} where {is_it}"))?;
        for row in rows {
            delete.execute(params_from_iter(&row[..keys.len()]))?;
        }
        let values = vec!["?"; rows.first().map_or(0, Vec::len)].join(", ");
        let insert = format!("replace into {table} values ({values})");
        for row in rows {
            self.rows().prepare_cached(&insert)?.execute(params_from_iter(row))?;
        }
        Ok(())
    }
}

/// About how many bytes a row has.
fn size(row: &[Value]) -> usize {
    let size = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        _ => 8,
    };
    row.iter().map(size).sum()
}
