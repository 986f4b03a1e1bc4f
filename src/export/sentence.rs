//! An assertion as a project file would say it: its kind with the long body and the options.

use serde_json::{Map, Value, json};

use crate::ir::{Assertion, OnViolation};

/// The expectation as a mapping with one key, its kind.
pub(super) fn expectation(assertion: &Assertion) -> Value {
    let mut body = assertion.arguments.as_object().cloned().unwrap_or_default();
    body.extend(options(assertion));
    json!({assertion.kind: body})
}

/// The options that are not the default.
pub(super) fn options(assertion: &Assertion) -> Map<String, Value> {
    let Assertion { on_violation, severity, mostly, filter, description, owner, .. } = assertion;
    let mut options = Map::new();
    if *on_violation != OnViolation::default() {
        options.insert("on_violation".to_owned(), json!(on_violation));
    }
    if *mostly < 1.0 {
        options.insert("mostly".to_owned(), json!(mostly));
    }
    if let Some(filter) = filter {
        options.insert("where".to_owned(), json!(filter.text));
    }
    if let Some(severity) = severity {
        options.insert("severity".to_owned(), json!(severity));
    }
    if let Some(description) = description {
        options.insert("description".to_owned(), json!(description));
    }
    if let Some(owner) = owner {
        options.insert("owner".to_owned(), json!(owner));
    }
    options
}
