//! `length`: how many characters the column's texts have.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bounds::Bounds;
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "length",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<Length>,
    short: Short::Key("equal"),
    lower,
    example: Example {
        column: Some(("country", "string")),
        expect: &["length: 2", "length: {min: 1, max: 3, on_violation: warn}"],
    },
    alike: &[
        (Tool::GreatExpectations, "expect_column_value_lengths_to_be_between, expect_column_value_lengths_to_equal"),
        (Tool::Dbt, "dbt_expectations.expect_column_value_lengths_to_be_between"),
        (Tool::Odcs, "logicalTypeOptions `minLength` and `maxLength`"),
    ],
};

/// How many characters the column's texts have, between two numbers (both inclusive) or exactly one. NULLs are not
/// looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Length {
    /// The least number of characters. Example: `2`.
    min: Option<u64>,
    /// The greatest number of characters. Example: `64`.
    max: Option<u64>,
    /// The exact number of characters. Example: `11`.
    equal: Option<u64>,
}

/// # Errors
/// `resolve::expectation` without a column of texts, without bounds, or when no length lies between them.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Length { min, max, equal } = super::body(value)?;
    let column = subject.column_of("length", values::is_text, "texts")?;
    let length = format!("length({})", kind::column(column));
    if let Some(equal) = equal {
        if min.is_some() || max.is_some() {
            return Err(Problem::new(code::EXPECTATION, "/equal", "`equal` stands beside other bounds")
                .help("keep `equal`, or `min` and `max`"));
        }
        return Ok(subject.each_value(column, format!("length of {column} = {equal}"), format!("{length} <> {equal}")));
    }
    let bounds = Bounds::inclusive(min.map(Into::into), max.map(Into::into));
    bounds.check("length", column, None)?;
    Ok(subject.each_value(column, bounds.label(&format!("length of {column}")), bounds.violated(&length, None)))
}
