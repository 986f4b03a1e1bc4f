//! Jobs in the bundle's own format: the same rules as for those of `jobs`, as far as the Databricks CLI does not hold them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{start, tasks};
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code, join_pointer};
use crate::name;

type SiteOf<'a> = &'a dyn Fn(&str) -> Site;

/// Holds a job's body against the rules.
pub(super) fn check(body: &Value, site_of: SiteOf<'_>, diagnostics: &mut Diagnostics) {
    let starts: Vec<&str> =
        ["schedule", "trigger", "continuous"].into_iter().filter(|key| body.get(*key).is_some()).collect();
    if let [first, second, ..] = starts.as_slice() {
        diagnostics.error(
            Diagnostic::error(code::JOB_TRIGGER, format!("a job runs on `{first}` or on `{second}`, not on both"))
                .at(site_of(&format!("/{second}")).key(), "this")
                .at(site_of(&format!("/{first}")).key(), "and this")
                .help("remove one of them, or make a second job"),
        );
    }
    if let Some(written) = body.get("schedule") {
        schedule(written, "/schedule", site_of, diagnostics);
    }
    let Some(tasks) = body.get("tasks").and_then(Value::as_array) else { return };
    if tasks.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::EMPTY_JOB, "the job has nothing to do")
                .at(site_of("/tasks"), "")
                .help("add a task, or remove the job"),
        );
    }
    keys_named(body, tasks, site_of, diagnostics);
    for (index, task) in tasks.iter().enumerate() {
        form(task, &format!("/tasks/{index}"), site_of, diagnostics);
    }
    dependencies(tasks, site_of, diagnostics);
}

/// A task does one thing, and has what that needs.
fn form(task: &Value, pointer: &str, site_of: SiteOf<'_>, diagnostics: &mut Diagnostics) {
    let kinds: Vec<&str> =
        task.as_object().into_iter().flat_map(|members| members.keys()).map(String::as_str).collect();
    let kinds: Vec<&str> = kinds.into_iter().filter(|key| key.ends_with("_task")).collect();
    let mut wrong = |pointer: &str, message: String, help: &str| {
        diagnostics.error(Diagnostic::error(code::TASK_FORM, message).at(site_of(pointer), "").help(help));
    };
    match kinds.as_slice() {
        [_] => {}
        [] => wrong(pointer, "the task does nothing".to_owned(), "add e.g. a `notebook_task`"),
        several => wrong(pointer, format!("the task does several things: {}", name::list(several)), "keep one of them"),
    }
    let needed = [
        ("sql_task", "warehouse_id"),
        ("for_each_task", "inputs"),
        ("for_each_task", "task"),
        ("dashboard_task", "dashboard_id"),
        ("pipeline_task", "pipeline_id"),
        ("run_job_task", "job_id"),
        ("dbt_task", "commands"),
    ];
    for (kind, key) in needed {
        if task.get(kind).is_some_and(|body| body.get(key).is_none()) {
            wrong(&format!("{pointer}/{kind}"), format!("`{kind}` lacks `{key}`"), "add it");
        }
    }
    let compute = ["environment_key", "job_cluster_key", "existing_cluster_id", "new_cluster"];
    let on_compute = ["spark_python_task", "python_wheel_task", "dbt_task"];
    if let Some(kind) = kinds.iter().find(|kind| on_compute.contains(kind))
        && compute.iter().all(|key| task.get(*key).is_none())
    {
        let message = format!("a `{kind}` that runs on nothing");
        wrong(pointer, message, "add `environment_key`, for serverless compute, or `job_cluster_key`");
    }
    if let Some(inner) = task.pointer("/for_each_task/task") {
        form(inner, &format!("{pointer}/for_each_task/task"), site_of, diagnostics);
    }
}

/// A schedule as jobs, alerts and monitors have it.
pub(super) fn schedule(written: &Value, pointer: &str, site_of: SiteOf<'_>, diagnostics: &mut Diagnostics) {
    for key in ["quartz_cron_expression", "quartz_cron_schedule"] {
        if let Some(cron) = written.get(key).and_then(Value::as_str).filter(|cron| !cron.contains("${")) {
            start::cron(cron, &site_of(&format!("{pointer}/{key}")), diagnostics);
        }
    }
    if let Some(zone) = written.get("timezone_id").and_then(Value::as_str).filter(|zone| !zone.contains("${")) {
        start::time_zone(zone, &site_of(&format!("{pointer}/timezone_id")), diagnostics);
    }
}

/// Every `environment_key` and `job_cluster_key` is declared by the job.
fn keys_named(body: &Value, tasks: &[Value], site_of: SiteOf<'_>, diagnostics: &mut Diagnostics) {
    for (list, key) in [("environments", "environment_key"), ("job_clusters", "job_cluster_key")] {
        let declared = body.get(list).and_then(Value::as_array);
        let declared: Vec<&str> = declared.into_iter().flatten().filter_map(|one| one.get(key)?.as_str()).collect();
        for (index, task) in tasks.iter().enumerate() {
            let Some(wanted) = task.get(key).and_then(Value::as_str) else { continue };
            if !declared.contains(&wanted) {
                let found = Diagnostic::error(code::UNKNOWN_COMPUTE, format!("the job has no `{key}: {wanted}`"))
                    .at(site_of(&format!("/tasks/{index}/{key}")), "");
                let fix = name::nearest(wanted, declared.iter().copied()).map(Fix::value);
                let help = name::did_you_mean(wanted, declared.iter().copied())
                    .unwrap_or_else(|| format!("declare it below the job's `{list}`"));
                diagnostics.error(Diagnostic { fix, ..found.help(help) });
            }
        }
    }
}

fn dependencies(written: &[Value], site_of: SiteOf<'_>, diagnostics: &mut Diagnostics) {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, task) in written.iter().enumerate() {
        let Some(key) = task.get("task_key").and_then(Value::as_str) else {
            diagnostics.error(
                Diagnostic::error(code::TASK_FORM, "a task without `task_key`")
                    .at(site_of(&format!("/tasks/{index}")), "")
                    .help("add `task_key: NAME`"),
            );
            continue;
        };
        if let Some(first) = places.get(key) {
            diagnostics.error(
                Diagnostic::error(code::DUPLICATE_TASK, format!("the task `{key}` is there twice"))
                    .at(site_of(&format!("/tasks/{index}/task_key")), "here again")
                    .at(site_of(&format!("/tasks/{first}/task_key")), "first here")
                    .help("rename one of them"),
            );
        } else {
            places.insert(key, index);
        }
    }
    let mut needs = vec![std::collections::BTreeSet::new(); written.len()];
    let mut is_whole = true;
    for (index, task) in written.iter().enumerate() {
        for (place, on) in task.get("depends_on").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let Some(key) = on.get("task_key").and_then(Value::as_str) else { continue };
            if let Some(need) = places.get(key) {
                needs[index].insert(*need);
                continue;
            }
            is_whole = false;
            let found = Diagnostic::error(code::UNKNOWN_TASK, format!("the job has no task `{key}`"))
                .at(site_of(&format!("/tasks/{index}/depends_on/{place}/task_key")), "");
            let fix = name::nearest(key, places.keys().copied()).map(Fix::value);
            diagnostics.error(Diagnostic { help: name::did_you_mean(key, places.keys().copied()), fix, ..found });
        }
    }
    if is_whole && let Err(circle) = tasks::order(&needs) {
        let key =
            |index: &usize| written.get(*index).and_then(|task| task.get("task_key")?.as_str()).unwrap_or_default();
        let around: Vec<String> =
            circle.iter().chain(circle.first()).map(|index| format!("`{}`", key(index))).collect();
        let mut found =
            Diagnostic::error(code::JOB_CYCLE, format!("these tasks wait for each other: {}", around.join(" → ")));
        for index in &circle {
            found = found.at(site_of(&format!("/tasks/{index}/depends_on")).key(), "");
        }
        diagnostics.error(found.help("remove one of the dependencies"));
    }
}

/// A cluster without workers must say that it is a single machine.
pub(super) fn single_nodes(value: &Value, pointer: &str, site_of: SiteOf<'_>, diagnostics: &mut Diagnostics) {
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                single_nodes(element, &format!("{pointer}/{index}"), site_of, diagnostics);
            }
        }
        Value::Object(members) => {
            let is_single = members.get("is_single_node") == Some(&Value::Bool(true))
                || members.get("spark_conf").is_some_and(|conf| conf.get("spark.databricks.cluster.profile").is_some());
            let is_cluster = members.contains_key("spark_version") || members.contains_key("node_type_id");
            if is_cluster && members.get("num_workers").and_then(Value::as_u64) == Some(0) && !is_single {
                diagnostics.error(
                    Diagnostic::error(code::COMPUTE_FORM, "a cluster without workers that is no single node")
                        .at(site_of(&join_pointer(pointer, "num_workers")), "")
                        .help("add `is_single_node: true`, or give it a worker")
                        .fix_source("1"),
                );
            }
            for (key, member) in members {
                single_nodes(member, &join_pointer(pointer, key), site_of, diagnostics);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
