//! What the pipeline's files say of a project, as one view.
//!
//! In: the project's folder. Out: [`Facts`]: stages in the order of declaration, tables in the order of execution, who
//! answers for what. Names that end up in commands are held to be plain words here, so that templates only lay out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::escape;
use crate::cli::Failure;
use crate::cli::arguments::{Auth, Ci};
use crate::cli::stages::{Loaded, Session};
use crate::diagnostic::Diagnostics;
use crate::graph::Graph;
use crate::ir::{Body, Node, NodeId, OnViolation};
use crate::project::{self, Project};
use crate::source::memo::Memo;
use crate::source::{Disk, Sources};
use crate::spec;

/// The stages of a project that has no Databricks environment yet.
const USUAL_STAGES: [&str; 3] = ["dev", "staging", "prod"];

/// What the pipeline is for, and how it signs in.
pub(super) struct Setting<'a> {
    pub(super) ci: Ci,
    pub(super) auth: Auth,
    /// The project's folder within its repository, with `/`; empty where they are one.
    pub(super) folder: &'a str,
    /// The pipeline's file within the repository.
    pub(super) pipeline_file: &'a str,
}

/// The view of all templates.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    ci: &'static str,
    oidc: bool,
    version: &'static str,
    pipeline_file: String,
    actions: BTreeMap<&'static str, Action>,
    cli_script: String,
    image: &'static str,
    project: String,
    description: Option<String>,
    owner: Option<String>,
    folder: String,
    /// `folder/`, or nothing.
    prefix: String,
    /// The documents' folder within the repository.
    docs: String,
    /// `medc`, with the project's folder where it is not the repository's.
    medc: String,
    /// The local environment that builds and tests.
    local: Option<String>,
    local_target: String,
    pub(super) stages: Vec<Stage>,
    /// Whether the stages are environments of the project.
    pub(super) declared: bool,
    /// `build and test → dev → prod`.
    chain: String,
    branches: Vec<String>,
    /// The environments whose specs are checked.
    validated: Vec<String>,
    environments: Vec<Environment>,
    environment_names: Vec<String>,
    layers: Vec<Layer>,
    tables: Vec<Table>,
    /// Tables that are read from outside.
    sources: Vec<Table>,
    /// Tables of rows that were set aside.
    quarantined: Vec<String>,
    jobs: Vec<Job>,
    variables: Vec<Variable>,
    /// Names of the Makefile's targets that come from the project.
    targets: Vec<String>,
    default_target: String,
    example_target: String,
    example_select: String,
}

/// An action of others, at a commit: a tag can be moved.
#[derive(Debug, Serialize)]
struct Action {
    commit: &'static str,
    version: &'static str,
}

/// A deployment.
#[derive(Debug, Serialize)]
pub(super) struct Stage {
    pub(super) name: String,
    /// `deploy-prod`.
    job: String,
    /// `deploy_prod`, where a name has no dash.
    key: String,
    /// `PROD`, the end of its secrets' names.
    suffix: String,
    /// Its variable group on Azure DevOps.
    group: String,
    branch: String,
    /// The job before it.
    needs: String,
    /// The same, by its key.
    after: String,
    last: bool,
}

#[derive(Debug, Serialize)]
struct Environment {
    name: String,
    engine: &'static str,
    description: Option<String>,
}

#[derive(Debug, Serialize)]
struct Layer {
    name: String,
    owner: Option<String>,
    description: Option<String>,
    reads: Vec<String>,
    n_tables: usize,
}

#[derive(Debug, Clone, Serialize)]
struct Table {
    name: String,
    owner: Option<String>,
    description: Option<String>,
    /// `sales 1.0.0`.
    contract: Option<String>,
    n_blocking: usize,
    n_other: usize,
    reads: Vec<String>,
    source: Option<String>,
}

/// What runs on Databricks together.
#[derive(Debug, Serialize)]
struct Job {
    name: String,
    description: Option<String>,
    /// `0 45 11 * * ?, America/Sao_Paulo`.
    schedule: Option<String>,
    environments: Vec<String>,
}

/// What is declared, besides what a loaded project keeps.
#[derive(Debug, Default)]
struct Declared {
    environments: Vec<(String, spec::Environment)>,
    jobs: Vec<Job>,
    variables: Vec<Variable>,
}

#[derive(Debug, Serialize)]
struct Variable {
    name: String,
    env: String,
    value: String,
    /// Whether `value` can stand in an `.env` file.
    assigned: bool,
    description: Option<String>,
}

/// Reads the project and says what the templates need.
///
/// # Errors
/// What loading reports, and names that cannot stand in a pipeline.
pub(super) fn read(setting: &Setting<'_>, folder: &Path, session: &mut Session) -> Result<Facts, Failure> {
    session.global.project = Some(folder.to_path_buf());
    // Loading says what is wrong with the files; this reading is only for what it does not keep.
    let declared = project::load(&Disk, folder, &mut Memo::default(), &mut Sources::new(), &mut Diagnostics::new());
    let declared = declared.as_ref().map(Declared::of).unwrap_or_default();
    let environments = &declared.environments;
    if session.global.target.is_none() && !environments.iter().any(|(_, spec)| spec.default) {
        session.global.target = environments.first().map(|(name, _)| name.clone());
    }
    let (loaded, layers) = session.load_and(|resolved| {
        let layers = resolved.layers.iter();
        layers.map(|(name, entity)| (name.clone(), entity.spec.clone())).collect::<Vec<(String, spec::Layer)>>()
    })?;
    view(setting, &loaded, declared, &layers)
}

fn view(
    setting: &Setting<'_>,
    loaded: &Loaded,
    declared: Declared,
    layers: &[(String, spec::Layer)],
) -> Result<Facts, Failure> {
    let Declared { environments, jobs, variables } = declared;
    let header = &loaded.resolved.project;
    let graph = &loaded.checked.graph;
    let (stages, declared) = stages(&environments, &header.name)?;
    let local = local(&environments);
    let mut branches: Vec<String> = Vec::new();
    for stage in &stages {
        if !branches.contains(&stage.branch) {
            branches.push(stage.branch.clone());
        }
    }
    let tables: Vec<Table> = graph.order.iter().map(|id| table(graph, *id, layers)).collect();
    let layers: Vec<Layer> = layers
        .iter()
        .enumerate()
        .map(|(index, (name, spec))| {
            let before = || layers[..=index].iter().map(|(name, _)| name.clone()).collect();
            Layer {
                name: name.to_lowercase(),
                owner: spec.owner.clone(),
                description: spec.description.clone(),
                reads: spec.reads.clone().unwrap_or_else(before),
                n_tables: graph.nodes.keys().filter(|table| table.layer == name.to_lowercase()).count(),
            }
        })
        .collect();
    let mut targets: Vec<String> = layers.iter().map(|layer| format!("run-{}", layer.name)).collect();
    targets.push("run-all".to_owned());
    targets.extend(stages.iter().flat_map(|stage| [format!("plan-{}", stage.name), format!("deploy-{}", stage.name)]));
    targets.push("test-auth".to_owned());
    let chain: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
    let in_folder = !setting.folder.is_empty();
    let prefix = if in_folder { format!("{}/", setting.folder) } else { String::new() };
    let cli = databricks_cli();
    Ok(Facts {
        ci: setting.ci.word(),
        oidc: match setting.auth {
            Auth::Oidc => true,
            Auth::Token => false,
        },
        version: env!("CARGO_PKG_VERSION"),
        pipeline_file: setting.pipeline_file.to_owned(),
        cli_script: format!("https://raw.githubusercontent.com/databricks/setup-cli/{}/install.sh", cli.commit),
        actions: actions(),
        image: "rust:1.95-bookworm",
        project: header.name.clone(),
        description: header.description.clone(),
        owner: header.owner.clone(),
        folder: setting.folder.to_owned(),
        docs: format!("{prefix}docs"),
        prefix,
        medc: if in_folder { format!("medc -p {}", setting.folder) } else { "medc".to_owned() },
        local_target: local.as_ref().map(|name| format!(" -t {name}")).unwrap_or_default(),
        default_target: everyday(&environments),
        local,
        chain: chain.join(" → "),
        example_target: stages.last().map(|stage| stage.name.clone()).unwrap_or_default(),
        example_select: layers.first().map(|layer| format!("layer:{}", layer.name)).unwrap_or_default(),
        declared,
        branches,
        validated: environments.iter().map(|(name, _)| name.clone()).collect(),
        environment_names: environments.iter().map(|(name, _)| name.clone()).collect(),
        environments: environments.iter().map(|(name, spec)| environment(name, spec)).collect(),
        quarantined: graph
            .order
            .iter()
            .map(|id| graph.node(*id))
            .filter(|node| sets_aside(node))
            .map(|node| format!("{}_quarantine", node.name))
            .collect(),
        sources: tables.iter().filter(|table| table.source.is_some()).cloned().collect(),
        stages,
        layers,
        tables,
        jobs,
        variables,
        targets,
    })
}

impl Declared {
    fn of(project: &Project) -> Self {
        Declared { environments: environments(project), jobs: jobs(project), variables: variables(project) }
    }
}

/// The environments as declared, for those that keep the schema.
fn environments(project: &Project) -> Vec<(String, spec::Environment)> {
    let typed = project
        .environments
        .iter()
        .map(|(name, declared)| serde_json::from_value(declared.value.clone()).ok().map(|spec| (name.clone(), spec)));
    typed.flatten().collect()
}

fn jobs(project: &Project) -> Vec<Job> {
    let typed = project.jobs.iter().filter_map(|(name, declared)| {
        let spec: spec::Job = serde_json::from_value(declared.value.clone()).ok()?;
        let schedule = spec.schedule.map(|schedule| match schedule.timezone {
            Some(timezone) => format!("{}, {timezone}", schedule.cron),
            None => schedule.cron,
        });
        Some(Job { name: name.clone(), description: spec.description, schedule, environments: spec.environments })
    });
    typed.collect()
}

fn variables(project: &Project) -> Vec<Variable> {
    let is_name = |text: &str| {
        !text.starts_with(|first: char| first.is_ascii_digit())
            && !text.is_empty()
            && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    let typed = project.variables.iter().filter_map(|(name, declared)| {
        let spec: spec::Variable = serde_json::from_value(declared.value.clone()).ok()?;
        let env = spec.env.filter(|env| is_name(env))?;
        let value = spec.default.map(|value| value.to_string());
        let assigned = value.as_ref().is_some_and(|value| !value.contains("${") && escape::is_assignable(value));
        Some(Variable {
            name: name.clone(),
            env,
            value: value.unwrap_or_default(),
            assigned,
            description: spec.description,
        })
    });
    typed.collect()
}

/// The environment that builds and tests in the pipeline: one that is called so, else the first that this machine runs.
fn local(environments: &[(String, spec::Environment)]) -> Option<String> {
    let here = |(_, spec): &&(String, spec::Environment)| spec.engine == spec::Engine::Local;
    let called = environments.iter().filter(here).find(|(name, _)| matches!(name.as_str(), "ci" | "test"));
    called.or_else(|| environments.iter().find(here)).map(|(name, _)| name.clone())
}

/// The environment of those who work on the project: the default, else the first that this machine runs.
fn everyday(environments: &[(String, spec::Environment)]) -> String {
    let default = environments.iter().find(|(_, spec)| spec.default);
    let here = || environments.iter().find(|(_, spec)| spec.engine == spec::Engine::Local);
    default.or_else(here).or(environments.first()).map(|(name, _)| name.clone()).unwrap_or_default()
}

/// The stages, and whether they are declared.
fn stages(environments: &[(String, spec::Environment)], project: &str) -> Result<(Vec<Stage>, bool), Failure> {
    let deployed = environments.iter().filter(|(_, spec)| spec.engine == spec::Engine::Databricks);
    let mut named: Vec<(&str, &str)> = deployed
        .map(|(name, spec)| (name.as_str(), spec.git.as_ref().map_or("main", |git| git.branch.as_str())))
        .collect();
    let declared = !named.is_empty();
    if !declared {
        named = USUAL_STAGES.iter().map(|name| (*name, "main")).collect();
    }
    let names = environments.iter().map(|(name, _)| name.as_str()).chain(named.iter().map(|(_, branch)| *branch));
    if let Some(wrong) = names.into_iter().find(|name| !is_plain(name)) {
        return Err(Failure::asked(
            format!("`{wrong}` cannot stand in a pipeline"),
            Some(
                "environments and branches there have letters, digits, `_`, `-`, `.` and `/` in their names".to_owned(),
            ),
        ));
    }
    let mut stages: Vec<Stage> = Vec::with_capacity(named.len());
    for (name, branch) in named {
        let key = unique(&ascii(name), |key| stages.iter().all(|stage| stage.suffix != key.to_uppercase()));
        let before = stages.iter().rev().find(|stage| stage.branch == branch);
        stages.push(Stage {
            name: name.to_owned(),
            job: format!("deploy-{}", key.replace('_', "-")),
            key: format!("deploy_{key}"),
            suffix: key.to_uppercase(),
            group: format!("{project}-{name}"),
            branch: branch.to_owned(),
            needs: before.map_or_else(|| "build-test".to_owned(), |stage| stage.job.clone()),
            after: before.map_or_else(|| "build_test".to_owned(), |stage| stage.key.clone()),
            last: false,
        });
    }
    if let Some(last) = stages.last_mut() {
        last.last = true;
    }
    Ok((stages, declared))
}

/// Whether a name means nothing but itself to shells, YAML and pipelines.
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with(|first: char| first.is_alphanumeric() || first == '_')
        && name.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '/'))
        && !name.split('/').any(|part| part == "..")
}

/// A name of lower-case ASCII letters, digits and underscores.
fn ascii(name: &str) -> String {
    let kept = |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' };
    name.chars().map(kept).collect()
}

fn unique(name: &str, is_free: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|n| format!("{name}_{n}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name)).expect("numbers do not end")
}

fn environment(name: &str, spec: &spec::Environment) -> Environment {
    let engine = match spec.engine {
        spec::Engine::Local => "local",
        spec::Engine::Databricks => "databricks",
    };
    Environment { name: name.to_owned(), engine, description: spec.description.clone() }
}

fn table(graph: &Graph, id: NodeId, layers: &[(String, spec::Layer)]) -> Table {
    let node = graph.node(id);
    let is_blocking = |on_violation| match on_violation {
        OnViolation::Fail => true,
        OnViolation::Drop | OnViolation::Quarantine | OnViolation::Warn => false,
    };
    let n_blocking = node.assertions.iter().filter(|assertion| is_blocking(assertion.on_violation)).count();
    let contract = node.contract.as_ref().map(|contract| match &contract.version {
        Some(version) => format!("{} {version}", contract.name),
        None => contract.name.clone(),
    });
    Table {
        name: node.name.to_string(),
        // Datasets have no owner of their own.
        owner: node.owner.clone().or_else(|| {
            let (_, layer) = layers.iter().find(|(name, _)| crate::name::same(name, &node.name.layer))?;
            layer.owner.clone()
        }),
        description: node.description.clone(),
        contract,
        n_blocking,
        n_other: node.assertions.len() - n_blocking,
        reads: graph.inputs[id.index()].iter().map(|input| graph.node(*input).name.to_string()).collect(),
        source: match &node.body {
            Body::Ingest(ingest) => Some(ingest.location.clone()),
            Body::Relation(_) => None,
        },
    }
}

fn sets_aside(node: &Node) -> bool {
    let quarantines = |on_violation| on_violation == OnViolation::Quarantine;
    node.assertions.iter().any(|assertion| quarantines(assertion.on_violation))
        || node.contract.as_ref().is_some_and(|contract| quarantines(contract.on_cast_failure))
}

fn databricks_cli() -> Action {
    Action { commit: "6bb7075f85b326f8b9ce160933dfe9bcd63c8121", version: "v1.13.0" }
}

fn actions() -> BTreeMap<&'static str, Action> {
    BTreeMap::from([
        ("checkout", Action { commit: "3d3c42e5aac5ba805825da76410c181273ba90b1", version: "v7.0.1" }),
        ("cache", Action { commit: "27d5ce7f107fe9357f9df03efb73ab90386fccae", version: "v5.0.5" }),
        ("upload", Action { commit: "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", version: "v7.0.0" }),
        ("download", Action { commit: "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", version: "v8.0.1" }),
        ("cli", databricks_cli()),
    ])
}
