//! `between`: the column's values lie within bounds.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem, Scalar};

pub(super) const KIND: Kind = Kind {
    name: "between",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Row,
    schema: schema_of::<Between>,
    short: Short::Long,
    lower,
    example: Example { column: Some(("amount", "decimal(18,2)")), expect: &["between: {min: 0, max: 1000000}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_values_to_be_between"),
        (Tool::Dbt, "dbt_utils.accepted_range"),
        (Tool::Odcs, "logicalTypeOptions `minimum` and `maximum`"),
    ],
};

/// The column's values lie within bounds. NULLs are not looked at; NaN lies outside of any. At least one bound is
/// given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Between {
    /// The least value: a number, or a date or timestamp as text. Example: `0`.
    min: Option<Scalar>,
    /// The greatest value: a number, or a date or timestamp as text. Example: `2030-12-31`.
    max: Option<Scalar>,
    /// Whether `min` itself is outside. Default: false.
    #[serde(default)]
    exclusive_min: bool,
    /// Whether `max` itself is outside. Default: false.
    #[serde(default)]
    exclusive_max: bool,
}

/// # Errors
/// `resolve::expectation` without a column, without bounds, or when no value can lie between them.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Between { min, max, exclusive_min, exclusive_max } = super::body(value)?;
    let column = subject.column_of("between", values::is_ordered, "numbers, dates or texts")?;
    let bounds = Bounds { min, max, exclusive_min, exclusive_max };
    bounds.check("between", column, subject.data_type)?;
    let violated = bounds.violated(&kind::column(column), subject.data_type);
    Ok(subject.each_value(column, bounds.label(column), violated))
}
