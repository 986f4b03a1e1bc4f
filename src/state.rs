//! What is there: the tables of a warehouse as the last apply left them.
//!
//! The tables are the state. Each commit of medc carries the node's fingerprint, the versions of its inputs, the run id
//! and the git sha in its commit info, and one application transaction per ingested file; reading them back is all
//! that this stage does. It reads logs, never rows: one folder listing and one small file per table in the usual case, and
//! nothing but a look for the folder where there is no table. It writes nothing and keeps no file of its own. What the
//! sources hold now (`State::sources`) is filled by the engine that reads them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::check::Checked;
use crate::compatibility::stored::Stored as StoredPromise;
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, code};
use crate::ir::{Body, Node, Schema, WriteMode};
use crate::name::TableName;

mod columns;
mod log;
pub mod staged;
mod orphans;
pub mod versions;

pub use columns::{from_delta, to_commit};
pub use orphans::Orphan;

/// Where the tables are: `<root>/<layer>/<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warehouse {
    pub root: PathBuf,
}

impl Warehouse {
    /// Opens a warehouse by its location, a path (relative ones are below `project_dir`) or a `file:` URL.
    ///
    /// # Errors
    /// `run::warehouse` for another URL.
    pub fn open(location: &str, project_dir: &Path) -> Result<Self, Diagnostic> {
        if let Some((scheme, _)) = location.split_once("://")
            && scheme != "file"
        {
            return Err(Diagnostic::error(code::WAREHOUSE, format!("the warehouse `{location}` cannot be opened"))
                .note(format!("this build reads and writes folders; it has no client for `{scheme}:`"))
                .help("give a folder as `warehouse`"));
        }
        let path = location.strip_prefix("file://").unwrap_or(location);
        Ok(Warehouse { root: project_dir.join(path) })
    }

    /// The folder of a table.
    pub fn folder(&self, table: &TableName) -> PathBuf {
        self.root.join(&table.layer).join(&table.name)
    }
}

/// The warehouse's tables that medc can read, by name. A table that is not in it does not exist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub tables: BTreeMap<TableName, TableState>,
    /// The files that each ingesting node's source has now, by table.
    pub sources: BTreeMap<TableName, Vec<SourceFile>>,
    /// What commits that were read by others and are no longer the newest say, by table and version: only those that a
    /// table of the project read, and only where medc wrote them.
    pub former: BTreeMap<(TableName, i64), Former>,
    /// Tables that medc made and that are declared no longer, by name.
    pub orphans: Vec<Orphan>,
}

/// A table as an earlier commit left it.
#[derive(Debug, Clone, PartialEq)]
pub struct Former {
    pub commit: Commit,
    pub stored: Option<Stored>,
}

/// One table as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct TableState {
    /// The Delta version now.
    pub version: i64,
    /// What medc's newest commit says; `None` when medc never wrote it.
    pub commit: Option<Commit>,
    /// Whether a later commit by someone else changed data.
    pub written_by_others: bool,
    /// Its columns as they are stored; `None` where the log says nothing that medc can read.
    pub stored: Option<Stored>,
    /// Files ingested so far and the stamp they had, from the table's application transactions.
    pub ingested: BTreeMap<String, i64>,
}

impl TableState {
    /// The version that the table was brought back to, where nothing was written since.
    pub fn restored_version(&self) -> Option<i64> {
        let commit = self.commit.as_ref().filter(|commit| commit.version == self.version)?;
        commit.restored_version
    }
}

/// A stored table's columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub schema: Schema,
    pub partition_by: Vec<String>,
    /// Whether somebody else changed them since medc's newest commit.
    pub by_others: bool,
}

/// What medc wrote into a commit.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Commit {
    pub version: i64,
    pub fingerprint: String,
    /// The Delta version of each input table that was read. Views are replaced by what they read.
    pub inputs: BTreeMap<String, i64>,
    pub run_id: String,
    pub git_sha: Option<String>,
    /// For an overwritten ingest: a hash of the source's files, their sizes and times.
    pub source_stamp: Option<String>,
    /// For a dataset: the hash of its definition.
    pub definition: Option<String>,
    /// The project's name; none in commits of medc 0.1 before it was written down.
    pub project: Option<String>,
    /// How the commit came to be, as `Change` is written; none in older commits.
    pub change: Option<String>,
    /// [`Parts`] as JSON; read only where something is to be explained.
    pub parts: Option<String>,
    /// The version that the commit brought back; the rest is then said as in that version.
    pub restored_version: Option<i64>,
}

impl Commit {
    /// What the commit says of its definition; `None` for one that an older medc wrote.
    pub fn parts(&self) -> Option<Parts> {
        serde_json::from_str(self.parts.as_deref()?).ok()
    }

    /// Whether all rows of the table were written by this commit; `None` where that is not known.
    pub fn is_whole(&self) -> Option<bool> {
        match self.change.as_deref() {
            Some(change) => Some(matches!(change, "create" | "rebuild")),
            None => (self.version == 0).then_some(true),
        }
    }
}

/// What a commit says of the definition that made it, so that a plan can tell what changed.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Parts {
    /// The fingerprint's parts by name, e.g. `query`; a long one by its hash.
    pub definition: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<StoredPromise>,
    /// Whether the table says `prevent_destroy`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prevent_destroy: bool,
}

/// A file of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFile {
    /// As `_source_file` shows it.
    pub path: String,
    pub size_bytes: u64,
    /// A hash of size and time of the last change, 63 bits.
    pub stamp: i64,
}

/// Application transactions of ingested files are named by the file behind this prefix; their version is the stamp.
pub const FILE_TRANSACTION: &str = "medc:file:";

/// The key of [`Commit::restored_version`] in a commit's info.
pub const RESTORED: &str = "medc.restored_version";

/// Reads what each table's log says.
///
/// # Errors
/// `run::table-broken` for every table whose log cannot be read.
pub fn read(checked: &Checked, warehouse: &Warehouse, diagnostics: &mut Diagnostics) -> Result<State, Reported> {
    let mut state = State::default();
    for node in checked.graph.nodes.values().filter(|node| node.write.mode != WriteMode::View) {
        let folder = warehouse.folder(&node.name);
        match log::read(&folder, wants_files(node)) {
            Ok(None) => {}
            Ok(Some(table)) => {
                state.tables.insert(node.name.clone(), table);
            }
            Err(cause) => {
                diagnostics.error(broken(node, &folder, &cause));
            }
        }
    }
    diagnostics.stop_on_error()?;
    read_former(checked, warehouse, &mut state);
    state.orphans = orphans::find(checked, warehouse);
    Ok(state)
}

/// Reads what inputs were when they were read, where they are otherwise by now. A commit that is gone explains nothing.
fn read_former(checked: &Checked, warehouse: &Warehouse, state: &mut State) {
    let mut wanted = std::collections::BTreeSet::new();
    for commit in state.tables.values().filter_map(|table| table.commit.as_ref()) {
        for (input, version) in &commit.inputs {
            let Some(input) = TableName::parse(input).filter(|input| checked.graph.find(input).is_some()) else {
                continue;
            };
            if state.tables.get(&input).is_some_and(|table| table.version != *version) {
                wanted.insert((input, *version));
            }
        }
    }
    for (table, version) in wanted {
        if let Some(former) = log::read_version(&warehouse.folder(&table), version) {
            state.former.insert((table, version), former);
        }
    }
}

/// What a table's log says; `None` when there is no table.
///
/// # Errors
/// What is wrong with the log, in a phrase.
pub fn read_table(warehouse: &Warehouse, table: &TableName) -> Result<Option<TableState>, String> {
    log::read(&warehouse.folder(table), true)
}

/// The run that made a commit of a table; `None` for another writer's, and for one that is not there any more.
pub fn run_of_commit(folder: &Path, version: i64) -> Option<String> {
    log::run_of_commit(folder, version)
}

fn wants_files(node: &Node) -> bool {
    match node.body {
        Body::Ingest(_) => node.write.mode == WriteMode::Append,
        Body::Relation(_) => false,
    }
}

fn broken(node: &Node, folder: &Path, cause: &str) -> Diagnostic {
    Diagnostic::error(code::TABLE_BROKEN, format!("the table `{}` cannot be read", node.name))
        .at(node.site.clone().key(), "declared here")
        .note(cause.to_owned())
        .help(format!("restore `{}` from a backup, or remove that folder and apply again", folder.display()))
}
