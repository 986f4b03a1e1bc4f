//! `medc init --ci`: the files around a project that let a team run it: a pipeline, a Makefile, a runbook, decisions.
//!
//! In: a project's folder. Out: files, rendered from the project's facts. None that exists is overwritten: without
//! `--force` nothing is written where one exists, with it only the others are. `.gitignore` gets the lines that it lacks.
//! No text of the project gets into a pipeline but names that are plain words, so there is nothing to inject.

use std::fs;
use std::path::{Path, PathBuf};

use super::arguments::{Auth, Ci};
use super::stages::Session;
use super::{Done, Failure, Outcome};

mod escape;
mod facts;

use facts::Setting;

/// A file that is written.
struct Rendered {
    root: Root,
    path: String,
    template: &'static str,
}

/// What a path is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Project,
    Repository,
}

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/ci/", $path))
    };
}

/// What `.gitignore` must leave out.
const IGNORED: &[&str] = &[".medc/", ".medc-bin/", ".databricks/", ".env", "dist/", "plan.md", "report.html"];

/// Where the files of one system go, decided before anything is written.
pub(super) struct Layout {
    ci: Ci,
    auth: Auth,
    project: PathBuf,
    repository: PathBuf,
    /// The project's folder within the repository.
    folder: String,
    files: Vec<Rendered>,
}

impl Layout {
    /// The layout for a project's folder, which exists.
    ///
    /// # Errors
    /// When the folder's path within the repository cannot stand in a pipeline, or files exist and `force` is not set.
    pub(super) fn of(folder: &Path, ci: Ci, auth: Auth, force: bool) -> Result<Self, Failure> {
        let project = folder.canonicalize().map_err(|error| stopped("find", &folder.display().to_string(), &error))?;
        let repository = project.ancestors().find(|parent| parent.join(".git").exists()).unwrap_or(&project).to_owned();
        let below = project.strip_prefix(&repository).unwrap_or(Path::new(""));
        let parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let inner = parts.join("/");
        if !inner.is_empty() && !facts::is_plain(&inner) {
            return Err(Failure::asked(
                format!("the folder `{inner}` cannot stand in a pipeline"),
                Some("rename it: letters, digits, `_`, `-` and `.` mean nothing else there".to_owned()),
            ));
        }
        let files = files(ci, parts.last().map(String::as_str));
        let layout = Layout { ci, auth, project, repository, folder: inner, files };
        let existing: Vec<String> = layout
            .files
            .iter()
            .filter(|file| layout.place(file).exists())
            .map(|file| format!("`{}`", file.path))
            .collect();
        if !existing.is_empty() && !force {
            let is = if existing.len() == 1 { "exists" } else { "exist" };
            return Err(Failure::asked(
                format!("{} {is} already", existing.join(", ")),
                Some("add `--force` to write the others beside them; no file is overwritten".to_owned()),
            ));
        }
        Ok(layout)
    }

    fn place(&self, file: &Rendered) -> PathBuf {
        match file.root {
            Root::Project => self.project.join(&file.path),
            Root::Repository => self.repository.join(&file.path),
        }
    }
}

/// Writes the files of a layout.
///
/// # Errors
/// What loading the project reports, and when a file cannot be written.
pub(super) fn write(layout: &Layout, session: &mut Session) -> Outcome {
    let pipeline_file = &layout.files.first().expect("every system has a pipeline").path;
    let setting = Setting { ci: layout.ci, auth: layout.auth, folder: &layout.folder, pipeline_file };
    let facts = facts::read(&setting, &layout.project, session)?;
    for file in &layout.files {
        let text = escape::render(&file.path, file.template, &facts);
        match super::init::write_new(&layout.place(file), &text) {
            Ok(()) => {
                session.console.say(&format!("  + {}", file.path))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                session.console.say(&format!("    {} exists, kept", file.path))?;
            }
            Err(error) => return Err(stopped("write", &file.path, &error)),
        }
    }
    if ignore(&layout.project).map_err(|error| stopped("write", ".gitignore", &error))? {
        session.console.say("  ~ .gitignore")?;
    }
    let docs = layout.project.join("docs/ci.md");
    let docs = docs.strip_prefix(&layout.repository).unwrap_or(&docs);
    session.console.hint(&format!("`{}` says what the pipeline needs once", docs.display()))?;
    if !facts.declared {
        let names: Vec<&str> = facts.stages.iter().map(|stage| stage.name.as_str()).collect();
        session.console.hint(&format!(
            "declare the environments {} with `engine: databricks` before the first deployment",
            crate::name::list(&names)
        ))?;
    }
    Ok(Done::Well)
}

/// The files of a system, the pipeline first. `folder` is the project's own where it is not the repository.
fn files(ci: Ci, folder: Option<&str>) -> Vec<Rendered> {
    let repository = |path: &str, template| Rendered { root: Root::Repository, path: path.to_owned(), template };
    let project = |path: &str, template| Rendered { root: Root::Project, path: path.to_owned(), template };
    let own = |stem: &str, ending: &str| match folder {
        Some(folder) => format!("{stem}-{folder}{ending}"),
        None => format!("{stem}{ending}"),
    };
    let mut files = match ci {
        Ci::Github => vec![
            repository(&own(".github/workflows/ci-cd", ".yml"), template!("github/ci-cd.yml")),
            repository(
                &own(".github/ISSUE_TEMPLATE/data_incident", ".yml"),
                template!("github/ISSUE_TEMPLATE/data_incident.yml"),
            ),
            repository(
                &own(".github/ISSUE_TEMPLATE/change_request", ".yml"),
                template!("github/ISSUE_TEMPLATE/change_request.yml"),
            ),
            repository(".github/pull_request_template.md", template!("pull_request.md")),
        ],
        Ci::AzureDevops => vec![
            repository(&own("azure-pipelines", ".yml"), template!("azure/azure-pipelines.yml")),
            repository(".azuredevops/pull_request_template.md", template!("pull_request.md")),
        ],
        Ci::Gitlab => vec![
            repository(".gitlab-ci.yml", template!("gitlab/gitlab-ci.yml")),
            repository(&own(".gitlab/issue_templates/data_incident", ".md"), template!("gitlab/data_incident.md")),
            repository(&own(".gitlab/issue_templates/change_request", ".md"), template!("gitlab/change_request.md")),
            repository(".gitlab/merge_request_templates/Default.md", template!("pull_request.md")),
        ],
    };
    files.extend([
        project("scripts/install-medc.sh", template!("scripts/install-medc.sh")),
        project("Makefile", template!("Makefile")),
        project(".env.example", template!("env.example")),
        project("docs/ci.md", template!("docs/ci.md")),
        project("docs/runbook/README.md", template!("docs/runbook/README.md")),
        project("docs/evidence_checklist.md", template!("docs/evidence_checklist.md")),
        project("docs/roadmap_crispdm_mlops.md", template!("docs/roadmap_crispdm_mlops.md")),
        project("docs/decisions/0000-template.md", template!("docs/decisions/0000-template.md")),
        project(
            "docs/decisions/0001-layers-and-environments.md",
            template!("docs/decisions/0001-layers-and-environments.md"),
        ),
    ]);
    files
}

/// Adds to `.gitignore` what it lacks, and says whether that was anything.
fn ignore(project: &Path) -> std::io::Result<bool> {
    let path = project.join(".gitignore");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    let known: Vec<&str> = text.lines().map(|line| line.trim().trim_matches('/')).collect();
    let missing: Vec<&str> = IGNORED.iter().copied().filter(|line| !known.contains(&line.trim_matches('/'))).collect();
    if missing.is_empty() {
        return Ok(false);
    }
    let additions = missing.join("\n");
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    fs::write(&path, format!("{text}{end}{additions}\n"))?;
    Ok(true)
}

fn stopped(doing: &str, what: &str, error: &std::io::Error) -> Failure {
    Failure::Stopped { message: format!("cannot {doing} `{what}`: {error}") }
}
