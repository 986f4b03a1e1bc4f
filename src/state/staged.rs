//! Files with rows that no commit names yet, and how they are told from files whose log was lost.
//!
//! A run that writes files into a table's folder first leaves a note there, `_medc_staged/<run>`, and takes it back once they
//! are published or removed; each file's name carries the run. So a file without a log belongs either to a run that was
//! killed, whose note is there, or to a table whose log somebody removed. Reads names only.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the notes, in a table's folder. Delta leaves names with `_` in front alone.
pub const NOTES: &str = "_medc_staged";

/// Stands in a file's name in front of its run.
pub const MARK: &str = "-medc-";

/// The run that wrote a file, by the file's name.
pub fn run_of(file_name: &str) -> Option<&str> {
    let (_, rest) = file_name.split_once(MARK)?;
    rest.split('.').next()
}

/// The runs that left a note in a table's folder.
///
/// # Errors
/// When the notes cannot be listed.
pub fn runs_noted(folder: &Path) -> io::Result<BTreeSet<String>> {
    let entries = match std::fs::read_dir(folder.join(NOTES)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// The files below a table's folder, as paths relative to it with `/`; what begins with `_` is left out.
///
/// # Errors
/// When a folder cannot be listed. One that is not there has no files.
pub fn files(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((current, prefix)) = open.pop() {
        let entries = match std::fs::read_dir(&current) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('_') && !name.contains('=') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                open.push((entry.path(), format!("{prefix}{name}/")));
            } else {
                found.push((format!("{prefix}{name}"), entry.path()));
            }
        }
    }
    Ok(found)
}

/// How many files with rows a folder without a log has, besides those of runs that never published.
pub(super) fn n_orphans(folder: &Path) -> io::Result<usize> {
    let files = files(folder)?;
    if files.is_empty() {
        return Ok(0);
    }
    let noted = runs_noted(folder)?;
    let is_orphan = |(path, _): &&(String, PathBuf)| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.ends_with(".parquet") && run_of(name).is_none_or(|run| !noted.contains(run))
    };
    Ok(files.iter().filter(is_orphan).count())
}
