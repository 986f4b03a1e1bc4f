//! The shape of suite files: what 0.x and 1.x write, with an error for every other key.

use serde_json::{Map, Value};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Fix, Reported, Site, code};
use crate::ir::Severity;
use crate::name;

/// A suite, as far as medc reads it.
pub(super) struct Suite<'a> {
    pub expectations: &'a [Value],
    /// The suite's own parameters, which anything else wins over.
    pub parameters: Option<&'a Map<String, Value>>,
}

/// One expectation of a suite.
pub(super) struct Entry<'a> {
    /// `type` or `expectation_type`, as written.
    pub type_key: &'static str,
    pub type_name: String,
    pub kwargs: &'a Map<String, Value>,
    pub notes: Option<String>,
    pub severity: Option<Severity>,
}

const SUITE_KEYS: [&str; 10] = [
    "expectation_suite_name",
    "name",
    "expectations",
    "meta",
    "notes",
    "id",
    "ge_cloud_id",
    "data_asset_type",
    "evaluation_parameters",
    "suite_parameters",
];

const ENTRY_KEYS: [&str; 13] = [
    "expectation_type",
    "type",
    "kwargs",
    "meta",
    "id",
    "ge_cloud_id",
    "notes",
    "description",
    "severity",
    "rendered_content",
    "expectation_context",
    "success_on_last_run",
    "windows",
];

/// # Errors
/// `schema::*`.
pub(super) fn suite<'a>(value: &'a Value, site: &Site, diagnostics: &mut Diagnostics) -> Result<Suite<'a>, Reported> {
    let members = object(value, site, "a suite", diagnostics)?;
    known_keys(members, &SUITE_KEYS, site, diagnostics)?;
    let Some(list) = members.get("expectations") else {
        return Err(missing("expectations", site.clone(), "a suite has a list of expectations", diagnostics));
    };
    let Value::Array(expectations) = list else {
        return Err(diagnostics.error(wrong_type("a list", list, site.member("expectations"))));
    };
    let parameters =
        ["suite_parameters", "evaluation_parameters"].iter().find_map(|key| members.get(*key)?.as_object());
    Ok(Suite { expectations, parameters })
}

/// # Errors
/// `schema::*`.
pub(super) fn entry<'a>(value: &'a Value, site: &Site, diagnostics: &mut Diagnostics) -> Result<Entry<'a>, Reported> {
    let members = object(value, site, "an expectation", diagnostics)?;
    known_keys(members, &ENTRY_KEYS, site, diagnostics)?;
    let type_key = ["type", "expectation_type"].into_iter().find(|key| members.contains_key(*key));
    let Some(type_key) = type_key else {
        let note = "`type` (1.x) or `expectation_type` (0.x) says what is expected";
        return Err(missing("type", site.clone(), note, diagnostics));
    };
    let written = &members[type_key];
    let Some(type_name) = written.as_str() else {
        return Err(diagnostics.error(wrong_type("text", written, site.member(type_key))));
    };
    let Some(kwargs) = members.get("kwargs") else {
        return Err(missing("kwargs", site.clone(), "the arguments of an expectation stand in `kwargs`", diagnostics));
    };
    let kwargs = object(kwargs, &site.member("kwargs"), "`kwargs`", diagnostics)?;
    if let Some(windows) = members.get("windows").filter(|windows| !windows.is_null()) {
        let _ = windows;
        return Err(diagnostics.error(
            Diagnostic::error(code::EXCHANGE_ARGUMENT, "medc does not know `windows`")
                .at(site.member("windows").key(), "")
                .help("remove it, and give the bounds themselves"),
        ));
    }
    let severity = severity(members, site, diagnostics)?;
    Ok(Entry { type_key, type_name: snake_case(type_name), kwargs, notes: notes(members), severity })
}

/// 1.x also takes a class's name, `ExpectColumnValuesToBeUnique`.
fn snake_case(type_name: &str) -> String {
    if !type_name.starts_with("Expect") && type_name != "UnexpectedRowsExpectation" {
        return type_name.to_owned();
    }
    let mut snake = String::with_capacity(type_name.len() + 8);
    for (index, character) in type_name.chars().enumerate() {
        let after_letter = index > 0 && !snake.ends_with('_');
        if character.is_ascii_uppercase() && after_letter {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    // The names of the pairs' columns are single letters: `ExpectColumnPairValuesAToBeGreaterThanB`.
    snake
}

fn severity(
    members: &Map<String, Value>,
    site: &Site,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Severity>, Reported> {
    let Some(value) = members.get("severity").filter(|value| !value.is_null()) else { return Ok(None) };
    serde_json::from_value(value.clone()).map(Some).map_err(|_| {
        let words = ["critical", "warning", "info"];
        let written = value.as_str().unwrap_or_default();
        let found = Diagnostic::error(code::WRONG_VALUE, format!("`{written}` is no severity"))
            .at(site.member("severity"), "")
            .help(format!("there is {}", name::list(&words)));
        diagnostics.error(Diagnostic { fix: name::nearest(written, words).map(Fix::value), ..found })
    })
}

/// What people wrote about it: `description`, `notes`, or the notes in `meta`, which may hold Markdown lines.
fn notes(members: &Map<String, Value>) -> Option<String> {
    let of_meta = || members.get("meta").and_then(|meta| meta.get("notes"));
    ["description", "notes"].iter().find_map(|key| text_of(members.get(*key)?)).or_else(|| text_of(of_meta()?))
}

fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        Value::Object(members) => text_of(members.get("content")?)?,
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

pub(super) fn object<'a>(
    value: &'a Value,
    site: &Site,
    what: &str,
    diagnostics: &mut Diagnostics,
) -> Result<&'a Map<String, Value>, Reported> {
    value.as_object().ok_or_else(|| {
        let found = wrong_type("a mapping", value, site.clone());
        diagnostics.error(found.note(format!("{what} of Great Expectations is a mapping")))
    })
}

pub(super) fn known_keys(
    members: &Map<String, Value>,
    known: &[&str],
    site: &Site,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let mut outcome = Ok(());
    for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
        let found = Diagnostic::error(code::UNKNOWN_KEY, format!("unknown key `{key}`"))
            .at(site.member(key).key(), "Great Expectations has none of that name here");
        let near = name::nearest(key, known.iter().copied());
        let help = near.map_or_else(|| "remove it".to_owned(), |near| format!("did you mean `{near}`?"));
        outcome = Err(diagnostics.error(Diagnostic { fix: near.map(Fix::value), ..found.help(help) }));
    }
    outcome
}

pub(super) fn missing(key: &str, site: Site, note: &str, diagnostics: &mut Diagnostics) -> Reported {
    diagnostics.error(
        Diagnostic::error(code::MISSING_KEY, format!("`{key}` is missing"))
            .at(site, format!("this needs `{key}`"))
            .note(note)
            .help(format!("add `{key}`")),
    )
}

pub(super) fn wrong_type(wanted: &str, found: &Value, site: Site) -> Diagnostic {
    const WRONG_TYPE: Code = code::WRONG_TYPE;
    let found = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    Diagnostic::error(WRONG_TYPE, format!("expected {wanted}, found {found}"))
        .at(site, "")
        .help(format!("write {wanted} here"))
}
