//! What runs that were killed left in a table's folder, and its removal.
//!
//! In: a table's folder and the table. A note says that a run is writing there (`state::staged`); where the note of another
//! run is found, that run is over, because one apply at a time holds the warehouse. What it published stays, its other
//! files go. Files of which no note tells are never touched: they may be all that is left of a table whose log was lost.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use deltalake::DeltaTable;
use futures::StreamExt;
use serde_json::Value;

use crate::engines::local::table;
use crate::state::staged::{self, NOTES};

/// Rows that are set aside while they are judged.
pub(super) const SPOOL: &str = "_medc_spool";

/// Notes that `run_id` will write files into the folder.
pub(super) fn note(folder: &Path, run_id: &str) -> io::Result<()> {
    std::fs::create_dir_all(folder.join(NOTES))?;
    std::fs::File::create(folder.join(NOTES).join(run_id)).map(|_| ())
}

/// Takes the note back: the run's files are published or removed.
pub(super) fn unnote(folder: &Path, run_id: &str) {
    // A note that stays only has the next run look.
    let _ = std::fs::remove_file(folder.join(NOTES).join(run_id));
    // Succeeds only when nothing else is in it.
    let _ = std::fs::remove_dir(folder.join(NOTES));
}

/// Removes the files of other runs that never published.
pub(super) async fn sweep(folder: &Path, existing: Option<&DeltaTable>, run_id: &str) -> io::Result<()> {
    let mut over = staged::runs_noted(folder)?;
    over.remove(run_id);
    if over.is_empty() {
        return Ok(());
    }
    match std::fs::remove_dir_all(folder.join(SPOOL)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let (mut active, mut published) = (BTreeSet::new(), BTreeSet::new());
    if let Some(existing) = existing {
        let state = existing.snapshot().map_err(io::Error::other)?;
        active.extend(state.log_data().iter().map(|file| file.path().into_owned()));
        let mut history = existing.history(None);
        while let Some(commit) = history.next().await {
            let commit = commit.map_err(io::Error::other)?;
            published.extend(commit.info.get("medc.run_id").and_then(Value::as_str).map(str::to_owned));
        }
    }
    for (relative, path) in staged::files(folder)? {
        let name = relative.rsplit('/').next().unwrap_or_default();
        let is_left = staged::run_of(name).is_some_and(|run| over.contains(run) && !published.contains(run));
        if is_left && !active.contains(&relative) {
            std::fs::remove_file(path)?;
        }
    }
    remove_unborn_commits(&folder.join("_delta_log"))?;
    for run in &over {
        unnote(folder, run);
    }
    Ok(())
}

/// [`sweep`] for every folder of the warehouse, after a run that died. What cannot be swept now is met again when its table
/// is written.
pub(super) async fn sweep_all(root: &Path, run_id: &str) {
    let folders = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    for folder in folders(root).iter().flat_map(|layer| folders(layer)).filter(|table| table.join(NOTES).is_dir()) {
        if let Ok(existing) = table::open(&folder).await {
            let _ = sweep(&folder, existing.as_ref(), run_id).await;
        }
    }
}

/// A commit is written beside its place (`….json#1`) and then linked to it; one that was not linked is nothing.
fn remove_unborn_commits(log: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(log) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains('#') {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
