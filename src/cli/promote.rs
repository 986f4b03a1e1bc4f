//! `medc promote staging -t prod`: what passed in one environment comes to another, and the registry says since when.
//!
//! In: two environments. Out: the target applied from the same commit, and a row a dataset in its registry. Refused is what has
//! not passed in the source: a work tree that is no commit, tables that were not built from this code, expectations that
//! block and do not hold. The gate looks at tables and their ledger, never at what a pipeline claims.

use std::collections::BTreeMap;
use std::path::Path;

use super::arguments::{Apply, Promote};
use super::progress::{Board, Telling};
use super::stages::{self, Loaded, Session};
use super::{Done, Failure, Outcome, apply};
use crate::diagnostic::{Diagnostic, Diagnostics, code};
use crate::engines::local::{self, history};
use crate::plan::Options;
use crate::resolve::Place;
use crate::state;

mod workspace;

/// So many tables are named in a refusal.
const MOST_NAMED: usize = 5;

/// Promotes.
pub(super) fn run(options: &Promote, session: &mut Session) -> Outcome {
    let target = session.load()?;
    let name = target.resolved.environment.name.clone();
    if crate::name::same(&name, &options.from) {
        return Err(Failure::asked(
            format!("`{name}` cannot be promoted to itself"),
            Some("name the target with `-t`, e.g. `medc promote staging -t prod`".to_owned()),
        ));
    }
    let source = session.load_in(&options.from)?;
    let refusals = gate(&source, session);
    if !refusals.is_empty() {
        for refusal in refusals {
            session.diagnostics.error(refusal);
        }
        return Err(Failure::Reported);
    }
    let is_local = matches!(target.resolved.environment.place, Place::Local { .. });
    session.global.target = Some(name);
    let done = apply::run(&Apply::of_promotion(options.yes), session)?;
    if done != Done::Well || !is_local {
        return Ok(done);
    }
    register(&target, &source.resolved.environment.name, session)
}

fn register(target: &Loaded, from: &str, session: &mut Session) -> Outcome {
    let settings = apply::settings(target, session);
    let state = state::read(&target.checked, &target.warehouse(), &mut session.diagnostics)?;
    let names = target.checked.graph.nodes.keys().map(ToString::to_string).collect();
    let board = Board::new(names, session.console.clone(), Telling::Rows);
    match local::promote(&target.checked, &state, &settings, from, &board) {
        Ok(n_datasets) => {
            let n = super::ui::count(n_datasets as u64, "dataset");
            let to = &target.resolved.environment.name;
            session.console.data(&format!("Promoted from {from} to {to}: {n} registered.\n"))?;
            Ok(Done::Well)
        }
        Err(diagnostic) => {
            session.diagnostics.error(*diagnostic);
            Err(Failure::Reported)
        }
    }
}

/// Why the environment has not passed; nothing where it has.
pub(super) fn gate(source: &Loaded, session: &mut Session) -> Vec<Diagnostic> {
    let mut refusals = of_code(&source.resolved.project_dir, session.git_sha.as_deref());
    if matches!(source.resolved.environment.place, Place::Databricks(_)) {
        if let (true, Some(git_sha)) = (refusals.is_empty(), session.git_sha.clone()) {
            refusals.extend(workspace::gate(source, &git_sha, session));
        }
        return refusals;
    }
    refusals.extend(of_tables(source));
    refusals.extend(of_results(source));
    refusals
}

/// The code has to be a commit, and all of it.
fn of_code(folder: &Path, git_sha: Option<&str>) -> Vec<Diagnostic> {
    if git_sha.is_none() {
        return vec![
            Diagnostic::error(
                code::NOT_PASSED,
                "the project is in no git repository, so that no commit can have passed",
            )
            .help("commit it: the registry says which commit is where"),
        ];
    }
    let git = std::process::Command::new("git")
        .args(["status", "--porcelain", "--", "."])
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .output();
    let Ok(output) = git else { return Vec::new() };
    let text = String::from_utf8_lossy(&output.stdout);
    let changed: Vec<&str> = text.lines().filter_map(|line| line.get(3..)).collect();
    if !output.status.success() || changed.is_empty() {
        return Vec::new();
    }
    let listed = changed.iter().take(MOST_NAMED).map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    vec![
        Diagnostic::error(code::NOT_PASSED, "the work tree is not what is committed")
            .note(format!("changed: {listed}"))
            .help("commit the changes, apply in the source environment, and promote then"),
    ]
}

/// Every table has to be what this code gives.
fn of_tables(source: &Loaded) -> Vec<Diagnostic> {
    let name = &source.resolved.environment.name;
    let mut diagnostics = Diagnostics::new();
    let planned = state::read(&source.checked, &source.warehouse(), &mut diagnostics).and_then(|mut state| {
        // A source that cannot be listed says nothing about the tables.
        let _ = local::list_sources(&source.checked, &source.resolved.project_dir, &mut state);
        crate::plan::plan(&source.checked, &state, &Options::default(), &mut diagnostics)
    });
    let Ok(plan) = planned else {
        return diagnostics
            .iter()
            .filter(|found| found.severity == crate::diagnostic::Severity::Error)
            .cloned()
            .collect();
    };
    if plan.actions.is_empty() {
        return Vec::new();
    }
    let graph = &source.checked.graph;
    let tables = plan.actions.iter().map(|action| format!("`{}`", graph.node(action.node).name));
    let listed = tables.take(MOST_NAMED).collect::<Vec<_>>().join(", ");
    let n_more = plan.actions.len().saturating_sub(MOST_NAMED);
    let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
    vec![
        Diagnostic::error(code::NOT_PASSED, format!("`{name}` is not built from this code and its sources"))
            .note(format!("an apply would change {listed}{more}"))
            .help(format!("`medc apply -t {name}` first; what passes there can be promoted")),
    ]
}

/// The newest results of every table have to hold, but for those that only warn.
fn of_results(source: &Loaded) -> Vec<Diagnostic> {
    let history = match stages::runtime().block_on(history::read(&source.warehouse(), 1)) {
        Ok(history) => history,
        Err(diagnostic) => return vec![diagnostic],
    };
    let graph = &source.checked.graph;
    let mut failed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for verdict in &history.newest {
        let is_declared =
            crate::name::TableName::parse(&verdict.table).is_some_and(|table| graph.find(&table).is_some());
        if is_declared && !verdict.success && verdict.on_violation.as_deref() == Some("fail") {
            failed.entry(&verdict.table).or_default().push(&verdict.label);
        }
    }
    let name = &source.resolved.environment.name;
    let refusal = |(table, labels): (&str, Vec<&str>)| {
        Diagnostic::error(code::NOT_PASSED, format!("`{table}` breaks what it promises in `{name}`"))
            .note(format!("its newest results: {} does not hold", labels.join(", ")))
            .help(format!("correct it, then `medc apply -t {name}` or `medc test -t {name}`"))
    };
    failed.into_iter().map(refusal).collect()
}
