//! Which columns hold values that are never shown: those tagged `pii`, and what is a copy of them.
//!
//! In: a checked project. Out: per table the names of its private columns. A column that its contract tags with words of its
//! own is as its contract says; any other is private when its values are made from a private column's, row by row. Aggregates
//! of private values (a count, a mean) are not.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Checked, Transformation};
use crate::ir::NodeId;
use crate::name::{self, TableName};

/// The tag of a column whose values are never shown.
pub const TAG: &str = "pii";

/// The private columns of a table, in lower case.
pub fn private_columns(checked: &Checked, id: NodeId) -> BTreeSet<String> {
    private(checked, id, &mut BTreeMap::new())
}

fn private(checked: &Checked, id: NodeId, known: &mut BTreeMap<NodeId, BTreeSet<String>>) -> BTreeSet<String> {
    if let Some(columns) = known.get(&id) {
        return columns.clone();
    }
    let node = checked.graph.node(id);
    let contract = node.contract.iter().flat_map(|contract| &contract.columns);
    let tags_of = |column: &str| {
        contract.clone().find(|promised| name::same(&promised.column.name, column)).map(|promised| &promised.tags)
    };
    let mut columns: BTreeSet<String> = contract
        .clone()
        .filter(|promised| promised.tags.iter().any(|tag| tag.eq_ignore_ascii_case(TAG)))
        .map(|promised| promised.column.name.to_lowercase())
        .collect();
    for lineage in &checked.typed(id).lineage {
        let decided = tags_of(&lineage.column).is_some_and(|tags| !tags.is_empty());
        if decided || lineage.transformation == Transformation::Aggregation {
            continue;
        }
        let is_made_of = lineage.sources.iter().any(|source| {
            TableName::parse(&source.table).and_then(|table| checked.graph.find(&table)).is_some_and(|input| {
                input != id && private(checked, input, known).contains(&source.column.to_lowercase())
            })
        });
        if is_made_of {
            columns.insert(lineage.column.to_lowercase());
        }
    }
    known.insert(id, columns.clone());
    columns
}
