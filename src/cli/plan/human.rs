//! A plan for people: tables in the order of execution, then what it means, in sections that are there where they apply.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Shown;
use super::words::{self, explain};
use crate::cli::contract;
use crate::cli::ui::{self, Paint, Tone};
use crate::compatibility::{Consumer, Grade};
use crate::ir::NodeId;
use crate::plan::downstream::Felt;
use crate::plan::{Action, Change, Plan, destruction};

/// So many who feel a change are named; the others are counted.
const MOST_NAMED: usize = 6;

/// So many files that wait to be appended are named.
const MOST_FILES: usize = 3;

/// `No changes. 14 tables match the specs.`
pub(in crate::cli) fn no_changes(plan: &Plan) -> String {
    let n = plan.unchanged.len() as u64;
    let verb = if n == 1 { "matches" } else { "match" };
    format!("No changes. {} {verb} the specs.", ui::count(n, "table"))
}

/// The whole plan.
pub(super) fn plan(shown: &Shown, paint: Paint) -> String {
    let plan = shown.plan();
    let mut text = String::new();
    let mut layer = None;
    for action in &plan.actions {
        let name = &shown.loaded.checked.graph.node(action.node).name;
        if layer != Some(&name.layer) {
            layer = Some(&name.layer);
            let _ = writeln!(text, "{}", paint.tone(Tone::Faint, &name.layer));
        }
        one(shown, action, paint, &mut text);
    }
    for orphan in &plan.drops {
        let why = if orphan.is_view_now { "it is a view now" } else { "it is declared no longer" };
        let symbol = paint.tone(Tone::Bad, "-");
        let _ = writeln!(text, "  {symbol} {}  drop: {why}", paint.tone(Tone::Strong, &orphan.table.to_string()));
    }
    contracts(shown, paint, &mut text);
    models(shown, paint, &mut text);
    drift(shown, paint, &mut text);
    kept(shown, paint, &mut text);
    defaults(shown, paint, &mut text);
    if !text.is_empty() {
        text.push('\n');
    }
    let last = if plan.is_empty() { no_changes(plan) } else { summary(plan) };
    let _ = writeln!(text, "{last}");
    text
}

fn one(shown: &Shown, action: &Action, paint: Paint, text: &mut String) {
    let name = &shown.loaded.checked.graph.node(action.node).name;
    let symbol = paint.tone(tone(action.change), symbol(action.change));
    let _ = writeln!(
        text,
        "  {symbol} {}  {}",
        paint.tone(Tone::Strong, &name.to_string()),
        explain(action, &shown.causes)
    );
    let mut faint = |line: &str| {
        let _ = writeln!(text, "      {}", paint.tone(Tone::Faint, line));
    };
    let waiting = shown.waiting(action);
    if !waiting.is_empty() {
        let n_bytes: u64 = waiting.iter().map(|file| file.size_bytes).sum();
        let names: Vec<&str> = waiting.iter().take(MOST_FILES).map(|file| file.path.as_str()).collect();
        let more = if waiting.len() > MOST_FILES { ", …" } else { "" };
        faint(&format!("{} in {}{more}", ui::bytes(n_bytes), names.join(", ")));
    }
    for change in &action.columns {
        let statement = words::ddl(name, change).filter(|_| is_in_place(action));
        match statement {
            Some(statement) => faint(&format!("{change}    {statement}")),
            None => faint(&change.to_string()),
        }
    }
    if let Some(felt) = shown.consequences.get(&action.node).map(|found| felt_words(&found.felt))
        && !felt.is_empty()
    {
        faint(&format!("felt by {felt}"));
    }
    if !action.losses.is_empty() {
        let lost = format!("loses {}", destruction::listed(action));
        let _ = writeln!(text, "      {}", paint.tone(Tone::Bad, &lost));
    }
}

/// Whether the rows that are there stay, so that columns change by statements.
pub(super) fn is_in_place(action: &Action) -> bool {
    matches!(action.change, Change::Append { .. } | Change::Merge)
}

/// `gold.daily (total), dataset churn@1, job daily`.
pub(super) fn felt_words(felt: &Felt) -> String {
    let consumer = |Consumer { table, columns }: &Consumer| match columns.as_slice() {
        [] => table.clone(),
        columns => format!("{table} ({})", columns.join(", ")),
    };
    let mut words: Vec<String> = felt.tables.iter().map(consumer).collect();
    let n_more = words.len().saturating_sub(MOST_NAMED);
    words.truncate(MOST_NAMED);
    if n_more > 0 {
        words.push(format!("{n_more} more"));
    }
    words.extend(felt.datasets.iter().map(|dataset| format!("dataset {dataset}")));
    words.extend(felt.jobs.iter().map(|job| format!("job {job}")));
    words.join(", ")
}

fn contracts(shown: &Shown, paint: Paint, text: &mut String) {
    let graph = &shown.loaded.checked.graph;
    let compared = shown.consequences.iter().filter_map(|(id, found)| Some((*id, found.contract.as_ref()?)));
    let mut is_first = true;
    for (id, compared) in compared {
        if std::mem::take(&mut is_first) {
            let _ = writeln!(text, "{}", paint.tone(Tone::Faint, "contracts and checks"));
        }
        let versions = contract::versions(compared);
        let grade = compared.grade().map_or("", Grade::word);
        let _ = writeln!(
            text,
            "  {} of {}  {versions}  {grade}",
            paint.tone(Tone::Strong, &compared.contract),
            graph.node(id).name
        );
        let mut changes = String::new();
        for change in &compared.changes {
            contract::one(change, paint, &mut changes);
        }
        for line in changes.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
}

/// The models' datasets that this plan writes.
fn models(shown: &Shown, paint: Paint, text: &mut String) {
    let written = written_datasets(shown);
    if !written.is_empty() {
        let _ = writeln!(text, "{}", paint.tone(Tone::Faint, "models"));
    }
    for (dataset, table, change) in written {
        let name = paint.tone(Tone::Strong, &dataset);
        let _ = writeln!(text, "  {} dataset {name}  {}: {table}", symbol(change), change.word());
    }
}

/// `model@version`, its table, and what happens to it.
pub(super) fn written_datasets(shown: &Shown) -> Vec<(String, String, Change)> {
    let of = |action: &Action| {
        let node = shown.loaded.checked.graph.node(action.node);
        let dataset = node.dataset.as_ref()?;
        Some((format!("{}@{}", dataset.model, dataset.version), node.name.to_string(), action.change))
    };
    shown.plan().actions.iter().filter_map(of).collect()
}

fn drift(shown: &Shown, paint: Paint, text: &mut String) {
    if !shown.drift.is_empty() {
        let _ = writeln!(text, "{}", paint.tone(Tone::Faint, "drift"));
    }
    for drift in &shown.drift {
        let symbol = paint.tone(Tone::Caution, "!");
        let _ = writeln!(text, "  {symbol} {}  {}", paint.tone(Tone::Strong, &drift.table.to_string()), drift.kind);
    }
}

fn kept(shown: &Shown, paint: Paint, text: &mut String) {
    let own = shown.loaded.resolved.project.name.as_str();
    let mut is_first = true;
    for orphan in shown.kept() {
        if std::mem::take(&mut is_first) {
            let _ = writeln!(text, "{}", paint.tone(Tone::Faint, "declared no longer"));
        }
        let what = match orphan.project.as_deref() {
            Some(project) if project == own && orphan.is_view_now => {
                "a view now; kept, `medc apply --allow-destructive` drops what is stored".to_owned()
            }
            Some(project) if project == own => "kept; `medc apply --allow-destructive` drops it".to_owned(),
            Some(project) => format!("made by the project {project}; never dropped from here"),
            None => "made by an older medc that did not write down its project; never dropped".to_owned(),
        };
        let _ = writeln!(text, "  · {}  {what}", paint.tone(Tone::Strong, &orphan.table.to_string()));
    }
}

fn defaults(shown: &Shown, paint: Paint, text: &mut String) {
    let found = new_defaults(shown);
    if !found.is_empty() {
        let _ = writeln!(text, "{}", paint.tone(Tone::Faint, "defaults that the project did not choose"));
    }
    for (default, tables) in found {
        let n_more = tables.len().saturating_sub(MOST_NAMED);
        let mut listed = tables.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
        if n_more > 0 {
            let _ = write!(listed, " and {n_more} more");
        }
        let _ = writeln!(text, "  {default}  {}", paint.tone(Tone::Faint, &listed));
    }
}

/// What the project left to medc for tables that are new, each with these.
pub(super) fn new_defaults(shown: &Shown) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for action in shown.plan().actions.iter().filter(|action| action.change == Change::Create) {
        let node = shown.loaded.checked.graph.node(action.node);
        for default in &node.defaults {
            found.entry(default.clone()).or_default().push(node.name.to_string());
        }
    }
    found
}

pub(super) fn summary(plan: &Plan) -> String {
    let counts = counts(plan, |_| true);
    let mut parts: Vec<String> =
        counts.into_iter().map(|(change, n)| format!("{} to {}", ui::grouped(n), change.word())).collect();
    if !plan.drops.is_empty() {
        parts.push(format!("{} to drop", ui::grouped(plan.drops.len() as u64)));
    }
    if !plan.unchanged.is_empty() {
        parts.push(format!("{} unchanged", ui::grouped(plan.unchanged.len() as u64)));
    }
    format!("Plan: {}.", parts.join(", "))
}

/// What was done of a plan: `3 created`, `1 rebuilt`.
pub(in crate::cli) fn done(plan: &Plan, is_done: impl Fn(NodeId) -> bool) -> Vec<String> {
    let participle = |change| match change {
        Change::Create => "created",
        Change::Rebuild => "rebuilt",
        Change::Append { .. } => "appended to",
        Change::Merge => "merged into",
        Change::View => "checked",
    };
    let counts = counts(plan, is_done).into_iter();
    counts.map(|(change, n)| format!("{} {}", ui::grouped(n), participle(change))).collect()
}

/// How many tables change in each way, in the order of their first.
fn counts(plan: &Plan, of: impl Fn(NodeId) -> bool) -> Vec<(Change, u64)> {
    let mut counts: Vec<(Change, u64)> = Vec::new();
    for action in plan.actions.iter().filter(|action| of(action.node)) {
        match counts.iter_mut().find(|(known, _)| known.word() == action.change.word()) {
            Some((_, n)) => *n += 1,
            None => counts.push((action.change, 1)),
        }
    }
    counts
}

pub(super) fn symbol(change: Change) -> &'static str {
    match change {
        Change::Create => "+",
        Change::Rebuild => "~",
        Change::Append { .. } | Change::Merge => "»",
        Change::View => "?",
    }
}

fn tone(change: Change) -> Tone {
    match change {
        Change::Create => Tone::Good,
        Change::Rebuild => Tone::Caution,
        Change::Append { .. } | Change::Merge | Change::View => Tone::Accent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_plan_says_so() {
        let plan = Plan { actions: Vec::new(), unchanged: vec![NodeId(0)], drops: Vec::new() };
        assert_eq!(no_changes(&plan), "No changes. 1 table matches the specs.");
    }
}
