//! The stages in a row, as every command needs them: from a folder to the checked graph.
//!
//! In: the global options. Out: [`Loaded`], or the proof that the session's diagnostics say why not. A session keeps the
//! sources and findings of one command, and how long each stage took; findings are shown once, at the end or when a
//! command asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Failure;
use super::arguments::Global;
use super::memory::Memory;
use super::ui::Console;
use crate::check::{self, Checked};
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, Site, code};
use crate::engines::local;
use crate::graph::{self, Graph, select};
use crate::ir::{Body, NodeId};
use crate::name::TableName;
use crate::plan;
use crate::project;
use crate::report;
use crate::resolve::{self, Environment, Place, Resolved};
use crate::schema;
use crate::source::{Disk, Sources};
use crate::state::{self, State, Warehouse};

/// One run of a command.
pub(super) struct Session {
    pub(super) console: Console,
    pub(super) sources: Sources,
    pub(super) diagnostics: Diagnostics,
    pub(super) timings: Vec<(&'static str, Duration)>,
    /// The commit that is checked out, once a project is loaded.
    pub(super) git_sha: Option<String>,
    pub(super) global: Global,
    /// Set when the findings were written already.
    shown: bool,
}

/// A project that has no errors.
pub(super) struct Loaded {
    pub(super) resolved: Resolved,
    pub(super) checked: Checked,
}

impl Session {
    pub(super) fn new(console: Console, global: Global) -> Self {
        Session {
            console,
            sources: Sources::default(),
            diagnostics: Diagnostics::new(),
            timings: Vec::new(),
            git_sha: None,
            global,
            shown: false,
        }
    }

    /// Runs stages 1 to 6.
    ///
    /// # Errors
    /// What the stages report, and `project::not-found`.
    pub(super) fn load(&mut self) -> Result<Loaded, Reported> {
        self.load_and(|_| ()).map(|(loaded, ())| loaded)
    }

    /// The environments on Databricks, in the order of declaration.
    ///
    /// # Errors
    /// What reading the project reports.
    pub(super) fn databricks_environments(&mut self) -> Result<Vec<String>, Reported> {
        let folder = self.find_project()?;
        let mut memory = Memory::of(&folder);
        let project = project::load(&Disk, &folder, &mut memory.texts, &mut self.sources, &mut self.diagnostics)?;
        let is_there =
            |declared: &project::Declared| declared.value.get("engine").is_some_and(|name| name == "databricks");
        Ok(project.environments.iter().filter(|(_, one)| is_there(one)).map(|(name, _)| name.clone()).collect())
    }

    /// All environments, in the order of declaration.
    ///
    /// # Errors
    /// What reading the project reports.
    pub(super) fn environments_declared(&mut self) -> Result<Vec<String>, Reported> {
        let folder = self.find_project()?;
        let mut memory = Memory::of(&folder);
        let project = project::load(&Disk, &folder, &mut memory.texts, &mut self.sources, &mut self.diagnostics)?;
        Ok(project.environments.keys().cloned().collect())
    }

    /// As [`Session::load`], in another environment than the one that was asked for.
    ///
    /// # Errors
    /// As [`Session::load`].
    pub(super) fn load_in(&mut self, environment: &str) -> Result<Loaded, Reported> {
        let asked = self.global.target.replace(environment.to_owned());
        let loaded = self.load();
        self.global.target = asked;
        loaded
    }

    /// As [`Session::load`], for commands that read or write the environment's tables from this machine.
    ///
    /// # Errors
    /// As [`Session::load`], and for an environment whose tables are elsewhere.
    pub(super) fn load_here(&mut self) -> Result<Loaded, Failure> {
        let loaded = self.load()?;
        let Environment { name, place, .. } = &loaded.resolved.environment;
        match place {
            Place::Local { .. } => Ok(loaded),
            Place::Databricks(_) => Err(Failure::asked(
                format!("the tables of `{name}` are on Databricks, and this command is about tables on this machine"),
                Some("choose a local environment with `-t`; `medc bundle` writes what runs on Databricks".to_owned()),
            )),
        }
    }

    /// As [`Session::load_here`], in another environment than the one that was asked for.
    ///
    /// # Errors
    /// As [`Session::load_here`].
    pub(super) fn load_here_in(&mut self, environment: &str) -> Result<Loaded, Failure> {
        let asked = self.global.target.replace(environment.to_owned());
        let loaded = self.load_here();
        self.global.target = asked;
        loaded
    }

    /// As [`Session::load`], with what `look` takes from the entities, which the graph does not keep.
    ///
    /// # Errors
    /// As [`Session::load`].
    pub(super) fn load_and<T>(&mut self, look: impl FnOnce(&Resolved) -> T) -> Result<(Loaded, T), Reported> {
        let folder = self.find_project()?;
        let files = Disk;
        let started = Instant::now();
        let mut memory = Memory::of(&folder);
        let project = project::load(&files, &folder, &mut memory.texts, &mut self.sources, &mut self.diagnostics)?;
        self.timings.push(("read", started.elapsed()));

        self.git_sha = git_sha(&folder);
        let settings = self.settings(&folder);
        let started = Instant::now();
        let mut resolved = resolve::resolve(project, &files, &settings, &mut self.sources, &mut self.diagnostics)?;
        schema::forget();
        self.timings.push(("resolve", started.elapsed()));

        let started = Instant::now();
        let graph = graph::build(&resolved, &mut memory.texts, &mut self.diagnostics)?;
        let seen = look(&resolved);
        resolved.forget_entities();
        self.timings.push(("graph", started.elapsed()));

        let started = Instant::now();
        let checked = check::check_with(graph, &mut memory.nodes, &mut self.diagnostics)?;
        self.timings.push(("check", started.elapsed()));
        memory.keep(checked.graph.nodes.len());
        self.diagnostics.stop_on_error()?;
        Ok((Loaded { resolved, checked }, seen))
    }

    /// What the command line and the process bring to a project.
    pub(super) fn settings(&self, folder: &Path) -> resolve::Settings {
        resolve::Settings {
            environment: self.global.target.clone(),
            variables: self.global.variables.clone(),
            process: process_variables(folder),
            git_sha: git_sha(folder),
        }
    }

    /// Reads the warehouse and the sources, and plans.
    ///
    /// A source that cannot be listed is reported, and stops only its table and what reads it: they are left out of the
    /// plan.
    pub(super) fn plan(&mut self, loaded: &Loaded, options: &plan::Options) -> Result<Planned, Reported> {
        let started = Instant::now();
        let graph = &loaded.checked.graph;
        let mut state = state::read(&loaded.checked, &loaded.warehouse(), &mut self.diagnostics)?;
        let failures = local::list_sources(&loaded.checked, &loaded.resolved.project_dir, &mut state);
        self.timings.push(("state", started.elapsed()));

        let mut selection: BTreeSet<NodeId> =
            options.selection.clone().unwrap_or_else(|| graph.order.iter().copied().collect());
        let unlisted: Vec<NodeId> = selection.iter().copied().filter(|id| is_unlisted(graph, &state, *id)).collect();
        let mut blocked = BTreeMap::new();
        for &source in &unlisted {
            for reader in select::reach(graph, [source], select::Direction::Downstream) {
                if selection.remove(&reader) && reader != source {
                    blocked.insert(reader, source);
                }
            }
        }
        let selected = selection.clone();
        let options = plan::Options { selection: Some(selection), ..options.clone() };
        let plan = plan::plan(&loaded.checked, &state, &options, &mut self.diagnostics)?;

        let sites: Vec<&Site> = unlisted.iter().filter_map(|id| location_site(graph, *id)).collect();
        for failure in failures.err().into_iter().flatten() {
            if failure.labels.first().is_none_or(|label| sites.contains(&&label.site)) {
                self.diagnostics.error(failure);
            }
        }
        Ok(Planned { plan, state, selected, unlisted, blocked })
    }

    /// Writes the findings to stderr unless that was done.
    pub(super) fn show_findings(&mut self) -> std::io::Result<()> {
        if self.shown || self.diagnostics.is_empty() {
            return Ok(());
        }
        self.shown = true;
        let quiet = self.console.is_quiet() && self.diagnostics.n_errors() == 0;
        if quiet {
            return Ok(());
        }
        self.console.complain(&report::human(&self.diagnostics, &self.sources, self.console.style()))
    }

    /// The findings for machines, as `validate --format json` has them.
    pub(super) fn findings(&self) -> Value {
        serde_json::from_str(&report::json(&self.diagnostics, &self.sources))
            .map_or(Value::Null, |mut written: Value| written["diagnostics"].take())
    }

    /// The project's folder within GitHub's workspace, with a `/` at its end; nothing outside of one. Annotations name
    /// files from there.
    pub(super) fn folder_in_workspace(&self) -> String {
        let below = || {
            let workspace = PathBuf::from(std::env::var_os("GITHUB_WORKSPACE")?).canonicalize().ok()?;
            let folder = self.project_folder()?.canonicalize().ok()?;
            let parts: Vec<String> =
                folder.strip_prefix(workspace).ok()?.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            (!parts.is_empty()).then(|| parts.join("/") + "/")
        };
        below().unwrap_or_default()
    }

    /// Leaves the findings to a command that wrote them in its own way.
    pub(super) fn findings_were_shown(&mut self) {
        self.shown = true;
    }

    /// The project's folder, if there is one.
    pub(super) fn project_folder(&self) -> Option<PathBuf> {
        match &self.global.project {
            // A folder that was named is meant, not one above it.
            Some(folder) => folder.join("medc.yml").is_file().then(|| folder.clone()),
            None => std::env::current_dir().ok().and_then(|here| project::find(&here)),
        }
    }

    /// The project's folder.
    ///
    /// # Errors
    /// `project::not-found`.
    pub(super) fn find_project(&mut self) -> Result<PathBuf, Reported> {
        self.project_folder().ok_or_else(|| {
            let place = self
                .global
                .project
                .as_deref()
                .map_or_else(|| "here or in a parent folder".to_owned(), |folder| format!("in `{}`", folder.display()));
            self.diagnostics.error(
                Diagnostic::error(code::NO_PROJECT, format!("there is no `medc.yml` {place}"))
                    .help("name the project's folder with `-p DIR`, or start a project with `medc init`"),
            )
        })
    }
}

/// What is to be done, and what cannot be.
pub(super) struct Planned {
    pub(super) plan: plan::Plan,
    pub(super) state: State,
    /// The tables that the plan is about.
    pub(super) selected: BTreeSet<NodeId>,
    /// Tables whose sources cannot be listed.
    pub(super) unlisted: Vec<NodeId>,
    /// Other tables that need one of these, with the one.
    pub(super) blocked: BTreeMap<NodeId, NodeId>,
}

impl Planned {
    /// Whether the tables or their sources are others than when this was planned.
    pub(super) fn has_moved(&self, loaded: &Loaded) -> bool {
        // What cannot be read any more is reported by planning again.
        let now = state::read(&loaded.checked, &loaded.warehouse(), &mut Diagnostics::new());
        let Ok(mut now) = now else { return true };
        // Sources that cannot be listed are left out of both.
        let _ = local::list_sources(&loaded.checked, &loaded.resolved.project_dir, &mut now);
        now != self.state
    }
}

impl Loaded {
    /// Where the tables of a local environment lie.
    pub(super) fn warehouse(&self) -> Warehouse {
        let Place::Local { warehouse } = &self.resolved.environment.place else {
            unreachable!("`load_here` lets only local environments through")
        };
        Warehouse { root: self.resolved.project_dir.join(warehouse) }
    }
}

fn is_unlisted(graph: &Graph, state: &State, id: NodeId) -> bool {
    let node = graph.node(id);
    matches!(node.body, Body::Ingest(_)) && !state.sources.contains_key(&node.name)
}

fn location_site(graph: &Graph, id: NodeId) -> Option<&Site> {
    match &graph.node(id).body {
        Body::Ingest(ingest) => Some(&ingest.location_site),
        Body::Relation(_) => None,
    }
}

/// Which tables a command is for.
pub(super) fn selected(loaded: &Loaded, selectors: &[String]) -> Result<Option<BTreeSet<NodeId>>, Failure> {
    select::select(&loaded.checked.graph, selectors)
        .map_err(|nothing| Failure::Asked { message: nothing.message, help: nothing.help })
}

/// The tables that selectors name one by one.
pub(super) fn named(loaded: &Loaded, selectors: &[String]) -> BTreeSet<NodeId> {
    let words = selectors.iter().flat_map(|selector| selector.split(','));
    let names = words.filter_map(|word| TableName::parse(word.trim().trim_matches('+')));
    names.filter_map(|name| loaded.checked.graph.find(&name)).collect()
}

/// An async runtime, made only by the commands that touch tables.
pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(16 << 20)
        .build()
        .expect("the system gives threads")
}

/// The process's variables and those of the project's `.env`, where the process has none of that name. Those that are no
/// text cannot be named in a project file.
fn process_variables(folder: &Path) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> =
        std::fs::read_to_string(folder.join(".env")).map(|text| dot_env(&text)).unwrap_or_default();
    let own = std::env::vars_os();
    variables.extend(own.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))));
    variables
}

/// Lines of `NAME=value`, as shells and most tools read them: blank lines, `#` comments, `export` and quotes are known.
fn dot_env(text: &str) -> BTreeMap<String, String> {
    let assignment = |line: &str| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        let value = quoted.unwrap_or_else(|| value.split_once(" #").map_or(value, |(value, _)| value.trim_end()));
        (!line.starts_with('#') && !name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    };
    text.lines().filter_map(assignment).collect()
}

/// The commit that is checked out, read from git's own files: starting git takes longer than checking ten tables.
fn git_sha(folder: &Path) -> Option<String> {
    let absolute = folder.canonicalize().ok()?;
    let dot_git = absolute.ancestors().map(|parent| parent.join(".git")).find(|path| path.exists())?;
    let git = if dot_git.is_dir() {
        dot_git
    } else {
        // A worktree or submodule: a file that says where the folder is.
        let text = std::fs::read_to_string(&dot_git).ok()?;
        dot_git.parent()?.join(text.strip_prefix("gitdir:")?.trim())
    };
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(reference) = head.trim().strip_prefix("ref:").map(str::trim) else {
        return Some(head.trim().to_owned());
    };
    let common = std::fs::read_to_string(git.join("commondir")).map_or(git.clone(), |path| git.join(path.trim()));
    std::fs::read_to_string(common.join(reference)).map(|sha| sha.trim().to_owned()).ok().or_else(|| {
        let packed = std::fs::read_to_string(common.join("packed-refs")).ok()?;
        packed.lines().find_map(|line| {
            let (sha, name) = line.split_once(' ')?;
            (name == reference).then(|| sha.to_owned())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_is_read_as_shells_do() {
        let read = dot_env("# a comment\n\nA=1\nexport B = 'two # three'\nC=x # why\nD=\"q=1\"\n=none\nno line\n");
        let expected = [("A", "1"), ("B", "two # three"), ("C", "x"), ("D", "q=1")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}
