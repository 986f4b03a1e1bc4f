//! `between`: the column's values lie within bounds.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Sentence, Subject};
use crate::diagnostic::code;
use crate::ir::Test;
use crate::kind::{self, Problem, Scalar};

/// The column's values lie within bounds; NULLs are not looked at. At least one bound is given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Between {
    /// The least value: a number, or a date or timestamp as text.
    min: Option<Scalar>,
    /// The greatest value.
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
pub(super) fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Between { min, max, exclusive_min, exclusive_max } = super::body(value)?;
    let column = subject.column()?;
    if min.is_none() && max.is_none() {
        return Err(Problem::new(code::EXPECTATION, "", "`between` has neither `min` nor `max`")
            .help("give at least one bound, e.g. `between: {min: 0}`"));
    }
    if let (Some(Scalar::Number(low)), Some(Scalar::Number(high))) = (&min, &max)
        && low.as_f64() > high.as_f64()
    {
        return Err(Problem::new(code::EXPECTATION, "/min", format!("nothing lies between {low} and {high}"))
            .help(format!("swap them: `min: {high}, max: {low}`")));
    }
    let quoted = kind::column(column);
    let site = (subject.site_of)("");
    let mut outside = Vec::new();
    let mut label = vec![column.to_owned()];
    if let Some(min) = &min {
        let (outside_if, word) = if exclusive_min { ("<=", ">") } else { ("<", ">=") };
        outside.push(format!("{quoted} {outside_if} {}", kind::scalar_literal(min, subject.data_type)));
        label.push(format!("{word} {min}"));
    }
    if let Some(max) = &max {
        let (outside_if, word) = if exclusive_max { (">=", "<") } else { (">", "<=") };
        outside.push(format!("{quoted} {outside_if} {}", kind::scalar_literal(max, subject.data_type)));
        label.push(format!("{}{word} {max}", if min.is_some() { "and " } else { "" }));
    }
    Ok(Sentence {
        label: label.join(" "),
        columns: vec![column.to_owned()],
        test: Test::Row {
            considered: Some(kind::generated(format!("{quoted} IS NOT NULL"), &site)),
            violated: kind::generated(outside.join(" OR "), &site),
        },
    })
}
