//! `column_exists`: the table has the column.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of};
use crate::ir::{ColumnsTest, Dimension, Test};
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "column_exists",
    of_column: true,
    dimension: Dimension::Validity,
    form: Form::Columns,
    schema: schema_of::<ColumnExists>,
    short: Short::Word,
    lower,
    example: Example { column: Some(("amount", "double")), expect: &["column_exists"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_to_exist"),
        (Tool::Dbt, "dbt_expectations.expect_column_to_exist"),
    ],
};

/// The table has the column.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ColumnExists {}

/// # Errors
/// `resolve::expectation` without a column.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let ColumnExists {} = super::body(value)?;
    let column = subject.column()?.to_owned();
    // The column is not among `columns`: that it is missing is for the test to say.
    Ok(Sentence {
        label: format!("{column} exists"),
        columns: Vec::new(),
        test: Test::Columns(ColumnsTest::Among { names: vec![column], exact: false }),
    })
}
