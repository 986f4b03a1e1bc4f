//! Open Data Contract Standard 3.1 files, one a table.
//!
//! What the standard has words for is said in them; the rest is a rule of `type: sql` where SQL can count it, else a custom
//! rule of the engine `medc`. Wherever the standard's words would lose something, the custom property `medc` holds the
//! expectation as a project file has it, so that `exchange::odcs` reads back what was written. Nothing is left out.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Exported, File, yaml};
use crate::check::Checked;
use crate::exchange::odcs::{MEDC, NO_VERSION};
use crate::ir::{Assertion, Column, DataType, Node, NodeId, OnViolation, Test, WriteMode};
use crate::name::{self, TableName};

mod rules;

/// Writes a contract for each of `tables` whose columns are known. `project` is the project's name.
pub fn export(checked: &Checked, tables: &[NodeId], project: &str) -> Exported {
    let mut files = Vec::new();
    let referenced = referenced(checked);
    for id in tables {
        let node = checked.graph.node(*id);
        let Some(schema) = &checked.typed(*id).schema else { continue };
        let columns = match &node.contract {
            Some(contract) => contract.columns.iter().map(|promised| promised.column.clone()).collect(),
            None => schema.columns.clone(),
        };
        let value = contract(node, &columns, &referenced, project);
        files.push(File { path: file_name(node), text: yaml::document(&[], &value) });
    }
    Exported { files, left_out: Vec::new() }
}

/// The columns that other tables' rows lead to, in lower case.
type Referenced = BTreeSet<(TableName, String)>;

fn referenced(checked: &Checked) -> Referenced {
    let assertions = checked.graph.nodes.values().flat_map(|node| &node.assertions);
    let references = assertions.filter_map(|assertion| match &assertion.test {
        Test::Reference { table, referenced, .. } => Some((table, referenced)),
        _ => None,
    });
    references
        .flat_map(|(table, columns)| columns.iter().map(|column| (table.name.clone(), column.to_lowercase())))
        .collect()
}

fn file_name(node: &Node) -> String {
    format!("{}.odcs.yaml", node.name)
}

fn contract(node: &Node, columns: &[Column], referenced: &Referenced, project: &str) -> Value {
    let promised = node.contract.as_ref();
    let mut out = Map::new();
    out.insert("apiVersion".to_owned(), json!("v3.1.0"));
    out.insert("kind".to_owned(), json!("DataContract"));
    out.insert("id".to_owned(), json!(format!("{project}.{}", node.name)));
    out.insert("name".to_owned(), json!(promised.map_or(node.name.name.as_str(), |contract| contract.name.as_str())));
    let version = promised.and_then(|contract| contract.version.as_deref()).unwrap_or(NO_VERSION);
    out.insert("version".to_owned(), json!(version));
    out.insert("status".to_owned(), json!("active"));
    let mut rules = rules::of(node, columns);
    out.insert("schema".to_owned(), json!([object(node, columns, referenced, &mut rules)]));
    if let Some(owner) = promised.and_then(|contract| contract.owner.as_ref()).or(node.owner.as_ref()) {
        out.insert("team".to_owned(), json!({"members": [{"username": owner, "role": "owner"}]}));
    }
    if !rules.service_levels.is_empty() {
        out.insert("slaProperties".to_owned(), Value::Array(rules.service_levels));
    }
    Value::Object(out)
}

fn object(node: &Node, columns: &[Column], referenced: &Referenced, rules: &mut rules::Rules) -> Value {
    let promised = node.contract.as_ref();
    let mut out = Map::new();
    // References lead to identifiers.
    out.insert("id".to_owned(), json!(node.name.name));
    out.insert("name".to_owned(), json!(node.name.name));
    out.insert("physicalName".to_owned(), json!(node.name.to_string()));
    out.insert("physicalType".to_owned(), json!(if node.write.mode == WriteMode::View { "view" } else { "table" }));
    out.insert("logicalType".to_owned(), json!("object"));
    let description = promised.and_then(|contract| contract.description.as_ref()).or(node.description.as_ref());
    if let Some(description) = description {
        out.insert("description".to_owned(), json!(description));
    }
    let properties: Vec<Value> = columns.iter().map(|column| property(node, column, referenced, rules)).collect();
    out.insert("properties".to_owned(), Value::Array(properties));
    let own = std::mem::take(&mut rules.of_table);
    own.write(&mut out);
    let mut medc = Map::new();
    if let Some(contract) = promised {
        if contract.on_cast_failure != OnViolation::default() {
            medc.insert("on_cast_failure".to_owned(), json!(contract.on_cast_failure));
        }
        if let Some(timezone) = &contract.timezone {
            medc.insert("timezone".to_owned(), json!(timezone));
        }
    }
    if !medc.is_empty() {
        out.insert("customProperties".to_owned(), json!([{"property": MEDC, "value": medc}]));
    }
    Value::Object(out)
}

fn property(node: &Node, column: &Column, referenced: &Referenced, rules: &mut rules::Rules) -> Value {
    let promised = node.contract.as_ref();
    let described = promised
        .and_then(|contract| contract.columns.iter().find(|known| name::same(&known.column.name, &column.name)));
    let own = rules.of_columns.remove(&column.name.to_lowercase()).unwrap_or_default();
    let mut out = Map::new();
    if referenced.contains(&(node.name.clone(), column.name.to_lowercase())) {
        out.insert("id".to_owned(), json!(column.name.to_lowercase()));
    }
    out.insert("name".to_owned(), json!(column.name));
    let mut nested = typed(&column.data_type);
    for key in ["logicalType", "physicalType"] {
        out.extend(nested.shift_remove(key).map(|value| (key.to_owned(), value)));
    }
    if !own.options.is_empty() {
        out.insert("logicalTypeOptions".to_owned(), Value::Object(own.options.clone()));
    }
    if let Some(description) = described.and_then(|known| known.description.as_ref()) {
        out.insert("description".to_owned(), json!(description));
    }
    if !column.nullable {
        out.insert("required".to_owned(), json!(true));
    }
    if own.is_unique {
        out.insert("unique".to_owned(), json!(true));
    }
    let keys = promised.map_or(&[][..], |contract| &contract.primary_key);
    if let Some(position) = keys.iter().position(|key| name::same(key, &column.name)) {
        out.insert("primaryKey".to_owned(), json!(true));
        out.insert("primaryKeyPosition".to_owned(), json!(position + 1));
    }
    if let Some(known) = described.filter(|known| !known.tags.is_empty()) {
        if let Some(pii) = known.tags.iter().find(|tag| tag.eq_ignore_ascii_case("pii")) {
            out.insert("classification".to_owned(), json!(pii));
        }
        out.insert("tags".to_owned(), json!(known.tags));
    }
    out.extend(nested);
    own.write(&mut out);
    Value::Object(out)
}

/// The logical and the physical type, with the members of a nested one.
fn typed(data_type: &DataType) -> Map<String, Value> {
    let logical = match data_type {
        DataType::Boolean => "boolean",
        DataType::Tinyint | DataType::Smallint | DataType::Int | DataType::Bigint => "integer",
        DataType::Float | DataType::Double | DataType::Decimal { .. } => "number",
        DataType::String | DataType::Binary => "string",
        DataType::Date => "date",
        DataType::Timestamp | DataType::TimestampNtz => "timestamp",
        DataType::Array(_) => "array",
        DataType::Map(..) | DataType::Struct(_) => "object",
    };
    let mut out = Map::from_iter([("logicalType".to_owned(), json!(logical))]);
    out.insert("physicalType".to_owned(), json!(data_type.to_string()));
    match data_type {
        DataType::Array(element) => {
            out.insert("items".to_owned(), Value::Object(typed(element)));
        }
        DataType::Struct(fields) => {
            let members = fields.iter().map(|field| {
                let mut member = Map::from_iter([("name".to_owned(), json!(field.name))]);
                member.extend(typed(&field.data_type));
                Value::Object(member)
            });
            out.insert("properties".to_owned(), members.collect());
        }
        DataType::Boolean
        | DataType::Tinyint
        | DataType::Smallint
        | DataType::Int
        | DataType::Bigint
        | DataType::Float
        | DataType::Double
        | DataType::Decimal { .. }
        | DataType::String
        | DataType::Binary
        | DataType::Date
        | DataType::Timestamp
        | DataType::TimestampNtz
        | DataType::Map(..) => {}
    }
    out
}

/// Whether an assertion has none of the options.
fn is_plain(assertion: &Assertion) -> bool {
    super::sentence::options(assertion).is_empty()
}

/// The columns of the contract's primary key, if the assertion says no more than that.
fn is_primary_key(node: &Node, assertion: &Assertion) -> bool {
    let keys = node.contract.as_ref().map_or(&[][..], |contract| &contract.primary_key);
    let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<BTreeSet<_>>();
    match &assertion.test {
        Test::Unique { columns } => !keys.is_empty() && is_plain(assertion) && lower(columns) == lower(keys),
        _ => false,
    }
}
