//! `non_null_share`: how many rows have a value, as a share of all.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "non_null_share",
    of_column: true,
    dimension: Dimension::Completeness,
    form: Form::Groups,
    schema: schema_of::<NonNullShare>,
    short: Short::Long,
    lower,
    example: Example { column: Some(("email", "string")), expect: &["non_null_share: {min: 0.95}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_proportion_of_non_null_values_to_be_between"),
        (Tool::Dbt, "dbt_utils.not_null_proportion"),
        (Tool::Odcs, "nullValues with `unit: percent`"),
    ],
};

/// How many rows have a value, as a share of all rows; 0 without any.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct NonNullShare {
    /// The least share. Example: `0.95`.
    #[schemars(range(min = 0, max = 1))]
    min: Option<serde_json::Number>,
    /// The greatest share. Example: `1`.
    #[schemars(range(min = 0, max = 1))]
    max: Option<serde_json::Number>,
}

/// # Errors
/// `resolve::expectation` without a column, without bounds, or when nothing lies between them.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let NonNullShare { min, max } = super::body(value)?;
    let column = subject.column()?;
    let bounds = Bounds::inclusive(min, max);
    bounds.check("non_null_share", column, None)?;
    let share = format!("coalesce(count({}) / nullif(count(*), 0), 0)", kind::column(column));
    let label = bounds.label(&format!("share of rows with {column}"));
    Ok(subject.aggregate(&[column], label, share, bounds.holds("observed", None)))
}
