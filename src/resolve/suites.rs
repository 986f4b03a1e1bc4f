//! Great Expectations suites, where tables or checkpoints name them.
//!
//! In: the tables, and the project's `checkpoints`. Each suite's file is read once; each table gets the expectations of its
//! suites in the order in which they are named, its own before those of checkpoints, and a suite once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value;

use super::interpolate::{self, Scope};
use super::{Origin, Table, typed};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::exchange::great_expectations::{self, Binding};
use crate::ir::OnViolation;
use crate::name::{self, TableName};
use crate::project::{self, Declared, shown_path};
use crate::source::{self, Document, Files, Sources};
use crate::spec;

/// A suite for a table.
struct Use<'a> {
    table: TableName,
    /// Relative to the project's folder.
    path: String,
    /// Where the suite is named.
    site: Site,
    on_violation: Option<OnViolation>,
    order_by: &'a [String],
    parameters: &'a IndexMap<String, Value>,
}

/// Reads all suites into the tables.
///
/// # Errors
/// `source::*` for files, and what reading checkpoints and suites reports; all of them are in `diagnostics`.
pub(super) fn read(
    tables: &mut IndexMap<TableName, Table>,
    checkpoints: Option<Declared>,
    scope: &Scope<'_>,
    dir: &Path,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) {
    let names: Vec<TableName> = tables.keys().cloned().collect();
    let bound = checkpoints.and_then(|declared| bind(declared, &names, scope, dir, files, sources, diagnostics).ok());
    let mut imported: BTreeMap<TableName, Vec<crate::exchange::Imported>> = BTreeMap::new();
    let uses = of_tables(tables).chain(bound.iter().flat_map(Bound::uses));
    let mut read_before = BTreeSet::new();
    let mut documents: BTreeMap<String, Option<Document>> = BTreeMap::new();
    for one in uses {
        if !read_before.insert((one.table.clone(), one.path.clone())) {
            continue;
        }
        let document = documents
            .entry(one.path.clone())
            .or_insert_with(|| open(&one.path, &one.site, dir, files, sources, diagnostics).ok());
        let Some(document) = document else { continue };
        let binding = Binding {
            table: &one.table,
            tables: &names,
            on_violation: one.on_violation,
            order_by: one.order_by,
            parameters: one.parameters,
            variables: &scope.variables,
        };
        if let Ok(read) = great_expectations::suite(document, &binding, diagnostics) {
            imported.entry(one.table).or_default().extend(read);
        }
    }
    for (name, expectations) in imported {
        if let Some(table) = tables.get_mut(&name) {
            table.imported = expectations;
        }
    }
}

fn of_tables(tables: &IndexMap<TableName, Table>) -> impl Iterator<Item = Use<'_>> {
    tables.iter().flat_map(|(name, table)| {
        let suites = table.entity.spec.expectations.iter().flat_map(spec::Suites::uses);
        suites.map(move |(pointer, suite)| Use {
            table: name.clone(),
            path: suite.suite.clone(),
            site: table.entity.origin.site(&format!("/expectations{pointer}/suite")),
            on_violation: suite.on_violation,
            order_by: &suite.order_by,
            parameters: &suite.parameters,
        })
    })
}

/// What the checkpoints bind.
struct Bound {
    spec: spec::Checkpoints,
    validations: Vec<great_expectations::Validation>,
}

impl Bound {
    fn uses(&self) -> impl Iterator<Item = Use<'_>> {
        let folder = self.spec.suites.trim_end_matches('/');
        self.validations.iter().map(move |validation| Use {
            table: validation.table.clone(),
            // A suite's name may have dots, which the library turns into folders.
            path: format!("{folder}/{}.json", validation.suite.replace('.', "/")),
            site: validation.suite_site.clone(),
            on_violation: self.spec.on_violation,
            order_by: &[],
            parameters: &self.spec.parameters,
        })
    }
}

fn bind(
    declared: Declared,
    tables: &[TableName],
    scope: &Scope<'_>,
    dir: &Path,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Bound, Reported> {
    let Declared { mut value, site } = declared;
    let origin = Origin::new(site);
    interpolate::value(&mut value, scope, &|pointer| origin.site(pointer), diagnostics)?;
    let spec: spec::Checkpoints = typed(&value, &origin.site, diagnostics)?;
    let mut validations = Vec::new();
    for path in project::matching(files, dir, &spec.include, &origin.site("/include"), diagnostics) {
        let shown = shown_path(dir, &path);
        let read = source::read(files, &path, &shown, sources, diagnostics)
            .and_then(|document| great_expectations::checkpoint(&document, tables, diagnostics));
        validations.extend(read.into_iter().flatten());
    }
    Ok(Bound { spec, validations })
}

fn open(
    path: &str,
    site: &Site,
    dir: &Path,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Document, Reported> {
    let full = dir.join(path);
    if !full.is_file() && files.read(&full).is_err() {
        return Err(diagnostics.error(missing(path, dir, files).at(site.clone(), "no such file")));
    }
    source::read(files, &full, path, sources, diagnostics)
}

fn missing(path: &str, dir: &Path, files: &dyn Files) -> Diagnostic {
    let found = Diagnostic::error(code::UNREADABLE, format!("`{path}` cannot be read: there is no such file"));
    let listed = files.list(dir).unwrap_or_default();
    let suites: Vec<String> = listed
        .iter()
        .map(|file| shown_path(dir, file))
        .filter(|file| Path::new(file).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")))
        .collect();
    match name::nearest(path, suites.iter().map(String::as_str)) {
        Some(near) => found.help(format!("did you mean `{near}`?")),
        None => found.help("correct the path; it is relative to the project's folder"),
    }
}
