//! The memos of a project between runs, in `.medc/cache`.
//!
//! Only speed depends on them: a missing, old or broken file is an empty memo, and a folder that cannot be written keeps
//! none. Small projects are faster without, so they get none.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::check;
use crate::source::memo::{Keep, Memo};

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
    pub(super) fn keep(self, n_tables: usize) {
        if n_tables >= FEWEST_TABLES {
            self.write();
        }
        // Giving it back piece by piece would only take time.
        std::mem::forget(self);
    }

    fn write(&self) {
        // Nothing is lost but speed when a file cannot be written.
        let written = match self.texts.keep() {
            Keep::AsItIs => Ok(()),
            Keep::Append(bytes) => self.append("texts", &bytes).and_then(|()| self.replace_nodes()),
            Keep::Replace(bytes) => self.replace("texts", &bytes).and_then(|()| self.replace_nodes()),
        };
        drop(written);
    }

    fn replace_nodes(&self) -> io::Result<()> {
        self.replace("tables", &self.nodes.to_bytes())
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        fs::OpenOptions::new().append(true).open(self.folder.join(name))?.write_all(bytes)
    }

    /// Another run may read the file at this moment: it sees the old one or the new one.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let new = self.folder.join(format!("{name}.{}", std::process::id()));
        let renamed = fs::write(&new, bytes).and_then(|()| fs::rename(&new, self.folder.join(name)));
        if renamed.is_err() {
            drop(fs::remove_file(&new));
        }
        renamed
    }
}
