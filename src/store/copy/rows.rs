//! Rows in PostgreSQL's binary `copy` format.

use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// A signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// The most rows that are stored in one transaction, and the most bytes, but for the last row.
const MAX_ROWS: u64 = 10_000;
const MAX_BYTES: usize = 4 << 20;

/// A table that is copied.
pub struct Table {
    pub name: &'static str,
    /// The names of its columns, as a list in SQL.
    pub columns: String,
    pub kinds: Vec<Kind>,
    /// Selects the rows to copy, in the order of the primary key.
    pub select: String,
    /// Selects all rows in that order, in the target's dialect.
    pub select_all: String,
}

/// The type of a column.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text,
    /// Bytes in SQLite, bytes or a UUID in PostgreSQL.
    Bytes,
    Big,
    Small,
    Truth,
}

impl Kind {
    /// The type of a column with this type in SQLite's schema.
    pub fn of(declared: &str) -> Option<Kind> {
        match declared.to_ascii_lowercase().as_str() {
            "text" => Some(Kind::Text),
            "blob" => Some(Kind::Bytes),
            "bigint" | "integer" => Some(Kind::Big),
            "smallint" => Some(Kind::Small),
            "boolean" => Some(Kind::Truth),
            _ => None,
        }
    }
}

/// Encoded rows.
#[derive(Default)]
pub struct Batch {
    pub rows: u64,
    bytes: Vec<u8>,
}

impl Batch {
    pub fn push(&mut self, row: &SqliteRow, table: &Table) -> Result<(), sqlx::Error> {
        self.rows += 1;
        self.bytes.extend((table.kinds.len() as i16).to_be_bytes());
        for (at, kind) in table.kinds.iter().enumerate() {
            match kind {
                Kind::Text => self.field(row.try_get::<Option<&str>, _>(at)?),
                Kind::Bytes => self.field(row.try_get::<Option<&[u8]>, _>(at)?),
                Kind::Big => self.field(row.try_get::<Option<i64>, _>(at)?.map(i64::to_be_bytes)),
                Kind::Small => self.field(row.try_get::<Option<i16>, _>(at)?.map(i16::to_be_bytes)),
                Kind::Truth => self.field(row.try_get::<Option<bool>, _>(at)?.map(|is| [is as u8])),
            }
        }
        Ok(())
    }

    fn field(&mut self, value: Option<impl AsRef<[u8]>>) {
        let Some(value) = value.as_ref().map(AsRef::as_ref) else {
            return self.bytes.extend((-1i32).to_be_bytes());
        };
        // SQLite has no value of more than 2^31 bytes.
        self.bytes.extend((value.len() as i32).to_be_bytes());
        self.bytes.extend(value);
    }

    pub fn is_full(&self) -> bool {
        self.rows >= MAX_ROWS || self.bytes.len() >= MAX_BYTES
    }

    /// The input of `copy … from stdin`, in parts.
    pub fn file(&self) -> [&[u8]; 3] {
        [HEADER, &self.bytes, &TRAILER]
    }
}

/// By this, two tables are compared.
#[derive(PartialEq, Eq)]
pub struct Checksum {
    pub rows: u64,
    pub digest: [u8; 32],
}

/// The checksum of a table that is being read.
pub struct KnownMember {
    rows: u64,
    hash: Sha256,
}

impl KnownMember {
    /// Begins the checksum of rows that are encoded here.
    pub fn start() -> KnownMember {
        KnownMember { rows: 0, hash: Sha256::new_with_prefix(HEADER) }
    }

    pub fn add(&mut self, batch: &Batch) {
        self.rows += batch.rows;
        self.hash.update(&batch.bytes);
    }

    pub fn finish(mut self) -> Checksum {
        self.hash.update(TRAILER);
        Checksum { rows: self.rows, digest: self.hash.finalize().into() }
    }
}
