//! Stage 5: the project in one environment as a DAG of core forms.
//!
//! In: `Resolved`. Out: [`Graph`], acyclic, with every name in it resolved to a node, layer rules kept, and nodes in a
//! topological order that is the same for the same project (ties by order of declaration). Kinds lower themselves
//! here; no later stage knows a surface kind. It does not type SQL: it only finds what a query reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostics, Reported};
use crate::ir::deployment::Deployment;
use crate::ir::{Assertion, Contract, Node, NodeId};
use crate::name::TableName;
use crate::resolve::Resolved;
use crate::source::memo::Memo;

mod contract;
mod dataset;
pub mod deployment;
mod edges;
mod feature_table;
mod layers;
mod naming;
mod order;
pub mod select;
mod table;
#[cfg(test)]
mod tests;

/// The project as a DAG. `order` is topological; `inputs[n]` are the nodes that `n` reads, `compared[n]` those that its
/// assertions look at besides.
#[derive(Debug, Clone)]
pub struct Graph {
    /// In the order of declaration; a `NodeId` is an index into it.
    pub nodes: IndexMap<TableName, Node>,
    /// Sorted, each once.
    pub inputs: Vec<Vec<NodeId>>,
    /// Sorted, each once. They come before the node and it is skipped when one fails, but its rows are not made of theirs.
    pub compared: Vec<Vec<NodeId>>,
    pub order: Vec<NodeId>,
    /// The layers in order, with what `check` needs to know of them.
    pub layers: Vec<Layer>,
    /// What the environment deploys besides tables.
    pub deployment: Deployment,
}

/// A layer, as far as later stages look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub name: String,
    /// Whether its tables may aggregate.
    pub aggregate: bool,
}

impl Graph {
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// The node of a table; `None` if the project has no such table.
    pub fn find(&self, name: &TableName) -> Option<NodeId> {
        self.nodes.get_index_of(name).map(node_id)
    }

    /// The layer of a node.
    pub fn layer(&self, name: &str) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.name == name)
    }
}

fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).expect("fewer than 2^32 tables"))
}

/// Lowers every entity to core forms and orders them. `memo` keeps what queries read.
///
/// # Errors
/// `graph::*`, `resolve::*` for references that lead nowhere, `datasets::*`, and what the kinds' `lower` reports.
pub fn build(resolved: &Resolved, memo: &mut Memo, diagnostics: &mut Diagnostics) -> Result<Graph, Reported> {
    let contracts = contract::lower_all(&resolved.contracts, diagnostics);
    let mut nodes: IndexMap<TableName, Node> = IndexMap::with_capacity(resolved.tables.len());
    for (name, table) in &resolved.tables {
        if let Ok(node) = table::lower(name, table, resolved, &contracts, diagnostics) {
            nodes.insert(name.clone(), node);
        }
    }
    if let Some(datasets) = &resolved.datasets {
        dataset::lower_all(datasets, resolved, &mut nodes, diagnostics);
    }
    let reads = edges::find(&nodes, &resolved.tables, memo, diagnostics);
    layers::hold(&nodes, &reads, resolved, diagnostics);
    naming::hold(&nodes, &reads, resolved, diagnostics);
    diagnostics.stop_on_error()?;
    let by = |by| reads.iter().map(|of_node| edges::distinct(of_node, by)).collect::<Vec<_>>();
    let (inputs, compared) = (by(edges::By::Rows), by(edges::By::Assertion));
    let order = order::topological(&nodes, &reads, diagnostics)?;
    let layers = resolved
        .layers
        .iter()
        .map(|(name, layer)| Layer { name: name.clone(), aggregate: layer.spec.policy.aggregate })
        .collect();
    let deployment = Deployment::default();
    let mut graph = Graph { nodes, inputs, compared, order, layers, deployment };
    // Its errors do not keep `check` from finding more.
    graph.deployment = deployment::lower(resolved, &graph, diagnostics);
    Ok(graph)
}

/// Every contract that has no error, kept by a table or not, in core form with what it says of rows; by name.
pub fn contracts(
    resolved: &Resolved,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, (Arc<Contract>, Vec<Assertion>)> {
    let lowered = contract::lower_all(&resolved.contracts, diagnostics).into_iter();
    lowered
        .filter_map(|(name, lowered)| lowered.map(|lowered| (name, (lowered.contract, lowered.assertions))))
        .collect()
}
