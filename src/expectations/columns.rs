//! `columns`: which columns the table has.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::{ColumnsTest, Dimension, Test};
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "columns",
    of_column: false,
    dimension: Dimension::Validity,
    form: Form::Columns,
    schema: schema_of::<Columns>,
    short: Short::Key("ordered"),
    lower,
    example: Example { column: None, expect: &["columns: {set: [order_id, amount], exact: false}"] },
    alike: &[
        (Tool::GreatExpectations, "expect_table_columns_to_match_ordered_list, expect_table_columns_to_match_set"),
        (Tool::Dbt, "dbt_expectations.expect_table_columns_to_match_ordered_list"),
    ],
};

/// Which columns the table has: a list in order, or a set.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Columns {
    /// Exactly these, in this order. Example: `[order_id, amount]`.
    ordered: Option<Vec<String>>,
    /// These, in any order. Example: `[order_id, amount]`.
    set: Option<Vec<String>>,
    /// For `set`: whether there are no others. Default: true.
    exact: Option<bool>,
}

/// # Errors
/// `resolve::expectation` when none or several are given, or a column is named twice.
fn lower(value: &Value, _subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let Columns { ordered, set, exact } = super::body(value)?;
    let (names, test, label) = match (ordered, set) {
        (Some(names), None) => {
            if exact.is_some() {
                return Err(Problem::new(code::EXPECTATION, "/exact", "`exact` goes with `set`")
                    .help("remove it; a list in order is always exact"));
            }
            values::refuse_repeated_columns(&names, "/ordered")?;
            (names.clone(), ColumnsTest::InOrder(names), "columns in order")
        }
        (None, Some(names)) => {
            values::refuse_repeated_columns(&names, "/set")?;
            let exact = exact.unwrap_or(true);
            let label = if exact { "columns are" } else { "columns are among others" };
            (names.clone(), ColumnsTest::Among { names, exact }, label)
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::new(code::EXPECTATION, "", "`columns` takes `ordered` or `set`, one of them")
                .help("e.g. `columns: {set: [order_id, amount], exact: false}`"));
        }
    };
    if names.is_empty() {
        return Err(Problem::new(code::EXPECTATION, "", "no column is named").help("name at least one"));
    }
    Ok(Sentence { label: format!("{label} {}", values::shown(&names)), columns: Vec::new(), test: Test::Columns(test) })
}
