//! `row_count`: how many rows the table has.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Sentence, Subject};
use crate::diagnostic::code;
use crate::ir::Test;
use crate::kind::{self, Problem};

/// How many rows the table has: between two numbers (both inclusive), or exactly one number.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct RowCount {
    /// The least and the greatest number of rows. Example: `[1, 1000000]`.
    between: Option<[u64; 2]>,
    /// The exact number of rows.
    equal: Option<u64>,
}

/// # Errors
/// `resolve::expectation` when neither or both are given, or the bounds contradict each other.
pub(super) fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let RowCount { between, equal } = super::body(value)?;
    let (low, high, label) = match (between, equal) {
        (Some([low, high]), None) if low <= high => (low, high, format!("row count between {low} and {high}")),
        (Some([low, high]), None) => {
            return Err(Problem::new(code::EXPECTATION, "/between", format!("nothing lies between {low} and {high}"))
                .help(format!("swap them: `[{high}, {low}]`")));
        }
        (None, Some(count)) => (count, count, format!("row count is {count}")),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::new(code::EXPECTATION, "", "`row_count` takes `between` or `equal`, one of them")
                .help("e.g. `row_count: {between: [1, 1000000]}`"));
        }
    };
    Ok(Sentence {
        label,
        columns: Vec::new(),
        test: Test::Aggregate {
            by: Vec::new(),
            value: kind::generated("count(*)", &(subject.site_of)("")),
            holds: kind::generated(format!("observed BETWEEN {low} AND {high}"), &(subject.site_of)("")),
        },
    })
}
