//! `medc restore`: a table as it was, or every table as it was before a run.

use std::fmt::Write as _;
use std::time::Instant;

use serde_json::json;

use super::arguments::{Restore, ResultFormat};
use super::moment::{self, Moment};
use super::progress::{Board, Telling};
use super::stages::{Loaded, Session};
use super::ui;
use super::{Done, Failure, Outcome, apply, show};
use crate::diagnostic::{Diagnostic, code};
use crate::engines::local;
use crate::engines::local::restore::{self, Restoration};
use crate::name::TableName;
use crate::resolve::Place;

const FORMAT_VERSION: u32 = 1;

/// Restores, or lists a table's versions.
pub(super) fn run(options: &Restore, session: &mut Session) -> Outcome {
    let loaded = session.load()?;
    if let Place::Databricks(_) = loaded.resolved.environment.place {
        return Err(on_databricks(options));
    }
    match (&options.table, &options.run) {
        (Some(table), None) => {
            let table = show::find(table, &loaded)?;
            if options.list {
                return list(&table, &loaded, session);
            }
            let Some(to) = options.to else {
                return Err(Failure::asked(
                    "to which version?",
                    Some(format!("`--to VERSION` or `--to TIME`; `medc restore {table} --list` shows them")),
                ));
            };
            restore(options, None, |loaded, session| one(&table, to, loaded, session), &loaded, session)
        }
        (None, Some(run_id)) => {
            restore(options, Some(run_id), |loaded, session| all_of(run_id, loaded, session), &loaded, session)
        }
        (Some(_), Some(_)) | (None, None) => Err(Failure::asked(
            "which table, or which run?",
            Some("`medc restore TABLE --to VERSION`, or `medc restore --run RUN_ID`".to_owned()),
        )),
    }
}

fn on_databricks(options: &Restore) -> Failure {
    let table = options.table.as_deref().unwrap_or("TABLE");
    let to = match options.to {
        Some(Moment::Version(version)) => format!("VERSION AS OF {version}"),
        Some(Moment::Time(at_ms)) => format!("TIMESTAMP AS OF '{}'", moment::written(at_ms)),
        None => "VERSION AS OF N".to_owned(),
    };
    Failure::asked(
        "the tables of this environment are on Databricks, and this command is about tables on this machine",
        Some(format!("run `RESTORE TABLE {table} TO {to}` in a SQL warehouse")),
    )
}

fn list(table: &TableName, loaded: &Loaded, session: &mut Session) -> Outcome {
    let versions =
        restore::versions_of(&loaded.warehouse(), table).map_err(|found| session.diagnostics.error(found))?;
    let mut text = String::new();
    for version in versions.iter().rev() {
        let run = version.run_id.as_deref().map_or_else(|| "by others".to_owned(), |run| format!("run {run}"));
        let restored = version.written.get(crate::state::RESTORED);
        let restored = restored.map(|to| format!(", restored to {to}")).unwrap_or_default();
        let at = moment::written(version.at_ms);
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{:>5}  {at}  {run}{restored}", version.version);
    }
    session.console.data(&text)?;
    Ok(Done::Well)
}

/// What is to be restored, and what cannot be.
#[derive(Default)]
struct Wanted {
    restorations: Vec<Restoration>,
    created: Vec<TableName>,
    undone: Vec<TableName>,
}

fn one(table: &TableName, to: Moment, loaded: &Loaded, session: &mut Session) -> Result<Wanted, Failure> {
    let versions =
        restore::versions_of(&loaded.warehouse(), table).map_err(|found| session.diagnostics.error(found))?;
    let to = to.of(&versions).map_err(|why| {
        Failure::asked(
            format!("`{table}` cannot be restored: {why}"),
            Some(format!("`medc restore {table} --list` shows its versions")),
        )
    })?;
    let from = versions.last().map_or(to, |newest| newest.version);
    let restorations = if from == to { Vec::new() } else { vec![Restoration { table: table.clone(), from, to }] };
    Ok(Wanted { restorations, ..Wanted::default() })
}

fn all_of(run_id: &str, loaded: &Loaded, session: &mut Session) -> Result<Wanted, Failure> {
    let found = restore::undoing(&loaded.warehouse(), run_id).map_err(|found| session.diagnostics.error(found))?;
    for (table, run) in &found.written_since {
        let by = run.as_deref().map_or_else(|| "somebody else".to_owned(), |run| format!("run {run}"));
        session.diagnostics.error(
            Diagnostic::error(code::NOT_RESTORED, format!("`{table}` was written again since that run"))
                .note(format!("its newest version is by {by}; nothing was restored"))
                .help(format!("undo that run first, or restore the table alone: `medc restore {table} --to VERSION`")),
        );
    }
    session.diagnostics.stop_on_error()?;
    if found.restorations.is_empty() && found.created.is_empty() && found.undone.is_empty() {
        return Err(Failure::asked(
            format!("no table was written by a run `{run_id}`"),
            Some("`medc show medc.runs` lists the runs".to_owned()),
        ));
    }
    Ok(Wanted { restorations: found.restorations, created: found.created, undone: found.undone })
}

fn restore(
    options: &Restore,
    undone: Option<&str>,
    wanted: impl FnOnce(&Loaded, &mut Session) -> Result<Wanted, Failure>,
    loaded: &Loaded,
    session: &mut Session,
) -> Outcome {
    let started = Instant::now();
    let settings = apply::settings(loaded, session);
    let names = loaded.checked.graph.nodes.keys().map(ToString::to_string).collect();
    let board = Board::new(names, session.console.clone(), Telling::Rows);
    // Held first: versions must not move between the look at them and the restoring.
    let held = local::hold(&settings, &board).map_err(|found| session.diagnostics.error(*found))?;
    let wanted = wanted(loaded, session)?;
    let (done, findings) = if wanted.restorations.is_empty() {
        (Vec::new(), Vec::new())
    } else {
        restore::restore(&loaded.checked, &wanted.restorations, undone, &settings, &board, &held)
    };
    drop(held);
    let is_well = findings.is_empty();
    for finding in findings {
        session.diagnostics.error(finding);
    }
    match options.format {
        ResultFormat::Json => {
            session.findings_were_shown();
            let names = |tables: &[TableName]| tables.iter().map(ToString::to_string).collect::<Vec<_>>();
            let restored = done
                .iter()
                .map(|one| json!({ "table": one.table.to_string(), "from_version": one.from, "to_version": one.to }));
            let written = json!({
                "format_version": FORMAT_VERSION,
                "run_id": settings.run_id,
                "undone_run": undone,
                "restored": restored.collect::<Vec<_>>(),
                "created_by_it": names(&wanted.created),
                "restored_before": names(&wanted.undone),
                "diagnostics": session.findings(),
            });
            session.console.data(&format!("{}\n", serde_json::to_string_pretty(&written).expect("plain JSON")))?;
        }
        ResultFormat::Human => {
            session.show_findings()?;
            let mut text = String::new();
            for one in &done {
                let _ = writeln!(text, "{}  version {} → {}", one.table, one.from, one.to);
            }
            for table in &wanted.created {
                let _ = writeln!(text, "{table}  kept: that run made it, and there is nothing before it");
            }
            let summary = match done.len() {
                0 if is_well => "Nothing to restore.".to_owned(),
                n => format!("Restored {} in {}.", ui::count(n as u64, "table"), ui::seconds(started.elapsed())),
            };
            session.console.data(&format!("{text}{summary}\n"))?;
            if !done.is_empty() {
                session
                    .console
                    .hint("`medc plan` shows what follows; a restored table is held until `--select` names it")?;
            }
        }
    }
    Ok(if is_well { Done::Well } else { Done::Unwell })
}
