//! `less_than`: the column's values are less than one value.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem, Scalar};

pub(super) const KIND: Kind = Kind {
    name: "less_than",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Row,
    schema: schema_of::<LessThan>,
    short: Short::Key("value"),
    lower,
    example: Example { column: Some(("quantity", "int")), expect: &["less_than: 100"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_values_to_be_between with `strict_max`"),
        (Tool::Dbt, "dbt_utils.accepted_range"),
        (Tool::Odcs, "logicalTypeOptions `exclusiveMaximum`"),
    ],
};

/// The column's values are less than one value. NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct LessThan {
    /// The value: a number, or a date or timestamp as text. Example: `100`.
    value: Scalar,
    /// Whether the value itself holds, too. Default: false.
    #[serde(default)]
    or_equal: bool,
}

/// # Errors
/// `resolve::expectation` without a column, or for a value of another type.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let LessThan { value: bound, or_equal } = super::body(value)?;
    let column = subject.column_of("less_than", values::is_ordered, "numbers, dates or texts")?;
    values::check(&bound, "/value", column, subject.data_type)?;
    let (holds, violates) = if or_equal { ("<=", ">") } else { ("<", ">=") };
    let violated = format!("{} {violates} {}", kind::column(column), kind::scalar_literal(&bound, subject.data_type));
    Ok(subject.each_value(column, format!("{column} {holds} {bound}"), violated))
}
