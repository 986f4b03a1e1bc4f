//! Stage 4: the project in one environment.
//!
//! In: `Project` and [`Settings`]. Out: [`Resolved`]: overlays merged, `${…}` gone (but for secrets, which stay references),
//! defaults filled, values typed as `spec::*`. Each entity keeps an [`Origin`], so that an error about a merged value
//! points into the file that gave it. Reads what the environment decides: SQL files and the datasets' file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::exchange::Imported;
use crate::ir::Sql;
use crate::name::{self, TableName};
use crate::project::{Declared, Project};
use crate::source::{Files, Sources};
use crate::spec;

mod datasets;
mod deployment;
mod environment;
mod interpolate;
mod odcs;
mod overlay;
mod resource_files;
mod sql_file;
mod suites;
mod variables;

pub use datasets::Datasets;
pub use deployment::{Deployment, PassedThrough};
use interpolate::Scope;
pub use resource_files::{OwnPath, own_paths};

/// What the command line and the process bring.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `-t NAME`.
    pub environment: Option<String>,
    /// `--var name=value`, in order; the last of a name wins.
    pub variables: Vec<(String, String)>,
    /// The process's variables, and those of the project's `.env`.
    pub process: BTreeMap<String, String>,
    pub git_sha: Option<String>,
}

/// The project in one environment.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub project_dir: PathBuf,
    pub project: spec::ProjectHeader,
    pub environment: Environment,
    pub layers: IndexMap<String, Entity<spec::Layer>>,
    pub tables: IndexMap<TableName, Table>,
    pub contracts: IndexMap<String, Entity<spec::Contract>>,
    pub datasets: Option<Datasets>,
    pub deployment: Deployment,
    /// All environments by name, with what runs them.
    pub environments: Vec<(String, spec::Engine)>,
    /// The other environments on Databricks, as far as what they deploy is concerned: a mistake in one is the project's.
    pub elsewhere: Vec<Elsewhere>,
}

/// What another environment on Databricks deploys, and where its sources lie.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    pub environment: Environment,
    pub deployment: Deployment,
    pub locations: Vec<Location>,
}

/// Where a source lies in an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    pub table: TableName,
    pub path: String,
    pub site: Site,
}

impl Resolved {
    /// Drops the tables and contracts once a graph holds them in core form: they are most of a big project's memory.
    pub fn forget_entities(&mut self) {
        self.tables = IndexMap::new();
        self.contracts = IndexMap::new();
        self.elsewhere = Vec::new();
    }
}

/// The chosen environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    pub name: String,
    pub site: Site,
    pub place: Place,
}

/// Where an environment's tables are.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A folder of Delta tables: a path relative to the project's folder, or absolute.
    Local {
        warehouse: String,
    },
    Databricks(Box<Databricks>),
}

/// A Databricks environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Databricks {
    pub catalog: String,
    pub mode: spec::DeploymentMode,
    pub workspace: spec::Workspace,
    pub run_as: Option<spec::RunAs>,
    pub permissions: Vec<spec::Permission>,
    pub presets: spec::Presets,
    pub git: Option<spec::Git>,
}

/// A typed entity and where its parts come from.
#[derive(Debug, Clone)]
pub struct Entity<T> {
    pub spec: T,
    pub origin: Origin,
}

/// A table, with its query read from where it stands.
#[derive(Debug, Clone)]
pub struct Table {
    pub entity: Entity<spec::Table>,
    pub sql: Option<Sql>,
    /// What its Great Expectations suites say.
    pub imported: Vec<Imported>,
}

/// Where the parts of a merged value come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Where the entity is declared.
    pub site: Site,
    /// Pointers into the entity that an overlay gave, and where.
    overlaid: Vec<(String, Site)>,
}

impl Origin {
    pub fn new(site: Site) -> Self {
        Origin { site, overlaid: Vec::new() }
    }

    /// The site of a JSON pointer into the entity.
    pub fn site(&self, pointer: &str) -> Site {
        let overlay = self.overlaid.iter().filter_map(|(prefix, site)| {
            let rest = pointer.strip_prefix(prefix.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((prefix.len(), site, rest))
        });
        match overlay.max_by_key(|(length, ..)| *length) {
            Some((_, site, rest)) => site.descend(rest),
            None => self.site.descend(pointer),
        }
    }
}

/// Resolves a project for one environment.
///
/// # Errors
/// `resolve::*`, and what merged values and further files report.
pub fn resolve(
    project: Project,
    files: &dyn Files,
    settings: &Settings,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Resolved, Reported> {
    let header: spec::ProjectHeader = typed(&project.header.value, &project.header.site, diagnostics)?;
    if !name::is_identifier(&header.name) {
        diagnostics.error(
            Diagnostic::error(code::BAD_NAME, format!("`{}` is no name for a project", header.name))
                .at(project.header.site.member("name"), "")
                .help("use letters, digits and underscores, not a digit first")
                .fix(identifier_from(&header.name)),
        );
    }
    let (chosen, others) = environment::choose(&project, settings, diagnostics)?;
    let mut scope = Scope::new(&header, &chosen.name, settings);
    scope.variables = variables::values(&project, &chosen, &scope, settings, diagnostics)?;
    let environment = environment::resolve(&chosen, &scope, diagnostics)?;
    let deployment = deployment::resolve(&project, &chosen, &scope.of_bundle(), files, diagnostics);
    let environments = [&chosen].into_iter().chain(&others).map(|one| (one.name.clone(), one.spec.engine)).collect();
    let mut elsewhere = Vec::new();
    for other in &others {
        elsewhere.extend(look_into(other, &project, &header, settings, files, sources, diagnostics));
    }
    let Project { dir, layers, tables, contracts, datasets, checkpoints, .. } = project;

    let overlays = overlay::tables(&chosen, &tables, diagnostics);
    let layers = entities(layers, &scope, diagnostics);
    let mut contracts = entities(contracts, &scope, diagnostics);
    odcs::read_all(&mut contracts, &tables, &dir, files, sources, diagnostics);
    let mut resolved_tables = IndexMap::with_capacity(tables.len());
    for (written, declared) in tables {
        let Some(table_name) = table_name(&written, &declared.site, diagnostics) else { continue };
        let origin = Origin { site: declared.site, overlaid: Vec::new() };
        let overlay = overlays.get(&written);
        let merged = overlay::merge(declared.value, origin, overlay, &scope, sources, diagnostics);
        let Ok((value, origin)) = merged else { continue };
        let Ok(spec) = typed::<spec::Table>(&value, &origin.site, diagnostics) else { continue };
        let Ok(sql) = sql_file::read(&spec, &origin, &scope, &dir, files, sources, diagnostics) else { continue };
        resolved_tables.insert(table_name, Table { entity: Entity { spec, origin }, sql, imported: Vec::new() });
    }
    suites::read(&mut resolved_tables, checkpoints, &scope, &dir, files, sources, diagnostics);
    let datasets = match datasets {
        Some(declared) => datasets::read(declared, &scope, &dir, files, sources, diagnostics).ok(),
        None => None,
    };
    diagnostics.stop_on_error()?;
    Ok(Resolved {
        project_dir: dir,
        project: header,
        environment,
        layers,
        tables: resolved_tables,
        contracts,
        datasets,
        deployment,
        environments,
        elsewhere,
    })
}

/// Resolves another environment and what it deploys where it is on Databricks. One whose values are not all known here, such as a variable that only its
/// deployment sets, is left out in silence.
fn look_into(
    other: &environment::Chosen,
    project: &Project,
    header: &spec::ProjectHeader,
    settings: &Settings,
    files: &dyn Files,
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) -> Option<Elsewhere> {
    let mut found = Diagnostics::new();
    let resolved = resolve_elsewhere(other, project, header, settings, files, sources, &mut found);
    let is_of_here = |one: &Diagnostic| {
        [code::VARIABLE_WITHOUT_VALUE, code::PROCESS_VARIABLE_MISSING].contains(&one.code)
            || one.code == code::INTERPOLATION && one.message.contains("git commit")
    };
    if found.iter().any(is_of_here) {
        return None;
    }
    diagnostics.extend(found);
    resolved.ok().filter(|other| matches!(other.environment.place, Place::Databricks(_)))
}

/// What the command line and the process give for the chosen environment is not meant for another one that has a value.
fn without_those_of_here(other: &environment::Chosen, project: &Project, settings: &Settings) -> Settings {
    let mut settings = Settings { variables: Vec::new(), ..settings.clone() };
    for (name, declared) in &project.variables {
        let has_value = declared.value.get("default").is_some() || other.spec.variables.contains_key(name);
        if let (true, Some(Value::String(process))) = (has_value, declared.value.get("env")) {
            settings.process.remove(process);
        }
    }
    settings
}

fn resolve_elsewhere(
    other: &environment::Chosen,
    project: &Project,
    header: &spec::ProjectHeader,
    settings: &Settings,
    files: &dyn Files,
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Elsewhere, Reported> {
    let settings = &without_those_of_here(other, project, settings);
    let mut scope = Scope::new(header, &other.name, settings);
    scope.variables = variables::values(project, other, &scope, settings, diagnostics)?;
    let environment = environment::resolve(other, &scope, diagnostics)?;
    if matches!(environment.place, Place::Local { .. }) {
        return Ok(Elsewhere { environment, deployment: Deployment::default(), locations: Vec::new() });
    }
    let deployment = deployment::resolve(project, other, &scope.of_bundle(), files, diagnostics);
    let overlays = overlay::tables(other, &project.tables, diagnostics);
    let mut locations = Vec::new();
    for (written, Declared { value, site }) in &project.tables {
        let (Some(table), Some(source)) = (TableName::parse(written), value.get("source")) else { continue };
        let value = serde_json::json!({ "source": source });
        let origin = Origin::new(site.clone());
        let merged = overlay::merge(value, origin, overlays.get(written), &scope, sources, diagnostics);
        let Ok((value, origin)) = merged else { continue };
        if let Some(path) = value.pointer("/source/path").and_then(Value::as_str) {
            locations.push(Location { table, path: path.to_owned(), site: origin.site("/source/path") });
        }
    }
    Ok(Elsewhere { environment, deployment, locations })
}

fn entities<T: DeserializeOwned>(
    declared: IndexMap<String, Declared>,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> IndexMap<String, Entity<T>> {
    let mut typed_entities = IndexMap::with_capacity(declared.len());
    for (name, Declared { mut value, site }) in declared {
        if !name::is_identifier(&name) {
            diagnostics.error(
                Diagnostic::error(code::BAD_NAME, format!("`{name}` is no name"))
                    .at(site.key(), "")
                    .help("use letters, digits and underscores, not a digit first")
                    .fix(identifier_from(&name)),
            );
            continue;
        }
        let origin = Origin::new(site);
        if interpolate::value(&mut value, scope, &|pointer| origin.site(pointer), diagnostics).is_err() {
            continue;
        }
        if let Ok(spec) = typed(&value, &origin.site, diagnostics) {
            typed_entities.insert(name, Entity { spec, origin });
        }
    }
    typed_entities
}

fn table_name(written: &str, site: &Site, diagnostics: &mut Diagnostics) -> Option<TableName> {
    let parsed = TableName::parse(written);
    if parsed.is_none() {
        let message = format!("`{written}` is no table's name");
        diagnostics.error(
            Diagnostic::error(code::BAD_NAME, message)
                .at(site.clone().key(), "")
                .note("a table is called `layer.name`; both are letters, digits and underscores, not a digit first")
                .help(if written.contains('.') {
                    "rename it, e.g. `silver.orders`"
                } else {
                    "put its layer in front, e.g. `silver.orders`"
                }),
        );
    }
    parsed
}

/// Types a value that the schema let through.
fn typed<T: DeserializeOwned>(value: &Value, site: &Site, diagnostics: &mut Diagnostics) -> Result<T, Reported> {
    T::deserialize(value).map_err(|error| {
        diagnostics.error(Diagnostic::error(code::WRONG_VALUE, format!("{error}")).at(site.clone().key(), ""))
    })
}

fn identifier_from(text: &str) -> String {
    let replaced: String =
        text.chars().map(|character| if character.is_alphanumeric() { character } else { '_' }).collect();
    if name::is_identifier(&replaced) { replaced } else { format!("_{replaced}") }
}
