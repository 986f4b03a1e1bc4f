//! Sentences that the library has a name for.

use serde_json::{Map, Value, json};

use super::{Version, Written};
use crate::ir::{Assertion, ColumnsTest, DataType, Test};
use crate::name::TableName;

/// The library's name and arguments; `None` where it has none, or means something else.
pub(super) fn write(assertion: &Assertion, own: &TableName, version: Version) -> Option<Written> {
    if let Test::Aggregate { by, .. } = &assertion.test
        && assertion.kind != "most_common"
        && !by.is_empty()
    {
        // The library has no groups.
        return None;
    }
    // A test of the columns that there are keeps its column in itself.
    let tested = match &assertion.test {
        Test::Columns(ColumnsTest::Among { names, .. }) => names.first(),
        Test::Columns(ColumnsTest::Type { column, .. }) => Some(column),
        _ => None,
    };
    let body = Body { members: assertion.arguments.as_object(), column: assertion.columns.first().or(tested) };
    match assertion.kind {
        "columns_equal" | "column_greater" | "column_pair_in" | "columns_distinct" | "columns_sum" | "unique" => {
            several(assertion, &body, version)
        }
        "columns" | "column_exists" | "column_count" | "of_type" | "row_count" => table(assertion, &body, own),
        _ => values(assertion, &body, version).or_else(|| aggregates(assertion, &body, version)),
    }
}

/// An assertion's arguments.
struct Body<'a> {
    members: Option<&'a Map<String, Value>>,
    column: Option<&'a String>,
}

impl Body<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.members?.get(key).filter(|value| !value.is_null())
    }

    fn is_on(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool) == Some(true)
    }

    /// Arguments of a column's expectation: pairs of the library's key and a value, absent ones left out.
    fn column<const N: usize>(&self, pairs: [(&str, Option<Value>); N]) -> Map<String, Value> {
        let column = ("column", self.column.map(|column| json!(column)));
        given([column].into_iter().chain(pairs))
    }

    fn bounds(&self) -> Map<String, Value> {
        let strict = |key| self.is_on(key).then_some(json!(true));
        self.column([
            ("min_value", self.get("min").cloned()),
            ("max_value", self.get("max").cloned()),
            ("strict_min", strict("exclusive_min")),
            ("strict_max", strict("exclusive_max")),
        ])
    }
}

fn given<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Map<String, Value> {
    pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "the value of a match whose other arms have none")]
fn rows(type_name: &'static str, kwargs: Map<String, Value>) -> Option<Written> {
    Some(Written { type_name, kwargs, of_rows: true })
}

#[expect(clippy::unnecessary_wraps, reason = "the value of a match whose other arms have none")]
fn whole(type_name: &'static str, kwargs: Map<String, Value>) -> Option<Written> {
    Some(Written { type_name, kwargs, of_rows: false })
}

fn values(assertion: &Assertion, body: &Body<'_>, version: Version) -> Option<Written> {
    match assertion.kind {
        "not_null" => rows("expect_column_values_to_not_be_null", body.column([])),
        "is_null" => rows("expect_column_values_to_be_null", body.column([])),
        "accepted_values" => {
            rows("expect_column_values_to_be_in_set", body.column([("value_set", body.get("values").cloned())]))
        }
        "not_in" => {
            rows("expect_column_values_to_not_be_in_set", body.column([("value_set", body.get("values").cloned())]))
        }
        "between" => rows("expect_column_values_to_be_between", body.bounds()),
        "greater_than" | "less_than" => {
            let (bound, strict) = if assertion.kind == "greater_than" {
                ("min_value", "strict_min")
            } else {
                ("max_value", "strict_max")
            };
            let strictly = (!body.is_on("or_equal")).then_some(json!(true));
            let kwargs = body.column([(bound, body.get("value").cloned()), (strict, strictly)]);
            rows("expect_column_values_to_be_between", kwargs)
        }
        "length" => match body.get("equal") {
            Some(length) => {
                rows("expect_column_value_lengths_to_equal", body.column([("value", Some(length.clone()))]))
            }
            None => rows("expect_column_value_lengths_to_be_between", body.bounds()),
        },
        "json_parseable" => rows("expect_column_values_to_be_json_parseable", body.column([])),
        "matches" | "not_matches" | "like" | "not_like" => patterns(assertion.kind, body),
        "increasing" | "decreasing" if body.get("order_by").is_none() => {
            let strictly = body.is_on("strictly").then_some(json!(true));
            let name = if assertion.kind == "increasing" {
                "expect_column_values_to_be_increasing"
            } else {
                "expect_column_values_to_be_decreasing"
            };
            rows(name, body.column([("strictly", strictly)]))
        }
        "outliers" => outliers(body, version),
        _ => None,
    }
}

fn patterns(kind: &str, body: &Body<'_>) -> Option<Written> {
    let (one, one_key, several, several_key) = match kind {
        "matches" => {
            ("expect_column_values_to_match_regex", "regex", "expect_column_values_to_match_regex_list", "regex_list")
        }
        "not_matches" => (
            "expect_column_values_to_not_match_regex",
            "regex",
            "expect_column_values_to_not_match_regex_list",
            "regex_list",
        ),
        "like" => (
            "expect_column_values_to_match_like_pattern",
            "like_pattern",
            "expect_column_values_to_match_like_pattern_list",
            "like_pattern_list",
        ),
        _ => (
            "expect_column_values_to_not_match_like_pattern",
            "like_pattern",
            "expect_column_values_to_not_match_like_pattern_list",
            "like_pattern_list",
        ),
    };
    let single = body.get("regex").or_else(|| body.get("pattern"));
    if let Some(single) = single {
        return rows(one, body.column([(one_key, Some(single.clone()))]));
    }
    let listed = |key: &str| body.get(key).filter(|list| list.as_array().is_some_and(|list| !list.is_empty())).cloned();
    let negative = kind.starts_with("not_");
    let (list, match_on) = match (listed("any_of"), listed("all_of")) {
        (Some(list), _) => (list, "any"),
        (None, Some(list)) => (list, "all"),
        (None, None) => return None,
    };
    let match_on = (!negative).then_some(json!(match_on));
    rows(several, body.column([(several_key, Some(list)), ("match_on", match_on)]))
}

fn outliers(body: &Body<'_>, version: Version) -> Option<Written> {
    let method = body.get("method").and_then(Value::as_str).unwrap_or("stdev");
    let threshold = body.get("threshold").cloned();
    match (method, version) {
        ("iqr", Version::V1) => {
            let multiplier = threshold.or(Some(json!(1.5)));
            rows(
                "expect_column_values_to_not_be_outliers",
                body.column([("method", Some(json!("iqr"))), ("multiplier", multiplier)]),
            )
        }
        ("iqr", Version::V018) => None,
        _ => {
            let double_sided = body.get("double_sided").cloned().or(Some(json!(true)));
            let threshold = threshold.or(Some(json!(3.0)));
            let kwargs = body.column([("threshold", threshold), ("double_sided", double_sided)]);
            rows("expect_column_value_z_scores_to_be_less_than", kwargs)
        }
    }
}

fn aggregates(assertion: &Assertion, body: &Body<'_>, version: Version) -> Option<Written> {
    match assertion.kind {
        "min" => whole("expect_column_min_to_be_between", body.bounds()),
        "max" => whole("expect_column_max_to_be_between", body.bounds()),
        "mean" => whole("expect_column_mean_to_be_between", body.bounds()),
        "median" => whole("expect_column_median_to_be_between", body.bounds()),
        "stdev" => whole("expect_column_stdev_to_be_between", body.bounds()),
        "sum" => whole("expect_column_sum_to_be_between", body.bounds()),
        "distinct_count" => whole("expect_column_unique_value_count_to_be_between", body.bounds()),
        "unique_share" => whole("expect_column_proportion_of_unique_values_to_be_between", body.bounds()),
        "non_null_share" if version == Version::V1 => {
            whole("expect_column_proportion_of_non_null_values_to_be_between", body.bounds())
        }
        "most_common" => {
            let ties = body.is_on("ties_okay").then_some(json!(true));
            let kwargs = body.column([("value_set", body.get("values").cloned()), ("ties_okay", ties)]);
            whole("expect_column_most_common_value_to_be_in_set", kwargs)
        }
        "distinct_values" => {
            let names = [
                ("equal", "expect_column_distinct_values_to_equal_set"),
                ("contain", "expect_column_distinct_values_to_contain_set"),
                ("within", "expect_column_distinct_values_to_be_in_set"),
            ];
            let (key, name) = names.into_iter().find(|(key, _)| body.get(key).is_some())?;
            // The values of another table's column are no list.
            let list = body.get(key).filter(|set| set.is_array())?;
            whole(name, body.column([("value_set", Some(list.clone()))]))
        }
        "quantile" if !body.is_on("exclusive_min") && !body.is_on("exclusive_max") => {
            let bound = |key| body.get(key).cloned().unwrap_or(Value::Null);
            let ranges = json!({"quantiles": [body.get("at")], "value_ranges": [[bound("min"), bound("max")]]});
            let nearest = body.get("interpolation").and_then(Value::as_str) == Some("nearest");
            let error = if nearest { json!(false) } else { json!("linear") };
            let kwargs = body.column([("quantile_ranges", Some(ranges)), ("allow_relative_error", Some(error))]);
            whole("expect_column_quantile_values_to_be_between", kwargs)
        }
        "distribution" => divergence(body),
        _ => None,
    }
}

fn divergence(body: &Body<'_>) -> Option<Written> {
    if body.get("measure").and_then(Value::as_str) != Some("kl_divergence") {
        return None;
    }
    let reference = body.get("reference")?;
    let partition = if let Some(categories) = reference.get("categories").and_then(Value::as_object) {
        let (values, weights): (Vec<_>, Vec<_>) = categories.iter().map(|(name, share)| (json!(name), share)).unzip();
        json!({"values": values, "weights": weights})
    } else {
        let edges = reference.get("edges")?;
        let mut bins = json!({"bins": edges, "weights": reference.get("shares")?});
        if reference.get("below").is_some() || reference.get("above").is_some() {
            let tail = |key| reference.get(key).cloned().unwrap_or(json!(0.0));
            bins["tail_weights"] = json!([tail("below"), tail("above")]);
        }
        bins
    };
    let kwargs = body.column([
        ("partition_object", Some(partition)),
        ("threshold", body.get("at_most").cloned().or(Some(json!(0.1)))),
        ("tail_weight_holdout", body.get("tail_holdout").cloned()),
        ("internal_weight_holdout", body.get("internal_holdout").cloned()),
    ]);
    whole("expect_column_kl_divergence_to_be_less_than", kwargs)
}

fn several(assertion: &Assertion, body: &Body<'_>, version: Version) -> Option<Written> {
    let columns = &assertion.columns;
    let default = if assertion.kind == "unique" { "any_null" } else { "all_null" };
    let ignored = body.get("ignore_row_if").and_then(Value::as_str).unwrap_or(default);
    let of_list = match ignored {
        "any_null" => "any_value_is_missing",
        "never" => "never",
        _ => "all_values_are_missing",
    };
    let of_pair = match ignored {
        "any_null" => "either_value_is_missing",
        "never" => "neither",
        _ => "both_values_are_missing",
    };
    let list = |ignore: &str| given([("column_list", Some(json!(columns))), ("ignore_row_if", Some(json!(ignore)))]);
    let pair = || {
        let [left, right] = columns.as_slice() else { return None };
        let pairs = [("column_A", left.as_str()), ("column_B", right.as_str()), ("ignore_row_if", of_pair)];
        Some(given(pairs.map(|(key, value)| (key, Some(json!(value))))))
    };
    match assertion.kind {
        // Of one column, the library never looks at missing values.
        "unique" if columns.len() == 1 && ignored == "never" => None,
        "unique" if columns.len() == 1 => rows("expect_column_values_to_be_unique", body.column([])),
        "unique" => rows("expect_compound_columns_to_be_unique", list(of_list)),
        "columns_equal" if columns.len() == 2 => rows("expect_column_pair_values_to_be_equal", pair()?),
        "columns_equal" if version == Version::V1 => rows("expect_multicolumn_values_to_be_equal", list(of_list)),
        "columns_distinct" => rows("expect_select_column_values_to_be_unique_within_record", list(of_list)),
        "columns_sum" => {
            let mut kwargs = list(of_list);
            kwargs.insert("sum_total".to_owned(), body.get("equal")?.clone());
            rows("expect_multicolumn_sum_to_equal", kwargs)
        }
        "column_greater" => {
            let mut kwargs = pair()?;
            kwargs.insert("or_equal".to_owned(), json!(body.is_on("or_equal")));
            rows("expect_column_pair_values_a_to_be_greater_than_b", kwargs)
        }
        "column_pair_in" => {
            let mut kwargs = pair()?;
            kwargs.insert("value_pairs_set".to_owned(), body.get("pairs")?.clone());
            rows("expect_column_pair_values_to_be_in_set", kwargs)
        }
        _ => None,
    }
}

fn table(assertion: &Assertion, body: &Body<'_>, own: &TableName) -> Option<Written> {
    let range = || {
        let [min, max] = body.get("between")?.as_array()?.as_slice() else { return None };
        Some(given([("min_value", Some(min.clone())), ("max_value", Some(max.clone()))]))
    };
    let equal = || Some(given([("value", Some(body.get("equal")?.clone()))]));
    match assertion.kind {
        "row_count" if body.get("between").is_some() => whole("expect_table_row_count_to_be_between", range()?),
        "row_count" if body.get("equal").is_some() => whole("expect_table_row_count_to_equal", equal()?),
        "row_count" => {
            // To the library, which looks for it beside the batch's own table, a name has no layer.
            let full = body.get("equal_to")?.as_str()?;
            let beside = full.strip_prefix(own.layer.as_str()).and_then(|rest| rest.strip_prefix('.'));
            let other = json!(beside.unwrap_or(full));
            whole("expect_table_row_count_to_equal_other_table", given([("other_table_name", Some(other))]))
        }
        "column_count" if body.get("between").is_some() => whole("expect_table_column_count_to_be_between", range()?),
        "column_count" => whole("expect_table_column_count_to_equal", equal()?),
        "column_exists" => whole("expect_column_to_exist", body.column([])),
        "columns" => {
            if let Some(ordered) = body.get("ordered") {
                let kwargs = given([("column_list", Some(ordered.clone()))]);
                return whole("expect_table_columns_to_match_ordered_list", kwargs);
            }
            let exact = body.get("exact").cloned().unwrap_or(json!(true));
            let kwargs = given([("column_set", Some(body.get("set")?.clone())), ("exact_match", Some(exact))]);
            whole("expect_table_columns_to_match_set", kwargs)
        }
        "of_type" => {
            let types = body.get("types").or_else(|| body.get("type"))?;
            let listed = types.as_array().map_or_else(|| vec![types], |list| list.iter().collect());
            let names: Vec<&str> = listed.into_iter().map(|name| spark_class(name.as_str()?)).collect::<Option<_>>()?;
            whole("expect_column_values_to_be_in_type_list", body.column([("type_list", Some(json!(names)))]))
        }
        _ => None,
    }
}

/// Spark's class of a type, which is what the library compares; parameters are lost.
fn spark_class(written: &str) -> Option<&'static str> {
    Some(match DataType::parse(written).ok()? {
        DataType::String => "StringType",
        DataType::Tinyint => "ByteType",
        DataType::Smallint => "ShortType",
        DataType::Int => "IntegerType",
        DataType::Bigint => "LongType",
        DataType::Float => "FloatType",
        DataType::Double => "DoubleType",
        DataType::Boolean => "BooleanType",
        DataType::Binary => "BinaryType",
        DataType::Date => "DateType",
        DataType::Timestamp => "TimestampType",
        DataType::TimestampNtz => "TimestampNTZType",
        DataType::Decimal { .. } => "DecimalType",
        DataType::Array(..) => "ArrayType",
        DataType::Map(..) => "MapType",
        DataType::Struct(..) => "StructType",
    })
}
