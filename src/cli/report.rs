//! `medc report`: how good the tables are, as one HTML file that needs nothing else, or as JSON.
//!
//! In: a checked project, its warehouse and ledger. Out: a [`view::Report`] from `gather`, which `page` lays out. Writing
//! it is the command's work, so its exit code is 0 however bad the tables are; what could not be read is warned of. Masked columns
//! show no values (`masks`). Nothing is written but the file.

use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::arguments::{Open, Report as Options, ReportFormat};
use super::stages::{self, Session};
use super::{Done, Failure, Outcome, apply, ui};
use crate::diagnostic::Severity;

mod charts;
mod gather;
mod masks;
mod page;
mod results;
mod view;
mod words;

use gather::Asked;
use view::Report;

const FILE: &str = "report.html";

/// Writes the report.
pub(super) fn run(options: &Options, session: &mut Session) -> Outcome {
    let loaded = session.load_here()?;
    let selection = stages::selected(&loaded, &options.select)?;
    let graph = &loaded.checked.graph;
    let is_asked = |id: &crate::ir::NodeId| selection.as_ref().is_none_or(|selection| selection.contains(id));
    let tables: Vec<_> = graph.order.iter().copied().filter(is_asked).collect();

    let bar = progress(session, tables.len());
    let asked = Asked {
        tables: tables.clone(),
        selected: &options.select,
        n_runs: usize::from(options.runs),
        profile: !options.no_profile,
        advanced: &|| bar.inc(1),
    };
    let settings = apply::settings(&loaded, session);
    let (report, findings) = gather::gather(&loaded, &settings, &asked, &stages::runtime());
    bar.finish_and_clear();
    for mut finding in findings {
        // The report was written, and says it too.
        finding.severity = Severity::Warning;
        session.diagnostics.warn(finding);
    }

    let written = match options.format {
        ReportFormat::Html => page::write(&report, &loaded.checked, &tables.iter().copied().collect()),
        ReportFormat::Json => format!("{}\n", serde_json::to_string_pretty(&report).expect("plain JSON")),
    };
    let path = match (&options.output, options.format) {
        (Some(path), _) => Some(path.as_path()).filter(|path| *path != Path::new("-")),
        (None, ReportFormat::Html) => Some(Path::new(FILE)),
        (None, ReportFormat::Json) => None,
    };
    let Some(path) = path else {
        session.console.data(&written)?;
        return Ok(Done::Well);
    };
    std::fs::write(path, &written)
        .map_err(|error| Failure::Stopped { message: format!("`{}` cannot be written: {error}", path.display()) })?;
    session.show_findings()?;
    session.console.say(&summary(&report, path, written.len()))?;
    if let Some(hint) = next_step(&report) {
        session.console.hint(&hint)?;
    }
    match options.open {
        Open::Yes => open(path)?,
        Open::No => {}
    }
    Ok(Done::Well)
}

fn progress(session: &Session, n_tables: usize) -> ProgressBar {
    if !session.console.is_lively() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  reading {pos} of {len} tables {wide_bar}").expect("a template of ours");
    ProgressBar::with_draw_target(Some(n_tables as u64), ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}

/// E.g. `Wrote report.html (142 kB): 6 tables, 33 of 35 expectations hold.`
fn summary(report: &Report, path: &Path, n_bytes: usize) -> String {
    let expectations = report.summary.expectations;
    let held = match expectations.n_checked() {
        0 => "no expectation was checked yet".to_owned(),
        n => format!("{} of {} hold", ui::grouped(expectations.n_passed), ui::count(n, "expectation")),
    };
    format!(
        "Wrote {} ({}): {}, {held}.",
        path.display(),
        ui::bytes(n_bytes as u64),
        ui::count(report.summary.n_tables, "table")
    )
}

/// What to do where there is nothing to see yet.
fn next_step(report: &Report) -> Option<String> {
    let summary = &report.summary;
    if summary.n_tables == 0 {
        Some("the project has no tables: declare one under `tables:` in medc.yml".to_owned())
    } else if summary.n_built == 0 && summary.expectations.n_checked() == 0 {
        Some("no table was built yet: run `medc apply`, then `medc report` again".to_owned())
    } else {
        None
    }
}

/// Opens a file as the desktop does.
fn open(path: &Path) -> Result<(), Failure> {
    let opener = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let failed =
        |cause: String| Failure::Stopped { message: format!("`{}` cannot be opened: {cause}", path.display()) };
    let mut command = std::process::Command::new(opener);
    command.arg(path).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    match command.stderr(std::process::Stdio::null()).status() {
        // Explorer's exit status says nothing.
        Ok(status) if status.success() || opener == "explorer" => Ok(()),
        Ok(status) => Err(failed(format!("`{opener}` ended with {status}"))),
        Err(error) => Err(failed(format!("`{opener}`: {error}"))),
    }
}
