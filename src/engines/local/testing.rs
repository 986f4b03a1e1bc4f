//! Tables tested as they are: expectations against the rows that readers see, without computing anything anew.
//!
//! In: tables of a checked project. Out: a [`NodeReport`] each, and a row per expectation in `quality.results`. No table is
//! changed. What `apply` would drop or quarantine stands in a table only when the expectation is newer than the rows; it
//! fails here like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use deltalake::datafusion::common::{DFSchema, DataFusionError, Result as DataFusionResult};
use deltalake::datafusion::physical_plan::ExecutionPlanProperties;
use deltalake::datafusion::prelude::SessionContext;
use futures::StreamExt;

use crate::check::privacy::private_columns;
use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::assertions::keys::HASH;
use crate::engines::local::assertions::rows::{self, Around};
use crate::engines::local::assertions::{self, Outcome as AssertionOutcome, known};
use crate::engines::local::relation::{self, Building};
use crate::engines::local::staged::streamed::Totals;
use crate::engines::local::staged::{self, Passed};
use crate::engines::local::table;
use crate::engines::local::{NodeReport, Outcome, Progress, Run, RunReport, RunSettings, failure, ledger, lock};
use crate::ir::{NodeId, OnViolation, WriteMode};
use crate::sql::{session, types};
use crate::state::State;

/// Tests tables of the warehouse one after the other.
pub fn test(
    checked: &crate::check::Checked,
    nodes: &BTreeSet<NodeId>,
    settings: &RunSettings,
    progress: &dyn Progress,
) -> RunReport {
    let state = State::default();
    let held = match lock::hold(settings, progress) {
        Ok(held) => held,
        Err(diagnostic) => return RunReport { diagnostics: vec![*diagnostic], ..RunReport::default() },
    };
    super::with_engine(checked, &state, settings, progress, &held, async |run| {
        let mut report = RunReport::default();
        for id in run.checked.graph.order.iter().filter(|id| nodes.contains(id)) {
            let node = run.checked.graph.node(*id);
            if node.write.mode == WriteMode::View || node.assertions.is_empty() || run.settings.is_cancelled() {
                continue;
            }
            run.progress.started(*id);
            let tested = test_one(run, *id).await;
            run.progress.finished(&tested);
            report.nodes.push(tested);
        }
        if let Err(diagnostic) = ledger::record_results(run, &report).await {
            report.diagnostics.push(diagnostic);
        }
        report
    })
}

async fn test_one(run: &Run<'_>, id: NodeId) -> NodeReport {
    let begun = Instant::now();
    let node = run.checked.graph.node(id);
    let context = session::context(session::Options {
        target_partitions: Some(run.settings.n_threads),
        runtime: Some(Arc::clone(&run.runtime)),
    });
    let mut report = NodeReport {
        node: id,
        outcome: Outcome::Failed { diagnostics: Vec::new() },
        duration: begun.elapsed(),
        assertions: Vec::new(),
        warnings: Vec::new(),
    };
    let folder = run.settings.warehouse.folder(&node.name);
    report.outcome = match table::open(&folder).await {
        Ok(Some(table)) => match outcomes(run, id, &context, &table).await {
            Ok((n_rows, outcomes)) => {
                report.assertions = outcomes;
                let version = table.version().and_then(|version| i64::try_from(version).ok());
                judge(run, id, n_rows, version, &mut report)
            }
            Err(error) => Outcome::Failed { diagnostics: vec![failure::execution(node, "testing its rows", &error)] },
        },
        Ok(None) => Outcome::Failed { diagnostics: vec![relation::missing(node)] },
        Err(error) => {
            let diagnostic = Diagnostic::error(code::TABLE_BROKEN, format!("the table `{}` cannot be read", node.name))
                .at(node.site.clone().key(), "declared here")
                .note(error.to_string());
            Outcome::Failed { diagnostics: vec![diagnostic] }
        }
    };
    report.duration = begun.elapsed();
    report
}

async fn outcomes(
    run: &Run<'_>,
    id: NodeId,
    context: &SessionContext,
    table: &deltalake::DeltaTable,
) -> DataFusionResult<(u64, Vec<AssertionOutcome>)> {
    let node = run.checked.graph.node(id);
    let folder = run.settings.warehouse.folder(&node.name);
    let readable = table::readable(context, &folder, table).await?;
    let plan = context.read_table(Arc::clone(&readable.provider))?.create_physical_plan().await?;
    let mut building = Building {
        checked: run.checked,
        settings: &run.settings,
        context,
        inputs: BTreeMap::new(),
        n_rows: BTreeMap::new(),
    };
    building.compared(id).await?;
    let bound_bytes = run.settings.memory_bytes / 4;
    let own = DFSchema::try_from(plan.schema())?;
    let around = Around {
        marked: Vec::new(),
        known: known::of_references(context, node, &own, HASH, bound_bytes / 2).await,
        proven: Vec::new(),
        hash: HASH,
        bound_bytes: bound_bytes / 2,
    };
    let tests = Arc::new(rows::compile(&context.state(), node, &plan.schema(), &around, None)?);
    let mut n_rows = 0;
    let mut tasks = tokio::task::JoinSet::new();
    for partition in 0..plan.output_partitioning().partition_count() {
        let mut batches = plan.execute(partition, context.task_ctx())?;
        let (tests, cancelled) = (Arc::clone(&tests), Arc::clone(&run.settings.cancelled));
        tasks.spawn(async move {
            let mut n_rows = 0;
            while let Some(batch) = batches.next().await {
                if cancelled.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let batch = batch?;
                n_rows += batch.num_rows() as u64;
                tests.check(batch)?;
            }
            DataFusionResult::<u64>::Ok(n_rows)
        });
    }
    for tested in tasks.join_all().await {
        n_rows += tested?;
    }
    let mut outcomes: BTreeMap<usize, AssertionOutcome> = tests.outcomes().into_iter().collect();
    let columns = types::from_arrow_schema(&readable.provider.schema()).map_err(DataFusionError::Plan)?;
    let columns = run.checked.typed(id).schema.clone().unwrap_or(columns);
    let staged = staged::stored(context, readable.provider, n_rows, bound_bytes)?;
    let passed = Passed { keyed: tests.keyed(run.settings.n_threads).await?, totals: Totals::new() };
    staged.judge(node, &columns, |_| false, &passed, &mut outcomes).await?;
    let private = private_columns(run.checked, id);
    let mut outcomes: Vec<AssertionOutcome> = outcomes.into_values().collect();
    for outcome in &mut outcomes {
        assertions::hide(outcome, &private);
    }
    Ok((n_rows, outcomes))
}

/// What the outcomes of a table come to.
fn judge(run: &Run<'_>, id: NodeId, n_rows: u64, version: Option<i64>, report: &mut NodeReport) -> Outcome {
    let node = run.checked.graph.node(id);
    let mut failures = Vec::new();
    for outcome in report.assertions.iter().filter(|outcome| !outcome.success) {
        let site = node.assertions.iter().find(|assertion| assertion.label == outcome.label);
        let site = site.map_or_else(|| node.site.clone().key(), |assertion| assertion.site.clone());
        let message = format!("`{}` does not hold in `{}`", outcome.label, node.name);
        if outcome.on_violation == OnViolation::Warn {
            report.warnings.push(Diagnostic::warning(code::EXPECTATION_WARNED, message).at(site, ""));
        } else {
            failures.push(
                Diagnostic::error(code::EXPECTATION_FAILED, message)
                    .at(site, "")
                    .note(outcome.found())
                    .help("correct the rows or the expectation, then apply again"),
            );
        }
    }
    if failures.is_empty() {
        Outcome::Done { n_rows, version, n_quarantined: 0, n_dropped: 0 }
    } else {
        Outcome::Failed { diagnostics: failures }
    }
}
