//! Expectations: sentences of a contract that can be true or false of the rows. One file each.
//!
//! An expectation is written as its kind alone (`not_null`), or as a mapping with one key, the kind, and its body in a
//! short form (`unique: [order_id]`) or a long one with the options that all kinds share (`on_violation`, `mostly`,
//! `where`, `description`). [`Expectation`] holds kind, options and long body; `lower` gives the `ir::Assertion`. The set
//! is open: a new expectation is a file here and a row of [`KINDS`]; no engine knows it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::diagnostic::{Site, code};
use crate::ir::{Assertion, DataType, Dimension, OnViolation, Severity, Test};
use crate::kind::{self, Problem};

pub mod accepted_values;
pub mod between;
pub mod expression;
pub mod matches;
pub mod not_null;
pub mod row_count;
pub mod unique;

/// One kind of expectation.
pub struct Kind {
    pub name: &'static str,
    /// Whether it speaks of one column; it then stands below a column or names one with `column`.
    pub of_column: bool,
    pub dimension: Dimension,
    /// The JSON Schema of the long body, with the struct's docs.
    schema: fn(&mut SchemaGenerator) -> Schema,
    /// The short form: its JSON Schema, and the key of the long body that it stands for. An `Null` schema means that the
    /// bare word is enough.
    short: Short,
    lower: fn(&Value, &Subject<'_>) -> Result<Sentence, Problem>,
}

/// What may be written instead of the long body.
pub enum Short {
    /// The kind's name alone; all of the long body is optional.
    Word,
    /// A list, which is the long body's value under this key.
    List(&'static str),
    /// A text, which is the long body's value under this key.
    Text(&'static str),
    /// Nothing: only the long body.
    None,
}

/// All kinds, in the order of the reference.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "not_null",
        of_column: true,
        dimension: Dimension::Completeness,
        schema: schema_of::<not_null::NotNull>,
        short: Short::Word,
        lower: not_null::lower,
    },
    Kind {
        name: "unique",
        of_column: false,
        dimension: Dimension::Uniqueness,
        schema: schema_of::<unique::Unique>,
        short: Short::List("columns"),
        lower: unique::lower,
    },
    Kind {
        name: "accepted_values",
        of_column: true,
        dimension: Dimension::Validity,
        schema: schema_of::<accepted_values::AcceptedValues>,
        short: Short::List("values"),
        lower: accepted_values::lower,
    },
    Kind {
        name: "between",
        of_column: true,
        dimension: Dimension::Accuracy,
        schema: schema_of::<between::Between>,
        short: Short::None,
        lower: between::lower,
    },
    Kind {
        name: "matches",
        of_column: true,
        dimension: Dimension::Validity,
        schema: schema_of::<matches::Matches>,
        short: Short::Text("regex"),
        lower: matches::lower,
    },
    Kind {
        name: "expression",
        of_column: false,
        dimension: Dimension::Consistency,
        schema: schema_of::<expression::Expression>,
        short: Short::Text("sql"),
        lower: expression::lower,
    },
    Kind {
        name: "row_count",
        of_column: false,
        dimension: Dimension::Completeness,
        schema: schema_of::<row_count::RowCount>,
        short: Short::None,
        lower: row_count::lower,
    },
];

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

/// The options that every kind takes.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
pub struct Options {
    /// What a violation leads to: `fail` (default) keeps the table as it was and stops what depends on it; `drop` leaves
    /// the rows out; `quarantine` moves them to `<table>_quarantine`; `warn` only records.
    #[serde(default)]
    pub on_violation: Option<OnViolation>,
    /// The least share of the rows that must hold, above 0 and at most 1. Default: 1. Example: `0.99`.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub mostly: Option<f64>,
    /// Only rows for which this Databricks SQL expression is true are looked at.
    #[serde(default, rename = "where")]
    pub filter: Option<String>,
    /// How grave a violation is: `critical`, `warning` or `info`. For people and other tools; `on_violation` decides what
    /// happens.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// For people: why this must hold.
    #[serde(default)]
    pub description: Option<String>,
    /// Who answers for it. Default: the table's owner.
    #[serde(default)]
    pub owner: Option<String>,
    /// The column, where the expectation does not stand below one.
    #[serde(default)]
    pub column: Option<String>,
}

const OPTION_KEYS: [&str; 7] = ["on_violation", "mostly", "where", "severity", "description", "owner", "column"];

/// What an expectation speaks of, for `lower`.
pub struct Subject<'a> {
    /// The column, as the contract spells it.
    pub column: Option<&'a str>,
    pub data_type: Option<&'a DataType>,
    /// The site of a JSON pointer relative to the long body.
    pub site_of: &'a dyn Fn(&str) -> Site,
}

impl Subject<'_> {
    /// The column, for kinds that need one.
    fn column(&self) -> Result<&str, Problem> {
        self.column.ok_or_else(|| {
            Problem::new(code::EXPECTATION, "", "this expectation speaks of a column and none is named")
                .help("put it below the column's `expect`, or add `column: NAME`")
        })
    }
}

/// What a kind lowers to; the options are added by [`Expectation::lower`].
pub struct Sentence {
    /// For people, e.g. `amount between 0 and 10`.
    pub label: String,
    pub columns: Vec<String>,
    pub test: Test,
}

/// An expectation as written.
#[derive(Clone)]
pub struct Expectation {
    kind: &'static Kind,
    pub options: Options,
    /// The long body without the options.
    body: Value,
    /// Where the long body's members stand, relative to the expectation: `/between`, or for a short form the key that it
    /// stands for and the pointer of its value.
    short_key: Option<&'static str>,
}

impl Expectation {
    /// An expectation in its long form, as other dialects are read into. `None` for an unknown kind.
    pub fn new(kind: &str, body: Map<String, Value>, options: Options) -> Option<Self> {
        let kind = KINDS.iter().find(|known| known.name == kind)?;
        Some(Expectation { kind, options, body: Value::Object(body), short_key: None })
    }

    pub fn kind(&self) -> &'static str {
        self.kind.name
    }

    pub fn of_column(&self) -> bool {
        self.kind.of_column
    }

    /// The expectation as an assertion on a column of the contract, or on the table. `site_of` gives the site of a JSON
    /// pointer relative to the expectation.
    ///
    /// # Errors
    /// What is wrong with it, relative to it.
    pub fn lower(
        &self,
        column: Option<(&str, Option<&DataType>)>,
        site_of: &dyn Fn(&str) -> Site,
    ) -> Result<Assertion, Problem> {
        let here = |pointer: &str| self.outer_pointer(pointer);
        let body_site = |pointer: &str| site_of(&here(pointer));
        let subject = Subject {
            column: column.map(|(name, _)| name),
            data_type: column.and_then(|(_, data_type)| data_type),
            site_of: &body_site,
        };
        if self.options.mostly.is_some_and(|mostly| mostly <= 0.0) {
            return Err(Problem::new(code::EXPECTATION, here("/mostly"), "`mostly: 0` is true of any rows")
                .help("give the least share that must hold, e.g. `0.99`, or remove the expectation"));
        }
        let sentence = (self.kind.lower)(&self.body, &subject)
            .map_err(|problem| Problem { pointer: here(&problem.pointer), ..problem })?;
        let on_violation = self.options.on_violation.unwrap_or_default();
        match &sentence.test {
            Test::Row { .. } | Test::Holds(_) | Test::Window { .. } | Test::Unique { .. } | Test::Reference { .. } => {}
            Test::Aggregate { .. } | Test::Query(_) | Test::Distribution(_) | Test::Columns(_) => {
                self.refuse_row_options(on_violation, &here)?;
            }
        }
        Ok(Assertion {
            kind: self.kind.name,
            label: sentence.label,
            columns: sentence.columns,
            arguments: self.body.clone(),
            dimension: self.kind.dimension,
            test: sentence.test,
            on_violation,
            severity: self.options.severity,
            mostly: self.options.mostly.unwrap_or(1.0),
            filter: self.options.filter.as_deref().map(|text| kind::authored(text, body_site("/where"))),
            description: self.options.description.clone(),
            owner: self.options.owner.clone(),
            site: site_of(""),
        })
    }

    fn refuse_row_options(&self, on_violation: OnViolation, here: &dyn Fn(&str) -> String) -> Result<(), Problem> {
        if matches!(on_violation, OnViolation::Drop | OnViolation::Quarantine) {
            let problem = format!("`{}` is about the table and has no rows to take out", self.kind.name);
            return Err(Problem::new(code::EXPECTATION, here("/on_violation"), problem).help("use `fail` or `warn`"));
        }
        if self.options.mostly.is_some() {
            let problem = format!("`mostly` counts rows, and `{}` is about the table", self.kind.name);
            return Err(Problem::new(code::EXPECTATION, here("/mostly"), problem).help("remove `mostly`"));
        }
        Ok(())
    }

    /// A pointer into the long body as a pointer into what was written.
    fn outer_pointer(&self, pointer: &str) -> String {
        match self.short_key {
            None if self.body.is_null() => String::new(),
            None => format!("/{}{pointer}", self.kind.name),
            Some(key) => {
                let inner = pointer.strip_prefix('/').and_then(|rest| rest.strip_prefix(key)).unwrap_or("");
                format!("/{}{inner}", self.kind.name)
            }
        }
    }
}

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
        let (short_key, long) = match (written, &kind.short) {
            (Value::Object(map), _) => (None, Value::Object(map)),
            (Value::Null, _) => (None, Value::Null),
            (short, Short::List(key) | Short::Text(key)) => {
                (Some(*key), Value::Object(Map::from_iter([((*key).to_owned(), short)])))
            }
            (_, Short::Word | Short::None) => return Err(D::Error::custom(format!("`{name}` takes a mapping"))),
        };
        let (options, body) = split_options(long).map_err(D::Error::custom)?;
        Ok(Expectation { kind, options, body, short_key })
    }
}

fn split_options(long: Value) -> Result<(Options, Value), serde_json::Error> {
    let Value::Object(map) = long else {
        return Ok((Options::default(), long));
    };
    let (options, body): (Map<_, _>, Map<_, _>) =
        map.into_iter().partition(|(key, _)| OPTION_KEYS.contains(&key.as_str()));
    Ok((serde_json::from_value(Value::Object(options))?, Value::Object(body)))
}

impl JsonSchema for Expectation {
    fn schema_name() -> Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        let mut words = Vec::new();
        for kind in KINDS {
            let long = with_options((kind.schema)(generator), generator);
            let description = long.get("description").cloned().unwrap_or(Value::Null);
            let schema = match kind.short {
                Short::Word => {
                    words.push(kind.name);
                    long
                }
                Short::None => long,
                Short::List(key) | Short::Text(key) => {
                    if kind.name == "unique" {
                        words.push(kind.name);
                    }
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

/// The long body's schema with the options' keys added.
fn with_options(schema: Schema, generator: &mut SchemaGenerator) -> Value {
    let mut long = schema.to_value();
    let options = Options::json_schema(generator).to_value();
    if let (Some(members), Some(added)) = (long.get_mut("properties"), options.get("properties"))
        && let (Some(members), Some(added)) = (members.as_object_mut(), added.as_object())
    {
        members.extend(added.iter().map(|(key, value)| (key.clone(), value.clone())));
    } else if let Some(object) = long.as_object_mut() {
        object.insert("properties".to_owned(), options.get("properties").cloned().unwrap_or_default());
    }
    long
}

/// Reads a long body that the JSON Schema has let through; an absent one is an empty mapping.
fn body<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, Problem> {
    let empty = Value::Object(Map::new());
    let value = if value.is_null() { &empty } else { value };
    T::deserialize(value)
        .map_err(|error| Problem::new(code::EXPECTATION, "", format!("this expectation cannot be read: {error}")))
}
