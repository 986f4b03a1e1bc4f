//! Stage 1: files as values with an address for every node.
//!
//! In: a path. Out: a [`Document`], the JSON value of a YAML 1.2 or JSON file. Spans are not carried along: a [`Site`]
//! names a node by its pointer, and [`Sources::locate`] composes the file again to find its bytes when something has to
//! be shown, so that the path without errors stays short. All reading of specs goes through [`Files`].
//!
//! Kept: every key once, at most 128 levels, at most 64 MiB and a million nodes after aliases; `001` and `NO` are text.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, SourceId, code};

mod compose;
mod disk;
mod locate;
pub mod memo;
mod revision;
mod scalar;
mod syntax;
mod tape;
mod unquote;

pub use disk::{Disk, Memory};
pub use locate::Location;
pub use revision::{NoRevision, Revision};

/// No spec or SQL file may be larger.
pub const MAX_FILE_BYTES: usize = 64 << 20;
/// Values in a document, counting what aliases expand to.
pub const MAX_NODES: usize = 1_000_000;
/// Collections within collections.
pub const MAX_DEPTH: usize = 128;

/// Where spec files come from: the disk, a git revision, or memory in tests.
pub trait Files {
    /// The bytes of a file.
    ///
    /// # Errors
    /// As the file system says; a directory or a device is an error too, and so is a file above [`MAX_FILE_BYTES`]
    /// (`FileTooLarge`).
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// All regular files below `folder`, as paths that begin with `folder`, sorted; hidden folders, `target` and the like
    /// are left out.
    ///
    /// # Errors
    /// When `folder` cannot be listed.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct Source {
    /// As it is shown: relative to the project's folder, with `/`.
    pub name: String,
    /// Without a byte order mark; line ends as in the file.
    pub text: Arc<str>,
    pub kind: SourceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// YAML or JSON: sites have pointers. A `Text` part with an empty pointer is a range of the file itself.
    Document,
    /// SQL: sites are byte ranges of the whole text.
    Text,
}

/// All files read so far.
#[derive(Debug, Default)]
pub struct Sources {
    sources: Vec<Source>,
    /// What [`Sources::locate`] worked out, per source, once something had to be shown.
    layouts: Vec<OnceLock<locate::Layout>>,
}

impl Sources {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a text in.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>, kind: SourceKind) -> SourceId {
        let id = u32::try_from(self.sources.len()).expect("fewer than 4 billion files");
        self.sources.push(Source { name: name.into(), text: text.into(), kind });
        self.layouts.push(OnceLock::new());
        SourceId(id)
    }

    /// The source with this id, which these sources gave out.
    pub fn get(&self, id: SourceId) -> &Source {
        self.sources.get(id.0 as usize).expect("ids come from `add` of the same sources")
    }

    /// The first source that is shown as `name`.
    pub fn find(&self, name: &str) -> Option<SourceId> {
        self.iter().find(|(_, source)| source.name == name).map(|(id, _)| id)
    }

    /// All sources in the order of reading.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0..).map(SourceId).zip(&self.sources)
    }

    pub fn len(&self) -> usize {
        self.sources.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Where a site is in its file; a node that does not exist is looked for at its nearest ancestor.
    ///
    /// `None` for a source that these sources do not have. The first call for a source composes it again; later ones are
    /// cheap.
    pub fn locate(&self, site: &Site) -> Option<Location> {
        let index = site.source.0 as usize;
        let source = self.sources.get(index)?;
        let layout = self.layouts.get(index)?.get_or_init(|| locate::Layout::of(source));
        Some(layout.locate(source, site))
    }

    /// What a site's file says there, as written.
    pub fn snippet(&self, site: &Site) -> Option<String> {
        let range = self.locate(site)?.range;
        Some(self.sources.get(site.source.0 as usize)?.text.get(range)?.to_owned())
    }
}

/// A file's value.
#[derive(Debug, Clone)]
pub struct Document {
    pub source: SourceId,
    /// Mappings keep their order. Integers beyond 64 bits are refused; other numbers keep their text only in the source.
    pub value: serde_json::Value,
}

/// Reads a YAML 1.2 or JSON file. `name` is how it is shown.
///
/// # Errors
/// Every `source::*` code.
pub fn read(
    files: &dyn Files,
    path: &Path,
    name: &str,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Document, Reported> {
    let source = open(files, path, name, sources, diagnostics)?;
    compose(source, sources, diagnostics)
}

/// Reads the text of a YAML or JSON file and leaves its value to [`compose`].
///
/// # Errors
/// `source::unreadable`, `source::too-large`, `source::not-utf8`.
pub fn open(
    files: &dyn Files,
    path: &Path,
    name: &str,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<SourceId, Reported> {
    read_as(SourceKind::Document, files, path, name, sources, diagnostics)
}

/// The value of a file that was opened.
///
/// # Errors
/// Every `source::*` code but those of [`open`].
pub fn compose(source: SourceId, sources: &Sources, diagnostics: &mut Diagnostics) -> Result<Document, Reported> {
    let value = compose::compose(&sources.get(source).text, source, diagnostics)?;
    Ok(Document { source, value })
}

/// Reads a SQL file.
///
/// # Errors
/// `source::unreadable`, `source::too-large`, `source::not-utf8`.
pub fn read_text(
    files: &dyn Files,
    path: &Path,
    name: &str,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<SourceId, Reported> {
    read_as(SourceKind::Text, files, path, name, sources, diagnostics)
}

fn read_as(
    kind: SourceKind,
    files: &dyn Files,
    path: &Path,
    name: &str,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<SourceId, Reported> {
    let bytes = files.read(path).map_err(|error| diagnostics.error(unreadable(name, &error)))?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(diagnostics.error(too_large(name)));
    }
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Ok(sources.add(name, text, kind))
        }
        Err(error) => Err(not_utf8(&error, name, sources, diagnostics)),
    }
}

fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    let (message, help) = match error.kind() {
        io::ErrorKind::FileTooLarge => return too_large(name),
        io::ErrorKind::NotFound => (format!("`{name}` does not exist"), "create the file, or correct the path"),
        io::ErrorKind::IsADirectory => {
            (format!("`{name}` is a folder, not a file"), "give a file's path, or use `include` with a pattern")
        }
        io::ErrorKind::PermissionDenied => {
            (format!("`{name}` may not be read: permission denied"), "give yourself the right to read the file")
        }
        _ => (format!("`{name}` cannot be read: {error}"), "check that the path names a regular file"),
    };
    Diagnostic::error(code::UNREADABLE, message).help(help)
}

fn too_large(name: &str) -> Diagnostic {
    Diagnostic::error(code::TOO_LARGE, format!("`{name}` is larger than {} MiB", MAX_FILE_BYTES >> 20))
        .help("split it into several files and `include` them, or check that the path names a spec")
}

/// Keeps the text up to the end of the line with the wrong byte, so that it can be shown.
fn not_utf8(
    error: &std::string::FromUtf8Error,
    name: &str,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Reported {
    let bytes = error.as_bytes();
    let at = error.utf8_error().valid_up_to();
    let (before, after) = bytes.split_at(at);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let byte = at - before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1) + 1;
    let wrong = after.first().copied().unwrap_or_default();
    let shown = after.iter().take(120).take_while(|byte| **byte != b'\n').count();
    let text = String::from_utf8_lossy(bytes.get(..at + shown).unwrap_or(before)).into_owned();
    let source = sources.add(name, text, SourceKind::Text);
    let help = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        "the file looks like UTF-16; save it as UTF-8"
    } else if before.contains(&0) || after.iter().take(4096).any(|byte| *byte == 0) {
        "the file looks binary; check that the path names a text file"
    } else {
        "save the file as UTF-8; such a byte is usual in Latin-1 and Windows-1252"
    };
    diagnostics.error(
        Diagnostic::error(
            code::NOT_UTF8,
            format!("`{name}` is not UTF-8: byte 0x{wrong:02X} in line {line}, byte {byte}"),
        )
        .at(raw_site(source, at..at + char::REPLACEMENT_CHARACTER.len_utf8()), "not UTF-8 from here")
        .help(help),
    )
}

/// Bytes of the file itself, for what has no pointer yet.
fn raw_site(source: SourceId, range: std::ops::Range<usize>) -> Site {
    Site::root(source).text(range)
}

#[cfg(test)]
mod tests;
