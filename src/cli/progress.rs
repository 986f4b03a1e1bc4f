//! What `apply` shows while it works: a line per running table on a terminal, a line per finished one everywhere.
//!
//! The engine tells a [`Board`] what begins, grows and ends, from any thread. On a terminal running tables are drawn by
//! indicatif below the finished ones; elsewhere nothing is redrawn, so that logs stay readable.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ui::{self, Console, Paint, Tone};
use crate::engines::local::{AssertionOutcome, NodeReport, Outcome, Progress};
use crate::ir::NodeId;

/// What is told of a table that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// How many rows were written.
    Rows,
    /// How many expectations hold.
    Expectations,
}

/// Shows running and finished tables.
pub(super) struct Board {
    names: Vec<String>,
    console: Console,
    telling: Telling,
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<NodeId, Running>>,
}

struct Running {
    bar: Option<ProgressBar>,
    n_rows: u64,
    started: Instant,
}

impl Board {
    /// `names` are the tables' by `NodeId`.
    pub(super) fn new(names: Vec<String>, console: Console, telling: Telling) -> Self {
        let bars = console.is_lively().then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        Board { names, console, telling, bars, running: Mutex::new(BTreeMap::new()) }
    }

    /// A table that could not even begin.
    pub(super) fn failed(&self, node: NodeId, why: &str) {
        self.write(format!("{} {}  {why}", self.console.paint().tone(Tone::Bad, "✗"), self.name(node)));
    }

    /// A table that was not begun.
    pub(super) fn skipped(&self, node: NodeId, why: &str) {
        self.write(format!("{} {}  skipped: {why}", self.console.paint().tone(Tone::Faint, "-"), self.name(node)));
    }

    /// A console that went away does not stop the work.
    fn write(&self, line: String) {
        let _: io::Result<()> = match &self.bars {
            Some(bars) => bars.println(line),
            None => self.console.say(&line),
        };
    }

    fn name(&self, node: NodeId) -> &str {
        self.names.get(node.index()).map_or("", String::as_str)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<NodeId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Board {
    fn waiting(&self, holder: &str) {
        self.write(format!("waiting for another apply on this warehouse ({holder})"));
    }

    fn started(&self, node: NodeId) {
        let bar = self.bars.as_ref().map(|bars| {
            let style = ProgressStyle::with_template("{spinner} {prefix}  {msg}{elapsed:.dim}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = bars.add(ProgressBar::new_spinner().with_style(style).with_prefix(self.name(node).to_owned()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        self.running().insert(node, Running { bar, n_rows: 0, started: Instant::now() });
    }

    fn advanced(&self, node: NodeId, n_rows: u64) {
        if let Some(running) = self.running().get_mut(&node) {
            running.n_rows += n_rows;
            if let Some(bar) = &running.bar {
                bar.set_message(pace(running.n_rows, running.started.elapsed()));
            }
        }
    }

    fn finished(&self, report: &NodeReport) {
        let running = self.running().remove(&report.node);
        if let Some(bar) = running.and_then(|running| running.bar) {
            bar.finish_and_clear();
        }
        match &report.outcome {
            Outcome::Done { .. } => {
                self.write(match self.telling {
                    Telling::Rows => done(self.name(report.node), report, self.console.paint()),
                    Telling::Expectations => tested(self.name(report.node), report, self.console.paint()),
                });
                for outcome in report.assertions.iter().filter(|outcome| !outcome.success) {
                    self.write(violated(outcome, self.console.paint()));
                }
            }
            Outcome::Skipped { because } => self.skipped(report.node, &format!("{} failed", self.name(*because))),
            Outcome::Failed { diagnostics } => {
                let why = diagnostics.first().map_or("failed", |diagnostic| diagnostic.message.as_str());
                self.failed(report.node, why);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
fn pace(n_rows: u64, elapsed: Duration) -> String {
    let per_second = n_rows as f64 / elapsed.as_secs_f64().max(0.001);
    format!("{}  {} rows/s  ", ui::count(n_rows, "row"), ui::grouped(per_second as u64))
}

/// `✓ silver.sales_clean  4,912 rows in 0.40 s (12 quarantined)`.
fn done(table: &str, report: &NodeReport, paint: Paint) -> String {
    let tick = paint.tone(Tone::Good, "✓");
    let elapsed = ui::seconds(report.duration);
    let Outcome::Done { n_rows, version, n_quarantined, n_dropped } = report.outcome else { return String::new() };
    if version.is_none() {
        return format!("{tick} {table}  checked in {elapsed}");
    }
    let asides: Vec<String> = [(n_dropped, "dropped"), (n_quarantined, "quarantined")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", ui::grouped(n)))
        .collect();
    let asides = match asides.as_slice() {
        [] => String::new(),
        asides => paint.tone(Tone::Caution, &format!(" ({})", asides.join(", "))),
    };
    format!("{tick} {table}  {} in {elapsed}{asides}", ui::count(n_rows, "row"))
}

/// `✓ silver.sales_clean  9 of 10 expectations hold for 4,912 rows in 0.40 s`.
fn tested(table: &str, report: &NodeReport, paint: Paint) -> String {
    let Outcome::Done { n_rows, .. } = report.outcome else { return String::new() };
    let n_holding = report.assertions.iter().filter(|outcome| outcome.success).count();
    let all = ui::count(report.assertions.len() as u64, "expectation");
    let which = if n_holding == report.assertions.len() { all } else { format!("{n_holding} of {all}") };
    let (rows, elapsed) = (ui::count(n_rows, "row"), ui::seconds(report.duration));
    let verb = if report.assertions.len() == 1 { "holds" } else { "hold" };
    format!("{} {table}  {which} {verb} for {rows} in {elapsed}", paint.tone(Tone::Good, "✓"))
}

/// `    amount >= 0: 17 of 4,857 rows violate it`.
fn violated(outcome: &AssertionOutcome, paint: Paint) -> String {
    let what = if let Some(observed) = &outcome.observed {
        format!("it is {observed}")
    } else {
        let (n, all) = (ui::grouped(outcome.n_violating), ui::count(outcome.n_considered, "row"));
        format!("{n} of {all} violate{} it", if outcome.n_violating == 1 { "s" } else { "" })
    };
    format!("  {} {}: {what}", paint.tone(Tone::Caution, "!"), outcome.label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_table_says_its_rows_and_those_left_out() {
        let report = NodeReport {
            node: NodeId(0),
            outcome: Outcome::Done { n_rows: 4_912, version: Some(0), n_quarantined: 12, n_dropped: 0 },
            duration: Duration::from_millis(400),
            assertions: Vec::new(),
            warnings: Vec::new(),
        };
        let line = done("silver.sales_clean", &report, Paint { colored: false });
        assert_eq!(line, "✓ silver.sales_clean  4,912 rows in 0.40 s (12 quarantined)");
    }
}
