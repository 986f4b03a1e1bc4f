//! `column_greater`: one column is greater than another in every row.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::several::{self, IgnoreRowIf};
use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, unfit, values};
use crate::diagnostic::code;
use crate::ir::Dimension;
use crate::kind::{self, Problem};
use crate::name;

pub(super) const KIND: Kind = Kind {
    name: "column_greater",
    of_column: true,
    dimension: Dimension::Consistency,
    form: Form::Row,
    schema: schema_of::<ColumnGreater>,
    short: Short::Key("than"),
    lower,
    example: Example {
        column: Some(("shipped_at", "timestamp")),
        expect: &["column_greater: {than: ordered_at, or_equal: true, ignore_row_if: any_null}"],
    },
    alike: &[
        (Tool::GreatExpectations, "expect_column_pair_values_a_to_be_greater_than_b"),
        (Tool::Dbt, "dbt_expectations.expect_column_pair_values_A_to_be_greater_than_B"),
    ],
};

/// One column is greater than another in every row. A row with one of them NULL violates, unless it is ignored.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct ColumnGreater {
    /// The column that is less. Example: `ordered_at`.
    than: String,
    /// Whether they may be equal. Default: false.
    #[serde(default)]
    or_equal: bool,
    /// Which rows are not looked at: those in which `all_null` (default) or `any_null` of the columns are NULL, or `never`
    /// any.
    #[serde(default)]
    ignore_row_if: IgnoreRowIf,
}

/// # Errors
/// `resolve::expectation` without a column, or for one that is not there or the same.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let ColumnGreater { than, or_equal, ignore_row_if } = super::body(value)?;
    let column = subject.column_of("column_greater", values::is_ordered, "numbers, dates or texts")?;
    if name::same(column, &than) {
        return Err(Problem::new(code::EXPECTATION, "/than", format!("`{column}` is compared with itself"))
            .help("name another column"));
    }
    if let Some(other) = subject.other(&than, "/than")?
        && !values::is_ordered(other)
    {
        return Err(unfit("column_greater", "/than", &than, other, "numbers, dates or texts"));
    }
    let word = if or_equal { ">=" } else { ">" };
    let violated = format!("NOT coalesce({} {word} {}, false)", kind::column(column), kind::column(&than));
    let label = format!("{column} {word} {than}");
    Ok(several::sentence(subject, &[column.to_owned(), than], ignore_row_if, label, violated))
}
