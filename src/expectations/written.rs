//! How an expectation stands in a document: read from a word or a mapping with one key, with the options that all kinds
//! share split from the body that is the kind's own; and the JSON Schema that says so to editors.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{Expectation, KINDS, Kind, OPTION_KEYS, Options};

impl std::fmt::Debug for Expectation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {} {:?}", self.kind.name, self.body, self.options)
    }
}

impl PartialEq for Expectation {
    fn eq(&self, other: &Self) -> bool {
        self.kind.name == other.kind.name && self.body == other.body && self.options == other.options
    }
}

impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let (name, written) = match Value::deserialize(deserializer)? {
            Value::String(name) => (name, Value::Null),
            Value::Object(map) if map.len() == 1 => map.into_iter().next().expect("one entry"),
            _ => return Err(D::Error::custom("an expectation is a word or a mapping with one key, its kind")),
        };
        let kind = KINDS
            .iter()
            .find(|kind| kind.name == name)
            .ok_or_else(|| D::Error::custom(format!("`{name}` is no kind of expectation")))?;
        let (short_key, long) = match (written, kind.short.key()) {
            (Value::Object(map), _) => (None, Value::Object(map)),
            (Value::Null, _) => (None, Value::Null),
            (short, Some(key)) => (Some(key), Value::Object(Map::from_iter([(key.to_owned(), short)]))),
            (_, None) => return Err(D::Error::custom(format!("`{name}` takes a mapping"))),
        };
        let (options, body) = split_options(kind, long).map_err(D::Error::custom)?;
        Ok(Expectation { kind, options, body, short_key })
    }
}

fn split_options(kind: &Kind, long: Value) -> Result<(Options, Value), serde_json::Error> {
    let Value::Object(map) = long else {
        return Ok((Options::default(), long));
    };
    let (options, body): (Map<_, _>, Map<_, _>) =
        map.into_iter().partition(|(key, _)| OPTION_KEYS.contains(&key.as_str()) && !is_own(kind, key));
    Ok((serde_json::from_value(Value::Object(options))?, Value::Object(body)))
}

/// Whether a kind has a key of its own where others have an option: the column that `references` points at.
fn is_own(kind: &Kind, key: &str) -> bool {
    kind.name == "references" && key == "column"
}

impl JsonSchema for Expectation {
    fn schema_name() -> Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        let mut words = Vec::new();
        for kind in KINDS {
            let long = with_options(kind, generator);
            let description = long.get("description").cloned().unwrap_or(Value::Null);
            if kind.short.is_word() {
                words.push(kind.name);
            }
            let schema = match kind.short.key() {
                None => long,
                Some(key) => {
                    let short = long.get("properties").and_then(|members| members.get(key)).cloned();
                    json!({"description": description, "anyOf": [short.unwrap_or(Value::Bool(true)), long]})
                }
            };
            properties.insert(kind.name.to_owned(), schema);
        }
        json_schema!({
            "description": "Something that must be true of the rows: a word, or a mapping with one key, its kind.",
            "anyOf": [
                {"enum": words, "type": "string"},
                {
                    "type": "object",
                    "properties": properties,
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ],
        })
    }
}

/// The long body's schema with the options' keys added, as references: they are the same for all kinds.
fn with_options(kind: &Kind, generator: &mut SchemaGenerator) -> Value {
    let mut long = (kind.schema)(generator).to_value();
    let options = generator.subschema_for::<Options>().to_value();
    let Some(object) = long.as_object_mut() else { return long };
    let members = object.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    if let (Some(members), Some(defined)) = (members.as_object_mut(), options.get("$ref").and_then(Value::as_str)) {
        let added = OPTION_KEYS.iter().filter(|key| !is_own(kind, key));
        members.extend(added.map(|key| ((*key).to_owned(), json!({"$ref": format!("{defined}/properties/{key}")}))));
    }
    long
}
