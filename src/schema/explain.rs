//! A JSON Schema error as a person would say it.
//!
//! In: one error of the validator. Out: diagnostics at the key or value that is wrong. Where the schema offers several
//! forms (`anyOf`, `oneOf`) the validator's answer is of no use, so the form that was meant is picked: the one whose
//! type or discriminator fits, else the one with the fewest errors; its errors are reported.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Site, code, join_pointer, pointer_tokens};
use crate::name;
use crate::source::Sources;

/// The diagnostics for one validation error; `site_of` gives the site of a JSON pointer into the validated value.
pub(super) fn explain(
    error: &ValidationError<'_>,
    root: &Value,
    site_of: &dyn Fn(&str) -> Site,
    sources: &Sources,
) -> Vec<Diagnostic> {
    let context = Context { root, site_of, sources };
    context.explain(error)
}

struct Context<'a> {
    root: &'a Value,
    site_of: &'a dyn Fn(&str) -> Site,
    sources: &'a Sources,
}

impl Context<'_> {
    fn explain(&self, error: &ValidationError<'_>) -> Vec<Diagnostic> {
        let pointer = error.instance_path().to_string();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                unexpected.iter().map(|key| self.unknown_key(error, &pointer, key)).collect()
            }
            // Its misspelling is reported already.
            ValidationErrorKind::Required { property } if self.is_misspelt(error, property) => Vec::new(),
            ValidationErrorKind::Required { property } => vec![self.missing_key(error, &pointer, property)],
            ValidationErrorKind::Type { kind } => vec![self.wrong_type(error, &pointer, &type_words(kind))],
            ValidationErrorKind::Enum { options } => {
                vec![self.wrong_value(error, &pointer, options.as_array().map_or(&[][..], Vec::as_slice))]
            }
            ValidationErrorKind::Constant { expected_value } => {
                vec![self.wrong_value(error, &pointer, std::slice::from_ref(&**expected_value))]
            }
            ValidationErrorKind::AnyOf { context }
            | ValidationErrorKind::OneOfNotValid { context }
            | ValidationErrorKind::OneOfMultipleValid { context } => self.alternatives(error, &pointer, context),
            ValidationErrorKind::MinProperties { .. } | ValidationErrorKind::MaxProperties { .. } => {
                vec![self.not_one_key(error, &pointer)]
            }
            other => vec![self.out_of_range(error, &pointer, other)],
        }
    }

    fn unknown_key(&self, error: &ValidationError<'_>, pointer: &str, key: &str) -> Diagnostic {
        let known = self.sibling_keys(error);
        let site = (self.site_of)(&join_pointer(pointer, key)).key();
        let mut found = Diagnostic::error(code::UNKNOWN_KEY, format!("unknown key `{key}`")).at(site, "not known here");
        if let Some(near) = name::nearest(key, known.iter().map(String::as_str)) {
            found = found.help(format!("did you mean `{near}`?")).fix(near);
        } else if !known.is_empty() {
            found = found.help(format!("the keys here are {}", name::list(&known)));
        }
        found
    }

    /// Whether an unknown key beside a missing one is near to it.
    fn is_misspelt(&self, error: &ValidationError<'_>, property: &Value) -> bool {
        let known = self.sibling_keys(error);
        error.instance().as_object().is_some_and(|members| {
            members
                .keys()
                .filter(|key| !known.contains(key))
                .any(|key| name::nearest(key, known.iter().map(String::as_str)) == property.as_str())
        })
    }

    fn missing_key(&self, error: &ValidationError<'_>, pointer: &str, property: &Value) -> Diagnostic {
        let key = property.as_str().unwrap_or_default();
        let site = (self.site_of)(pointer);
        let site = if pointer.is_empty() { site } else { site.key() };
        let found =
            Diagnostic::error(code::MISSING_KEY, format!("`{key}` is missing")).at(site, format!("this needs `{key}`"));
        match self.description_of(error, key) {
            Some(description) => found.help(format!("add `{key}`: {description}")),
            None => found.help(format!("add `{key}`")),
        }
    }

    fn wrong_type(&self, error: &ValidationError<'_>, pointer: &str, expected: &[&'static str]) -> Diagnostic {
        let instance: &Value = error.instance();
        let site = (self.site_of)(pointer);
        let wanted = expected.join(" or ");
        let message = format!("expected {wanted}, found {}", describe(instance));
        let mut found = Diagnostic::error(code::WRONG_TYPE, message).at(site.clone(), "");
        if expected.contains(&TEXT) && matches!(instance, Value::Number(_) | Value::Bool(_)) {
            // The text in the file, since a number has lost its spelling (`1.10`).
            let written = self.sources.snippet(&site).unwrap_or_else(|| instance.to_string());
            found = found.help("put it in quotes").fix_source(format!("\"{written}\""));
        } else if expected == [LIST] && !instance.is_null() && !instance.is_object() {
            let written = self.sources.snippet(&site).unwrap_or_else(|| instance.to_string());
            found = found.help("write it as a list").fix_source(format!("[{written}]"));
        } else if let Value::String(text) = instance
            && (text.parse::<f64>().is_ok() || text == "true" || text == "false")
            && !expected.contains(&MAPPING)
        {
            found = found.help("write it without quotes").fix_source(text.clone());
        } else if let Value::String(text) = instance
            && expected == [BOOLEAN]
            && let Some(meant) = boolean_word(text)
        {
            found = found
                .note("YAML 1.2 knows only `true` and `false`; other words are texts")
                .help(format!("write `{meant}`"))
                .fix_source(meant);
        } else {
            found = found.help(match self.example_of(error) {
                Some(example) => format!("write {wanted}, e.g. {example}"),
                None => format!("write {wanted} here"),
            });
        }
        found
    }

    /// What the description of an error's place gives as an example.
    fn example_of(&self, error: &ValidationError<'_>) -> Option<String> {
        let description = self.schema_around(error)?.get("description")?.as_str()?;
        let (_, example) = description.split_once("Example: ")?;
        Some(example.trim_end_matches('.').to_owned())
    }

    fn wrong_value(&self, error: &ValidationError<'_>, pointer: &str, options: &[Value]) -> Diagnostic {
        let instance: &Value = error.instance();
        let known: Vec<String> = options.iter().map(plain).collect();
        let written = plain(instance);
        let message = format!("`{written}` is not one of {}", name::list(&known));
        let mut found = Diagnostic::error(code::WRONG_VALUE, message).at((self.site_of)(pointer), "");
        if let Some(near) = name::nearest(&written, known.iter().map(String::as_str)) {
            found = found.help(format!("did you mean `{near}`?")).fix(near);
        } else if !matches!(known.as_slice(), [_]) {
            found = found.help("write one of these");
        } else if let [only] = known.as_slice() {
            found = found.help(format!("write `{only}`")).fix(only.clone());
        }
        found
    }

    fn not_one_key(&self, error: &ValidationError<'_>, pointer: &str) -> Diagnostic {
        let known = self.sibling_keys(error);
        let n_keys = error.instance().as_object().map_or(0, serde_json::Map::len);
        Diagnostic::error(code::WRONG_VALUE, format!("expected one key, found {n_keys}"))
            .at((self.site_of)(pointer), "")
            .note("a step or an expectation is a mapping with one key, its kind; its options stand one level below")
            .help(format!("write one element with one of {} for each", name::list(&known)))
    }

    fn out_of_range(&self, error: &ValidationError<'_>, pointer: &str, kind: &ValidationErrorKind) -> Diagnostic {
        let message = match kind {
            ValidationErrorKind::MinItems { limit } => format!("at least {limit} is needed in this list"),
            ValidationErrorKind::MaxItems { limit } => format!("at most {limit} fit in this list"),
            ValidationErrorKind::Minimum { limit } => format!("{} is less than {limit}", plain(error.instance())),
            ValidationErrorKind::Maximum { limit } => format!("{} is more than {limit}", plain(error.instance())),
            ValidationErrorKind::MinLength { limit } => format!("at least {limit} characters are needed"),
            other => format!("this does not keep the schema's `{}`", other.keyword()),
        };
        let help = match kind {
            ValidationErrorKind::Maximum { limit } => format!("write at most {limit}"),
            ValidationErrorKind::Minimum { limit } => format!("write at least {limit}"),
            ValidationErrorKind::MinItems { .. } => "add what is missing, or remove the list".to_owned(),
            other => format!("keep the schema's `{}`", other.keyword()),
        };
        Diagnostic::error(code::WRONG_VALUE, message).at((self.site_of)(pointer), "").help(help)
    }

    /// The errors of the alternative that was meant.
    fn alternatives(
        &self,
        error: &ValidationError<'_>,
        pointer: &str,
        branches: &[Vec<ValidationError<'static>>],
    ) -> Vec<Diagnostic> {
        let here = |found: &ValidationError<'static>| found.instance_path().to_string() == pointer;
        // Every branch is a constant: an enum whose values have docs.
        let constants: Option<Vec<Value>> = branches
            .iter()
            .map(|branch| match branch.as_slice() {
                [only] if here(only) => match only.kind() {
                    ValidationErrorKind::Constant { expected_value } => Some((**expected_value).clone()),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        if let Some(constants) = constants
            && error.instance().is_string()
        {
            return vec![self.wrong_value(error, pointer, &constants)];
        }
        let mut expected: Vec<&'static str> = Vec::new();
        let mut fitting: Vec<&Vec<ValidationError<'static>>> = Vec::new();
        for branch in branches {
            match branch.iter().find(|found| here(found) && is_shape(found)) {
                Some(mismatch) => expected.extend(shape_words(mismatch)),
                None => fitting.push(branch),
            }
        }
        expected.dedup();
        if fitting.is_empty() {
            expected.retain(|word| *word != NOTHING);
            return vec![self.wrong_type(error, pointer, &expected)];
        }
        // A discriminator: the branch whose constant the value has.
        let (by_constant, others): (Vec<_>, Vec<_>) =
            fitting.into_iter().partition(|branch| branch.iter().any(|found| is_discriminator(found, pointer)));
        if others.is_empty() {
            return self.no_discriminator(pointer, &by_constant);
        }
        let best = others.into_iter().min_by_key(|branch| branch.len()).expect("one branch at least");
        best.iter().flat_map(|found| self.explain(found)).collect()
    }

    /// No branch has the value's discriminator: it is missing, or names none of them.
    fn no_discriminator(&self, pointer: &str, branches: &[&Vec<ValidationError<'static>>]) -> Vec<Diagnostic> {
        let mut constants = Vec::new();
        let mut wrong: Option<&ValidationError<'static>> = None;
        for found in branches.iter().flat_map(|branch| branch.iter()) {
            match found.kind() {
                ValidationErrorKind::Constant { expected_value } => {
                    constants.push((**expected_value).clone());
                    wrong = Some(found);
                }
                ValidationErrorKind::Required { property } if wrong.is_none() && is_discriminator(found, pointer) => {
                    let known = self.discriminators(branches, property);
                    let help = format!("add `{}`, one of {}", plain(property), name::list(&known));
                    let missing = self.missing_key(found, pointer, property);
                    return vec![missing.help(help)];
                }
                _ => {}
            }
        }
        wrong
            .map(|found| vec![self.wrong_value(found, &found.instance_path().to_string(), &constants)])
            .unwrap_or_default()
    }

    /// The constants that tell branches apart.
    fn discriminators(&self, branches: &[&Vec<ValidationError<'static>>], property: &Value) -> Vec<String> {
        let key = plain(property);
        let of_branch = |branch: &&Vec<ValidationError<'static>>| {
            let schema = self.schema_around(branch.first()?)?;
            Some(plain(schema.get("properties")?.get(&key)?.get("const")?))
        };
        branches.iter().filter_map(of_branch).collect()
    }

    /// The keys that the schema at an error's place knows.
    fn sibling_keys(&self, error: &ValidationError<'_>) -> Vec<String> {
        self.schema_around(error)
            .and_then(|schema| schema.get("properties"))
            .and_then(Value::as_object)
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default()
    }

    fn description_of(&self, error: &ValidationError<'_>, key: &str) -> Option<String> {
        let property = self.schema_around(error)?.get("properties")?.get(key)?;
        let text = property.get("description").or_else(|| self.follow(property)?.get("description"))?.as_str()?;
        let end = text.find(". ").map_or(text.len(), |end| end + 1);
        text.get(..end).map(|sentence| {
            let mut characters = sentence.trim_end_matches('.').chars();
            let first = characters.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
            first + characters.as_str()
        })
    }

    /// The schema whose keyword was not kept.
    fn schema_around(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let path = error.schema_path().to_string();
        let mut tokens: Vec<String> = pointer_tokens(&path).collect();
        tokens.pop();
        tokens.iter().try_fold(self.root, |schema, token| match schema {
            _ if token == "$ref" => self.follow(schema),
            Value::Array(elements) => elements.get(token.parse::<usize>().ok()?),
            _ => schema.get(token),
        })
    }

    fn follow(&self, schema: &Value) -> Option<&Value> {
        let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer)
    }
}

const TEXT: &str = "a text";
const LIST: &str = "a list";
const MAPPING: &str = "a mapping";
const NOTHING: &str = "nothing";
const BOOLEAN: &str = "true or false";

/// What a word of YAML 1.1 meant.
fn boolean_word(text: &str) -> Option<&'static str> {
    match text.to_lowercase().as_str() {
        "yes" | "y" | "on" => Some("true"),
        "no" | "n" | "off" => Some("false"),
        _ => None,
    }
}

fn is_shape(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Type { .. })
}

fn shape_words(error: &ValidationError<'_>) -> Vec<&'static str> {
    match error.kind() {
        ValidationErrorKind::Type { kind } => type_words(kind),
        _ => Vec::new(),
    }
}

/// Whether an error says that a member directly below `pointer` is not the constant that tells the branches apart.
fn is_discriminator(error: &ValidationError<'_>, pointer: &str) -> bool {
    let path = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::Constant { .. } => {
            path.strip_prefix(pointer).is_some_and(|rest| rest.matches('/').count() == 1)
        }
        ValidationErrorKind::Required { property } => path == pointer && property == "format",
        _ => false,
    }
}

fn type_words(kind: &TypeKind) -> Vec<&'static str> {
    match kind {
        TypeKind::Single(single) => vec![type_word(*single)],
        TypeKind::Multiple(several) => {
            several.iter().filter(|single| *single != JsonType::Null).map(type_word).collect()
        }
    }
}

fn type_word(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Array => LIST,
        JsonType::Boolean => BOOLEAN,
        JsonType::Integer => "a whole number",
        JsonType::Null => NOTHING,
        JsonType::Number => "a number",
        JsonType::Object => MAPPING,
        JsonType::String => TEXT,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.to_owned(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() <= 40 && !text.contains('\n') => format!("the text `{text}`"),
        Value::String(_) => TEXT.to_owned(),
        Value::Array(_) => LIST.to_owned(),
        Value::Object(_) => MAPPING.to_owned(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
