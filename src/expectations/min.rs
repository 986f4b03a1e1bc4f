//! `min`: the column's least value lies within bounds.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{Problem, Scalar};

pub(super) const KIND: Kind = Kind {
    name: "min",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Groups,
    schema: schema_of::<Min>,
    short: Short::Long,
    lower,
    example: Example { column: Some(("amount", "double")), expect: &["min: {min: 0, max: 100}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_min_to_be_between"),
        (Tool::Dbt, "dbt_expectations.expect_column_min_to_be_between"),
    ],
};

/// The column's least value lies within bounds. NULL and NaN are not looked at. Without any value it does not hold.
/// At least one bound is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
#[expect(clippy::struct_field_names, reason = "the keys are those of all bounds")]
pub struct Min {
    /// The least value of it: a number, or a date or timestamp as text. Example: `0`.
    min: Option<Scalar>,
    /// The greatest value of it: a number, or a date or timestamp as text. Example: `100`.
    max: Option<Scalar>,
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
    let Min { min, max, exclusive_min, exclusive_max } = super::body(value)?;
    let column = subject.column_of("min", values::is_ordered, "numbers, dates or texts")?;
    let bounds = Bounds { min, max, exclusive_min, exclusive_max };
    bounds.check("min", column, subject.data_type)?;
    let numbers = values::numbers(column, subject.data_type);
    let label = bounds.label(&format!("min of {column}"));
    Ok(subject.aggregate(&[column], label, format!("min({numbers})"), bounds.holds("observed", subject.data_type)))
}
