//! A definition in words, part by part, as commits keep it and plans compare it.
//!
//! In: the graph. Out: [`Parts`] for a commit, and [`PartChange`]s between a commit's and today's. The parts are exactly
//! what the fingerprint hashes: a test holds that the one changes when the other does. Texts beyond [`LONG`] bytes are kept
//! as their hash, since a commit is no place for them. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::compatibility::stored::Stored as StoredPromise;
use crate::graph::Graph;
use crate::ir::{
    Assertion, Body, Contract, Delimited, Ingest, Input, MetadataColumn, Node, NodeId, OnViolation, Operation, Part,
    Reader, Relation, Write, WriteMode,
};
use crate::plan::fingerprint::{assertion, violation_word};
use crate::sql::parse;
use crate::state::{Commit, Parts};

/// A text of more bytes is kept as its hash.
const LONG: usize = 4096;

/// All texts of a definition together; beyond it only short ones are kept.
const LONG_IN_ALL: usize = 32 * 1024;

/// What remains of a text in a definition that is too long.
const SHORT: usize = 120;

/// One part of a definition that is another than before. A part that is new has no `from`, one that is gone no `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartChange {
    /// E.g. `query`, `write.keys`, `expectation amount >= 0`, `silver.v: query` for a view's.
    pub part: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// What a commit of this node says of its definition.
pub fn parts(graph: &Graph, id: NodeId) -> Parts {
    let node = graph.node(id);
    Parts { definition: definition(graph, id), promise: StoredPromise::of(node), prevent_destroy: node.prevent_destroy }
}

/// The parts of a node's fingerprint, those of the views that it reads among them.
pub fn definition(graph: &Graph, id: NodeId) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    of_node(graph.node(id), "", &mut parts);
    let mut open = graph.inputs[id.index()].clone();
    let mut seen = Vec::new();
    while let Some(input) = open.pop() {
        let view = graph.node(input);
        if view.write.mode == WriteMode::View && !seen.contains(&input) {
            seen.push(input);
            of_node(view, &format!("{}: ", view.name), &mut parts);
            open.extend(&graph.inputs[input.index()]);
        }
    }
    let total: usize = parts.values().map(String::len).sum();
    let most = if total > LONG_IN_ALL { SHORT } else { LONG };
    for text in parts.values_mut().filter(|text| text.len() > most) {
        *text = format!("{} bytes, blake3 {}", text.len(), &blake3::hash(text.as_bytes()).to_hex()[..16]);
    }
    parts
}

/// How today's definition differs from the one that made a table; empty where the commit does not tell.
pub fn since(graph: &Graph, id: NodeId, commit: &Commit) -> Vec<PartChange> {
    commit.parts().map(|parts| between(&parts.definition, &definition(graph, id))).unwrap_or_default()
}

/// The parts that differ, in the order of their names.
pub fn between(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<PartChange> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differing
        .map(|name| PartChange { part: name.clone(), from: before.get(name).cloned(), to: after.get(name).cloned() })
        .collect()
}

fn of_node(node: &Node, prefix: &str, parts: &mut BTreeMap<String, String>) {
    let mut own = Own { prefix, parts };
    match &node.body {
        Body::Ingest(ingest) => own.ingest(ingest),
        Body::Relation(relation) => own.relation(relation),
    }
    if let Some(contract) = &node.contract {
        own.contract(contract);
    }
    own.write(&node.write);
    own.assertions(&node.assertions);
}

struct Own<'a> {
    prefix: &'a str,
    parts: &'a mut BTreeMap<String, String>,
}

impl Own<'_> {
    /// Two parts of one name are told apart by a number.
    fn put(&mut self, part: &str, text: String) {
        let mut name = format!("{}{part}", self.prefix);
        let mut n = 2;
        while self.parts.contains_key(&name) {
            name = format!("{}{part} ({n})", self.prefix);
            n += 1;
        }
        self.parts.insert(name, text);
    }

    fn names(&mut self, part: &str, names: &[String]) {
        if !names.is_empty() {
            self.put(part, names.join(", "));
        }
    }

    fn ingest(&mut self, ingest: &Ingest) {
        self.put("source", ingest.location.clone());
        let reader = match &ingest.reader {
            Reader::Delimited(delimited) => delimited_words(delimited),
            Reader::JsonLines => "json lines".to_owned(),
            Reader::Parquet => "parquet".to_owned(),
            Reader::Delta => "delta".to_owned(),
            Reader::Database(database) => match &database.query {
                Some(query) => format!("{} query {}", database.system.word(), parse::fingerprint_text(query)),
                None => database.system.word().to_owned(),
            },
        };
        self.put("format", reader);
        let names: Vec<String> =
            ingest.metadata_columns.iter().map(|column| MetadataColumn::name(*column).to_owned()).collect();
        self.names("metadata_columns", &names);
    }

    fn relation(&mut self, relation: &Relation) {
        match &relation.input {
            Input::Query(sql) => self.put("query", parse::fingerprint_text(&sql.text)),
            Input::Table { name, site: _ } => self.put("from", name.to_string()),
        }
        for (place, operation) in relation.operations.iter().enumerate() {
            self.put(&format!("step {}", place + 1), operation_words(operation));
        }
    }

    fn contract(&mut self, contract: &Contract) {
        let columns = contract.columns.iter().map(|column| {
            let column = &column.column;
            format!("{} {}{}", column.name, column.data_type, if column.nullable { "" } else { " not null" })
        });
        self.put("columns", columns.collect::<Vec<_>>().join(", "));
        self.put("on_cast_failure", violation_word(contract.on_cast_failure).to_owned());
        if let Some(timezone) = &contract.timezone {
            self.put("timezone", timezone.clone());
        }
    }

    fn write(&mut self, write: &Write) {
        let Write { mode, cluster_by, partition_by, schema_evolution: _ } = write;
        self.put("write.mode", mode.word().to_owned());
        match mode {
            WriteMode::Merge { keys } => self.names("write.keys", keys),
            WriteMode::Overwrite | WriteMode::Append | WriteMode::View => {}
        }
        self.names("write.cluster_by", cluster_by);
        self.names("write.partition_by", partition_by);
    }

    /// In an order that does not depend on how they are listed, as in the fingerprint.
    fn assertions(&mut self, assertions: &[Assertion]) {
        let enforced = assertions.iter().filter(|assertion| assertion.on_violation != OnViolation::Warn);
        let mut listed: Vec<(String, String)> = enforced
            .map(|one| {
                let digest = assertion(one);
                let digest = digest.split_once(':').map_or(digest.as_str(), |(_, hex)| hex);
                let label = if one.label.is_empty() { one.kind } else { &one.label };
                let test = one.test.parts().into_iter().filter_map(|part| match part {
                    Part::Sql(sql) => Some(parse::fingerprint_text(&sql.text)),
                    Part::Word(_) => None,
                });
                let test: String = test.collect::<Vec<_>>().join("; ").chars().take(SHORT).collect();
                let mostly = if one.mostly < 1.0 { format!(", mostly {:?}", one.mostly) } else { String::new() };
                let violation = violation_word(one.on_violation);
                (format!("expectation {label}"), format!("{violation}{mostly} ({test}) #{}", &digest[..12]))
            })
            .collect();
        listed.sort();
        for (part, text) in listed {
            self.put(&part, text);
        }
    }
}

fn delimited_words(delimited: &Delimited) -> String {
    let Delimited { header, delimiter, quote, escape, encoding, null_values, on_ragged_row } = delimited;
    let byte = |byte: Option<u8>| byte.map_or("none".to_owned(), |byte| format!("{:?}", char::from(byte)));
    format!(
        "delimited: header {header}, delimiter {}, quote {}, escape {}, encoding {}, null_values {null_values:?}, \
         on_ragged_row {}",
        byte(Some(*delimiter)),
        byte(*quote),
        byte(*escape),
        encoding.to_lowercase(),
        violation_word(*on_ragged_row),
    )
}

fn operation_words(operation: &Operation) -> String {
    let sql = |sql: &crate::ir::Sql| parse::fingerprint_text(&sql.text);
    match operation {
        Operation::Filter(condition) => format!("filter {}", sql(condition)),
        Operation::Extend(computed) => {
            let columns = computed.iter().map(|column| format!("{} = {}", column.name, sql(&column.expression)));
            format!("compute {}", columns.collect::<Vec<_>>().join(", "))
        }
        Operation::Rename(renamed) => {
            let columns = renamed.iter().map(|column| format!("{} to {}", column.from, column.to));
            format!("rename {}", columns.collect::<Vec<_>>().join(", "))
        }
        Operation::Latest { keys, order, site: _ } => {
            let order = order.iter().map(|key| format!("{}{}", key.column, if key.descending { " desc" } else { "" }));
            format!("latest by {} order {}", keys.join(", "), order.collect::<Vec<_>>().join(", "))
        }
    }
}
