//! Values of `kwargs`, each read as the type that it must have. `null` is as good as absent, as in the library.

use serde_json::{Map, Value};

use crate::diagnostic::{code, join_pointer};
use crate::kind::Problem;

/// A mapping of arguments.
pub(super) type Kwargs = Map<String, Value>;

/// The value, unless it is absent or `null`.
pub(super) fn given<'a>(kwargs: &'a Kwargs, key: &str) -> Option<&'a Value> {
    kwargs.get(key).filter(|value| !value.is_null())
}

pub(super) fn missing(key: &str) -> Problem {
    Problem::new(code::EXCHANGE_ARGUMENT, "", format!("`{key}` is missing")).help(format!("add `{key}` to `kwargs`"))
}

pub(super) fn wrong(key: &str, wanted: &str, found: &Value) -> Problem {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    };
    Problem::new(
        code::EXCHANGE_ARGUMENT,
        join_pointer("", key),
        format!("`{key}` is {wanted} in Great Expectations, found {found}"),
    )
    .help(format!("give {wanted}"))
}

pub(super) fn required<'a>(kwargs: &'a Kwargs, key: &str) -> Result<&'a Value, Problem> {
    given(kwargs, key).ok_or_else(|| missing(key))
}

pub(super) fn text<'a>(kwargs: &'a Kwargs, key: &str) -> Result<&'a str, Problem> {
    let value = required(kwargs, key)?;
    value.as_str().ok_or_else(|| wrong(key, "a text", value))
}

pub(super) fn texts(kwargs: &Kwargs, key: &str) -> Result<Vec<String>, Problem> {
    let value = required(kwargs, key)?;
    let elements = value.as_array().ok_or_else(|| wrong(key, "a list of texts", value))?;
    elements
        .iter()
        .map(|element| element.as_str().map(str::to_owned).ok_or_else(|| wrong(key, "a list of texts", value)))
        .collect()
}

/// A list without its nulls, which no test of values looks at, and without what stands in it twice.
pub(super) fn values(kwargs: &Kwargs, key: &str) -> Result<Value, Problem> {
    let value = required(kwargs, key)?;
    let elements = value.as_array().ok_or_else(|| wrong(key, "a list", value))?;
    let mut seen = std::collections::BTreeSet::new();
    let is_new = |element: &&Value| !element.is_null() && seen.insert(element.to_string());
    Ok(elements.iter().filter(is_new).cloned().collect())
}

pub(super) fn flag(kwargs: &Kwargs, key: &str) -> Result<Option<bool>, Problem> {
    given(kwargs, key).map(|value| value.as_bool().ok_or_else(|| wrong(key, "`true` or `false`", value))).transpose()
}

pub(super) fn number(kwargs: &Kwargs, key: &str) -> Result<Option<f64>, Problem> {
    given(kwargs, key).map(|value| value.as_f64().ok_or_else(|| wrong(key, "a number", value))).transpose()
}

/// A count, which may be written as a whole float (`100.0`).
pub(super) fn count(kwargs: &Kwargs, key: &str) -> Result<Option<u64>, Problem> {
    let Some(value) = given(kwargs, key) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative, below 2^53")]
    let whole =
        value.as_f64().filter(|float| float.fract() == 0.0 && (0.0..9e15).contains(float)).map(|float| float as u64);
    value.as_u64().or(whole).map(Some).ok_or_else(|| wrong(key, "a whole number that is not negative", value))
}

/// One of some words.
pub(super) fn word<'a>(kwargs: &'a Kwargs, key: &str, words: &[&str]) -> Result<Option<&'a str>, Problem> {
    let Some(value) = given(kwargs, key) else { return Ok(None) };
    let chosen = value.as_str().filter(|text| words.contains(text));
    chosen.map(Some).ok_or_else(|| {
        let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        wrong(key, &format!("one of {}", quoted.join(", ")), value)
    })
}
