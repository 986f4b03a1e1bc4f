//! `medc status`: which version is where, at a glance.

use std::fmt::Write as _;

use serde_json::json;

use super::{Inventory, minute, short};
use crate::cli::arguments::{ResultFormat, Status};
use crate::cli::stages::Session;
use crate::cli::ui::{self, Paint, Tone};
use crate::cli::{Done, Outcome};

const FORMAT_VERSION: u32 = 1;

/// So many tables that differ are named.
const MOST_NAMED: usize = 6;

/// Writes what is in each environment, or in the one that was asked for, to stdout.
pub(in crate::cli) fn run(options: &Status, session: &mut Session) -> Outcome {
    let names = match &session.global.target {
        Some(target) => vec![target.clone()],
        None => session.environments_declared()?,
    };
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let loaded = session.load_in(&name)?;
        found.push(Inventory::of(&loaded, session)?);
    }
    session.show_findings()?;
    let written = match options.format {
        ResultFormat::Human => human(&found, session.console.paint_data()),
        ResultFormat::Json => {
            let value = json!({ "format_version": FORMAT_VERSION, "environments": found });
            format!("{}\n", serde_json::to_string_pretty(&value).expect("plain JSON"))
        }
    };
    session.console.data(&written)?;
    Ok(Done::Well)
}

fn human(found: &[Inventory], paint: Paint) -> String {
    let mut text = String::new();
    for inventory in found {
        one(inventory, paint, &mut text);
    }
    text
}

fn one(found: &Inventory, paint: Paint, text: &mut String) {
    let name = paint.tone(Tone::Strong, &found.environment);
    let _ = writeln!(text, "{name}  {}  code {}", found.engine, short(found.git_sha.as_deref()));
    if let Some(run) = &found.last_run {
        let when = run.started_at.map(minute).unwrap_or_default();
        let _ = writeln!(text, "  last run   {when} {}", run.status.as_deref().unwrap_or("tested"));
    }
    if found.tables.is_empty() {
        let _ = writeln!(text, "  tables     none of {} is there", found.n_tables);
    } else if found.differing.is_empty() {
        let _ =
            writeln!(text, "  tables     {}, as the project has them", ui::count(found.tables.len() as u64, "table"));
    } else {
        let n_more = found.differing.len().saturating_sub(MOST_NAMED);
        let mut listed = found.differing.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
        if n_more > 0 {
            let _ = write!(listed, " and {n_more} more");
        }
        let n = ui::count(found.tables.len() as u64, "table");
        let _ = writeln!(text, "  tables     {n}; the project has others: {listed}");
    }
    let listed = |of: Vec<String>| of.join(", ");
    if !found.contracts.is_empty() {
        let of = found.contracts.iter().map(|(contract, version)| format!("{contract} {version}")).collect();
        let _ = writeln!(text, "  contracts  {}", listed(of));
    }
    if !found.datasets.is_empty() {
        let of = found.datasets.iter().map(|(dataset, known)| {
            let since = known.since.map(|at| format!(" since {}", minute(at))).unwrap_or_default();
            format!("{dataset}{since}")
        });
        let _ = writeln!(text, "  datasets   {}", listed(of.collect()));
    }
    if !found.resources.is_empty() {
        let jobs = found.resources.keys().filter_map(|resource| resource.strip_prefix("jobs.")).map(str::to_owned);
        let _ = writeln!(text, "  jobs       {}", listed(jobs.collect()));
    }
    if let Some(note) = &found.note {
        let _ = writeln!(text, "  {}", paint.tone(Tone::Caution, note));
    }
}
