//! `medc apply`: plans, does it, and says what came of it.
//!
//! Finished tables are told of on stderr as they finish; the result is for stdout. Ctrl-C lets running tables stop
//! before they publish, and nothing half-written becomes visible; a second one ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::arguments::{Apply, ResultFormat, Selection, Show};
use super::plan::saved::{self, Saved};
use super::progress::{Board, Telling};
use super::stages::{Loaded, Planned, Session};
use super::ui::{self, Paint, Tone};
use super::{Done, Failure, Outcome as CommandOutcome, deploy, plan as plans, show};
use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::{self, AssertionOutcome, NodeReport, Outcome, RunReport, RunSettings};
use crate::ir::NodeId;
use crate::plan::{Options, Plan};
use crate::resolve::Place;

mod agreement;

use agreement::Asked;

const FORMAT_VERSION: u32 = 1;

/// How long an apply waits for another one on the same warehouse.
const LOCK_WAIT: Duration = Duration::from_mins(10);

const UNLISTED: &str = "its source cannot be listed";

/// Plans and applies.
pub(super) fn run(options: &Apply, session: &mut Session) -> CommandOutcome {
    let started = Instant::now();
    let saved = options.plan.as_deref().map(saved::read).transpose()?;
    if let Some(saved) = &saved {
        for_environment(saved, session)?;
    }
    let loaded = session.load();
    if let Ok(loaded) = &loaded
        && matches!(loaded.resolved.environment.place, Place::Databricks(_))
    {
        return deploy::run(options, session, loaded);
    }
    if options.run.is_some() {
        return Err(Failure::asked("`--run` is for environments on Databricks", Some("remove `--run`".to_owned())));
    }
    let outcome =
        loaded.map_err(Failure::from).and_then(|loaded| plan_and_apply(options, saved.as_ref(), loaded, session));
    let applied = match outcome {
        Ok(applied) => Some(applied),
        Err(Failure::Reported) => None,
        Err(failure) => return Err(failure),
    };
    match options.format {
        ResultFormat::Json => {
            session.findings_were_shown();
            let written = machine(applied.as_ref(), session);
            session.console.data(&format!("{}\n", serde_json::to_string_pretty(&written).expect("plain JSON")))?;
        }
        ResultFormat::Human => {
            session.show_findings()?;
            if let Some(applied) = applied.as_ref().filter(|_| !session.console.is_quiet()) {
                let text = summary(applied, started.elapsed(), session.console.paint_data());
                session.console.data(&format!("{text}\n"))?;
                if let Some(table) = first_quarantine(applied) {
                    session.console.hint(&format!("`medc show {table}_quarantine` shows rows that were set aside"))?;
                }
            }
        }
    }
    let is_well = applied.is_some() && session.diagnostics.n_errors() == 0;
    match &options.show {
        Some(table) if is_well => show::run(&Show::first_rows(table), session),
        Some(_) | None => Ok(if is_well { Done::Well } else { Done::Unwell }),
    }
}

/// What a run did.
struct Applied {
    loaded: Loaded,
    planned: Planned,
    settings: RunSettings,
    report: RunReport,
}

/// A saved plan is of one environment.
fn for_environment(saved: &Saved, session: &mut Session) -> Result<(), Failure> {
    match &session.global.target {
        Some(asked) if !crate::name::same(asked, &saved.environment) => Err(Failure::asked(
            format!("the plan is for the environment `{}`, and `-t {asked}` asks for another", saved.environment),
            Some("leave `-t` out".to_owned()),
        )),
        Some(_) => Ok(()),
        None => {
            session.global.target = Some(saved.environment.clone());
            Ok(())
        }
    }
}

fn plan_and_apply(
    options: &Apply,
    saved: Option<&Saved>,
    loaded: Loaded,
    session: &mut Session,
) -> Result<Applied, Failure> {
    let (selection, may_destroy) = match saved {
        Some(saved) => {
            let selection = Selection { select: saved.select.clone(), full_refresh: saved.full_refresh };
            (selection, saved.allow_destructive)
        }
        None => (options.selection.clone(), options.allow_destructive),
    };
    let planning = plans::asked(&loaded, &selection, may_destroy)?;
    let planned = session.plan(&loaded, &planning)?;
    let asked = Asked { options, saved, may_destroy };
    agreement::seek(&asked, &loaded, &planned, session)?;
    let mut settings = settings(&loaded, session);
    if let Some(seconds) = options.lock_wait {
        settings.lock_wait = Duration::from_secs(seconds);
    }
    let graph = &loaded.checked.graph;
    let board =
        Board::new(graph.nodes.keys().map(ToString::to_string).collect(), session.console.clone(), Telling::Rows);
    if !planned.plan.is_empty() {
        end_on_interrupt(Arc::clone(&settings.cancelled));
    }
    let (planned, report) = hold_and_apply(&asked, planned, &planning, &loaded, &settings, &board, session)?;
    for &node in &planned.unlisted {
        board.failed(node, UNLISTED);
    }
    for (&node, &source) in &planned.blocked {
        board.skipped(node, &format!("{} failed", graph.node(source).name));
    }
    for node in &report.nodes {
        if let Outcome::Failed { diagnostics } = &node.outcome {
            for diagnostic in diagnostics {
                session.diagnostics.error(diagnostic.clone());
            }
        }
        // On the console each is a line below its table already.
        let is_told =
            |warning: &&Diagnostic| options.format == ResultFormat::Json || warning.code != code::EXPECTATION_WARNED;
        for warning in node.warnings.iter().filter(is_told) {
            session.diagnostics.warn(warning.clone());
        }
    }
    for diagnostic in &report.diagnostics {
        session.diagnostics.error(diagnostic.clone());
    }
    Ok(Applied { loaded, planned, settings, report })
}

/// Applies what is still to be done once the warehouse is held: another apply may have been at work since the plan was made.
fn hold_and_apply(
    asked: &Asked<'_>,
    planned: Planned,
    planning: &Options,
    loaded: &Loaded,
    settings: &RunSettings,
    board: &Board,
    session: &mut Session,
) -> Result<(Planned, RunReport), Failure> {
    let is_idle = planned.plan.is_empty();
    if is_idle && !local::has_died(settings) {
        return Ok((planned, RunReport::default()));
    }
    let held = match local::hold(settings, board) {
        Ok(held) => held,
        // Without actions only the ledger would have been completed.
        Err(_) if is_idle => return Ok((planned, RunReport::default())),
        Err(diagnostic) => {
            return Ok((planned, RunReport { diagnostics: vec![*diagnostic], ..RunReport::default() }));
        }
    };
    let planned = if planned.has_moved(loaded) {
        let planned = session.plan(loaded, planning)?;
        agreement::seek(asked, loaded, &planned, session)?;
        planned
    } else {
        planned
    };
    if !is_idle && planned.plan.is_empty() {
        session.console.say("another apply did meanwhile what was to be done")?;
    }
    let report = local::apply(&loaded.checked, &planned.plan, &planned.state, settings, board, &held);
    Ok((planned, report))
}

/// What a run on this machine is given.
pub(super) fn settings(loaded: &Loaded, session: &Session) -> RunSettings {
    let started_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    RunSettings {
        warehouse: loaded.warehouse(),
        project_dir: loaded.resolved.project_dir.clone(),
        run_id: uuid::Uuid::now_v7().to_string(),
        started_at: i64::try_from(started_at.as_micros()).unwrap_or(i64::MAX),
        git_sha: session.git_sha.clone(),
        environment: loaded.resolved.environment.name.clone(),
        project: loaded.resolved.project.name.clone(),
        memory_bytes: local::default_memory_bytes(),
        n_threads: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        lock_wait: LOCK_WAIT,
        cancelled: Arc::new(AtomicBool::new(false)),
    }
}

/// Sets the flag on the first Ctrl-C and ends the process on the second. Without a thread for it, Ctrl-C ends at once.
pub(super) fn end_on_interrupt(cancelled: Arc<AtomicBool>) {
    let listen = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if cancelled.swap(true, Ordering::Relaxed) {
                    #[expect(clippy::exit, reason = "asked for twice; what is staged is swept by the next run")]
                    std::process::exit(130);
                }
                ui::complain("stopping; press Ctrl-C again to end at once\n");
            }
        });
    };
    // Detached: it ends with the process.
    drop(std::thread::Builder::new().name("interrupt".to_owned()).spawn(listen));
}

/// One line about the whole, e.g. `Applied in 2.3 s: 3 created, 1 rebuilt, 10 unchanged.`
fn summary(applied: &Applied, elapsed: Duration, paint: Paint) -> String {
    let plan = &applied.planned.plan;
    let (n_failed, n_skipped) = count_unwell(applied);
    if plan.is_empty() && n_failed + n_skipped == 0 {
        return plans::no_changes(plan);
    }
    let mut parts = plans::done(plan, |node| is_done(&applied.report, node));
    if !applied.report.dropped.is_empty() {
        parts.push(format!("{} dropped", ui::grouped(applied.report.dropped.len() as u64)));
    }
    if n_failed > 0 {
        parts.push(paint.tone(Tone::Bad, &format!("{} failed", ui::grouped(n_failed))));
    }
    if n_skipped > 0 {
        parts.push(format!("{} skipped", ui::grouped(n_skipped)));
    }
    if !plan.unchanged.is_empty() {
        parts.push(format!("{} unchanged", ui::grouped(plan.unchanged.len() as u64)));
    }
    format!("Applied in {}: {}.", ui::seconds(elapsed), parts.join(", "))
}

fn first_quarantine(applied: &Applied) -> Option<String> {
    let set_aside = |node: &&NodeReport| matches!(node.outcome, Outcome::Done { n_quarantined: 1.., .. });
    let node = applied.report.nodes.iter().find(set_aside)?;
    Some(applied.loaded.checked.graph.node(node.node).name.to_string())
}

fn is_done(report: &RunReport, node: NodeId) -> bool {
    report.nodes.iter().any(|report| report.node == node && matches!(report.outcome, Outcome::Done { .. }))
}

fn count_unwell(applied: &Applied) -> (u64, u64) {
    let mut n_failed = applied.planned.unlisted.len() as u64;
    let mut n_skipped = applied.planned.blocked.len() as u64;
    for node in &applied.report.nodes {
        match node.outcome {
            Outcome::Done { .. } => {}
            Outcome::Skipped { .. } => n_skipped += 1,
            Outcome::Failed { .. } => n_failed += 1,
        }
    }
    (n_failed, n_skipped)
}

/// The run for machines. Without one, only why.
fn machine(applied: Option<&Applied>, session: &Session) -> Value {
    let diagnostics = session.findings();
    let Some(Applied { loaded, planned, settings, report }) = applied else {
        return json!({ "format_version": FORMAT_VERSION, "diagnostics": diagnostics });
    };
    let graph = &loaded.checked.graph;
    let table = |id: NodeId| graph.node(id).name.to_string();
    let mut tables: Vec<Value> = report.nodes.iter().map(|node| node_value(node, &planned.plan, &table)).collect();
    tables.extend(planned.unlisted.iter().map(|id| json!({ "table": table(*id), "status": "failed" })));
    let skipped = planned.blocked.iter();
    tables.extend(
        skipped.map(|(id, source)| json!({ "table": table(*id), "status": "skipped", "because": table(*source) })),
    );
    json!({
        "format_version": FORMAT_VERSION,
        "environment": settings.environment,
        "run_id": settings.run_id,
        "tables": tables,
        "dropped": report.dropped.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "unchanged": planned.plan.unchanged.iter().map(|id| table(*id)).collect::<Vec<_>>(),
        "diagnostics": diagnostics,
    })
}

fn node_value(node: &NodeReport, plan: &Plan, table: &dyn Fn(NodeId) -> String) -> Value {
    let change = plan.actions.iter().find(|action| action.node == node.node).map(|action| action.change.word());
    let mut written = json!({
        "table": table(node.node),
        "change": change,
        "duration_s": (node.duration.as_secs_f64() * 1000.0).round() / 1000.0,
        "expectations": node.assertions.iter().map(expectation_value).collect::<Vec<_>>(),
    });
    let outcome = match &node.outcome {
        Outcome::Done { n_rows, version, n_quarantined, n_dropped } => json!({
            "status": "done",
            "n_rows": n_rows,
            "version": version,
            "n_quarantined": n_quarantined,
            "n_dropped": n_dropped,
        }),
        Outcome::Skipped { because } => json!({ "status": "skipped", "because": table(*because) }),
        Outcome::Failed { .. } => json!({ "status": "failed" }),
    };
    if let (Some(members), Value::Object(outcome)) = (written.as_object_mut(), outcome) {
        members.extend(outcome);
    }
    written
}

pub(super) fn expectation_value(outcome: &AssertionOutcome) -> Value {
    json!({
        "kind": outcome.kind,
        "label": outcome.label,
        "columns": outcome.columns,
        "dimension": outcome.dimension,
        "on_violation": outcome.on_violation,
        "severity": outcome.severity,
        "mostly": outcome.mostly,
        "n_rows": outcome.n_rows,
        "n_considered": outcome.n_considered,
        "n_violating": outcome.n_violating,
        "observed": outcome.observed,
        "success": outcome.success,
        "duration_s": (outcome.duration.as_secs_f64() * 1000.0).round() / 1000.0,
    })
}
