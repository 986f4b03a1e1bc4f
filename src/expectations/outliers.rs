//! `outliers`: no value is far from the others.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::{DataType, Dimension, Test};
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "outliers",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Rows,
    schema: schema_of::<Outliers>,
    short: Short::WordOrKey("method"),
    lower,
    example: Example {
        column: Some(("amount", "double")),
        expect: &["outliers: {method: iqr, threshold: 3, mostly: 0.99}"],
    },
    alike: &[
        (
            Tool::GreatExpectations,
            "expect_column_value_z_scores_to_be_less_than, expect_column_values_to_not_be_outliers",
        ),
        (Tool::Dbt, "dbt_expectations.expect_column_values_to_be_within_n_stdevs"),
    ],
};

/// No value is far from the others. NULL and NaN are not looked at. By `stdev`, an outlier is `threshold` sample
/// standard deviations or more from the mean; by `iqr`, more than `threshold` times the interquartile range outside
/// of the quartiles (linear interpolation). Without any spread there are no outliers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Outliers {
    /// How far is measured. Default: `stdev`.
    #[serde(default)]
    method: Method,
    /// How many standard deviations or interquartile ranges. Default: 3 for `stdev`, 1.5 for `iqr`.
    threshold: Option<f64>,
    /// For `stdev`: whether values far below the mean are outliers, too. Default: true.
    double_sided: Option<bool>,
}

/// How far from the others is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Method {
    /// By standard deviations from the mean.
    #[default]
    Stdev,
    /// By interquartile ranges from the quartiles (Tukey's fences).
    Iqr,
}

/// # Errors
/// `resolve::expectation` without a column of numbers, or for options that do not go together.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Outliers { method, threshold, double_sided } = super::body(value)?;
    let column = subject.column_of("outliers", values::is_number, "numbers")?;
    let threshold = threshold.unwrap_or(match method {
        Method::Stdev => 3.0,
        Method::Iqr => 1.5,
    });
    if !threshold.is_finite() || threshold < 0.0 {
        return Err(Problem::new(code::EXPECTATION, "/threshold", format!("{threshold} is no distance"))
            .help("write a number that is not negative, e.g. `3`"));
    }
    if double_sided.is_some() && method == Method::Iqr {
        return Err(Problem::new(code::EXPECTATION, "/double_sided", "`double_sided` goes with `method: stdev`")
            .help("remove it; the interquartile range has two sides"));
    }
    let quoted = kind::column(column);
    let numbers = format!("CAST({quoted} AS DOUBLE)");
    let (violated, label) = match method {
        Method::Stdev => {
            let distance = format!("({numbers} - avg({numbers}) OVER ())");
            let distance = if double_sided.unwrap_or(true) { format!("abs{distance}") } else { distance };
            let spread = format!("stddev_samp({numbers}) OVER ()");
            let violated = format!("{distance} / nullif({spread}, 0) >= {threshold}");
            (violated, format!("{column} within {threshold} standard deviations"))
        }
        Method::Iqr => {
            let quartile = |at: &str| format!("percentile({numbers}, {at}) OVER ()");
            let (low, high) = (quartile("0.25"), quartile("0.75"));
            let reach = format!("{threshold} * ({high} - {low})");
            let violated = format!("{numbers} < {low} - {reach} OR {numbers} > {high} + {reach}");
            (violated, format!("{column} within {threshold} interquartile ranges"))
        }
    };
    let considered = match subject.data_type {
        Some(DataType::Float | DataType::Double) => format!("{quoted} IS NOT NULL AND NOT isnan({quoted})"),
        Some(_) | None => format!("{quoted} IS NOT NULL"),
    };
    Ok(Sentence {
        label,
        columns: vec![column.to_owned()],
        test: Test::Window { considered: Some(subject.sql(considered, "")), violated: subject.sql(violated, "") },
    })
}
