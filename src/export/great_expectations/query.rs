//! Sentences that the library lacks, as queries for the rows that violate.

use serde_json::{Map, json};

use super::Written;
use crate::ir::{Assertion, Node, Sql, Test};
use crate::kind;

/// A query that gives a row for each violation; `{batch}` stands for the rows under test.
///
/// # Errors
/// Why there is none, as a phrase.
pub(super) fn write(node: &Node, assertion: &Assertion) -> Result<Written, String> {
    if assertion.mostly < 1.0 {
        return Err("the rows that a query gives cannot be held against `mostly`".to_owned());
    }
    if assertion.kind == "volume" {
        return Err("it looks at earlier runs, which only medc knows".to_owned());
    }
    let batch = match &assertion.filter {
        Some(filter) => format!("(SELECT * FROM {{batch}} WHERE {})", filter.text),
        None => "{batch}".to_owned(),
    };
    let query = match &assertion.test {
        Test::Row { considered, violated } => {
            let conditions = both(considered.as_ref(), &violated.text);
            format!("SELECT * FROM {batch} WHERE {conditions}")
        }
        Test::Holds(expression) => format!("SELECT * FROM {batch} WHERE NOT ({})", expression.text),
        Test::Window { considered, violated } => {
            let considered = considered.as_ref().map(|sql| format!(" WHERE {}", sql.text)).unwrap_or_default();
            let rows = format!("SELECT *, ({}) AS violated FROM {batch}{considered}", violated.text);
            format!("SELECT * FROM ({rows}) WHERE violated")
        }
        Test::Unique { columns } => {
            let keys: Vec<String> = columns.iter().map(|column| kind::column(column)).collect();
            let given: Vec<String> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
            let counted = format!("count(*) OVER (PARTITION BY {}) AS n_rows", keys.join(", "));
            let rows = format!("SELECT *, {counted} FROM {batch} WHERE {}", given.join(" AND "));
            format!("SELECT * FROM ({rows}) WHERE n_rows > 1")
        }
        Test::Reference { columns, table, referenced } => {
            let given: Vec<String> =
                columns.iter().map(|column| format!("l.{} IS NOT NULL", kind::column(column))).collect();
            let equal: Vec<String> = columns
                .iter()
                .zip(referenced)
                .map(|(own, other)| format!("l.{} = r.{}", kind::column(own), kind::column(other)))
                .collect();
            let join = format!("{batch} AS l LEFT ANTI JOIN {} AS r ON {}", table.name, equal.join(" AND "));
            format!("SELECT l.* FROM {join} WHERE {}", given.join(" AND "))
        }
        Test::Aggregate { by, value, holds } => {
            let keys: Vec<String> = by.iter().map(|column| kind::column(column)).collect();
            let listed = keys.iter().map(|key| key.clone() + ", ").collect::<String>();
            let grouped = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
            let groups = format!("SELECT {listed}{} AS observed FROM {batch}{grouped}", value.text);
            let judged = format!("SELECT *, coalesce({}, FALSE) AS holds FROM ({groups})", holds.text);
            format!("SELECT * FROM ({judged}) WHERE NOT holds")
        }
        Test::Query(sql) => of_batch(&sql.text, node),
        Test::Distribution(_) => return Err("Great Expectations has no such distance of distributions".to_owned()),
        Test::Columns(_) => return Err("Great Expectations has no such test of columns".to_owned()),
    };
    // To the library the query is a format string of Python's, in which a brace is written twice.
    let query = query.replace('{', "{{").replace('}', "}}").replace("{{batch}}", "{batch}");
    let kwargs = Map::from_iter([("unexpected_rows_query".to_owned(), json!(query))]);
    Ok(Written { type_name: "unexpected_rows_expectation", kwargs, of_rows: false })
}

fn both(considered: Option<&Sql>, violated: &str) -> String {
    match considered {
        Some(considered) => format!("({}) AND ({violated})", considered.text),
        None => violated.to_owned(),
    }
}

/// The author's query with the batch in place of the table's own name.
fn of_batch(query: &str, node: &Node) -> String {
    let own = node.name.to_string();
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == '.';
    let mut replaced = String::with_capacity(query.len());
    let mut rest = query;
    while let Some(at) = rest.to_ascii_lowercase().find(&own) {
        let (before, found) = rest.split_at(at);
        let (name, after) = found.split_at(own.len());
        let alone = !before.ends_with(is_part) && !after.starts_with(is_part);
        replaced.push_str(before);
        replaced.push_str(if alone { "{batch}" } else { name });
        rest = after;
    }
    replaced + rest
}
