//! The two places that files come from: the disk, and memory for tests.
//!
//! Reading never blocks and never takes more than the limit: what is not a regular file is refused before it is opened
//! (a FIFO would wait for a writer, a device never ends), and at most one byte above the limit is read. Listing does not
//! follow links to folders, so it ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Files, MAX_FILE_BYTES};

/// Folders that hold what tools made, never specs.
const SKIPPED_FOLDERS: &[&str] = &["target", "node_modules", "__pycache__", "venv"];

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file (a device, pipe or socket)"));
        }
        if metadata.len() > MAX_FILE_BYTES as u64 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
        File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(current) = folders.pop() {
            for entry in fs::read_dir(&current)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    if !is_skipped(&entry.file_name().to_string_lossy()) {
                        folders.push(entry.path());
                    }
                } else if kind.is_file() || fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Files that exist only in a test.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Memory {
    /// Files from paths and their texts.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Memory {
            files: files.into_iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect(),
        }
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if let Some(bytes) = self.files.get(path) {
            return Ok(bytes.clone());
        }
        let is_folder = self.files.keys().any(|file| file.starts_with(path));
        Err(if is_folder { io::ErrorKind::IsADirectory.into() } else { io::ErrorKind::NotFound.into() })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let listed = |path: &&PathBuf| {
            path.strip_prefix(folder).is_ok_and(|below| {
                let folders = below.parent().map(Path::components).into_iter().flatten();
                !folders.into_iter().any(|part| is_skipped(&part.as_os_str().to_string_lossy()))
            })
        };
        Ok(self.files.keys().filter(listed).cloned().collect())
    }
}

/// Whether a folder's files are left out of listings.
pub(super) fn is_skipped(folder: &str) -> bool {
    folder.starts_with('.') || SKIPPED_FOLDERS.contains(&folder)
}
