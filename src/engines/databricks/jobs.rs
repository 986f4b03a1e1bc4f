//! Jobs as the bundle writes them down.
//!
//! In: a job in core form. Out: its body. A task builds one table with its notebook; the last one brings what only Unity
//! Catalog knows of the tables. Every job that runs code gets the parameters by which the notebooks find their tables.

use std::collections::BTreeSet;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::{Target, configuration, group_path, notebook_path, reads_files, table_key};
use crate::graph::deployment::{UNITY_CATALOG, pipeline, schemas};
use crate::ir::NodeId;
use crate::ir::deployment::{
    Addresses, Cluster, FilePath, Job, Notifications, Start, StartBy, Task, TaskBody, WatchedTable, Workers,
};

/// The serverless environment of Python tasks that this version of medc was written for.
const ENVIRONMENT_VERSION: &str = "4";

/// Where a file of the project that a task runs is in the bundle.
pub(super) fn own_file(path: &str) -> String {
    format!("src/tasks/{path}")
}

/// A job's body.
pub(super) fn job(target: &Target<'_>, job: &Job) -> Value {
    let mut body = Mapping::new();
    body.put("name", job.name.clone());
    body.put_some("description", job.description.clone());
    if let Some(start) = &job.start {
        let (key, value) = written_start(target, start);
        body.put(key, value);
    }
    body.put_some("max_concurrent_runs", job.max_concurrent_runs);
    body.put_some("timeout_seconds", job.timeout_s);
    body.put("queue", json!({ "enabled": job.queue }));
    if !job.health.is_empty() {
        let rules = job.health.iter();
        let rules = rules.map(|(metric, value)| json!({ "metric": metric, "op": "GREATER_THAN", "value": value }));
        body.put("health", json!({ "rules": rules.collect::<Vec<_>>() }));
    }
    notifications(&job.notifications, &mut body);
    body.put_map("tags", &job.tags);
    let permissions = job.permissions.iter();
    let permissions: Vec<Value> =
        permissions.map(|one| json!({ "level": one.level, one.kind: one.identity })).collect();
    if !permissions.is_empty() {
        body.put("permissions", permissions);
    }
    if job.tasks.iter().any(|task| runs_code(task) || is_own_pipeline(target, task)) {
        body.put("parameters", parameters(target, &job.parameters));
    }
    environments(&job.tasks, &mut body);
    clusters(target, &job.tasks, &mut body);
    body.put("tasks", tasks(target, job));
    Value::Object(body.0)
}

/// A mapping that is being written, without keys that say nothing.
struct Mapping(Map<String, Value>);

impl Mapping {
    fn new() -> Self {
        Mapping(Map::new())
    }

    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    fn put_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn put_map(&mut self, key: &str, map: &IndexMap<String, String>) {
        if !map.is_empty() {
            self.put(key, texts(map));
        }
    }
}

fn texts(map: &IndexMap<String, String>) -> Value {
    Value::Object(map.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect())
}

/// Whether a task updates the pipeline that makes the tables.
fn is_own_pipeline(target: &Target<'_>, task: &Task) -> bool {
    let TaskBody::Pipeline { id, .. } = &task.body else { return false };
    let key = target.checked.graph.deployment.bundle.pipeline.as_ref();
    key.is_some_and(|key| *id == pipeline::id(key))
}

fn runs_code(task: &Task) -> bool {
    match &task.body {
        TaskBody::Table(_)
        | TaskBody::Tables { .. }
        | TaskBody::Notebook { .. }
        | TaskBody::Python { .. }
        | TaskBody::Wheel { .. }
        | TaskBody::Sql { .. }
        | TaskBody::Dbt { .. } => true,
        TaskBody::Condition { .. }
        | TaskBody::RunJob { .. }
        | TaskBody::Pipeline { .. }
        | TaskBody::Dashboard { .. }
        | TaskBody::Alert { .. } => false,
    }
}

fn written_start(target: &Target<'_>, start: &Start) -> (&'static str, Value) {
    let mut body = Mapping::new();
    let key = match &start.by {
        StartBy::Schedule { cron, timezone } => {
            body.put("quartz_cron_expression", cron.clone());
            body.put("timezone_id", timezone.clone());
            "schedule"
        }
        StartBy::Periodic { interval, unit } => {
            body.put("periodic", json!({ "interval": interval, "unit": unit }));
            "trigger"
        }
        StartBy::Continuous => {
            body.put("task_retry_mode", "ON_FAILURE");
            "continuous"
        }
        StartBy::FileArrival { url, min_time_between_s, wait_after_last_change_s } => {
            let mut arrival = Mapping::new();
            arrival.put("url", url.clone());
            arrival.put_some("min_time_between_triggers_seconds", *min_time_between_s);
            arrival.put_some("wait_after_last_change_seconds", *wait_after_last_change_s);
            body.put("file_arrival", Value::Object(arrival.0));
            "trigger"
        }
        StartBy::TableUpdate { tables, all, min_time_between_s, wait_after_last_change_s } => {
            let name = |table: &WatchedTable| match table {
                WatchedTable::Foreign(name) => name.clone(),
                WatchedTable::Own(id) => {
                    let name = &target.checked.graph.node(*id).name;
                    format!("${{var.catalog}}.${{resources.schemas.{}.name}}.{}", name.layer, name.name)
                }
            };
            let mut update = Mapping::new();
            update.put("table_names", tables.iter().map(name).collect::<Vec<_>>());
            update.put("condition", if *all { "ALL_UPDATED" } else { "ANY_UPDATED" });
            update.put_some("min_time_between_triggers_seconds", *min_time_between_s);
            update.put_some("wait_after_last_change_seconds", *wait_after_last_change_s);
            body.put("table_update", Value::Object(update.0));
            "trigger"
        }
    };
    body.put_some("pause_status", start.paused.map(|paused| if paused { "PAUSED" } else { "UNPAUSED" }));
    (key, Value::Object(body.0))
}

fn notifications(notifications: &Notifications, body: &mut Mapping) {
    let mut written = |key: &str, list: &dyn Fn(&Addresses) -> Vec<Value>| {
        let events = notifications.events.iter().map(|(event, addresses)| (*event, list(addresses)));
        let events = events.filter(|(_, list)| !list.is_empty()).map(|(event, list)| (event.to_owned(), list.into()));
        let events: Map<String, Value> = events.collect();
        if !events.is_empty() {
            body.put(key, Value::Object(events));
        }
    };
    written("email_notifications", &|to| to.email.iter().map(|address| address.clone().into()).collect());
    written("webhook_notifications", &|to| to.webhooks.iter().map(|id| json!({ "id": id })).collect());
}

/// What the notebooks need, and the job's own.
fn parameters(target: &Target<'_>, own: &IndexMap<String, String>) -> Vec<Value> {
    let mut parameters = vec![("catalog".to_owned(), "${var.catalog}".to_owned())];
    for schema in schemas(&target.checked.graph) {
        parameters.push((format!("schema_{schema}"), format!("${{resources.schemas.{schema}.name}}")));
    }
    for (name, value) in
        [("environment", "${bundle.target}"), ("git_sha", "${bundle.git.commit}"), ("run_id", "{{job.run_id}}")]
    {
        parameters.push((name.to_owned(), value.to_owned()));
    }
    parameters.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
    parameters.into_iter().map(|(name, default)| json!({ "name": name, "default": default })).collect()
}

/// Whether a task of Python runs on serverless compute, which needs an environment.
fn needs_environment(task: &Task) -> bool {
    task.cluster.is_none()
        && matches!(task.body, TaskBody::Python { .. } | TaskBody::Wheel { .. } | TaskBody::Dbt { .. })
}

fn environments(tasks: &[Task], body: &mut Mapping) {
    if !tasks.iter().any(needs_environment) {
        return;
    }
    let dependencies: BTreeSet<&str> = tasks
        .iter()
        .filter(|task| needs_environment(task))
        .filter_map(|task| match &task.body {
            TaskBody::Wheel { dependency, .. } | TaskBody::Dbt { dependency, .. } => Some(dependency.as_str()),
            _ => None,
        })
        .collect();
    let mut spec = Mapping::new();
    spec.put("environment_version", ENVIRONMENT_VERSION);
    if !dependencies.is_empty() {
        spec.put("dependencies", dependencies.into_iter().collect::<Vec<_>>());
    }
    body.put("environments", vec![json!({ "environment_key": "default", "spec": spec.0 })]);
}

fn clusters(target: &Target<'_>, tasks: &[Task], body: &mut Mapping) {
    let named: BTreeSet<&String> = tasks.iter().filter_map(|task| task.cluster.as_ref()).collect();
    let clusters: Vec<Value> = named
        .into_iter()
        .filter_map(|name| {
            let cluster = target.checked.graph.deployment.clusters.get(name)?;
            Some(json!({ "job_cluster_key": name, "new_cluster": new_cluster(cluster) }))
        })
        .collect();
    if !clusters.is_empty() {
        body.put("job_clusters", clusters);
    }
}

fn new_cluster(cluster: &Cluster) -> Value {
    let mut body = Mapping::new();
    body.put("spark_version", cluster.spark_version.clone());
    body.put("node_type_id", cluster.node_type.clone());
    body.put_some("driver_node_type_id", cluster.driver_node_type.clone());
    body.put_some("policy_id", cluster.policy_id.clone());
    // The one mode in which every kind of task reads Unity Catalog.
    body.put("data_security_mode", "SINGLE_USER");
    body.put_some("runtime_engine", cluster.photon.map(|photon| if photon { "PHOTON" } else { "STANDARD" }));
    let (mut conf, mut tags) = (cluster.spark_conf.clone(), cluster.tags.clone());
    match cluster.workers {
        Workers::Fixed(0) => {
            body.put("num_workers", 0);
            conf.insert("spark.databricks.cluster.profile".to_owned(), "singleNode".to_owned());
            conf.insert("spark.master".to_owned(), "local[*]".to_owned());
            tags.insert("ResourceClass".to_owned(), "SingleNode".to_owned());
        }
        Workers::Fixed(number) => body.put("num_workers", number),
        Workers::Range(from, to) => body.put("autoscale", json!({ "min_workers": from, "max_workers": to })),
    }
    body.put_map("spark_conf", &conf);
    body.put_map("spark_env_vars", &cluster.spark_env_vars);
    body.put_map("custom_tags", &tags);
    Value::Object(body.0)
}

fn tasks(target: &Target<'_>, job: &Job) -> Vec<Value> {
    let mut written: Vec<Value> = job.tasks.iter().map(|one| task(target, one, &job.tasks)).collect();
    written.extend(unity_catalog(target, job));
    written
}

fn task(target: &Target<'_>, task: &Task, all: &[Task]) -> Value {
    let mut body = Mapping::new();
    body.put("task_key", task.key.clone());
    body.put_some("description", task.description.clone());
    let depends_on = task.depends_on.iter().filter_map(|on| {
        let mut written = Mapping::new();
        written.put("task_key", all.get(on.task)?.key.clone());
        written.put_some("outcome", on.outcome.map(|outcome| outcome.to_string()));
        Some(Value::Object(written.0))
    });
    let depends_on: Vec<Value> = depends_on.collect();
    if !depends_on.is_empty() {
        body.put("depends_on", depends_on);
    }
    body.put_some("run_if", task.run_if);
    match &task.for_each {
        None => work(target, task, &mut body),
        Some(repeated) => {
            let mut inner = Mapping::new();
            inner.put("task_key", format!("{}_iteration", task.key));
            work(target, task, &mut inner);
            let mut outer = Mapping::new();
            outer.put("inputs", repeated.inputs.clone());
            outer.put_some("concurrency", repeated.concurrency);
            outer.put("task", Value::Object(inner.0));
            body.put("for_each_task", Value::Object(outer.0));
        }
    }
    notifications(&task.notifications, &mut body);
    Value::Object(body.0)
}

/// What a task does, on what, and how often it is tried again.
fn work(target: &Target<'_>, task: &Task, body: &mut Mapping) {
    let (kind, what) = kind(target, task);
    body.put(kind, what);
    if needs_environment(task) {
        body.put("environment_key", "default");
    }
    body.put_some("job_cluster_key", task.cluster.clone());
    if let (TaskBody::Wheel { dependency, .. } | TaskBody::Dbt { dependency, .. }, Some(_)) =
        (&task.body, &task.cluster)
    {
        let is_file = Path::new(dependency).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("whl"));
        let library = if is_file { json!({ "whl": dependency }) } else { json!({ "pypi": { "package": dependency } }) };
        body.put("libraries", vec![library]);
    }
    body.put_some("max_retries", task.retries);
    body.put_some("min_retry_interval_millis", task.retry_interval_ms);
    body.put_some("retry_on_timeout", task.retry_on_timeout);
    body.put_some("timeout_seconds", task.timeout_s);
}

/// What a task does, below the key of its kind.
fn kind(target: &Target<'_>, task: &Task) -> (&'static str, Value) {
    let path = |path: &FilePath| match path {
        FilePath::Project(path) => format!("../{}", own_file(path)),
        FilePath::Workspace(path) => path.clone(),
    };
    let mut body = Mapping::new();
    let kind = match &task.body {
        TaskBody::Table(id) => {
            let node = target.checked.graph.node(*id);
            body.put("notebook_path", format!("../{}", target.path(notebook_path(&node.name))));
            if reads_files(node) {
                let variable = configuration::path_variable(&table_key(&node.name));
                body.put("base_parameters", json!({ "path": format!("${{var.{variable}}}") }));
            }
            "notebook_task"
        }
        TaskBody::Tables { nodes, notebook } => {
            body.put("notebook_path", format!("../{}", target.path(group_path(notebook))));
            let sources = nodes.iter().map(|id| target.checked.graph.node(*id));
            let sources = sources.filter(|node| reads_files(node));
            let paths = sources.map(|node| {
                let key = table_key(&node.name);
                (format!("path_{key}"), format!("${{var.{}}}", configuration::path_variable(&key)))
            });
            body.put_map("base_parameters", &paths.collect());
            "notebook_task"
        }
        TaskBody::Notebook { path: file, parameters } => {
            body.put("notebook_path", path(file));
            body.put_map("base_parameters", parameters);
            "notebook_task"
        }
        TaskBody::Python { path: file, parameters } => {
            body.put("python_file", path(file));
            if !parameters.is_empty() {
                body.put("parameters", parameters.clone());
            }
            "spark_python_task"
        }
        TaskBody::Wheel { package, entry_point, parameters, .. } => {
            body.put("package_name", package.clone());
            body.put("entry_point", entry_point.clone());
            if !parameters.is_empty() {
                body.put("parameters", parameters.clone());
            }
            "python_wheel_task"
        }
        TaskBody::Sql { path: file, warehouse_id, parameters } => {
            body.put("warehouse_id", warehouse_id.clone());
            body.put("file", json!({ "path": path(file) }));
            body.put_map("parameters", parameters);
            "sql_task"
        }
        TaskBody::Condition { left, operator, right } => {
            body.put("left", left.clone());
            body.put("op", *operator);
            body.put("right", right.clone());
            "condition_task"
        }
        TaskBody::RunJob { job, parameters } => {
            body.put("job_id", format!("${{resources.jobs.{job}.id}}"));
            body.put_map("job_parameters", parameters);
            "run_job_task"
        }
        TaskBody::Pipeline { id, full_refresh } => {
            body.put("pipeline_id", id.clone());
            if *full_refresh {
                body.put("full_refresh", true);
            }
            "pipeline_task"
        }
        TaskBody::Dashboard { id, warehouse_id, subscribers } => {
            body.put("dashboard_id", id.clone());
            body.put_some("warehouse_id", warehouse_id.clone());
            let subscribers = subscribed(subscribers);
            if !subscribers.is_empty() {
                body.put("subscription", json!({ "subscribers": subscribers }));
            }
            "dashboard_task"
        }
        TaskBody::Alert { id, warehouse_id, subscribers } => {
            body.put("alert_id", id.clone());
            body.put("warehouse_id", warehouse_id.clone());
            let subscribers = subscribed(subscribers);
            if !subscribers.is_empty() {
                body.put("subscribers", subscribers);
            }
            "alert_task"
        }
        TaskBody::Dbt { project, commands, warehouse_id, catalog, schema, .. } => {
            body.put("project_directory", path(project));
            body.put("commands", commands.clone());
            body.put("warehouse_id", warehouse_id.clone());
            body.put("catalog", catalog.clone().unwrap_or_else(|| "${var.catalog}".to_owned()));
            body.put_some("schema", schema.clone());
            "dbt_task"
        }
    };
    (kind, Value::Object(body.0))
}

/// Who gets a dashboard or hears of an alert.
fn subscribed(to: &Addresses) -> Vec<Value> {
    let users = to.email.iter().map(|address| json!({ "user_name": address }));
    users.chain(to.webhooks.iter().map(|id| json!({ "destination_id": id }))).collect()
}

/// Whether a job of the target has a task that brings keys and tags to Unity Catalog.
pub(super) fn need_unity_catalog(target: &Target<'_>) -> bool {
    target.checked.graph.deployment.jobs.values().any(|job| unity_catalog(target, job).is_some())
}

/// The task that brings keys and tags of the job's tables to Unity Catalog.
fn unity_catalog(target: &Target<'_>, job: &Job) -> Option<Value> {
    let (graph, tasks) = (&target.checked.graph, &job.tasks);
    // In a job that always runs, no task waits for another.
    if job.start.as_ref().is_some_and(|start| start.by == StartBy::Continuous) {
        return None;
    }
    // A notebook of several tables does it itself.
    let made = |task: &Task| match &task.body {
        TaskBody::Table(id) => vec![*id],
        TaskBody::Pipeline { .. } if is_own_pipeline(target, task) => graph.order.clone(),
        _ => Vec::new(),
    };
    let has_statements = |id: &NodeId| target.has_unity_statements(graph.node(*id));
    let tables: Vec<(&Task, Vec<NodeId>)> =
        tasks.iter().map(|task| (task, made(task).into_iter().filter(has_statements).collect())).collect();
    let tables: Vec<(&Task, Vec<NodeId>)> = tables.into_iter().filter(|(_, ids)| !ids.is_empty()).collect();
    let first = tables.first()?.0;
    let ids = tables.iter().flat_map(|(_, ids)| ids);
    let names: Vec<String> = ids.map(|id| graph.node(*id).name.to_string()).collect();
    let mut body = Mapping::new();
    body.put("task_key", UNITY_CATALOG);
    let depends_on: Vec<Value> = tables.iter().map(|(task, _)| json!({ "task_key": task.key })).collect();
    body.put("depends_on", depends_on);
    body.put(
        "notebook_task",
        json!({
            "notebook_path": "../src/notebooks/unity_catalog.py",
            "base_parameters": { "tables": names.join(",") },
        }),
    );
    body.put_some("job_cluster_key", first.cluster.clone());
    body.put_some("max_retries", first.retries);
    body.put_some("timeout_seconds", first.timeout_s);
    Some(Value::Object(body.0))
}
