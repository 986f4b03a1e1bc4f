//! Stage 6: every statement typed, every contract held against it, every output column traced to its inputs.
//!
//! In: `Graph`. Out: [`Checked`]. Works from contracts alone, reads no data. Three-valued: what is right passes, what is
//! wrong is reported at its place inside the SQL, and what cannot be known is left `None` and never reported as
//! wrong; nodes that read an unknown schema are not judged by it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostics, Reported};
use crate::graph::Graph;
use crate::ir::{Assertion, NodeId, Schema, Test};
use crate::sql::bind::Typer;

mod assertions;
mod contract;
mod dataset;
mod memo;
mod node;
mod operations;
pub mod privacy;
mod report;
mod row;
#[cfg(test)]
mod tests;

pub use crate::sql::lineage::{ColumnLineage, ColumnSource, Transformation};
pub use memo::Memo;

/// The graph, and what is known of each node's rows. `typed[n]` belongs to node `n`.
#[derive(Debug, Clone)]
pub struct Checked {
    pub graph: Graph,
    pub typed: Vec<Arc<Typed>>,
}

impl Checked {
    pub fn typed(&self, id: NodeId) -> &Typed {
        &self.typed[id.index()]
    }

    /// Whether a uniqueness is known without looking: some set of columns that is unique lies within it.
    pub fn is_proven(&self, id: NodeId, assertion: &Assertion) -> bool {
        let Test::Unique { columns } = &assertion.test else { return false };
        let lower: Vec<String> = columns.iter().map(|column| column.to_lowercase()).collect();
        let lies_within = |set: &BTreeSet<String>| set.iter().all(|column| lower.contains(&column.to_lowercase()));
        self.typed(id).unique.iter().any(|set| !set.is_empty() && lies_within(set))
    }
}

/// What is known of a node's rows before it runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Typed {
    /// The columns as stored: the contract's, where there is one. `None` when the schema is only known at run time.
    pub schema: Option<Schema>,
    /// Per output column, in order; empty when the schema is unknown.
    pub lineage: Vec<ColumnLineage>,
    /// Sets of columns whose values are proven to be unique by the way they are computed (grouping keys, the keys of a
    /// deduplication).
    pub unique: Vec<BTreeSet<String>>,
    /// Whether the query aggregates (for layer policies).
    pub aggregates: bool,
}

/// Types every node.
///
/// # Errors
/// The `check::` codes, and `resolve::expectation` for an expectation that its column's type cannot have.
pub fn check(graph: Graph, diagnostics: &mut Diagnostics) -> Result<Checked, Reported> {
    check_with(graph, &mut Memo::default(), diagnostics)
}

/// As [`check`], taking what is known of unchanged nodes from `memo`, which afterwards holds what this run knows.
///
/// # Errors
/// As [`check`].
pub fn check_with(graph: Graph, memo: &mut Memo, diagnostics: &mut Diagnostics) -> Result<Checked, Reported> {
    let typer = Typer::default();
    let mut typed: Vec<Arc<Typed>> = vec![Arc::default(); graph.nodes.len()];
    let mut failed = vec![false; graph.nodes.len()];
    let mut digests: Vec<memo::Key> = vec![memo::digest(&Typed::default()); graph.nodes.len()];
    for id in &graph.order {
        let place = id.index();
        if graph.inputs[place].iter().any(|input| failed[input.index()]) {
            // What it reads is already in error: anything said of it could be a consequence.
            failed[place] = true;
            continue;
        }
        let key = memo::key(&graph, *id, &digests);
        // A dataset is also held against the text of the table that it is cut from, which no key covers.
        let is_dataset = graph.node(*id).dataset.is_some();
        if !is_dataset && let Some(known) = memo.find(&key) {
            digests[place] = memo::digest(&known);
            typed[place] = known;
            continue;
        }
        let mut found = Diagnostics::new();
        match node::check(&typer, &graph, *id, &typed, &mut found) {
            Ok(known) => {
                let known = Arc::new(known);
                if found.is_empty() && !is_dataset {
                    memo.remember(key, &known);
                }
                digests[place] = memo::digest(&known);
                typed[place] = known;
            }
            Err(_) => failed[place] = true,
        }
        diagnostics.extend(found);
    }
    memo.forget_unused();
    diagnostics.stop_on_error()?;
    Ok(Checked { graph, typed })
}
