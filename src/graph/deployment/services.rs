//! Tasks that other services do (dashboards, alerts, dbt), and loops over inputs.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::references::{self, Running};
use super::{Context, compute};
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code};
use crate::ir::deployment::{Addresses, FilePath, ForEach, TaskBody};
use crate::name;
use crate::spec;

/// What dbt needs where nothing is said.
const DBT: &str = "dbt-databricks>=1.8.0,<2.0.0";

/// The loop of a task; `None` where it has none, or an error.
pub(super) fn for_each(
    written: &spec::Task,
    body: &TaskBody,
    site: &Site,
    running: &Running<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<ForEach> {
    let repeated = written.for_each.as_ref()?;
    let site = site.member("for_each");
    let mut wrong = |site: Site, message: &str, help: &str| {
        diagnostics.error(Diagnostic::error(code::TASK_FORM, message).at(site, "").help(help));
    };
    match body {
        TaskBody::Notebook { .. }
        | TaskBody::Python { .. }
        | TaskBody::Wheel { .. }
        | TaskBody::Sql { .. }
        | TaskBody::RunJob { .. }
        | TaskBody::Pipeline { .. }
        | TaskBody::Dbt { .. } => {}
        TaskBody::Table(_)
        | TaskBody::Tables { .. }
        | TaskBody::Condition { .. }
        | TaskBody::Dashboard { .. }
        | TaskBody::Alert { .. } => {
            wrong(site.clone().key(), "this kind of task is done once", "remove `for_each`");
        }
    }
    if repeated.concurrency.is_some_and(|n| !(1..=100).contains(&n)) {
        wrong(site.member("concurrency"), "1 to 100 inputs at the same time", "write e.g. `4`");
    }
    let site = site.member("inputs");
    let inputs = match &repeated.inputs {
        spec::Inputs::List(inputs) => {
            if inputs.is_empty() {
                wrong(site, "there are no inputs", "list one at least");
            }
            Value::Array(inputs.iter().map(value).collect()).to_string()
        }
        spec::Inputs::Text(text) => {
            let is_list = serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_array());
            if !is_list && !text.contains("{{") && !text.contains("${") {
                wrong(
                    site,
                    "the inputs are no list",
                    "write a list, or a value of the run, e.g. `{{tasks.KEY.values.NAME}}`",
                );
            } else {
                references::check_dynamic(text, &site, running, diagnostics);
            }
            text.clone()
        }
    };
    Some(ForEach { inputs, concurrency: repeated.concurrency })
}

fn value(input: &spec::Input) -> Value {
    match input {
        spec::Input::One(scalar) => of_scalar(scalar),
        spec::Input::Members(members) => {
            Value::Object(members.iter().map(|(key, scalar)| (key.clone(), of_scalar(scalar))).collect::<Map<_, _>>())
        }
    }
}

fn of_scalar(scalar: &crate::kind::Scalar) -> Value {
    match scalar {
        crate::kind::Scalar::Boolean(flag) => (*flag).into(),
        crate::kind::Scalar::Number(number) => number.clone().into(),
        crate::kind::Scalar::Text(text) => text.clone().into(),
    }
}

/// A dashboard that is refreshed.
pub(super) fn dashboard(
    written: &spec::DashboardTask,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<TaskBody> {
    let id = resource("dashboards", &written.dashboard, &site.member("dashboard"), context, diagnostics)?;
    let subscribers = subscribers(written.subscribers.as_ref(), site, context, diagnostics);
    Some(TaskBody::Dashboard { id, warehouse_id: written.warehouse_id.clone(), subscribers })
}

/// An alert that is evaluated.
pub(super) fn alert(
    written: &spec::AlertTask,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<TaskBody> {
    let id = resource("alerts", &written.alert, &site.member("alert"), context, diagnostics)?;
    let subscribers = subscribers(written.subscribers.as_ref(), site, context, diagnostics);
    Some(TaskBody::Alert { id, warehouse_id: written.warehouse_id.clone(), subscribers })
}

/// The id of a resource of the bundle, or one that is written.
fn resource(
    resource_type: &str,
    wanted: &str,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let empty = BTreeSet::new();
    let known = context.known.resources.get(resource_type).unwrap_or(&empty);
    if known.contains(wanted) {
        return Some(format!("${{resources.{resource_type}.{wanted}.id}}"));
    }
    // An id is made of hexadecimal digits, or is what the bundle puts in.
    let is_id = wanted.len() >= 16 && wanted.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_id || wanted.contains("${") {
        return Some(wanted.to_owned());
    }
    let what = super::singular(resource_type);
    let found = Diagnostic::error(code::TASK_FORM, format!("there is no {what} `{wanted}`")).at(site.clone(), "");
    let known = || known.iter().map(String::as_str);
    let fix = name::nearest(wanted, known()).map(Fix::value);
    let help = name::nearest(wanted, known()).map(|near| format!("did you mean `{near}`?"));
    let help = help.unwrap_or_else(|| format!("declare it below `resources.{resource_type}`, or write its id"));
    diagnostics.error(Diagnostic { fix, ..found.help(help) });
    None
}

fn subscribers(
    channels: Option<&spec::OneOrMany>,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Addresses {
    let notify = channels.cloned().map(spec::Notify::Failures);
    let found = compute::notifications(notify.as_ref(), &site.member("subscribers"), context, diagnostics);
    found.events.into_values().next().unwrap_or_default()
}

/// Commands of dbt.
pub(super) fn dbt(
    written: &spec::DbtTask,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> TaskBody {
    if written.commands.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::TASK_FORM, "dbt is told to do nothing")
                .at(site.member("commands"), "")
                .help("write e.g. `[dbt deps, dbt build]`"),
        );
    }
    for (index, command) in written.commands.iter().enumerate() {
        if command.split_whitespace().next() != Some("dbt") {
            diagnostics.error(
                Diagnostic::error(code::TASK_FORM, format!("`{command}` is no command of dbt"))
                    .at(site.member("commands").element(index), "")
                    .help("begin it with `dbt `")
                    .fix(format!("dbt {command}")),
            );
        }
    }
    let project = written.project.trim_end_matches('/');
    let project = match project.strip_prefix('/') {
        Some(_) => FilePath::Workspace(project.to_owned()),
        None => FilePath::Project(project.trim_start_matches("./").to_owned()),
    };
    let layer = written.schema.as_ref().filter(|schema| context.schemas.contains(schema));
    let schema = match layer {
        Some(layer) => Some(format!("${{resources.schemas.{layer}.name}}")),
        None => written.schema.clone(),
    };
    TaskBody::Dbt {
        project,
        commands: written.commands.clone(),
        warehouse_id: written.warehouse_id.clone(),
        catalog: written.catalog.clone(),
        schema,
        dependency: written.dependency.clone().unwrap_or_else(|| DBT.to_owned()),
    }
}
