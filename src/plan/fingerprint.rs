//! Fingerprints: the hash of everything that changes a table's rows, and of nothing else.
//!
//! In: the graph. Out: per node `1:` and 64 hex digits of BLAKE3; the number is the scheme's version, to be raised when
//! the same definition would give other rows. Left out are descriptions, tags, owners, labels, contract names and
//! versions, expectations that only warn, comments and layout of SQL, and where things stand in files. Each value is
//! written with its length or tag in front, so that two definitions never give the same bytes.

use crate::graph::Graph;
use crate::ir::{
    Assertion, Body, Contract, Dataset, Delimited, Ingest, Input, MetadataColumn, Node, NodeId, OnViolation, Operation,
    Part, Reader, Relation, Sql, Write, WriteMode,
};
use crate::sql::parse;
use crate::state::SourceFile;

/// The scheme's version: what medc computes from the same definition.
const SCHEME: &str = "1";

/// The fingerprint of every node, by `NodeId`. A view's flows into those of its readers.
pub fn fingerprints(graph: &Graph) -> Vec<String> {
    let mut fingerprints = vec![String::new(); graph.nodes.len()];
    for &id in &graph.order {
        let mut digest = Digest::new();
        digest.node(graph.node(id));
        for input in views_read(graph, id) {
            digest.text(&graph.node(input).name.to_string()).text(&fingerprints[input.index()]);
        }
        fingerprints[id.index()] = digest.finish();
    }
    fingerprints
}

/// The hash of a source's files, for tables that are overwritten from all of them. Independent of the files' order.
pub fn source_stamp(files: &[SourceFile]) -> String {
    let mut sorted: Vec<&SourceFile> = files.iter().collect();
    sorted.sort();
    let mut digest = Digest::new();
    for file in sorted {
        digest.text(&file.path).number(file.stamp.cast_unsigned());
    }
    digest.finish()
}

/// The hash of what a dataset's version stands for: its model, source table, features in order, and target.
pub fn dataset_definition(dataset: &Dataset) -> String {
    let mut digest = Digest::new();
    digest.text(&dataset.model).text(&dataset.source_table.to_string()).texts(&dataset.features).text(&dataset.target);
    digest.finish()
}

fn views_read(graph: &Graph, id: NodeId) -> Vec<NodeId> {
    let mut views: Vec<NodeId> = graph.inputs[id.index()]
        .iter()
        .copied()
        .filter(|input| graph.node(*input).write.mode == WriteMode::View)
        .collect();
    views.sort_by_key(|view| &graph.node(*view).name);
    views
}

/// A hash in the making.
struct Digest {
    hasher: blake3::Hasher,
}

impl Digest {
    fn new() -> Self {
        Digest { hasher: blake3::Hasher::new() }
    }

    fn finish(self) -> String {
        format!("{SCHEME}:{}", self.hasher.finalize().to_hex())
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.hasher.update(&number.to_le_bytes());
        self
    }

    fn count(&mut self, n: usize) -> &mut Self {
        self.number(n as u64)
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.count(text.len());
        self.hasher.update(text.as_bytes());
        self
    }

    fn texts(&mut self, texts: &[String]) -> &mut Self {
        self.count(texts.len());
        for text in texts {
            self.text(text);
        }
        self
    }

    fn byte(&mut self, byte: Option<u8>) -> &mut Self {
        self.number(byte.map_or(256, u64::from))
    }

    fn bound(&mut self, bound: Option<f64>) -> &mut Self {
        self.text(&bound.map_or_else(String::new, |bound| format!("{bound:?}")))
    }

    fn sql(&mut self, sql: &Sql) -> &mut Self {
        self.text(&parse::fingerprint_text(&sql.text))
    }

    fn optional_sql(&mut self, sql: Option<&Sql>) -> &mut Self {
        match sql {
            None => self.text("none"),
            Some(sql) => self.text("some").sql(sql),
        }
    }

    fn node(&mut self, node: &Node) {
        self.text(&node.name.to_string());
        match &node.body {
            Body::Ingest(ingest) => self.ingest(ingest),
            Body::Relation(relation) => self.relation(relation),
        }
        match &node.contract {
            None => {
                self.text("no contract");
            }
            Some(contract) => self.contract(contract),
        }
        self.write(&node.write);
        self.assertions(&node.assertions);
    }

    fn ingest(&mut self, ingest: &Ingest) {
        self.text("ingest").text(&ingest.location);
        match &ingest.reader {
            Reader::Delimited(delimited) => self.delimited(delimited),
            Reader::JsonLines => {
                self.text("json lines");
            }
            Reader::Parquet => {
                self.text("parquet");
            }
            Reader::Delta => {
                self.text("delta");
            }
            Reader::Database(database) => {
                self.text(database.system.word()).text(database.query.as_deref().unwrap_or_default());
            }
        }
        self.count(ingest.metadata_columns.len());
        for column in &ingest.metadata_columns {
            self.text(MetadataColumn::name(*column));
        }
    }

    fn delimited(&mut self, delimited: &Delimited) {
        let Delimited { header, delimiter, quote, escape, encoding, null_values, on_ragged_row } = delimited;
        self.text("delimited").number(u64::from(*header)).byte(Some(*delimiter)).byte(*quote).byte(*escape);
        self.text(&encoding.to_lowercase()).texts(null_values).text(violation_word(*on_ragged_row));
    }

    fn relation(&mut self, relation: &Relation) {
        match &relation.input {
            Input::Query(sql) => self.text("query").sql(sql),
            Input::Table { name, site: _ } => self.text("table").text(&name.to_string()),
        };
        self.count(relation.operations.len());
        for operation in &relation.operations {
            self.operation(operation);
        }
    }

    fn operation(&mut self, operation: &Operation) {
        match operation {
            Operation::Filter(sql) => {
                self.text("filter").sql(sql);
            }
            Operation::Extend(computed) => {
                self.text("extend").count(computed.len());
                for column in computed {
                    self.text(&column.name).sql(&column.expression);
                }
            }
            Operation::Rename(renamed) => {
                self.text("rename").count(renamed.len());
                for column in renamed {
                    self.text(&column.from).text(&column.to);
                }
            }
            Operation::Latest { keys, order, site: _ } => {
                self.text("latest").texts(keys).count(order.len());
                for ordering in order {
                    self.text(&ordering.column).number(u64::from(ordering.descending));
                }
            }
        }
    }

    fn contract(&mut self, contract: &Contract) {
        self.text("contract").text(violation_word(contract.on_cast_failure)).count(contract.columns.len());
        if let Some(timezone) = &contract.timezone {
            self.text("timezone").text(timezone);
        }
        for column in &contract.columns {
            let column = &column.column;
            self.text(&column.name).text(&column.data_type.to_string()).number(u64::from(column.nullable));
        }
    }

    /// Whether columns may change decides nothing about the rows that a definition gives.
    fn write(&mut self, write: &Write) {
        let Write { mode, cluster_by, partition_by, schema_evolution: _ } = write;
        self.text(mode.word());
        match mode {
            WriteMode::Merge { keys } => {
                self.texts(keys);
            }
            WriteMode::Overwrite | WriteMode::Append | WriteMode::View => {}
        }
        self.texts(cluster_by).texts(partition_by);
    }

    /// The order in which expectations are listed decides nothing, so their digests are sorted.
    fn assertions(&mut self, assertions: &[Assertion]) {
        let mut digests: Vec<String> =
            assertions.iter().filter(|assertion| assertion.on_violation != OnViolation::Warn).map(assertion).collect();
        digests.sort();
        self.texts(&digests);
    }
}

/// The digest of one expectation.
pub(super) fn assertion(assertion: &Assertion) -> String {
    let mut digest = Digest::new();
    for part in assertion.test.parts() {
        match part {
            Part::Word(word) => digest.text(&word),
            Part::Sql(sql) => digest.sql(sql),
        };
    }
    digest.text(violation_word(assertion.on_violation)).bound(Some(assertion.mostly));
    digest.optional_sql(assertion.filter.as_ref());
    digest.finish()
}

pub(super) fn violation_word(on_violation: OnViolation) -> &'static str {
    match on_violation {
        OnViolation::Fail => "fail",
        OnViolation::Drop => "drop",
        OnViolation::Quarantine => "quarantine",
        OnViolation::Warn => "warn",
    }
}
