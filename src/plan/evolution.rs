//! How a table's columns change: the stored ones held against the declared ones, and what the table's rule allows.
//!
//! In: what the log says is stored, what is declared. Out: [`ColumnChange`]s for the plan, and the refusal of those that
//! `schema_evolution` does not allow, which the engine asks for, too, before it writes. Names are the same whatever their
//! case, and order means nothing: Delta finds columns by name. Pure.

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Site, code};
use crate::ir::{Column, DataType, Node, Schema, SchemaEvolution, WriteMode};
use crate::name;
use crate::plan::{Action, Reason};
use crate::state::{Stored, TableState};

/// One difference between the stored columns and the declared ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum ColumnChange {
    Added {
        column: String,
        data_type: DataType,
        nullable: bool,
    },
    Dropped {
        column: String,
        data_type: DataType,
    },
    Retyped {
        column: String,
        from: DataType,
        to: DataType,
    },
    /// NULL is allowed now, or is not any more.
    Nullability {
        column: String,
        nullable: bool,
    },
    /// The columns whose values make folders.
    Partitioning {
        from: Vec<String>,
        to: Vec<String>,
    },
}

impl std::fmt::Display for ColumnChange {
    /// As a plan shows it, e.g. `~ amount int → bigint`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listed = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        match self {
            ColumnChange::Added { column, data_type, nullable } => {
                write!(formatter, "+ {column} {data_type}{}", if *nullable { "" } else { " not null" })
            }
            ColumnChange::Dropped { column, data_type } => write!(formatter, "- {column} {data_type}"),
            ColumnChange::Retyped { column, from, to } => write!(formatter, "~ {column} {from} → {to}"),
            ColumnChange::Nullability { column, nullable: true } => write!(formatter, "~ {column} not null → nullable"),
            ColumnChange::Nullability { column, nullable: false } => {
                write!(formatter, "~ {column} nullable → not null")
            }
            ColumnChange::Partitioning { from, to } => {
                write!(formatter, "~ partitioned by {} → {}", listed(from), listed(to))
            }
        }
    }
}

impl ColumnChange {
    fn column(&self) -> Option<&str> {
        match self {
            ColumnChange::Added { column, .. }
            | ColumnChange::Dropped { column, .. }
            | ColumnChange::Retyped { column, .. }
            | ColumnChange::Nullability { column, .. } => Some(column),
            ColumnChange::Partitioning { .. } => None,
        }
    }

    /// Whether rows that are there can stay in their files.
    fn keeps_files(&self) -> bool {
        match self {
            ColumnChange::Added { .. } | ColumnChange::Nullability { .. } => true,
            ColumnChange::Dropped { .. } | ColumnChange::Retyped { .. } | ColumnChange::Partitioning { .. } => false,
        }
    }
}

/// Whether the rows that are there have to be written anew.
pub fn rewrites(changes: &[ColumnChange]) -> bool {
    changes.iter().any(|change| !change.keeps_files())
}

/// The differences of a table that medc wrote. A commit with the node's own fingerprint wrote the declared columns, so
/// there is nothing to compare unless somebody else changed them.
pub(super) fn of_table(
    node: &Node,
    table: &TableState,
    declared: Option<&Schema>,
    fingerprint: &str,
) -> Vec<ColumnChange> {
    let (Some(stored), Some(commit), Some(declared)) = (&table.stored, &table.commit, declared) else {
        return Vec::new();
    };
    if commit.fingerprint == fingerprint && !stored.by_others {
        return Vec::new();
    }
    differences(node, stored, declared)
}

/// How the stored columns become the declared ones, in the order of declaration, dropped ones behind them. Whether a
/// column may be NULL is compared where a contract says so; otherwise it is only what typing could tell.
pub fn differences(node: &Node, stored: &Stored, declared: &Schema) -> Vec<ColumnChange> {
    let promised = node.contract.is_some();
    let of_column = |column: &Column| {
        let Some(known) = stored.schema.column(&column.name) else {
            let Column { name, data_type, nullable } = column.clone();
            return Some(ColumnChange::Added { column: name, data_type, nullable: nullable || !promised });
        };
        let name = column.name.clone();
        if !same_type(&known.data_type, &column.data_type) {
            let (from, to) = (known.data_type.clone(), column.data_type.clone());
            return Some(ColumnChange::Retyped { column: name, from, to });
        }
        let differs = promised && known.nullable != column.nullable;
        differs.then_some(ColumnChange::Nullability { column: name, nullable: column.nullable })
    };
    let mut changes: Vec<ColumnChange> = declared.columns.iter().filter_map(of_column).collect();
    let gone = stored.schema.columns.iter().filter(|column| declared.column(&column.name).is_none());
    changes.extend(
        gone.map(|column| ColumnChange::Dropped { column: column.name.clone(), data_type: column.data_type.clone() }),
    );
    let partition_by = &node.write.partition_by;
    let same_parts = stored.partition_by.len() == partition_by.len()
        && stored.partition_by.iter().zip(partition_by).all(|(left, right)| name::same(left, right));
    if !same_parts {
        changes.push(ColumnChange::Partitioning { from: stored.partition_by.clone(), to: partition_by.clone() });
    }
    changes
}

/// Whether two types are the same but for the case of members' names.
fn same_type(left: &DataType, right: &DataType) -> bool {
    match (left, right) {
        (DataType::Array(left), DataType::Array(right)) => same_type(left, right),
        (DataType::Map(left_key, left_value), DataType::Map(right_key, right_value)) => {
            same_type(left_key, right_key) && same_type(left_value, right_value)
        }
        (DataType::Struct(left), DataType::Struct(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| {
                    name::same(&left.name, &right.name) && same_type(&left.data_type, &right.data_type)
                })
        }
        _ => left == right,
    }
}

/// Why a table's columns may not change as the action says; `None` when they may, and for a table that is asked to be
/// built anew.
pub fn refusal(node: &Node, action: &Action) -> Option<Diagnostic> {
    if action.reasons.contains(&Reason::Requested) {
        return None;
    }
    let keeps_rows = match node.write.mode {
        WriteMode::Append | WriteMode::Merge { .. } => true,
        WriteMode::Overwrite | WriteMode::View => false,
    };
    let without_value =
        |change: &ColumnChange| keeps_rows && matches!(change, ColumnChange::Added { nullable: false, .. });
    let refused = |change: &&ColumnChange| match node.write.schema_evolution {
        SchemaEvolution::Fail => true,
        SchemaEvolution::AddColumns => !matches!(change, ColumnChange::Added { .. }) || without_value(change),
        SchemaEvolution::Evolve => without_value(change),
    };
    let refused: Vec<&ColumnChange> = action.columns.iter().filter(refused).collect();
    let first = *refused.first()?;
    let listed: Vec<String> = refused.iter().map(|change| format!("`{change}`")).collect();
    let word = node.write.schema_evolution.word();
    let message = if without_value(first) {
        format!("`{}` has rows without a value for a new column that is not nullable", node.name)
    } else {
        format!("`{}` is stored with other columns, and `schema_evolution: {word}` keeps them", node.name)
    };
    let rebuild = format!("`medc apply --full-refresh --select {}` builds it anew from its inputs", node.name);
    let adds_only = action.columns.iter().all(|change| matches!(change, ColumnChange::Added { .. }));
    let help = if action.columns.iter().any(without_value) {
        format!("say `nullable: true`; {rebuild}")
    } else {
        let wanted = if adds_only { SchemaEvolution::AddColumns } else { SchemaEvolution::Evolve };
        format!("say `write: {{schema_evolution: {}}}`; {rebuild}", wanted.word())
    };
    Some(
        Diagnostic::error(code::SCHEMA_EVOLUTION, message)
            .at(site_of(node, first), "the table keeps its columns and rows")
            .note(format!("it would need {}", listed.join(", ")))
            .help(help),
    )
}

/// The column in the contract, or the table.
fn site_of(node: &Node, change: &ColumnChange) -> Site {
    let promised =
        node.contract.as_ref().zip(change.column()).and_then(|(contract, wanted)| {
            contract.columns.iter().find(|column| name::same(&column.column.name, wanted))
        });
    promised.map_or_else(|| node.site.clone().key(), |column| column.site.clone().key())
}
