//! A properties file for dbt: models, columns with enforced types, constraints and data tests.
//!
//! Tests are dbt's own four, then those of the packages `dbt_utils` and `dbt_expectations`, then an expression. What drops or
//! quarantines rows is a test all the same, since a stored table has none of these rows; the action stands in the test's
//! `meta`. Arguments stand beside a test's name, which every version of dbt reads.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Exported, File, LeftOut, yaml};
use crate::check::Checked;
use crate::ir::{Assertion, Node, NodeId, OnViolation, Schema, Severity};
use crate::name::{self, TableName};

mod tests_of;

/// Models by table.
type Models = BTreeMap<TableName, String>;

/// Writes one file for all of `tables` whose columns are known.
pub fn export(checked: &Checked, tables: &[NodeId]) -> Exported {
    let mut left_out = Vec::new();
    let names = models(checked);
    let mut models = Vec::new();
    for id in tables {
        let node = checked.graph.node(*id);
        if let Some(schema) = &checked.typed(*id).schema {
            models.push(model(node, schema, &names, &mut left_out));
        }
    }
    if models.is_empty() {
        return Exported::default();
    }
    let value = json!({"version": 2, "models": models});
    let mut comments = Vec::new();
    let text = value.to_string();
    let packages: Vec<&str> = ["dbt_utils", "dbt_expectations"]
        .into_iter()
        .filter(|package| text.contains(&format!("\"{package}.")))
        .collect();
    if !packages.is_empty() {
        comments.push(format!("needs the packages {} in packages.yml", packages.join(" and ")));
    }
    for LeftOut { table, sentence, reason, .. } in &left_out {
        comments.push(format!("not said here: {} of {table} ({reason})", sentence.replace('`', "")));
    }
    Exported { files: vec![File { path: "schema.yml".to_owned(), text: yaml::document(&comments, &value) }], left_out }
}

/// A model is called like its table; with its layer where two layers have one of that name.
fn models(checked: &Checked) -> Models {
    let names: Vec<&TableName> = checked.graph.nodes.keys().collect();
    let called = |table: &TableName| {
        let n_same = names.iter().filter(|other| other.name == table.name).count();
        if n_same == 1 { table.name.clone() } else { format!("{}_{}", table.layer, table.name) }
    };
    names.iter().map(|table| ((*table).clone(), called(table))).collect()
}

fn model(node: &Node, schema: &Schema, models: &Models, left_out: &mut Vec<LeftOut>) -> Value {
    let promised = node.contract.as_ref();
    let mut of_table = Vec::new();
    let mut of_columns: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for assertion in &node.assertions {
        match tests_of::assertion(assertion, schema, models) {
            Ok(tests_of::Said { column, test }) => {
                let test = configured(assertion, test);
                match column {
                    Some(column) => of_columns.entry(column.to_lowercase()).or_default().push(test),
                    None => of_table.push(test),
                }
            }
            Err(reason) => left_out.push(LeftOut {
                table: node.name.clone(),
                sentence: format!("`{}`", assertion.label),
                reason: reason.to_owned(),
                site: assertion.site.clone(),
            }),
        }
    }
    let mut out = Map::new();
    let model_name = models.get(&node.name).map_or(node.name.name.as_str(), String::as_str);
    out.insert("name".to_owned(), json!(model_name));
    let description = promised.and_then(|contract| contract.description.as_ref()).or(node.description.as_ref());
    if let Some(description) = description {
        out.insert("description".to_owned(), json!(description));
    }
    out.insert("config".to_owned(), config(node, model_name));
    let keys = promised.map_or(&[][..], |contract| &contract.primary_key);
    if !keys.is_empty() {
        out.insert("constraints".to_owned(), json!([{"type": "primary_key", "columns": keys}]));
    }
    let described = |column: &str| {
        promised.and_then(|contract| contract.columns.iter().find(|known| name::same(&known.column.name, column)))
    };
    let columns = schema.columns.iter().map(|column| {
        let mut own = Map::from_iter([("name".to_owned(), json!(column.name))]);
        own.insert("data_type".to_owned(), json!(column.data_type.to_string()));
        let known = described(&column.name);
        if let Some(description) = known.and_then(|known| known.description.as_ref()) {
            own.insert("description".to_owned(), json!(description));
        }
        if let Some(known) = known.filter(|known| !known.tags.is_empty()) {
            own.insert("tags".to_owned(), json!(known.tags));
        }
        let nullable = known.map_or(column.nullable, |known| known.column.nullable);
        if !nullable {
            own.insert("constraints".to_owned(), json!([{"type": "not_null"}]));
        }
        if let Some(tests) = of_columns.remove(&column.name.to_lowercase()) {
            own.insert("data_tests".to_owned(), Value::Array(tests));
        }
        Value::Object(own)
    });
    out.insert("columns".to_owned(), columns.collect());
    if !of_table.is_empty() {
        out.insert("data_tests".to_owned(), Value::Array(of_table));
    }
    Value::Object(out)
}

fn config(node: &Node, model_name: &str) -> Value {
    let mut config = Map::new();
    if model_name != node.name.name {
        config.insert("alias".to_owned(), json!(node.name.name));
    }
    config.insert("schema".to_owned(), json!(node.name.layer));
    if node.contract.is_some() {
        config.insert("contract".to_owned(), json!({"enforced": true}));
    }
    if !node.tags.is_empty() {
        config.insert("tags".to_owned(), json!(node.tags));
    }
    let mut meta = Map::new();
    let promised = node.contract.as_ref();
    if let Some(owner) = promised.and_then(|contract| contract.owner.as_ref()).or(node.owner.as_ref()) {
        meta.insert("owner".to_owned(), json!(owner));
    }
    if let Some(version) = promised.and_then(|contract| contract.version.as_ref()) {
        meta.insert("contract_version".to_owned(), json!(version));
    }
    if !meta.is_empty() {
        config.insert("meta".to_owned(), Value::Object(meta));
    }
    Value::Object(config)
}

/// A test with its description and its config; a test without anything is its name alone.
fn configured(assertion: &Assertion, (test, mut arguments): tests_of::Test) -> Value {
    if let Some(description) = &assertion.description {
        arguments.insert("description".to_owned(), json!(description));
    }
    let mut config = Map::new();
    if assertion.on_violation == OnViolation::Warn {
        config.insert("severity".to_owned(), json!("warn"));
    }
    if let Some(filter) = &assertion.filter {
        config.insert("where".to_owned(), json!(filter.text.trim()));
    }
    let mut meta = Map::new();
    if matches!(assertion.on_violation, OnViolation::Drop | OnViolation::Quarantine) {
        meta.insert("on_violation".to_owned(), json!(assertion.on_violation));
    }
    if let Some(severity) = assertion.severity {
        let word = match severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        meta.insert("severity".to_owned(), json!(word));
    }
    if let Some(owner) = &assertion.owner {
        meta.insert("owner".to_owned(), json!(owner));
    }
    if !meta.is_empty() {
        config.insert("meta".to_owned(), Value::Object(meta));
    }
    if !config.is_empty() {
        arguments.insert("config".to_owned(), Value::Object(config));
    }
    if arguments.is_empty() { json!(test) } else { json!({test: arguments}) }
}
