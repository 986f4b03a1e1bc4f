//! `accepted_values`: the column holds nothing but these values.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem, Scalar};

pub(super) const KIND: Kind = Kind {
    name: "accepted_values",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<AcceptedValues>,
    short: Short::Key("values"),
    lower,
    example: Example { column: Some(("status", "string")), expect: &["accepted_values: [paid, refunded]"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_values_to_be_in_set"),
        (Tool::Dbt, "accepted_values"),
        (Tool::Odcs, "invalidValues with `validValues`"),
    ],
};

/// The column holds nothing but these values. NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct AcceptedValues {
    /// The values, of the column's type. Example: `[paid, refunded]`.
    #[schemars(length(min = 1))]
    values: Vec<Scalar>,
}

/// # Errors
/// `resolve::expectation` without a column, or when a value stands twice or is of another type.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let AcceptedValues { values } = super::body(value)?;
    let column = subject.column_of("accepted_values", values::is_simple, "simple values")?;
    let literals = values::literals(&values, "/values", column, subject.data_type)?;
    let violated = format!("{} NOT IN ({})", kind::column(column), literals.join(", "));
    Ok(subject.each_value(column, format!("{column} in {}", values::shown(&values)), violated))
}
