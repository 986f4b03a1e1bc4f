//! A plan for a pull request: a table of what changes and why, in the order of execution.

use std::fmt::Write as _;

use super::{explain, no_changes, summary, symbol};
use crate::cli::markdown::{cell, code};
use crate::cli::stages::{Loaded, Planned};
use crate::diagnostic::{Diagnostics, Severity};

/// The plan.
pub(super) fn plan(loaded: &Loaded, planned: &Planned) -> String {
    let (graph, plan) = (&loaded.checked.graph, &planned.plan);
    let mut text = format!("### Plan for {}\n\n", code(&loaded.resolved.environment.name));
    if plan.actions.is_empty() {
        let _ = writeln!(text, "{}", no_changes(plan));
    } else {
        let _ = writeln!(text, "{}\n\n| | table | what and why |\n|---|---|---|", summary(plan));
        for action in &plan.actions {
            let columns = action.columns.iter().map(|change| format!("<br>{}", cell(&change.to_string())));
            let _ = writeln!(
                text,
                "| {} | {} | {}{} |",
                symbol(action.change),
                code(&graph.node(action.node).name.to_string()),
                cell(&explain(action)),
                columns.collect::<String>(),
            );
        }
    }
    let left_out: Vec<String> = planned
        .unlisted
        .iter()
        .chain(planned.blocked.keys())
        .map(|id| code(&graph.node(*id).name.to_string()))
        .collect();
    if !left_out.is_empty() {
        let _ = writeln!(text, "\n⚠️ Not planned, since their sources cannot be listed: {}", left_out.join(", "));
    }
    text.push('\n');
    text
}

/// Why there is no plan.
pub(super) fn no_plan(diagnostics: &Diagnostics) -> String {
    let mut text = "### No plan\n\n".to_owned();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error) {
        let _ = writeln!(text, "- {}: {}", code(diagnostic.code.as_str()), cell(&diagnostic.message));
    }
    text.push('\n');
    text
}
