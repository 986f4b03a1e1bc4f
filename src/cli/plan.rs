//! `medc plan`: what `apply` would change, for people and for machines.
//!
//! A plan is rendered from values alone, so `apply` shows the same lines. Tables stand in the order of execution, under
//! the layer in which each run of them lies; unchanged ones are counted.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::arguments::{self, PlanFormat};
use super::stages::{self, Loaded, Planned, Session};
use super::ui::{self, Paint, Tone};
use super::{Done, Failure, Outcome};
use crate::graph::Graph;
use crate::ir::NodeId;
use crate::plan::{Action, Change, Options, Plan, Reason, refusal};
use crate::report;

mod markdown;

const FORMAT_VERSION: u32 = 1;

/// Plans and writes the plan to stdout.
pub(super) fn run(options: &arguments::Plan, session: &mut Session) -> Outcome {
    let planned = match make(options, session) {
        Ok(planned) => Some(planned),
        Err(Failure::Reported) => None,
        Err(failure) => return Err(failure),
    };
    let is_well = session.diagnostics.n_errors() == 0;
    let has_changes = planned.as_ref().is_some_and(|(_, planned)| !planned.plan.actions.is_empty());
    if options.github {
        session.findings_were_shown();
        let folder = session.folder_in_workspace();
        session.console.complain(&report::github(&session.diagnostics, &session.sources, &folder))?;
    }
    match options.format {
        PlanFormat::Human => {
            session.show_findings()?;
            if let Some((loaded, Planned { plan, .. })) = planned.filter(|_| is_well || has_changes) {
                session.console.data(&human(&plan, &loaded.checked.graph, session.console.paint_data()))?;
            }
            if has_changes {
                session.console.hint("run `medc apply` to make these changes")?;
            }
        }
        PlanFormat::Markdown => {
            session.show_findings()?;
            let written = match &planned {
                Some((loaded, planned)) => markdown::plan(loaded, planned),
                None => markdown::no_plan(&session.diagnostics),
            };
            session.console.data(&written)?;
        }
        PlanFormat::Json => {
            session.findings_were_shown();
            let written = machine(planned.as_ref(), &session.findings());
            session.console.data(&format!("{}\n", serde_json::to_string_pretty(&written).expect("plain JSON")))?;
        }
    }
    Ok(match (is_well, options.exit_code && has_changes) {
        (false, _) => Done::Unwell,
        (true, true) => Done::Changes,
        (true, false) => Done::Well,
    })
}

fn make(options: &arguments::Plan, session: &mut Session) -> Result<(Loaded, Planned), Failure> {
    let loaded = session.load_here()?;
    let selection = stages::selected(&loaded, &options.selection.select)?;
    let planning = Options { full_refresh: options.selection.full_refresh, selection };
    let planned = session.plan(&loaded, &planning)?;
    let graph = &loaded.checked.graph;
    let refused = planned.plan.actions.iter().filter_map(|action| refusal(graph.node(action.node), action));
    for refusal in refused {
        session.diagnostics.error(refusal);
    }
    Ok((loaded, planned))
}

/// `No changes. 14 tables match the specs.`
pub(super) fn no_changes(plan: &Plan) -> String {
    let n = plan.unchanged.len() as u64;
    let verb = if n == 1 { "matches" } else { "match" };
    format!("No changes. {} {verb} the specs.", ui::count(n, "table"))
}

/// The plan for people.
pub(super) fn human(plan: &Plan, graph: &Graph, paint: Paint) -> String {
    if plan.actions.is_empty() {
        return format!("{}\n", no_changes(plan));
    }
    let mut text = String::new();
    let mut layer = None;
    for action in &plan.actions {
        let node = graph.node(action.node);
        if layer != Some(&node.name.layer) {
            layer = Some(&node.name.layer);
            let _ = writeln!(text, "{}", paint.tone(Tone::Faint, &node.name.layer));
        }
        let _ = writeln!(
            text,
            "  {} {}  {}",
            paint.tone(tone(action.change), symbol(action.change)),
            paint.tone(Tone::Strong, &node.name.to_string()),
            explain(action)
        );
        for change in &action.columns {
            let _ = writeln!(text, "      {}", paint.tone(Tone::Faint, &change.to_string()));
        }
    }
    let _ = writeln!(text, "\n{}", summary(plan));
    text
}

/// What happens to a table and why, e.g. `rebuild: input bronze.y changed (version 3 → 4)`.
fn explain(action: &Action) -> String {
    let reasons = reasons(&action.reasons).join("; ");
    match action.change {
        Change::Append { n_files: 0 } => format!("change columns: {reasons}"),
        Change::Append { n_files } => match action.reasons.as_slice() {
            [Reason::FilesChanged { .. }] => format!("append {}", ui::count(n_files as u64, "file")),
            _ => format!("append {}: {reasons}", ui::count(n_files as u64, "file")),
        },
        change => format!("{}: {reasons}", word(change)),
    }
}

fn summary(plan: &Plan) -> String {
    let counts = counts(plan, |_| true);
    let mut parts: Vec<String> =
        counts.into_iter().map(|(change, n)| format!("{} to {}", ui::grouped(n), word(change))).collect();
    if !plan.unchanged.is_empty() {
        parts.push(format!("{} unchanged", ui::grouped(plan.unchanged.len() as u64)));
    }
    format!("Plan: {}.", parts.join(", "))
}

/// What was done of a plan: `3 created`, `1 rebuilt`.
pub(super) fn done(plan: &Plan, is_done: impl Fn(NodeId) -> bool) -> Vec<String> {
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
        match counts.iter_mut().find(|(known, _)| word(*known) == word(action.change)) {
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

pub(super) fn word(change: Change) -> &'static str {
    match change {
        Change::Create => "create",
        Change::Rebuild => "rebuild",
        Change::Append { .. } => "append",
        Change::Merge => "merge",
        Change::View => "check",
    }
}

/// The reasons in words; inputs that this plan writes are named together.
fn reasons(reasons: &[Reason]) -> Vec<String> {
    let planned: Vec<&str> = reasons
        .iter()
        .filter_map(|reason| match reason {
            Reason::InputPlanned { input } => Some(input.as_str()),
            Reason::Missing
            | Reason::DefinitionChanged
            | Reason::ColumnsChanged
            | Reason::InputChanged { .. }
            | Reason::FilesChanged { .. }
            | Reason::WrittenByOthers { .. }
            | Reason::Unfinished
            | Reason::Requested => None,
        })
        .collect();
    let mut words: Vec<String> = reasons.iter().filter_map(reason).collect();
    match planned.as_slice() {
        [] => {}
        [input] => words.push(format!("input {input} changes in this plan")),
        inputs => words.push(format!("inputs {} change in this plan", inputs.join(", "))),
    }
    words
}

fn reason(reason: &Reason) -> Option<String> {
    let words = match reason {
        Reason::InputPlanned { .. } => return None,
        Reason::Missing => "not in the warehouse".to_owned(),
        Reason::DefinitionChanged => "its definition changed".to_owned(),
        Reason::ColumnsChanged => "its columns changed".to_owned(),
        Reason::InputChanged { input, from_version, to_version } => {
            let version = |version: &Option<i64>| version.map_or("none".to_owned(), |version| version.to_string());
            format!("input {input} changed (version {} → {})", version(from_version), version(to_version))
        }
        Reason::FilesChanged { n_added, n_changed, n_gone } => {
            let counts: Vec<String> = [(n_added, "added"), (n_changed, "changed"), (n_gone, "gone")]
                .into_iter()
                .filter(|(n, _)| **n > 0)
                .map(|(n, word)| format!("{n} {word}"))
                .collect();
            match counts.as_slice() {
                [] => "its source files changed".to_owned(),
                counts => format!("source files changed ({})", counts.join(", ")),
            }
        }
        Reason::WrittenByOthers { version } => format!("somebody else wrote it (version {version})"),
        Reason::Unfinished => "the last apply did not finish it".to_owned(),
        Reason::Requested => "`--full-refresh` asks for it".to_owned(),
    };
    Some(words)
}

/// The plan for machines. Without one, only why.
fn machine(planned: Option<&(Loaded, Planned)>, diagnostics: &Value) -> Value {
    let Some((loaded, Planned { plan, unlisted, blocked, .. })) = planned else {
        return json!({ "format_version": FORMAT_VERSION, "diagnostics": diagnostics });
    };
    let table = |id| loaded.checked.graph.node(id).name.to_string();
    let actions: Vec<Value> = plan
        .actions
        .iter()
        .map(|action| {
            let n_files = match action.change {
                Change::Append { n_files } => Some(n_files),
                Change::Create | Change::Rebuild | Change::Merge | Change::View => None,
            };
            let mut written = json!({
                "table": table(action.node),
                "change": word(action.change),
                "reasons": action.reasons,
                "columns": action.columns,
                "fingerprint": action.fingerprint,
            });
            if let (Some(n_files), Some(members)) = (n_files, written.as_object_mut()) {
                members.insert("n_files".to_owned(), n_files.into());
            }
            written
        })
        .collect();
    json!({
        "format_version": FORMAT_VERSION,
        "environment": loaded.resolved.environment.name,
        "actions": actions,
        "unchanged": plan.unchanged.iter().map(|id| table(*id)).collect::<Vec<_>>(),
        "blocked": unlisted.iter().chain(blocked.keys()).map(|id| table(*id)).collect::<Vec<_>>(),
        "diagnostics": diagnostics,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(change: Change, reasons: Vec<Reason>) -> Action {
        Action { node: NodeId(0), change, reasons, columns: Vec::new(), fingerprint: "1:0".to_owned() }
    }

    #[test]
    fn actions_say_what_happens_and_why() {
        let planned = |input: &str| Reason::InputPlanned { input: input.to_owned() };
        assert_eq!(explain(&action(Change::Create, vec![Reason::Missing])), "create: not in the warehouse");
        assert_eq!(
            explain(&action(
                Change::Append { n_files: 2 },
                vec![Reason::FilesChanged { n_added: 2, n_changed: 0, n_gone: 0 }]
            )),
            "append 2 files"
        );
        assert_eq!(
            explain(&action(Change::Rebuild, vec![planned("a.b"), Reason::DefinitionChanged, planned("a.c")])),
            "rebuild: its definition changed; inputs a.b, a.c change in this plan"
        );
        assert_eq!(
            explain(&action(
                Change::Merge,
                vec![Reason::InputChanged { input: "a.b".to_owned(), from_version: Some(3), to_version: Some(4) }]
            )),
            "merge: input a.b changed (version 3 → 4)"
        );
        assert_eq!(
            explain(&action(Change::Rebuild, vec![Reason::FilesChanged { n_added: 1, n_changed: 0, n_gone: 2 }])),
            "rebuild: source files changed (1 added, 2 gone)"
        );
    }

    #[test]
    fn an_empty_plan_says_so() {
        let plan = Plan { actions: Vec::new(), unchanged: vec![NodeId(0)] };
        assert_eq!(no_changes(&plan), "No changes. 1 table matches the specs.");
    }
}
