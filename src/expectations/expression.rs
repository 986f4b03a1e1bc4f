//! `expression`: a free SQL expression is false for no row.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::ir::{Dimension, Sql, Test};
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "expression",
    of_column: false,
    dimension: Dimension::Consistency,
    form: Form::Row,
    schema: schema_of::<Expression>,
    short: Short::Key("sql"),
    lower,
    example: Example { column: None, expect: &["expression: amount = quantity * unit_price"] },
    alike: &[
        (Tool::GreatExpectations, "unexpected_rows_expectation"),
        (Tool::Dbt, "dbt_utils.expression_is_true"),
        (Tool::Odcs, "quality `type: sql`"),
    ],
};

/// A Databricks SQL expression is false for no row. A row for which it is NULL holds, as in SQL's CHECK.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Expression {
    /// The expression. Example: `amount = quantity * unit_price`.
    sql: String,
}

/// # Errors
/// None that the schema does not find; the expression is typed later.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Expression { sql } = super::body(value)?;
    let site = (subject.site_of)("/sql");
    let label = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Sentence {
        label,
        columns: subject.column.map(str::to_owned).into_iter().collect(),
        test: Test::Holds(Sql { text: sql.into(), site, authored: true }),
    })
}
