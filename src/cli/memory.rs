//! The memos of a project between runs, in `.medc/cache`.
//!
//! Only speed depends on them: a missing, old or broken file is an empty memo, and a folder that cannot be written keeps
//! none. Small projects are faster without, so they get none.

use std::fs;
use std::io::{self, BufWriter, Write};
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

    /// Nothing is lost but speed when a file cannot be written.
    fn write(&self) {
        let keep = self.texts.keep();
        let texts = |out: &mut dyn Write| self.texts.write(keep, out);
        let tables = |out: &mut dyn Write| out.write_all(&self.nodes.to_bytes());
        let written = match keep {
            Keep::AsItIs => Ok(()),
            Keep::Append => self.append("texts", &texts).and_then(|()| self.replace("tables", &tables)),
            Keep::Replace => self.replace("texts", &texts).and_then(|()| self.replace("tables", &tables)),
        };
        drop(written);
    }

    fn append(&self, name: &str, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let file = fs::OpenOptions::new().append(true).open(self.folder.join(name))?;
        let mut out = BufWriter::new(file);
        content(&mut out)?;
        out.flush()
    }

    /// Another run may read the file at this moment: it sees the old one or the new one.
    fn replace(&self, name: &str, content: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let new = self.folder.join(format!("{name}.{}", std::process::id()));
        let written = fs::File::create(&new).and_then(|file| {
            let mut out = BufWriter::new(file);
            content(&mut out)?;
            out.flush()
        });
        let renamed = written.and_then(|()| fs::rename(&new, self.folder.join(name)));
        if renamed.is_err() {
            drop(fs::remove_file(&new));
        }
        renamed
    }
}
