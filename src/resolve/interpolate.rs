//! `${…}` in strings.
//!
//! Roots: `var`, `environment`, `project`, `git`, `env`; `secret` is recognised and refused where a value would be written
//! down. `$${` stands for a plain `${`. An unknown root is an error, never left as it is: a typo must not become a path.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::Settings;
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code, join_pointer};
use crate::name;
use crate::spec;

/// What `${…}` can name.
pub(super) struct Scope<'a> {
    project: BTreeMap<&'static str, Option<&'a str>>,
    environment: &'a str,
    git_sha: Option<&'a str>,
    process: &'a BTreeMap<String, String>,
    /// Whether `${resources.…}`, `${bundle.…}` and `${workspace.…}` stand for what the bundle will put in.
    bundle: bool,
    /// Empty until the variables have values.
    pub variables: BTreeMap<String, String>,
}

/// What the Databricks CLI puts in when it deploys.
const BUNDLE_ROOTS: [&str; 3] = ["resources", "bundle", "workspace"];

const ROOTS: [&str; 6] = ["var", "environment", "project", "git", "env", "secret"];

impl<'a> Scope<'a> {
    pub(super) fn new(header: &'a spec::ProjectHeader, environment: &'a str, settings: &'a Settings) -> Self {
        Scope {
            project: BTreeMap::from([
                ("name", Some(header.name.as_str())),
                ("owner", header.owner.as_deref()),
                ("use_case", header.use_case.as_deref()),
            ]),
            environment,
            git_sha: settings.git_sha.as_deref(),
            process: &settings.process,
            bundle: false,
            variables: BTreeMap::new(),
        }
    }

    /// This scope with variables.
    pub(super) fn with_variables(&self, variables: BTreeMap<String, String>) -> Scope<'a> {
        Scope { variables, project: self.project.clone(), ..*self }
    }

    /// This scope for what goes into a bundle.
    pub(super) fn of_bundle(&self) -> Scope<'a> {
        Scope { bundle: true, ..self.with_variables(self.variables.clone()) }
    }

    /// What a reference stands for. In a bundle a value cannot hold a `${`, which would be read as another reference.
    fn value_of(&self, reference: &str) -> Result<String, Diagnostic> {
        let root = reference.split('.').next().unwrap_or_default();
        if self.bundle && BUNDLE_ROOTS.contains(&root) {
            return Ok(format!("${{{reference}}}"));
        }
        let value = self.look_up(reference)?;
        if self.bundle && value.contains("${") {
            return Err(literal(&format!("the value of `${{{reference}}}` has a `${{`, which")));
        }
        Ok(value)
    }

    fn look_up(&self, reference: &str) -> Result<String, Diagnostic> {
        let (root, rest) = reference.split_once('.').unwrap_or((reference, ""));
        match root {
            "var" => self.variables.get(rest).cloned().ok_or_else(|| self.unknown_variable(rest)),
            "environment" if rest == "name" => Ok(self.environment.to_owned()),
            "project" => match self.project.get(rest) {
                Some(Some(value)) => Ok((*value).to_owned()),
                Some(None) => Err(Diagnostic::error(code::INTERPOLATION, format!("the project has no `{rest}`"))
                    .help(format!("add `{rest}` to `project` in medc.yml"))),
                None => Err(unknown(reference, self.project.keys().map(|key| format!("project.{key}")))),
            },
            "git" if rest == "sha" => self.git_sha.map(str::to_owned).ok_or_else(|| {
                Diagnostic::error(code::INTERPOLATION, "there is no git commit to take `${git.sha}` from")
                    .help("run medc in a git repository with a commit")
            }),
            "env" => self.process.get(rest).cloned().ok_or_else(|| {
                Diagnostic::error(
                    code::PROCESS_VARIABLE_MISSING,
                    format!("the process variable `{rest}` is not set"),
                )
                .help(format!("set it (`export {rest}=…`), write it into `.env`, or declare a variable with a default and `env: {rest}`"))
            }),
            "secret" => Err(Diagnostic::error(code::SECRET_PLACE, "a secret cannot stand here")
                .note("its value would be written into tables, plans or logs")
                .help("use a variable for what is no secret")),
            "environment" | "git" => Err(unknown(
                reference,
                ["environment.name".to_owned(), "git.sha".to_owned()].into_iter().filter(|known| known.starts_with(root)),
            )),
            _ if self.bundle => {
                Err(unknown(reference, ROOTS.iter().chain(&BUNDLE_ROOTS).map(|known| (*known).to_owned())))
            }
            _ => Err(unknown(reference, ROOTS.iter().map(|known| (*known).to_owned()))),
        }
    }

    fn unknown_variable(&self, wrong: &str) -> Diagnostic {
        let known = self.variables.keys().map(String::as_str);
        let found = Diagnostic::error(code::UNKNOWN_VARIABLE, format!("there is no variable `{wrong}`"));
        match name::nearest(wrong, known.clone()) {
            Some(near) => found.help(format!("did you mean `${{var.{near}}}`?")).fix(format!("${{var.{near}}}")),
            None => found.help(format!("declare it: `variables: {{{wrong}: {{default: …}}}}`")),
        }
    }
}

fn unknown(reference: &str, known: impl Iterator<Item = String>) -> Diagnostic {
    let known: Vec<String> = known.collect();
    let (root, rest) = reference.split_once('.').unwrap_or((reference, ""));
    let found = Diagnostic::error(code::INTERPOLATION, format!("`${{{reference}}}` means nothing"));
    match name::nearest(root, known.iter().map(String::as_str)) {
        Some(near) if near != root && !rest.is_empty() => {
            found.help(format!("did you mean `${{{near}.{rest}}}`?")).fix(format!("${{{near}.{rest}}}"))
        }
        _ => match name::nearest(reference, known.iter().map(String::as_str)) {
            Some(near) if near.contains('.') => {
                found.help(format!("did you mean `${{{near}}}`?")).fix(format!("${{{near}}}"))
            }
            _ => found.help(format!("known are {}; `$${{` gives a plain `${{`", name::list(&known))),
        },
    }
}

/// A `${` that is meant as it stands, where the Databricks CLI would read a reference.
pub(super) fn literal(what: &str) -> Diagnostic {
    Diagnostic::error(code::BUNDLE_REFERENCE, format!("{what} cannot be said in a bundle"))
        .note("the Databricks CLI takes every `${…}` for a reference; not all of its versions know an escape for it")
        .help("say it without `${`")
}

/// Replaces every `${…}` in a text.
///
/// # Errors
/// `resolve::*` at the reference.
pub(super) fn text<'t>(
    text: &'t str,
    scope: &Scope<'_>,
    site: &dyn Fn() -> Site,
    diagnostics: &mut Diagnostics,
) -> Result<Cow<'t, str>, Reported> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    let mut failed = None;
    while let Some(start) = rest.find("${") {
        let offset = text.len() - rest.len() + start;
        if let Some(before) = rest[..start].strip_suffix('$') {
            if scope.bundle {
                failed = Some(diagnostics.error(literal("a `${`").at(site().text(offset - 1..offset + 2), "")));
            }
            replaced.push_str(before);
            replaced.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        replaced.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let Some(length) = inner.find(['}', '{', '\n']).filter(|end| inner[*end..].starts_with('}')) else {
            failed = Some(
                diagnostics.error(
                    Diagnostic::error(code::INTERPOLATION, "this `${` is not closed")
                        .at(site().text(offset..offset + 2), "no `}` follows")
                        .help("close it with `}`, or write `$${` for a plain `${`"),
                ),
            );
            break;
        };
        match scope.value_of(inner[..length].trim()) {
            Ok(value) => replaced.push_str(&value),
            Err(found) => {
                failed = Some(diagnostics.error(found.at(site().text(offset..offset + length + 3), "")));
            }
        }
        rest = &inner[length + 1..];
    }
    if let Some(reported) = failed {
        Err(reported)
    } else {
        replaced.push_str(rest);
        Ok(Cow::Owned(replaced))
    }
}

/// Replaces every `${…}` in all strings of a value.
///
/// # Errors
/// `resolve::*`, all of them.
pub(super) fn value(
    value: &mut Value,
    scope: &Scope<'_>,
    site_of: &dyn Fn(&str) -> Site,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    if !mentions(value) {
        return Ok(());
    }
    replace_all(value, "", scope, site_of, diagnostics)
}

fn mentions(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${"),
        Value::Array(elements) => elements.iter().any(mentions),
        Value::Object(members) => members.values().any(mentions),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a text is a reference to a secret, and stands where a source takes one.
fn is_secret_of_source(text: &str, pointer: &str) -> bool {
    let is_credential = pointer == "/source/user" || pointer == "/source/password";
    is_credential && text.starts_with("${secret.") && text.find('}') == Some(text.len() - 1)
}

fn replace_all(
    value: &mut Value,
    pointer: &str,
    scope: &Scope<'_>,
    site_of: &dyn Fn(&str) -> Site,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let mut outcome = Ok(());
    match value {
        // Only a job that runs knows a secret; its connector says what may be one.
        Value::String(written) if is_secret_of_source(written, pointer) => {}
        Value::String(written) => {
            let replaced = text(written, scope, &|| site_of(pointer), diagnostics)?;
            if let Cow::Owned(replaced) = replaced {
                *written = replaced;
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter_mut().enumerate() {
                outcome = replace_all(element, &format!("{pointer}/{index}"), scope, site_of, diagnostics).and(outcome);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                // SQL keeps its places: `sql_file` replaces in it.
                if key == "sql" && pointer.is_empty() {
                    continue;
                }
                outcome = replace_all(member, &join_pointer(pointer, key), scope, site_of, diagnostics).and(outcome);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    outcome
}
