//! Jobs in core form: those of the project, and those that medc makes by itself.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::Context;
use super::compute;
use super::groups;
use super::start;
use super::tasks;
use super::values;
use crate::diagnostic::{Diagnostic, Diagnostics, Site, code};
use crate::graph::select;
use crate::ir::NodeId;
use crate::ir::deployment::{Dependency, Job, Notifications, Permission, Task, TaskBody};
use crate::resolve::{Entity, Place};
use crate::spec::{self, GeneratedJobs};

/// All jobs of the environment by key.
pub(super) fn lower_all(
    context: &Context<'_>,
    project_name: &str,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, Job> {
    let mut jobs = IndexMap::new();
    for (key, job) in &context.deployment.jobs {
        if !values::is_key(key) {
            diagnostics.error(
                Diagnostic::error(code::RESOURCE_KEY, format!("`{key}` is no key for a job"))
                    .at(job.origin.site.clone().key(), "")
                    .help("use letters, digits, `_` and `-`; `name` may be any text")
                    .fix(values::key_from(key)),
            );
        }
        // A job of other environments is checked there.
        if context.has_job(key)
            && let Some(lowered) = lower(key, job, context, diagnostics)
        {
            jobs.insert(key.clone(), lowered);
        }
    }
    for (key, job) in generated(context, project_name, diagnostics) {
        if let Some(own) = jobs.get(&key) {
            diagnostics.error(
                Diagnostic::error(code::RESOURCE_KEY, format!("`{key}` is also the key of a job that medc makes"))
                    .at(own.site.clone().key(), "")
                    .help("rename it, or write `bundle: {generated_jobs: none}`"),
            );
        }
        jobs.insert(key, job);
    }
    circles(&jobs, context, diagnostics);
    groups::notebooks(&jobs, context, diagnostics);
    jobs
}

fn lower(key: &str, job: &Entity<spec::Job>, context: &Context<'_>, diagnostics: &mut Diagnostics) -> Option<Job> {
    let Entity { spec, origin } = job;
    let name = spec.name.clone().unwrap_or_else(|| key.to_owned());
    values::short(&name, 4096, "the name", &origin.site("/name"), diagnostics);
    if let Some(description) = &spec.description {
        values::short(description, 27_700, "the description", &origin.site("/description"), diagnostics);
    }
    let period = |written: &Option<spec::Period>, key: &str, diagnostics: &mut Diagnostics| {
        written.as_ref().and_then(|period| values::seconds(period, 1, &origin.site(key), diagnostics))
    };
    let timeout_s = period(&spec.timeout, "/timeout", diagnostics);
    let limits = tasks::Limits {
        retries: spec.retries,
        retry_interval_ms: period(&spec.retry_interval, "/retry_interval", diagnostics).map(|seconds| seconds * 1000),
        retry_on_timeout: spec.retry_on_timeout,
        timeout_s: period(&spec.task_timeout, "/task_timeout", diagnostics),
    };
    if spec.max_concurrent_runs.is_some_and(|n| !(1..=1000).contains(&n)) {
        diagnostics.error(
            Diagnostic::error(code::JOB_LIMIT, "a job has 1 to 1000 runs at a time")
                .at(origin.site("/max_concurrent_runs"), "")
                .help("write `1`, or remove the key")
                .fix_source("1"),
        );
    }
    let notifications = compute::notifications(spec.notify.as_ref(), &origin.site("/notify"), context, diagnostics);
    let health = health(job, &notifications, diagnostics);
    let start = start::lower(job, context, diagnostics);
    let parameters = values::parameters(&spec.parameters, &origin.site("/parameters"), diagnostics);
    let tags = values::tags(&spec.tags, &origin.site("/tags"), diagnostics);
    let permissions = permissions(job, diagnostics);
    let nodes = selected(job, context, diagnostics)?;
    if nodes.is_empty() && spec.tasks.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::EMPTY_JOB, format!("the job `{key}` has nothing to do"))
                .at(origin.site.clone().key(), "")
                .help("select tables with `select`, or add `tasks`"),
        );
        return None;
    }
    let cluster = spec.compute.as_deref().map(|name| (name, origin.site("/compute")));
    let cluster = compute::find(cluster, context, diagnostics);
    let tasks = tasks::lower(key, job, &nodes, &limits, cluster.as_deref(), &parameters, context, diagnostics)?;
    if spec.continuous {
        start::continuous(job, &tasks, diagnostics);
    }
    Some(Job {
        name,
        site: origin.site.clone(),
        description: spec.description.clone(),
        tasks,
        start,
        timeout_s,
        queue: spec.queue.unwrap_or(true),
        health,
        max_concurrent_runs: spec.max_concurrent_runs,
        parameters,
        notifications,
        tags,
        permissions,
    })
}

/// The tables that a job builds; `None` for a selector that finds nothing.
fn selected(job: &Entity<spec::Job>, context: &Context<'_>, diagnostics: &mut Diagnostics) -> Option<BTreeSet<NodeId>> {
    let Some(selectors) = &job.spec.select else {
        let all = if job.spec.tasks.is_empty() { context.graph.order.as_slice() } else { &[] };
        return Some(all.iter().copied().collect());
    };
    let mut nodes = BTreeSet::new();
    let mut is_whole = true;
    for (pointer, selector) in selectors.each() {
        match select::select(context.graph, &[selector.to_owned()]) {
            Ok(found) => nodes.extend(found.unwrap_or_default()),
            Err(nothing) => {
                is_whole = false;
                let found = Diagnostic::error(code::JOB_SELECTION, nothing.message)
                    .at(job.origin.site(&format!("/select{pointer}")), "");
                diagnostics.error(Diagnostic { help: nothing.help, ..found });
            }
        }
    }
    is_whole.then_some(nodes)
}

fn health(
    job: &Entity<spec::Job>,
    notifications: &Notifications,
    diagnostics: &mut Diagnostics,
) -> Vec<(&'static str, u64)> {
    let mut seen = BTreeMap::new();
    let mut rules = Vec::new();
    for (index, rule) in job.spec.health.iter().enumerate() {
        let site = job.origin.site(&format!("/health/{index}"));
        if let Some(first) = seen.insert(rule.metric, index) {
            diagnostics.error(
                Diagnostic::error(code::JOB_LIMIT, "two rules measure the same")
                    .at(site.member("metric"), "here again")
                    .at(job.origin.site(&format!("/health/{first}/metric")), "first here")
                    .help("remove one of them"),
            );
        }
        if rule.above == 0 {
            diagnostics.error(
                Diagnostic::error(code::JOB_LIMIT, "every run would be above 0")
                    .at(site.member("above"), "")
                    .help("write a number from 1"),
            );
        }
        let metric = match rule.metric {
            spec::HealthMetric::RunDurationSeconds => "RUN_DURATION_SECONDS",
            spec::HealthMetric::StreamingBacklogBytes => "STREAMING_BACKLOG_BYTES",
            spec::HealthMetric::StreamingBacklogRecords => "STREAMING_BACKLOG_RECORDS",
            spec::HealthMetric::StreamingBacklogSeconds => "STREAMING_BACKLOG_SECONDS",
            spec::HealthMetric::StreamingBacklogFiles => "STREAMING_BACKLOG_FILES",
        };
        rules.push((metric, rule.above));
    }
    let warned = notifications.events.contains_key("on_duration_warning_threshold_exceeded");
    if warned && !seen.contains_key(&spec::HealthMetric::RunDurationSeconds) {
        diagnostics.error(
            Diagnostic::error(code::JOB_LIMIT, "no rule of `health` says what takes too long")
                .at(job.origin.site("/notify/on_duration_warning").key(), "never sent")
                .help("add `health: [{metric: run_duration_seconds, above: 3600}]`"),
        );
    }
    rules
}

fn permissions(job: &Entity<spec::Job>, diagnostics: &mut Diagnostics) -> Vec<Permission> {
    let mut permissions: Vec<(Permission, Site)> = Vec::new();
    for (index, written) in job.spec.permissions.iter().enumerate() {
        let site = job.origin.site(&format!("/permissions/{index}"));
        let level = match written.level {
            spec::JobPermissionLevel::View => "CAN_VIEW",
            spec::JobPermissionLevel::ManageRun => "CAN_MANAGE_RUN",
            spec::JobPermissionLevel::Manage => "CAN_MANAGE",
            spec::JobPermissionLevel::Owner => "IS_OWNER",
        };
        let identities = [&written.group_name, &written.user_name, &written.service_principal_name];
        let Some(permission) = values::identity(level, identities, &site, diagnostics) else { continue };
        if level == "IS_OWNER" && permission.kind == "group_name" {
            diagnostics.error(
                Diagnostic::error(code::PERMISSION, "a group cannot own a job")
                    .at(site.member("level"), "")
                    .help("name a user or a service principal, or give the group `CAN_MANAGE`")
                    .fix("CAN_MANAGE"),
            );
        }
        let same_owner = |(other, _): &&(Permission, Site)| other.level == "IS_OWNER" && level == "IS_OWNER";
        let same_identity =
            |(other, _): &&(Permission, Site)| (other.kind, &other.identity) == (permission.kind, &permission.identity);
        let twice = permissions.iter().find(same_identity).map(|first| (first, "has two permissions on the job"));
        let twice = twice.or_else(|| permissions.iter().find(same_owner).map(|first| (first, "is a second owner")));
        if let Some(((_, first), why)) = twice {
            diagnostics.error(
                Diagnostic::error(code::PERMISSION, format!("`{}` {why}", permission.identity))
                    .at(site.clone(), "here again")
                    .at(first.clone(), "first here")
                    .help("keep one of them"),
            );
        }
        permissions.push((permission, site));
    }
    permissions.into_iter().map(|(permission, _)| permission).collect()
}

/// The jobs that medc makes by itself on Databricks.
fn generated(context: &Context<'_>, project_name: &str, diagnostics: &mut Diagnostics) -> Vec<(String, Job)> {
    let bundle = context.deployment.bundle.as_ref();
    let asked = bundle.and_then(|bundle| bundle.spec.generated_jobs);
    let kind =
        asked.unwrap_or(if context.deployment.jobs.is_empty() { GeneratedJobs::Whole } else { GeneratedJobs::None });
    let site = bundle.map_or_else(|| context.environment.site.clone(), |bundle| bundle.origin.site("/generated_jobs"));
    let nodes: BTreeSet<NodeId> = context.graph.order.iter().copied().collect();
    // Nobody wrote these jobs: where nothing is deployed there are none.
    if nodes.is_empty() || matches!(context.environment.place, Place::Local { .. }) {
        return Vec::new();
    }
    match kind {
        GeneratedJobs::None => Vec::new(),
        GeneratedJobs::Whole => {
            let job = tables_job(project_name, "all tables", &nodes, &site, context, diagnostics);
            vec![(project_name.to_owned(), job)]
        }
        GeneratedJobs::PerLayer => per_layer(context, project_name, &site, diagnostics),
    }
}

fn tables_job(
    name: &str,
    what: &str,
    nodes: &BTreeSet<NodeId>,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Job {
    let cluster = compute::find(None, context, diagnostics);
    let tasks = tasks::of_tables(nodes, &tasks::Limits::default(), cluster.as_deref(), context);
    tasks::count(&tasks, site, diagnostics);
    made(name, format!("Builds {what}."), tasks, site)
}

fn made(name: &str, description: String, tasks: Vec<Task>, site: &Site) -> Job {
    Job {
        name: name.to_owned(),
        site: site.clone(),
        description: Some(description),
        tasks,
        start: None,
        timeout_s: None,
        queue: true,
        health: Vec::new(),
        max_concurrent_runs: None,
        parameters: IndexMap::new(),
        notifications: Notifications::default(),
        tags: IndexMap::new(),
        permissions: Vec::new(),
    }
}

/// A job a layer, and one that runs them in the order in which the layers need each other.
fn per_layer(
    context: &Context<'_>,
    project_name: &str,
    site: &Site,
    diagnostics: &mut Diagnostics,
) -> Vec<(String, Job)> {
    let graph = context.graph;
    let layer_of = |id: &NodeId| graph.node(*id).name.layer.as_str();
    let mut by_layer: IndexMap<&str, BTreeSet<NodeId>> = IndexMap::new();
    for layer in &graph.layers {
        let nodes: BTreeSet<NodeId> = graph.order.iter().copied().filter(|id| layer_of(id) == layer.name).collect();
        if !nodes.is_empty() {
            by_layer.insert(&layer.name, nodes);
        }
    }
    let needs: Vec<BTreeSet<usize>> = by_layer
        .iter()
        .map(|(layer, nodes)| {
            let inputs = nodes.iter().flat_map(|id| context.before(*id));
            inputs.filter(|id| layer_of(id) != *layer).filter_map(|id| by_layer.get_index_of(layer_of(&id))).collect()
        })
        .collect();
    let Ok(order) = tasks::order(&needs) else {
        diagnostics.error(
            Diagnostic::error(code::JOB_CYCLE, "the layers need each other, so a job for each has no order")
                .at(site.clone(), "")
                .help("write `whole`, or let tables read earlier layers only")
                .fix("whole"),
        );
        return Vec::new();
    };
    let mut jobs = Vec::new();
    let mut runs = Vec::new();
    for &index in &order {
        let (layer, nodes) = by_layer.get_index(index).expect("an index of the layers");
        let key = format!("{project_name}_{layer}");
        let what = format!("the tables of the layer {layer}");
        jobs.push((key.clone(), tables_job(&key, &what, nodes, site, context, diagnostics)));
        let depends_on = needs[index].iter().filter_map(|need| order.iter().position(|other| other == need));
        let body = TaskBody::RunJob { job: key, parameters: IndexMap::new() };
        let depends_on = depends_on.map(|task| Dependency { task, outcome: None }).collect();
        runs.push(Task { depends_on, ..tasks::plain((*layer).to_owned(), body) });
    }
    let workflow = made(project_name, "Builds all tables, layer by layer.".to_owned(), runs, site);
    jobs.push((project_name.to_owned(), workflow));
    jobs
}

/// Jobs that run each other in a circle.
fn circles(jobs: &IndexMap<String, Job>, context: &Context<'_>, diagnostics: &mut Diagnostics) {
    let needs: Vec<BTreeSet<usize>> = jobs
        .values()
        .map(|job| {
            let run = job.tasks.iter().filter_map(|task| match &task.body {
                TaskBody::RunJob { job, .. } => jobs.get_index_of(job),
                TaskBody::Table(_)
                | TaskBody::Tables { .. }
                | TaskBody::Notebook { .. }
                | TaskBody::Python { .. }
                | TaskBody::Wheel { .. }
                | TaskBody::Sql { .. }
                | TaskBody::Condition { .. }
                | TaskBody::Pipeline { .. }
                | TaskBody::Dashboard { .. }
                | TaskBody::Alert { .. }
                | TaskBody::Dbt { .. } => None,
            });
            run.collect()
        })
        .collect();
    let Err(circle) = tasks::order(&needs) else { return };
    let keys: Vec<&str> =
        circle.iter().filter_map(|index| jobs.get_index(*index)).map(|(key, _)| key.as_str()).collect();
    let around: Vec<String> = keys.iter().chain(keys.first()).map(|key| format!("`{key}`")).collect();
    let site = |key: &str| {
        context.deployment.jobs.get(key).map_or_else(|| context.environment.site.clone(), |job| job.origin.site.clone())
    };
    let mut found = Diagnostic::error(code::JOB_CYCLE, format!("these jobs run each other: {}", around.join(" → ")));
    for key in &keys {
        found = found.at(site(key).key(), "");
    }
    diagnostics.error(found.help("remove one of the `run_job` tasks"));
}
