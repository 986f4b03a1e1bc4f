//! Assertions in the places that ODCS has for them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::{sentence, sql};
use super::{is_plain, is_primary_key};
use crate::exchange::odcs::MEDC;
use crate::expectations::KINDS;
use crate::ir::{Assertion, Column, DataType, Dimension, Node, Test};
use crate::name;

/// What is said of a table, by place.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) of_table: Element,
    /// By the column's name in lower case.
    pub(super) of_columns: BTreeMap<String, Element>,
    pub(super) service_levels: Vec<Value>,
}

/// What is said of an object or a property.
#[derive(Default)]
pub(super) struct Element {
    pub(super) is_unique: bool,
    /// `logicalTypeOptions`.
    pub(super) options: Map<String, Value>,
    relationships: Vec<Value>,
    quality: Vec<Value>,
}

impl Element {
    /// Adds the rules to an object or a property.
    pub(super) fn write(self, out: &mut Map<String, Value>) {
        if !self.relationships.is_empty() {
            out.insert("relationships".to_owned(), Value::Array(self.relationships));
        }
        if !self.quality.is_empty() {
            out.insert("quality".to_owned(), Value::Array(self.quality));
        }
    }
}

/// All assertions of a node.
pub(super) fn of(node: &Node, columns: &[Column]) -> Rules {
    let mut rules = Rules::default();
    for assertion in &node.assertions {
        add(node, columns, assertion, &mut rules);
    }
    rules
}

fn add(node: &Node, columns: &[Column], assertion: &Assertion, rules: &mut Rules) {
    let column = subject(assertion).and_then(|own| columns.iter().find(|column| name::same(&column.name, own)));
    let plain = is_plain(assertion);
    if is_primary_key(node, assertion) {
        return;
    }
    let Some(column) = column else {
        let quality = of_table(assertion);
        if let Some(relationship) = relationship(node, assertion) {
            rules.of_table.relationships.push(relationship);
        } else {
            rules.of_table.quality.extend(quality);
        }
        return;
    };
    let element = rules.of_columns.entry(column.name.to_lowercase()).or_default();
    let arguments = &assertion.arguments;
    match assertion.kind {
        "not_null" if plain && !column.nullable => {}
        "unique" if plain && matches!(assertion.test, Test::Unique { .. }) => element.is_unique = true,
        "between" if plain && bounds(column, arguments, &mut element.options) => {}
        "length" if plain && lengths(column, arguments, &mut element.options) => {}
        "matches" if plain && pattern(column, arguments, &mut element.options) => {}
        "freshness" => match latency(node, column, assertion) {
            Some(level) => rules.service_levels.push(level),
            None => element.quality.push(foreign(assertion)),
        },
        "references" => element.relationships.extend(relationship(node, assertion)),
        _ => {
            let rule = of_column(assertion);
            element.quality.push(rule);
        }
    }
}

/// The column below which the expectation can stand; others that it speaks of are among its arguments.
fn subject(assertion: &Assertion) -> Option<&String> {
    let is_of_column = KINDS.iter().any(|kind| kind.name == assertion.kind && kind.of_column);
    match assertion.columns.as_slice() {
        [first, ..] if is_of_column => Some(first),
        [only] if assertion.arguments.get("group_by").is_none() => Some(only),
        _ => None,
    }
}

/// A rule on a column: a metric of the library where one says the same.
fn of_column(assertion: &Assertion) -> Value {
    let arguments = &assertion.arguments;
    if assertion.filter.is_some() {
        return foreign(assertion);
    }
    let argument = |theirs: &str, ours: &str| arguments.get(ours).map(|value| json!({theirs: value}));
    let only = |key: &str| arguments.as_object().is_some_and(|members| members.keys().all(|other| other == key));
    match assertion.kind {
        "not_null" => metric("nullValues", None, assertion),
        "accepted_values" if only("values") => metric("invalidValues", argument("validValues", "values"), assertion),
        "matches" if only("regex") => metric("invalidValues", argument("pattern", "regex"), assertion),
        "unique" if matches!(assertion.test, Test::Unique { .. }) => metric("duplicateValues", None, assertion),
        _ => foreign(assertion),
    }
}

fn of_table(assertion: &Assertion) -> Vec<Value> {
    let arguments = &assertion.arguments;
    match (assertion.kind, &assertion.test) {
        ("unique", Test::Unique { columns }) if assertion.filter.is_none() => {
            vec![metric("duplicateValues", Some(json!({"properties": columns})), assertion)]
        }
        ("row_count", _) if assertion.filter.is_none() && arguments.get("group_by").is_none() => {
            row_counts(assertion).unwrap_or_else(|| vec![foreign(assertion)])
        }
        _ => vec![foreign(assertion)],
    }
}

/// A metric that counts violations: none may be, or at most some percent of the rows.
fn metric(metric: &str, arguments: Option<Value>, assertion: &Assertion) -> Value {
    let mut rule = described(assertion);
    rule.insert("metric".to_owned(), json!(metric));
    if let Some(arguments) = arguments {
        rule.insert("arguments".to_owned(), arguments);
    }
    let mut own = own_options(assertion);
    match percent(assertion.mostly) {
        Some(percent) => {
            rule.insert("mustBeLessOrEqualTo".to_owned(), percent);
            rule.insert("unit".to_owned(), json!("percent"));
        }
        None if assertion.mostly < 1.0 => {
            own.insert("mostly".to_owned(), json!(assertion.mostly));
            rule.insert("mustBeLessOrEqualTo".to_owned(), json!(100.0 * (1.0 - assertion.mostly)));
            rule.insert("unit".to_owned(), json!("percent"));
        }
        None => {
            rule.insert("mustBe".to_owned(), json!(0));
        }
    }
    with_own(rule, own)
}

/// The percentage of violations that is read back as exactly this share.
fn percent(mostly: f64) -> Option<Value> {
    if mostly >= 1.0 {
        return None;
    }
    let rounded = (100.0 * (1.0 - mostly) * 1e9).round() / 1e9;
    #[expect(clippy::float_cmp, reason = "the same number is wanted, not one that is near")]
    let is_exact = (100.0 - rounded) / 100.0 == mostly && rounded > 0.0;
    is_exact.then(|| {
        if rounded.fract() == 0.0 { json!(format!("{rounded:.0}").parse::<u64>().ok()) } else { json!(rounded) }
    })
}

/// The number of rows: a rule has one operator, so two bounds are two rules.
fn row_counts(assertion: &Assertion) -> Option<Vec<Value>> {
    let rule = |operator: &str, value: u64| {
        let mut rule = described(assertion);
        rule.insert("metric".to_owned(), json!("rowCount"));
        rule.insert(operator.to_owned(), json!(value));
        with_own(rule, own_options(assertion))
    };
    if let Some(equal) = assertion.arguments.get("equal").and_then(Value::as_u64) {
        return Some(vec![rule("mustBe", equal)]);
    }
    let between = assertion.arguments.get("between")?.as_array()?;
    let (low, high) = (between.first()?.as_u64()?, between.get(1)?.as_u64()?);
    let least = (low > 0).then(|| rule("mustBeGreaterOrEqualTo", low));
    let most = (high < i64::MAX as u64).then(|| rule("mustBeLessOrEqualTo", high));
    let both: Vec<Value> = least.into_iter().chain(most).collect();
    // One bound of a rule that has two reads back as one that has one.
    (low < high && !both.is_empty()).then_some(both)
}

/// A rule that the standard has no metric for: as SQL if that can count its violations, else in medc's words alone.
fn foreign(assertion: &Assertion) -> Value {
    let expectation = sentence::expectation(assertion);
    let mut rule = described(assertion);
    match sql::count(assertion, "{object}") {
        Some(query) if assertion.mostly >= 1.0 => {
            rule.insert("type".to_owned(), json!("sql"));
            rule.insert("query".to_owned(), json!(query));
            rule.insert("mustBe".to_owned(), json!(0));
            with_own(rule, Map::from_iter([("expectation".to_owned(), expectation)]))
        }
        Some(_) | None => {
            rule.insert("type".to_owned(), json!("custom"));
            rule.insert("engine".to_owned(), json!(MEDC));
            rule.insert("implementation".to_owned(), expectation);
            Value::Object(rule)
        }
    }
}

/// A rule with what is said of all: what, how grave, of which dimension.
fn described(assertion: &Assertion) -> Map<String, Value> {
    let mut rule = Map::new();
    rule.insert("name".to_owned(), json!(assertion.label));
    if let Some(description) = &assertion.description {
        rule.insert("description".to_owned(), json!(description));
    }
    let dimension = match assertion.dimension {
        Dimension::Completeness => "completeness",
        Dimension::Accuracy => "accuracy",
        Dimension::Consistency => "consistency",
        Dimension::Validity => "conformity",
        Dimension::Timeliness => "timeliness",
        Dimension::Uniqueness => "uniqueness",
    };
    rule.insert("dimension".to_owned(), json!(dimension));
    if let Some(severity) = assertion.severity {
        rule.insert("severity".to_owned(), json!(severity));
    }
    rule
}

/// The options that the standard has no key for.
fn own_options(assertion: &Assertion) -> Map<String, Value> {
    let mut own = sentence::options(assertion);
    own.retain(|key, _| matches!(key.as_str(), "on_violation" | "owner"));
    own
}

fn with_own(mut rule: Map<String, Value>, own: Map<String, Value>) -> Value {
    if !own.is_empty() {
        let own = Value::Object(own);
        rule.insert("customProperties".to_owned(), json!([{"property": MEDC, "value": own}]));
    }
    Value::Object(rule)
}

/// A key of another table. The standard's reference leads to the other table's file; which table that is says `medc`.
fn relationship(node: &Node, assertion: &Assertion) -> Option<Value> {
    let Test::Reference { columns, table, referenced } = &assertion.test else { return None };
    let to = |column: &String| {
        format!("{}.odcs.yaml#/schema/{}/properties/{}", table.name, table.name.name, column.to_lowercase())
    };
    let own = json!([{"property": MEDC, "value": {"expectation": sentence::expectation(assertion)}}]);
    let mut relationship = Map::from_iter([("type".to_owned(), json!("foreignKey"))]);
    if let ([_], [there]) = (columns.as_slice(), referenced.as_slice()) {
        relationship.insert("to".to_owned(), json!(to(there)));
    } else {
        let from = |column: &String| format!("schema/{}/properties/{column}", node.name.name);
        relationship.insert("from".to_owned(), columns.iter().map(from).collect());
        relationship.insert("to".to_owned(), referenced.iter().map(to).collect());
    }
    relationship.insert("customProperties".to_owned(), own);
    Some(Value::Object(relationship))
}

/// `between` as options of the logical type: numbers of numeric columns, texts of dates and timestamps.
fn bounds(column: &Column, arguments: &Value, options: &mut Map<String, Value>) -> bool {
    let is_moment = matches!(column.data_type, DataType::Date | DataType::Timestamp | DataType::TimestampNtz);
    let fits =
        |value: &Value| if is_moment { value.is_string() } else { column.data_type.is_numeric() && value.is_number() };
    let mut said = Vec::new();
    for (ours, exclusive, theirs, theirs_exclusive) in [
        ("min", "exclusive_min", "minimum", "exclusiveMinimum"),
        ("max", "exclusive_max", "maximum", "exclusiveMaximum"),
    ] {
        let is_exclusive = arguments.get(exclusive).and_then(Value::as_bool).unwrap_or(false);
        match arguments.get(ours) {
            Some(value) if fits(value) => said.push((if is_exclusive { theirs_exclusive } else { theirs }, value)),
            Some(_) => return false,
            None if is_exclusive => return false,
            None => {}
        }
    }
    let taken = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];
    if said.is_empty() || taken.iter().any(|key| options.contains_key(*key)) {
        return false;
    }
    options.extend(said.into_iter().map(|(key, value)| (key.to_owned(), value.clone())));
    true
}

fn lengths(column: &Column, arguments: &Value, options: &mut Map<String, Value>) -> bool {
    let Some(members) = arguments.as_object() else { return false };
    let is_free = !options.contains_key("minLength") && !options.contains_key("maxLength");
    let is_said = members.iter().all(|(key, value)| matches!(key.as_str(), "min" | "max") && value.is_u64());
    if column.data_type != DataType::String || !is_free || !is_said || members.is_empty() {
        return false;
    }
    for (ours, theirs) in [("min", "minLength"), ("max", "maxLength")] {
        if let Some(value) = members.get(ours) {
            options.insert(theirs.to_owned(), value.clone());
        }
    }
    true
}

fn pattern(column: &Column, arguments: &Value, options: &mut Map<String, Value>) -> bool {
    let Some(regex) = arguments.get("regex").filter(|regex| regex.is_string()) else { return false };
    let is_only = arguments.as_object().is_some_and(|members| members.len() == 1);
    if column.data_type != DataType::String || !is_only || options.contains_key("pattern") {
        return false;
    }
    options.insert("pattern".to_owned(), regex.clone());
    true
}

/// A freshness in one unit and without options, which service levels do not have.
fn latency(node: &Node, column: &Column, assertion: &Assertion) -> Option<Value> {
    let mut options = sentence::options(assertion);
    options.remove("description");
    let within = assertion.arguments.get("within")?.as_str()?;
    let (number, unit) = within.split_at_checked(within.len().checked_sub(1)?)?;
    let value: u64 = number.parse().ok().filter(|value: &u64| value.to_string() == number)?;
    let unit = match unit {
        "d" => "d",
        "h" => "h",
        "m" => "minutes",
        _ => return None,
    };
    if !options.is_empty() || assertion.arguments.as_object()?.len() != 1 {
        return None;
    }
    let element = format!("{}.{}", node.name.name, column.name);
    let mut level = Map::new();
    level.insert("property".to_owned(), json!("latency"));
    level.insert("value".to_owned(), json!(value));
    level.insert("unit".to_owned(), json!(unit));
    level.insert("element".to_owned(), json!(element));
    if let Some(description) = &assertion.description {
        level.insert("description".to_owned(), json!(description));
    }
    Some(Value::Object(level))
}
