//! `columns_sum`: some columns add up to a number in every row.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::several::{self, IgnoreRowIf};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "columns_sum",
    of_column: false,
    dimension: Dimension::Consistency,
    form: Form::Row,
    schema: schema_of::<ColumnsSum>,
    short: Short::Long,
    lower,
    example: Example { column: None, expect: &["columns_sum: {columns: [share_card, share_cash], equal: 100}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_multicolumn_sum_to_equal"),
        (Tool::Dbt, "dbt_expectations.expect_multicolumn_sum_to_equal"),
    ],
};

/// Some columns add up to a number in every row. A row with a NULL among them violates, unless it is ignored.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ColumnsSum {
    /// The columns, at least two. Example: `[share_a, share_b]`.
    #[schemars(length(min = 2))]
    columns: Vec<String>,
    /// What they add up to. Example: `100`.
    equal: serde_json::Number,
    /// Which rows are not looked at: those in which `all_null` (default) or `any_null` of the columns are NULL, or `never`
    /// any.
    #[serde(default)]
    ignore_row_if: IgnoreRowIf,
}

/// # Errors
/// `resolve::expectation` for fewer than two columns of numbers, or one that is not there.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let ColumnsSum { columns, equal, ignore_row_if } = super::body(value)?;
    several::check("columns_sum", &columns, subject, values::is_number, "numbers")?;
    let sum = columns.iter().map(|column| kind::column(column)).collect::<Vec<_>>().join(" + ");
    let label = format!("{} = {equal}", columns.join(" + "));
    Ok(several::sentence(subject, &columns, ignore_row_if, label, format!("NOT coalesce({sum} = {equal}, false)")))
}
