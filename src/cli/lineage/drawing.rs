//! A lineage as boxes and edges: what all picture formats draw.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use crate::check::{Checked, Transformation};
use crate::graph::select::{self, Direction};
use crate::ir::{Body, NodeId, WriteMode};
use crate::name::TableName;

/// Tables, with the columns that are shown of them, and what flows between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drawing {
    /// In topological order.
    pub(super) boxes: Vec<TableBox>,
    /// From inputs to what reads them; sorted.
    pub(super) edges: Vec<Edge>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableBox {
    pub(super) node: NodeId,
    pub(super) name: TableName,
    pub(super) kind: Kind,
    /// Empty in a drawing of tables.
    pub(super) columns: Vec<String>,
    /// Whether it is what was asked for.
    pub(super) is_subject: bool,
}

/// Where a table's rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Source,
    Table,
    View,
}

/// An end of an edge: a box, and a row of it in a drawing of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port {
    pub(super) table: usize,
    pub(super) column: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) from: Port,
    pub(super) to: Port,
    /// For edges between columns.
    pub(super) transformation: Option<Transformation>,
}

/// A column of a node: its index among the node's columns.
pub(super) type ColumnRef = (NodeId, usize);

/// Which columns flow into which.
pub(super) struct Flow {
    pub(super) upstream: BTreeMap<ColumnRef, Vec<(ColumnRef, Transformation)>>,
    pub(super) downstream: BTreeMap<ColumnRef, Vec<(ColumnRef, Transformation)>>,
}

/// The names of a node's columns; empty when they are only known at run time.
pub(super) fn columns(checked: &Checked, id: NodeId) -> Vec<String> {
    let typed = checked.typed(id);
    match &typed.schema {
        Some(schema) => schema.names().map(str::to_owned).collect(),
        None => typed.lineage.iter().map(|lineage| lineage.column.clone()).collect(),
    }
}

impl Flow {
    pub(super) fn of(checked: &Checked) -> Self {
        let graph = &checked.graph;
        let places: Vec<BTreeMap<String, usize>> = (0..graph.nodes.len())
            .map(|index| {
                let id = NodeId(u32::try_from(index).expect("fewer than 2^32 tables"));
                columns(checked, id).iter().enumerate().map(|(place, name)| (name.to_lowercase(), place)).collect()
            })
            .collect();
        let place = |id: NodeId, column: &str| places[id.index()].get(&column.to_lowercase()).map(|at| (id, *at));
        let mut flow = Flow { upstream: BTreeMap::new(), downstream: BTreeMap::new() };
        for &id in &graph.order {
            for lineage in &checked.typed(id).lineage {
                let Some(to) = place(id, &lineage.column) else { continue };
                for source in &lineage.sources {
                    let from = TableName::parse(&source.table)
                        .and_then(|name| graph.find(&name))
                        .and_then(|input| place(input, &source.column));
                    if let Some(from) = from {
                        flow.upstream.entry(to).or_default().push((from, lineage.transformation));
                        flow.downstream.entry(from).or_default().push((to, lineage.transformation));
                    }
                }
            }
        }
        flow
    }

    /// What flows into a column, or what it flows into.
    pub(super) fn next(&self, column: ColumnRef, direction: Direction) -> &[(ColumnRef, Transformation)] {
        let edges = match direction {
            Direction::Upstream => &self.upstream,
            Direction::Downstream => &self.downstream,
        };
        edges.get(&column).map_or(&[], Vec::as_slice)
    }
}

/// The columns that a subject starts from.
pub(super) fn start(checked: &Checked, subject: &Subject) -> Vec<ColumnRef> {
    match subject {
        Subject::Everything => Vec::new(),
        Subject::Table(id) => (0..columns(checked, *id).len()).map(|place| (*id, place)).collect(),
        Subject::Column(id, column) => {
            columns(checked, *id).iter().position(|name| name == column).map(|place| (*id, place)).into_iter().collect()
        }
    }
}

impl Drawing {
    /// Draws these tables.
    pub(super) fn of_tables(checked: &Checked, shown: &BTreeSet<NodeId>) -> Self {
        of_tables(checked, shown, None)
    }

    /// Draws the subject and all that the directions lead to.
    pub(super) fn of(checked: &Checked, subject: &Subject, directions: &[Direction]) -> Self {
        let starts = start(checked, subject);
        match subject {
            Subject::Everything => of_tables(checked, &checked.graph.order.iter().copied().collect(), None),
            // Its columns are unknown, its tables are not.
            Subject::Table(id) if starts.is_empty() => {
                let reached = directions.iter().flat_map(|direction| select::reach(&checked.graph, [*id], *direction));
                of_tables(checked, &reached.collect(), Some(*id))
            }
            Subject::Table(id) | Subject::Column(id, _) => of_columns(checked, *id, &starts, directions),
        }
    }
}

fn of_tables(checked: &Checked, shown: &BTreeSet<NodeId>, subject: Option<NodeId>) -> Drawing {
    let graph = &checked.graph;
    let mut place = BTreeMap::new();
    let mut boxes = Vec::new();
    for &id in graph.order.iter().filter(|id| shown.contains(id)) {
        place.insert(id, boxes.len());
        boxes.push(table_box(checked, id, Vec::new(), subject));
    }
    let mut edges = BTreeSet::new();
    for &id in place.keys() {
        for input in &graph.inputs[id.index()] {
            if let Some(&from) = place.get(input) {
                let (from, to) = (Port { table: from, column: None }, Port { table: place[&id], column: None });
                edges.insert(Edge { from, to, transformation: None });
            }
        }
    }
    Drawing { boxes, edges: edges.into_iter().collect() }
}

fn of_columns(checked: &Checked, subject: NodeId, starts: &[ColumnRef], directions: &[Direction]) -> Drawing {
    let flow = Flow::of(checked);
    let mut reached: BTreeSet<ColumnRef> = BTreeSet::new();
    for &direction in directions {
        let mut seen = BTreeSet::new();
        let mut open = starts.to_vec();
        while let Some(column) = open.pop() {
            if seen.insert(column) {
                open.extend(flow.next(column, direction).iter().map(|(next, _)| *next));
            }
        }
        reached.extend(seen);
    }
    let mut ports = BTreeMap::new();
    let mut boxes = Vec::new();
    for &id in &checked.graph.order {
        let names = columns(checked, id);
        let mut shown = Vec::new();
        for (place, name) in names.into_iter().enumerate() {
            if reached.contains(&(id, place)) {
                ports.insert((id, place), Port { table: boxes.len(), column: Some(shown.len()) });
                shown.push(name);
            }
        }
        if !shown.is_empty() {
            boxes.push(table_box(checked, id, shown, Some(subject)));
        }
    }
    let mut edges = BTreeSet::new();
    for (to, sources) in &flow.upstream {
        for (from, transformation) in sources {
            if let (Some(&from), Some(&to)) = (ports.get(from), ports.get(to)) {
                edges.insert(Edge { from, to, transformation: Some(*transformation) });
            }
        }
    }
    Drawing { boxes, edges: edges.into_iter().collect() }
}

fn table_box(checked: &Checked, id: NodeId, columns: Vec<String>, subject: Option<NodeId>) -> TableBox {
    let node = checked.graph.node(id);
    let kind = match (&node.body, &node.write.mode) {
        (Body::Ingest(_), _) => Kind::Source,
        (Body::Relation(_), WriteMode::View) => Kind::View,
        (Body::Relation(_), WriteMode::Overwrite | WriteMode::Append | WriteMode::Merge { .. }) => Kind::Table,
    };
    TableBox { node: id, name: node.name.clone(), kind, columns, is_subject: subject == Some(id) }
}
