//! `distinct_values`: which different values the column has.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Example, Form, Kind, Sentence, Short, Subject, TableColumn, Tool, schema_of, values};
use crate::diagnostic::code;
use crate::ir::Dimension;
use crate::kind::{self, Problem, Scalar};

pub(super) const KIND: Kind = Kind {
    name: "distinct_values",
    of_column: true,
    dimension: Dimension::Accuracy,
    form: Form::Groups,
    schema: schema_of::<DistinctValues>,
    short: Short::Long,
    lower,
    example: Example {
        column: Some(("status", "string")),
        expect: &[
            "distinct_values: {equal: [paid, refunded]}",
            "distinct_values: {within: {table: silver.statuses, column: status}}",
        ],
    },
    alike: &[
        (
            Tool::GreatExpectations,
            "expect_column_distinct_values_to_equal_set, expect_column_distinct_values_to_contain_set, expect_column_distinct_values_to_be_in_set",
        ),
        (Tool::Dbt, "dbt_expectations.expect_column_distinct_values_to_equal_set"),
    ],
};

/// Which different values the column has; NULL is none of them. Compared with a list, or with another table's column.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct DistinctValues {
    /// Exactly these. Example: `[setosa, versicolor, virginica]`.
    equal: Option<Set>,
    /// These at least. Example: `[paid]`.
    contain: Option<Set>,
    /// None but these. Example: `{table: silver.countries, column: code}`.
    within: Option<Set>,
}

/// A set of values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Set {
    /// These values.
    Values(Vec<Scalar>),
    /// The values of another table's column.
    Of(TableColumn),
}

/// A set as an SQL array, and for people.
fn array(set: &Set, pointer: &str, column: &str, subject: &Subject<'_>) -> Result<(String, String), Problem> {
    match set {
        Set::Values(listed) => {
            let literals = values::literals(listed, pointer, column, subject.data_type)?;
            Ok((values::array(&literals, subject.data_type), values::shown(listed)))
        }
        Set::Of(TableColumn { table, column }) => {
            let table = values::table(table, &format!("{pointer}/table"))?;
            let query = format!("(SELECT collect_set({}) FROM {table})", kind::column(column));
            Ok((query, format!("those of {table}.{column}")))
        }
    }
}

/// # Errors
/// `resolve::expectation` without a column, for none or several sets, or for values of another type.
fn lower(value: &Value, subject: &Subject<'_>) -> Result<Sentence, Problem> {
    let DistinctValues { equal, contain, within } = super::body(value)?;
    let column = subject.column_of("distinct_values", values::is_simple, "simple values")?;
    let (set, pointer) = match (&equal, &contain, &within) {
        (Some(set), None, None) => (set, "/equal"),
        (None, Some(set), None) => (set, "/contain"),
        (None, None, Some(set)) => (set, "/within"),
        _ => {
            let problem = "`distinct_values` takes one of `equal`, `contain` and `within`";
            return Err(Problem::new(code::EXPECTATION, "", problem).help("keep one; say the others by themselves"));
        }
    };
    let (array, shown) = array(set, pointer, column, subject)?;
    let none_beyond = format!("size(array_except(observed, {array})) = 0");
    let none_missing = format!("size(array_except({array}, observed)) = 0");
    let (holds, label) = match pointer {
        "/equal" => (format!("{none_beyond} AND {none_missing}"), format!("are {shown}")),
        "/contain" => (none_missing, format!("contain {shown}")),
        _ => (none_beyond, format!("are within {shown}")),
    };
    let pointer = if matches!(set, Set::Of(_)) { format!("{pointer}/table") } else { String::new() };
    let collected = format!("sort_array(collect_set({}))", values::numbers(column, subject.data_type));
    Ok(subject
        .aggregate(&[column], format!("distinct values of {column} {label}"), collected, holds)
        .comparing((subject.site_of)(&pointer)))
}
