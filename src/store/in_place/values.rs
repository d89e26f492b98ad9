//! The values that go into a statement and come out of it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use rusqlite::Statement;
use rusqlite::types::{Type, Value};
use sqlx::encode::IsNull;
use sqlx::error::{BoxDynError, DatabaseError, ErrorKind};
use sqlx::{ColumnIndex, Decode, Encode, Error, IntoArguments, TypeInfo, ValueRef};
use uuid::Uuid;

use super::InPlace;

/// The values of a statement's parameters, in the order of their numbers.
#[derive(Default)]
pub struct Arguments(pub Vec<Value>);

impl sqlx::Arguments for Arguments {
    type Database = InPlace;

    fn reserve(&mut self, additional: usize, _: usize) {
        self.0.reserve(additional);
    }

    fn add<'t, T>(&mut self, value: T) -> Result<(), BoxDynError>
    where
        T: Encode<'t, InPlace> + sqlx::Type<InPlace>,
    {
        if let IsNull::Yes = value.encode(&mut self.0)? {
            self.0.push(Value::Null);
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl IntoArguments<InPlace> for Arguments {
    fn into_arguments(self) -> Arguments {
        self
    }
}

/// The result of a statement.
#[derive(Default)]
pub struct Done {
    pub rows_affected: u64,
}

impl Done {
    pub fn rows_affected(&self) -> u64 {
        self.rows_affected
    }
}

impl Extend<Done> for Done {
    fn extend<T: IntoIterator<Item = Done>>(&mut self, others: T) {
        self.rows_affected += others.into_iter().map(|done| done.rows_affected).sum::<u64>();
    }
}

#[derive(Debug)]
pub struct Column {
    ordinal: usize,
    name: String,
}

impl Column {
    pub fn all_of(statement: &Statement<'_>) -> Arc<[Column]> {
        let names = statement.column_names().into_iter().enumerate();
        names.map(|(ordinal, name)| Column { ordinal, name: name.to_owned() }).collect()
    }
}

impl sqlx::Column for Column {
    type Database = InPlace;

    fn ordinal(&self) -> usize {
        self.ordinal
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// A column has no type: each value has its own.
    fn type_info(&self) -> &Kind {
        &Kind(Type::Null)
    }
}

#[derive(Debug)]
pub struct Row {
    pub columns: Arc<[Column]>,
    pub cells: Box<[Cell]>,
}

impl sqlx::Row for Row {
    type Database = InPlace;

    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn try_get_raw<I: ColumnIndex<Row>>(&self, index: I) -> Result<CellRef<'_>, Error> {
        Ok(CellRef(&self.cells[index.index(self)?].0))
    }
}

impl ColumnIndex<Row> for usize {
    fn index(&self, row: &Row) -> Result<usize, Error> {
        let len = row.cells.len();
        let outside = Error::ColumnIndexOutOfBounds { len, index: *self };
        (*self < len).then_some(*self).ok_or(outside)
    }
}

impl ColumnIndex<Row> for str {
    fn index(&self, row: &Row) -> Result<usize, Error> {
        let found = row.columns.iter().position(|column| column.name == self);
        found.ok_or_else(|| Error::ColumnNotFound(self.to_owned()))
    }
}

#[derive(Debug)]
pub struct Cell(pub Value);

impl sqlx::Value for Cell {
    type Database = InPlace;

    fn as_ref(&self) -> CellRef<'_> {
        CellRef(&self.0)
    }

    fn type_info(&self) -> Cow<'_, Kind> {
        Cow::Owned(Kind(self.0.data_type()))
    }

    fn is_null(&self) -> bool {
        self.0 == Value::Null
    }
}

#[derive(Clone, Copy)]
pub struct CellRef<'r>(&'r Value);

impl<'r> ValueRef<'r> for CellRef<'r> {
    type Database = InPlace;

    fn to_owned(&self) -> Cell {
        Cell(self.0.clone())
    }

    fn type_info(&self) -> Cow<'_, Kind> {
        Cow::Owned(Kind(self.0.data_type()))
    }

    fn is_null(&self) -> bool {
        *self.0 == Value::Null
    }
}

/// One of SQLite's types.
#[derive(Clone, Debug, PartialEq)]
pub struct Kind(Type);

impl Display for Kind {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TypeInfo for Kind {
    fn is_null(&self) -> bool {
        self.0 == Type::Null
    }

    fn name(&self) -> &str {
        match self.0 {
            Type::Null => "NULL",
            Type::Integer => "INTEGER",
            Type::Real => "REAL",
            Type::Text => "TEXT",
            Type::Blob => "BLOB",
        }
    }
}

macro_rules! stored_as {
    ($($type:ty: $kind:ident, $into:expr, $from:expr;)*) => {$(
        impl sqlx::Type<InPlace> for $type {
            fn type_info() -> Kind {
                Kind(Type::$kind)
            }
        }

        impl Encode<'_, InPlace> for $type {
            fn encode_by_ref(&self, values: &mut Vec<Value>) -> Result<IsNull, BoxDynError> {
                let into: fn(&$type) -> _ = $into;
                values.push(Value::$kind(into(self)));
                Ok(IsNull::No)
            }
        }

        impl Decode<'_, InPlace> for $type {
            fn decode(value: CellRef<'_>) -> Result<$type, BoxDynError> {
                match value.0 {
                    Value::$kind(value) => Ok($from(value)?),
                    other => Err(format!("it is of another type, {}", other.data_type()).into()),
                }
            }
        }
    )*};
}

type Decoded<T> = Result<T, BoxDynError>;

stored_as! {
    bool: Integer, |it| i64::from(*it), |it: &i64| Decoded::Ok(*it != 0);
    i16: Integer, |it| i64::from(*it), |it: &i64| i16::try_from(*it);
    i32: Integer, |it| i64::from(*it), |it: &i64| i32::try_from(*it);
    i64: Integer, |it| *it, |it: &i64| Decoded::Ok(*it);
    String: Text, |it| it.clone(), |it: &String| Decoded::Ok(it.clone());
    Uuid: Blob, |it| it.as_bytes().to_vec(), |it: &Vec<u8>| Uuid::from_slice(it);
    Vec<u8>: Blob, |it| it.clone(), |it: &Vec<u8>| Decoded::Ok(it.clone());
}

macro_rules! lent_as {
    ($($type:ty: $kind:ident;)*) => {$(
        impl sqlx::Type<InPlace> for $type {
            fn type_info() -> Kind {
                Kind(Type::$kind)
            }
        }

        impl Encode<'_, InPlace> for &$type {
            fn encode_by_ref(&self, values: &mut Vec<Value>) -> Result<IsNull, BoxDynError> {
                values.push(Value::$kind((*self).to_owned()));
                Ok(IsNull::No)
            }
        }
    )*};
}

lent_as! {
    str: Text;
    [u8]: Blob;
}

impl<'q, T> Encode<'q, InPlace> for Option<T>
where
    T: Encode<'q, InPlace> + sqlx::Type<InPlace> + 'q,
{
    fn encode_by_ref(&self, values: &mut Vec<Value>) -> Result<IsNull, BoxDynError> {
        match self {
            Some(value) => value.encode_by_ref(values),
            None => Ok(IsNull::Yes),
        }
    }
}

/// An error from SQLite.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: String,
}

impl Failure {
    /// Errors: `error` itself, if it does not come from SQLite.
    pub fn of(error: rusqlite::Error) -> Result<Failure, rusqlite::Error> {
        match error.sqlite_error() {
            Some(failure) => {
                let code = failure.extended_code.to_string();
                Ok(Failure { message: error.to_string(), code })
            }
            None => Err(error),
        }
    }
}

impl Display for Failure {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "(code: {}) {}", self.code, self.message)
    }
}

impl StdError for Failure {}

impl DatabaseError for Failure {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.code))
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
