//! A plan for machines. Keys are only ever added within a `format_version`.

use serde_json::{Value, json};

use super::Shown;
use super::human::{is_in_place, new_defaults};
use super::words;
use crate::cli::contract;
use crate::plan::{Action, Change};
use crate::state::Orphan;

const FORMAT_VERSION: u32 = 1;

/// The plan. Without one, only why.
pub(super) fn plan(shown: Option<&Shown>, diagnostics: &Value) -> Value {
    let Some(shown) = shown else {
        return json!({ "format_version": FORMAT_VERSION, "diagnostics": diagnostics });
    };
    let (plan, graph) = (shown.plan(), &shown.loaded.checked.graph);
    let table = |id| graph.node(id).name.to_string();
    let left_out = shown.planned.unlisted.iter().chain(shown.planned.blocked.keys());
    json!({
        "format_version": FORMAT_VERSION,
        "environment": shown.loaded.resolved.environment.name,
        "actions": plan.actions.iter().map(|action| one(shown, action)).collect::<Vec<_>>(),
        "drops": plan.drops.iter().map(orphan).collect::<Vec<_>>(),
        "unchanged": plan.unchanged.iter().map(|id| table(*id)).collect::<Vec<_>>(),
        "blocked": left_out.map(|id| table(*id)).collect::<Vec<_>>(),
        "drift": shown.drift,
        "orphans": shown.kept().map(orphan).collect::<Vec<_>>(),
        "defaults": new_defaults(shown),
        "diagnostics": diagnostics,
    })
}

fn one(shown: &Shown, action: &Action) -> Value {
    let node = shown.loaded.checked.graph.node(action.node);
    let name = node.name.to_string();
    let mut written = json!({
        "table": name,
        "change": action.change.word(),
        "reasons": action.reasons,
        "columns": action.columns,
        "definition": action.definition,
        "losses": action.losses,
        "fingerprint": action.fingerprint,
    });
    let Some(members) = written.as_object_mut() else { return written };
    match action.change {
        Change::Append { n_files } => {
            let waiting = shown.waiting(action);
            members.insert("n_files".to_owned(), n_files.into());
            members.insert("size_bytes".to_owned(), waiting.iter().map(|file| file.size_bytes).sum::<u64>().into());
            members.insert("files".to_owned(), waiting.iter().map(|file| file.path.as_str()).collect());
        }
        Change::Create | Change::Rebuild | Change::Merge | Change::View => {}
    }
    if let Some(root) = shown.causes.root(&name).filter(|root| *root != name) {
        members.insert("starts_with".to_owned(), root.into());
    }
    if is_in_place(action) && !action.columns.is_empty() {
        let statements: Vec<String> =
            action.columns.iter().filter_map(|change| words::ddl(&node.name, change)).collect();
        members.insert("ddl".to_owned(), statements.into());
    }
    if let Some(dataset) = &node.dataset {
        members.insert("dataset".to_owned(), json!({"model": dataset.model, "version": dataset.version}));
    }
    if let Some(found) = shown.consequences.get(&action.node) {
        members.insert("felt_by".to_owned(), json!(found.felt));
        if let Some(compared) = &found.contract {
            members.insert("contract".to_owned(), contract::compared(compared));
        }
    }
    written
}

fn orphan(orphan: &Orphan) -> Value {
    json!({
        "table": orphan.table.to_string(),
        "version": orphan.version,
        "project": orphan.project,
        "is_view_now": orphan.is_view_now,
        "written_by_others": orphan.written_by_others,
    })
}
