//! `decreasing`: each value is no greater than the one before it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::sequence::{self, Direction};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::ir::Dimension;
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "decreasing",
    of_column: true,
    dimension: Dimension::Consistency,
    form: Form::Rows,
    schema: schema_of::<Decreasing>,
    short: Short::Word,
    lower,
    example: Example { column: Some(("reading", "double")), expect: &["decreasing: {order_by: [read_at]}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_values_to_be_decreasing"),
        (Tool::Dbt, "dbt_expectations.expect_column_values_to_be_decreasing"),
    ],
};

/// Each value is less than or equal to the one before it. NULLs are left out; the first row holds.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Decreasing {
    /// Whether equal values violate. Default: false.
    #[serde(default)]
    strictly: bool,
    /// The columns that give the order. Default: `_source_file, _source_line`, the order of the source's lines. Example:
    /// `[read_at]`.
    #[serde(default)]
    order_by: Vec<String>,
}

/// # Errors
/// `resolve::expectation` without a column that has an order, and for a column that is not there.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Decreasing { strictly, order_by } = super::body(value)?;
    sequence::lower(Direction::Decreasing, strictly, &order_by, subject)
}
