//! The memos of a project between runs, in `.medc/cache`.
//!
//! Only speed depends on them: a missing, old or broken file is an empty memo, and a folder that cannot be written keeps
//! none. Small projects are faster without, so they get none.

use std::fs;
use std::path::{Path, PathBuf};

use crate::check;
use crate::source::memo::Memo;

/// From how many tables on it is worth it.
const FEWEST_TABLES: usize = 200;

/// What earlier runs of a project found out.
pub(super) struct Memory {
    /// Of texts: project files and queries.
    pub(super) texts: Memo,
    /// Of typed tables.
    pub(super) nodes: check::Memo,
    folder: PathBuf,
}

impl Memory {
    /// The memory of the project in a folder.
    pub(super) fn of(project: &Path) -> Self {
        let folder = project.join(".medc").join("cache");
        let read = |name: &str| fs::read(folder.join(name)).unwrap_or_default();
        Memory { texts: Memo::from_bytes(&read("texts")), nodes: check::Memo::from_bytes(&read("tables")), folder }
    }

    /// Writes what this run found out, if it is worth it.
    pub(super) fn keep(&self, n_tables: usize) {
        if n_tables < FEWEST_TABLES || !self.texts.is_changed() {
            return;
        }
        if fs::create_dir_all(&self.folder).is_err() {
            return;
        }
        for (name, bytes) in [("texts", self.texts.to_bytes()), ("tables", self.nodes.to_bytes())] {
            // Another run may read it at this moment: it sees the old file or the new one.
            let new = self.folder.join(format!("{name}.{}", std::process::id()));
            if fs::write(&new, bytes).and_then(|()| fs::rename(&new, self.folder.join(name))).is_err() {
                // Nothing is lost but speed.
                drop(fs::remove_file(&new));
            }
        }
    }
}
