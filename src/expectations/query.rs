//! `query`: a query that finds no rows.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::ir::{Dimension, Sql, Test};
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "query",
    of_column: false,
    dimension: Dimension::Consistency,
    form: Form::Table,
    schema: schema_of::<Query>,
    short: Short::Key("sql"),
    lower,
    example: Example {
        column: None,
        expect: &["query: SELECT order_id FROM silver.orders GROUP BY order_id HAVING count(*) > 9"],
    },
    alike: &[
        (Tool::GreatExpectations, "unexpected_rows_expectation"),
        (Tool::Dbt, "a singular test"),
        (Tool::Odcs, "quality `type: sql`"),
    ],
};

/// A Databricks SQL query finds no rows: each row that it gives violates. Tables are named `layer.name`; the table's
/// own name stands for its new rows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Query {
    /// The query. Example: `SELECT * FROM silver.orders WHERE amount < 0`.
    sql: String,
}

/// # Errors
/// None that the schema does not find; the query is typed later.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Query { sql } = super::body(value)?;
    let site = (subject.site_of)("/sql");
    let shown = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Sentence {
        label: format!("no rows from {shown}"),
        columns: subject.column.map(str::to_owned).into_iter().collect(),
        test: Test::Query(Sql { text: sql.into(), site, authored: true }),
    })
}
