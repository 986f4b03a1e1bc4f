//! `distinct_count`: how many different values the column has.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "distinct_count",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Groups,
    schema: schema_of::<DistinctCount>,
    short: Short::Long,
    lower,
    example: Example { column: Some(("country", "string")), expect: &["distinct_count: {min: 1, max: 200}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_unique_value_count_to_be_between"),
        (Tool::Dbt, "dbt_expectations.expect_column_unique_value_count_to_be_between"),
    ],
};

/// How many different values the column has; NULL is none of them. At least one bound is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct DistinctCount {
    /// The least number of values. Example: `3`.
    min: Option<u64>,
    /// The greatest number of values. Example: `3`.
    max: Option<u64>,
}

/// # Errors
/// `resolve::expectation` without a column, without bounds, or when no number lies between them.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let DistinctCount { min, max } = super::body(value)?;
    let column = subject.column_of("distinct_count", values::is_simple, "simple values")?;
    let bounds = Bounds::inclusive(min.map(Into::into), max.map(Into::into));
    bounds.check("distinct_count", column, None)?;
    let counted = format!("count(DISTINCT {})", values::numbers(column, subject.data_type));
    let label = bounds.label(&format!("distinct values of {column}"));
    Ok(subject.aggregate(&[column], label, counted, bounds.holds("observed", None)))
}
