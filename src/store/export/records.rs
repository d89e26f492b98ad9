//! Rows as lines of JSON: `{"table":"…","row":{…}}`, without fields that are null.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::tables::{Kind, Table};
use crate::clock::Time;

/// The first line: the version of the format.
pub const HEADER: &str = "{\"chinwag_export\":1}\n";

/// How a time that never comes is written.
const FOREVER: &str = "forever";

/// Writes a row.
pub struct RecordWriter<'a> {
    line: &'a mut Vec<u8>,
    is_first: bool,
}

impl<'a> RecordWriter<'a> {
    pub fn begin(line: &'a mut Vec<u8>, table: &str) -> RecordWriter<'a> {
        line.extend(format!(r#"{{"table":"{table}","row":{{"#).into_bytes());
        RecordWriter { line, is_first: true }
    }

    pub fn add(
        &mut self,
        column: &str,
        value: Result<Option<impl Serialize>, sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        if let Some(value) = value? {
            self.name(column);
            serde_json::to_writer(&mut *self.line, &value)
                .map_err(|error| sqlx::Error::Encode(error.into()))?;
        }
        Ok(())
    }

    /// Adds a time, in the form it has on the wire; [`Time::FOREVER`] is written as [`FOREVER`].
    pub fn add_time(
        &mut self,
        column: &str,
        time: Result<Option<Time>, sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        match time? {
            Some(Time::FOREVER) => self.add(column, Ok(Some(FOREVER))),
            time => self.add(column, Ok(time)),
        }
    }

    /// Adds JSON. Line breaks in it only separate its parts, and become spaces.
    pub fn add_json(
        &mut self,
        column: &str,
        json: Result<Option<&str>, sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        if let Some(json) = json? {
            self.name(column);
            let is_end = |byte| matches!(byte, b'\n' | b'\r');
            self.line.extend(json.bytes().map(|byte| if is_end(byte) { b' ' } else { byte }));
        }
        Ok(())
    }

    pub fn end(self) {
        self.line.extend(b"}}\n");
    }

    fn name(&mut self, column: &str) {
        if !self.is_first {
            self.line.push(b',');
        }
        self.is_first = false;
        self.line.extend(format!("\"{column}\":").into_bytes());
    }
}

/// A line that is read.
pub enum Record<'a> {
    /// The first line of an export: the version of its format.
    Header(u64),
    Row(&'static Table, BTreeMap<String, &'a RawValue>),
    /// The last line of an export: the number of its rows.
    End(u64),
}

/// A line of any kind.
#[derive(Deserialize)]
struct Line<'a> {
    chinwag_export: Option<u64>,
    table: Option<String>,
    #[serde(borrow, default)]
    row: BTreeMap<String, &'a RawValue>,
    rows: Option<u64>,
}

impl Record<'_> {
    /// Reads a line. Errors: why it is not a line of an export.
    pub fn parse(line: &[u8]) -> Result<Record<'_>, String> {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        match (line.chinwag_export, line.table, line.rows) {
            (Some(version), ..) => Ok(Record::Header(version)),
            (_, Some(name), _) => match Table::find(&name) {
                Some(table) => Ok(Record::Row(table, line.row)),
                None => Err(format!("this version of Chinwag has no table {name}")),
            },
            (.., Some(rows)) => Ok(Record::End(rows)),
            _ => Err("it is no line of an export".into()),
        }
    }
}

/// Writes a value in the form in which the database reads it from JSON: times as numbers, JSON as
/// text. Errors: why this column cannot have the value.
fn write_value(kind: Kind, value: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let (is_right, what) = match kind {
        Kind::Text => (is::<String>(value), "a string"),
        Kind::Uuid => (is::<Uuid>(value), "a UUID"),
        Kind::Big => (is::<i64>(value), "a whole number"),
        Kind::Small => (is::<i16>(value), "a whole number of two bytes"),
        Kind::Flag => (is::<bool>(value), "true or false"),
        Kind::Time => {
            let time = read_time(value).ok_or_else(|| format!("{value} is not a time"))?;
            out.extend(time.as_micros().to_string().into_bytes());
            return Ok(());
        }
        Kind::Json => return serde_json::to_writer(out, value).map_err(|it| it.to_string()),
    };
    if !is_right {
        return Err(format!("{value} is not {what}"));
    }
    out.extend(value.as_bytes());
    Ok(())
}

fn is<'a, T: Deserialize<'a>>(value: &'a str) -> bool {
    serde_json::from_str::<T>(value).is_ok()
}

fn read_time(value: &str) -> Option<Time> {
    match serde_json::from_str::<&str>(value) {
        Ok(FOREVER) => Some(Time::FOREVER),
        _ => serde_json::from_str(value).ok(),
    }
}

/// Writes a row in the form in which a database reads it, and returns the columns that it has.
/// Errors: what is wrong with it.
pub fn write_row(
    table: &'static Table,
    row: &BTreeMap<String, &RawValue>,
    out: &mut Vec<u8>,
) -> Result<Vec<&'static str>, String> {
    let mut columns = Vec::new();
    out.push(b'{');
    for (name, value) in row {
        let column = table.columns.iter().find(|(column, _)| column == name);
        let Some((column, kind)) = column else {
            return Err(format!("{} have no {name} in this version of Chinwag", table.name));
        };
        if !columns.is_empty() {
            out.push(b',');
        }
        out.extend(format!("\"{column}\":").into_bytes());
        write_value(*kind, value.get(), out).map_err(|why| format!("{name}: {why}"))?;
        columns.push(*column);
    }
    out.push(b'}');
    Ok(columns)
}
