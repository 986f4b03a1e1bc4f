//! `numeric_parseable`: the column's texts are numbers of a type.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::{DataType, Dimension};
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "numeric_parseable",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<NumericParseable>,
    short: Short::Key("type"),
    lower,
    example: Example { column: Some(("price", "string")), expect: &["numeric_parseable: decimal(18,2)"] },
    alike: &[(Tool::GreatExpectations, "expect_column_values_to_match_regex")],
};

/// The column's texts are numbers of a type: plain digits with a sign and a decimal point, with an exponent for
/// `float` and `double`. NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct NumericParseable {
    /// The type that the texts are to fit in. Example: `decimal(18,2)`.
    #[serde(rename = "type")]
    data_type: String,
}

/// # Errors
/// `resolve::expectation` without a column of texts, or for a type that is none of numbers.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let NumericParseable { data_type } = super::body(value)?;
    let column = subject.column_of("numeric_parseable", values::is_text, "texts")?;
    let wanted = DataType::parse(&data_type).map_err(|reason| Problem::new(code::EXPECTATION, "/type", reason))?;
    let form = match &wanted {
        DataType::Tinyint | DataType::Smallint | DataType::Int | DataType::Bigint => r"^[+-]?[0-9]+\z",
        DataType::Decimal { .. } => r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)\z",
        DataType::Float | DataType::Double => r"^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?\z",
        DataType::Boolean
        | DataType::String
        | DataType::Binary
        | DataType::Date
        | DataType::Timestamp
        | DataType::TimestampNtz
        | DataType::Array(_)
        | DataType::Map(..)
        | DataType::Struct(_) => {
            return Err(Problem::new(code::EXPECTATION, "/type", format!("`{wanted}` is no type of numbers"))
                .help("write e.g. `int`, `double` or `decimal(18,2)`; for dates there is `date_parseable`"));
        }
    };
    let quoted = kind::column(column);
    let violated = format!(
        "NOT regexp_like({quoted}, {}) OR TRY_CAST({quoted} AS {}) IS NULL",
        kind::text_literal(form),
        wanted.to_string().to_uppercase()
    );
    Ok(subject.each_value(column, format!("{column} is a number of {wanted}"), violated))
}
