//! Tables as DDL: what open-source Spark with Delta knows too, and what only Unity Catalog does.
//!
//! In: a node. Out: `CREATE TABLE IF NOT EXISTS` with types, comments and clustering, run verbatim by the tests on open-source
//! Spark; and for Databricks alone keys, tags and owners, whose statements can be run any number of times. There a table is named
//! `{layer}.table`, which the package replaces, as not every clause takes an `IDENTIFIER`.

use crate::check::Checked;
use crate::engines::databricks::queries::{self, literal};
use crate::graph::Graph;
use crate::ir::{Contract, ContractColumn, DataType, Node, NodeId, Schema, Test, WriteMode};
use crate::name::{self, same};
use crate::sql::rename::quoted;

/// The statement that makes a table; `None` for a view, and where columns are only known at run time.
pub(super) fn create(checked: &Checked, id: NodeId) -> Option<String> {
    let node = checked.graph.node(id);
    if node.write.mode == WriteMode::View {
        return None;
    }
    let columns = columns(checked, id)?;
    let list =
        |columns: &[String]| columns.iter().map(|one| quoted(&one.to_lowercase())).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "CREATE TABLE IF NOT EXISTS {} (\n{}\n)\nUSING DELTA\n",
        queries::reference(&node.name),
        columns.join(",\n")
    );
    if !node.write.partition_by.is_empty() {
        text.extend(["PARTITIONED BY (", &list(&node.write.partition_by), ")\n"]);
    } else if !node.write.cluster_by.is_empty() {
        text.extend(["CLUSTER BY (", &list(&node.write.cluster_by), ")\n"]);
    }
    if let Some(description) = description(node) {
        text.extend(["COMMENT ", &literal(description), "\n"]);
    }
    let own = node.on_databricks.properties.iter();
    let mut properties: Vec<(&str, &str)> = own.map(|(key, value)| (key.as_str(), value.as_str())).collect();
    if let Some(contract) = &node.contract {
        properties.push(("medc.contract", contract.name.as_str()));
        properties.extend(contract.version.as_deref().map(|version| ("medc.contract_version", version)));
    }
    if !properties.is_empty() {
        let pairs: Vec<String> =
            properties.iter().map(|(key, value)| format!("{} = {}", literal(key), literal(value))).collect();
        text.extend(["TBLPROPERTIES (", &pairs.join(", "), ")\n"]);
    }
    Some(text)
}

/// The columns' lines, with types, comments and NOT NULL; `None` where they are only known at run time.
fn columns(checked: &Checked, id: NodeId) -> Option<Vec<String>> {
    let node = checked.graph.node(id);
    let schema: Schema = match &node.contract {
        Some(contract) if !contract.columns.is_empty() => contract.schema(),
        Some(_) | None => checked.typed(id).schema.clone()?,
    };
    let schema = match &checked.typed(id).schema {
        // Metadata columns stand behind the contract's.
        Some(typed) if typed.columns.len() > schema.columns.len() => typed.clone(),
        Some(_) | None => schema,
    };
    let promised = |column: &str| {
        let mut columns = node.contract.iter().flat_map(|contract| &contract.columns);
        columns.find(|promised| name::same(&promised.column.name, column))
    };
    let columns = schema.columns.iter().map(|column| {
        let promised = promised(&column.name);
        let nullable = promised.map_or(column.nullable, |promised| promised.column.nullable);
        let comment = promised.and_then(|promised| promised.description.as_deref());
        let mut line = format!("  {} {}", quoted(&column.name.to_lowercase()), type_name(&column.data_type));
        if !nullable {
            line.push_str(" NOT NULL");
        }
        if let Some(comment) = comment {
            line.extend([" COMMENT ", &literal(comment)]);
        }
        line
    });
    Some(columns.collect())
}

/// What a pipeline is told of a table's columns: those lines, and its keys, where another table is `{layer}.table`.
pub(super) fn schema(checked: &Checked, id: NodeId) -> Option<String> {
    let node = checked.graph.node(id);
    let mut lines = columns(checked, id)?;
    if let Some(key) = primary_key(node) {
        lines.push(format!("  CONSTRAINT {} PRIMARY KEY ({key})", quoted(&format!("{}_pk", node.name.name))));
    }
    lines.extend(
        foreign_keys(&checked.graph, node).map(|(constraint, clause)| format!("  CONSTRAINT {constraint} {clause}")),
    );
    Some(format!("{}\n", lines.join(",\n")))
}

pub(super) fn description(node: &Node) -> Option<&str> {
    let promised = || node.contract.as_ref().and_then(|contract| contract.description.as_deref());
    node.description.as_deref().or_else(promised)
}

/// A type as DDL, in upper case but for the names of struct members.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Array(element) => format!("ARRAY<{}>", type_name(element)),
        DataType::Map(key, value) => format!("MAP<{}, {}>", type_name(key), type_name(value)),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}: {}", quoted(&field.name), type_name(&field.data_type)))
                .collect();
            format!("STRUCT<{}>", fields.join(", "))
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
        | DataType::TimestampNtz => data_type.to_string().to_uppercase(),
    }
}

/// The statements for Unity Catalog; `None` where there are none.
pub(super) fn unity(graph: &Graph, node: &Node) -> Option<String> {
    if node.write.mode == WriteMode::View {
        return None;
    }
    let table = format!("{{{}}}.{}", node.name.layer, quoted(&node.name.name));
    let mut statements = Vec::new();
    if let Some(key) = primary_key(node) {
        statements.push(format!("ALTER TABLE {table} DROP PRIMARY KEY IF EXISTS CASCADE"));
        let constraint = quoted(&format!("{}_pk", node.name.name));
        statements.push(format!("ALTER TABLE {table} ADD CONSTRAINT {constraint} PRIMARY KEY ({key})"));
    }
    for (constraint, clause) in foreign_keys(graph, node) {
        statements.push(format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}"));
        statements.push(format!("ALTER TABLE {table} ADD CONSTRAINT {constraint} {clause}"));
    }
    if node.on_databricks.clusters_itself {
        statements.push(format!("ALTER TABLE {table} CLUSTER BY AUTO"));
    }
    statements.extend(tags(node, "TABLE", &table));
    joined(&statements)
}

/// The statements for a table that a pipeline makes, whose keys the pipeline knows.
pub(super) fn unity_of_pipeline(node: &Node) -> Option<String> {
    let table = format!("{{{}}}.{}", node.name.layer, quoted(&node.name.name));
    let kind = match node.write.mode {
        WriteMode::Overwrite | WriteMode::View => "MATERIALIZED VIEW",
        WriteMode::Append | WriteMode::Merge { .. } => "STREAMING TABLE",
    };
    joined(&tags(node, kind, &table))
}

fn joined(statements: &[String]) -> Option<String> {
    (!statements.is_empty()).then(|| format!("{};\n", statements.join(";\n")))
}

/// The names of the foreign keys, and their clauses. Unity Catalog takes only references to a primary key.
fn foreign_keys(graph: &Graph, node: &Node) -> impl Iterator<Item = (String, String)> {
    node.assertions.iter().enumerate().filter_map(|(place, assertion)| {
        let Test::Reference { columns, table, referenced } = &assertion.test else { return None };
        let key = graph.node(graph.find(&table.name)?).contract.as_ref().map(|contract| &contract.primary_key)?;
        let is_key = key.len() == referenced.len() && key.iter().zip(referenced).all(|(one, other)| same(one, other));
        if assertion.filter.is_some() || assertion.mostly < 1.0 || !is_key {
            return None;
        }
        let list = |columns: &[String]| columns.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(", ");
        let other = format!("{{{}}}.{}", table.name.layer, quoted(&table.name.name));
        let clause = format!("FOREIGN KEY ({}) REFERENCES {other} ({})", list(columns), list(referenced));
        Some((quoted(&format!("{}_fk_{place}", node.name.name)), clause))
    })
}

/// The columns of the primary key: the contract's, or a feature table's with its time.
fn primary_key(node: &Node) -> Option<String> {
    if let Some(features) = &node.feature_table {
        let time = features.timestamp.iter().map(|time| format!("{} TIMESERIES", quoted(time)));
        return Some(features.keys.iter().map(|key| quoted(key)).chain(time).collect::<Vec<_>>().join(", "));
    }
    let key = &node.contract.as_ref()?.primary_key;
    (!key.is_empty()).then(|| key.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", "))
}

fn tags(node: &Node, kind: &str, table: &str) -> Vec<String> {
    let pair = |(key, value): (&str, &str)| format!("{} = {}", literal(key), literal(value));
    let mut of_table: Vec<(&str, &str)> = Vec::new();
    of_table.extend(node.owner.as_deref().map(|owner| ("owner", owner)));
    of_table.extend(node.tags.iter().map(|tag| (tag.as_str(), "")));
    let mut statements = Vec::new();
    if !of_table.is_empty() {
        let pairs: Vec<String> = of_table.into_iter().map(pair).collect();
        statements.push(format!("ALTER {kind} {table} SET TAGS ({})", pairs.join(", ")));
    }
    let columns = node.contract.as_deref().map(|contract: &Contract| contract.columns.as_slice()).unwrap_or_default();
    for ContractColumn { column, tags, .. } in columns {
        if !tags.is_empty() {
            let pairs: Vec<String> = tags.iter().map(|tag| pair((tag, ""))).collect();
            let column = quoted(&column.name);
            statements.push(format!("ALTER {kind} {table} ALTER COLUMN {column} SET TAGS ({})", pairs.join(", ")));
        }
    }
    statements
}
