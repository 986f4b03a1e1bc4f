//! Checks for Databricks Labs DQX, one YAML file a table.
//!
//! A check is a name, a criticality, and a function of DQX's own with its arguments. What has no function of its own is
//! `sql_expression`, a condition that a good row keeps. DQX marks rows: an `error` row is bad, a `warn` row only marked, so
//! `warn` here is what only warns. Source: the list of check functions of `databricks-labs-dqx`.

use serde_json::{Map, Value, json};

use super::{Exported, File, LeftOut, sql, yaml};
use crate::check::Checked;
use crate::ir::{Assertion, Node, NodeId, OnViolation, Schema, Test};

/// Writes the checks of each of `tables` that has any.
pub fn export(checked: &Checked, tables: &[NodeId]) -> Exported {
    let mut exported = Exported::default();
    for id in tables {
        let node = checked.graph.node(*id);
        let schema = checked.typed(*id).schema.as_ref();
        let mut comments = Vec::new();
        let mut checks = Vec::new();
        for assertion in &node.assertions {
            match check(assertion, schema) {
                Ok(found) => checks.extend(found),
                Err(reason) => {
                    comments.push(format!("not said here: {} ({reason})", assertion.label));
                    exported.left_out.push(left_out(node, assertion, reason));
                }
            }
        }
        if !checks.is_empty() || !comments.is_empty() {
            let text = yaml::document(&comments, &Value::Array(checks));
            exported.files.push(File { path: format!("{}.dqx.yml", node.name), text });
        }
    }
    exported
}

fn left_out(node: &Node, assertion: &Assertion, reason: &str) -> LeftOut {
    LeftOut {
        table: node.name.clone(),
        sentence: format!("`{}`", assertion.label),
        reason: reason.to_owned(),
        site: assertion.site.clone(),
    }
}

/// The checks of an assertion: one, or two for an aggregate with two limits.
fn check(assertion: &Assertion, schema: Option<&Schema>) -> Result<Vec<Value>, &'static str> {
    if assertion.mostly < 1.0 {
        return Err("DQX judges each row, and has no share of rows");
    }
    let name = identifier(&assertion.label);
    if let Test::Aggregate { by, .. } = &assertion.test
        && assertion.kind != "freshness"
    {
        let limits = aggregate(assertion.kind, assertion, by)?;
        let is_one = limits.len() == 1;
        let named = limits.into_iter().map(|function| {
            let name =
                if is_one { name.clone() } else { format!("{name}_{}", function.0.trim_start_matches("is_aggr_")) };
            written(assertion, &name, function)
        });
        return Ok(named.collect());
    }
    Ok(vec![written(assertion, &name, function(assertion, schema)?)])
}

fn written(assertion: &Assertion, name: &str, (function, arguments): Function) -> Value {
    let mut out = Map::new();
    out.insert("name".to_owned(), json!(name));
    let criticality = if assertion.on_violation == OnViolation::Warn { "warn" } else { "error" };
    out.insert("criticality".to_owned(), json!(criticality));
    if let Some(filter) = &assertion.filter {
        out.insert("filter".to_owned(), json!(filter.text.trim()));
    }
    out.insert("check".to_owned(), json!({"function": function, "arguments": arguments}));
    if let Some(owner) = &assertion.owner {
        out.insert("user_metadata".to_owned(), json!({"owner": owner}));
    }
    Value::Object(out)
}

type Function = (&'static str, Map<String, Value>);

fn function(assertion: &Assertion, schema: Option<&Schema>) -> Result<Function, &'static str> {
    let column = assertion.columns.first().filter(|_| assertion.columns.len() == 1);
    let arguments = &assertion.arguments;
    let with = |pairs: &[(&str, Value)]| -> Map<String, Value> {
        let column = column.map(|column| ("column".to_owned(), json!(column)));
        column.into_iter().chain(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone()))).collect()
    };
    let has = |key: &str| arguments.get(key).is_some();
    let get = |key: &str| arguments.get(key).cloned().unwrap_or(Value::Null);
    let is_number = column.and_then(|column| schema?.column(column)).is_some_and(|known| known.data_type.is_numeric());
    // A text is an expression to DQX.
    let is_text = get("min").is_string() || get("max").is_string();
    let is_inclusive = !has("exclusive_min") && !has("exclusive_max") && is_number && !is_text;
    Ok(match (assertion.kind, &assertion.test) {
        ("not_null", _) => ("is_not_null", with(&[])),
        ("is_null", _) => ("is_null", with(&[])),
        ("accepted_values", _) => ("is_in_list", with(&[("allowed", get("values"))])),
        ("not_in", _) => ("is_not_in_list", with(&[("forbidden", get("values"))])),
        ("between", _) if is_inclusive && has("min") && has("max") => {
            ("is_in_range", with(&[("min_limit", get("min")), ("max_limit", get("max"))]))
        }
        ("between", _) if is_inclusive && has("min") => ("is_not_less_than", with(&[("limit", get("min"))])),
        ("between", _) if is_inclusive => ("is_not_greater_than", with(&[("limit", get("max"))])),
        ("matches", _) if has("regex") => ("regex_match", with(&[("regex", get("regex"))])),
        ("not_matches", _) if has("regex") => {
            ("regex_match", with(&[("regex", get("regex")), ("negate", json!(true))]))
        }
        ("unique", Test::Unique { columns }) => ("is_unique", columns_only(columns)),
        ("unique", Test::Window { .. }) if get("ignore_row_if") == "never" => {
            let mut own = columns_only(&assertion.columns);
            own.insert("nulls_distinct".to_owned(), json!(false));
            ("is_unique", own)
        }
        ("references", Test::Reference { columns, table, referenced }) => {
            let mut own = columns_only(columns);
            own.insert("ref_columns".to_owned(), json!(referenced));
            own.insert("ref_table".to_owned(), json!(table.name.to_string()));
            ("foreign_key", own)
        }
        (_, Test::Row { .. } | Test::Holds(_)) => {
            let expression = sql::holding(assertion).ok_or("it is no condition on a row")?;
            let mut own = Map::from_iter([("expression".to_owned(), json!(expression))]);
            own.insert("msg".to_owned(), json!(format!("not so: {}", assertion.label)));
            ("sql_expression", own)
        }
        ("freshness", _) => {
            let minutes = minutes(get("within").as_str().unwrap_or_default()).ok_or("DQX counts whole minutes")?;
            ("is_data_fresh", with(&[("max_age_minutes", json!(minutes))]))
        }
        (_, Test::Aggregate { .. }) => return Err("DQX has no such aggregate"),
        (_, Test::Window { .. }) => return Err("DQX's expressions do not look at other rows"),
        (_, Test::Query(_)) => return Err("DQX's queries have to give back the rows that they judge"),
        (_, Test::Distribution(_)) => return Err("DQX does not compare distributions"),
        (_, Test::Columns(_)) => return Err("DQX checks a whole schema, not single sentences about columns"),
        (_, Test::Unique { .. } | Test::Reference { .. }) => return Err("DQX has no function for it"),
    })
}

/// Aggregates that DQX knows, a function for each limit.
fn aggregate(kind: &str, assertion: &Assertion, by: &[String]) -> Result<Vec<Function>, &'static str> {
    let arguments = &assertion.arguments;
    let (aggregate, column) = match kind {
        "row_count" => ("count", "*"),
        "min" | "max" | "sum" | "mean" | "stdev" | "median" => {
            let column = assertion.columns.first().ok_or("it has no column")?;
            let aggregate = match kind {
                "mean" => "avg",
                "stdev" => "stddev",
                other => other,
            };
            (aggregate, column.as_str())
        }
        "distinct_count" => ("count_distinct", assertion.columns.first().ok_or("it has no column")?.as_str()),
        _ => return Err("DQX has no such aggregate"),
    };
    let exclusive = ["exclusive_min", "exclusive_max"].iter().any(|key| arguments.get(*key) == Some(&json!(true)));
    let between = arguments.get("between").and_then(Value::as_array);
    let (low, high) = match between {
        Some(between) => (between.first().cloned(), between.get(1).cloned()),
        None => (arguments.get("min").cloned(), arguments.get("max").cloned()),
    };
    if exclusive {
        return Err("DQX's limits of aggregates are inclusive");
    }
    let low = low.filter(|low| kind != "row_count" || *low != json!(0));
    let high = high.filter(|high| *high != json!(i64::MAX));
    let limits = [
        ("is_aggr_equal", arguments.get("equal").cloned()),
        ("is_aggr_not_less_than", low),
        ("is_aggr_not_greater_than", high),
    ];
    let written = limits.into_iter().filter_map(|(function, limit)| {
        let mut own = Map::from_iter([("column".to_owned(), json!(column)), ("limit".to_owned(), limit?)]);
        own.insert("aggr_type".to_owned(), json!(aggregate));
        if !by.is_empty() {
            own.insert("group_by".to_owned(), json!(by));
        }
        Some((function, own))
    });
    let written: Vec<Function> = written.collect();
    if written.is_empty() { Err("DQX compares an aggregate with numbers only") } else { Ok(written) }
}

fn columns_only(columns: &[String]) -> Map<String, Value> {
    Map::from_iter([("columns".to_owned(), json!(columns))])
}

/// Whole minutes of a duration such as `1d12h`.
fn minutes(text: &str) -> Option<u64> {
    let mut seconds: u64 = 0;
    let mut digits = String::new();
    for character in text.trim().chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        seconds = seconds.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    (seconds.is_multiple_of(60) && seconds > 0).then_some(seconds / 60)
}

/// A label as a name: lower case, digits and underscores.
fn identifier(label: &str) -> String {
    let mut name = String::new();
    for character in label.chars() {
        if character.is_alphanumeric() || character == '_' {
            name.extend(character.to_lowercase());
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
    }
    name.trim_end_matches('_').chars().take(120).collect()
}
