//! Steps: what a table does to the rows that it reads `from` another, in order. One file each.
//!
//! A step is written as a mapping with one key, its kind: `- filter: quantity > 0`. [`Step`] keeps kind and body apart;
//! `lower` gives the operations of `ir`. The set is open: a new step is a file here and a row of [`KINDS`].

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::diagnostic::Site;
use crate::ir::Operation;
use crate::kind::Problem;

pub mod cast;
pub mod deduplicate;
pub mod derive;
pub mod fill;
pub mod filter;
pub mod rename;
pub mod trim;

/// One kind of step.
pub struct Kind {
    pub name: &'static str,
    /// The JSON Schema of the body, with the struct's docs.
    schema: fn(&mut SchemaGenerator) -> Schema,
    lower: Lower,
}

/// Lowers a step's body; the function gives the site of a JSON pointer relative to it.
type Lower = fn(&Value, &dyn Fn(&str) -> Site) -> Result<Vec<Operation>, Problem>;

/// All kinds, in the order of the reference.
pub const KINDS: &[Kind] = &[
    Kind { name: "filter", schema: schema_of::<filter::Filter>, lower: filter::lower },
    Kind { name: "deduplicate", schema: schema_of::<deduplicate::Deduplicate>, lower: deduplicate::lower },
    Kind { name: "rename", schema: schema_of::<rename::Rename>, lower: rename::lower },
    Kind { name: "cast", schema: schema_of::<cast::Cast>, lower: cast::lower },
    Kind { name: "derive", schema: schema_of::<derive::Derive>, lower: derive::lower },
    Kind { name: "trim", schema: schema_of::<trim::Trim>, lower: trim::lower },
    Kind { name: "fill", schema: schema_of::<fill::Fill>, lower: fill::lower },
];

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

/// A step as written: its kind and body.
#[derive(Clone)]
pub struct Step {
    kind: &'static Kind,
    body: Value,
}

impl Step {
    pub fn kind(&self) -> &'static str {
        self.kind.name
    }

    /// The step as operations. `site_of` gives the site of a JSON pointer relative to the step (`/filter`).
    ///
    /// # Errors
    /// What is wrong with the step, relative to it.
    pub fn lower(&self, site_of: &dyn Fn(&str) -> Site) -> Result<Vec<Operation>, Problem> {
        let prefix = format!("/{}", self.kind.name);
        let body_site = |pointer: &str| site_of(&format!("{prefix}{pointer}"));
        (self.kind.lower)(&self.body, &body_site)
            .map_err(|problem| Problem { pointer: format!("{prefix}{}", problem.pointer), ..problem })
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.kind.name, self.body)
    }
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.kind.name == other.kind.name && self.body == other.body
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let written = serde_json::Map::deserialize(deserializer)?;
        let mut entries = written.into_iter();
        let (Some((name, body)), None) = (entries.next(), entries.next()) else {
            return Err(D::Error::custom("a step is a mapping with one key, its kind"));
        };
        let kind = KINDS
            .iter()
            .find(|kind| kind.name == name)
            .ok_or_else(|| D::Error::custom(format!("`{name}` is no kind of step")))?;
        Ok(Step { kind, body })
    }
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = serde_json::Map::new();
        for kind in KINDS {
            properties.insert(kind.name.to_owned(), (kind.schema)(generator).to_value());
        }
        json_schema!({
            "type": "object",
            "description": "One thing done to the rows: a mapping with one key, the kind of step.",
            "properties": properties,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

/// Reads a body that the JSON Schema has let through.
fn body<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, Problem> {
    T::deserialize(value)
        .map_err(|error| Problem::new(crate::diagnostic::code::STEP, "", format!("this step cannot be read: {error}")))
}
