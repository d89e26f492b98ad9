//! Types that are stored as JSON in one column.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Type};

/// A list that is stored in the row of the thing it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T> List<T> {
    /// `None` for an empty list.
    pub fn of(items: Vec<T>) -> Option<List<T>> {
        (!items.is_empty()).then_some(List(items))
    }
}

impl<T: Serialize> List<T> {
    /// The JSON that is stored.
    pub fn json(&self) -> String {
        // Serializing texts and numbers cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl<T, D: Database> Type<D> for List<T>
where
    String: Type<D>,
{
    fn type_info() -> D::TypeInfo {
        String::type_info()
    }

    fn compatible(other: &D::TypeInfo) -> bool {
        String::compatible(other)
    }
}

impl<'r, T: DeserializeOwned, D: Database> Decode<'r, D> for List<T>
where
    String: Decode<'r, D>,
{
    fn decode(value: D::ValueRef<'r>) -> Result<List<T>, BoxDynError> {
        Ok(serde_json::from_str(&String::decode(value)?)?)
    }
}
