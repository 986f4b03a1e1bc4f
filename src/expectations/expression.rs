//! `expression`: a free SQL expression is false for no row.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Sentence, Subject};
use crate::ir::{Sql, Test};
use crate::kind::Problem;

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
pub(super) fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Expression { sql } = super::body(value)?;
    let site = (subject.site_of)("/sql");
    let label = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Sentence {
        label,
        columns: subject.column.map(str::to_owned).into_iter().collect(),
        test: Test::Holds(Sql { text: sql.into(), site, authored: true }),
    })
}
