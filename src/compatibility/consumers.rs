//! Who reads which columns, and who reads what is made of these.
//!
//! In: a checked graph. Out: [`Readers`]. Values are followed from column to column as far as they flow. A column that a
//! table only filters, joins or sorts by flows nowhere by lineage, but its loss breaks the query: a query that names a
//! column of its input counts as a reader, with no column of its own. Names are matched as words, so a query that
//! reads two tables with such a column counts for both.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::check::Checked;
use crate::ir::{Body, Input, Node, Operation, Relation, Schema};
use crate::name::TableName;
use crate::sql::parse;

/// A table that reads what changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Consumer {
    /// `layer.name`.
    pub table: String,
    /// Its columns that are made of what changed, in its order. Empty when it reads the table, or uses the column in a
    /// condition, a join or an order only.
    pub columns: Vec<String>,
}

/// A column by table and name, the name in lower case.
type Place = (TableName, String);

/// Who reads what in a project.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readers {
    /// The columns that are made of a column: table and place among the table's columns, with its name.
    made_of: BTreeMap<Place, BTreeSet<(TableName, usize, String)>>,
    /// The tables whose queries name a column of which they make none.
    named_by: BTreeMap<Place, BTreeSet<TableName>>,
    /// The tables that read a table.
    of_table: BTreeMap<TableName, BTreeSet<TableName>>,
}

impl Readers {
    pub fn of(checked: &Checked) -> Self {
        let mut readers = Readers::default();
        for (node, (typed, inputs)) in checked.graph.nodes.values().zip(checked.typed.iter().zip(&checked.graph.inputs))
        {
            let mut flows: BTreeSet<Place> = BTreeSet::new();
            for (index, column) in typed.lineage.iter().enumerate() {
                for source in &column.sources {
                    let Some(table) = TableName::parse(&source.table) else { continue };
                    let place = (table, source.column.to_lowercase());
                    flows.insert(place.clone());
                    let made = (node.name.clone(), index, column.column.clone());
                    readers.made_of.entry(place).or_default().insert(made);
                }
            }
            let named = words(node);
            for input in inputs {
                let read = checked.graph.node(*input);
                readers.of_table.entry(read.name.clone()).or_default().insert(node.name.clone());
                let columns = checked.typed(*input).schema.iter().flat_map(Schema::names);
                for column in columns.map(str::to_lowercase).filter(|column| named.contains(column)) {
                    let place = (read.name.clone(), column);
                    if !flows.contains(&place) {
                        readers.named_by.entry(place).or_default().insert(node.name.clone());
                    }
                }
            }
        }
        readers
    }

    /// Those that read any of the columns of a table, near or far.
    pub(super) fn of_columns(&self, table: &TableName, columns: &[String], found: &mut Consumers) {
        let mut waiting: Vec<Place> = columns.iter().map(|column| (table.clone(), column.to_lowercase())).collect();
        let mut seen: BTreeSet<Place> = waiting.iter().cloned().collect();
        while let Some(place) = waiting.pop() {
            for (reader, index, column) in self.made_of.get(&place).into_iter().flatten() {
                found.tables.entry(reader.clone()).or_default().insert((*index, column.clone()));
                let next = (reader.clone(), column.to_lowercase());
                if seen.insert(next.clone()) {
                    waiting.push(next);
                }
            }
            for reader in self.named_by.get(&place).into_iter().flatten() {
                found.tables.entry(reader.clone()).or_default();
            }
        }
    }

    /// Those that read a table themselves.
    pub(super) fn of_table(&self, table: &TableName, found: &mut Consumers) {
        for reader in self.of_table.get(table).into_iter().flatten() {
            found.tables.entry(reader.clone()).or_default();
        }
    }
}

/// Consumers as they are found: by table, their columns in order.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    tables: BTreeMap<TableName, BTreeSet<(usize, String)>>,
}

impl Consumers {
    pub(super) fn listed(self) -> Vec<Consumer> {
        let consumer = |(table, columns): (TableName, BTreeSet<(usize, String)>)| {
            let mut names: Vec<String> = Vec::with_capacity(columns.len());
            for (_, column) in columns {
                // The two projects may have it in two places.
                if !names.contains(&column) {
                    names.push(column);
                }
            }
            Consumer { table: table.to_string(), columns: names }
        };
        self.tables.into_iter().map(consumer).collect()
    }
}

/// The words that a table's query or steps name, in lower case.
fn words(node: &Node) -> BTreeSet<String> {
    let Body::Relation(Relation { input, operations }) = &node.body else { return BTreeSet::new() };
    let mut found = match input {
        Input::Query(sql) => parse::words(&sql.text),
        Input::Table { .. } => BTreeSet::new(),
    };
    for operation in operations {
        match operation {
            Operation::Filter(condition) => found.extend(parse::words(&condition.text)),
            Operation::Extend(columns) => {
                found.extend(columns.iter().flat_map(|computed| parse::words(&computed.expression.text)));
            }
            Operation::Rename(columns) => found.extend(columns.iter().map(|renamed| renamed.from.to_lowercase())),
            Operation::Latest { keys, order, .. } => {
                found.extend(keys.iter().map(|key| key.to_lowercase()));
                found.extend(order.iter().map(|key| key.column.to_lowercase()));
            }
        }
    }
    found
}
