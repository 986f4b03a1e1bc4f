//! The shape of an Open Data Contract Standard file, as far as medc uses it.
//!
//! Source of the names: the JSON Schemas of ODCS 3.0.0 to 3.1.0 (Bitol, <https://bitol-io.github.io/open-data-contract-standard>).
//! Keys that medc does not use are kept in `unused`, so that they can be told; nothing is refused here for being unknown.
//! The types make the schema that a file is held against before it is read.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Keys that medc does not use.
pub(super) type Unused = IndexMap<String, Value>;

/// A data contract of the Open Data Contract Standard, version 3.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataContract {
    /// The standard's version. Example: `v3.1.0`.
    pub(super) api_version: String,
    /// What the file is.
    #[allow(dead_code, reason = "only its presence matters")]
    kind: Kind,
    /// An identifier of the contract that is its own.
    #[allow(dead_code, reason = "only its presence matters")]
    id: String,
    /// The contract's name.
    #[allow(dead_code, reason = "the project names the contract")]
    name: Option<String>,
    /// The contract's version. Example: `1.0.0`.
    pub(super) version: String,
    /// Where the contract is in its life. Example: `active`.
    pub(super) status: String,
    /// What the contract is for.
    pub(super) description: Option<Description>,
    /// The objects: tables, topics, files.
    #[serde(default)]
    pub(super) schema: Vec<Object>,
    /// Who answers for it.
    pub(super) team: Option<Team>,
    /// The element that service levels speak of where they name none.
    pub(super) sla_default_element: Option<String>,
    /// Service levels.
    #[serde(default)]
    pub(super) sla_properties: Vec<ServiceLevel>,
    #[serde(flatten)]
    pub(super) unused: Unused,
}

/// What a file is.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
enum Kind {
    DataContract,
}

/// What a contract is for.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct Description {
    /// What the rows are for.
    pub(super) purpose: Option<String>,
    #[serde(flatten)]
    pub(super) unused: Unused,
}

/// Who answers for a contract: a team, or before 3.1 a list of its members.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum Team {
    Named {
        name: Option<String>,
        #[serde(default)]
        members: Vec<Member>,
        #[serde(flatten)]
        unused: Unused,
    },
    Members(Vec<Member>),
}

/// A member of a team.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct Member {
    /// A name or address.
    pub(super) username: Option<String>,
    pub(super) role: Option<String>,
}

/// A table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    /// The object's identifier, for references.
    pub(super) id: Option<String>,
    /// The object's name.
    pub(super) name: String,
    /// Its name in the database.
    pub(super) physical_name: Option<String>,
    #[allow(dead_code, reason = "a contract has one form whatever stores it")]
    physical_type: Option<String>,
    #[allow(dead_code, reason = "objects have one logical type")]
    logical_type: Option<String>,
    /// What a row is.
    pub(super) description: Option<String>,
    /// The columns.
    #[serde(default)]
    pub(super) properties: Vec<Property>,
    /// Keys of other tables, since 3.1.
    #[serde(default)]
    pub(super) relationships: Vec<Relationship>,
    /// Rules on the rows.
    #[serde(default)]
    pub(super) quality: Vec<Quality>,
    #[serde(default)]
    pub(super) custom_properties: Vec<CustomProperty>,
    #[serde(flatten)]
    pub(super) unused: Unused,
}

/// A column, or a member of a nested one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Property {
    pub(super) id: Option<String>,
    /// The column's name.
    #[serde(default)]
    pub(super) name: String,
    /// Its name in the database.
    pub(super) physical_name: Option<String>,
    /// Its type in any database.
    pub(super) logical_type: Option<LogicalType>,
    /// Its type in the database. Example: `DECIMAL(18,2)`.
    pub(super) physical_type: Option<String>,
    /// Bounds and forms of its values.
    #[serde(default)]
    pub(super) logical_type_options: Option<Map<String, Value>>,
    /// What the value means.
    pub(super) description: Option<String>,
    /// Whether NULL is forbidden.
    #[serde(default)]
    pub(super) required: Option<bool>,
    /// Whether no value stands twice.
    #[serde(default)]
    pub(super) unique: Option<bool>,
    #[serde(default)]
    pub(super) primary_key: Option<bool>,
    /// The place in the primary key, from 1.
    pub(super) primary_key_position: Option<i64>,
    /// How confidential it is.
    pub(super) classification: Option<String>,
    #[serde(default)]
    pub(super) tags: Option<Vec<String>>,
    /// The members of an object.
    #[serde(default)]
    pub(super) properties: Vec<Property>,
    /// The elements of an array.
    pub(super) items: Option<Box<Property>>,
    /// Keys of other tables, since 3.1.
    #[serde(default)]
    pub(super) relationships: Vec<Relationship>,
    /// Rules on the values.
    #[serde(default)]
    pub(super) quality: Vec<Quality>,
    #[serde(default)]
    pub(super) custom_properties: Vec<CustomProperty>,
    #[serde(flatten)]
    pub(super) unused: Unused,
}

/// A type in any database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub(super) enum LogicalType {
    String,
    Date,
    Timestamp,
    Time,
    Number,
    Integer,
    Object,
    Array,
    Boolean,
}

/// A rule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quality {
    #[allow(dead_code, reason = "rules are not referred to")]
    id: Option<String>,
    #[allow(dead_code, reason = "the description says more")]
    name: Option<String>,
    /// Who evaluates it.
    #[serde(rename = "type")]
    pub(super) form: Option<Form>,
    /// For people: what must hold.
    pub(super) description: Option<String>,
    /// How grave a violation is.
    pub(super) severity: Option<String>,
    #[allow(dead_code, reason = "every expectation has its dimension")]
    dimension: Option<String>,
    /// For `library`: what is counted.
    pub(super) metric: Option<String>,
    /// What `metric` was called before 3.1.
    pub(super) rule: Option<String>,
    #[serde(default)]
    pub(super) arguments: Option<Map<String, Value>>,
    /// What `arguments` has since 3.1.
    pub(super) valid_values: Option<Vec<Value>>,
    /// What is compared: `rows` (default) or `percent`.
    pub(super) unit: Option<String>,
    pub(super) must_be: Option<Value>,
    pub(super) must_not_be: Option<Value>,
    pub(super) must_be_greater_than: Option<f64>,
    pub(super) must_be_greater_or_equal_to: Option<f64>,
    pub(super) must_be_less_than: Option<f64>,
    pub(super) must_be_less_or_equal_to: Option<f64>,
    pub(super) must_be_between: Option<[f64; 2]>,
    pub(super) must_not_be_between: Option<[f64; 2]>,
    /// For `sql`: a query that gives one value.
    pub(super) query: Option<String>,
    /// For `custom`: the tool.
    pub(super) engine: Option<String>,
    /// For `custom`: the rule in the tool's language.
    pub(super) implementation: Option<Value>,
    #[serde(default)]
    pub(super) custom_properties: Vec<CustomProperty>,
    #[serde(flatten)]
    pub(super) unused: Unused,
}

/// Who evaluates a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub(super) enum Form {
    Library,
    Sql,
    Text,
    Custom,
}

/// A key of another table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Relationship {
    /// The columns here, at the level of the object.
    pub(super) from: Option<OneOrMany>,
    /// The columns there.
    pub(super) to: OneOrMany,
    #[serde(default)]
    pub(super) custom_properties: Vec<CustomProperty>,
    #[serde(flatten)]
    pub(super) unused: Unused,
}

/// A reference, or those of a key of several columns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn all(&self) -> &[String] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

/// A key and value that the standard does not know.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CustomProperty {
    pub(super) property: String,
    pub(super) value: Value,
}

/// A service level.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ServiceLevel {
    /// What is promised. Example: `latency`.
    pub(super) property: String,
    /// How much.
    pub(super) value: Value,
    /// The value's unit. Example: `d`.
    pub(super) unit: Option<String>,
    /// What it speaks of. Example: `orders.created_at`.
    pub(super) element: Option<String>,
    pub(super) description: Option<String>,
    #[serde(flatten)]
    pub(super) unused: Unused,
}
