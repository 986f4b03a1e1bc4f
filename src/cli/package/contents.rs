//! Which files of a project are packed.
//!
//! In: its folder. Out: paths with `/`, sorted by their bytes, each a regular file below the folder; and what stands in the
//! way. What `.gitignore` files name is left out, up to the repository's own; a user's global ignore file is not asked,
//! since it differs between machines.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ignore::{DirEntry, WalkBuilder};
use regex::bytes::RegexSet;

/// What is packed, and what is in the way.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<String>,
    /// `.env` files, which are left out.
    pub(super) environments: Vec<String>,
    pub(super) links: Vec<String>,
    pub(super) secrets: Vec<String>,
    pub(super) unnamable: Vec<String>,
}

/// Folders and files that tools make.
const LEFT_OUT: &[&str] = &[
    ".DS_Store",
    ".databricks",
    ".git",
    ".hg",
    ".idea",
    ".ipynb_checkpoints",
    ".medc",
    ".medc-bin",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    ".venv",
    ".vscode",
    "Thumbs.db",
    "__pycache__",
    "dist",
    "node_modules",
    "target",
    "venv",
];

/// Names of files that hold credentials.
const SECRET_NAMES: &[&str] =
    &[".databrickscfg", ".netrc", "_netrc", ".pgpass", ".pypirc", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa"];
const SECRET_ENDINGS: &[&str] = &["jks", "key", "keystore", "p12", "pem", "pfx"];

/// Files of variables that are meant to be shared.
const SHARED_ENVIRONMENTS: &[&str] = &[".env.dist", ".env.example", ".env.sample", ".env.template"];

/// Texts that are credentials wherever they stand.
static SECRETS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new([
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        // Tokens of Databricks, and of its service principals.
        r"\bdapi[0-9a-f]{32}\b",
        r"\bdose[0-9a-f]{32}\b",
        r"\bAKIA[0-9A-Z]{16}\b",
        r"\bgh[pousr]_[0-9A-Za-z]{36}\b",
        r"\bglpat-[0-9A-Za-z_-]{20}",
    ])
    .expect("patterns of ours")
});

/// Looks through a project's folder. `tables` are folders of tables, `output` the file that is to be written.
///
/// # Errors
/// When a folder or file cannot be read.
pub(super) fn find(folder: &Path, tables: &[PathBuf], output: &Path) -> io::Result<Found> {
    let tables: Vec<PathBuf> = tables.iter().map(|path| normal(path)).collect();
    let output = normal(output);
    let is_packed = move |entry: &DirEntry| {
        let path = normal(entry.path());
        let name = entry.file_name().to_string_lossy();
        let is_left_out = entry.depth() > 0 && (LEFT_OUT.contains(&name.as_ref()) || name.ends_with(".pyc"));
        !is_left_out && !tables.contains(&path) && path != output
    };
    // Ignore files of parent folders count only within a repository: further up they belong to somebody else.
    let absolute = folder.canonicalize()?;
    let in_repository = absolute.ancestors().any(|parent| parent.join(".git").exists());
    let walk = WalkBuilder::new(folder)
        .standard_filters(false)
        .git_ignore(true)
        .require_git(false)
        .parents(in_repository)
        .filter_entry(is_packed)
        .build();
    let mut found = Found::default();
    for entry in walk {
        let entry = entry.map_err(io::Error::other)?;
        found.sort_in(folder, &entry)?;
    }
    for paths in [&mut found.files, &mut found.environments, &mut found.links, &mut found.secrets, &mut found.unnamable]
    {
        paths.sort();
    }
    Ok(found)
}

impl Found {
    fn sort_in(&mut self, folder: &Path, entry: &DirEntry) -> io::Result<()> {
        let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let path = parts.join("/");
        let Some(kind) = entry.file_type().filter(|_| !path.is_empty()) else { return Ok(()) };
        let name = parts.last().map(String::as_str).unwrap_or_default();
        if kind.is_symlink() {
            self.links.push(path);
        } else if below.to_str().is_none() || name.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) {
            self.unnamable.push(path);
        } else if kind.is_dir() {
        } else if is_environment(name) {
            self.environments.push(path);
        } else if !kind.is_file() {
            self.links.push(path);
        } else if is_secret(name) || SECRETS.is_match(&fs::read(entry.path())?) {
            self.secrets.push(path);
        } else {
            self.files.push(path);
        }
        Ok(())
    }
}

/// Whether a file of this name holds a machine's own variables.
fn is_environment(name: &str) -> bool {
    (name == ".env" || name.starts_with(".env.")) && !SHARED_ENVIRONMENTS.contains(&name)
}

fn is_secret(name: &str) -> bool {
    let lower = name.to_lowercase();
    let ending = Path::new(&lower).extension().map(|ending| ending.to_string_lossy().into_owned()).unwrap_or_default();
    SECRET_NAMES.contains(&lower.as_str()) || SECRET_ENDINGS.contains(&ending.as_str())
}

/// A path without links and dots; one that does not exist as far as its parents do.
fn normal(path: &Path) -> PathBuf {
    let resolved = || {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(parent.canonicalize().ok()?.join(path.file_name()?))
    };
    resolved().unwrap_or_else(|| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_name_and_by_text() {
        assert!(is_environment(".env") && is_environment(".env.prod") && !is_environment(".env.example"));
        assert!(is_secret("server.PEM") && is_secret(".databrickscfg") && !is_secret("keys.yml"));
        let token = format!("token: dapi{}", "0a".repeat(16));
        assert!(SECRETS.is_match(token.as_bytes()));
        assert!(!SECRETS.is_match(b"DATABRICKS_TOKEN_PROD, dapi, -----BEGIN CERTIFICATE-----"));
    }
}
