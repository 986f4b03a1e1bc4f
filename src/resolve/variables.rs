//! The variables' values: default, environment, process variable, command line; the later wins.

use std::collections::{BTreeMap, BTreeSet};

use super::environment::Chosen;
use super::interpolate::{self, Scope};
use super::{Settings, typed};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::name;
use crate::project::Project;
use crate::spec;

/// A value as given, with the site to blame for what is in it.
struct Given {
    text: String,
    site: Site,
}

/// Every declared variable's value, `${…}` in it replaced.
///
/// # Errors
/// `resolve::unknown-variable` for values of undeclared ones, `resolve::variable-without-value`, `resolve::variable-cycle`.
pub(super) fn values(
    project: &Project,
    chosen: &Chosen,
    scope: &Scope<'_>,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Result<BTreeMap<String, String>, Reported> {
    let mut given: BTreeMap<String, Given> = BTreeMap::new();
    for (name, declared) in &project.variables {
        let variable: spec::Variable = typed(&declared.value, &declared.site, diagnostics)?;
        let site = declared.site.clone();
        let environment = chosen
            .spec
            .variables
            .get(name)
            .map(|value| Given { text: value.to_string(), site: chosen.site.member("variables").member(name) });
        let process = variable.env.as_ref().and_then(|key| settings.process.get(key));
        let command = settings.variables.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
        // What comes from outside the project is a value, not a template.
        let outside = command.or(process).map(|text| Given { text: text.replace("${", "$${"), site: site.clone() });
        let default =
            variable.default.as_ref().map(|value| Given { text: value.to_string(), site: site.member("default") });
        match outside.or(environment).or(default) {
            Some(value) => {
                given.insert(name.clone(), value);
            }
            None => {
                diagnostics.error(without_value(name, &variable, &chosen.name, site));
            }
        }
    }
    undeclared(project, chosen, settings, diagnostics);
    diagnostics.stop_on_error()?;
    replace_references(&given, scope, diagnostics)
}

fn without_value(name: &str, variable: &spec::Variable, environment: &str, site: Site) -> Diagnostic {
    let process = variable.env.as_ref().map(|key| format!(", set the process variable `{key}`")).unwrap_or_default();
    Diagnostic::error(
        code::VARIABLE_WITHOUT_VALUE,
        format!("the variable `{name}` has no value in the environment `{environment}`"),
    )
    .at(site.key(), "")
    .help(format!(
        "give it a `default`, a value in `environments.{environment}.variables`{process}, or pass `--var {name}=VALUE`"
    ))
}

fn undeclared(project: &Project, chosen: &Chosen, settings: &Settings, diagnostics: &mut Diagnostics) {
    let known = || project.variables.keys().map(String::as_str);
    let unknown = |name: &str| {
        let found = Diagnostic::error(code::UNKNOWN_VARIABLE, format!("there is no variable `{name}`"));
        match name::nearest(name, known()) {
            Some(near) => found.help(format!("did you mean `{near}`?")).fix(near),
            None => found.help(format!("declare it: `variables: {{{name}: {{default: …}}}}`")),
        }
    };
    for name in chosen.spec.variables.keys().filter(|name| !project.variables.contains_key(*name)) {
        diagnostics.error(unknown(name).at(chosen.site.member("variables").member(name).key(), "not declared"));
    }
    for (name, _) in settings.variables.iter().filter(|(name, _)| !project.variables.contains_key(name)) {
        diagnostics.error(Diagnostic { fix: None, ..unknown(name) }.note("it was given with `--var`"));
    }
}

/// Variables may name others; those are replaced first.
fn replace_references(
    given: &BTreeMap<String, Given>,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<BTreeMap<String, String>, Reported> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut waiting: BTreeSet<&str> = given.keys().map(String::as_str).collect();
    while !waiting.is_empty() {
        let ready: Vec<&str> = waiting
            .iter()
            .copied()
            .filter(|name| {
                references(&given[*name].text).all(|used| values.contains_key(used) || !given.contains_key(used))
            })
            .collect();
        if ready.is_empty() {
            let first = waiting.iter().next().expect("some variable waits");
            let circle: Vec<&str> = waiting.iter().copied().collect();
            return Err(diagnostics.error(
                Diagnostic::error(
                    code::VARIABLE_CYCLE,
                    format!("the variables {} need each other", name::list(&circle)),
                )
                .at(given[*first].site.clone(), "")
                .help("give one of them a value without `${var.…}`"),
            ));
        }
        for name in ready {
            waiting.remove(name);
            let value = &given[name];
            let known = scope.with_variables(values.clone());
            let replaced = interpolate::text(&value.text, &known, &|| value.site.clone(), diagnostics)?;
            values.insert(name.to_owned(), replaced.into_owned());
        }
    }
    Ok(values)
}

/// The variables that a text names.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("${var.").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.trim())
}
