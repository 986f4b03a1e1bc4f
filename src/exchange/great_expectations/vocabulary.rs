//! The names that Great Expectations has, 0.18 and 1.x, with the arguments of each.

use serde_json::{Map, Value};

use super::arguments::given;
use crate::diagnostic::{Fix, code, join_pointer};
use crate::kind::Problem;
use crate::name;

/// An expectation of the library.
pub(super) struct Word {
    pub name: &'static str,
    /// Whether it counts rows, so that `mostly` means something and rows can be taken out.
    pub of_rows: bool,
    /// Its arguments besides those of all.
    pub arguments: &'static [&'static str],
}

/// Arguments of every expectation that say nothing of the rows: how results are shown, and what profilers leave behind.
const WITHOUT_MEANING: [&str; 12] = [
    "result_format",
    "catch_exceptions",
    "include_config",
    "batch_id",
    "meta",
    "id",
    "notes",
    "description",
    "rendered_content",
    "severity",
    "library_metadata",
    "allow_cross_type_comparisons",
];

/// Arguments that medc cannot honour, and why; harmless where they are off.
const REFUSED: [(&str, &str); 5] = [
    ("auto", "the bounds are those that the suite says; medc estimates none"),
    ("profiler_config", "the bounds are those that the suite says; medc estimates none"),
    ("windows", "the bounds are those that the suite says; medc estimates none"),
    ("table", "the suite is of one table, which the project names"),
    (
        "parse_strings_as_datetimes",
        "medc casts to the contract's types before it looks: declare the column as `timestamp` or `date`",
    ),
];

/// Expectations of the library, or of older versions, that medc has no equal of.
pub(super) const WITHOUT_EQUAL: [(&str, &str); 7] = [
    (
        "expect_column_values_to_match_json_schema",
        "medc does not hold values against JSON Schemas; `json_parseable` tests their form",
    ),
    (
        "expect_query_results_to_match_comparison",
        "it compares with another data source, which medc does not connect to",
    ),
    (
        "expect_column_bootstrapped_ks_test_p_value_to_be_greater_than",
        "its bootstrap is random; `distribution` has exact tests",
    ),
    (
        "expect_column_chisquare_test_p_value_to_be_greater_than",
        "the library does not evaluate it either; `distribution` has the test",
    ),
    (
        "expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than",
        "`distribution` compares with rows or bins",
    ),
    ("expect_column_pair_cramers_phi_value_to_be_less_than", "medc does not measure association between columns"),
    (
        "expect_multicolumn_values_to_be_unique",
        "the library renamed it: `expect_select_column_values_to_be_unique_within_record`",
    ),
];

const BOUNDS: &[&str] = &["column", "min_value", "max_value", "strict_min", "strict_max"];
const COLUMN: &[&str] = &["column"];
const SET: &[&str] = &["column", "value_set"];
const COLUMNS: &[&str] = &["column_list", "ignore_row_if"];
const PAIR: &[&str] = &["column_A", "column_B", "ignore_row_if"];
const LIKE: &[&str] = &["column", "like_pattern", "escape"];
const LIKES: &[&str] = &["column", "like_pattern_list", "match_on", "escape"];
const ORDER: &[&str] = &["column", "strictly"];

const fn rows(name: &'static str, arguments: &'static [&'static str]) -> Word {
    Word { name, of_rows: true, arguments }
}

const fn table(name: &'static str, arguments: &'static [&'static str]) -> Word {
    Word { name, of_rows: false, arguments }
}

/// All that medc knows, by name.
pub(super) const WORDS: &[Word] = &[
    table("expect_column_distinct_values_to_be_in_set", SET),
    table("expect_column_distinct_values_to_contain_set", SET),
    table("expect_column_distinct_values_to_equal_set", SET),
    table(
        "expect_column_kl_divergence_to_be_less_than",
        &[
            "column",
            "partition_object",
            "threshold",
            "tail_weight_holdout",
            "internal_weight_holdout",
            "bucketize_data",
            "min_value",
            "max_value",
        ],
    ),
    table("expect_column_max_to_be_between", BOUNDS),
    table("expect_column_mean_to_be_between", BOUNDS),
    table("expect_column_median_to_be_between", BOUNDS),
    table("expect_column_min_to_be_between", BOUNDS),
    table("expect_column_most_common_value_to_be_in_set", &["column", "value_set", "ties_okay"]),
    rows("expect_column_pair_values_a_to_be_greater_than_b", &["column_A", "column_B", "or_equal", "ignore_row_if"]),
    rows("expect_column_pair_values_to_be_equal", PAIR),
    rows("expect_column_pair_values_to_be_in_set", &["column_A", "column_B", "value_pairs_set", "ignore_row_if"]),
    table("expect_column_proportion_of_non_null_values_to_be_between", BOUNDS),
    table("expect_column_proportion_of_unique_values_to_be_between", BOUNDS),
    table("expect_column_quantile_values_to_be_between", &["column", "quantile_ranges", "allow_relative_error"]),
    table("expect_column_stdev_to_be_between", BOUNDS),
    table("expect_column_sum_to_be_between", BOUNDS),
    table("expect_column_to_exist", &["column", "column_index"]),
    table("expect_column_type_to_be", &["column", "type_"]),
    table("expect_column_unique_value_count_to_be_between", BOUNDS),
    rows("expect_column_value_lengths_to_be_between", BOUNDS),
    rows("expect_column_value_lengths_to_equal", &["column", "value"]),
    rows("expect_column_value_z_scores_to_be_less_than", &["column", "threshold", "double_sided"]),
    rows("expect_column_values_to_be_between", BOUNDS),
    rows("expect_column_values_to_be_dateutil_parseable", COLUMN),
    rows("expect_column_values_to_be_decreasing", ORDER),
    rows("expect_column_values_to_be_in_set", SET),
    table("expect_column_values_to_be_in_type_list", &["column", "type_list"]),
    rows("expect_column_values_to_be_increasing", ORDER),
    rows("expect_column_values_to_be_json_parseable", COLUMN),
    rows("expect_column_values_to_be_null", COLUMN),
    table("expect_column_values_to_be_of_type", &["column", "type_"]),
    rows("expect_column_values_to_be_unique", COLUMN),
    rows("expect_column_values_to_match_like_pattern", LIKE),
    rows("expect_column_values_to_match_like_pattern_list", LIKES),
    rows("expect_column_values_to_match_regex", &["column", "regex"]),
    rows("expect_column_values_to_match_regex_list", &["column", "regex_list", "match_on"]),
    rows("expect_column_values_to_match_strftime_format", &["column", "strftime_format"]),
    rows("expect_column_values_to_not_be_in_set", SET),
    rows("expect_column_values_to_not_be_null", COLUMN),
    rows("expect_column_values_to_not_be_outliers", &["column", "method", "multiplier"]),
    rows("expect_column_values_to_not_match_like_pattern", LIKE),
    rows("expect_column_values_to_not_match_like_pattern_list", LIKES),
    rows("expect_column_values_to_not_match_regex", &["column", "regex"]),
    rows("expect_column_values_to_not_match_regex_list", &["column", "regex_list"]),
    rows("expect_compound_columns_to_be_unique", COLUMNS),
    rows("expect_multicolumn_sum_to_equal", &["column_list", "sum_total", "ignore_row_if"]),
    rows("expect_multicolumn_values_to_be_equal", COLUMNS),
    rows("expect_select_column_values_to_be_unique_within_record", COLUMNS),
    table("expect_table_column_count_to_be_between", &["min_value", "max_value"]),
    table("expect_table_column_count_to_equal", &["value"]),
    table("expect_table_columns_to_match_ordered_list", &["column_list"]),
    table("expect_table_columns_to_match_set", &["column_set", "exact_match"]),
    table("expect_table_row_count_to_be_between", &["min_value", "max_value", "strict_min", "strict_max"]),
    table("expect_table_row_count_to_equal", &["value"]),
    table("expect_table_row_count_to_equal_other_table", &["other_table_name"]),
    table("unexpected_rows_expectation", &["unexpected_rows_query"]),
];

/// Holds that all arguments are known, and that none of those that medc cannot honour is in use.
pub(super) fn check(word: &Word, kwargs: &Map<String, Value>) -> Result<(), Problem> {
    for (key, value) in kwargs {
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| refused == key) {
            if matches!(value, Value::Null | Value::Bool(false)) {
                continue;
            }
            return Err(Problem::new(
                code::EXCHANGE_ARGUMENT,
                join_pointer("", key),
                format!("medc cannot honour `{key}`"),
            )
            .note(*why)
            .help(format!("remove `{key}`, or set it to `false`")));
        }
        // Presets of parameters stand beside the arguments.
        if is_known(word, key) || key.starts_with("$PARAMETER.") || value.is_null() && key == "mostly" {
            continue;
        }
        return Err(unknown(word, key));
    }
    Ok(())
}

fn is_known(word: &Word, key: &str) -> bool {
    let of_rows = ["row_condition", "condition_parser"];
    word.arguments.contains(&key)
        || WITHOUT_MEANING.contains(&key)
        || of_rows.contains(&key)
        || (word.of_rows || is_type(word)) && key == "mostly"
}

/// Types are decided for the column as a whole, so that a share of its rows says nothing; the library takes one.
fn is_type(word: &Word) -> bool {
    word.arguments.contains(&"type_") || word.arguments.contains(&"type_list")
}

fn unknown(word: &Word, key: &str) -> Problem {
    let shared = ["row_condition", "condition_parser"].iter().chain(word.of_rows.then_some(&"mostly"));
    let known: Vec<&str> = word.arguments.iter().chain(shared).copied().collect();
    let near = name::nearest(key, known.iter().copied());
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it takes {}", name::list(&known)),
    };
    let problem = Problem::new(
        code::EXCHANGE_UNKNOWN_ARGUMENT,
        join_pointer("", key),
        format!("`{}` has no argument `{key}`", word.name),
    )
    .help(help);
    Problem { fix: near.map(Fix::value), ..problem }
}

/// Whether any of the keys has a value.
pub(super) fn any(kwargs: &Map<String, Value>, keys: &[&str]) -> bool {
    keys.iter().any(|key| given(kwargs, key).is_some())
}
