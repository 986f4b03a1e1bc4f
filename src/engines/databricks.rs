//! Stage 8b: the project as a Databricks Asset Bundle (Declarative Automation Bundle), written down and not run.
//!
//! In: the checked project, once per Databricks environment. Out: [`Bundle`], its files as texts. One bundle has a target for
//! each environment. SQL is the author's text with other names for its tables; a notebook for each table declares it, and
//! the package that all notebooks share builds it as the local engine does. The same project gives the same bytes, and
//! nothing here reads or writes a file.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Checked;
use crate::ir::{Node, WriteMode};
use crate::name::TableName;
use crate::resolve::{Databricks, Environment, Place};
use crate::spec;

mod assertions;
mod notebooks;
mod package;
mod python;
mod queries;
mod tables;

/// An environment on Databricks with the project as it is there.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub environment: &'a Environment,
    pub databricks: &'a Databricks,
    pub checked: &'a Checked,
}

impl<'a> Target<'a> {
    /// The target of an environment; `None` for a local one.
    pub fn of(environment: &'a Environment, checked: &'a Checked) -> Option<Self> {
        match &environment.place {
            Place::Databricks(databricks) => Some(Target { environment, databricks, checked }),
            Place::Local { .. } => None,
        }
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
    let by_target: Vec<BTreeMap<String, String>> = targets.iter().map(|target| of_target(target, &package)).collect();
    let paths: BTreeSet<&String> = by_target.iter().flat_map(BTreeMap::keys).collect();
    let mut files = package::files(project, &package, targets);
    for path in paths {
        let texts: BTreeSet<Option<&String>> = by_target.iter().map(|files| files.get(path)).collect();
        if texts.len() == 1 {
            files.insert(path.clone(), by_target[0][path].clone());
            continue;
        }
        // What an environment's variables make different stands once for each.
        for (target, own) in targets.iter().zip(&by_target) {
            if let Some(text) = own.get(path) {
                files.insert(of_environment(path, &target.environment.name), text.clone());
            }
        }
    }
    Bundle { files }
}

/// The files that say what the tables are, as one target has them.
fn of_target(target: &Target<'_>, package: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let graph = &target.checked.graph;
    for &id in &graph.order {
        let node = graph.node(id);
        let query = queries::text(target.checked, id);
        let ddl = tables::create(target.checked, id);
        let unity = tables::unity(node);
        files.insert(
            notebook_path(&node.name),
            notebooks::text(target.checked, id, package, query.is_some(), ddl.is_some()),
        );
        files.extend(query.map(|text| (sql_path(&node.name, "sql"), text)));
        files.extend(ddl.map(|text| (sql_path(&node.name, "table.sql"), text)));
        files.extend(unity.map(|text| (sql_path(&node.name, "unity.sql"), text)));
    }
    files
}

/// The key of a table's task and notebook.
pub fn table_key(table: &TableName) -> String {
    format!("{}_{}", table.layer, table.name)
}

/// The notebook that builds a table, relative to the bundle's folder.
pub fn notebook_path(table: &TableName) -> String {
    format!("src/notebooks/{}.py", table_key(table))
}

/// Whether a table has statements that only Unity Catalog knows.
pub fn has_unity_statements(node: &Node) -> bool {
    node.write.mode != WriteMode::View && tables::unity(node).is_some()
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
