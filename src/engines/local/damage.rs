//! Files of stored tables that are not what the log says: gone, of another size, or unreadable.
//!
//! In: a table. Out: a diagnostic that names the table and the file. What a look at the folder tells (is it there, how long is
//! it) is checked before a table is read, because a scan would take a missing file for one without rows. What only reading
//! tells is looked for after a query failed on a file, one file after the other. Changes nothing.

use std::fs::File;
use std::path::Path;

use deltalake::DeltaTable;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::{Run, table};
use crate::ir::{NodeId, WriteMode};
use crate::plan::stored_inputs;

/// Whether every file that the log names is there and as long as it says.
///
/// # Errors
/// `run::table-broken` for the first that is not.
pub(super) fn check_files(folder: &Path, table: &DeltaTable) -> Result<(), Box<Diagnostic>> {
    let Ok(state) = table.snapshot() else { return Ok(()) };
    for file in state.log_data().iter() {
        let path = file.path();
        if path.contains("://") {
            continue;
        }
        let wrong = match std::fs::metadata(folder.join(path.as_ref())) {
            Ok(found) if i64::try_from(found.len()) == Ok(file.size()) => continue,
            Ok(found) => format!("`{path}` has {} bytes, and its log says {}", found.len(), file.size()),
            Err(error) => format!("`{path}`, which its log names, cannot be opened: {error}"),
        };
        return Err(Box::new(broken(folder, &wrong)));
    }
    Ok(())
}

/// The first file that cannot be read, among those of the node's inputs and its own.
pub(super) async fn find(run: &Run<'_>, id: NodeId) -> Option<Diagnostic> {
    let graph = &run.checked.graph;
    let mut tables = stored_inputs(graph, id);
    tables.extend((graph.node(id).write.mode != WriteMode::View).then_some(id));
    for id in tables {
        let folder = run.settings.warehouse.folder(&graph.node(id).name);
        let Ok(Some(table)) = table::open(&folder).await else { continue };
        let Ok(state) = table.snapshot() else { continue };
        for file in state.log_data().iter() {
            let path = file.path();
            if let Err(error) = read(&folder.join(path.as_ref())) {
                return Some(broken(&folder, &format!("`{path}` cannot be read: {error}")));
            }
        }
    }
    None
}

fn read(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()? {
        batch?;
    }
    Ok(())
}

fn broken(folder: &Path, cause: &str) -> Diagnostic {
    let part = |path: Option<&Path>| path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = part(folder.parent()).zip(part(Some(folder)));
    let name = name.map_or_else(|| folder.display().to_string(), |(layer, name)| format!("{layer}.{name}"));
    Diagnostic::error(code::TABLE_BROKEN, format!("the table `{name}` cannot be read"))
        .note(format!("in `{}`: {cause}", folder.display()))
        .help(format!(
            "restore the file from a backup, go back to a version without it (`medc restore {name} --to VERSION`), or build \
             the table anew: `medc apply --full-refresh --select {name}+`"
        ))
}
