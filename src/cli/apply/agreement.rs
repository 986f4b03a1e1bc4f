//! Whether somebody agrees to what a plan would lose.
//!
//! In: a plan. Out: nothing, or why it is not done. At a terminal it is asked; elsewhere an option has to say so. What a table
//! says may never be lost is not asked about.

use std::io::{BufRead, IsTerminal, Write};

use crate::cli::Failure;
use crate::cli::arguments::{Apply, ResultFormat};
use crate::cli::plan::saved::{self, Saved};
use crate::cli::stages::{Loaded, Planned, Session};
use crate::diagnostic::{Diagnostic, Diagnostics, code};
use crate::plan::{Action, destruction};

/// What an apply was told.
pub(super) struct Asked<'a> {
    pub(super) options: &'a Apply,
    /// The plan that is to be done, and no other.
    pub(super) saved: Option<&'a Saved>,
    /// Whether losses were agreed to when the plan was made.
    pub(super) may_destroy: bool,
}

/// Makes sure of it before anything is changed.
///
/// # Errors
/// `run::stale-plan`, `run::prevent-destroy`, `run::destructive`, and an answer that is no.
pub(super) fn seek(
    asked: &Asked<'_>,
    loaded: &Loaded,
    planned: &Planned,
    session: &mut Session,
) -> Result<(), Failure> {
    let Asked { options, saved, may_destroy } = asked;
    if let Some(saved) = saved {
        saved::hold(saved, loaded, planned, session)?;
    }
    let graph = &loaded.checked.graph;
    // A source that cannot be listed is an error already, and stops no other table.
    let mut refusals = Diagnostics::new();
    for prevented in destruction::prevented(graph, &planned.plan) {
        refusals.error(prevented);
    }
    stop(refusals, session)?;
    let mut refusals = Diagnostics::new();
    let losing: Vec<&Action> = planned.plan.actions.iter().filter(|action| !action.losses.is_empty()).collect();
    if losing.is_empty() || options.yes || *may_destroy {
        return Ok(());
    }
    let can_ask = options.format == ResultFormat::Human && std::io::stdin().is_terminal();
    if can_ask {
        let lines: Vec<String> = losing
            .iter()
            .map(|action| {
                let name = &graph.node(action.node).name;
                format!("  {name}  {}: loses {}", action.change.word(), destruction::listed(action))
            })
            .collect();
        return ask(&lines.join("\n"));
    }
    for action in losing {
        let node = graph.node(action.node);
        refusals.error(
            Diagnostic::error(code::DESTRUCTIVE, format!("`{}` would lose {}", node.name, destruction::listed(action)))
                .at(node.site.clone().key(), format!("this plan would {} it", action.change.word()))
                .help("agree with `--yes` or `--allow-destructive`, or leave the table out with `--select`"),
        );
    }
    stop(refusals, session)
}

fn stop(refusals: Diagnostics, session: &mut Session) -> Result<(), Failure> {
    let stopped = refusals.stop_on_error();
    session.diagnostics.extend(refusals);
    Ok(stopped?)
}

fn ask(lost: &str) -> Result<(), Failure> {
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "This plan loses what cannot be had again:\n{lost}\nGo on? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Failure::Stopped { message: "nothing was changed".to_owned() })
}
