//! Files and folders of the project that a passed-through resource names.
//!
//! In: a resource in the bundle's own format. Out: where in it they stand, and their paths relative to the project's folder. What lies in
//! the workspace, in a volume or in a repository is none of them.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde_json::{Map, Value};

use super::PassedThrough;
use super::deployment::read_file;
use crate::diagnostic::{Diagnostic, Diagnostics, Site, code};
use crate::project::shown_path;
use crate::source::Files;

/// A path that a resource names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPath {
    /// Its place in the resource.
    pub pointer: String,
    /// Relative to the project's folder, with `/`.
    pub path: String,
    /// Whether it is a folder, or a pattern of all that is in one.
    pub is_folder: bool,
}

impl OwnPath {
    /// The file, or the folder without a pattern.
    pub fn root(&self) -> &str {
        let path = if self.is_folder { self.path.split('*').next().unwrap_or_default() } else { &self.path };
        path.trim_end_matches('/')
    }
}

/// The paths of the project that a resource names, in its order.
pub fn own_paths(resource_type: &str, body: &Map<String, Value>) -> Vec<OwnPath> {
    let mut found = Vec::new();
    let mut add = |pointer: String, value: Option<&Value>, is_folder: bool| {
        let Some(path) = value.and_then(Value::as_str).filter(|path| is_own(path)) else { return };
        let path = path.trim_start_matches("./").to_owned();
        found.push(OwnPath { pointer, path, is_folder });
    };
    match resource_type {
        "dashboards" | "alerts" | "genie_spaces" => add("/file_path".to_owned(), body.get("file_path"), false),
        "apps" => add("/source_code_path".to_owned(), body.get("source_code_path"), true),
        "pipelines" => {
            add("/root_path".to_owned(), body.get("root_path"), true);
            let libraries = body.get("libraries").and_then(Value::as_array).into_iter().flatten();
            for (place, library) in libraries.enumerate() {
                for (key, is_folder) in [("notebook/path", false), ("file/path", false), ("glob/include", true)] {
                    add(format!("/libraries/{place}/{key}"), library.pointer(&format!("/{key}")), is_folder);
                }
            }
        }
        "jobs" if body.get("git_source").is_none() => {
            let tasks = body.get("tasks").and_then(Value::as_array).into_iter().flatten();
            for (place, task) in tasks.enumerate() {
                for within in ["", "/for_each_task/task"] {
                    let keys = [
                        ("notebook_task/notebook_path", false),
                        ("spark_python_task/python_file", false),
                        ("sql_task/file/path", false),
                        ("dbt_task/project_directory", true),
                    ];
                    for (key, is_folder) in keys {
                        let pointer = format!("{within}/{key}");
                        add(format!("/tasks/{place}{pointer}"), task.pointer(&pointer), is_folder);
                    }
                }
            }
        }
        _ => {}
    }
    found
}

fn is_own(path: &str) -> bool {
    !path.is_empty() && !path.starts_with(['/', '~']) && !path.contains("${") && !path.contains(':')
}

/// Reads what a resource names. A folder is all that is in it.
pub(super) fn read(
    resource: &PassedThrough,
    dir: &Path,
    files: &dyn Files,
    texts: &mut BTreeMap<String, Option<String>>,
    diagnostics: &mut Diagnostics,
) {
    for own in own_paths(&resource.resource_type, &resource.body) {
        let site = resource.origin.site(&own.pointer);
        if own.is_folder {
            read_folder(own.root(), &site, dir, files, texts, diagnostics);
        } else {
            let path = own.path.clone();
            texts.entry(own.path).or_insert_with(|| read_file(&path, site, dir, files, diagnostics).ok());
        }
    }
}

/// Reads all that is in a folder.
pub(super) fn read_folder(
    folder: &str,
    site: &Site,
    dir: &Path,
    files: &dyn Files,
    texts: &mut BTreeMap<String, Option<String>>,
    diagnostics: &mut Diagnostics,
) {
    let is_below = Path::new(folder).components().all(|part| matches!(part, Component::Normal(_)));
    let listed = if is_below { files.list(&dir.join(folder)).unwrap_or_default() } else { Vec::new() };
    if listed.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::TASK_FILE, format!("there are no files in `{folder}`"))
                .at(site.clone(), "")
                .help("create them, or correct the path; it is relative to the project's folder and below it"),
        );
    }
    for file in listed {
        let path = shown_path(dir, &file);
        let read = || read_file(&path, site.clone(), dir, files, diagnostics).ok();
        texts.entry(path.clone()).or_insert_with(read);
    }
}
