//! `quantile`: a quantile of the column lies within bounds.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::Dimension;
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "quantile",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Groups,
    schema: schema_of::<Quantile>,
    short: Short::Long,
    lower,
    example: Example { column: Some(("amount", "double")), expect: &["quantile: {at: 0.95, max: 1000}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_quantile_values_to_be_between (with `nearest`)"),
        (Tool::Dbt, "dbt_expectations.expect_column_quantile_values_to_be_between"),
    ],
};

/// A quantile of the column lies within bounds. NULL and NaN are not looked at. Without any value it does not hold.
/// At least one bound is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Quantile {
    /// Which quantile: the share of values that are not greater. Example: `0.95`.
    #[schemars(range(min = 0, max = 1))]
    at: f64,
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
    /// What a quantile between two values is: a point on the line between them (`linear`), or the nearer of the two
    /// (`nearest`). Default: `linear`.
    #[serde(default)]
    interpolation: Interpolation,
}

/// What a quantile between two values is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Interpolation {
    /// A point on the line between them.
    #[default]
    Linear,
    /// The nearer of the two.
    Nearest,
}

/// # Errors
/// `resolve::expectation` without a column of numbers, for a share outside of 0 to 1, or contradictory bounds.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Quantile { at, min, max, exclusive_min, exclusive_max, interpolation } = super::body(value)?;
    let column = subject.column_of("quantile", values::is_number, "numbers")?;
    if !(0.0..=1.0).contains(&at) {
        return Err(Problem::new(code::EXPECTATION, "/at", format!("{at} is no share"))
            .help("write a number from 0 to 1, e.g. `0.95`"));
    }
    let bounds = Bounds::of_numbers(min, max, exclusive_min, exclusive_max);
    bounds.check("quantile", column, None)?;
    let numbers = values::numbers(column, subject.data_type);
    let quantile = match interpolation {
        Interpolation::Linear => {
            format!("percentile({numbers}, {at})")
        }
        // Halves go to the even neighbour, as in numpy.
        Interpolation::Nearest => format!(
            "try_element_at(sort_array(collect_list({numbers})), \
             greatest(CAST(rint(CAST({at} AS DOUBLE) * (count({numbers}) - 1)) AS INT) + 1, 1))"
        ),
    };
    let label = bounds.label(&format!("quantile {at} of {column}"));
    Ok(subject.aggregate(&[column], label, quantile, bounds.holds("observed", None)))
}
