//! Stage 8a: carries a plan out on this machine, with DataFusion on Delta tables.
//!
//! In: `Checked`, `Plan`, `State` and the run's settings. Out: [`RunReport`] and the tables. Nodes whose inputs are done run
//! side by side in one memory pool that spills. A node's rows are written to staged files, tested as they stream by, and
//! published by one commit only when no blocking assertion failed: readers never see other rows, a run that is killed
//! leaves files that nobody reads, and the next one removes them. A failed node keeps its old rows and fails only what
//! reads it. One apply at a time works on a warehouse.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deltalake::datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::check::Checked;
use crate::diagnostic::{Diagnostic, code};
use crate::ir::{Body, NodeId};
use crate::name::TableName;
use crate::plan::{Action, Plan};
use crate::state::{State, Warehouse};

mod assertions;
mod cast;
mod compared;
mod contract;
mod damage;
pub mod diff;
mod evolution;
mod failure;
pub mod history;
pub mod ingest;
mod judge;
mod leftovers;
mod ledger;
mod lock;
mod memory;
mod merge;
mod node;
mod observed;
mod operator;
pub mod preview;
pub mod profile;
mod quarantine;
mod relation;
pub mod restore;
mod sieve;
mod source;
mod spool;
mod stage;
mod staged;
mod stats;
mod table;
mod testing;

#[cfg(test)]
mod tests;

pub use assertions::Outcome as AssertionOutcome;
pub use lock::{Held, has_died, hold};
pub use testing::test;

/// How many tables are written side by side.
const N_SIDE_BY_SIDE: usize = 2;

/// What a run is given.
#[derive(Debug, Clone)]
pub struct RunSettings {
    pub warehouse: Warehouse,
    pub project_dir: PathBuf,
    pub run_id: String,
    /// Microseconds since 1970, UTC.
    pub started_at: i64,
    pub git_sha: Option<String>,
    pub environment: String,
    /// The project's name.
    pub project: String,
    /// What operators may hold before they spill.
    pub memory_bytes: usize,
    pub n_threads: usize,
    /// How long to wait for another apply to end.
    pub lock_wait: Duration,
    /// Set to stop the run.
    pub cancelled: Arc<AtomicBool>,
}

impl RunSettings {
    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// Hears of what happens, from any thread.
pub trait Progress: Send + Sync {
    /// Another apply holds the warehouse; this one waits.
    fn waiting(&self, holder: &str);
    fn started(&self, node: NodeId);
    /// So many more rows were computed.
    fn advanced(&self, node: NodeId, n_rows: u64);
    fn finished(&self, report: &NodeReport);
}

/// What became of one action.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeReport {
    pub node: NodeId,
    pub outcome: Outcome,
    pub duration: Duration,
    pub assertions: Vec<AssertionOutcome>,
    /// Findings that stopped nothing.
    pub warnings: Vec<Diagnostic>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Published; `version` is `None` for a view.
    Done { n_rows: u64, version: Option<i64>, n_quarantined: u64, n_dropped: u64 },
    /// Not run, because this input failed.
    Skipped { because: NodeId },
    /// The table is as it was.
    Failed { diagnostics: Vec<Diagnostic> },
}

/// What became of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunReport {
    /// In the plan's order.
    pub nodes: Vec<NodeReport>,
    /// Tables that were dropped, by name.
    pub dropped: Vec<TableName>,
    /// Findings about the run as a whole.
    pub diagnostics: Vec<Diagnostic>,
}

impl RunReport {
    pub fn is_success(&self) -> bool {
        self.diagnostics.is_empty() && self.nodes.iter().all(|node| matches!(node.outcome, Outcome::Done { .. }))
    }
}

/// Lists what every ingesting node's source has now, into `state.sources`.
///
/// # Errors
/// What cannot be listed, each with its place.
pub fn list_sources(
    checked: &Checked,
    project_dir: &std::path::Path,
    state: &mut State,
) -> Result<(), Vec<Diagnostic>> {
    let mut failures = Vec::new();
    for node in checked.graph.nodes.values() {
        if let Body::Ingest(ingest) = &node.body {
            match ingest::list(ingest, project_dir) {
                Ok(files) => {
                    state.sources.insert(node.name.clone(), files);
                }
                Err(diagnostic) => failures.push(*diagnostic),
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// A budget for this machine: 60% of its memory, at most 2 GB.
pub fn default_memory_bytes() -> usize {
    let total_kb = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        })
        .unwrap_or(4_usize << 20);
    (total_kb / 10 * 6 * 1024).min(2000 << 20)
}

/// What every node of a run shares.
struct Run<'a> {
    checked: &'a Checked,
    state: &'a State,
    settings: RunSettings,
    runtime: Arc<RuntimeEnv>,
    progress: &'a dyn Progress,
}

/// Carries out a plan that was made while the warehouse was held, and completes the ledger of a run that died. Without
/// either nothing is touched.
pub fn apply(
    checked: &Checked,
    plan: &Plan,
    state: &State,
    settings: &RunSettings,
    progress: &dyn Progress,
    held: &Held,
) -> RunReport {
    if plan.is_empty() && held.died.is_empty() {
        return RunReport::default();
    }
    with_engine(checked, state, settings, progress, held, async |run| {
        let mut report = RunReport::default();
        if !held.died.is_empty() {
            leftovers::sweep_all(&held.root, &run.settings.run_id).await;
        }
        for died in &held.died {
            if let Err(diagnostic) = ledger::complete(run, died).await {
                report.diagnostics.push(diagnostic);
            }
        }
        held.is_settled.store(true, Ordering::Relaxed);
        if plan.is_empty() {
            return report;
        }
        report.nodes = run_all(run, plan).await;
        drop_all(run, plan, &mut report);
        if run.settings.is_cancelled() {
            report.diagnostics.push(
                Diagnostic::error(code::INTERRUPTED, "the run was stopped")
                    .note("tables that were not finished keep their old rows")
                    .help("apply again to go on"),
            );
        }
        if let Err(diagnostic) = ledger::record(run, &report).await {
            report.diagnostics.push(diagnostic);
        }
        report
    })
}

/// Records in the registry that the datasets of this environment came from another one; gives how many.
///
/// # Errors
/// What keeps the warehouse from being held or written.
pub fn promote(
    checked: &Checked,
    state: &State,
    settings: &RunSettings,
    from: &str,
    progress: &dyn Progress,
) -> Result<usize, Box<Diagnostic>> {
    let held = hold(settings, progress)?;
    let mut n_datasets = 0;
    let report = with_engine(checked, state, settings, progress, &held, async |run| {
        let mut report = RunReport::default();
        match ledger::promote(run, from).await {
            Ok(n) => n_datasets = n,
            Err(diagnostic) => report.diagnostics.push(diagnostic),
        }
        report
    });
    match report.diagnostics.into_iter().next() {
        None => Ok(n_datasets),
        Some(diagnostic) => Err(Box::new(diagnostic)),
    }
}

/// Works on a warehouse alone, with threads and memory of its own.
fn with_engine(
    checked: &Checked,
    state: &State,
    settings: &RunSettings,
    progress: &dyn Progress,
    held: &Held,
    work: impl AsyncFnOnce(&Run<'_>) -> RunReport,
) -> RunReport {
    let failed = |diagnostic| RunReport { diagnostics: vec![diagnostic], ..RunReport::default() };
    let mut settings = settings.clone();
    settings.warehouse.root.clone_from(&held.root);
    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(settings.n_threads.max(1)).enable_all().build();
    let threads = match threads {
        Ok(threads) => threads,
        Err(error) => return failed(failure::io("starting threads", &error)),
    };
    let runtime =
        RuntimeEnvBuilder::new().with_memory_pool(Arc::new(memory::Budget::new(settings.memory_bytes))).build_arc();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            return failed(Diagnostic::error(code::WAREHOUSE, "the engine cannot start").note(error.to_string()));
        }
    };
    let run = Run { checked, state, settings, runtime, progress };
    threads.block_on(work(&run))
}

/// Runs every action once its inputs' actions are done.
async fn run_all(run: &Run<'_>, plan: &Plan) -> Vec<NodeReport> {
    let planned: BTreeMap<NodeId, &Action> = plan.actions.iter().map(|action| (action.node, action)).collect();
    let mut waiting: Vec<&Action> = plan.actions.iter().collect();
    let mut done: BTreeMap<NodeId, NodeReport> = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    loop {
        let mut still_waiting = Vec::new();
        for action in waiting {
            let inputs = upstream(run.checked, action.node);
            let failed = inputs
                .iter()
                .find(|input| done.get(input).is_some_and(|report| !matches!(report.outcome, Outcome::Done { .. })));
            if let Some(&because) = failed {
                let report = skipped(action.node, because);
                run.progress.finished(&report);
                done.insert(action.node, report);
            } else if running.len() < N_SIDE_BY_SIDE
                && inputs.iter().all(|input| done.contains_key(input) || !planned.contains_key(input))
            {
                run.progress.started(action.node);
                running.push(node::run(run, action));
            } else {
                still_waiting.push(action);
            }
        }
        waiting = still_waiting;
        match running.next().await {
            Some(report) => {
                run.progress.finished(&report);
                done.insert(report.node, report);
            }
            None if waiting.is_empty() => break,
            // A skipped node may have made others skippable.
            None => {}
        }
    }
    plan.actions.iter().filter_map(|action| done.remove(&action.node)).collect()
}

/// Drops what the plan drops once all else went well. A folder is renamed first, so that no half of a table stays.
fn drop_all(run: &Run<'_>, plan: &Plan, report: &mut RunReport) {
    if run.settings.is_cancelled() || !report.is_success() {
        return;
    }
    for orphan in &plan.drops {
        let folder = run.settings.warehouse.folder(&orphan.table);
        let name = format!(".{}.dropped-{}", orphan.table.name, run.settings.run_id);
        let aside = folder.with_file_name(name);
        match std::fs::rename(&folder, &aside).and_then(|()| std::fs::remove_dir_all(&aside)) {
            Ok(()) => report.dropped.push(orphan.table.clone()),
            Err(error) => {
                let doing = format!("dropping `{}`", orphan.table);
                report.diagnostics.push(failure::io(&doing, &error));
            }
        }
    }
}

/// The nodes that a node reads or is compared with, those behind views included.
fn upstream(checked: &Checked, node: NodeId) -> Vec<NodeId> {
    let mut found = Vec::new();
    let mut open = checked.graph.inputs[node.index()].clone();
    open.extend(&checked.graph.compared[node.index()]);
    while let Some(next) = open.pop() {
        if found.contains(&next) {
            continue;
        }
        found.push(next);
        if checked.graph.node(next).write.mode == crate::ir::WriteMode::View {
            open.extend(&checked.graph.inputs[next.index()]);
        }
    }
    found
}

fn skipped(node: NodeId, because: NodeId) -> NodeReport {
    NodeReport {
        node,
        outcome: Outcome::Skipped { because },
        duration: Duration::ZERO,
        assertions: Vec::new(),
        warnings: Vec::new(),
    }
}
