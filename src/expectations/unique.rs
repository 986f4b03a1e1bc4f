//! `unique`: no two rows have the same values in these columns.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::{Dimension, Test};
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "unique",
    of_column: false,
    dimension: Dimension::Uniqueness,
    form: Form::Rows,
    schema: schema_of::<Unique>,
    short: Short::WordOrKey("columns"),
    lower,
    example: Example { column: None, expect: &["unique: [order_id, line]"] },
    alike: &[
        (Tool::GreatExpectations, "expect_column_values_to_be_unique, expect_compound_columns_to_be_unique"),
        (Tool::Dbt, "unique, dbt_utils.unique_combination_of_columns"),
        (Tool::Odcs, "`unique`, duplicateValues"),
    ],
};

/// No two rows have the same values in these columns. Rows with a NULL among them are not looked at. Every row of a
/// repeated key violates.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Unique {
    /// The columns that are unique together. Default: the column that it stands below. Example: `[store, day]`.
    #[serde(default)]
    columns: Vec<String>,
}

/// # Errors
/// `resolve::expectation` without a column, or for one that is not there or named twice.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Unique { mut columns } = super::body(value)?;
    if columns.is_empty() {
        columns.push(subject.column()?.to_owned());
    } else {
        values::refuse_repeated_columns(&columns, "/columns")?;
        for (index, column) in columns.iter().enumerate() {
            subject.other(column, &format!("/columns/{index}"))?;
        }
    }
    Ok(Sentence {
        label: format!("{} is unique", columns.join(", ")),
        columns: columns.clone(),
        test: Test::Unique { columns },
    })
}
