//! `json_parseable`: the column's texts are JSON.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "json_parseable",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<JsonParseable>,
    short: Short::Word,
    lower,
    example: Example { column: Some(("payload", "string")), expect: &["json_parseable"] },
    alike: &[(Tool::GreatExpectations, "expect_column_values_to_be_json_parseable")],
};

/// The column's texts are JSON. NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct JsonParseable {}

/// # Errors
/// `resolve::expectation` without a column of texts.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let JsonParseable {} = super::body(value)?;
    let column = subject.column_of("json_parseable", values::is_text, "texts")?;
    let violated = format!("try_parse_json({}) IS NULL", kind::column(column));
    Ok(subject.each_value(column, format!("{column} is JSON"), violated))
}
