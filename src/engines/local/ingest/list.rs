//! The files that a source has now.
//!
//! In: a location (a file, a folder, a glob). Out: its files sorted by path, each with its size and a stamp that changes
//! when the file does. Folders are searched with what is below them; hidden files and those that begin with `_` are
//! left out, as Spark does. A location without files is an error that says what is there instead.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use globset::{GlobBuilder, GlobMatcher};

use super::{Outcome, at, on_disk, read};
use crate::diagnostic::{Diagnostic, code};
use crate::ir::{Ingest, Reader};
use crate::name;
use crate::state::SourceFile;

const DEEPEST: usize = 32;

/// The files of a source, sorted by path. For a Delta table it is the table's folder, with its newest version as stamp.
///
/// # Errors
/// `run::source-missing` when there is nothing, `run::source-unreadable`, `resolve::source-option`.
pub fn list(ingest: &Ingest, project_dir: &Path) -> Outcome<Vec<SourceFile>> {
    files(ingest, project_dir).map_err(|diagnostic| at(diagnostic, &ingest.location_site))
}

fn files(ingest: &Ingest, project_dir: &Path) -> Outcome<Vec<SourceFile>> {
    let location = ingest.location.as_str();
    if let Some((scheme, _)) = location.split_once("://").filter(|(scheme, _)| *scheme != "file") {
        let message = format!("the local engine cannot read `{scheme}://` locations");
        return Err(Box::new(
            Diagnostic::error(code::SOURCE_OPTION, message).help("copy the files here and give their path"),
        ));
    }
    let path = on_disk(location, project_dir);
    let shown = shown(&path, project_dir)?;
    match fs::metadata(&path) {
        Ok(_) if ingest.reader == Reader::Delta => delta_table(&path, shown),
        Ok(metadata) if metadata.is_dir() => folder(&path, location, &ingest.reader, project_dir),
        Ok(metadata) if metadata.is_file() => Ok(vec![source_file(shown, &metadata)]),
        Ok(_) => Err(Box::new(read::unreadable(format!("`{location}` is neither a file nor a folder")))),
        Err(_) if location.contains(['*', '?', '[', '{']) => glob(location, project_dir),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Box::new(no_file(location, &path))),
        Err(error) => Err(Box::new(read::unreadable(format!("`{location}` cannot be read")).note(error.to_string()))),
    }
}

/// A path as `_source_file` shows it: relative to the project's folder where it lies below it.
fn shown(path: &Path, project_dir: &Path) -> Outcome<String> {
    let inside = path.strip_prefix(project_dir).unwrap_or(path);
    let text = inside.to_str().ok_or_else(|| {
        Box::new(read::unreadable(format!("the file name `{}` is not UTF-8", inside.display())).help("rename the file"))
    })?;
    Ok(text.strip_prefix("./").unwrap_or(text).to_owned())
}

fn source_file(path: String, metadata: &fs::Metadata) -> SourceFile {
    SourceFile { path, size_bytes: metadata.len(), stamp: stamp(metadata) }
}

/// A hash of size and time of the last change, 63 bits.
pub(super) fn stamp(metadata: &fs::Metadata) -> i64 {
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&metadata.len().to_le_bytes());
    hasher.update(&changed.map_or(0, |changed| changed.as_nanos()).to_le_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    i64::from_le_bytes(first) & i64::MAX
}

fn delta_table(path: &Path, shown: String) -> Outcome<Vec<SourceFile>> {
    let commits = fs::read_dir(path.join("_delta_log")).ok().into_iter().flatten().flatten();
    let newest =
        commits.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json")?.parse::<i64>().ok()).max();
    let Some(version) = newest else {
        let message = format!("`{shown}` is no Delta table");
        return Err(Box::new(
            Diagnostic::error(code::SOURCE_MISSING, message).note("it has no folder `_delta_log` with commits"),
        ));
    };
    Ok(vec![SourceFile { path: shown, size_bytes: 0, stamp: version }])
}

fn endings(reader: &Reader) -> &'static [&'static str] {
    match reader {
        Reader::Delimited(_) => &["csv", "tsv", "psv", "txt"],
        Reader::JsonLines => &["jsonl", "ndjson", "json"],
        Reader::Parquet => &["parquet", "parq"],
        Reader::Delta | Reader::Database(_) => &[],
    }
}

fn folder(path: &Path, location: &str, reader: &Reader, project_dir: &Path) -> Outcome<Vec<SourceFile>> {
    let endings = endings(reader);
    let mut found = Found { project_dir, wanted: Wanted::Endings(endings), files: Vec::new(), others: Vec::new() };
    found.walk(path, 0)?;
    if found.files.is_empty() {
        let looked_for = endings.iter().map(|ending| format!("`.{ending}`")).collect::<Vec<_>>().join(", ");
        let message = format!("the folder `{location}` has no files that end in {looked_for}");
        return Err(Box::new(found.nothing(message)));
    }
    Ok(found.sorted())
}

fn glob(location: &str, project_dir: &Path) -> Outcome<Vec<SourceFile>> {
    let pattern = location.strip_prefix("file://").unwrap_or(location);
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let matcher = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| {
            let message = format!("`{location}` is no glob that can be read");
            Box::new(Diagnostic::error(code::SOURCE_OPTION, message).note(error.kind().to_string()))
        })?
        .compile_matcher();
    let fixed: Vec<&str> = pattern.split('/').take_while(|part| !part.contains(['*', '?', '[', '{'])).collect();
    let below = fixed.join("/");
    let base = if pattern.starts_with('/') && below.is_empty() { "/".into() } else { project_dir.join(&below) };
    if !base.is_dir() {
        let message = format!("the glob `{location}` matches nothing: there is no folder `{below}`");
        return Err(Box::new(with_near(Diagnostic::error(code::SOURCE_MISSING, message), &base)));
    }
    let wanted = Wanted::Glob { matcher, base: base.clone(), below };
    let mut found = Found { project_dir, wanted, files: Vec::new(), others: Vec::new() };
    found.walk(&base, 0)?;
    if found.files.is_empty() {
        return Err(Box::new(found.nothing(format!("the glob `{location}` matches no file"))));
    }
    Ok(found.sorted())
}

enum Wanted {
    Endings(&'static [&'static str]),
    /// `below` is the pattern's part without wildcards, and `base` the folder that it names.
    Glob {
        matcher: GlobMatcher,
        base: std::path::PathBuf,
        below: String,
    },
}

impl Wanted {
    fn takes(&self, path: &Path) -> bool {
        match self {
            Wanted::Endings(endings) => path
                .extension()
                .and_then(|ending| ending.to_str())
                .is_some_and(|found| endings.iter().any(|ending| ending.eq_ignore_ascii_case(found))),
            Wanted::Glob { matcher, base, below } => {
                path.strip_prefix(base).is_ok_and(|inside| matcher.is_match(Path::new(below).join(inside)))
            }
        }
    }
}

struct Found<'a> {
    project_dir: &'a Path,
    wanted: Wanted,
    files: Vec<SourceFile>,
    /// Names of files that were not wanted, as examples.
    others: Vec<String>,
}

impl Found<'_> {
    fn walk(&mut self, folder: &Path, depth: usize) -> Outcome<()> {
        if depth > DEEPEST {
            return Ok(());
        }
        let failed = |error: std::io::Error| {
            Box::new(
                read::unreadable(format!("the folder `{}` cannot be listed", folder.display())).note(error.to_string()),
            )
        };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_") {
                continue;
            }
            let path = entry.path();
            // Follows links; what is gone since the folder was listed, or leads nowhere, is no file.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() {
                self.walk(&path, depth + 1)?;
            } else if metadata.is_file() && self.wanted.takes(&path) {
                self.files.push(source_file(shown(&path, self.project_dir)?, &metadata));
            } else {
                self.others.push(name.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }

    fn sorted(mut self) -> Vec<SourceFile> {
        self.files.sort();
        self.files
    }

    fn nothing(mut self, message: String) -> Diagnostic {
        self.others.sort();
        let diagnostic = Diagnostic::error(code::SOURCE_MISSING, message);
        match self.others.len() {
            0 => diagnostic.note("there are no files at all; hidden ones and those that begin with `_` do not count"),
            1..=5 => diagnostic.note(format!("there is {}", name::list(&self.others))),
            n => diagnostic.note(format!("there are {n} others, among them {}", name::list(&self.others[..5]))),
        }
    }
}

fn no_file(location: &str, path: &Path) -> Diagnostic {
    let diagnostic = Diagnostic::error(code::SOURCE_MISSING, format!("`{location}` does not exist"));
    let Some(near) = nearest(path) else { return with_near(diagnostic, path) };
    let fixed = match location.trim_end_matches('/').rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{near}"),
        None => near,
    };
    diagnostic.help(format!("did you mean `{fixed}`?")).fix(fixed)
}

/// The name beside `path` that it was probably meant to be.
fn nearest(path: &Path) -> Option<String> {
    let wrong = path.file_name()?.to_str()?;
    let names = names_in(path.parent()?);
    name::nearest(wrong, names.iter().map(String::as_str)).map(str::to_owned)
}

/// Says how far the path exists and what is there.
fn with_near(diagnostic: Diagnostic, path: &Path) -> Diagnostic {
    let Some(existing) = path.ancestors().skip(1).find(|folder| folder.is_dir()) else { return diagnostic };
    let next = path.strip_prefix(existing).ok().and_then(|rest| rest.components().next());
    let wrong = next.map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    let names = names_in(existing);
    let note = format!("looked in `{}`", existing.display());
    match name::did_you_mean(&wrong, names.iter().map(String::as_str)) {
        Some(help) => diagnostic.note(note).help(help),
        None => diagnostic.note(format!("{note}, which is empty")),
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}
