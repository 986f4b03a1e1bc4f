//! The dbt test that says what an assertion says.
//!
//! Source of the names: dbt's generic tests, and the packages `dbt_utils` 1.x and `dbt_expectations` 0.10.

use serde_json::{Map, Value, json};

use super::super::sql;
use super::Models;
use crate::ir::{self, Assertion, Schema};

/// Arguments by name; those without a value are left out.
type Pairs<'a> = Vec<(&'a str, Option<Value>)>;

/// A test's name and arguments.
pub(super) type Test = (String, Map<String, Value>);

/// A test, and the column that it stands below.
pub(super) struct Said {
    pub(super) column: Option<String>,
    pub(super) test: Test,
}

/// The test of an assertion.
///
/// # Errors
/// Why there is none.
pub(super) fn assertion(assertion: &Assertion, schema: &Schema, models: &Models) -> Result<Said, &'static str> {
    let arguments = &assertion.arguments;
    let get = |key: &str| arguments.get(key).filter(|value| !value.is_null()).cloned();
    let column = assertion.columns.first().filter(|column| schema.column(column).is_some()).cloned();
    let below =
        |test: &str, pairs: Vec<(&str, Option<Value>)>| Said { column: column.clone(), test: named(test, pairs) };
    let of_table = |test: &str, pairs: Vec<(&str, Option<Value>)>| Said { column: None, test: named(test, pairs) };
    if assertion.mostly < 1.0 {
        return match assertion.kind {
            "not_null" => Ok(below("dbt_utils.not_null_proportion", vec![("at_least", Some(json!(assertion.mostly)))])),
            _ => Err("dbt's tests count rows, and know no share of them"),
        };
    }
    Ok(match (assertion.kind, &assertion.test) {
        ("not_null", _) => below("not_null", vec![]),
        ("unique", ir::Test::Unique { columns }) if columns.len() == 1 => below("unique", vec![]),
        ("unique", ir::Test::Unique { columns }) => {
            of_table("dbt_utils.unique_combination_of_columns", vec![("combination_of_columns", Some(json!(columns)))])
        }
        ("accepted_values", _) => below("accepted_values", values(get("values"))),
        ("not_in", _) => below("dbt_utils.not_accepted_values", values(get("values"))),
        ("between" | "greater_than" | "less_than", _) => match range(assertion) {
            Some(pairs) => below("dbt_utils.accepted_range", pairs),
            None => expression(assertion)?,
        },
        ("references", ir::Test::Reference { columns, table, referenced }) => {
            match (columns.as_slice(), referenced.as_slice()) {
                ([_], [there]) => {
                    let model = models.get(&table.name).ok_or("the other table is no model")?;
                    let to = format!("ref('{model}')");
                    below("relationships", vec![("to", Some(json!(to))), ("field", Some(json!(there)))])
                }
                _ => return Err("dbt's `relationships` has one column"),
            }
        }
        ("matches" | "not_matches" | "like" | "not_like", _) => pattern(assertion, &below)?,
        ("length", _) => match get("equal") {
            Some(equal) => below("dbt_expectations.expect_column_value_lengths_to_equal", vec![("value", Some(equal))]),
            None => below(
                "dbt_expectations.expect_column_value_lengths_to_be_between",
                vec![("min_value", get("min")), ("max_value", get("max"))],
            ),
        },
        ("row_count", _) => row_count(assertion, models)?,
        ("column_exists", ir::Test::Columns(ir::ColumnsTest::Among { names, .. })) => match names.as_slice() {
            [only] if schema.column(only).is_some() => {
                Said { column: Some(only.clone()), test: named("dbt_expectations.expect_column_to_exist", vec![]) }
            }
            _ => return Err("there is no column below which it could stand"),
        },
        (_, ir::Test::Columns(test)) => of_columns(test)?,
        ("freshness", _) => {
            let (datepart, interval) = get("within")
                .and_then(|within| age(within.as_str()?))
                .ok_or("dbt's `recency` counts whole days, hours or minutes")?;
            let pairs = vec![
                ("datepart", Some(json!(datepart))),
                ("field", Some(json!(column))),
                ("interval", Some(json!(interval))),
            ];
            of_table("dbt_utils.recency", pairs)
        }
        (kind, ir::Test::Aggregate { by, .. }) => {
            let test = aggregate(kind).ok_or("neither dbt nor its packages have such an aggregate")?;
            if get("exclusive_min").is_some_and(|set| set == json!(true))
                != get("exclusive_max").is_some_and(|set| set == json!(true))
                && get("min").is_some()
                && get("max").is_some()
            {
                return Err("one of its bounds is exclusive, and dbt's test has one word for both");
            }
            let strictly = [get("exclusive_min"), get("exclusive_max")].contains(&Some(json!(true)));
            below(
                test,
                vec![
                    ("min_value", get("min")),
                    ("max_value", get("max")),
                    ("group_by", (!by.is_empty()).then(|| json!(by))),
                    ("strictly", strictly.then(|| json!(true))),
                ],
            )
        }
        (_, ir::Test::Row { .. } | ir::Test::Holds(_)) => expression(assertion)?,
        (_, ir::Test::Query(_)) => return Err("a query is a singular test in a file of its own"),
        (_, ir::Test::Window { .. }) => return Err("dbt's expressions do not look at other rows"),
        (_, ir::Test::Distribution(_)) => return Err("dbt's packages do not compare distributions"),
        (_, ir::Test::Unique { .. } | ir::Test::Reference { .. }) => return Err("dbt has no test for it"),
    })
}

fn named(test: &str, pairs: Vec<(&str, Option<Value>)>) -> Test {
    let arguments = pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    (test.to_owned(), arguments.collect())
}

/// Values as they stand in SQL: dbt quotes them unless told otherwise.
fn values(values: Option<Value>) -> Vec<(&'static str, Option<Value>)> {
    let is_text = values.as_ref().and_then(Value::as_array).is_some_and(|values| values.iter().all(Value::is_string));
    vec![("values", values), ("quote", (!is_text).then(|| json!(false)))]
}

/// Bounds that are numbers, both inclusive or both not.
fn range(assertion: &Assertion) -> Option<Vec<(&'static str, Option<Value>)>> {
    let arguments = &assertion.arguments;
    let is_set = |key: &str| arguments.get(key) == Some(&json!(true));
    let number = |key: &str| arguments.get(key).filter(|value| !value.is_null());
    let (min, max, exclusive) = match assertion.kind {
        "greater_than" => (number("value"), None, !is_set("or_equal")),
        "less_than" => (None, number("value"), !is_set("or_equal")),
        _ => {
            let (min, max) = (number("min"), number("max"));
            let low = min.map(|_| is_set("exclusive_min"));
            let high = max.map(|_| is_set("exclusive_max"));
            if low.is_some() && high.is_some() && low != high {
                return None;
            }
            (min, max, low.or(high)?)
        }
    };
    if min.into_iter().chain(max).any(|bound| !bound.is_number()) {
        return None;
    }
    Some(vec![("min_value", min.cloned()), ("max_value", max.cloned()), ("inclusive", exclusive.then(|| json!(false)))])
}

fn expression(assertion: &Assertion) -> Result<Said, &'static str> {
    let holding = sql::holding(assertion).ok_or("dbt's expressions look at one row")?;
    Ok(Said { column: None, test: named("dbt_utils.expression_is_true", vec![("expression", Some(json!(holding)))]) })
}

fn pattern(assertion: &Assertion, below: &dyn Fn(&str, Pairs<'_>) -> Said) -> Result<Said, &'static str> {
    let arguments = &assertion.arguments;
    let get = |key: &str| arguments.get(key).cloned();
    let (one, test, list) = match assertion.kind {
        "matches" => ("regex", "match_regex", "regex_list"),
        "not_matches" => ("regex", "not_match_regex", "regex_list"),
        "like" => ("pattern", "match_like_pattern", "like_pattern_list"),
        _ => ("pattern", "not_match_like_pattern", "like_pattern_list"),
    };
    let prefix = "dbt_expectations.expect_column_values_to_";
    let argument = if one == "regex" { "regex" } else { "like_pattern" };
    Ok(match (get(one), get("any_of"), get("all_of")) {
        (Some(single), ..) => below(&format!("{prefix}{test}"), vec![(argument, Some(single))]),
        (_, Some(any_of), _) => {
            below(&format!("{prefix}{test}_list"), vec![(list, Some(any_of)), ("match_on", Some(json!("any")))])
        }
        (.., Some(all_of)) => {
            below(&format!("{prefix}{test}_list"), vec![(list, Some(all_of)), ("match_on", Some(json!("all")))])
        }
        (None, None, None) => expression(assertion)?,
    })
}

fn row_count(assertion: &Assertion, models: &Models) -> Result<Said, &'static str> {
    let arguments = &assertion.arguments;
    let of_table = |test: &str, pairs: Vec<(&str, Option<Value>)>| Said { column: None, test: named(test, pairs) };
    let group_by = || ("group_by", arguments.get("group_by").cloned());
    if let Some(equal) = arguments.get("equal") {
        let pairs = vec![("value", Some(equal.clone())), group_by()];
        return Ok(of_table("dbt_expectations.expect_table_row_count_to_equal", pairs));
    }
    if let Some(other) = arguments.get("equal_to").and_then(Value::as_str) {
        let model = crate::name::TableName::parse(other)
            .and_then(|other| models.get(&other))
            .ok_or("the other table is no model")?;
        return Ok(of_table(
            "dbt_utils.equal_rowcount",
            vec![("compare_model", Some(json!(format!("ref('{model}')"))))],
        ));
    }
    let between = arguments.get("between").and_then(Value::as_array).ok_or("dbt has no test for it")?;
    let bound = |index: usize, none: i64| between.get(index).filter(|bound| **bound != json!(none)).cloned();
    let pairs = vec![("min_value", bound(0, 0)), ("max_value", bound(1, i64::MAX)), group_by()];
    Ok(of_table("dbt_expectations.expect_table_row_count_to_be_between", pairs))
}

fn of_columns(test: &ir::ColumnsTest) -> Result<Said, &'static str> {
    let of_table = |test: &str, pairs: Vec<(&str, Option<Value>)>| Said { column: None, test: named(test, pairs) };
    let list = |names: &[String]| Some(json!(names));
    Ok(match test {
        ir::ColumnsTest::InOrder(names) => {
            of_table("dbt_expectations.expect_table_columns_to_match_ordered_list", vec![("column_list", list(names))])
        }
        ir::ColumnsTest::Among { names, exact: true } => {
            of_table("dbt_expectations.expect_table_columns_to_match_set", vec![("column_list", list(names))])
        }
        ir::ColumnsTest::Among { names, exact: false } => {
            of_table("dbt_expectations.expect_table_columns_to_contain_set", vec![("column_list", list(names))])
        }
        ir::ColumnsTest::Count { min: Some(min), max: Some(max) } if min == max => {
            of_table("dbt_expectations.expect_table_column_count_to_equal", vec![("value", Some(json!(min)))])
        }
        ir::ColumnsTest::Count { min, max } => of_table(
            "dbt_expectations.expect_table_column_count_to_be_between",
            vec![("min_value", min.map(|min| json!(min))), ("max_value", max.map(|max| json!(max)))],
        ),
        ir::ColumnsTest::Type { .. } => return Err("the model's contract fixes the column's type"),
    })
}

fn aggregate(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "min" => "dbt_expectations.expect_column_min_to_be_between",
        "max" => "dbt_expectations.expect_column_max_to_be_between",
        "mean" => "dbt_expectations.expect_column_mean_to_be_between",
        "median" => "dbt_expectations.expect_column_median_to_be_between",
        "stdev" => "dbt_expectations.expect_column_stdev_to_be_between",
        "sum" => "dbt_expectations.expect_column_sum_to_be_between",
        "distinct_count" => "dbt_expectations.expect_column_unique_value_count_to_be_between",
        "unique_share" => "dbt_expectations.expect_column_proportion_of_unique_values_to_be_between",
        _ => return None,
    })
}

/// A duration in one unit, as `recency` wants it.
fn age(within: &str) -> Option<(&'static str, u64)> {
    let (number, unit) = within.split_at_checked(within.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "w" => Some(("day", number.checked_mul(7)?)),
        "d" => Some(("day", number)),
        "h" => Some(("hour", number)),
        "m" => Some(("minute", number)),
        _ => None,
    }
}
