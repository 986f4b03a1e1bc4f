//! Which columns hold personal values that a report must not show.
//!
//! In: the checked graph. Out: [`Masks`]. A column is masked when its contract tags it `pii`; when it is computed from a masked
//! column, unless it is a number that several rows were aggregated into; and when a masked column is nothing but it
//! under another name or in another form. So a tag in one contract is enough. What is not known counts as masked.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::check::{Checked, ColumnSource, Transformation, Typed};
use crate::ir::{Contract, DataType, Node, NodeId, Schema};
use crate::name::TableName;

/// The masked columns of every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Masks {
    nodes: Vec<Masked>,
}

/// The masked columns of one node, in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Masked {
    columns: BTreeSet<String>,
    /// All that it has, as far as that is known.
    known: BTreeSet<String>,
    /// Its columns are only known at run time, and something that it reads is masked.
    all: bool,
}

impl Masked {
    pub(super) fn is_masked(&self, column: &str) -> bool {
        self.all || self.columns.contains(&column.to_lowercase())
    }

    /// Whether a value under a name that is no column of the table must be masked, e.g. one that an expectation's query computes.
    pub(super) fn is_unknown_masked(&self) -> bool {
        self.all || !self.columns.is_empty()
    }

    /// Whether that is one of its columns.
    pub(super) fn knows(&self, column: &str) -> bool {
        self.known.contains(&column.to_lowercase())
    }

    fn insert(&mut self, column: &str) -> bool {
        self.columns.insert(column.to_lowercase())
    }
}

impl Masks {
    /// Follows tags through the project until nothing changes.
    pub(super) fn of(checked: &Checked) -> Self {
        let graph = &checked.graph;
        let of_node = |(node, typed): (&Node, &Arc<Typed>)| {
            let mut masked = tagged(node.contract.as_deref());
            let columns = typed.schema.iter().flat_map(Schema::names);
            masked.known.extend(columns.map(str::to_lowercase));
            masked
        };
        let mut masks = Masks { nodes: graph.nodes.values().zip(&checked.typed).map(of_node).collect() };
        loop {
            let mut changed = false;
            for &id in &graph.order {
                changed |= masks.flow_down(checked, id);
            }
            for &id in graph.order.iter().rev() {
                changed |= masks.flow_up(checked, id);
            }
            if !changed {
                return masks;
            }
        }
    }

    pub(super) fn node(&self, id: NodeId) -> &Masked {
        &self.nodes[id.index()]
    }

    fn is_masked(&self, checked: &Checked, table: &str, column: &str) -> bool {
        let id = TableName::parse(table).and_then(|name| checked.graph.find(&name));
        id.is_some_and(|id| self.node(id).is_masked(column))
    }

    /// Masks what is computed from masked columns.
    fn flow_down(&mut self, checked: &Checked, id: NodeId) -> bool {
        let typed = checked.typed(id);
        let inputs = &checked.graph.inputs[id.index()];
        if typed.lineage.is_empty() && inputs.iter().any(|input| self.node(*input).is_unknown_masked()) {
            return !std::mem::replace(&mut self.nodes[id.index()].all, true);
        }
        let mut found = Vec::new();
        for lineage in &typed.lineage {
            let data_type = typed.schema.as_ref().and_then(|schema| schema.column(&lineage.column));
            let counts = lineage.transformation == Transformation::Aggregation
                && data_type
                    .is_some_and(|column| column.data_type.is_numeric() || column.data_type == DataType::Boolean);
            let is_masked = |source: &ColumnSource| self.is_masked(checked, &source.table, &source.column);
            if !counts && lineage.sources.iter().any(is_masked) {
                found.push(lineage.column.clone());
            }
        }
        let mut changed = false;
        for column in &found {
            changed |= self.nodes[id.index()].insert(column);
        }
        changed
    }

    /// Masks what masked columns are made of, where it is one column.
    fn flow_up(&mut self, checked: &Checked, id: NodeId) -> bool {
        let mut changed = false;
        for lineage in &checked.typed(id).lineage {
            let [source] = lineage.sources.as_slice() else { continue };
            let same_value = match lineage.transformation {
                Transformation::Identity | Transformation::Expression => true,
                Transformation::Aggregation => false,
            };
            if same_value && self.node(id).is_masked(&lineage.column) {
                let input = TableName::parse(&source.table).and_then(|name| checked.graph.find(&name));
                changed |= input.is_some_and(|input| self.nodes[input.index()].insert(&source.column));
            }
        }
        changed
    }
}

fn tagged(contract: Option<&Contract>) -> Masked {
    let mut masked = Masked::default();
    for column in contract.into_iter().flat_map(|contract| &contract.columns) {
        if column.tags.iter().any(|tag| is_personal(tag)) {
            masked.insert(&column.column.name);
        }
    }
    masked
}

/// `pii`, and finer tags below it: `pii.email`, `pii:name`.
fn is_personal(tag: &str) -> bool {
    let tag = tag.to_lowercase();
    tag.strip_prefix("pii").is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', '/', '-', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finer_tags_count_and_longer_words_do_not() {
        assert!(is_personal("PII") && is_personal("pii.email") && is_personal("pii:name"));
        assert!(!is_personal("piiblic") && !is_personal("not pii"));
    }
}
