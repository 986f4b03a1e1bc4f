//! `{"$PARAMETER": "name"}`: arguments that are filled when the suite is used.
//!
//! A value is looked for in what the project gives with the suite, among the project's variables, in the suite's own
//! parameters, and last in the preset that may stand beside the reference (`"$PARAMETER.name"`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::diagnostic::{code, join_pointer};
use crate::kind::Problem;
use crate::name;

const REFERENCE: &str = "$PARAMETER";

/// Where parameters get values from.
pub(super) struct Known<'a> {
    pub given: &'a IndexMap<String, Value>,
    pub variables: &'a BTreeMap<String, String>,
    pub own: Option<&'a Map<String, Value>>,
}

impl Known<'_> {
    fn find(&self, parameter: &str) -> Option<Value> {
        let given = self.given.get(parameter).cloned();
        let own = || self.own.and_then(|own| own.get(parameter)).cloned();
        given.or_else(|| self.variables.get(parameter).map(|text| typed(text))).or_else(own)
    }
}

/// A variable's text as the value that it spells: a number, `true`, `false`, a JSON list, or else the text itself.
fn typed(text: &str) -> Value {
    serde_json::from_str(text)
        .ok()
        .filter(|value: &Value| !value.is_object() && !value.is_null())
        .unwrap_or_else(|| text.into())
}

/// The arguments with every reference replaced.
pub(super) fn fill<'a>(
    kwargs: &'a Map<String, Value>,
    known: &Known<'_>,
) -> Result<Cow<'a, Map<String, Value>>, Vec<Problem>> {
    if !kwargs.values().any(mentions) && !kwargs.contains_key(REFERENCE) {
        return Ok(Cow::Borrowed(kwargs));
    }
    let mut problems = Vec::new();
    let filled = kwargs
        .iter()
        .map(|(key, value)| (key.clone(), filled(value, &join_pointer("", key), known, &mut problems)))
        .collect();
    if problems.is_empty() { Ok(Cow::Owned(filled)) } else { Err(problems) }
}

fn mentions(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains_key(REFERENCE) || members.values().any(mentions),
        Value::Array(elements) => elements.iter().any(mentions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn filled(value: &Value, pointer: &str, known: &Known<'_>, problems: &mut Vec<Problem>) -> Value {
    match value {
        Value::Object(members) => match members.get(REFERENCE) {
            Some(reference) => look_up(reference, members, pointer, known).unwrap_or_else(|problem| {
                problems.push(problem);
                Value::Null
            }),
            None => members
                .iter()
                .map(|(key, member)| (key.clone(), filled(member, &join_pointer(pointer, key), known, problems)))
                .collect(),
        },
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(index, element)| filled(element, &format!("{pointer}/{index}"), known, problems))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn look_up(reference: &Value, beside: &Map<String, Value>, pointer: &str, known: &Known<'_>) -> Result<Value, Problem> {
    let here = join_pointer(pointer, REFERENCE);
    let wrong = |message: String| Problem::new(code::EXCHANGE_PARAMETER, here.clone(), message);
    let Some(parameter) = reference.as_str() else {
        return Err(wrong("`$PARAMETER` takes a parameter's name".to_owned()).help("give its name as a text"));
    };
    if let Some(value) = known.find(parameter).or_else(|| beside.get(&format!("{REFERENCE}.{parameter}")).cloned()) {
        return Ok(value);
    }
    if !name::is_identifier(parameter) {
        return Err(wrong(format!("`{parameter}` is no parameter's name"))
            .note("medc fills in values; it computes no expressions and asks no metric stores")
            .help("declare a variable with the computed value, and name that"));
    }
    let known_names: Vec<&str> =
        known.given.keys().chain(known.variables.keys()).map(String::as_str).chain(own_names(known)).collect();
    let problem = wrong(format!("the parameter `{parameter}` has no value"));
    Err(match name::nearest(parameter, known_names) {
        Some(near) => problem.help(format!("did you mean `{near}`?")).fix(crate::diagnostic::Fix::value(near)),
        None => problem.help(format!(
            "declare it (`variables: {{{parameter}: {{default: …}}}}`), or give it where the suite is named: \
             `parameters: {{{parameter}: …}}`"
        )),
    })
}

fn own_names<'a>(known: &Known<'a>) -> impl Iterator<Item = &'a str> {
    known.own.into_iter().flat_map(|own| own.keys().map(String::as_str))
}
