//! `not_null`: the column has a value in every row.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Sentence, Subject};
use crate::ir::Test;
use crate::kind::{self, Problem};

/// The column has a value in every row.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct NotNull {}

/// # Errors
/// `resolve::expectation` without a column.
pub(super) fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let NotNull {} = super::body(value)?;
    let column = subject.column()?;
    let violated = kind::generated(format!("{} IS NULL", kind::column(column)), &(subject.site_of)(""));
    Ok(Sentence {
        label: format!("{column} is not null"),
        columns: vec![column.to_owned()],
        test: Test::Row { considered: None, violated },
    })
}
