//! Stage 8b: the project as a Databricks Asset Bundle (Declarative Automation Bundle), written down and not run.
//!
//! In: the checked project, once per Databricks environment. Out: [`Bundle`], its files as texts. One bundle has a target for
//! each environment. SQL is the author's text with other names for its tables; a notebook for each table declares it, and
//! the package that all notebooks share builds it as the local engine does. The same project gives the same bytes, and
//! nothing here reads or writes a file.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Checked;
use crate::ir::deployment::TaskBody;
use crate::ir::{Body, Node, NodeId, Reader, WriteMode};
use crate::name::TableName;
use crate::resolve::{Databricks, Environment, Place};
use crate::spec;

mod assertions;
mod configuration;
mod constraints;
pub mod deploy;
mod jobs;
pub mod manifest;
mod notebooks;
mod package;
mod pipeline;
mod python;
mod queries;
mod readme;
mod tables;
mod trials;

/// An environment on Databricks with the project as it is there.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub environment: &'a Environment,
    pub databricks: &'a Databricks,
    pub checked: &'a Checked,
    /// The paths of notebooks that are not the same in all environments.
    differing: &'a BTreeSet<String>,
}

static NONE: BTreeSet<String> = BTreeSet::new();

impl<'a> Target<'a> {
    /// The target of an environment; `None` for a local one.
    pub fn of(environment: &'a Environment, checked: &'a Checked) -> Option<Self> {
        match &environment.place {
            Place::Databricks(databricks) => Some(Target { environment, databricks, checked, differing: &NONE }),
            Place::Local { .. } => None,
        }
    }

    /// Whether a declarative pipeline makes the tables, and not a job's tasks.
    fn is_pipeline(&self) -> bool {
        self.checked.graph.deployment.bundle.pipeline.is_some()
    }

    /// Where a notebook lies that the environment runs.
    fn path(&self, path: String) -> String {
        if self.differing.contains(&path) { of_environment(&path, &self.environment.name) } else { path }
    }

    /// Whether a table has statements that only Unity Catalog knows.
    fn has_unity_statements(&self, node: &Node) -> bool {
        if self.is_pipeline() { tables::unity_of_pipeline(node) } else { tables::unity(&self.checked.graph, node) }
            .is_some()
    }
}

/// What is deployed: texts by path, relative to the bundle's folder, with `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    pub files: BTreeMap<String, String>,
}

/// Writes the bundle of a project with all its targets.
pub fn emit(project: &spec::ProjectHeader, targets: &[Target<'_>]) -> Bundle {
    let package = package::name(&project.name);
    let sql: Vec<Files> = targets.iter().map(sql_files).collect();
    let differing = differing(&sql);
    let notebooks: Vec<Files> =
        targets.iter().zip(&sql).map(|(target, sql)| notebooks(target, &package, sql, &differing)).collect();
    let own = self::differing(&notebooks);
    let targets: Vec<Target<'_>> = targets.iter().map(|target| Target { differing: &own, ..*target }).collect();
    let mut files = package::files(project, &package, &targets);
    files.extend(trials::files(&targets, &package));
    files.insert("README.md".to_owned(), readme::text(project, &targets));
    files.extend(configuration::files(project, &targets));
    files.extend(merged(&targets, &sql));
    files.extend(merged(&targets, &notebooks));
    Bundle { files }
}

/// Texts by path.
type Files = BTreeMap<String, String>;

/// The paths whose texts are not the same in all environments.
fn differing(by_target: &[Files]) -> BTreeSet<String> {
    let paths: BTreeSet<&String> = by_target.iter().flat_map(BTreeMap::keys).collect();
    let differs = |path: &&&String| {
        let texts: BTreeSet<&String> = by_target.iter().filter_map(|files| files.get(**path)).collect();
        texts.len() > 1
    };
    paths.iter().filter(differs).map(|path| (*path).clone()).collect()
}

/// The files of all targets. What an environment's variables make different stands once for each.
fn merged(targets: &[Target<'_>], by_target: &[Files]) -> Files {
    let differing = differing(by_target);
    let mut files = Files::new();
    for (target, own) in targets.iter().zip(by_target) {
        for (path, text) in own {
            let path =
                if differing.contains(path) { of_environment(path, &target.environment.name) } else { path.clone() };
            files.insert(path, text.clone());
        }
    }
    files
}

/// The queries and statements that say what the tables are, as one target has them.
fn sql_files(target: &Target<'_>) -> Files {
    let graph = &target.checked.graph;
    let mut files = Files::new();
    for &id in &graph.order {
        let node = graph.node(id);
        let checked = target.checked;
        let is_changes = target.is_pipeline() && matches!(node.write.mode, WriteMode::Merge { .. });
        let query = if is_changes { queries::of_changes(checked, id) } else { queries::text(checked, id) };
        let texts = if target.is_pipeline() {
            [
                ("sql", query),
                ("schema.sql", tables::schema(checked, id)),
                ("unity.sql", tables::unity_of_pipeline(node)),
            ]
        } else {
            [("sql", query), ("table.sql", tables::create(checked, id)), ("unity.sql", tables::unity(graph, node))]
        };
        files.extend(texts.into_iter().filter_map(|(ending, text)| Some((sql_path(&node.name, ending), text?))));
    }
    files
}

fn notebooks(target: &Target<'_>, package: &str, sql: &Files, differing: &BTreeSet<String>) -> Files {
    let graph = &target.checked.graph;
    let beside = |id: NodeId, ddl: &str| {
        let named = |ending| {
            let path = sql_path(&graph.node(id).name, ending);
            sql.contains_key(&path).then(|| {
                let path = if differing.contains(&path) { of_environment(&path, "{environment}") } else { path };
                path.trim_start_matches("src/sql/").to_owned()
            })
        };
        notebooks::Beside { query: named("sql"), ddl: named(ddl) }
    };
    if target.is_pipeline() {
        let text = |id: &NodeId| {
            (
                pipeline_path(&graph.node(*id).name),
                pipeline::text(target.checked, *id, package, &beside(*id, "schema.sql")),
            )
        };
        return graph.order.iter().map(text).collect();
    }
    let tasks = || graph.deployment.jobs.values().flat_map(|job| &job.tasks);
    let mut files = Files::new();
    let mut grouped: BTreeSet<NodeId> = BTreeSet::new();
    for task in tasks() {
        if let TaskBody::Tables { nodes, notebook } = &task.body {
            let of_group: Vec<notebooks::InGroup> = nodes
                .iter()
                .map(|id| notebooks::InGroup {
                    id: *id,
                    beside: beside(*id, "table.sql"),
                    has_unity_statements: target.has_unity_statements(graph.node(*id)),
                })
                .collect();
            let text = notebooks::of_group(target.checked, notebook, &of_group, package);
            files.insert(group_path(notebook), text);
            grouped.extend(nodes);
        }
    }
    let alone: BTreeSet<NodeId> =
        tasks().filter_map(|task| if let TaskBody::Table(id) = &task.body { Some(*id) } else { None }).collect();
    for &id in graph.order.iter().filter(|id| !grouped.contains(id) || alone.contains(id)) {
        let text = notebooks::text(target.checked, id, package, &beside(id, "table.sql"));
        files.insert(notebook_path(&graph.node(id).name), text);
    }
    files
}

/// Whether a table is read from files, which have a place in each environment.
fn reads_files(node: &Node) -> bool {
    matches!(&node.body, Body::Ingest(ingest) if !matches!(ingest.reader, Reader::Database(_)))
}

/// The key of a table's task and notebook.
pub fn table_key(table: &TableName) -> String {
    format!("{}_{}", table.layer, table.name)
}

/// The notebook that builds a table, relative to the bundle's folder.
pub fn notebook_path(table: &TableName) -> String {
    format!("src/notebooks/{}.py", table_key(table))
}

/// The file that defines a table's datasets in a pipeline, relative to the bundle's folder.
fn pipeline_path(table: &TableName) -> String {
    format!("src/pipeline/{}.py", table_key(table))
}

/// The notebook of a task that builds several tables, relative to the bundle's folder.
fn group_path(notebook: &str) -> String {
    format!("src/notebooks/{notebook}.py")
}

fn sql_path(table: &TableName, ending: &str) -> String {
    format!("src/sql/{}/{}.{ending}", table.layer, table.name)
}

/// `src/sql/gold/x.sql` of the environment `prod` is `src/sql/gold/x.prod.sql`.
fn of_environment(path: &str, environment: &str) -> String {
    let folder = path.rfind('/').map_or(0, |place| place + 1);
    match path[folder..].find('.') {
        Some(dot) => format!("{}.{environment}{}", &path[..folder + dot], &path[folder + dot..]),
        None => format!("{path}.{environment}"),
    }
}
