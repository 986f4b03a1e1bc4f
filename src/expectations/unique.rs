//! `unique`: no two rows have the same values in these columns.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::several::{self, IgnoreRowIf};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::{Dimension, Test};
use crate::kind::{self, Problem};
use crate::name;

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

/// No two rows have the same values in these columns. Every row of a repeated key violates. Rows with a NULL among them are not
/// looked at, unless `ignore_row_if` says otherwise; then two NULLs are equal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Unique {
    /// The columns that are unique together. Default: the column that it stands below. Example: `[store, day]`.
    #[serde(default)]
    columns: Vec<String>,
    /// Which rows are not looked at: those in which `any_null` (default) or `all_null` of the columns are NULL, or `never` any.
    #[serde(default = "IgnoreRowIf::any_null")]
    ignore_row_if: IgnoreRowIf,
}

/// # Errors
/// `resolve::expectation` without a column, or for one that is not there or named twice.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Unique { mut columns, ignore_row_if } = super::body(value)?;
    if columns.is_empty() {
        columns.push(subject.column()?.to_owned());
    } else {
        values::refuse_repeated_columns(&columns, "/columns")?;
        for (index, column) in columns.iter().enumerate() {
            subject.other(column, &format!("/columns/{index}"))?;
        }
    }
    let listed = columns.join(", ");
    let label = match ignore_row_if {
        IgnoreRowIf::AnyNull => format!("{listed} is unique"),
        IgnoreRowIf::AllNull => format!("{listed} is unique, NULLs being equal"),
        IgnoreRowIf::Never => format!("{listed} is unique, rows of NULLs too"),
    };
    let has_nulls = |name: &String| {
        let known = subject.columns.iter().find(|known| name::same(&known.column.name, name));
        known.is_none_or(|known| known.column.nullable)
    };
    let nulls_are_equal = match ignore_row_if {
        IgnoreRowIf::AnyNull => false,
        // All of one column is any of it.
        IgnoreRowIf::AllNull => columns.len() > 1 && columns.iter().any(has_nulls),
        IgnoreRowIf::Never => columns.iter().any(has_nulls),
    };
    let test = if nulls_are_equal {
        let keys: Vec<String> = columns.iter().map(|column| kind::column(column)).collect();
        let repeated = format!("count(*) OVER (PARTITION BY {}) > 1", keys.join(", "));
        Test::Window {
            considered: several::considered(&columns, ignore_row_if).map(|text| subject.sql(text, "")),
            violated: subject.sql(repeated, ""),
        }
    } else {
        Test::Unique { columns: columns.clone() }
    };
    Ok(Sentence { label, columns, test })
}
