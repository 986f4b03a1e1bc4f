//! What a declarative pipeline can make of the tables, where `bundle: {emit: pipeline}` asks for one.
//!
//! In: the graph. Out: a diagnostic for each table that only a job's task can build. A pipeline's tables are queries over all rows,
//! or streams of new ones; what looks at the stored table, or computes with what was counted, is neither.

use crate::diagnostic::{Diagnostic, Diagnostics, code};
use crate::graph::Graph;
use crate::ir::{Body, Ingest, Input, MetadataColumn, Node, NodeId, Operation, Reader, Relation, Test, WriteMode};
use crate::name;

/// The column that orders what came into a table.
const INGESTED_AT: &str = "_ingested_at";

/// Reports what a pipeline cannot do.
pub(super) fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    for &id in &graph.order {
        let node = graph.node(id);
        of_source(node, diagnostics);
        of_assertions(node, diagnostics);
        if let Err(reason) = sequence(graph, id) {
            diagnostics.error(
                wrong(format!("a pipeline cannot merge into `{}`", node.name))
                    .at(node.site.member("write"), "")
                    .note(reason)
                    .help("merge `from` a table with `write: {mode: append}` and the metadata column `_ingested_at`, or emit jobs: `bundle: {emit: jobs}`"),
            );
        }
    }
}

fn wrong(message: String) -> Diagnostic {
    Diagnostic::error(code::PIPELINE, message)
}

fn of_source(node: &Node, diagnostics: &mut Diagnostics) {
    let Body::Ingest(Ingest { reader, .. }) = &node.body else { return };
    let is_unknown = node.contract.as_ref().is_none_or(|contract| contract.columns.is_empty());
    let knows_names = match reader {
        Reader::Delimited(delimited) => delimited.header,
        Reader::Parquet | Reader::Delta => true,
        Reader::JsonLines => false,
    };
    if is_unknown && !knows_names {
        diagnostics.error(
            wrong(format!("a pipeline cannot find out which columns `{}` has", node.name))
                .at(node.site.member("source"), "")
                .note("its files have no header, and nothing is read while the pipeline is planned")
                .help("give the table a contract with its columns"),
        );
    }
}

fn of_assertions(node: &Node, diagnostics: &mut Diagnostics) {
    let is_stream = match &node.write.mode {
        WriteMode::Append | WriteMode::Merge { .. } => true,
        WriteMode::Overwrite | WriteMode::View => false,
    };
    for assertion in &node.assertions {
        let reason = match &assertion.test {
            Test::Distribution(_) => {
                "what tells distributions apart is computed from counts, which no query of a pipeline sees"
            }
            Test::Row { .. } | Test::Holds(_) if !is_stream || assertion.mostly >= 1.0 => continue,
            Test::Row { .. }
            | Test::Holds(_)
            | Test::Window { .. }
            | Test::Unique { .. }
            | Test::Reference { .. }
            | Test::Aggregate { .. }
            | Test::Query(_) => {
                if !is_stream {
                    continue;
                }
                "the table is a stream of new rows, of which each is judged by itself"
            }
            Test::Columns(_) => continue,
        };
        diagnostics.error(
            wrong(format!("a pipeline cannot judge `{}` of `{}`", assertion.label, node.name))
                .at(assertion.site.clone(), "")
                .note(reason)
                .help("leave it out, or emit jobs: `bundle: {emit: jobs}`"),
        );
    }
}

/// The columns that say which of several rows with one key is the newest; none where nothing is merged.
///
/// # Errors
/// Why a pipeline cannot merge into the table.
pub fn sequence(graph: &Graph, id: NodeId) -> Result<Vec<String>, &'static str> {
    let node = graph.node(id);
    let WriteMode::Merge { keys } = &node.write.mode else { return Ok(Vec::new()) };
    let Body::Relation(Relation { input: Input::Table { name, .. }, operations }) = &node.body else {
        return Err("a pipeline merges changes as they come; a query gives all its rows each time");
    };
    let Some(source) = graph.find(name).map(|source| graph.node(source)) else { return Ok(Vec::new()) };
    let is_ordered = match &source.body {
        Body::Ingest(ingest) => ingest.metadata_columns.contains(&MetadataColumn::IngestedAt),
        Body::Relation(_) => false,
    };
    if source.write.mode != WriteMode::Append || !is_ordered {
        return Err(
            "a pipeline merges changes as they come; its source gives all its rows each time, or does not say when they came",
        );
    }
    let mut sequence = vec![INGESTED_AT.to_owned()];
    for (place, operation) in operations.iter().enumerate() {
        match operation {
            Operation::Filter(_) | Operation::Extend(_) => {}
            Operation::Rename(renamed) => {
                if renamed.iter().any(|one| name::same(&one.from, INGESTED_AT)) {
                    return Err("`_ingested_at`, which orders the changes, is renamed");
                }
            }
            Operation::Latest { keys: by, order, .. } => {
                let is_last = place + 1 == operations.len();
                let same_keys =
                    by.len() == keys.len() && by.iter().all(|one| keys.iter().any(|key| name::same(one, key)));
                if !is_last || !same_keys || order.iter().any(|one| !one.descending) {
                    return Err(
                        "only a last `deduplicate` by the table's keys that keeps the latest row can be said of changes",
                    );
                }
                sequence.extend(order.iter().map(|one| one.column.to_lowercase()));
            }
        }
    }
    Ok(sequence)
}
