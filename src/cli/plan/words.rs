//! Actions, reasons and causes in words, as the console and pull requests show them.
//!
//! In: values of a plan. Out: phrases without colour. What starts a change is named with it: a table that is built anew since
//! its input changes says what changed there.

use std::collections::BTreeMap;

use crate::cli::ui;
use crate::graph::Graph;
use crate::name::TableName;
use crate::plan::definition::between;
use crate::plan::{Action, Change, ColumnChange, PartChange, Plan, Reason, differences};
use crate::state::State;

/// So many columns or parts are named; the others are counted.
const MOST_NAMED: usize = 2;

/// What starts each change: of tables that this plan writes, and of inputs that were written since they were read.
#[derive(Debug, Default)]
pub(in crate::cli) struct Causes {
    /// By table: the table where it starts, and what happens there.
    planned: BTreeMap<String, (String, String)>,
    /// By table and the version that was read.
    former: BTreeMap<(String, i64), String>,
}

impl Causes {
    pub(in crate::cli) fn of(graph: &Graph, state: &State, plan: &Plan) -> Self {
        let mut causes = Causes::default();
        for action in &plan.actions {
            let name = graph.node(action.node).name.to_string();
            let own = own_cause(action);
            let inherited = || {
                action.reasons.iter().find_map(|reason| match reason {
                    Reason::InputPlanned { input } => causes.planned.get(input).cloned(),
                    Reason::InputChanged { input, .. } => Some((input.clone(), "written since".to_owned())),
                    Reason::Missing
                    | Reason::DefinitionChanged
                    | Reason::ColumnsChanged
                    | Reason::FilesChanged { .. }
                    | Reason::WrittenByOthers { .. }
                    | Reason::Unfinished
                    | Reason::Requested => None,
                })
            };
            let cause = own.map(|own| (name.clone(), own)).or_else(inherited);
            if let Some(cause) = cause {
                causes.planned.insert(name, cause);
            }
        }
        for ((table, version), former) in &state.former {
            if let Some(words) = since(graph, state, table, former) {
                causes.former.insert((table.to_string(), *version), words);
            }
        }
        causes
    }

    /// The table where a planned table's change starts.
    pub(super) fn root(&self, table: &str) -> Option<&str> {
        self.planned.get(table).map(|(root, _)| root.as_str())
    }
}

/// What happened to a table since a commit, where the commits tell.
fn since(graph: &Graph, state: &State, table: &TableName, former: &crate::state::Former) -> Option<String> {
    let node = graph.node(graph.find(table)?);
    let now = state.tables.get(table)?;
    if let (Some(before), Some(after)) = (&former.stored, &now.stored) {
        let columns = differences(node, before, &after.schema);
        if !columns.is_empty() {
            return Some(columns_words(&columns));
        }
    }
    let parts = between(&former.commit.parts()?.definition, &now.commit.as_ref()?.parts()?.definition);
    (!parts.is_empty()).then(|| parts_words(&parts))
}

/// What a table's change starts with, if it is not its inputs.
fn own_cause(action: &Action) -> Option<String> {
    if !action.columns.is_empty() {
        return Some(columns_words(&action.columns));
    }
    if !action.definition.is_empty() {
        return Some(parts_words(&action.definition));
    }
    action.reasons.iter().find_map(|one| match one {
        Reason::InputPlanned { .. } | Reason::InputChanged { .. } => None,
        Reason::Missing => Some("it is created".to_owned()),
        Reason::DefinitionChanged
        | Reason::ColumnsChanged
        | Reason::FilesChanged { .. }
        | Reason::WrittenByOthers { .. }
        | Reason::Unfinished
        | Reason::Requested => reason(one),
    })
}

/// `column amount double → decimal(18,2) and 2 more`.
fn columns_words(columns: &[ColumnChange]) -> String {
    let word = |change: &ColumnChange| match change {
        ColumnChange::Added { column, data_type, .. } => format!("new column {column} {data_type}"),
        ColumnChange::Dropped { column, .. } => format!("column {column} dropped"),
        ColumnChange::Retyped { .. } | ColumnChange::Nullability { .. } => {
            format!("column {}", change.to_string().trim_start_matches("~ "))
        }
        ColumnChange::Partitioning { .. } => change.to_string().trim_start_matches("~ ").to_owned(),
    };
    named(columns.iter().map(word).collect())
}

/// `query and write.keys changed`.
pub(super) fn parts_words(parts: &[PartChange]) -> String {
    format!("{} changed", named(parts.iter().map(|part| part.part.clone()).collect()))
}

fn named(mut words: Vec<String>) -> String {
    let n_more = words.len().saturating_sub(MOST_NAMED);
    words.truncate(MOST_NAMED);
    let listed = words.join(", ");
    if n_more == 0 { listed } else { format!("{listed} and {n_more} more") }
}

/// What happens to a table and why, e.g. `rebuild: input bronze.y changed (version 3 → 4)`.
pub(in crate::cli) fn explain(action: &Action, causes: &Causes) -> String {
    let reasons = reasons(action, causes).join("; ");
    match action.change {
        Change::Append { n_files: 0 } => format!("change columns: {reasons}"),
        Change::Append { n_files } => match action.reasons.as_slice() {
            [Reason::FilesChanged { .. }] => format!("append {}", ui::count(n_files as u64, "file")),
            _ => format!("append {}: {reasons}", ui::count(n_files as u64, "file")),
        },
        change => format!("{}: {reasons}", change.word()),
    }
}

/// The reasons in words; inputs that this plan writes are named together.
fn reasons(action: &Action, causes: &Causes) -> Vec<String> {
    let planned: Vec<&str> = action
        .reasons
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
    let of_one = |one: &Reason| {
        let words = reason(one)?;
        Some(match one {
            Reason::DefinitionChanged => {
                // Columns are shown one by one.
                let is_told = |part: &&PartChange| part.part != "columns" || action.columns.is_empty();
                let parts: Vec<String> =
                    action.definition.iter().filter(is_told).map(|part| part.part.clone()).collect();
                if parts.is_empty() { words } else { format!("{words} ({})", named(parts)) }
            }
            Reason::InputChanged { input, from_version: Some(version), .. } => {
                match causes.former.get(&(input.clone(), *version)) {
                    Some(cause) => format!("{words}: {cause}"),
                    None => words,
                }
            }
            _ => words,
        })
    };
    let mut words: Vec<String> = action.reasons.iter().filter_map(of_one).collect();
    if let Some(planned) = planned_words(&planned, causes) {
        words.push(planned);
    }
    words
}

fn planned_words(planned: &[&str], causes: &Causes) -> Option<String> {
    let cause = |input: &str| match causes.planned.get(input) {
        Some((root, what)) if root == input => Some(what.clone()),
        Some((root, what)) => Some(format!("{root}: {what}")),
        None => None,
    };
    match planned {
        [] => None,
        [input] => Some(match cause(input) {
            Some(cause) => format!("input {input} changes in this plan ({cause})"),
            None => format!("input {input} changes in this plan"),
        }),
        inputs => {
            let mut roots: Vec<String> = Vec::new();
            for (root, what) in inputs.iter().filter_map(|input| causes.planned.get(*input)) {
                let words = format!("{root}: {what}");
                if !roots.contains(&words) {
                    roots.push(words);
                }
            }
            let listed = inputs.join(", ");
            Some(if roots.is_empty() {
                format!("inputs {listed} change in this plan")
            } else {
                format!("inputs {listed} change in this plan ({})", named(roots))
            })
        }
    }
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

/// The statement that a column's change in place is on Databricks; none for a change that needs the table written anew.
pub(super) fn ddl(table: &TableName, change: &ColumnChange) -> Option<String> {
    let column = |name: &str| crate::kind::column(name);
    Some(match change {
        ColumnChange::Added { column: name, data_type, nullable } => {
            let suffix = if *nullable { "" } else { " NOT NULL" };
            format!("ALTER TABLE {table} ADD COLUMN {} {data_type}{suffix}", column(name))
        }
        ColumnChange::Dropped { column: name, .. } => format!("ALTER TABLE {table} DROP COLUMN {}", column(name)),
        ColumnChange::Retyped { column: name, to, .. } => {
            format!("ALTER TABLE {table} ALTER COLUMN {} TYPE {to}", column(name))
        }
        ColumnChange::Nullability { column: name, nullable } => {
            let verb = if *nullable { "DROP" } else { "SET" };
            format!("ALTER TABLE {table} ALTER COLUMN {} {verb} NOT NULL", column(name))
        }
        ColumnChange::Partitioning { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::NodeId;

    fn action(change: Change, reasons: Vec<Reason>) -> Action {
        Action {
            node: NodeId(0),
            change,
            reasons,
            columns: Vec::new(),
            definition: Vec::new(),
            losses: Vec::new(),
            fingerprint: "1:0".to_owned(),
        }
    }

    #[test]
    fn actions_say_what_happens_and_why() {
        let explain = |action: &Action| super::explain(action, &Causes::default());
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
    fn a_change_names_what_it_starts_with() {
        let mut causes = Causes::default();
        causes.planned.insert("silver.b".to_owned(), ("bronze.a".to_owned(), "2 files added".to_owned()));
        causes.planned.insert("silver.c".to_owned(), ("silver.c".to_owned(), "query changed".to_owned()));
        let planned = |input: &str| vec![Reason::InputPlanned { input: input.to_owned() }];
        assert_eq!(
            explain(&action(Change::Rebuild, planned("silver.b")), &causes),
            "rebuild: input silver.b changes in this plan (bronze.a: 2 files added)"
        );
        assert_eq!(
            explain(&action(Change::Rebuild, planned("silver.c")), &causes),
            "rebuild: input silver.c changes in this plan (query changed)"
        );
    }
}
