//! The columns that a node has while its operations are applied, each with where it was made.

use crate::check::ColumnLineage;
use crate::diagnostic::Site;
use crate::ir::{Column, DataType, Schema};

/// The columns so far, in order.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub columns: Vec<RowColumn>,
}

/// One column.
#[derive(Debug, Clone)]
pub(super) struct RowColumn {
    pub name: String,
    /// `None` for a bare NULL.
    pub data_type: Option<DataType>,
    pub nullable: bool,
    /// Whether the value is always the literal NULL.
    pub null: bool,
    /// Whether the type is written down somewhere and not derived.
    pub declared: bool,
    pub lineage: ColumnLineage,
    pub origin: Origin,
}

/// Where a column was made.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// In the input table.
    Input,
    /// By a select item or a computed column of the author's; `site` marks the item, `expression` is its text without the
    /// alias.
    Expression { site: Site, expression: String, alias: Alias },
    /// By a `*`, marked by `site`.
    Star { site: Site },
    /// By SQL that was not written by the author.
    Made { site: Site },
}

/// Whether a column's name is part of its expression's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alias {
    /// `expression AS name`.
    Inline,
    /// The name is written elsewhere.
    Apart,
}

impl Row {
    /// The columns as a schema; `None` if one has no type.
    pub(super) fn schema(&self) -> Option<Schema> {
        let columns = self.columns.iter().map(|column| {
            let data_type = column.data_type.clone()?;
            Some(Column { name: column.name.clone(), data_type, nullable: column.nullable })
        });
        Some(Schema { columns: columns.collect::<Option<_>>()? })
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| crate::name::same(&column.name, name))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.columns.iter().map(|column| column.name.as_str())
    }
}
