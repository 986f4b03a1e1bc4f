//! The query of a table: the author's text, or the steps as a chain of named queries.
//!
//! In: a node. Out: Spark SQL that open-source Spark runs too. Tables are named by `IDENTIFIER(:layer || '.table')`, as a
//! layer's schema has another name in each environment and for each developer. A table that comes `from` another starts from
//! the view `cast_rows`, which holds that table's rows cast to the contract's types. The last query's columns are those of the
//! node by name; which are kept, and their order, is the contract's business.

use crate::check::Checked;
use crate::ir::{Body, Computed, Input, Node, NodeId, Operation, Ordering, Relation, Sql};
use crate::kind;
use crate::name::{self, TableName};
use crate::sql::literals;
use crate::sql::rename::{self, Kind, NewName, quoted};

/// The view that holds the rows of `from`, cast.
const CAST_ROWS: &str = "cast_rows";

/// A text as a literal that comes out of Spark as it went in, from whatever file it is read.
pub(super) fn literal(text: &str) -> String {
    literals::unsubstituted(&kind::text_literal(text)).replace('\r', "\\r")
}

/// A table where a query reads it.
pub(super) fn reference(table: &TableName) -> String {
    let name = format!(".{}", quoted(&table.name));
    format!("IDENTIFIER(:{} || {})", quoted(&table.layer), kind::text_literal(&name))
}

/// A text with the project's tables named for Databricks. A text that does not parse was reported long ago.
pub(super) fn renamed(sql: &str, kind: Kind) -> String {
    let new_name = |table: &TableName| NewName { text: reference(table), keeps_name: true };
    let renamed = rename::rename(sql, kind, &new_name).unwrap_or_else(|_| sql.to_owned());
    literals::unsubstituted(&renamed).into_owned()
}

/// The query that gives a node's rows; `None` where they are read from files, or are another table's as they are.
pub(super) fn text(checked: &Checked, id: NodeId) -> Option<String> {
    let node = checked.graph.node(id);
    let Body::Relation(relation) = &node.body else { return None };
    of_relation(checked, node, relation)
}

/// The same for a table whose rows come as changes: which of several rows with one key stays is not the query's business.
pub(super) fn of_changes(checked: &Checked, id: NodeId) -> Option<String> {
    let node = checked.graph.node(id);
    let Body::Relation(relation) = &node.body else { return None };
    let mut relation = relation.clone();
    if let Some(Operation::Latest { .. }) = relation.operations.last() {
        relation.operations.pop();
    }
    of_relation(checked, node, &relation)
}

fn of_relation(checked: &Checked, node: &Node, relation: &Relation) -> Option<String> {
    match &relation.input {
        Input::Query(sql) if relation.operations.is_empty() => {
            let text = renamed(&sql.text, Kind::Query);
            Some(format!("{}\n", text.trim_end().trim_end_matches(';').trim_end()))
        }
        Input::Table { .. } if relation.operations.is_empty() => None,
        Input::Query(_) | Input::Table { .. } => Some(chain(checked, node, relation)),
    }
}

/// Steps as common table expressions, each over the one before.
fn chain(checked: &Checked, node: &Node, relation: &Relation) -> String {
    let mut columns = start_columns(checked, relation);
    let mut queries: Vec<(String, String)> = Vec::new();
    let mut last = match &relation.input {
        Input::Table { .. } => CAST_ROWS.to_owned(),
        Input::Query(sql) => {
            let query = renamed(&sql.text, Kind::Query);
            queries.push(("written".to_owned(), query.trim_end().trim_end_matches(';').trim_end().to_owned()));
            "written".to_owned()
        }
    };
    for operation in &relation.operations {
        let (word, query) = step(operation, &last, columns.as_deref());
        let n_before = queries.iter().filter(|(name, _)| name.trim_end_matches(char::is_numeric) == word).count();
        let name = if n_before == 0 { word.to_owned() } else { format!("{word}{}", n_before + 1) };
        if let Some(columns) = &mut columns {
            change(columns, operation);
        }
        queries.push((name.clone(), query));
        last = name;
    }
    let whence = match &relation.input {
        Input::Table { name, .. } => format!("the rows of {name}, step by step"),
        Input::Query(_) => "a query, and what is done to its rows".to_owned(),
    };
    let queries: Vec<String> =
        queries.iter().map(|(name, query)| format!("{name} AS (\n{}\n)", indented(query))).collect();
    format!("-- {}: {whence}.\nWITH {}\nSELECT * FROM {last}\n", node.name, queries.join(",\n"))
}

/// The columns that the steps start with; `None` where they are only known at run time.
fn start_columns(checked: &Checked, relation: &Relation) -> Option<Vec<String>> {
    match &relation.input {
        Input::Table { name, .. } => {
            let schema = checked.typed(checked.graph.find(name)?).schema.as_ref()?;
            Some(schema.names().map(str::to_lowercase).collect())
        }
        Input::Query(_) => None,
    }
}

fn change(columns: &mut Vec<String>, operation: &Operation) {
    match operation {
        Operation::Filter(_) | Operation::Latest { .. } => {}
        Operation::Extend(computed) => {
            for Computed { name, .. } in computed {
                if !columns.iter().any(|column| name::same(column, name)) {
                    columns.push(name.to_lowercase());
                }
            }
        }
        Operation::Rename(renamed) => {
            for column in columns.iter_mut() {
                if let Some(found) = renamed.iter().find(|one| name::same(&one.from, column)) {
                    *column = found.to.to_lowercase();
                }
            }
        }
    }
}

fn expression(sql: &Sql) -> String {
    renamed(sql.text.trim(), Kind::Expression)
}

/// A step's name and its query.
fn step(operation: &Operation, last: &str, columns: Option<&[String]>) -> (&'static str, String) {
    match operation {
        Operation::Filter(sql) => ("filtered", format!("SELECT *\nFROM {last}\nWHERE {}", expression(sql))),
        Operation::Extend(computed) => {
            let is_there = |name: &str| columns.is_none_or(|columns| columns.iter().any(|one| name::same(one, name)));
            let replaced: Vec<String> =
                computed.iter().filter(|one| is_there(&one.name)).map(|one| quoted(&one.name)).collect();
            let kept = except(&replaced);
            let new = computed.iter().map(|one| format!("{} AS {}", expression(&one.expression), quoted(&one.name)));
            ("extended", select(kept, new, last))
        }
        Operation::Rename(renamed) => {
            let old: Vec<String> = renamed.iter().map(|one| quoted(&one.from)).collect();
            let new = renamed.iter().map(|one| format!("{} AS {}", quoted(&one.from), quoted(&one.to)));
            ("renamed", select(except(&old), new, last))
        }
        Operation::Latest { keys, order, .. } => {
            let by: Vec<String> = keys.iter().map(|key| quoted(key)).collect();
            let ranked = format!(
                "SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {}) AS _rank\nFROM {last}",
                by.join(", "),
                ordering(keys, order, columns)
            );
            ("deduplicated", format!("SELECT * EXCEPT (_rank)\nFROM (\n{}\n)\nWHERE _rank = 1", indented(&ranked)))
        }
    }
}

/// The given order, then all other columns, so that the survivor never depends on the order in which rows come.
fn ordering(keys: &[String], order: &[Ordering], columns: Option<&[String]>) -> String {
    let mut parts: Vec<String> = order
        .iter()
        .map(|key| format!("{}{}", quoted(&key.column), if key.descending { " DESC" } else { "" }))
        .collect();
    let is_named =
        |column: &str| keys.iter().chain(order.iter().map(|key| &key.column)).any(|named| name::same(named, column));
    match columns {
        Some(columns) => parts.extend(columns.iter().filter(|column| !is_named(column)).map(|column| quoted(column))),
        None => parts.push("to_json(struct(*))".to_owned()),
    }
    if parts.is_empty() { "1".to_owned() } else { parts.join(", ") }
}

fn except(columns: &[String]) -> String {
    if columns.is_empty() { "*".to_owned() } else { format!("* EXCEPT ({})", columns.join(", ")) }
}

fn select(kept: String, new: impl Iterator<Item = String>, last: &str) -> String {
    let items: Vec<String> = std::iter::once(kept).chain(new).map(|column| format!("  {column}")).collect();
    format!("SELECT\n{}\nFROM {last}", items.join(",\n"))
}

/// Two blanks in front of each line, but for lines that begin within a text literal.
fn indented(query: &str) -> String {
    let literals = literals::ranges(query);
    let mut text = String::with_capacity(query.len());
    let mut start = 0;
    for line in query.split_inclusive('\n') {
        let is_within = literals.iter().any(|range| range.start < start && start < range.end);
        if !is_within && !line.trim().is_empty() {
            text.push_str("  ");
        }
        text.push_str(line);
        start += line.len();
    }
    text
}
