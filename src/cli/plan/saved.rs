//! A plan in a file: `medc plan --out plan.json`, and `medc apply plan.json`.
//!
//! In and out: the plan as machines read it, with what it is based on: the definitions, the tables' versions and the sources'
//! files that it saw. Applying plans anew and refuses when any of these is another by now, so that what is done is what the
//! file shows.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Shown, machine};
use crate::cli::stages::{Loaded, Planned, Session};
use crate::cli::{Failure, arguments};
use crate::diagnostic::{Diagnostic, Reported, code};
use crate::plan::{Plan, fingerprints, source_stamp, stored_inputs};

/// So many differences are told; the others are counted.
const MOST_TOLD: usize = 5;

/// What of the file is read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Saved {
    pub(in crate::cli) project: String,
    pub(in crate::cli) environment: String,
    medc_version: String,
    pub(in crate::cli) select: Vec<String>,
    pub(in crate::cli) full_refresh: bool,
    pub(in crate::cli) allow_destructive: bool,
    basis: Basis,
}

/// What a plan was made from; keys are tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Basis {
    /// Fingerprints of the selected tables.
    definitions: BTreeMap<String, String>,
    /// Versions of these and of what they read; none for a table that is not there.
    versions: BTreeMap<String, Option<i64>>,
    /// Hashes of the files of their sources.
    sources: BTreeMap<String, String>,
    /// What is done, in order.
    actions: Vec<(String, String)>,
}

/// Writes the plan to a file.
pub(super) fn write(file: &Path, shown: &Shown, options: &arguments::Plan, session: &Session) -> Result<(), Failure> {
    let saved = Saved {
        project: shown.loaded.resolved.project.name.clone(),
        environment: shown.loaded.resolved.environment.name.clone(),
        medc_version: env!("CARGO_PKG_VERSION").to_owned(),
        select: options.selection.select.clone(),
        full_refresh: options.selection.full_refresh,
        allow_destructive: options.allow_destructive,
        basis: Basis::of(&shown.loaded, &shown.planned),
    };
    let mut written = machine::plan(Some(shown), &session.findings());
    if let Some(members) = written.as_object_mut() {
        members.insert("saved".to_owned(), serde_json::to_value(&saved).expect("plain JSON"));
    }
    let text = format!("{}\n", serde_json::to_string_pretty(&written).expect("plain JSON"));
    std::fs::write(file, text)
        .map_err(|error| Failure::Stopped { message: format!("`{}` cannot be written: {error}", file.display()) })
}

/// Reads a file that `plan --out` wrote.
pub(in crate::cli) fn read(file: &Path) -> Result<Saved, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::asked(format!("the plan `{shown}` cannot be read: {error}"), None))?;
    let no_plan = || {
        let help = "write one with `medc plan --out plan.json`";
        Failure::asked(format!("`{shown}` is no plan that `medc plan --out` wrote"), Some(help.to_owned()))
    };
    let mut value: Value = serde_json::from_str(&text).map_err(|_| no_plan())?;
    serde_json::from_value(value["saved"].take()).map_err(|_| no_plan())
}

/// Makes sure that a plan made now is the saved one.
///
/// # Errors
/// `run::stale-plan` with what moved.
pub(in crate::cli) fn hold(
    saved: &Saved,
    loaded: &Loaded,
    planned: &Planned,
    session: &mut Session,
) -> Result<(), Reported> {
    let mut moved = Vec::new();
    let project = &loaded.resolved.project.name;
    if saved.project == *project {
        saved.basis.differences(&Basis::of(loaded, planned), &mut moved);
    } else {
        moved.push(format!("it is of the project `{}`, and this is `{project}`", saved.project));
    }
    if moved.is_empty() {
        return Ok(());
    }
    let n_more = moved.len().saturating_sub(MOST_TOLD);
    moved.truncate(MOST_TOLD);
    if n_more > 0 {
        moved.push(format!("and {n_more} more"));
    }
    if saved.medc_version != env!("CARGO_PKG_VERSION") {
        moved.push(format!("it was made by medc {}", saved.medc_version));
    }
    Err(session.diagnostics.error(
        Diagnostic::error(code::STALE_PLAN, "the plan is no longer true, and nothing was changed")
            .note(moved.join("; "))
            .help("plan again, with the same `--var` if there were any: `medc plan --out FILE`"),
    ))
}

impl Basis {
    fn of(loaded: &Loaded, planned: &Planned) -> Self {
        let graph = &loaded.checked.graph;
        let fingerprints = fingerprints(graph);
        let mut basis = Basis { actions: actions(loaded, &planned.plan), ..Basis::default() };
        for &id in &planned.selected {
            let name = &graph.node(id).name;
            basis.definitions.insert(name.to_string(), fingerprints[id.index()].clone());
            for read in std::iter::once(id).chain(stored_inputs(graph, id)) {
                let read = &graph.node(read).name;
                let version = planned.state.tables.get(read).map(|table| table.version);
                basis.versions.insert(read.to_string(), version);
            }
            if let Some(files) = planned.state.sources.get(name) {
                basis.sources.insert(name.to_string(), source_stamp(files));
            }
        }
        for orphan in &planned.plan.drops {
            basis.versions.insert(orphan.table.to_string(), Some(orphan.version));
        }
        basis
    }

    /// What is otherwise now, in words.
    fn differences(&self, now: &Basis, moved: &mut Vec<String>) {
        for table in differing(&self.definitions, &now.definitions) {
            moved.push(match (self.definitions.get(table), now.definitions.get(table)) {
                (Some(_), Some(_)) => format!("the definition of `{table}` changed"),
                (None, _) => format!("`{table}` is new"),
                (_, None) => format!("`{table}` is not planned any more"),
            });
        }
        for table in differing(&self.versions, &now.versions) {
            let version = |versions: &BTreeMap<String, Option<i64>>| {
                versions.get(table).copied().flatten().map_or("none".to_owned(), |version| version.to_string())
            };
            let (before, after) = (version(&self.versions), version(&now.versions));
            if before != after {
                moved.push(format!("`{table}` was at version {before} and is at {after}"));
            }
        }
        for table in differing(&self.sources, &now.sources) {
            moved.push(format!("the source files of `{table}` changed"));
        }
        if moved.is_empty() && self.actions != now.actions {
            moved.push("other changes would be made".to_owned());
        }
    }
}

fn differing<'a, T: PartialEq>(
    before: &'a BTreeMap<String, T>,
    now: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = &'a String> {
    let new = now.keys().filter(|key| !before.contains_key(*key));
    before.iter().filter(|(key, value)| now.get(*key) != Some(value)).map(|(key, _)| key).chain(new)
}

fn actions(loaded: &Loaded, plan: &Plan) -> Vec<(String, String)> {
    let graph = &loaded.checked.graph;
    let of_action =
        |action: &crate::plan::Action| (graph.node(action.node).name.to_string(), action.change.word().to_owned());
    let drops = plan.drops.iter().map(|orphan| (orphan.table.to_string(), "drop".to_owned()));
    plan.actions.iter().map(of_action).chain(drops).collect()
}
