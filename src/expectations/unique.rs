//! `unique`: no two rows have the same values in these columns.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Sentence, Subject};
use crate::diagnostic::code;
use crate::ir::Test;
use crate::kind::Problem;

/// No two rows have the same values in these columns; rows with a NULL among them are not looked at.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Unique {
    /// The columns that are unique together. Default: the column that it stands below.
    #[serde(default)]
    columns: Vec<String>,
}

/// # Errors
/// `resolve::expectation` without a column.
pub(super) fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Unique { mut columns } = super::body(value)?;
    if columns.is_empty() {
        columns.push(subject.column()?.to_owned());
    }
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].iter().any(|earlier| crate::name::same(earlier, column)) {
            let problem = format!("the column `{column}` is named twice");
            return Err(Problem::new(code::EXPECTATION, format!("/columns/{index}"), problem).help("remove it"));
        }
    }
    Ok(Sentence {
        label: format!("{} is unique", columns.join(", ")),
        columns: columns.clone(),
        test: Test::Unique { columns },
    })
}
