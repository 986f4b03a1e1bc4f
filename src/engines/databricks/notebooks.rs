//! The notebook of a table: what the table is, as a call of the shared package that builds it.

use crate::check::Checked;
use crate::check::privacy::private_columns;
use crate::engines::databricks::assertions::{self, word};
use crate::engines::databricks::constraints;
use crate::engines::databricks::python::{self, Py};
use crate::engines::databricks::tables;
use crate::ir::{
    Body, Contract, ContractColumn, Credential, Database, Delimited, Ingest, Ingestion, Input, Node, NodeId,
    OnViolation, Reader, Relation, Through, WriteMode,
};
use crate::plan::dataset_definition;

type Arguments = Vec<(Option<&'static str>, Py)>;

/// The files that a notebook names, relative to `src/sql`; `{environment}` in them stands for the target's name.
pub(super) struct Beside {
    pub(super) query: Option<String>,
    pub(super) ddl: Option<String>,
}

/// The notebook's text.
pub(super) fn text(checked: &Checked, id: NodeId, package: &str, beside: &Beside) -> String {
    let node = checked.graph.node(id);
    let table = declaration(checked, id, beside, &[]);
    format!(
        "# Databricks notebook source\n{}\n\n# COMMAND ----------\n\nimport sys\n\n\
         from databricks.sdk.runtime import dbutils, spark\n\nsys.path.append(\"..\")\n{}\n\n\
         # COMMAND ----------\n\n{table}\n\n# COMMAND ----------\n\nbuild(table, Run.of_notebook(spark, dbutils))\n",
        heading(node),
        import(package, &[node], &["Run"], &["build"])
    )
}

/// A table of a notebook that builds several.
pub(super) struct InGroup {
    pub(super) id: NodeId,
    pub(super) beside: Beside,
    pub(super) has_unity_statements: bool,
}

/// The notebook of several tables: each declared and built as in a notebook of its own, then their keys and tags set.
pub(super) fn of_group(checked: &Checked, name: &str, tables: &[InGroup], package: &str) -> String {
    const CELL: &str = "\n\n# COMMAND ----------\n\n";
    let nodes: Vec<&Node> = tables.iter().map(|table| checked.graph.node(table.id)).collect();
    let unity: Vec<String> = tables
        .iter()
        .zip(&nodes)
        .filter(|(table, _)| table.has_unity_statements)
        .map(|(_, node)| node.name.to_string())
        .collect();
    let functions: &[&str] = if unity.is_empty() { &["build"] } else { &["apply_unity_statements", "build"] };
    let names: Vec<String> = nodes.iter().map(|node| format!("# MAGIC - `{}`", node.name)).collect();
    let mut cells = vec![
        format!("# Databricks notebook source\n# MAGIC %md\n# MAGIC # {name}\n{}", names.join("\n")),
        format!(
            "import sys\n\nfrom databricks.sdk.runtime import dbutils, spark\n\nsys.path.append(\"..\")\n{}\n\n\
             run = Run.of_notebook(spark, dbutils)",
            import(package, &nodes, &["Run"], functions)
        ),
    ];
    for (table, node) in tables.iter().zip(&nodes) {
        cells.push(heading(node).replacen("# MAGIC # ", "# MAGIC ## ", 1));
        cells.push(format!("{}\n\nbuild(table, run)", declaration(checked, table.id, &table.beside, &[])));
    }
    if !unity.is_empty() {
        let mut call = String::new();
        let arguments = vec![(None, Py::Name("run")), (Some("tables"), Py::texts(&unity))];
        Py::Call("apply_unity_statements", arguments).write(&mut call, 0, 0, 0);
        cells.push("# MAGIC %md\n# MAGIC ## Keys and tags in Unity Catalog".to_owned());
        cells.push(call);
    }
    cells.join(CELL) + "\n"
}

/// What the table is, as an assignment to `table`. `sequence` orders the changes of a table in a pipeline.
pub(super) fn declaration(checked: &Checked, id: NodeId, beside: &Beside, sequence: &[String]) -> String {
    let node = checked.graph.node(id);
    let mut arguments: Arguments = vec![(Some("name"), Py::Text(node.name.to_string()))];
    arguments.extend(tables::description(node).map(|text| (Some("description"), Py::text(text))));
    arguments.push((Some("rows"), rows(node, beside.query.as_deref())));
    if beside.query.is_none() || node.contract.is_none() {
        let schema = checked.typed(id).schema.as_ref();
        let columns = schema.map(|schema| schema.names().map(str::to_lowercase).collect::<Vec<_>>());
        arguments.extend(columns.map(|columns| (Some("columns"), Py::texts(&columns))));
    }
    arguments.extend(beside.ddl.as_deref().map(|path| (Some("ddl"), Py::text(path))));
    arguments.extend(node.contract.as_deref().map(|found| (Some("contract"), contract(found))));
    if !node.assertions.is_empty() {
        let checks = node
            .assertions
            .iter()
            .map(|assertion| assertions::check(node, assertion, checked.is_proven(id, assertion)));
        let checks = checks.collect();
        arguments.push((Some("checks"), Py::List(checks)));
    }
    let private: Vec<String> = private_columns(checked, id).into_iter().collect();
    if !private.is_empty() {
        arguments.push((Some("private"), Py::texts(&private)));
    }
    let constraints = constraints::of(checked, id);
    if !constraints.is_empty() {
        let members = constraints.into_iter().map(|(name, condition)| (name, Py::Text(condition)));
        arguments.push((Some("constraints"), Py::Dict(members.collect())));
    }
    let properties = &node.on_databricks.properties;
    if !properties.is_empty() {
        let members = properties.iter().map(|(key, value)| (key.clone(), Py::text(value)));
        arguments.push((Some("properties"), Py::Dict(members.collect())));
    }
    arguments.push((Some("write"), write(node, sequence)));
    if let Some(dataset) = &node.dataset {
        let of_dataset = vec![
            (Some("model"), Py::text(&dataset.model)),
            (Some("version"), Py::Number(dataset.version.to_string())),
            (Some("source_table"), Py::Text(dataset.source_table.to_string())),
            (Some("features"), Py::texts(&dataset.features)),
            (Some("target"), Py::text(&dataset.target)),
            (Some("definition"), Py::Text(dataset_definition(dataset))),
        ];
        arguments.push((Some("dataset"), Py::Call("Dataset", of_dataset)));
    }
    let mut table = String::from("table = ");
    Py::Call("Table", arguments).write(&mut table, 0, "table = ".len(), 0);
    table
}

/// The first cell: what the table is. Each line stays a comment, whatever a description holds.
fn heading(node: &Node) -> String {
    let lines = description(node);
    let lines = ["%md".to_owned()].into_iter().chain(lines.iter().map(|line| without_html(line)));
    lines.map(|line| format!("# MAGIC {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A line of Markdown whose `<` begins no HTML.
fn without_html(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        let is_tag = |next: &char| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?');
        if character == '<' && rest.peek().is_some_and(is_tag) {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// What the table is, as Markdown. No line holds a control character.
pub(super) fn description(node: &Node) -> Vec<String> {
    let mut lines = vec![format!("# {}", node.name)];
    for text in [node.description.as_deref(), node.contract.as_ref().and_then(|found| found.description.as_deref())] {
        lines.extend(text.iter().flat_map(|text| text.lines()).map(visible));
    }
    if let Some(owner) = &node.owner {
        lines.push(format!("Owner: {}", visible(owner)));
    }
    lines.dedup();
    lines
}

/// A line without characters that would end it, or show it otherwise than it is.
fn visible(line: &str) -> String {
    line.replace(python::is_invisible, " ")
}

/// The import of what declarations use, and more classes and functions, sorted as ruff sorts: classes before functions.
pub(super) fn import(package: &str, nodes: &[&Node], more: &[&'static str], functions: &[&'static str]) -> String {
    let mut classes = vec!["Table", "Write"];
    classes.extend(more);
    for node in nodes {
        classes.extend(assertions::classes(node));
        classes.push(rows_class(node));
        if let Body::Ingest(Ingest {
            reader: Reader::Database(Database { through: Through::Address { .. }, .. }),
            ..
        }) = &node.body
        {
            classes.push("Secret");
        }
        if node.contract.is_some() {
            classes.extend(["Column", "Contract"]);
        }
        if node.dataset.is_some() {
            classes.push("Dataset");
        }
    }
    classes.sort_unstable();
    classes.dedup();
    classes.extend(functions);
    let line = format!("from {package} import {}", classes.join(", "));
    if line.len() <= 120 {
        return line;
    }
    format!("from {package} import (\n    {},\n)", classes.join(",\n    "))
}

fn rows_class(node: &Node) -> &'static str {
    match &node.body {
        Body::Ingest(Ingest { reader: Reader::Database(_), .. }) => "Database",
        Body::Ingest(_) => "Files",
        Body::Relation(Relation { input: Input::Query(_), .. }) => "Query",
        Body::Relation(Relation { input: Input::Table { .. }, .. }) => "Cast",
    }
}

fn rows(node: &Node, query: Option<&str>) -> Py {
    let sql = query.map(|path| (Some("sql"), Py::text(path)));
    let arguments = match &node.body {
        Body::Ingest(ingest) => match &ingest.reader {
            Reader::Database(found) => database(found, ingest),
            Reader::Delimited(_) | Reader::JsonLines | Reader::Parquet | Reader::Delta => files(ingest, node),
        },
        Body::Relation(Relation { input: Input::Query(_), .. }) => sql.into_iter().collect(),
        Body::Relation(Relation { input: Input::Table { name, .. }, .. }) => {
            std::iter::once((Some("table"), Py::Text(name.to_string()))).chain(sql).collect()
        }
    };
    Py::Call(rows_class(node), arguments)
}

fn files(ingest: &Ingest, node: &Node) -> Arguments {
    let format = match &ingest.reader {
        Reader::Delimited(_) => "csv",
        Reader::JsonLines => "json",
        Reader::Parquet => "parquet",
        Reader::Delta => "delta",
        Reader::Database(database) => database.system.word(),
    };
    let mut arguments = vec![(Some("format"), Py::text(format))];
    if let Reader::Delimited(delimited) = &ingest.reader {
        arguments.extend(delimited_options(delimited));
    }
    arguments.extend(metadata_columns(ingest));
    let method = match node.on_databricks.ingestion {
        Some(Ingestion::CopyInto) => Some("copy_into"),
        Some(Ingestion::ReadFiles) => Some("read_files"),
        Some(Ingestion::AutoLoader) => Some("auto_loader"),
        None => (node.write.mode == WriteMode::Append).then_some("auto_loader"),
    };
    arguments.extend(method.map(|method| (Some("method"), Py::text(method))));
    arguments
}

fn metadata_columns(ingest: &Ingest) -> Option<(Option<&'static str>, Py)> {
    let names: Vec<&str> = ingest.metadata_columns.iter().map(|column| column.name()).collect();
    (!names.is_empty()).then(|| (Some("metadata_columns"), Py::texts(&names)))
}

/// A database, with the places of its secrets and not their values.
fn database(database: &Database, ingest: &Ingest) -> Arguments {
    let mut arguments = vec![(Some("format"), Py::text(database.system.word()))];
    match &database.through {
        Through::Connection(connection) => arguments.push((Some("connection"), Py::text(connection))),
        Through::Address { host, port, user, password } => {
            let given = |credential: &Credential| match credential {
                Credential::Text(text) => Py::text(text),
                Credential::Secret { scope, key } => {
                    Py::Call("Secret", vec![(None, Py::text(scope)), (None, Py::text(key))])
                }
            };
            arguments.push((Some("host"), Py::text(host)));
            arguments.push((Some("port"), Py::Number(port.to_string())));
            arguments.push((Some("user"), given(user)));
            arguments.push((Some("password"), given(password)));
        }
    }
    arguments.push((Some("database"), Py::text(&database.database)));
    arguments.extend(database.table.as_deref().map(|table| (Some("table"), Py::text(table))));
    arguments.extend(database.query.as_deref().map(|query| (Some("query"), Py::text(query))));
    arguments.extend(metadata_columns(ingest));
    arguments
}

fn delimited_options(delimited: &Delimited) -> Arguments {
    let Delimited { header, delimiter, quote, escape, encoding, null_values, on_ragged_row } = delimited;
    let character = |byte: u8| Py::Text(char::from(byte).to_string());
    let mut arguments = vec![(Some("header"), Py::Bool(*header))];
    if *delimiter != b',' {
        arguments.push((Some("delimiter"), character(*delimiter)));
    }
    if *quote != Some(b'"') {
        arguments.push((Some("quote"), quote.map_or(Py::None, character)));
    }
    arguments.extend(escape.map(|escape| (Some("escape"), character(escape))));
    if !encoding.eq_ignore_ascii_case("utf-8") {
        arguments.push((Some("encoding"), Py::text(encoding)));
    }
    if !null_values.is_empty() {
        arguments.push((Some("null_values"), Py::texts(null_values)));
    }
    if *on_ragged_row != OnViolation::Fail {
        arguments.push((Some("on_ragged_row"), Py::Text(word(*on_ragged_row))));
    }
    arguments
}

fn contract(contract: &Contract) -> Py {
    let mut arguments = vec![(Some("name"), Py::text(&contract.name))];
    arguments.extend(contract.version.as_deref().map(|version| (Some("version"), Py::text(version))));
    arguments.push((Some("columns"), Py::List(contract.columns.iter().map(column).collect())));
    if contract.on_cast_failure != OnViolation::Fail {
        arguments.push((Some("on_cast_failure"), Py::Text(word(contract.on_cast_failure))));
    }
    arguments.extend(contract.timezone.as_deref().map(|zone| (Some("timezone"), Py::text(zone))));
    Py::Call("Contract", arguments)
}

fn column(promised: &ContractColumn) -> Py {
    let ContractColumn { column, tags, description, .. } = promised;
    let mut arguments =
        vec![(None, Py::Text(column.name.to_lowercase())), (None, Py::Text(column.data_type.to_string()))];
    if !column.nullable {
        arguments.push((Some("nullable"), Py::Bool(false)));
    }
    arguments.extend(description.as_deref().map(|text| (Some("comment"), Py::text(text))));
    if !tags.is_empty() {
        arguments.push((Some("tags"), Py::texts(tags)));
    }
    Py::Call("Column", arguments)
}

fn write(node: &Node, sequence: &[String]) -> Py {
    let written = &node.write;
    let mut arguments = vec![(Some("mode"), Py::text(written.mode.word()))];
    if let WriteMode::Merge { keys } = &written.mode {
        arguments.push((Some("keys"), Py::texts(keys)));
    }
    if !written.cluster_by.is_empty() {
        arguments.push((Some("cluster_by"), Py::texts(&written.cluster_by)));
    }
    if !written.partition_by.is_empty() {
        arguments.push((Some("partition_by"), Py::texts(&written.partition_by)));
    }
    arguments.push((Some("schema_evolution"), Py::text(written.schema_evolution.word())));
    if node.on_databricks.clusters_itself {
        arguments.push((Some("clusters_itself"), Py::Bool(true)));
    }
    if !sequence.is_empty() {
        arguments.push((Some("sequence_by"), Py::texts(sequence)));
    }
    Py::Call("Write", arguments)
}

/// The notebook that applies what only Unity Catalog knows.
pub(super) fn unity(package: &str) -> String {
    format!(
        "# Databricks notebook source\n# MAGIC %md\n# MAGIC # Unity Catalog\n\
         # MAGIC Keys and tags of the tables, whose statements only Databricks has: `src/sql/**.unity.sql`.\n\n\
         # COMMAND ----------\n\nimport sys\n\nfrom databricks.sdk.runtime import dbutils, spark\n\n\
         sys.path.append(\"..\")\nfrom {package} import Run, apply_unity_statements\n\n\
         # COMMAND ----------\n\napply_unity_statements(Run.of_notebook(spark, dbutils))\n"
    )
}
