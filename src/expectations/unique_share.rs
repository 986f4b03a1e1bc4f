//! `unique_share`: how many different values there are, as a share of all.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "unique_share",
    of_column: true,
    dimension: Dimension::Uniqueness,
    form: Form::Groups,
    schema: schema_of::<UniqueShare>,
    short: Short::Long,
    lower,
    example: Example { column: Some(("email", "string")), expect: &["unique_share: {min: 0.9}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_proportion_of_unique_values_to_be_between"),
        (Tool::Dbt, "dbt_expectations.expect_column_proportion_of_unique_values_to_be_between"),
    ],
};

/// How many different values there are, as a share of all values that are not NULL; 0 without any.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct UniqueShare {
    /// The least share. Example: `0.9`.
    #[schemars(range(min = 0, max = 1))]
    min: Option<serde_json::Number>,
    /// The greatest share. Example: `1`.
    #[schemars(range(min = 0, max = 1))]
    max: Option<serde_json::Number>,
}

/// # Errors
/// `resolve::expectation` without a column, without bounds, or when nothing lies between them.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let UniqueShare { min, max } = super::body(value)?;
    let column = subject.column_of("unique_share", values::is_simple, "simple values")?;
    let bounds = Bounds::inclusive(min, max);
    bounds.check("unique_share", column, None)?;
    let values = values::numbers(column, subject.data_type);
    let share = format!("coalesce(count(DISTINCT {values}) / nullif(count({values}), 0), 0)");
    let label = bounds.label(&format!("share of unique values of {column}"));
    Ok(subject.aggregate(&[column], label, share, bounds.holds("observed", None)))
}
