//! `columns_equal`: some columns are equal in every row.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::several::{self, IgnoreRowIf};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "columns_equal",
    of_column: false,
    dimension: Dimension::Consistency,
    form: Form::Row,
    schema: schema_of::<ColumnsEqual>,
    short: Short::Key("columns"),
    lower,
    example: Example { column: None, expect: &["columns_equal: [amount, paid_amount]"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_pair_values_to_be_equal, expect_multicolumn_values_to_be_equal"),
        (Tool::Dbt, "dbt_expectations.expect_column_pair_values_to_be_equal"),
    ],
};

/// Some columns are equal in every row. Two NULLs are equal, a NULL and a value are not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ColumnsEqual {
    /// The columns, at least two. Example: `[billed, paid]`.
    #[schemars(length(min = 2))]
    columns: Vec<String>,
    /// Which rows are not looked at: those in which `all_null` (default) or `any_null` of the columns are NULL, or `never`
    /// any.
    #[serde(default)]
    ignore_row_if: IgnoreRowIf,
}

/// # Errors
/// `resolve::expectation` for fewer than two columns, or one that is not there.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let ColumnsEqual { columns, ignore_row_if } = super::body(value)?;
    several::check("columns_equal", &columns, subject, values::is_simple, "simple values")?;
    let mut quoted = columns.iter().map(|column| kind::column(column));
    let first = quoted.next().unwrap_or_default();
    let violated: Vec<String> = quoted.map(|other| format!("({first} IS DISTINCT FROM {other})")).collect();
    let label = format!("{} are equal", columns.join(", "));
    Ok(several::sentence(subject, &columns, ignore_row_if, label, violated.join(" OR ")))
}
