//! A project in a temporary folder, and `medc` run on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The package's folder.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder that is removed at the end, with files in it.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

/// What a run of `medc` gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Project {
    pub(crate) fn empty() -> Self {
        Project { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A copy of a folder, files only.
    pub(crate) fn copy_of(source: &Path) -> Self {
        let project = Project::empty();
        for file in files_below(source) {
            let relative = file.strip_prefix(source).expect("a file below it");
            let bytes = std::fs::read(&file).expect("a readable file");
            project.write_bytes(&relative.to_string_lossy(), &bytes);
        }
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        self.write_bytes(relative, text.as_bytes());
    }

    pub(crate) fn write_bytes(&self, relative: &str, bytes: &[u8]) {
        let path = self.path().join(relative);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a new folder");
        std::fs::write(path, bytes).expect("a new file");
    }

    pub(crate) fn read(&self, relative: &str) -> String {
        std::fs::read_to_string(self.path().join(relative)).expect("a readable file")
    }

    /// Runs `medc ARGUMENTS` in the folder, without the caller's medc-related process variables.
    pub(crate) fn medc(&self, arguments: &[&str]) -> Run {
        self.medc_with(arguments, &[])
    }

    pub(crate) fn medc_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let output = Command::new(env!("CARGO_BIN_EXE_medc"))
            .args(arguments)
            .current_dir(self.path())
            .env_remove("RAW_SALES_PATH")
            .env_remove("PIPELINE_CONFIG_PATH")
            .env("NO_COLOR", "1")
            .envs(variables.iter().copied())
            .output()
            .expect("medc runs");
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The findings of `medc validate`.
    pub(crate) fn findings(&self) -> Vec<Value> {
        let run = self.medc(&["validate", "--format", "json"]);
        let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        report["diagnostics"].as_array().expect("a list of diagnostics").clone()
    }
}

/// `file:line:column` of a finding's primary place, or nothing.
pub(crate) fn place(finding: &Value) -> String {
    let label = &finding["labels"][0];
    match label["file"].as_str() {
        Some(file) => format!("{file}:{}:{}", label["line"], label["column"]),
        None => String::new(),
    }
}

/// All files below a folder, sorted.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(&next).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            // A warehouse is what a run makes, never part of a project.
            if path.ends_with(".medc") {
                continue;
            }
            if path.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
