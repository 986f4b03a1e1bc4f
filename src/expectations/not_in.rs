//! `not_in`: the column holds none of these values.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem, Scalar};

pub(super) const KIND: Kind = Kind {
    name: "not_in",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<NotIn>,
    short: Short::Key("values"),
    lower,
    example: Example { column: Some(("status", "string")), expect: &["not_in: [unknown, test]"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_values_to_not_be_in_set"),
        (Tool::Dbt, "dbt_utils.not_accepted_values"),
    ],
};

/// The column holds none of these values. NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct NotIn {
    /// The values, of the column's type. Example: `[unknown, test]`.
    #[schemars(length(min = 1))]
    values: Vec<Scalar>,
}

/// # Errors
/// `resolve::expectation` without a column, or when a value stands twice or is of another type.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let NotIn { values } = super::body(value)?;
    let column = subject.column_of("not_in", values::is_simple, "simple values")?;
    let literals = values::literals(&values, "/values", column, subject.data_type)?;
    let violated = format!("{} IN ({})", kind::column(column), literals.join(", "));
    Ok(subject.each_value(column, format!("{column} not in {}", values::shown(&values)), violated))
}
