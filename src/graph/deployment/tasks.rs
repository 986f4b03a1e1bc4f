//! Tasks of a job: one for each table, and those that the job lists, in an order in which each comes behind what it needs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use indexmap::IndexMap;

use super::Context;
use super::compute;
use super::forms;
use super::groups;
use super::references::{self, Running};
use super::services;
use super::values;
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code};
use crate::graph::select;
use crate::ir::NodeId;
use crate::ir::deployment::{Dependency, Notifications, Task, TaskBody};
use crate::name::{self, TableName};
use crate::resolve::Entity;
use crate::spec;

/// Databricks' limit.
const MOST_TASKS: usize = 1000;

/// The key of the task that brings tables' keys and tags to Unity Catalog.
pub const UNITY_CATALOG: &str = "unity_catalog";

/// What a job says of its tasks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    pub(super) retries: Option<u32>,
    pub(super) retry_interval_ms: Option<u64>,
    pub(super) retry_on_timeout: Option<bool>,
    pub(super) timeout_s: Option<u64>,
}

/// A task that says nothing but what it does.
pub(super) fn plain(key: String, body: TaskBody) -> Task {
    Task {
        key,
        description: None,
        depends_on: Vec::new(),
        run_if: None,
        retries: None,
        retry_interval_ms: None,
        retry_on_timeout: None,
        timeout_s: None,
        cluster: None,
        notifications: Notifications::default(),
        for_each: None,
        body,
    }
}

/// The tasks that build tables, in the graph's order.
pub(super) fn of_tables(
    nodes: &BTreeSet<NodeId>,
    limits: &Limits,
    cluster: Option<&str>,
    context: &Context<'_>,
) -> Vec<Task> {
    let mut order: Vec<NodeId> = nodes.iter().copied().collect();
    order.sort_by_key(|id| context.places[id.index()]);
    let place: BTreeMap<NodeId, usize> = order.iter().enumerate().map(|(index, id)| (*id, index)).collect();
    let task = |id: &NodeId| {
        let node = context.graph.node(*id);
        let before: BTreeSet<usize> = context.before(*id).filter_map(|input| place.get(&input).copied()).collect();
        Task {
            depends_on: before.into_iter().map(|task| Dependency { task, outcome: None }).collect(),
            retries: limits.retries,
            retry_interval_ms: limits.retry_interval_ms,
            retry_on_timeout: limits.retry_on_timeout,
            timeout_s: limits.timeout_s,
            cluster: cluster.map(str::to_owned),
            ..plain(table_key(&node.name), TaskBody::Table(*id))
        }
    };
    order.iter().map(task).collect()
}

/// The key of a table's task, and the stem of its notebook's name.
pub(super) fn table_key(table: &TableName) -> String {
    format!("{}_{}", table.layer, table.name)
}

/// All tasks of a job.
#[expect(clippy::too_many_arguments, reason = "what tasks get from their job")]
pub(super) fn lower(
    key: &str,
    job: &Entity<spec::Job>,
    nodes: &BTreeSet<NodeId>,
    limits: &Limits,
    cluster: Option<&str>,
    parameters: &IndexMap<String, String>,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<Task>> {
    let mut drafts = of_tables(nodes, limits, cluster, context);
    let n_tables = drafts.len();
    let n_errors = diagnostics.n_errors();
    let mut names = Names { keys: BTreeMap::new(), tables: BTreeMap::new() };
    for (index, task) in drafts.iter().enumerate() {
        names.keys.insert(task.key.clone(), (index, None));
        for id in task.tables() {
            names.tables.insert(context.graph.node(*id).name.to_string(), index);
        }
    }
    let groups = groups::find(key, job, nodes, context, diagnostics);
    for (index, group) in &groups {
        let own = group.nodes.iter().map(|id| (context.graph.node(*id).name.to_string(), n_tables + index));
        names.tables.extend(own);
    }
    for (index, written) in job.spec.tasks.iter().enumerate() {
        names.declare(written, n_tables + index, job.origin.site(&format!("/tasks/{index}/task_key")), diagnostics);
    }
    let medcs = context.parameter_names();
    let running = Running {
        tasks: names.keys.keys().map(String::as_str).collect(),
        parameters: parameters.keys().cloned().chain(medcs).collect(),
        has_input: false,
    };
    for (name, value) in parameters {
        references::check_dynamic(value, &job.origin.site("/parameters").member(name), &running, diagnostics);
    }
    let mut edges: Vec<Edge> = Vec::new();
    for (index, written) in job.spec.tasks.iter().enumerate() {
        let site = job.origin.site(&format!("/tasks/{index}"));
        let place = n_tables + index;
        let running = Running { has_input: written.for_each.is_some(), ..running.clone() };
        let body = forms::lower(written, groups.get(&index), &site, &running, context, diagnostics);
        let repeated = body.as_ref().and_then(|body| services::for_each(written, body, &site, &running, diagnostics));
        let depends_on = names.dependencies(written, place, &site, job, &mut edges, diagnostics);
        hold_back(written, place, &site, &names, context, &mut drafts, &mut edges, diagnostics);
        let draft = task(written, body, depends_on, limits, cluster, &site, context, diagnostics);
        drafts.push(Task { for_each: repeated, ..draft });
    }
    wait_for_inputs(&names, job, n_tables, context, &mut drafts, &mut edges);
    if drafts.len() > MOST_TASKS {
        count(&drafts, &job.origin.site, diagnostics);
    }
    if diagnostics.n_errors() > n_errors {
        return None;
    }
    sorted(drafts, &edges, diagnostics)
}

/// Reports more tasks than a job may have.
pub(super) fn count(tasks: &[Task], site: &Site, diagnostics: &mut Diagnostics) {
    // One more brings the tables' constraints to Unity Catalog.
    if tasks.len() >= MOST_TASKS {
        diagnostics.error(
            Diagnostic::error(
                code::JOB_LIMIT,
                format!("a job of {} tasks, and Databricks takes {MOST_TASKS}", tasks.len() + 1),
            )
            .at(site.clone().key(), "")
            .help("make several jobs that `select` fewer tables, or write `bundle: {generated_jobs: per_layer}`"),
        );
    }
}

/// An edge that follows from what the author wrote: `task` waits for `on`.
struct Edge {
    task: usize,
    on: usize,
    site: Site,
    /// Why, where the author did not say so.
    why: Option<String>,
}

/// The job's tasks by what they are called.
struct Names {
    keys: BTreeMap<String, (usize, Option<Site>)>,
    /// By `layer.name`.
    tables: BTreeMap<String, usize>,
}

impl Names {
    fn declare(&mut self, written: &spec::Task, place: usize, site: Site, diagnostics: &mut Diagnostics) {
        let key = &written.task_key;
        if !values::is_key(key) || key.len() > 100 {
            diagnostics.error(
                Diagnostic::error(code::TASK_FORM, format!("`{}` is no key for a task", key.escape_debug()))
                    .at(site.clone(), "")
                    .help("use letters, digits, `_` and `-`, at most 100"),
            );
        }
        if key == UNITY_CATALOG {
            diagnostics.error(
                Diagnostic::error(code::DUPLICATE_TASK, format!("`{key}` is the key of a task that medc makes"))
                    .at(site.clone(), "")
                    .help("give it another key"),
            );
        }
        match self.keys.get(key) {
            Some((_, first)) => {
                let found = Diagnostic::error(code::DUPLICATE_TASK, format!("the task `{key}` is there twice"))
                    .at(site, "here again");
                let found = match first {
                    Some(first) => found.at(first.clone(), "first here"),
                    None => found.note("a table that the job builds has this key"),
                };
                diagnostics.error(found.help("rename one of them"));
            }
            None => {
                self.keys.insert(key.clone(), (place, Some(site)));
            }
        }
    }

    fn dependencies(
        &self,
        written: &spec::Task,
        place: usize,
        site: &Site,
        job: &Entity<spec::Job>,
        edges: &mut Vec<Edge>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Dependency> {
        let mut dependencies: Vec<Dependency> = Vec::new();
        for (index, depends_on) in written.depends_on.iter().enumerate() {
            let element = site.member("depends_on").element(index);
            let (name, outcome, named) = match depends_on {
                spec::DependsOn::Name(name) => (name, None, element),
                spec::DependsOn::Outcome(on) => (&on.task_key, on.outcome, element.member("task_key")),
            };
            let found =
                self.keys.get(name).map(|(task, _)| *task).or_else(|| self.tables.get(&name.to_lowercase()).copied());
            let Some(task) = found else {
                diagnostics.error(self.unknown(name, named));
                continue;
            };
            if dependencies.iter().any(|earlier| earlier.task == task && earlier.outcome == outcome) {
                diagnostics.error(
                    Diagnostic::error(
                        code::DUPLICATE_TASK,
                        format!("`{}` depends on `{name}` twice", written.task_key),
                    )
                    .at(named, "here again")
                    .help("remove one of them"),
                );
                continue;
            }
            let declared = job.spec.tasks.iter().find(|other| other.task_key == *name);
            if outcome.is_some() && declared.is_none_or(|other| other.condition.is_none()) {
                diagnostics.error(
                    Diagnostic::error(code::TASK_FORM, format!("`{name}` is no condition, so it has no outcome"))
                        .at(named.clone(), "")
                        .help("remove `outcome`, or depend on a task with `condition`"),
                );
            }
            edges.push(Edge { task: place, on: task, site: named, why: None });
            dependencies.push(Dependency { task, outcome });
        }
        dependencies
    }

    fn unknown(&self, name: &str, site: Site) -> Diagnostic {
        let known: Vec<&str> = self.keys.keys().chain(self.tables.keys()).map(String::as_str).collect();
        let found =
            Diagnostic::error(code::UNKNOWN_TASK, format!("the job has no task or table `{name}`")).at(site, "");
        let fix = name::nearest(name, known.iter().copied()).map(Fix::value);
        let help = name::did_you_mean(name, known.iter().copied());
        Diagnostic { help, fix, ..found }
    }
}

/// Lets the tables that a task comes `before` wait for it.
#[expect(clippy::too_many_arguments, reason = "one edge kind more of the function above")]
fn hold_back(
    written: &spec::Task,
    place: usize,
    site: &Site,
    names: &Names,
    context: &Context<'_>,
    drafts: &mut [Task],
    edges: &mut Vec<Edge>,
    diagnostics: &mut Diagnostics,
) {
    for (pointer, selector) in written.before.iter().flat_map(spec::OneOrMany::each) {
        let site = site.member("before").descend(&pointer);
        let found = select::select(context.graph, &[selector.to_owned()]);
        let own: Vec<usize> = match found {
            Ok(found) => {
                let tables = found.unwrap_or_default();
                let name = |id: NodeId| context.graph.node(id).name.to_string();
                tables.into_iter().filter_map(|id| names.tables.get(&name(id)).copied()).collect()
            }
            Err(nothing) => {
                let error = Diagnostic::error(code::JOB_SELECTION, nothing.message).at(site, "");
                diagnostics.error(Diagnostic { help: nothing.help, ..error });
                continue;
            }
        };
        if own.is_empty() {
            diagnostics.error(
                Diagnostic::error(code::JOB_SELECTION, format!("the job builds none of the tables of `{selector}`"))
                    .at(site, "")
                    .help("add them to the job's `select`, or remove this"),
            );
            continue;
        }
        let outcome = written.condition.as_ref().map(|_| true);
        for table in own {
            edges.push(Edge { task: table, on: place, site: site.clone(), why: None });
            if let Some(task) = drafts.get_mut(table)
                && task.depends_on.iter().all(|earlier| earlier.task != place)
            {
                task.depends_on.push(Dependency { task: place, outcome });
            }
        }
    }
}

/// Lets each task that builds tables wait for those that build what its tables read.
fn wait_for_inputs(
    names: &Names,
    job: &Entity<spec::Job>,
    n_tables: usize,
    context: &Context<'_>,
    drafts: &mut [Task],
    edges: &mut Vec<Edge>,
) {
    for (place, task) in drafts.iter_mut().enumerate() {
        let reads: Vec<(NodeId, NodeId)> =
            task.tables().iter().flat_map(|id| context.before(*id).map(|input| (*id, input))).collect();
        for (id, input) in reads {
            let input = context.graph.node(input).name.to_string();
            let Some(&on) = names.tables.get(&input) else { continue };
            if on == place || task.depends_on.iter().any(|earlier| earlier.task == on) {
                continue;
            }
            task.depends_on.push(Dependency { task: on, outcome: None });
            if let Some(written) = place.checked_sub(n_tables) {
                let site = job.origin.site(&format!("/tasks/{written}/tables"));
                let why = format!("`{}`, which is built here, reads `{input}`", context.graph.node(id).name);
                edges.push(Edge { task: place, on, site, why: Some(why) });
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "what a task gets from its job")]
fn task(
    written: &spec::Task,
    body: Option<TaskBody>,
    depends_on: Vec<Dependency>,
    limits: &Limits,
    cluster: Option<&str>,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Task {
    // A body with an error is replaced; the error stops the job.
    let body = body.unwrap_or(TaskBody::Pipeline { id: String::new(), full_refresh: false });
    let computes = forms::computes(&body);
    let own_cluster = written.compute.as_deref().map(|name| (name, site.member("compute")));
    let cluster = match own_cluster {
        Some(wanted) if computes => compute::find(Some(wanted), context, diagnostics),
        Some((_, site)) => {
            diagnostics.error(
                Diagnostic::error(code::TASK_FORM, "this kind of task runs on compute of its own")
                    .at(site.key(), "")
                    .help("remove `compute`"),
            );
            None
        }
        None => cluster.filter(|_| computes).map(str::to_owned),
    };
    let run_if = match written.run_if {
        spec::RunIf::AllSuccess => None,
        spec::RunIf::AtLeastOneSuccess => Some("AT_LEAST_ONE_SUCCESS"),
        spec::RunIf::NoneFailed => Some("NONE_FAILED"),
        spec::RunIf::AllDone => Some("ALL_DONE"),
        spec::RunIf::AtLeastOneFailed => Some("AT_LEAST_ONE_FAILED"),
        spec::RunIf::AllFailed => Some("ALL_FAILED"),
    };
    if run_if.is_some() && written.depends_on.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::TASK_FORM, "`run_if` is about tasks that come first, and there is none")
                .at(site.member("run_if").key(), "")
                .help("add `depends_on`, or remove `run_if`"),
        );
    }
    let timeout =
        written.timeout.as_ref().and_then(|period| values::seconds(period, 1, &site.member("timeout"), diagnostics));
    let retries = forms::retries(&body).then_some(limits.retries).flatten();
    Task {
        description: written.description.clone(),
        depends_on,
        run_if,
        retries: written.retries.or(retries),
        retry_interval_ms: limits.retry_interval_ms.filter(|_| written.retries.or(retries).is_some()),
        retry_on_timeout: limits.retry_on_timeout.filter(|_| written.retries.or(retries).is_some()),
        timeout_s: timeout.or_else(|| limits.timeout_s.filter(|_| computes)),
        cluster,
        notifications: compute::notifications(written.notify.as_ref(), &site.member("notify"), context, diagnostics),
        ..plain(written.task_key.clone(), body)
    }
}

/// An order in which each comes behind what it needs, those declared first as early as can be; or one circle.
pub(super) fn order(needs: &[BTreeSet<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (index, of_index) in needs.iter().enumerate() {
        for need in of_index {
            readers[*need].push(index);
        }
    }
    let mut waiting: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let ready = waiting.iter().enumerate().filter(|(_, n)| **n == 0).map(|(index, _)| Reverse(index));
    let mut ready: BinaryHeap<Reverse<usize>> = ready.collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &reader in &readers[index] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    if order.len() == needs.len() {
        return Ok(order);
    }
    // Every one that still waits needs another that waits, so walking along ends in a circle.
    let start = waiting.iter().position(|n| *n > 0).expect("one still waits");
    let mut path = vec![start];
    loop {
        let last = *path.last().expect("the path begins somewhere");
        let next = needs[last].iter().copied().find(|need| waiting[*need] > 0).expect("it waits for one that waits");
        if let Some(place) = path.iter().position(|earlier| *earlier == next) {
            return Err(path.split_off(place));
        }
        path.push(next);
    }
}

/// The tasks in order, their dependencies with them.
fn sorted(drafts: Vec<Task>, edges: &[Edge], diagnostics: &mut Diagnostics) -> Option<Vec<Task>> {
    let needs: Vec<BTreeSet<usize>> =
        drafts.iter().map(|task| task.depends_on.iter().map(|on| on.task).collect()).collect();
    let order = match order(&needs) {
        Ok(order) => order,
        Err(circle) => {
            diagnostics.error(cycle(&circle, &drafts, edges));
            return None;
        }
    };
    let mut place = vec![0; order.len()];
    for (new, old) in order.iter().enumerate() {
        place[*old] = new;
    }
    let mut by_place: BTreeMap<usize, Task> =
        drafts.into_iter().enumerate().map(|(old, task)| (place[old], task)).collect();
    for task in by_place.values_mut() {
        for on in &mut task.depends_on {
            on.task = place[on.task];
        }
        task.depends_on.sort_by_key(|on| (on.task, on.outcome));
    }
    Some(by_place.into_values().collect())
}

fn cycle(circle: &[usize], drafts: &[Task], edges: &[Edge]) -> Diagnostic {
    let key = |index: usize| drafts.get(index).map_or("", |task| task.key.as_str());
    let around: Vec<String> = circle.iter().chain(circle.first()).map(|index| format!("`{}`", key(*index))).collect();
    let message = match circle {
        [only] => format!("the task `{}` waits for itself", key(*only)),
        _ => format!("these tasks wait for each other: {}", around.join(" → ")),
    };
    let mut found = Diagnostic::error(code::JOB_CYCLE, message);
    for (index, &task) in circle.iter().enumerate() {
        let on = circle.get(index + 1).or(circle.first()).copied().unwrap_or(task);
        if let Some(edge) = edges.iter().find(|edge| edge.task == task && edge.on == on) {
            let waits = || format!("`{}` waits for `{}`", key(task), key(on));
            found = found.at(edge.site.clone(), edge.why.clone().unwrap_or_else(waits));
        }
    }
    let is_of_groups =
        edges.iter().any(|edge| edge.why.is_some() && circle.contains(&edge.task) && circle.contains(&edge.on));
    found.help(if is_of_groups {
        "move tables from one of the tasks to another, or remove a dependency"
    } else {
        "remove one of the dependencies"
    })
}
