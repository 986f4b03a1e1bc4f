//! What a task does: exactly one kind, with what belongs to it.

use indexmap::IndexMap;

use super::Context;
use super::groups::Group;
use super::references::{self, Running};
use super::services;
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code};
use crate::ir::deployment::{FilePath, TaskBody};
use crate::kind::Scalar;
use crate::name;
use crate::spec;

/// Whether a task runs on compute that the project chooses.
pub(super) fn computes(body: &TaskBody) -> bool {
    match body {
        TaskBody::Table(_)
        | TaskBody::Tables { .. }
        | TaskBody::Notebook { .. }
        | TaskBody::Python { .. }
        | TaskBody::Wheel { .. }
        | TaskBody::Dbt { .. } => true,
        TaskBody::Sql { .. }
        | TaskBody::Condition { .. }
        | TaskBody::RunJob { .. }
        | TaskBody::Pipeline { .. }
        | TaskBody::Dashboard { .. }
        | TaskBody::Alert { .. } => false,
    }
}

/// Whether trying again makes sense: a condition gives the same answer, and a job's run has retries of its own.
pub(super) fn retries(body: &TaskBody) -> bool {
    match body {
        TaskBody::Table(_)
        | TaskBody::Tables { .. }
        | TaskBody::Notebook { .. }
        | TaskBody::Python { .. }
        | TaskBody::Wheel { .. }
        | TaskBody::Sql { .. }
        | TaskBody::Pipeline { .. }
        | TaskBody::Dashboard { .. }
        | TaskBody::Alert { .. }
        | TaskBody::Dbt { .. } => true,
        TaskBody::Condition { .. } | TaskBody::RunJob { .. } => false,
    }
}

/// The kind of a task; `None` where it has an error. `group`: its tables, where it is about some.
pub(super) fn lower(
    written: &spec::Task,
    group: Option<&Group>,
    site: &Site,
    running: &Running<'_>,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<TaskBody> {
    let kinds = [
        ("tables", written.tables.is_some()),
        ("notebook", written.notebook.is_some()),
        ("python", written.python.is_some()),
        ("wheel", written.wheel.is_some()),
        ("sql", written.sql.is_some()),
        ("condition", written.condition.is_some()),
        ("run_job", written.run_job.is_some()),
        ("pipeline", written.pipeline.is_some()),
        ("dashboard", written.dashboard.is_some()),
        ("alert", written.alert.is_some()),
        ("dbt", written.dbt.is_some()),
    ];
    let given: Vec<&str> = kinds.iter().filter(|(_, given)| *given).map(|(kind, _)| *kind).collect();
    if given.len() != 1 {
        let known: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
        let message = match given.as_slice() {
            [] => format!("the task `{}` does nothing", written.task_key),
            several => format!("the task `{}` does several things: {}", written.task_key, name::list(several)),
        };
        diagnostics.error(
            Diagnostic::error(code::TASK_FORM, message)
                .at(site.clone(), "")
                .help(format!("give it exactly one of {}", name::list(&known))),
        );
        return None;
    }
    if written.tables.is_some() {
        return group.map(|group| TaskBody::Tables { nodes: group.nodes.clone(), notebook: group.notebook.clone() });
    }
    if let Some(dashboard) = &written.dashboard {
        return services::dashboard(dashboard, &site.member("dashboard"), context, diagnostics);
    }
    if let Some(alert) = &written.alert {
        return services::alert(alert, &site.member("alert"), context, diagnostics);
    }
    if let Some(dbt) = &written.dbt {
        return Some(services::dbt(dbt, &site.member("dbt"), context, diagnostics));
    }
    let mut texts = Texts { running, diagnostics };
    if let Some(notebook) = &written.notebook {
        let site = site.member("notebook");
        let parameters = texts.by_name(&notebook.parameters, &site.member("parameters"));
        let path = file(&notebook.path, &site.member("path"), Ending::Notebook, context, diagnostics)?;
        return Some(TaskBody::Notebook { path, parameters });
    }
    if let Some(python) = &written.python {
        let site = site.member("python");
        texts.listed(&python.parameters, &site.member("parameters"));
        let path = file(&python.file, &site.member("file"), Ending::Python, context, diagnostics)?;
        return Some(TaskBody::Python { path, parameters: python.parameters.clone() });
    }
    if let Some(wheel) = &written.wheel {
        texts.listed(&wheel.parameters, &site.member("wheel").member("parameters"));
        return Some(TaskBody::Wheel {
            package: wheel.package.clone(),
            entry_point: wheel.entry_point.clone(),
            dependency: wheel.dependency.clone(),
            parameters: wheel.parameters.clone(),
        });
    }
    if let Some(sql) = &written.sql {
        let site = site.member("sql");
        let parameters = texts.by_name(&sql.parameters, &site.member("parameters"));
        if sql.warehouse_id.trim().is_empty() {
            texts.diagnostics.error(
                Diagnostic::error(code::TASK_FORM, "`warehouse_id` is empty")
                    .at(site.member("warehouse_id"), "")
                    .help("write the id of a SQL warehouse, e.g. of a variable that each environment gives"),
            );
        }
        let path = file(&sql.file, &site.member("file"), Ending::Sql, context, diagnostics)?;
        return Some(TaskBody::Sql { path, warehouse_id: sql.warehouse_id.clone(), parameters });
    }
    if let Some(condition) = &written.condition {
        return Some(compared(condition, &site.member("condition"), &mut texts));
    }
    if let Some(run) = &written.run_job {
        let site = site.member("run_job");
        let parameters = texts.by_name(&run.parameters, &site.member("parameters"));
        return run_job(run, parameters, &site, context, diagnostics);
    }
    written
        .pipeline
        .as_ref()
        .and_then(|pipeline| run_pipeline(pipeline, &site.member("pipeline"), context, diagnostics))
}

/// Parameters, each `{{…}}` in them checked.
struct Texts<'a> {
    running: &'a Running<'a>,
    diagnostics: &'a mut Diagnostics,
}

impl Texts<'_> {
    fn by_name(&mut self, written: &IndexMap<String, Scalar>, site: &Site) -> IndexMap<String, String> {
        let mut texts = IndexMap::new();
        for (name, value) in written {
            let value = value.to_string();
            references::check_dynamic(&value, &site.member(name), self.running, self.diagnostics);
            texts.insert(name.clone(), value);
        }
        texts
    }

    fn listed(&mut self, written: &[String], site: &Site) {
        for (index, value) in written.iter().enumerate() {
            references::check_dynamic(value, &site.element(index), self.running, self.diagnostics);
        }
    }
}

fn compared(condition: &spec::ConditionTask, site: &Site, texts: &mut Texts<'_>) -> TaskBody {
    for (key, side) in [("left", &condition.left), ("right", &condition.right)] {
        references::check_dynamic(side, &site.member(key), texts.running, texts.diagnostics);
    }
    if !condition.left.contains("{{") && !condition.right.contains("{{") {
        texts.diagnostics.error(
            Diagnostic::error(code::TASK_FORM, "this condition is the same in every run")
                .at(site.clone(), "")
                .help("compare something of the run, e.g. `{{tasks.KEY.values.NAME}}`"),
        );
    }
    let (operator, of_numbers) = match condition.op {
        spec::ConditionOperator::EqualTo => ("EQUAL_TO", false),
        spec::ConditionOperator::NotEqual => ("NOT_EQUAL", false),
        spec::ConditionOperator::GreaterThan => ("GREATER_THAN", true),
        spec::ConditionOperator::GreaterThanOrEqual => ("GREATER_THAN_OR_EQUAL", true),
        spec::ConditionOperator::LessThan => ("LESS_THAN", true),
        spec::ConditionOperator::LessThanOrEqual => ("LESS_THAN_OR_EQUAL", true),
    };
    for (key, side) in [("left", &condition.left), ("right", &condition.right)] {
        if of_numbers && !side.contains("{{") && !side.contains("${") && side.trim().parse::<f64>().is_err() {
            texts.diagnostics.error(
                Diagnostic::error(code::TASK_FORM, format!("`{side}` is no number, and this compares numbers"))
                    .at(site.member(key), "")
                    .help("write a number, or compare with `equal_to` or `not_equal`"),
            );
        }
    }
    TaskBody::Condition { left: condition.left.clone(), operator, right: condition.right.clone() }
}

fn run_job(
    run: &spec::RunJobTask,
    parameters: IndexMap<String, String>,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<TaskBody> {
    let jobs = &context.deployment.jobs;
    if context.has_job(&run.job) || context.has_generated_job(&run.job) {
        if let Some(job) = jobs.get(&run.job) {
            for name in parameters.keys().filter(|name| !job.spec.parameters.contains_key(*name)) {
                let known = job.spec.parameters.keys().map(String::as_str);
                let message = format!("the job `{}` has no parameter `{name}`", run.job);
                let found = Diagnostic::error(code::JOB_PARAMETER, message)
                    .at(site.member("parameters").member(name).key(), "");
                let fix = name::nearest(name, known.clone()).map(Fix::value);
                let help =
                    name::did_you_mean(name, known).unwrap_or_else(|| "add it to that job's `parameters`".to_owned());
                diagnostics.error(Diagnostic { fix, ..found.help(help) });
            }
        }
        return Some(TaskBody::RunJob { job: run.job.clone(), parameters });
    }
    let site = site.member("job");
    let found = if jobs.contains_key(&run.job) {
        let message = format!("the job `{}` is not in the environment `{}`", run.job, context.environment.name);
        Diagnostic::error(code::UNKNOWN_JOB, message).at(site, "").help("let both jobs have the same `environments`")
    } else {
        let found = Diagnostic::error(code::UNKNOWN_JOB, format!("the project has no job `{}`", run.job)).at(site, "");
        let known = jobs.keys().map(String::as_str);
        let fix = name::nearest(&run.job, known.clone()).map(Fix::value);
        Diagnostic { help: name::did_you_mean(&run.job, known), fix, ..found }
    };
    diagnostics.error(found);
    None
}

fn run_pipeline(
    pipeline: &spec::PipelineTask,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<TaskBody> {
    let wanted = &pipeline.pipeline;
    let known: Vec<&str> = context.known.resources.get("pipelines").into_iter().flatten().map(String::as_str).collect();
    // An id is a UUID, or what the bundle puts in.
    let is_id = wanted.contains("${") || wanted.len() == 36 && wanted.matches('-').count() == 4;
    if known.contains(&wanted.as_str()) {
        let id = format!("${{resources.pipelines.{wanted}.id}}");
        return Some(TaskBody::Pipeline { id, full_refresh: pipeline.full_refresh });
    }
    if is_id {
        return Some(TaskBody::Pipeline { id: wanted.clone(), full_refresh: pipeline.full_refresh });
    }
    let found =
        Diagnostic::error(code::TASK_FORM, format!("there is no pipeline `{wanted}`")).at(site.member("pipeline"), "");
    let fix = name::nearest(wanted, known.iter().copied()).map(Fix::value);
    let help = name::did_you_mean(wanted, known.iter().copied())
        .unwrap_or_else(|| "declare it below `resources.pipelines`, or write a pipeline's id".to_owned());
    diagnostics.error(Diagnostic { fix, ..found.help(help) });
    None
}

/// What a task's file must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Notebook,
    Python,
    Sql,
}

/// The file of a task.
fn file(
    path: &str,
    site: &Site,
    ending: Ending,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<FilePath> {
    if path.starts_with('/') {
        let in_workspace = ["/Workspace/", "/Users/", "/Shared/", "/Repos/"].iter().any(|root| path.starts_with(root));
        if in_workspace || path.starts_with("/Volumes/") && ending == Ending::Python {
            return Some(FilePath::Workspace(path.to_owned()));
        }
        diagnostics.error(
            Diagnostic::error(code::TASK_FILE, format!("`{path}` is neither in the project nor in the workspace"))
                .at(site.clone(), "")
                .help("name a file relative to the project's folder, or one below `/Workspace/`"),
        );
        return None;
    }
    // `None`: it was reported when it was read.
    let text = context.deployment.files.get(path)?.as_ref()?;
    let (endings, header): (&[&str], Option<&str>) = match ending {
        Ending::Notebook => (&["py", "sql", "ipynb", "scala", "r"], notebook_header(path)),
        Ending::Python => (&["py"], None),
        Ending::Sql => (&["sql"], None),
    };
    let own = path.rsplit_once('.').map_or("", |(_, own)| own).to_lowercase();
    if !endings.contains(&own.as_str()) {
        diagnostics.error(
            Diagnostic::error(
                code::TASK_FILE,
                format!("`{path}` is no such file: its name should end in `.{}`", endings[0]),
            )
            .at(site.clone(), "")
            .help("name another file, or use another kind of task"),
        );
        return None;
    }
    if let Some(header) = header
        && text.lines().next().map(str::trim_end) != Some(header)
    {
        diagnostics.error(
            Diagnostic::error(code::TASK_FILE, format!("`{path}` is no notebook"))
                .at(site.clone(), "")
                .note("the Databricks CLI tells a notebook from a file by its first line")
                .help(format!("let it begin with the line `{header}`")),
        );
        return None;
    }
    if ending == Ending::Python && text.lines().next().map(str::trim_end) == notebook_header(path) {
        diagnostics.error(
            Diagnostic::error(code::TASK_FILE, format!("`{path}` is a notebook"))
                .at(site.clone(), "")
                .help("name it below `notebook`, or remove its first line"),
        );
        return None;
    }
    Some(FilePath::Project(path.to_owned()))
}

fn notebook_header(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("py" | "r") => Some("# Databricks notebook source"),
        Some("sql") => Some("-- Databricks notebook source"),
        Some("scala") => Some("// Databricks notebook source"),
        _ => None,
    }
}
