//! `date_parseable`: the column's texts are dates or timestamps.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, moment, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "date_parseable",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Row,
    schema: schema_of::<DateParseable>,
    short: Short::WordOrKey("format"),
    lower,
    example: Example {
        column: Some(("ordered_on", "string")),
        expect: &["date_parseable", "date_parseable: {format: dd/MM/yyyy, on_violation: warn}"],
    },
    alike: &[
        (
            Tool::GreatExpectations,
            "expect_column_values_to_be_dateutil_parseable, expect_column_values_to_match_strftime_format",
        ),
        (Tool::Odcs, "logicalTypeOptions `format`"),
    ],
};

/// The column's texts are dates or timestamps that exist. NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct DateParseable {
    /// The form, as a Java pattern of `y M d H m s S`. Default: ISO 8601, a date or a timestamp. Example: `dd/MM/yyyy`.
    format: Option<String>,
}

/// # Errors
/// `resolve::expectation` without a column of texts, or for a pattern that is not understood.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let DateParseable { format } = super::body(value)?;
    let column = subject.column_of("date_parseable", values::is_text, "texts")?;
    let quoted = kind::column(column);
    let (holds, label) = match &format {
        None => (moment::is_iso(&quoted), format!("{column} is a date or timestamp")),
        Some(format) => (moment::has_form(&quoted, format, "/format")?, format!("{column} is a date like {format}")),
    };
    Ok(subject.each_value(column, label, format!("NOT ({holds})")))
}
