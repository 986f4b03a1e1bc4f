//! `medc validate`: findings in one of five formats, and a summary.

use std::time::Instant;

use super::arguments::{FindingsFormat, Validate};
use super::stages::{Loaded, Session};
use super::ui::{self, Tone};
use super::{Done, Failure, Outcome};
use crate::report;

/// Checks the project and writes what was found. Human findings are for stderr, the others are data.
pub(super) fn run(options: &Validate, session: &mut Session) -> Outcome {
    let started = Instant::now();
    let loaded = match &options.against {
        None => session.load().map_err(drop),
        Some(baseline) => match session.load_against(baseline) {
            Ok(loaded) => Ok(loaded),
            Err(Failure::Reported) => Err(()),
            Err(failure) => return Err(failure),
        },
    };
    let elapsed = started.elapsed();

    let (diagnostics, sources) = (&session.diagnostics, &session.sources);
    let format = match (options.github, options.sarif) {
        (true, _) => FindingsFormat::Github,
        (false, true) => FindingsFormat::Sarif,
        (false, false) => options.format,
    };
    let written = match format {
        FindingsFormat::Human => None,
        FindingsFormat::Short => Some(report::short(diagnostics, sources)),
        FindingsFormat::Json => Some(report::json(diagnostics, sources)),
        FindingsFormat::Github => Some(report::github(diagnostics, sources, &session.folder_in_workspace())),
        FindingsFormat::Sarif => Some(report::sarif(diagnostics, sources)),
    };
    match written {
        None => session.show_findings()?,
        Some(written) => {
            session.findings_were_shown();
            session.console.data(&written)?;
        }
    }

    let console = &session.console;
    if options.timings {
        for (stage, duration) in &session.timings {
            console.say(&format!("{stage:>8}  {:.4} s", duration.as_secs_f64()))?;
        }
    }
    let paint = console.paint();
    let (n_errors, n_warnings) = (session.diagnostics.n_errors() as u64, session.diagnostics.n_warnings() as u64);
    let errors = match n_errors {
        0 => paint.tone(Tone::Good, "no errors"),
        n => paint.tone(Tone::Bad, &ui::count(n, "error")),
    };
    let warnings = match n_warnings {
        0 => String::new(),
        n => format!(", {}", paint.tone(Tone::Caution, &ui::count(n, "warning"))),
    };
    let subject = match &loaded {
        Ok(loaded) => format!("{}: ", inventory(loaded)),
        Err(()) => String::new(),
    };
    console.say(&format!("{subject}{errors}{warnings} ({})", ui::seconds(elapsed)))?;
    // The process ends here: giving the graph back piece by piece would only take time.
    std::mem::forget(loaded);
    Ok(if n_errors == 0 { Done::Well } else { Done::Unwell })
}

/// `14 tables, 3 contracts, 21 expectations`.
fn inventory(loaded: &Loaded) -> String {
    let nodes = loaded.checked.graph.nodes.values();
    let contracts: std::collections::BTreeSet<&str> =
        nodes.clone().filter_map(|node| node.contract.as_ref()).map(|contract| contract.name.as_str()).collect();
    let n_expectations: usize = nodes.clone().map(|node| node.assertions.len()).sum();
    [
        ui::count(nodes.len() as u64, "table"),
        ui::count(contracts.len() as u64, "contract"),
        ui::count(n_expectations as u64, "expectation"),
    ]
    .join(", ")
}
