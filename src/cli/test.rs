//! `medc test`: the expectations against the tables as they are.
//!
//! A line per table as it is tested, the expectations that do not hold below it, and one line about the whole. Nothing is
//! computed anew; what was found is added to `quality.results`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::apply;
use super::arguments::{ResultFormat, Test};
use super::progress::{Board, Telling};
use super::stages::{self, Loaded, Session};
use super::ui;
use super::{Done, Failure, Outcome as CommandOutcome};
use crate::engines::local::{self, Outcome, RunReport, RunSettings};
use crate::ir::{NodeId, WriteMode};

const FORMAT_VERSION: u32 = 1;

/// Tests the selected tables.
pub(super) fn run(options: &Test, session: &mut Session) -> CommandOutcome {
    let started = Instant::now();
    let loaded = session.load_here()?;
    let selection = stages::selected(&loaded, &options.select)?;
    let nodes = testable(&loaded, selection);
    if nodes.is_empty() {
        return Err(Failure::asked(
            "no selected table has an expectation",
            Some("add some below `expect`, or select other tables".to_owned()),
        ));
    }
    let settings = apply::settings(&loaded, session);
    let names = loaded.checked.graph.nodes.keys().map(ToString::to_string).collect();
    let board = Board::new(names, session.console.clone(), Telling::Expectations);
    apply::end_on_interrupt(std::sync::Arc::clone(&settings.cancelled));
    let report = local::test(&loaded.checked, &nodes, &settings, &board);
    for node in &report.nodes {
        if let Outcome::Failed { diagnostics } = &node.outcome {
            for diagnostic in diagnostics {
                session.diagnostics.error(diagnostic.clone());
            }
        }
    }
    for diagnostic in &report.diagnostics {
        session.diagnostics.error(diagnostic.clone());
    }
    let is_well = session.diagnostics.n_errors() == 0;
    match options.format {
        ResultFormat::Json => {
            session.findings_were_shown();
            let written = machine(&loaded, &settings, &report, session);
            session.console.data(&format!("{}\n", serde_json::to_string_pretty(&written).expect("plain JSON")))?;
        }
        ResultFormat::Human => {
            session.show_findings()?;
            if !session.console.is_quiet() {
                session.console.data(&format!("{}\n", summary(&report, started.elapsed())))?;
            }
        }
    }
    Ok(if is_well { Done::Well } else { Done::Unwell })
}

fn testable(loaded: &Loaded, selection: Option<BTreeSet<NodeId>>) -> BTreeSet<NodeId> {
    let graph = &loaded.checked.graph;
    let selected = selection.unwrap_or_else(|| graph.order.iter().copied().collect());
    let has_any = |id: &NodeId| {
        let node = graph.node(*id);
        node.write.mode != WriteMode::View && !node.assertions.is_empty()
    };
    selected.into_iter().filter(has_any).collect()
}

/// E.g. `Tested in 0.31 s: 42 expectations of 4 tables, 41 hold, 1 does not.`
fn summary(report: &RunReport, elapsed: Duration) -> String {
    let outcomes = || report.nodes.iter().flat_map(|node| &node.assertions);
    let (n_all, n_holding) = (outcomes().count() as u64, outcomes().filter(|one| one.success).count() as u64);
    let tables = ui::count(report.nodes.len() as u64, "table");
    let expectations = ui::count(n_all, "expectation");
    let verdict = match n_all - n_holding {
        0 => "all hold".to_owned(),
        1 => format!("{} hold, 1 does not", ui::grouped(n_holding)),
        n => format!("{} hold, {} do not", ui::grouped(n_holding), ui::grouped(n)),
    };
    format!("Tested in {}: {expectations} of {tables}, {verdict}.", ui::seconds(elapsed))
}

fn machine(loaded: &Loaded, settings: &RunSettings, report: &RunReport, session: &Session) -> Value {
    let tables = report.nodes.iter().map(|node| {
        json!({
            "table": loaded.checked.graph.node(node.node).name.to_string(),
            "status": if matches!(node.outcome, Outcome::Done { .. }) { "passed" } else { "failed" },
            "duration_s": (node.duration.as_secs_f64() * 1000.0).round() / 1000.0,
            "expectations": node.assertions.iter().map(apply::expectation_value).collect::<Vec<_>>(),
        })
    });
    json!({
        "format_version": FORMAT_VERSION,
        "environment": settings.environment,
        "run_id": settings.run_id,
        "tables": tables.collect::<Vec<_>>(),
        "diagnostics": session.findings(),
    })
}
