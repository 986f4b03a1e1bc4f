//! A plan for a pull request: a table of what changes and why, in the order of execution, then what it means.

use std::fmt::Write as _;

use super::Shown;
use super::human::{felt_words, new_defaults, no_changes, summary, symbol, written_datasets};
use super::words::explain;
use crate::cli::contract;
use crate::cli::markdown::{cell, code};
use crate::cli::ui;
use crate::diagnostic::{Diagnostics, Severity};
use crate::plan::{Action, destruction};

/// The plan.
pub(super) fn plan(shown: &Shown) -> String {
    let plan = shown.plan();
    let graph = &shown.loaded.checked.graph;
    let mut text = format!("### Plan for {}\n\n", code(&shown.loaded.resolved.environment.name));
    if plan.is_empty() {
        let _ = writeln!(text, "{}", no_changes(plan));
    } else {
        let _ = writeln!(text, "{}\n\n| | table | what and why |\n|---|---|---|", summary(plan));
        for action in &plan.actions {
            row(shown, action, &mut text);
        }
        for orphan in &plan.drops {
            let _ = writeln!(text, "| - | {} | drop: declared no longer |", code(&orphan.table.to_string()));
        }
    }
    contracts(shown, &mut text);
    let datasets = written_datasets(shown);
    if !datasets.is_empty() {
        let words = datasets.iter().map(|(dataset, _, change)| format!("{} ({})", code(dataset), change.word()));
        let _ = writeln!(text, "\n**Models' datasets**: {}", words.collect::<Vec<_>>().join(", "));
    }
    if !shown.drift.is_empty() {
        text.push_str("\n**Drift**\n\n");
        for drift in &shown.drift {
            let _ = writeln!(text, "- {}: {}", code(&drift.table.to_string()), cell(&drift.kind.to_string()));
        }
    }
    let kept: Vec<String> = shown.kept().map(|orphan| code(&orphan.table.to_string())).collect();
    if !kept.is_empty() {
        let _ = writeln!(text, "\nDeclared no longer, and kept: {}", kept.join(", "));
    }
    for (default, tables) in new_defaults(shown) {
        let _ = writeln!(
            text,
            "\nNot chosen by the project: {} ({})",
            code(&default),
            ui::count(tables.len() as u64, "new table")
        );
    }
    let left_out = shown.planned.unlisted.iter().chain(shown.planned.blocked.keys());
    let left_out: Vec<String> = left_out.map(|id| code(&graph.node(*id).name.to_string())).collect();
    if !left_out.is_empty() {
        let _ = writeln!(text, "\n⚠️ Not planned, since their sources cannot be listed: {}", left_out.join(", "));
    }
    text.push('\n');
    text
}

fn row(shown: &Shown, action: &Action, text: &mut String) {
    let mut lines = vec![cell(&explain(action, &shown.causes))];
    lines.extend(action.columns.iter().map(|change| cell(&change.to_string())));
    if let Some(found) = shown.consequences.get(&action.node).filter(|found| !found.felt.is_empty()) {
        lines.push(format!("felt by {}", cell(&felt_words(&found.felt))));
    }
    if !action.losses.is_empty() {
        lines.push(format!("⚠️ loses {}", cell(&destruction::listed(action))));
    }
    let name = shown.loaded.checked.graph.node(action.node).name.to_string();
    let _ = writeln!(text, "| {} | {} | {} |", symbol(action.change), code(&name), lines.join("<br>"));
}

fn contracts(shown: &Shown, text: &mut String) {
    let found = shown.consequences.iter().filter_map(|(id, found)| Some((*id, found.contract.as_ref()?)));
    let mut is_first = true;
    for (id, compared) in found {
        if std::mem::take(&mut is_first) {
            text.push_str("\n**Contracts and checks**\n\n| table | contract | what changes |\n|---|---|---|\n");
        }
        let changes = compared.changes.iter().map(|change| {
            let what = cell(&format!("{}: {}", change.subject.phrase(), change.what));
            format!("{} {} {what}", contract::emoji(change.grade()), change.grade().word())
        });
        let _ = writeln!(
            text,
            "| {} | {} {} | {} |",
            code(&shown.loaded.checked.graph.node(id).name.to_string()),
            cell(&compared.contract),
            contract::versions(compared),
            changes.collect::<Vec<_>>().join("<br>"),
        );
    }
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
