//! `columns_distinct`: no two of some columns are equal in a row.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::several::{self, IgnoreRowIf};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::ir::Dimension;
use crate::kind::{self, Problem};

pub(super) const KIND: Kind = Kind {
    name: "columns_distinct",
    of_column: false,
    dimension: Dimension::Consistency,
    form: Form::Row,
    schema: schema_of::<ColumnsDistinct>,
    short: Short::Key("columns"),
    lower,
    example: Example { column: None, expect: &["columns_distinct: [home_phone, work_phone]"] },
    alike: &[
        (
            Tool::GreatExpectations,
            "expect_select_column_values_to_be_unique_within_record, expect_multicolumn_values_to_be_unique",
        ),
        (Tool::Dbt, "dbt_expectations.expect_select_column_values_to_be_unique_within_record"),
    ],
};

/// No two of some columns are equal in a row. Two NULLs are equal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ColumnsDistinct {
    /// The columns, at least two. Example: `[home_phone, work_phone]`.
    #[schemars(length(min = 2))]
    columns: Vec<String>,
    /// Which rows are not looked at: those in which `all_null` (default) or `any_null` of the columns are NULL, or `never`
    /// any.
    #[serde(default)]
    ignore_row_if: IgnoreRowIf,
}

/// # Errors
/// `resolve::expectation` for fewer than two columns, or one that is not there.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let ColumnsDistinct { columns, ignore_row_if } = super::body(value)?;
    several::check("columns_distinct", &columns, subject, values::is_simple, "simple values")?;
    let quoted: Vec<String> = columns.iter().map(|column| kind::column(column)).collect();
    let violated: Vec<String> = quoted
        .iter()
        .enumerate()
        .flat_map(|(place, one)| {
            quoted.iter().skip(place + 1).map(move |other| format!("({one} IS NOT DISTINCT FROM {other})"))
        })
        .collect();
    let label = format!("{} are distinct in a row", columns.join(", "));
    Ok(several::sentence(subject, &columns, ignore_row_if, label, violated.join(" OR ")))
}
