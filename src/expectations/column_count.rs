//! `column_count`: how many columns the table has.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::diagnostic::code;
use crate::ir::{ColumnsTest, Dimension, Test};
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "column_count",
    of_column: false,
    dimension: Dimension::Validity,
    form: Form::Columns,
    schema: schema_of::<ColumnCount>,
    short: Short::Key("equal"),
    lower,
    example: Example { column: None, expect: &["column_count: {between: [1, 20]}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_table_column_count_to_be_between, expect_table_column_count_to_equal"),
        (Tool::Dbt, "dbt_expectations.expect_table_column_count_to_be_between"),
    ],
};

/// How many columns the table has: between two numbers (both inclusive), or exactly one number.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ColumnCount {
    /// The least and the greatest number of columns. Example: `[5, 10]`.
    between: Option<[u64; 2]>,
    /// The exact number of columns. Example: `5`.
    equal: Option<u64>,
}

/// # Errors
/// `resolve::expectation` when neither or both are given, or the bounds contradict each other.
fn lower(value: &Value, _subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let ColumnCount { between, equal } = super::body(value)?;
    let (min, max, label) = match (between, equal) {
        (Some([low, high]), None) if low <= high => (low, high, format!("column count between {low} and {high}")),
        (Some([low, high]), None) => {
            return Err(Problem::new(code::EXPECTATION, "/between", format!("nothing lies between {low} and {high}"))
                .help(format!("swap them: `[{high}, {low}]`")));
        }
        (None, Some(count)) => (count, count, format!("column count is {count}")),
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::new(code::EXPECTATION, "", "`column_count` takes `between` or `equal`, one of them")
                .help("e.g. `column_count: {between: [5, 10]}`"));
        }
    };
    Ok(Sentence {
        label,
        columns: Vec::new(),
        test: Test::Columns(ColumnsTest::Count { min: Some(min), max: Some(max) }),
    })
}
