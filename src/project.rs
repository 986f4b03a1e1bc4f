//! Stage 3: all files of a project as one namespace.
//!
//! In: the project's folder. Out: [`Project`], every entity's value with the site where it is declared, each name once
//! without regard to case, and all that `include` names read. Nothing is merged, replaced or typed yet. Files are read
//! in the order of the patterns, and by path within one, so that the same folder always gives the same project.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use indexmap::IndexMap;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, SourceId, code};
use crate::name;
use crate::schema::{self, Form};
use crate::source::memo::{self, Memo};
use crate::source::{self, Document, Files, Sources};

/// The name of a project's first file.
pub const PROJECT_FILE: &str = "medc.yml";

/// A project as declared.
#[derive(Debug, Clone)]
pub struct Project {
    pub dir: PathBuf,
    /// `medc.yml`.
    pub root: SourceId,
    pub header: Declared,
    pub variables: IndexMap<String, Declared>,
    pub environments: IndexMap<String, Declared>,
    pub layers: IndexMap<String, Declared>,
    pub tables: IndexMap<String, Declared>,
    pub contracts: IndexMap<String, Declared>,
    pub datasets: Option<Declared>,
    pub checkpoints: Option<Declared>,
    pub bundle: Option<Declared>,
    pub jobs: IndexMap<String, Declared>,
    pub channels: IndexMap<String, Declared>,
    pub compute: IndexMap<String, Declared>,
    /// By type, then by key.
    pub resources: IndexMap<String, IndexMap<String, Declared>>,
}

/// An entity's value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    pub value: Value,
    pub site: Site,
}

/// The nearest folder from `start` upwards that has a `medc.yml`.
pub fn find(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()).map(Path::to_path_buf)
}

/// Reads `medc.yml` in `dir` and all that it includes. `memo` keeps the values of files that were found valid.
///
/// # Errors
/// `project::*`, and what reading and validating the files reports.
pub fn load(
    files: &dyn Files,
    dir: &Path,
    memo: &mut Memo,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Project, Reported> {
    let document = read_valid(files, &dir.join(PROJECT_FILE), PROJECT_FILE, memo, sources, diagnostics)?;
    let root = document.source;
    let Value::Object(mut members) = document.value else {
        return Err(missing_header(root, diagnostics));
    };
    let Some(header) = members.shift_remove("project") else {
        return Err(missing_header(root, diagnostics));
    };
    let mut project = Project {
        dir: dir.to_path_buf(),
        root,
        header: Declared { value: header, site: Site::root(root).member("project") },
        variables: IndexMap::new(),
        environments: IndexMap::new(),
        layers: IndexMap::new(),
        tables: IndexMap::new(),
        contracts: IndexMap::new(),
        datasets: None,
        checkpoints: None,
        bundle: None,
        jobs: IndexMap::new(),
        channels: IndexMap::new(),
        compute: IndexMap::new(),
        resources: IndexMap::new(),
    };
    let mut waiting = includes(&members, root);
    project.absorb(members, root, diagnostics);
    let mut read: BTreeSet<PathBuf> = BTreeSet::from([dir.join(PROJECT_FILE)]);
    while let Some((pattern, site)) = waiting.pop() {
        for path in matching(files, dir, &pattern, &site, diagnostics) {
            if !read.insert(path.clone()) {
                continue;
            }
            let shown = shown_path(dir, &path);
            let Ok(document) = read_valid(files, &path, &shown, memo, sources, diagnostics) else { continue };
            let id = document.source;
            if let Value::Object(members) = document.value {
                waiting.extend(includes(&members, id));
                project.absorb(members, id, diagnostics);
            }
        }
    }
    diagnostics.stop_on_error()?;
    Ok(project)
}

/// A project file that keeps the schema. A text that an earlier run found valid is not composed again.
fn read_valid(
    files: &dyn Files,
    path: &Path,
    shown: &str,
    memo: &mut Memo,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Result<Document, Reported> {
    let source = source::open(files, path, shown, sources, diagnostics)?;
    let key = memo::key(&["project file", env!("CARGO_PKG_VERSION"), &sources.get(source).text]);
    if let Some(value) = memo.find(&key).and_then(|bytes| serde_json::from_slice(bytes).ok()) {
        return Ok(Document { source, value });
    }
    let n_findings = diagnostics.n_errors() + diagnostics.n_warnings();
    let document = source::compose(source, sources, diagnostics)?;
    let document = schema::validate(document, Form::Project, sources, diagnostics)?.document;
    if diagnostics.n_errors() + diagnostics.n_warnings() == n_findings
        && let Ok(bytes) = serde_json::to_vec(&document.value)
    {
        memo.remember(key, bytes);
    }
    Ok(document)
}

impl Project {
    /// Takes over a file's entities.
    fn absorb(&mut self, members: serde_json::Map<String, Value>, id: SourceId, diagnostics: &mut Diagnostics) {
        let root = Site::root(id);
        for (key, value) in members {
            let site = root.member(&key);
            let (kind, namespace) = match key.as_str() {
                "variables" => ("variable", &mut self.variables),
                "environments" => ("environment", &mut self.environments),
                "layers" => ("layer", &mut self.layers),
                "tables" => ("table", &mut self.tables),
                "contracts" => ("contract", &mut self.contracts),
                "jobs" => ("job", &mut self.jobs),
                "channels" => ("channel", &mut self.channels),
                "compute" => ("compute", &mut self.compute),
                "resources" => {
                    let Value::Object(types) = value else { continue };
                    for (resource_type, value) in types {
                        let site = site.member(&resource_type);
                        let Value::Object(entities) = value else { continue };
                        let namespace = self.resources.entry(resource_type).or_default();
                        absorb_entities(namespace, entities, "resource", &site, diagnostics);
                    }
                    continue;
                }
                "bundle" => {
                    declare_once(&mut self.bundle, value, site, "bundle", diagnostics);
                    continue;
                }
                "datasets" => {
                    declare_once(&mut self.datasets, value, site, "datasets", diagnostics);
                    continue;
                }
                "checkpoints" => {
                    declare_once(&mut self.checkpoints, value, site, "checkpoints", diagnostics);
                    continue;
                }
                "project" => {
                    diagnostics.error(
                        Diagnostic::error(code::DUPLICATE_NAME, "`project` stands in two files")
                            .at(site.key(), "here again")
                            .at(self.header.site.clone().key(), "the project's own")
                            .help(format!("keep it in `{PROJECT_FILE}` only")),
                    );
                    continue;
                }
                // `include` was followed; the schema let nothing else through.
                _ => continue,
            };
            if let Value::Object(entities) = value {
                absorb_entities(namespace, entities, kind, &site, diagnostics);
            }
        }
    }
}

fn absorb_entities(
    namespace: &mut IndexMap<String, Declared>,
    entities: serde_json::Map<String, Value>,
    kind: &str,
    site: &Site,
    diagnostics: &mut Diagnostics,
) {
    for (name, value) in entities {
        let declared = Declared { value, site: site.member(&name) };
        let case_counts = matches!(kind, "variable" | "job" | "channel" | "compute" | "resource");
        let key = if case_counts { name.clone() } else { name.to_lowercase() };
        if let Some(first) = namespace.get(&key) {
            diagnostics.error(
                Diagnostic::error(code::DUPLICATE_NAME, format!("the {kind} `{name}` is declared twice"))
                    .at(declared.site.key(), "here again")
                    .at(first.site.clone().key(), "first here")
                    .help("rename or remove one of them"),
            );
            continue;
        }
        namespace.insert(key, declared);
    }
}

fn declare_once(slot: &mut Option<Declared>, value: Value, site: Site, what: &str, diagnostics: &mut Diagnostics) {
    if let Some(first) = slot {
        diagnostics.error(
            Diagnostic::error(code::DUPLICATE_NAME, format!("`{what}` stands in two files"))
                .at(site.key(), "here again")
                .at(first.site.clone().key(), "first here"),
        );
        return;
    }
    *slot = Some(Declared { value, site });
}

fn missing_header(root: SourceId, diagnostics: &mut Diagnostics) -> Reported {
    diagnostics.error(
        Diagnostic::error(code::MISSING_KEY, "`project` is missing")
            .at(Site::root(root), "")
            .help("begin the file with `project: {name: my_project}`"),
    )
}

/// The include patterns of a file, last first, so that popping gives them in order.
fn includes(members: &serde_json::Map<String, Value>, id: SourceId) -> Vec<(String, Site)> {
    let Some(Value::Array(patterns)) = members.get("include") else { return Vec::new() };
    let site = Site::root(id).member("include");
    let written = patterns.iter().enumerate().rev();
    written.filter_map(|(index, pattern)| Some((pattern.as_str()?.to_owned(), site.element(index)))).collect()
}

/// The files that an include pattern names, sorted.
pub(crate) fn matching(
    files: &dyn Files,
    dir: &Path,
    pattern: &str,
    site: &Site,
    diagnostics: &mut Diagnostics,
) -> Vec<PathBuf> {
    let wrong = |message: String| Diagnostic::error(code::INCLUDE_PATTERN, message).at(site.clone(), "");
    if Path::new(pattern).is_absolute() || pattern.split(['/', '\\']).any(|part| part == "..") {
        diagnostics.error(
            wrong(format!("`{pattern}` leaves the project's folder"))
                .help("keep the project's files below its folder and name them relative to it"),
        );
        return Vec::new();
    }
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let glob = match GlobBuilder::new(pattern).literal_separator(true).build() {
        Ok(glob) => glob.compile_matcher(),
        Err(error) => {
            diagnostics.error(wrong(format!("`{pattern}` is no glob: {}", error.kind())));
            return Vec::new();
        }
    };
    let listed = files.list(&dir.join(literal_folder(pattern))).unwrap_or_default();
    let found: Vec<PathBuf> = listed.iter().filter(|path| glob.is_match(shown_path(dir, path))).cloned().collect();
    if found.is_empty() {
        let mut nothing = Diagnostic::error(code::INCLUDE_NOTHING, format!("`{pattern}` matches no file"))
            .at(site.clone(), "nothing there");
        let everything = files.list(dir).unwrap_or_default();
        let project_files: Vec<String> = everything
            .iter()
            .map(|path| shown_path(dir, path))
            .filter(|path| [".yml", ".yaml", ".json"].iter().any(|ending| path.ends_with(ending)))
            .take(1000)
            .collect();
        if let Some(near) = name::nearest(pattern, project_files.iter().map(String::as_str)) {
            nothing = nothing.help(format!("did you mean `{near}`?")).fix(near);
        } else {
            nothing = nothing.help("correct the pattern, or remove it; it is relative to the project's folder");
        }
        diagnostics.error(nothing);
    }
    found
}

/// The part of a pattern before its first glob character, as a folder.
fn literal_folder(pattern: &str) -> &str {
    let literal = pattern.find(['*', '?', '[', '{']).map_or(pattern, |end| &pattern[..end]);
    literal.rfind('/').map_or("", |end| &literal[..end])
}

/// A path as it is shown: relative to the project's folder, with `/`.
pub fn shown_path(dir: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(dir).unwrap_or(path);
    relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
