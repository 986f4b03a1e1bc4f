//! `stdev`: the column's sample standard deviation lies within bounds.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "stdev",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Groups,
    schema: schema_of::<Stdev>,
    short: Short::Long,
    lower,
    example: Example { column: Some(("amount", "double")), expect: &["stdev: {min: 0, max: 100}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_stdev_to_be_between"),
        (Tool::Dbt, "dbt_expectations.expect_column_stdev_to_be_between"),
    ],
};

/// The column's sample standard deviation lies within bounds. NULL and NaN are not looked at. Without any value it
/// does not hold. At least one bound is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Stdev {
    /// The least value of it. Example: `0`.
    min: Option<serde_json::Number>,
    /// The greatest value of it. Example: `100`.
    max: Option<serde_json::Number>,
    /// Whether `min` itself is outside. Default: false.
    #[serde(default)]
    exclusive_min: bool,
    /// Whether `max` itself is outside. Default: false.
    #[serde(default)]
    exclusive_max: bool,
}

/// # Errors
/// `resolve::expectation` without a fitting column, without bounds, or when nothing lies between them.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Stdev { min, max, exclusive_min, exclusive_max } = super::body(value)?;
    let column = subject.column_of("stdev", values::is_number, "numbers")?;
    let bounds = Bounds::of_numbers(min, max, exclusive_min, exclusive_max);
    bounds.check("stdev", column, None)?;
    let numbers = values::numbers(column, subject.data_type);
    let label = bounds.label(&format!("stdev of {column}"));
    Ok(subject.aggregate(&[column], label, format!("stddev_samp({numbers})"), bounds.holds("observed", None)))
}
