//! `accepted_values`: the column holds nothing but these values.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Sentence, Subject};
use crate::diagnostic::code;
use crate::ir::Test;
use crate::kind::{self, Problem, Scalar};

/// The column holds nothing but these values; NULLs are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct AcceptedValues {
    /// The values. Example: `[paid, refunded]`.
    #[schemars(length(min = 1))]
    values: Vec<Scalar>,
}

/// # Errors
/// `resolve::expectation` without a column or when a value stands twice.
pub(super) fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let AcceptedValues { values } = super::body(value)?;
    let column = subject.column()?;
    for (index, value) in values.iter().enumerate() {
        if values[..index].contains(value) {
            return Err(Problem::new(
                code::EXPECTATION,
                format!("/values/{index}"),
                format!("the value `{value}` stands twice"),
            )
            .help("remove it"));
        }
    }
    let literals: Vec<String> = values.iter().map(|value| kind::scalar_literal(value, subject.data_type)).collect();
    let quoted = kind::column(column);
    let site = (subject.site_of)("/values");
    let shown: Vec<String> = values.iter().take(6).map(ToString::to_string).collect();
    let more = if values.len() > 6 { ", …" } else { "" };
    Ok(Sentence {
        label: format!("{column} in ({}{more})", shown.join(", ")),
        columns: vec![column.to_owned()],
        test: Test::Row {
            considered: Some(kind::generated(format!("{quoted} IS NOT NULL"), &site)),
            violated: kind::generated(format!("{quoted} NOT IN ({})", literals.join(", ")), &site),
        },
    })
}
