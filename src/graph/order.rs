//! A topological order, or the circle that forbids one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use indexmap::IndexMap;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::edges::{By, Read};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, code};
use crate::ir::{Node, NodeId};
use crate::name::TableName;

/// The nodes so that inputs come first; of several that could be next, the one declared first.
///
/// # Errors
/// `graph::cycle`, each circle once, with the path around it.
pub(super) fn topological(
    nodes: &IndexMap<TableName, Node>,
    reads: &[Vec<Read>],
    diagnostics: &mut Diagnostics,
) -> Result<Vec<NodeId>, Reported> {
    let mut graph: DiGraph<NodeId, ()> = DiGraph::with_capacity(nodes.len(), nodes.len());
    let indices: Vec<NodeIndex> = (0..nodes.len()).map(|index| graph.add_node(super::node_id(index))).collect();
    for (node, of_node) in reads.iter().enumerate() {
        for read in of_node {
            graph.update_edge(indices[read.input.index()], indices[node], ());
        }
    }
    let mut waiting_for: Vec<usize> =
        indices.iter().map(|index| graph.neighbors_directed(*index, petgraph::Incoming).count()).collect();
    let mut ready: BinaryHeap<Reverse<usize>> =
        waiting_for.iter().enumerate().filter(|(_, n)| **n == 0).map(|(node, _)| Reverse(node)).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(super::node_id(node));
        for reader in graph.neighbors(indices[node]) {
            let waiting = &mut waiting_for[reader.index()];
            *waiting -= 1;
            if *waiting == 0 {
                ready.push(Reverse(reader.index()));
            }
        }
    }
    if order.len() == nodes.len() {
        return Ok(order);
    }
    for circle in tarjan_scc(&graph) {
        let itself = circle.len() == 1 && graph.contains_edge(circle[0], circle[0]);
        if circle.len() > 1 || itself {
            report(&circle.iter().map(|index| index.index()).collect::<Vec<_>>(), nodes, reads, diagnostics);
        }
    }
    Err(diagnostics.stop_on_error().expect_err("a graph without order has a circle"))
}

/// Walks around one circle of a strongly connected component, beginning at the table declared first.
fn report(component: &[usize], nodes: &IndexMap<TableName, Node>, reads: &[Vec<Read>], diagnostics: &mut Diagnostics) {
    let start = *component.iter().min().expect("a component has a node");
    // Breadth first along inputs, so that the shortest circle through `start` is shown.
    let mut came_from: IndexMap<usize, (usize, &Read)> = IndexMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    let mut closing = None;
    while let (Some(node), None) = (queue.pop_front(), closing) {
        for read in &reads[node] {
            let input = read.input.index();
            if input == start {
                closing = Some((node, read));
                break;
            }
            if component.contains(&input) && !came_from.contains_key(&input) {
                came_from.insert(input, (node, read));
                queue.push_back(input);
            }
        }
    }
    let Some((mut node, last_read)) = closing else { return };
    let mut path = vec![(node, last_read)];
    while node != start {
        let (previous, read) = came_from[&node];
        path.push((previous, read));
        node = previous;
    }
    path.reverse();
    let name = |index: usize| nodes.get_index(index).map(|(name, _)| name.to_string()).unwrap_or_default();
    let around: Vec<String> =
        path.iter().map(|(node, _)| name(*node)).chain([name(start)]).map(|name| format!("`{name}`")).collect();
    let message = match path.as_slice() {
        [_] => format!("`{}` reads itself", name(start)),
        _ => format!("these tables need each other: {}", around.join(" → ")),
    };
    let mut found = Diagnostic::error(code::CYCLE, message);
    for (node, read) in &path {
        let (node, input) = (name(*node), name(read.input.index()));
        let label = match read.by {
            By::Rows => format!("`{node}` reads `{input}`"),
            By::Assertion => format!("an expectation of `{node}` looks at `{input}`"),
        };
        found = found.at(read.site.clone(), label);
    }
    if path.iter().any(|(_, read)| read.by == By::Assertion) {
        found =
            found.note("an expectation is checked before its table is written, so the tables it looks at come first");
        diagnostics.error(found.help("put the expectation on the table that comes last"));
        return;
    }
    diagnostics.error(found.help("let one of them read what it needs from a table outside the circle"));
}
