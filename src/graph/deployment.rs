//! What environments deploy, in core form: jobs, compute, schemas' grants and resources.
//!
//! In: the graph, what each environment deploys as written. Out: the [`Deployment`] of the chosen environment; those of the
//! others on Databricks are lowered as well and dropped, so that a mistake in any of them is found whichever was chosen.
//! Job rules that the Databricks CLI does not hold when it validates are held here; those that it does hold are too, so
//! that the error stands in the project's own file.

use std::collections::{BTreeMap, BTreeSet};

use super::Graph;
use crate::diagnostic::{Diagnostic, Diagnostics, code};
use crate::ir::deployment::{Bundle, Deployment, Schema};
use crate::ir::{Body, Ingest, NodeId, Reader};
use crate::name;
use crate::resolve::{self, Environment, Location, Place, Resolved};
use crate::spec;

mod bodies;
mod compute;
mod environments;
mod forms;
mod groups;
mod jobs;
mod names;
pub mod pipeline;
mod quartz;
mod raw_jobs;
mod references;
mod resources;
mod services;
mod start;
mod tasks;
mod types;
mod values;

pub use environments::in_workspace;
use references::Known;
pub use resources::{own_file, singular};
pub use tasks::UNITY_CATALOG;

/// What a deployment is lowered against.
struct Context<'a> {
    graph: &'a Graph,
    deployment: &'a resolve::Deployment,
    environment: &'a Environment,
    /// The keys of the jobs that medc makes by itself.
    generated: BTreeSet<String>,
    known: Known,
    /// The key of the pipeline that medc makes.
    pipeline: Option<String>,
    /// The place of each node in the graph's order.
    places: &'a [usize],
    schemas: &'a [String],
}

impl Context<'_> {
    /// Whether the environment has a job of the project; one that is not on Databricks has all, so that they are checked.
    fn has_job(&self, key: &str) -> bool {
        self.deployment.jobs.get(key).is_some_and(|job| is_in(&job.spec.environments, self.environment))
    }

    fn has_generated_job(&self, key: &str) -> bool {
        self.generated.contains(key)
    }

    /// What comes before a node: its inputs, and what its expectations look at.
    fn before(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.graph.inputs[id.index()].iter().chain(&self.graph.compared[id.index()]).copied()
    }

    /// The parameters that every job gets.
    fn parameter_names(&self) -> Vec<String> {
        let own = ["catalog", "environment", "git_sha", "run_id"].map(str::to_owned);
        let schemas = self.schemas.iter().map(|schema| format!("schema_{schema}"));
        own.into_iter().chain(schemas).collect()
    }
}

fn is_in(environments: &[String], environment: &Environment) -> bool {
    let here = |wanted: &String| name::same(wanted, &environment.name);
    matches!(environment.place, Place::Local { .. }) || environments.is_empty() || environments.iter().any(here)
}

/// The schemas of a deployment: the layers', the one of the checks' results, and where the project has datasets that of
/// the models' registry.
pub fn schemas(graph: &Graph) -> Vec<String> {
    let mut schemas: Vec<String> = graph.layers.iter().map(|layer| layer.name.clone()).collect();
    let has_datasets = graph.nodes.values().any(|node| node.dataset.is_some());
    for own in ["quality", "ml_registry"] {
        if !schemas.iter().any(|schema| schema == own) && (own == "quality" || has_datasets) {
            schemas.push(own.to_owned());
        }
    }
    schemas
}

/// Lowers what the chosen environment deploys, and holds the rules of all of them.
pub(super) fn lower(resolved: &Resolved, graph: &Graph, diagnostics: &mut Diagnostics) -> Deployment {
    environment_names(resolved, diagnostics);
    let here = Location::all(graph);
    let deployment = of_environment(resolved, graph, &resolved.environment, &resolved.deployment, &here, diagnostics);
    let mut all = vec![(&resolved.environment, deployment)];
    for other in &resolved.elsewhere {
        let lowered =
            of_environment(resolved, graph, &other.environment, &other.deployment, &other.locations, diagnostics);
        all.push((&other.environment, lowered));
    }
    environments::together(&all, diagnostics);
    if all
        .iter()
        .any(|(environment, one)| one.bundle.pipeline.is_some() && matches!(environment.place, Place::Databricks(_)))
    {
        pipeline::check(graph, diagnostics);
    }
    all.swap_remove(0).1
}

fn of_environment(
    resolved: &Resolved,
    graph: &Graph,
    environment: &Environment,
    written: &resolve::Deployment,
    locations: &[Location],
    diagnostics: &mut Diagnostics,
) -> Deployment {
    let generated = generated_keys(resolved, graph, written);
    let schemas = schemas(graph);
    let mut places = vec![0; graph.nodes.len()];
    for (place, id) in graph.order.iter().enumerate() {
        places[id.index()] = place;
    }
    let known = Known::default();
    let mut context = Context {
        graph,
        deployment: written,
        environment,
        generated,
        known,
        pipeline: None,
        places: &places,
        schemas: &schemas,
    };
    for schema in &schemas {
        context.known.add("schemas", schema);
    }
    let job_keys: Vec<&String> = written.jobs.keys().filter(|key| context.has_job(key)).collect();
    for key in job_keys.into_iter().chain(&context.generated.clone()) {
        context.known.add("jobs", key);
    }
    for resource in written.resources.iter().filter(|resource| resources::is_here(resource, environment)) {
        context.known.add(&resource.resource_type, &resource.key);
    }
    let bundle = bundle(resolved, written, diagnostics);
    let clusters = compute::lower_all(written, diagnostics);
    if let Some(key) = &bundle.pipeline {
        context.known.add("pipelines", key);
        context.pipeline = Some(key.clone());
    }
    let mut jobs = jobs::lower_all(&context, &resolved.project.name, diagnostics);
    if let Some(pipeline) = &bundle.pipeline {
        for (key, job) in &mut jobs {
            pipeline::replace_tables(key, pipeline, job, diagnostics);
        }
    }
    let resources = resources::lower_all(&context, diagnostics);
    references_of_jobs(&context, diagnostics);
    if let Place::Databricks(place) = &environment.place {
        environments::alone(environment, place, &jobs, &resources, locations, context.schemas, diagnostics);
        environments::texts(resolved, graph, diagnostics);
        literal_schemas(&context, place, diagnostics);
    }
    let read = |files: &BTreeMap<String, Option<String>>| {
        files.iter().filter_map(|(path, text)| Some((path.clone(), text.clone()?))).collect()
    };
    let (files, resource_files) = (read(&written.files), read(&written.resource_files));
    let schemas = layer_schemas(resolved, diagnostics);
    Deployment { bundle, jobs, clusters, schemas, resources, files, resource_files }
}

/// The keys of the jobs that medc makes by itself.
fn generated_keys(resolved: &Resolved, graph: &Graph, written: &resolve::Deployment) -> BTreeSet<String> {
    let asked = written.bundle.as_ref().and_then(|bundle| bundle.spec.generated_jobs);
    let project = &resolved.project.name;
    match asked {
        None if !written.jobs.is_empty() => BTreeSet::new(),
        Some(spec::GeneratedJobs::None) => BTreeSet::new(),
        None | Some(spec::GeneratedJobs::Whole) => BTreeSet::from([project.clone()]),
        Some(spec::GeneratedJobs::PerLayer) => {
            let layers = graph.layers.iter().map(|layer| format!("{project}_{}", layer.name));
            layers.chain([project.clone()]).collect()
        }
    }
}

/// Every `environments` names what there is.
fn environment_names(resolved: &Resolved, diagnostics: &mut Diagnostics) {
    let jobs = resolved.deployment.jobs.values().map(|job| (job.spec.environments.clone(), &job.origin));
    let resources = resolved.deployment.resources.iter();
    let resources = resources.map(|resource| (resources::environments(resource), &resource.origin));
    for (environments, origin) in jobs.chain(resources) {
        for (index, wanted) in environments.iter().enumerate() {
            let site = origin.site(&format!("/environments/{index}"));
            let known = || resolved.environments.iter().map(|(name, _)| name.as_str());
            match resolved.environments.iter().find(|(name, _)| name::same(name, wanted)) {
                Some((_, spec::Engine::Databricks)) => {}
                Some((_, spec::Engine::Local)) => {
                    diagnostics.error(
                        Diagnostic::error(code::UNKNOWN_ENVIRONMENT, format!("`{wanted}` is not on Databricks"))
                            .at(site, "")
                            .help("name environments with `engine: databricks`"),
                    );
                }
                None => {
                    let found = Diagnostic::error(
                        code::UNKNOWN_ENVIRONMENT,
                        format!("the project has no environment `{wanted}`"),
                    )
                    .at(site, "");
                    let known: Vec<&str> = known().collect();
                    let fix = name::nearest(wanted, known.iter().copied()).map(crate::diagnostic::Fix::value);
                    let help = name::did_you_mean(wanted, known.iter().copied());
                    diagnostics.error(Diagnostic { help, fix, ..found });
                }
            }
        }
    }
}

/// The bundle as such.
fn bundle(resolved: &Resolved, written: &resolve::Deployment, diagnostics: &mut Diagnostics) -> Bundle {
    let Some(bundle) = &written.bundle else {
        return Bundle { name: resolved.project.name.clone(), ..Bundle::default() };
    };
    let wrong = |key: &str, message: String, help: &str| {
        Diagnostic::error(code::BUNDLE_FORM, message).at(bundle.origin.site(key), "").help(help)
    };
    let name = bundle.spec.name.clone().unwrap_or_else(|| resolved.project.name.clone());
    if !values::is_key(&name) {
        let found = wrong(
            "/name",
            format!("`{}` is no name for a bundle", name.escape_debug()),
            "use letters, digits, `_` and `-`",
        );
        diagnostics.error(found.fix(values::key_from(&name)));
    }
    if let Some(id) = &bundle.spec.uuid
        && (id.len() != 36 || uuid::Uuid::try_parse(id).is_err())
    {
        diagnostics.error(wrong(
            "/uuid",
            format!("`{id}` is no UUID"),
            "write one as `uuidgen` does, e.g. `0190f3a4-6f1c-7d5e-9a41-3c2f5b6e7d80`",
        ));
    }
    if let Some(version) = &bundle.spec.cli_version {
        let is_constraint = version.split(',').all(|part| {
            let number = part.trim().trim_start_matches(['>', '<', '=', '~', '^', '!']).trim();
            let parts: Vec<&str> = number.split('.').collect();
            (2..=3).contains(&parts.len()) && parts.iter().all(|part| part.parse::<u32>().is_ok() || *part == "*")
        });
        if !is_constraint {
            diagnostics.error(wrong(
                "/cli_version",
                format!("`{version}` says nothing of a version"),
                "write e.g. `>= 1.3.0`",
            ));
        }
    }
    let is_pipeline = bundle.spec.emit == spec::Emit::Pipeline;
    if is_pipeline && bundle.spec.check_constraints {
        diagnostics.error(wrong(
            "/check_constraints",
            "a pipeline's tables have expectations, not constraints".to_owned(),
            "remove it, or emit jobs: `emit: jobs`",
        ));
    }
    Bundle {
        name,
        uuid: bundle.spec.uuid.clone(),
        cli_version: bundle.spec.cli_version.clone(),
        check_constraints: bundle.spec.check_constraints,
        pipeline: is_pipeline.then(|| pipeline::key(&resolved.project.name)),
    }
}

fn layer_schemas(resolved: &Resolved, diagnostics: &mut Diagnostics) -> Vec<Schema> {
    let mut schemas = Vec::new();
    for (layer, entity) in &resolved.layers {
        let mut grants: Vec<(String, Vec<String>)> = Vec::new();
        for (index, grant) in entity.spec.grants.iter().enumerate() {
            let site = entity.origin.site(&format!("/grants/{index}"));
            let wrong = if grant.principal.trim().is_empty() {
                Some(("principal", "a grant names nobody".to_owned()))
            } else if grant.privileges.is_empty() {
                Some(("privileges", format!("the grant to `{}` allows nothing", grant.principal)))
            } else if grants.iter().any(|(principal, _)| *principal == grant.principal) {
                Some(("principal", format!("`{}` has two grants", grant.principal)))
            } else {
                None
            };
            if let Some((key, message)) = wrong {
                diagnostics.error(
                    Diagnostic::error(code::PERMISSION, message)
                        .at(site.member(key), "")
                        .help("write each principal once, with one privilege at least, e.g. `[USE_SCHEMA, SELECT]`"),
                );
            }
            let mut privileges: Vec<String> = Vec::new();
            for privilege in &grant.privileges {
                if let Ok(serde_json::Value::String(word)) = serde_json::to_value(privilege)
                    && !privileges.contains(&word)
                {
                    privileges.push(word);
                }
            }
            grants.push((grant.principal.clone(), privileges));
        }
        schemas.push(Schema { layer: layer.clone(), description: entity.spec.description.clone(), grants });
    }
    schemas
}

/// Every text of jobs leads somewhere.
fn references_of_jobs(context: &Context<'_>, diagnostics: &mut Diagnostics) {
    for (key, job) in &context.deployment.jobs {
        if context.has_job(key) {
            for (pointer, text) in job_texts(&job.spec) {
                references::check(&text, &job.origin.site(&pointer), &context.known, diagnostics);
            }
        }
    }
}

/// The texts of a job that may hold references, with their places in it.
fn job_texts(spec: &spec::Job) -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> = Vec::new();
    texts.extend(spec.name.iter().map(|text| ("/name".to_owned(), text.clone())));
    texts.extend(spec.description.iter().map(|text| ("/description".to_owned(), text.clone())));
    for (key, map) in [("parameters", &spec.parameters), ("tags", &spec.tags)] {
        texts.extend(map.iter().map(|(name, value)| (format!("/{key}/{name}"), value.to_string())));
    }
    if let Some(arrival) = spec.trigger.as_ref().and_then(|trigger| trigger.file_arrival.as_ref()) {
        texts.push(("/trigger/file_arrival/url".to_owned(), arrival.url.clone()));
    }
    if let Some(update) = spec.trigger.as_ref().and_then(|trigger| trigger.table_update.as_ref()) {
        let tables = update.tables.iter().enumerate();
        texts.extend(tables.map(|(index, table)| (format!("/trigger/table_update/tables/{index}"), table.clone())));
    }
    for (index, task) in spec.tasks.iter().enumerate() {
        texts.extend(task_texts(task).into_iter().map(|(key, text)| (format!("/tasks/{index}/{key}"), text)));
    }
    texts
}

/// No text names a layer's schema as it is not called here.
fn literal_schemas(context: &Context<'_>, place: &resolve::Databricks, diagnostics: &mut Diagnostics) {
    for resource in context.deployment.resources.iter().filter(|one| resources::is_here(one, context.environment)) {
        let body = serde_json::Value::Object(resource.body.clone());
        let site_of = |pointer: &str| resource.origin.site(pointer);
        names::literal_schemas(&body, "", &site_of, place, context.schemas, diagnostics);
    }
    for (key, job) in &context.deployment.jobs {
        if context.has_job(key) {
            for (pointer, text) in job_texts(&job.spec) {
                names::literal_schema(&text, &job.origin.site(&pointer), place, context.schemas, diagnostics);
            }
        }
    }
}

fn task_texts(task: &spec::Task) -> Vec<(String, String)> {
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut named = |key: &str, map: &indexmap::IndexMap<String, crate::kind::Scalar>| {
        texts.extend(map.iter().map(|(name, value)| (format!("{key}/parameters/{name}"), value.to_string())));
    };
    if let Some(notebook) = &task.notebook {
        named("notebook", &notebook.parameters);
    }
    if let Some(sql) = &task.sql {
        named("sql", &sql.parameters);
    }
    if let Some(run) = &task.run_job {
        named("run_job", &run.parameters);
    }
    if let Some(sql) = &task.sql {
        texts.push(("sql/warehouse_id".to_owned(), sql.warehouse_id.clone()));
    }
    if let Some(pipeline) = &task.pipeline {
        texts.push(("pipeline/pipeline".to_owned(), pipeline.pipeline.clone()));
    }
    let listed = [
        ("python", task.python.as_ref().map(|python| &python.parameters)),
        ("wheel", task.wheel.as_ref().map(|wheel| &wheel.parameters)),
    ];
    for (key, list) in listed {
        let list = list.into_iter().flatten().enumerate();
        texts.extend(list.map(|(index, text)| (format!("{key}/parameters/{index}"), text.clone())));
    }
    if let Some(repeated) = &task.for_each {
        match &repeated.inputs {
            spec::Inputs::Text(text) => texts.push(("for_each/inputs".to_owned(), text.clone())),
            spec::Inputs::List(_) => {}
        }
    }
    let services = [
        ("dashboard/dashboard", task.dashboard.as_ref().map(|dashboard| &dashboard.dashboard)),
        ("dashboard/warehouse_id", task.dashboard.as_ref().and_then(|dashboard| dashboard.warehouse_id.as_ref())),
        ("alert/alert", task.alert.as_ref().map(|alert| &alert.alert)),
        ("alert/warehouse_id", task.alert.as_ref().map(|alert| &alert.warehouse_id)),
        ("dbt/warehouse_id", task.dbt.as_ref().map(|dbt| &dbt.warehouse_id)),
        ("dbt/schema", task.dbt.as_ref().and_then(|dbt| dbt.schema.as_ref())),
        ("dbt/catalog", task.dbt.as_ref().and_then(|dbt| dbt.catalog.as_ref())),
    ];
    texts.extend(services.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.clone()))));
    if let Some(condition) = &task.condition {
        texts.push(("condition/left".to_owned(), condition.left.clone()));
        texts.push(("condition/right".to_owned(), condition.right.clone()));
    }
    texts.extend(task.description.iter().map(|text| ("description".to_owned(), text.clone())));
    texts
}

impl Location {
    /// Where the files of a graph's sources lie.
    fn all(graph: &Graph) -> Vec<Location> {
        let sources = graph.nodes.values().filter_map(|node| match &node.body {
            Body::Ingest(Ingest { reader: Reader::Database(_), .. }) | Body::Relation(_) => None,
            Body::Ingest(ingest) => Some(Location {
                table: node.name.clone(),
                path: ingest.location.clone(),
                site: ingest.location_site.clone(),
            }),
        });
        sources.collect()
    }
}
