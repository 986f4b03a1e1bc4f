//! JSON Schema (draft 2020-12) of a row as JSON, one a table.
//!
//! A row is an object with a member a column, as `medc show --format json` writes it: NULL is `null`, dates and timestamps are
//! texts, decimals numbers or texts. What looks at one value of one row is said; what counts rows or compares them is left
//! out, as are expectations that only warn or hold for most rows, since a row that breaks them is no wrong row.

use serde_json::{Map, Value, json};

use super::{Exported, File, LeftOut};
use crate::check::Checked;
use crate::ir::{Assertion, Column, DataType, Node, NodeId, OnViolation, Schema};
use crate::name;

/// Writes a schema for each of `tables` whose columns are known.
pub fn export(checked: &Checked, tables: &[NodeId]) -> Exported {
    let mut exported = Exported::default();
    for id in tables {
        let node = checked.graph.node(*id);
        let Some(schema) = &checked.typed(*id).schema else { continue };
        let schema = node.contract.as_ref().map_or_else(|| schema.clone(), |contract| contract.schema());
        let value = row(node, &schema, &mut exported.left_out);
        let text = serde_json::to_string_pretty(&value).expect("plain JSON") + "\n";
        exported.files.push(File { path: format!("{}.schema.json", node.name), text });
    }
    exported
}

fn row(node: &Node, schema: &Schema, left_out: &mut Vec<LeftOut>) -> Value {
    let promised = node.contract.as_ref();
    let mut properties = Map::new();
    for column in &schema.columns {
        let known = promised
            .and_then(|contract| contract.columns.iter().find(|known| name::same(&known.column.name, &column.name)));
        let mut property = of_type(&column.data_type);
        if let Some(description) = known.and_then(|known| known.description.as_ref()) {
            property.insert("description".to_owned(), json!(description));
        }
        if column.nullable {
            allow_null(&mut property);
        }
        properties.insert(column.name.clone(), Value::Object(property));
    }
    for assertion in &node.assertions {
        if let Err(reason) = add(assertion, schema, &mut properties) {
            left_out.push(LeftOut {
                table: node.name.clone(),
                sentence: format!("`{}`", assertion.label),
                reason: reason.to_owned(),
                site: assertion.site.clone(),
            });
        }
    }
    let required: Vec<&str> =
        schema.columns.iter().filter(|column| !column.nullable).map(|column| column.name.as_str()).collect();
    let mut out = Map::new();
    out.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    out.insert("title".to_owned(), json!(node.name.to_string()));
    let description = promised.and_then(|contract| contract.description.as_ref()).or(node.description.as_ref());
    if let Some(description) = description {
        out.insert("description".to_owned(), json!(description));
    }
    out.insert("type".to_owned(), json!("object"));
    out.insert("properties".to_owned(), Value::Object(properties));
    out.insert("required".to_owned(), json!(required));
    out.insert("additionalProperties".to_owned(), json!(false));
    Value::Object(out)
}

fn of_type(data_type: &DataType) -> Map<String, Value> {
    let whole = |bits: u32| {
        let (low, high) = (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
        let bound = |value: i128| i64::try_from(value).expect("at most 64 bits");
        json!({"type": "integer", "minimum": bound(low), "maximum": bound(high)})
    };
    let value = match data_type {
        DataType::Boolean => json!({"type": "boolean"}),
        DataType::Tinyint => whole(8),
        DataType::Smallint => whole(16),
        DataType::Int => whole(32),
        DataType::Bigint => whole(64),
        DataType::Float | DataType::Double => json!({"type": "number"}),
        // Texts keep all digits.
        DataType::Decimal { precision, scale } => {
            let whole = precision - scale;
            let whole = if whole == 0 { "0".to_owned() } else { format!("[0-9]{{1,{whole}}}") };
            let fraction = if *scale == 0 { String::new() } else { format!("(\\.[0-9]{{1,{scale}}})?") };
            json!({"type": ["number", "string"], "pattern": format!("^-?{whole}{fraction}$")})
        }
        DataType::String => json!({"type": "string"}),
        DataType::Binary => json!({"type": "string", "contentEncoding": "base16"}),
        DataType::Date => json!({"type": "string", "format": "date"}),
        DataType::Timestamp => json!({"type": "string", "format": "date-time"}),
        DataType::TimestampNtz => {
            json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?$"})
        }
        DataType::Array(element) => json!({"type": "array", "items": nullable(element)}),
        DataType::Map(_, value) => json!({"type": "object", "additionalProperties": nullable(value)}),
        DataType::Struct(fields) => {
            let members: Map<String, Value> =
                fields.iter().map(|field| (field.name.clone(), nullable(&field.data_type))).collect();
            json!({"type": "object", "properties": members, "additionalProperties": false})
        }
    };
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn nullable(data_type: &DataType) -> Value {
    let mut schema = of_type(data_type);
    allow_null(&mut schema);
    Value::Object(schema)
}

/// Adds `null` to the types.
fn allow_null(schema: &mut Map<String, Value>) {
    let types = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().cloned().chain([json!("null")]).collect(),
        Some(one) => json!([one, "null"]),
        None => return,
    };
    schema.insert("type".to_owned(), types);
}

/// Adds what an assertion says of a row.
///
/// # Errors
/// Why it cannot be said.
fn add(assertion: &Assertion, schema: &Schema, properties: &mut Map<String, Value>) -> Result<(), &'static str> {
    if assertion.on_violation == OnViolation::Warn {
        return Err("it only warns, and a schema has no warnings");
    }
    if assertion.mostly < 1.0 {
        return Err("it may be broken by some rows, and a schema looks at one");
    }
    if assertion.filter.is_some() {
        return Err("its condition is SQL");
    }
    let column = match assertion.columns.as_slice() {
        [only] => schema.column(only),
        _ => None,
    };
    let Some(column) = column else {
        return Err("a schema looks at one value of one row");
    };
    let Some(said) = of_value(assertion, column)? else { return Ok(()) };
    let Some(Value::Object(property)) = properties.get_mut(&column.name) else { return Ok(()) };
    let type_bounds: &[&str] = if property.get("type").is_some_and(|types| types.to_string().contains("\"integer\"")) {
        &["minimum", "maximum"]
    } else {
        &[]
    };
    let is_free = said.keys().all(|key| !property.contains_key(key) || type_bounds.contains(&key.as_str()));
    if is_free {
        property.extend(said);
    } else if let Value::Array(all) = property.entry("allOf").or_insert_with(|| json!([])) {
        all.push(Value::Object(said));
    }
    Ok(())
}

/// What an assertion says of a value of a column; nothing where the type says it already.
fn of_value(assertion: &Assertion, column: &Column) -> Result<Option<Map<String, Value>>, &'static str> {
    let arguments = &assertion.arguments;
    let get = |key: &str| arguments.get(key).cloned();
    let is_set = |key: &str| arguments.get(key).and_then(Value::as_bool).unwrap_or(false);
    let is_number = matches!(
        column.data_type,
        DataType::Tinyint | DataType::Smallint | DataType::Int | DataType::Bigint | DataType::Float | DataType::Double
    );
    let said = match assertion.kind {
        "not_null" if column.nullable => json!({"not": {"type": "null"}}),
        "not_null" => return Ok(None),
        "is_null" => json!({"const": null}),
        "accepted_values" | "not_in" if matches!(column.data_type, DataType::Decimal { .. }) => {
            return Err("decimals have several spellings in JSON");
        }
        "accepted_values" => {
            let mut values = get("values").and_then(|values| values.as_array().cloned()).unwrap_or_default();
            if column.nullable {
                values.push(Value::Null);
            }
            json!({"enum": values})
        }
        "not_in" => json!({"not": {"enum": get("values")}}),
        "between" | "greater_than" | "less_than" if !is_number => {
            return Err("a schema compares only numbers");
        }
        "between" => bounds(&[
            (if is_set("exclusive_min") { "exclusiveMinimum" } else { "minimum" }, get("min")),
            (if is_set("exclusive_max") { "exclusiveMaximum" } else { "maximum" }, get("max")),
        ]),
        "greater_than" => bounds(&[(if is_set("or_equal") { "minimum" } else { "exclusiveMinimum" }, get("value"))]),
        "less_than" => bounds(&[(if is_set("or_equal") { "maximum" } else { "exclusiveMaximum" }, get("value"))]),
        "length" => match get("equal") {
            Some(equal) => json!({"minLength": equal, "maxLength": equal}),
            None => bounds(&[("minLength", get("min")), ("maxLength", get("max"))]),
        },
        "matches" => match (get("regex"), get("any_of"), get("all_of")) {
            (Some(regex), ..) => json!({"pattern": regex}),
            (_, Some(any_of), _) => json!({"anyOf": or_null(each_pattern(&any_of), column)}),
            (.., Some(all_of)) => json!({"allOf": each_pattern(&all_of)}),
            (None, None, None) => return Ok(None),
        },
        "not_matches" => match (get("regex"), get("any_of")) {
            (Some(regex), _) => json!({"not": {"type": "string", "pattern": regex}}),
            (None, Some(any_of)) => {
                let patterns = each_pattern(&any_of);
                json!({"not": {"type": "string", "anyOf": patterns}})
            }
            (None, None) => return Ok(None),
        },
        "unique" | "increasing" | "decreasing" | "outliers" | "references" => {
            return Err("a schema does not see other rows");
        }
        _ => return Err("a schema has no words for it"),
    };
    match said {
        Value::Object(said) => Ok(Some(said)),
        _ => Ok(None),
    }
}

fn bounds(given: &[(&str, Option<Value>)]) -> Value {
    given.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?))).collect::<Map<_, _>>().into()
}

fn each_pattern(patterns: &Value) -> Vec<Value> {
    patterns.as_array().into_iter().flatten().map(|pattern| json!({"pattern": pattern})).collect()
}

/// A pattern says nothing of `null`, but an alternative among several would have to be met by it.
fn or_null(mut alternatives: Vec<Value>, column: &Column) -> Vec<Value> {
    if column.nullable {
        alternatives.push(json!({"type": "null"}));
    }
    alternatives
}
