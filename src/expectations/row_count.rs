//! `row_count`: how many rows the table has.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::Dimension;
use crate::kind::Problem;

pub(super) const KIND: Kind = Kind {
    name: "row_count",
    of_column: false,
    dimension: Dimension::Completeness,
    form: Form::Groups,
    schema: schema_of::<RowCount>,
    short: Short::Long,
    lower,
    example: Example {
        column: None,
        expect: &[
            "row_count: {between: [1, 1000000]}",
            "row_count: {between: [40, 60], group_by: [country], on_violation: warn}",
        ],
    },
    alike: &[
        (
            Tool::GreatExpectations,
            "expect_table_row_count_to_be_between, expect_table_row_count_to_equal, expect_table_row_count_to_equal_other_table",
        ),
        (Tool::Dbt, "dbt_utils.equal_rowcount, dbt_expectations.expect_table_row_count_to_be_between"),
        (Tool::Odcs, "rowCount"),
    ],
};

/// How many rows the table has: between two numbers (both inclusive), exactly one number, or as many as another
/// table.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct RowCount {
    /// The least and the greatest number of rows. Example: `[1, 1000000]`.
    between: Option<[u64; 2]>,
    /// The exact number of rows. Example: `150`.
    equal: Option<u64>,
    /// Another table that has as many rows, `layer.name`. Example: `bronze.orders`.
    equal_to: Option<String>,
}

/// # Errors
/// `resolve::expectation` when none or several are given, or the bounds contradict each other.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let RowCount { between, equal, equal_to } = super::body(value)?;
    let is_compared = equal_to.is_some();
    let (holds, label) = match (between, equal, equal_to) {
        (Some([low, high]), None, None) if low <= high => {
            (format!("observed BETWEEN {low} AND {high}"), format!("row count between {low} and {high}"))
        }
        (Some([low, high]), None, None) => {
            return Err(Problem::new(code::EXPECTATION, "/between", format!("nothing lies between {low} and {high}"))
                .help(format!("swap them: `[{high}, {low}]`")));
        }
        (None, Some(count), None) => (format!("observed = {count}"), format!("row count is {count}")),
        (None, None, Some(other)) => {
            let other = values::table(&other, "/equal_to")?;
            (format!("observed = (SELECT count(*) FROM {other})"), format!("row count is that of {other}"))
        }
        _ => {
            let problem = "`row_count` takes one of `between`, `equal` and `equal_to`";
            return Err(Problem::new(code::EXPECTATION, "", problem).help("e.g. `row_count: {between: [1, 1000000]}`"));
        }
    };
    let sentence = subject.aggregate(&[], label, "count(*)".to_owned(), holds);
    Ok(if is_compared { sentence.comparing((subject.site_of)("/equal_to")) } else { sentence })
}
