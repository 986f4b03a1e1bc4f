//! What stands in the texts of a deployment for something else: `${…}`, which the Databricks CLI puts in when it deploys,
//! and `{{…}}`, which Databricks puts in when a job runs.
//!
//! In: a text whose `${…}` are all meant as references (`resolve` saw to that). What leads nowhere is reported; the CLI
//! sees some of it when it plans, and none of it when it validates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code, join_pointer};
use crate::name;

const BUNDLE: [&str; 7] = ["name", "uuid", "target", "environment", "git.branch", "git.commit", "git.origin_url"];
const WORKSPACE: [&str; 9] = [
    "host",
    "profile",
    "root_path",
    "file_path",
    "artifact_path",
    "state_path",
    "resource_path",
    "current_user.userName",
    "current_user.short_name",
];
const TIME: [&str; 11] = [
    "iso_date",
    "iso_datetime",
    "iso_weekday",
    "is_weekday",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "timestamp_ms",
];

/// What a deployment has, by type and key.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) resources: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    pub(super) fn add(&mut self, resource_type: &str, key: &str) {
        self.resources.entry(resource_type.to_owned()).or_default().insert(key.to_owned());
    }
}

/// The references of a text with their bytes, `open` and `close` included.
fn between<'t>(text: &'t str, open: &'static str, close: &'static str) -> impl Iterator<Item = &'t str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close)).map(|(inner, _)| inner.trim())
}

/// Reports each `${…}` of the bundle that leads nowhere.
pub(super) fn check(text: &str, site: &Site, known: &Known, diagnostics: &mut Diagnostics) {
    if !text.contains("${") {
        return;
    }
    if text.contains("/Workspace/${workspace.") || text.contains("/Workspace${workspace.") {
        diagnostics.error(
            Diagnostic::error(code::BUNDLE_REFERENCE, "`/Workspace` stands in front of a path that begins with it")
                .at(site.clone(), "")
                .help("begin with `${workspace.…}`"),
        );
    }
    for reference in between(text, "${", "}") {
        if let Some(found) = lost(reference, known) {
            let fix = found
                .fix
                .map(|near| Fix::Value(text.replace(&format!("${{{reference}}}"), &format!("${{{}}}", near.text()))));
            diagnostics.error(Diagnostic { fix, ..found }.at(site.clone(), ""));
        }
    }
}

/// Checks every text below a value.
pub(super) fn check_all(
    value: &Value,
    pointer: &str,
    site_of: &dyn Fn(&str) -> Site,
    known: &Known,
    diagnostics: &mut Diagnostics,
) {
    match value {
        Value::String(text) => check(text, &site_of(pointer), known, diagnostics),
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                check_all(element, &format!("{pointer}/{index}"), site_of, known, diagnostics);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                check_all(member, &join_pointer(pointer, key), site_of, known, diagnostics);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn lost(reference: &str, known: &Known) -> Option<Diagnostic> {
    let (root, rest) = reference.split_once('.').unwrap_or((reference, ""));
    match root {
        "bundle" if BUNDLE.contains(&rest) => None,
        "workspace" if WORKSPACE.contains(&rest) || rest.starts_with("current_user.") => None,
        "bundle" => Some(nothing(reference, BUNDLE.iter().map(|known| format!("bundle.{known}")))),
        "workspace" => Some(nothing(reference, WORKSPACE.iter().map(|known| format!("workspace.{known}")))),
        _ => {
            let mut parts = rest.splitn(3, '.');
            let (resource_type, key, field) = (parts.next()?, parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            match known.resources.get(resource_type) {
                Some(keys) if keys.contains(key) && !field.is_empty() => None,
                Some(keys) if keys.contains(key) => Some(
                    Diagnostic::error(
                        code::BUNDLE_REFERENCE,
                        format!("`${{{reference}}}` names a resource, not a value of it"),
                    )
                    .help(format!("write `${{{reference}.name}}` or `${{{reference}.id}}`")),
                ),
                Some(keys) => Some(nothing(
                    reference,
                    keys.iter().map(|known| format!("resources.{resource_type}.{known}.{field}")),
                )),
                None => Some(nothing(
                    reference,
                    known.resources.iter().flat_map(|(known_type, keys)| {
                        keys.iter().map(move |known| format!("resources.{known_type}.{known}.{field}"))
                    }),
                )),
            }
        }
    }
}

fn nothing(reference: &str, known: impl Iterator<Item = String>) -> Diagnostic {
    let known: Vec<String> = known.collect();
    let found =
        Diagnostic::error(code::BUNDLE_REFERENCE, format!("`${{{reference}}}` leads nowhere in this environment"));
    match name::nearest(reference, known.iter().map(String::as_str)) {
        Some(near) => found.help(format!("did you mean `${{{near}}}`?")).fix(near),
        None => found.help("correct it, or declare the resource below `resources`"),
    }
}

/// What `{{…}}` can name in a job.
#[derive(Clone)]
pub(super) struct Running<'a> {
    pub(super) tasks: BTreeSet<&'a str>,
    pub(super) parameters: BTreeSet<String>,
    /// Whether the task is done for each of several inputs.
    pub(super) has_input: bool,
}

/// Reports each `{{…}}` that Databricks does not know, or that names a task or parameter which the job lacks.
pub(super) fn check_dynamic(text: &str, site: &Site, running: &Running<'_>, diagnostics: &mut Diagnostics) {
    for reference in between(text, "{{", "}}") {
        let found = |why: String, near: Option<String>| {
            let found = Diagnostic::error(code::DYNAMIC_VALUE, why).at(site.clone(), "");
            match near {
                Some(near) => found.fix(text.replace(reference, &near)).help(format!("did you mean `{{{{{near}}}}}`?")),
                None => found.help(
                    "Databricks knows `{{job.…}}`, `{{task.…}}`, `{{tasks.KEY.…}}` and `{{workspace.…}}`; \
                     its documentation of dynamic value references lists them",
                ),
            }
        };
        let parts: Vec<&str> = reference.split('.').collect();
        let diagnostic = match parts.as_slice() {
            ["input", ..] if running.has_input => None,
            ["input", ..] => Some(found("only a task with `for_each` has an `{{input}}`".to_owned(), None)),
            ["job", "id" | "name" | "run_id" | "repair_count"] | ["job", "trigger", "type"] => None,
            ["job", "trigger", "file_arrival", "location"] | ["job", "trigger", "table_update", _] => None,
            ["job", "start_time" | "notification_time"] | ["backfill"] => {
                Some(found(format!("`{{{{{reference}}}}}` lacks its form"), Some(format!("{reference}.iso_date"))))
            }
            ["job", "start_time", form] | ["job", "trigger", "time", form] | ["backfill", form] => {
                (!TIME.contains(form)).then(|| {
                    let near = name::nearest(form, TIME).map(|near| reference.replace(form, near));
                    found(format!("`{form}` is no form of a time"), near)
                })
            }
            ["job", "parameters", name] => (!running.parameters.contains(*name)).then(|| {
                let near = name::nearest(name, running.parameters.iter().map(String::as_str));
                found(format!("the job has no parameter `{name}`"), near.map(|near| format!("job.parameters.{near}")))
            }),
            ["task", "name" | "run_id" | "execution_count" | "notebook_path"] => None,
            ["tasks", task, ..] if !running.tasks.contains(task) => {
                let near = name::nearest(task, running.tasks.iter().copied());
                let near = near.map(|near| reference.replacen(&format!("tasks.{task}"), &format!("tasks.{near}"), 1));
                Some(found(format!("the job has no task `{task}`"), near))
            }
            ["tasks", _, "name" | "run_id" | "result_state" | "error_code" | "execution_count" | "notebook_path"] => {
                None
            }
            ["tasks", _, "values", _] | ["tasks", _, "output", ..] => None,
            ["workspace", "id" | "url"] => None,
            _ => {
                let known = [
                    "job.id",
                    "job.name",
                    "job.run_id",
                    "job.start_time.iso_date",
                    "job.start_time.iso_datetime",
                    "job.trigger.type",
                    "task.name",
                    "task.run_id",
                    "workspace.id",
                    "workspace.url",
                ];
                let near = name::nearest(reference, known).map(str::to_owned);
                Some(found(format!("`{{{{{reference}}}}}` is nothing that Databricks fills in"), near))
            }
        };
        if let Some(diagnostic) = diagnostic {
            diagnostics.error(diagnostic);
        }
    }
}
