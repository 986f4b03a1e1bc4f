//! The files of a folder as they were at a git revision, without a checkout.
//!
//! In: a folder of a git repository and a revision. Out: [`Revision`], whose paths are those of the folder: what lies on
//! the disk is neither read nor written. Contents are git's own (LF, before any filter), asked for one by one of a single
//! `git cat-file`. Links within the folder are followed; submodules are not there. Needs the `git` executable.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::disk::is_skipped;
use super::{Files, MAX_FILE_BYTES};

/// Links that lead to links are followed so far, as Linux does.
const MOST_LINKS: usize = 40;

/// Why a revision cannot be read.
#[derive(Debug)]
pub enum NoRevision {
    /// There is no `git` to ask.
    NoGit,
    /// The folder is in no git repository; git's own words.
    NoRepository(String),
    /// The repository has no commit of this name.
    Unknown,
    /// Git failed; its own words.
    Failed(String),
}

/// A folder at a revision.
#[derive(Debug)]
pub struct Revision {
    folder: PathBuf,
    /// By path relative to the folder, with `/`.
    entries: BTreeMap<String, Entry>,
    /// The full id of the commit.
    pub sha: String,
    contents: RefCell<Contents>,
}

#[derive(Debug)]
struct Entry {
    object: String,
    size_bytes: u64,
    is_link: bool,
}

/// `git cat-file --batch`: an object's id in, its size and bytes out.
#[derive(Debug)]
struct Contents {
    process: Child,
    asked: Option<ChildStdin>,
    given: BufReader<ChildStdout>,
}

impl Revision {
    /// Lists `folder` at `revision`: anything that git takes for a commit.
    ///
    /// # Errors
    /// Why it cannot be read. A folder that the revision does not have is empty, and no error.
    pub fn open(folder: &Path, revision: &str) -> Result<Self, NoRevision> {
        let prefix = ask(folder, &["rev-parse", "--show-prefix"])?.map_err(NoRevision::NoRepository)?;
        // What begins with a dash is no revision, and must not be taken for an option.
        if revision.is_empty() || revision.starts_with('-') {
            return Err(NoRevision::Unknown);
        }
        let commit = format!("{revision}^{{commit}}");
        let sha = ask(folder, &["rev-parse", "--verify", "--quiet", &commit])?.map_err(|_| NoRevision::Unknown)?;
        let (prefix, sha) = (prefix.trim_end_matches('\n').to_owned(), sha.trim().to_owned());
        // Options before the revision; the folder as git spells it, not as a pattern.
        let listed = ask(folder, &["ls-tree", "-r", "-z", "-l", "--full-tree", &sha, "--", folder_of(&prefix)])?
            .map_err(NoRevision::Failed)?;
        let entries = listed.split('\0').filter_map(|line| entry(line, &prefix)).collect();
        let contents = Contents::start(folder)?;
        Ok(Revision { folder: folder.to_path_buf(), entries, sha, contents: RefCell::new(contents) })
    }

    /// The entry of a path, after links.
    fn entry(&self, path: &Path) -> io::Result<&Entry> {
        let mut relative = self.relative(path)?;
        for _ in 0..MOST_LINKS {
            let Some(entry) = self.entries.get(&relative) else {
                let below = format!("{relative}/");
                let is_folder = relative.is_empty() || self.entries.keys().any(|file| file.starts_with(&below));
                return Err(if is_folder { io::ErrorKind::IsADirectory } else { io::ErrorKind::NotFound }.into());
            };
            if !entry.is_link {
                return Ok(entry);
            }
            let target = self.contents.borrow_mut().read(entry)?;
            let target = String::from_utf8_lossy(&target).into_owned();
            let parent = Path::new(&relative).parent().unwrap_or(Path::new(""));
            relative = normal(&parent.join(target)).ok_or(io::ErrorKind::NotFound)?;
        }
        Err(io::Error::other("links lead in a circle"))
    }

    fn relative(&self, path: &Path) -> io::Result<String> {
        let relative = path.strip_prefix(&self.folder).map_err(|_| io::ErrorKind::NotFound)?;
        normal(relative).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Files for Revision {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let entry = self.entry(path)?;
        if entry.size_bytes > MAX_FILE_BYTES as u64 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.contents.borrow_mut().read(entry)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let relative = self.relative(folder)?;
        let below = if relative.is_empty() { String::new() } else { format!("{relative}/") };
        let listed = self.entries.keys().filter_map(|file| {
            let rest = file.strip_prefix(&below)?;
            let mut folders = rest.split('/').rev().skip(1);
            (!folders.any(is_skipped)).then(|| folder.join(rest))
        });
        let mut found: Vec<PathBuf> = listed.collect();
        // As paths are ordered, which is part by part.
        found.sort();
        Ok(found)
    }
}

impl Contents {
    fn start(folder: &Path) -> Result<Self, NoRevision> {
        let failed = |error: io::Error| NoRevision::Failed(error.to_string());
        let mut process = git(folder)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let asked = process.stdin.take();
        let given = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Ok(Contents { process, asked, given })
    }

    fn read(&mut self, entry: &Entry) -> io::Result<Vec<u8>> {
        let asked = self.asked.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        asked.write_all(format!("{}\n", entry.object).as_bytes())?;
        asked.flush()?;
        let mut head = String::new();
        self.given.read_line(&mut head)?;
        let size = head.trim().rsplit(' ').next().and_then(|size| size.parse::<u64>().ok());
        let size = size.ok_or_else(|| io::Error::other(format!("git does not give the object: {}", head.trim())))?;
        let mut bytes = Vec::new();
        self.given.by_ref().take(size).read_to_end(&mut bytes)?;
        self.given.read_exact(&mut [0])?;
        if bytes.len() as u64 == size { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl Drop for Contents {
    /// The process ends when nothing more can be asked.
    fn drop(&mut self) {
        drop(self.asked.take());
        drop(self.process.wait());
    }
}

/// Git in a folder, whatever repository the process itself was started for (as hooks are).
fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).stdin(Stdio::null()).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"] {
        git.env_remove(variable);
    }
    git
}

/// What git writes to stdout; or, when it fails, to stderr.
fn ask(folder: &Path, arguments: &[&str]) -> Result<Result<String, String>, NoRevision> {
    let output = git(folder).args(arguments).output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NoRevision::NoGit,
        _ => NoRevision::Failed(error.to_string()),
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr).trim().to_owned()) })
}

/// The pathspec of a prefix; that of the repository's top is `.`.
fn folder_of(prefix: &str) -> &str {
    if prefix.is_empty() { "." } else { prefix }
}

/// A line of `ls-tree -l`: mode, type, object, size, a tab, and the path.
fn entry(line: &str, prefix: &str) -> Option<(String, Entry)> {
    let (facts, path) = line.split_once('\t')?;
    let mut facts = facts.split_whitespace();
    let (mode, kind, object, size) = (facts.next()?, facts.next()?, facts.next()?, facts.next()?);
    let size_bytes = size.parse().ok()?;
    let entry = Entry { object: object.to_owned(), size_bytes, is_link: mode == "120000" };
    (kind == "blob").then_some(entry).and_then(|entry| Some((path.strip_prefix(prefix)?.to_owned(), entry)))
}

/// A relative path without `.` and `..`, with `/`; `None` if it leads out or is absolute.
fn normal(path: &Path) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_listing_is_an_entry() {
        let (path, read) = entry("100644 blob 0123abc      42\tspecs/a b/medc.yml", "specs/").expect("an entry");
        assert_eq!(
            (path.as_str(), read.object.as_str(), read.size_bytes, read.is_link),
            ("a b/medc.yml", "0123abc", 42, false)
        );
        assert!(entry("160000 commit 0123abc       -\tspecs/module", "specs/").is_none());
        assert!(entry("", "specs/").is_none());
    }

    #[test]
    fn a_path_that_leads_out_is_none() {
        assert_eq!(normal(Path::new("a/./b/../c")).as_deref(), Some("a/c"));
        assert_eq!(normal(Path::new("../c")), None);
        assert_eq!(normal(Path::new("/c")), None);
    }
}
