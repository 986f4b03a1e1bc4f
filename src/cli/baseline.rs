//! What contracts are compared with: the project at a git revision, in an environment, or elsewhere.
//!
//! In: the words of the command line. Out: a [`Side`]. A side's own findings are not the session's: of a project that
//! cannot be read only the first is told, by `compatibility::baseline`. A revision is read from git's objects; neither the
//! work tree nor the index is touched.

use std::path::{Path, PathBuf};

use super::Failure;
use super::stages::{Loaded, Session};
use crate::check;
use crate::compatibility::{self, Promises, Readers};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, code};
use crate::graph;
use crate::name;
use crate::project;
use crate::report;
use crate::resolve;
use crate::source::memo::Memo;
use crate::source::{Disk, Files, Memory, NoRevision, Revision, Sources};

/// What a word of the command line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// The project as it is.
    Now,
    Environment(String),
    Path(PathBuf),
    Revision(String),
}

/// Contracts to compare.
pub(super) struct Side {
    /// For people, e.g. `HEAD~1`.
    pub(super) title: String,
    pub(super) promises: Promises,
}

impl Named {
    /// An explicit meaning, else the first of `environments` (names), the disk and git that may have it.
    fn of(word: &str, environments: &[String]) -> Self {
        let after = |prefix: &str| word.strip_prefix(prefix).map(str::to_owned);
        if let Some(environment) = after("env:") {
            return Named::Environment(environment);
        }
        if let Some(path) = after("path:") {
            return Named::Path(path.into());
        }
        if let Some(revision) = after("rev:") {
            return Named::Revision(revision);
        }
        if environments.iter().any(|environment| name::same(environment, word)) {
            return Named::Environment(word.to_owned());
        }
        let path = Path::new(word);
        if path.exists() { Named::Path(path.to_path_buf()) } else { Named::Revision(word.to_owned()) }
    }

    /// The word's kind, for machines.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Named::Now => "project",
            Named::Environment(_) => "environment",
            Named::Path(_) => "path",
            Named::Revision(_) => "revision",
        }
    }

    /// For people.
    pub(super) fn title(&self) -> String {
        match self {
            Named::Now => "now".to_owned(),
            Named::Environment(name) => format!("env:{name}"),
            Named::Path(path) => path.display().to_string(),
            Named::Revision(revision) => revision.clone(),
        }
    }
}

impl Session {
    /// What a word means in this project.
    pub(super) fn meaning(&self, word: &str) -> Named {
        Named::of(word, &self.environments())
    }

    /// Loads the project and holds its contracts to what they promised at `baseline`.
    ///
    /// # Errors
    /// What loading reports, `compatibility::baseline`, and a baseline that does not exist.
    pub(super) fn load_against(&mut self, baseline: &str) -> Result<Loaded, Failure> {
        let named = Named::of(baseline, &[]);
        let mut promises = None;
        let loaded = self.load_and(|resolved| {
            promises = Some(Promises::of(resolved, None, &mut Diagnostics::new()));
        });
        // A query that does not type may be what the change of a contract broke: both are told.
        let Some(mut promises) = promises else { return Ok(loaded?.0) };
        if let Ok((loaded, ())) = &loaded {
            promises.readers = Readers::of(&loaded.checked);
        }
        match self.side(&named)? {
            Some(Side { title, promises: former }) => {
                let comparison = compatibility::compare(&former, &promises);
                compatibility::report(&comparison, &format!("`{title}`"), &mut self.diagnostics);
            }
            None => self.diagnostics.warn(
                Diagnostic::warning(code::BASELINE, format!("there is no project at `{}`", named.title()))
                    .note("its contracts are new, so none of them can break a promise")
                    .help("name a later revision once the project is there"),
            ),
        }
        Ok(loaded?.0)
    }

    /// The contracts that are meant; `None` for a revision that does not have the project.
    ///
    /// # Errors
    /// `compatibility::baseline`, `project::not-found`, and what does not exist.
    pub(super) fn side(&mut self, named: &Named) -> Result<Option<Side>, Failure> {
        let title = named.title();
        let read = match named {
            Named::Now | Named::Environment(_) => {
                let folder = self.find_project()?;
                let mut settings = self.settings(&folder);
                if let Named::Environment(environment) = named {
                    settings.environment = Some(environment.clone());
                }
                read(&Disk, &folder, settings)
            }
            Named::Path(path) => {
                let folder = match path.file_name() {
                    Some(file) if file == project::PROJECT_FILE => path.parent().map(Path::to_path_buf),
                    Some(_) | None => path.is_dir().then(|| path.clone()),
                };
                match folder {
                    Some(folder) if folder.join(project::PROJECT_FILE).is_file() => {
                        read(&Disk, &folder, self.settings(&folder))
                    }
                    Some(_) => return Err(no_project(path)),
                    None if path.is_file() => read_file(path, self.settings(Path::new("."))),
                    None => return Err(Failure::asked(format!("there is no `{}`", path.display()), None)),
                }
            }
            Named::Revision(revision) => {
                let folder = self.find_project()?;
                let files = Revision::open(&folder, revision).map_err(|why| self.no_revision(revision, why))?;
                if files.read(&folder.join(project::PROJECT_FILE)).is_err() {
                    return Ok(None);
                }
                read(&files, &folder, self.settings(&folder))
            }
        };
        match read {
            Ok(promises) if promises.contracts.is_empty() && promises.bindings.is_none() => {
                Err(Failure::asked(format!("`{title}` has no `contracts`"), None))
            }
            Ok(promises) => Ok(Some(Side { title, promises })),
            Err((diagnostics, sources)) => Err(self.unreadable(named, &diagnostics, &sources).into()),
        }
    }

    /// The names of the project's environments; none where there is no project.
    fn environments(&self) -> Vec<String> {
        let Some(folder) = self.project_folder() else { return Vec::new() };
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        let loaded = project::load(&Disk, &folder, &mut Memo::default(), &mut sources, &mut diagnostics);
        loaded.map(|project| project.environments.keys().cloned().collect()).unwrap_or_default()
    }

    fn unreadable(&mut self, named: &Named, diagnostics: &Diagnostics, sources: &Sources) -> Reported {
        let title = named.title();
        let n = diagnostics.n_errors();
        let errors = super::ui::count(n as u64, "error");
        let mut found = Diagnostic::error(code::BASELINE, format!("`{title}` cannot be compared: it has {errors}"));
        found.note = report::short(diagnostics, sources).lines().next().map(str::to_owned);
        let help = match named {
            Named::Now | Named::Environment(_) => "`medc validate` shows all; correct them first".to_owned(),
            Named::Path(_) => "correct the project there, or compare with another".to_owned(),
            Named::Revision(_) => "compare with a revision whose project can be read; what it needs of the process \
                 (variables, `--var`) is needed here, too"
                .to_owned(),
        };
        self.diagnostics.error(found.help(help))
    }

    fn no_revision(&self, word: &str, why: NoRevision) -> Failure {
        match why {
            NoRevision::NoGit => Failure::asked(
                format!("git is needed to read the revision `{word}`, and there is no `git` to run"),
                Some("install git, or compare with a folder".to_owned()),
            ),
            NoRevision::NoRepository(words) => Failure::asked(
                format!("`{word}` is no environment and no path, and the project is in no git repository: {words}"),
                None,
            ),
            NoRevision::Unknown => {
                let environments = self.environments();
                let near = name::nearest(word, environments.iter().map(String::as_str));
                let help = near.map_or_else(
                    || {
                        "look with `git log --oneline` or `git branch -a`; where a clone is shallow, as in many CI \
                         systems, fetch the revision first"
                            .to_owned()
                    },
                    |near| format!("did you mean `env:{near}`?"),
                );
                Failure::asked(format!("`{word}` is no environment, no path and no git revision"), Some(help))
            }
            NoRevision::Failed(words) => {
                Failure::Stopped { message: format!("git cannot read the revision `{word}`: {words}") }
            }
        }
    }
}

fn no_project(path: &Path) -> Failure {
    Failure::asked(
        format!("there is no `{}` in `{}`", project::PROJECT_FILE, path.display()),
        Some("name a project's folder, or a file with `contracts`; for a git revision write `rev:NAME`".to_owned()),
    )
}

/// The contracts of a project, or why there are none.
fn read(files: &dyn Files, folder: &Path, mut settings: resolve::Settings) -> Result<Promises, (Diagnostics, Sources)> {
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let promises = project::load(files, folder, &mut Memo::default(), &mut sources, &mut diagnostics)
        .and_then(|project| {
            // A variable may be younger than the project that is read.
            settings.variables.retain(|(variable, _)| project.variables.contains_key(variable));
            resolve::resolve(project, files, &settings, &mut sources, &mut diagnostics)
        })
        .and_then(|resolved| {
            // Only who reads what is lost where the queries do not type.
            let mut ignored = Diagnostics::new();
            let checked = graph::build(&resolved, &mut Memo::default(), &mut ignored)
                .and_then(|graph| check::check(graph, &mut ignored))
                .ok();
            let promises = Promises::of(&resolved, checked.as_ref(), &mut diagnostics);
            diagnostics.stop_on_error().map(|()| promises)
        });
    promises.map_err(|_| (diagnostics, sources))
}

/// A project around a file of contracts.
const AROUND: &str = "project: {name: contracts}\n\
    include: [contracts.yml]\n\
    environments: {contract_file: {default: true, engine: local, warehouse: .}}\n";

/// The contracts of a file; of what else it holds only the variables matter.
fn read_file(path: &Path, mut settings: resolve::Settings) -> Result<Promises, (Diagnostics, Sources)> {
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let shown = path.display().to_string();
    let document = crate::source::read(&Disk, path, &shown, &mut sources, &mut diagnostics)
        .and_then(|document| {
            crate::schema::validate(document, crate::schema::Form::Project, &sources, &mut diagnostics)
        })
        .map(|valid| valid.document);
    let Ok(mut document) = document else { return Err((diagnostics, sources)) };
    if let Some(members) = document.value.as_object_mut() {
        members.retain(|key, _| matches!(key.as_str(), "contracts" | "variables"));
    }
    let text = document.value.to_string();
    let files = Memory::new([(project::PROJECT_FILE, AROUND), ("contracts.yml", &text)]);
    settings.environment = None;
    read(&files, Path::new(""), settings).map(Promises::without_tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_an_environment_then_a_path_then_a_revision() {
        let environments = ["dev".to_owned()];
        let of = |word| Named::of(word, &environments);
        assert_eq!(of("dev"), Named::Environment("dev".to_owned()));
        assert_eq!(of("src"), Named::Path("src".into()));
        assert_eq!(of("HEAD~1"), Named::Revision("HEAD~1".to_owned()));
        assert_eq!(of("rev:dev"), Named::Revision("dev".to_owned()));
        assert_eq!(of("path:dev"), Named::Path("dev".into()));
        assert_eq!(of("env:prod"), Named::Environment("prod".to_owned()));
    }
}
