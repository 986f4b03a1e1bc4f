//! Tables that lie in the warehouse and that the project declares no longer.
//!
//! In: the project and its warehouse. Out: [`Orphan`]s by name. Only folders are listed, and only a table that nobody declares
//! is opened; one that medc did not make as a table of a project (its ledger, quarantines, tables of others) is none. What
//! cannot be read is passed over: it is nobody's business here.

use crate::check::Checked;
use crate::ir::WriteMode;
use crate::name::TableName;
use crate::state::{Warehouse, log};

/// A table that medc made and that is declared no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    pub table: TableName,
    /// The Delta version now.
    pub version: i64,
    /// The project that made it; `None` for one made by a medc that did not write that down.
    pub project: Option<String>,
    /// The run that wrote it last.
    pub run_id: String,
    pub written_by_others: bool,
    /// Whether it was last declared with `prevent_destroy`.
    pub prevent_destroy: bool,
    /// Whether it is declared, as a view now.
    pub is_view_now: bool,
}

/// Finds them, sorted by name.
pub(super) fn find(checked: &Checked, warehouse: &Warehouse) -> Vec<Orphan> {
    let mut found = Vec::new();
    for layer in folders(&warehouse.root) {
        for name in folders(&warehouse.root.join(&layer)) {
            let table = TableName::new(&layer, &name);
            let declared = checked.graph.find(&table).map(|id| &checked.graph.node(id).write.mode);
            let is_view_now = match declared {
                None => false,
                Some(WriteMode::View) => true,
                Some(WriteMode::Overwrite | WriteMode::Append | WriteMode::Merge { .. }) => continue,
            };
            let Some(state) = log::recognise(&warehouse.folder(&table)) else { continue };
            let Some(commit) = state.commit else { continue };
            found.push(Orphan {
                table,
                version: state.version,
                prevent_destroy: commit.parts().is_some_and(|parts| parts.prevent_destroy),
                project: commit.project,
                run_id: commit.run_id,
                written_by_others: state.written_by_others,
                is_view_now,
            });
        }
    }
    found.sort_by(|left, right| left.table.cmp(&right.table));
    found
}

fn folders(parent: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let name = |entry: std::fs::DirEntry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name().into_string().ok()?;
        // medc's tables have identifiers for names, in lower case.
        (is_folder && crate::name::is_identifier(&name) && name == name.to_lowercase()).then_some(name)
    };
    entries.filter_map(|entry| name(entry.ok()?)).collect()
}
