//! Which rows and values a plan would lose for good, so that somebody is asked first.
//!
//! In: what an action does to a table that is there. Out: [`Loss`]es. Lost is what the inputs, as they are, do not give again:
//! rows of files that are gone, rows that earlier merges brought, rows that somebody else wrote, values of columns that are
//! dropped or narrowed in place. An overwritten table is a function of its inputs and loses nothing of its own. What cannot
//! be known counts as a loss. Pure.

use serde::Serialize;

use crate::compatibility::stored::keeps_values;
use crate::diagnostic::{Diagnostic, code};
use crate::graph::Graph;
use crate::ir::{DataType, Node, NodeId, WriteMode};
use crate::plan::{Action, Change, ColumnChange, Plan, source_stamp};
use crate::state::{Orphan, SourceFile, State, TableState};

/// What is lost for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "loss")]
pub enum Loss {
    /// Rows of files that were read once and are gone, or are others now.
    Files { n_files: usize },
    /// Rows that earlier runs brought and that the inputs may no longer give.
    EarlierRows,
    /// Rows that somebody else wrote.
    ForeignRows { version: i64 },
    /// A column's values.
    Column { column: String },
    /// What a column's values lose in a type that holds less.
    Precision { column: String, from: DataType, to: DataType },
}

impl std::fmt::Display for Loss {
    /// As a plan says it, behind "loses".
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Loss::Files { n_files: 1 } => formatter.write_str("the rows of a source file that is gone or changed"),
            Loss::Files { n_files } => write!(formatter, "the rows of {n_files} source files that are gone or changed"),
            Loss::EarlierRows => {
                formatter.write_str("rows that earlier runs brought and its inputs may no longer give")
            }
            Loss::ForeignRows { version } => write!(formatter, "rows that somebody else wrote (version {version})"),
            Loss::Column { column } => write!(formatter, "the values of {column}"),
            Loss::Precision { column, from, to } => {
                write!(formatter, "what values of {column} do not keep of {from} in {to}")
            }
        }
    }
}

/// What is known of a table that an action changes.
pub(super) struct Changing<'a> {
    pub(super) node: &'a Node,
    pub(super) table: &'a TableState,
    pub(super) files: &'a [SourceFile],
    /// Stored inputs, with whether the plan writes them.
    pub(super) inputs: &'a [(NodeId, bool)],
}

/// What the action loses.
pub(super) fn losses(
    changing: &Changing<'_>,
    change: Change,
    columns: &[ColumnChange],
    graph: &Graph,
    state: &State,
) -> Vec<Loss> {
    match change {
        Change::Create | Change::View => Vec::new(),
        Change::Rebuild => rebuilt(changing, graph, state),
        Change::Append { .. } | Change::Merge => columns.iter().filter_map(in_place).collect(),
    }
}

fn rebuilt(changing: &Changing<'_>, graph: &Graph, state: &State) -> Vec<Loss> {
    let Changing { node, table, files, .. } = changing;
    let mut losses = Vec::new();
    let is_foreign = table.commit.is_none() || table.written_by_others;
    if is_foreign {
        losses.push(Loss::ForeignRows { version: table.version });
    }
    match node.write.mode {
        WriteMode::Overwrite | WriteMode::View => {}
        WriteMode::Append => {
            let is_there =
                |(path, stamp): (&String, &i64)| files.iter().any(|file| file.path == *path && file.stamp == *stamp);
            let n_files = table.ingested.iter().filter(|file| !is_there(*file)).count();
            if n_files > 0 {
                losses.push(Loss::Files { n_files });
            }
        }
        WriteMode::Merge { .. } => {
            if table.commit.is_some() && !gives_all_again(changing, graph, state) {
                losses.push(Loss::EarlierRows);
            }
        }
    }
    losses
}

/// Whether the inputs are still what all rows of a merged table came from in one go.
fn gives_all_again(changing: &Changing<'_>, graph: &Graph, state: &State) -> bool {
    let Some(commit) = &changing.table.commit else { return false };
    let inputs_are_as_read = changing.inputs.iter().all(|(input, is_planned)| {
        let name = &graph.node(*input).name;
        let now = state.tables.get(name).map(|table| table.version);
        !is_planned && now.is_some() && now == commit.inputs.get(&name.to_string()).copied()
    });
    let files_are_as_read = commit.source_stamp.as_ref().is_none_or(|stamp| *stamp == source_stamp(changing.files));
    commit.is_whole() == Some(true) && inputs_are_as_read && files_are_as_read
}

/// What a column's change in place loses.
fn in_place(change: &ColumnChange) -> Option<Loss> {
    match change {
        ColumnChange::Dropped { column, .. } => Some(Loss::Column { column: column.clone() }),
        ColumnChange::Retyped { column, from, to } => (!keeps_values(from, to)).then(|| Loss::Precision {
            column: column.clone(),
            from: from.clone(),
            to: to.clone(),
        }),
        ColumnChange::Added { .. } | ColumnChange::Nullability { .. } | ColumnChange::Partitioning { .. } => None,
    }
}

/// Every action that would lose what its table says may not be lost.
pub fn prevented(graph: &Graph, plan: &Plan) -> Vec<Diagnostic> {
    let prevented =
        plan.actions.iter().filter(|action| graph.node(action.node).prevent_destroy && !action.losses.is_empty());
    let of_action = prevented.map(|action| {
        let node = graph.node(action.node);
        Diagnostic::error(code::PREVENT_DESTROY, format!("`{}` may not lose rows, and this plan would", node.name))
            .at(node.site.member("prevent_destroy").key(), "is why nothing is done")
            .note(format!("it would lose {}", listed(action)))
            .help(format!(
                "take the change back, leave the table out with `--select`, or remove `prevent_destroy` from `{}`",
                node.name
            ))
    });
    let of_drop = plan.drops.iter().filter(|orphan| orphan.prevent_destroy).map(|orphan| {
        let message = format!("`{}` may not be dropped: it was last declared with `prevent_destroy`", orphan.table);
        Diagnostic::error(code::PREVENT_DESTROY, message)
            .help("declare it again, or remove its folder from the warehouse by hand")
    });
    of_action.chain(of_drop).collect()
}

/// What an action loses, in words.
pub fn listed(action: &Action) -> String {
    action.losses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The orphans that a plan may drop: those of this project.
pub(super) fn droppable(state: &State, project: &str) -> Vec<Orphan> {
    state.orphans.iter().filter(|orphan| orphan.project.as_deref() == Some(project)).cloned().collect()
}
