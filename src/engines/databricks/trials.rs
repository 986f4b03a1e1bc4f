//! The tests of the emitted Python, and the files that they read.
//!
//! In: the targets. Out: `tests/`, the same for every project but for the list of its tables, and `fixtures/`, a file of two
//! rows for each source of text, made of what its contract promises. Tables whose columns nobody knows before they
//! are built, and those made of them, are left out. The tests are kept as Python under `templates/databricks/tests`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Map, Value};

use super::{Target, group_path, notebook_path, pipeline_path, python, table_key};
use crate::check::Checked;
use crate::ir::deployment::TaskBody;
use crate::ir::{Body, DataType, Delimited, Ingest, Node, NodeId, Reader};

/// A module of the tests with its text.
macro_rules! module {
    ($file:literal) => {
        ($file, include_str!(concat!("../../../templates/databricks/tests/", $file)))
    };
}

const MODULES: &[(&str, &str)] =
    &[module!("conftest.py"), module!("test_checks.py"), module!("test_sources.py"), module!("test_tables.py")];

/// The tests, and their files.
pub(super) fn files(targets: &[Target<'_>], package: &str) -> BTreeMap<String, String> {
    let Some(target) = targets.first() else { return BTreeMap::new() };
    let tables = known(target.checked);
    if tables.is_empty() {
        return BTreeMap::new();
    }
    let mut files: BTreeMap<String, String> =
        MODULES.iter().map(|(file, text)| (format!("tests/{file}"), named(text, package))).collect();
    files.insert("tests/tables.py".to_owned(), list(target, &tables));
    for id in tables {
        let node = target.checked.graph.node(id);
        if let Body::Ingest(ingest) = &node.body
            && let Some((ending, text)) = fixture(target.checked, id, node, ingest)
        {
            files.insert(format!("fixtures/{}.{ending}", table_key(&node.name)), text);
        }
    }
    files
}

/// The tables whose columns are known, and whose inputs' are, in order.
fn known(checked: &Checked) -> Vec<NodeId> {
    let graph = &checked.graph;
    let mut unknown: BTreeSet<NodeId> = BTreeSet::new();
    for &id in &graph.order {
        let mut inputs = graph.inputs[id.index()].iter().chain(&graph.compared[id.index()]);
        if checked.typed(id).schema.is_none() || inputs.any(|input| unknown.contains(input)) {
            unknown.insert(id);
        }
    }
    graph.order.iter().copied().filter(|id| !unknown.contains(id)).collect()
}

/// A module with the package's name in its imports.
fn named(text: &str, package: &str) -> String {
    let line = |line: &str| {
        let written = ["from package", "import package"].into_iter().find_map(|import| {
            let rest = line.strip_prefix(import)?;
            Some(format!("{}{rest}", import.replace("package", package)))
        });
        match written {
            Some(written) if written.len() > 120 && written.contains(" import ") => {
                let (from, names) = written.split_once(" import ").unwrap_or((&written, ""));
                format!("{from} import (\n    {},\n)\n", names.replace(", ", ",\n    "))
            }
            Some(written) => format!("{written}\n"),
            None => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

/// The module that lists the tables.
fn list(target: &Target<'_>, tables: &[NodeId]) -> String {
    let graph = &target.checked.graph;
    let tasks = || graph.deployment.jobs.values().flat_map(|job| &job.tasks);
    let source = |id: NodeId| {
        let name = &graph.node(id).name;
        if target.is_pipeline() {
            return target.path(pipeline_path(name));
        }
        let group = tasks().find_map(|task| match &task.body {
            TaskBody::Tables { nodes, notebook } if nodes.contains(&id) => Some(group_path(notebook)),
            _ => None,
        });
        let is_alone = tasks().any(|task| task.body == TaskBody::Table(id));
        target.path(group.filter(|_| !is_alone).unwrap_or_else(|| notebook_path(name)))
    };
    let mut text = format!(
        "\"\"\"The tables of the project, each behind those that it reads, with the file that declares it.\"\"\"\n\n\
         ENVIRONMENT = {}\nTABLES = [\n",
        python::quoted(&target.environment.name)
    );
    for &id in tables {
        let (name, path) = (graph.node(id).name.to_string(), source(id));
        let (name, path) = (python::quoted(&name), python::quoted(&path));
        let line = format!("    ({name}, {path}),\n");
        if python::width(&line) <= 121 {
            text.push_str(&line);
        } else {
            let _ = write!(text, "    (\n        {name},\n        {path},\n    ),\n");
        }
    }
    text + "]\n"
}

/// A file as the source has them, with its ending; `None` where it is no text, or nobody knows its columns.
fn fixture(checked: &Checked, id: NodeId, node: &Node, ingest: &Ingest) -> Option<(&'static str, String)> {
    let schema = checked.typed(id).schema.as_ref()?;
    let is_own = |name: &str| ingest.metadata_columns.iter().all(|column| column.name() != name);
    let contract = node.contract.as_deref();
    let columns: Vec<(&str, DataType)> = schema
        .names()
        .filter(|name| is_own(name))
        .map(|name| {
            let promised = contract
                .and_then(|found| found.columns.iter().find(|column| crate::name::same(&column.column.name, name)));
            (name, promised.map_or(DataType::String, |column| column.column.data_type.clone()))
        })
        .collect();
    if columns.is_empty() {
        return None;
    }
    match &ingest.reader {
        Reader::Delimited(delimited) => Some(("csv", delimited_rows(&columns, delimited)?)),
        Reader::JsonLines => {
            let row = |place: usize| {
                let members = columns.iter().map(|(name, data_type)| ((*name).to_owned(), json(data_type, place)));
                format!("{}\n", Value::Object(members.collect::<Map<String, Value>>()))
            };
            Some(("jsonl", (1..=2).map(row).collect()))
        }
        Reader::Parquet | Reader::Delta | Reader::Database(_) => None,
    }
}

fn delimited_rows(columns: &[(&str, DataType)], delimited: &Delimited) -> Option<String> {
    let delimiter = char::from(delimited.delimiter);
    let quote = delimited.quote.map(char::from);
    let field = |text: &str| {
        let is_plain = !text.contains([delimiter, '\n', '\r']) && quote.is_none_or(|quote| !text.contains(quote));
        match quote {
            _ if is_plain => Some(text.to_owned()),
            Some(quote) => Some(format!("{quote}{}{quote}", text.replace(quote, &format!("{quote}{quote}")))),
            None => None,
        }
    };
    let line = |fields: Vec<Option<String>>| {
        let fields: Option<Vec<String>> = fields.into_iter().collect();
        Some(format!("{}\n", fields?.join(&delimiter.to_string())))
    };
    let mut text = String::new();
    if delimited.header {
        text.push_str(&line(columns.iter().map(|(name, _)| field(name)).collect())?);
    }
    for place in 1..=2 {
        let spelled = |(_, data_type): &(&str, DataType)| match json(data_type, place) {
            Value::String(text) => field(&text),
            other => field(&other.to_string()),
        };
        text.push_str(&line(columns.iter().map(spelled).collect())?);
    }
    Some(text)
}

/// A value of a type; `place` makes it another in each row.
fn json(data_type: &DataType, place: usize) -> Value {
    match data_type {
        DataType::Boolean => Value::Bool(place == 1),
        DataType::Tinyint | DataType::Smallint | DataType::Int | DataType::Bigint => place.into(),
        DataType::Float | DataType::Double => Value::String(format!("{place}.5")),
        // All digits may stand behind the point.
        DataType::Decimal { precision, scale } if precision == scale => Value::String("0".to_owned()),
        DataType::Decimal { .. } => Value::String(place.to_string()),
        DataType::String | DataType::Binary => Value::String(if place == 1 { "a" } else { "b" }.to_owned()),
        DataType::Date => Value::String(format!("2024-01-0{place}")),
        DataType::Timestamp | DataType::TimestampNtz => Value::String(format!("2024-01-0{place}T12:00:00")),
        DataType::Array(_) => Value::Array(Vec::new()),
        DataType::Map(..) | DataType::Struct(_) => Value::Object(Map::new()),
    }
}
