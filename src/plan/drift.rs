//! What others did to the project's tables since medc wrote them.
//!
//! In: the state. Out: [`Drift`]s in the graph's order. That a table was dropped is known where another one still says that it read
//! it. A table that is overwritten gets its rows back by the plan; of the others foreign rows are kept, and only shown.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::graph::Graph;
use crate::ir::{Node, NodeId, WriteMode};
use crate::name::TableName;
use crate::state::State;

/// What happened to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    #[serde(serialize_with = "as_name")]
    pub table: TableName,
    #[serde(flatten)]
    pub kind: Kind,
}

/// What others did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "drift")]
pub enum Kind {
    /// The table is gone, and `reader` read this version of it.
    Dropped { reader: String, version: i64 },
    /// The table is another than the one that `reader` read, which had a higher version.
    Replaced { reader: String, version: i64 },
    /// Rows were written, the newest by `version`; medc wrote it last at `medc_version`, if ever.
    Written { version: i64, medc_version: Option<i64> },
    /// Its columns were changed.
    Altered { version: i64 },
}

fn as_name<S: serde::Serializer>(table: &TableName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(table)
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Dropped { reader, version } => {
                write!(formatter, "dropped by somebody else ({reader} read its version {version})")
            }
            Kind::Replaced { reader, version } => {
                write!(formatter, "replaced by somebody else ({reader} read its version {version})")
            }
            Kind::Written { version, medc_version: Some(last) } => {
                write!(formatter, "written by somebody else (version {version}, medc's last is {last})")
            }
            Kind::Written { version, medc_version: None } => {
                write!(formatter, "written by somebody else (version {version}, none is medc's)")
            }
            Kind::Altered { version } => {
                write!(formatter, "its columns were changed by somebody else (version {version})")
            }
        }
    }
}

/// What others did to these nodes' tables.
pub fn find(graph: &Graph, state: &State, selected: impl Fn(NodeId) -> bool) -> Vec<Drift> {
    let read = newest_read(state);
    let stored = graph.order.iter().filter(|id| selected(**id)).map(|id| graph.node(*id));
    let stored = stored.filter(|node| node.write.mode != WriteMode::View);
    stored.flat_map(|node| of_table(node, state, &read)).collect()
}

/// The highest version of each table that another one read, with that one.
fn newest_read(state: &State) -> BTreeMap<&str, (i64, &TableName)> {
    let mut read: BTreeMap<&str, (i64, &TableName)> = BTreeMap::new();
    for (reader, table) in &state.tables {
        for (input, version) in table.commit.iter().flat_map(|commit| &commit.inputs) {
            let known = read.entry(input).or_insert((*version, reader));
            if known.0 < *version {
                *known = (*version, reader);
            }
        }
    }
    read
}

fn of_table(node: &Node, state: &State, read: &BTreeMap<&str, (i64, &TableName)>) -> Vec<Drift> {
    let of = |kind| Drift { table: node.name.clone(), kind };
    let read = read.get(node.name.to_string().as_str());
    let Some(table) = state.tables.get(&node.name) else {
        let dropped = read.map(|(version, reader)| of(Kind::Dropped { reader: reader.to_string(), version: *version }));
        return dropped.into_iter().collect();
    };
    let mut found = Vec::new();
    if let Some((version, reader)) = read.filter(|(version, _)| *version > table.version) {
        found.push(of(Kind::Replaced { reader: reader.to_string(), version: *version }));
    }
    if table.written_by_others || table.commit.is_none() {
        let medc_version = table.commit.as_ref().map(|commit| commit.version);
        found.push(of(Kind::Written { version: table.version, medc_version }));
    }
    if table.commit.is_some() && table.stored.as_ref().is_some_and(|stored| stored.by_others) {
        found.push(of(Kind::Altered { version: table.version }));
    }
    found
}
