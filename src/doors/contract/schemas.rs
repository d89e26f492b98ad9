//! The schemas of all types of the contract, by their names.

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use crate::doors::shape::Shape;

/// Collects schemas. Those of what clients send and of what they get are generated differently.
pub struct Schemas {
    sent: SchemaGenerator,
    got: SchemaGenerator,
}

impl Schemas {
    /// References to schemas begin with `place`.
    pub fn at(place: &'static str) -> Schemas {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = place.into();
            settings.meta_schema = None;
        });
        Schemas {
            sent: settings.clone().for_deserialize().into_generator(),
            got: settings.for_serialize().into_generator(),
        }
    }

    /// Schemas for TypeScript, where clients may send a time as a `Date`: in JSON it is a text.
    pub fn in_typescript() -> Schemas {
        let Schemas { sent, got } = Schemas::at("#");
        let settings = sent.settings().clone().with_transform(RecursiveTransform(take_dates));
        Schemas { sent: settings.into_generator(), got }
    }

    /// The schema of what clients send.
    pub fn sent(&mut self, shape: Shape) -> Value {
        tidied(shape(&mut self.sent).to_value(), false)
    }

    /// The schema of what clients get.
    pub fn got(&mut self, shape: Shape) -> Value {
        tidied(shape(&mut self.got).to_value(), true)
    }

    /// All schemas that have a name. Types that clients send and types that they get must have
    /// different names.
    pub fn named(mut self) -> Map<String, Value> {
        let got =
            self.got.take_definitions(true).into_iter().map(|(name, it)| (name, tidied(it, true)));
        let mut named = Map::from_iter(got);
        for (name, schema) in self.sent.take_definitions(true) {
            let before = named.insert(name, tidied(schema, false));
            debug_assert!(before.is_none(), "two types of the contract have the same name");
        }
        named
    }
}

fn take_dates(schema: &mut Schema) {
    if schema.get("format").is_some_and(|format| format == "date-time") {
        let mut kinds = match schema.remove("type") {
            Some(Value::Array(kinds)) => kinds,
            kind => Vec::from_iter(kind),
        };
        kinds.insert(0, "Date".into());
        schema.insert("type".to_owned(), kinds.into());
    }
}

/// Removes what tells clients nothing: formats of Rust's numbers, titles, and, in what clients get,
/// `null` where the field is left out instead.
fn tidied(mut schema: Value, got: bool) -> Value {
    tidy(&mut schema, got);
    schema
}

fn tidy(schema: &mut Value, got: bool) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| tidy(item, got)),
        Value::Object(members) => {
            if members.get("format").is_some_and(|format| format != "date-time") {
                members.remove("format");
            }
            if members.get("title").is_some_and(Value::is_string) {
                members.remove("title");
            }
            members.values_mut().for_each(|member| tidy(member, got));
            let required = members.get("required").cloned().unwrap_or_default();
            let is_required = |name: &str| {
                required.as_array().is_some_and(|names| names.iter().any(|it| it == name))
            };
            if let Some(Value::Object(fields)) = members.get_mut("properties").filter(|_| got) {
                fields
                    .iter_mut()
                    .filter(|(name, _)| !is_required(name))
                    .for_each(|(_, field)| remove_null(field));
            }
        }
        _ => {}
    }
}

fn remove_null(field: &mut Value) {
    let Value::Object(members) = field else { return };
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
        choices.retain(|choice| choice != &json!({ "type": "null" }));
        if let [Value::Object(only)] = &choices[..] {
            let mut only = only.clone();
            members.remove("anyOf");
            only.append(members);
            *members = only;
        }
    }
}
