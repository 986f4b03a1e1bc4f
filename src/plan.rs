//! Stage 7: what would change, and why.
//!
//! In: `Checked` and `State`. Out: [`Plan`], the actions in an order in which they can be carried out, each with its
//! reasons; applying a plan and planning again gives no actions. Pure: what is there was read by `state`.
//!
//! A table is a function of its definition and its inputs. It changes when its fingerprint differs from the one in its
//! newest commit, when an input has another version than that commit read, when its source has other files, or when
//! somebody else wrote it. Views store nothing: what they read counts as read by their readers, and their fingerprint
//! is part of their readers'.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::check::Checked;
use crate::diagnostic::{Diagnostic, Diagnostics, Reported, code};
use crate::graph::Graph;
use crate::ir::{Body, Node, NodeId, WriteMode};
use crate::state::{Orphan, SourceFile, State, TableState};

pub mod definition;
pub mod destruction;
pub mod downstream;
pub mod drift;
mod evolution;
mod fingerprint;

pub use definition::PartChange;
pub use destruction::Loss;
pub use evolution::{ColumnChange, differences, refusal, rewrites};
pub use fingerprint::{dataset_definition, fingerprints, source_stamp};

/// What is asked of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Rebuild every selected table, whether it changed or not.
    pub full_refresh: bool,
    /// Plan only these; `None` for all.
    pub selection: Option<BTreeSet<NodeId>>,
    /// The project whose tables are dropped once they are declared no longer; `None` leaves them be.
    pub drop_of: Option<String>,
    /// Tables that were asked for by name: these are written although they were restored.
    pub named: BTreeSet<NodeId>,
}

/// What `apply` will do, in this order. Nodes without an action are up to date.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub actions: Vec<Action>,
    /// Selected nodes that are up to date, in topological order.
    pub unchanged: Vec<NodeId>,
    /// Tables that are dropped at last, by name.
    pub drops: Vec<Orphan>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.drops.is_empty()
    }
}

/// One table's change.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    pub node: NodeId,
    pub change: Change,
    /// At least one.
    pub reasons: Vec<Reason>,
    /// How the stored columns differ from the declared ones; empty where they don't, and for a table that is not there.
    pub columns: Vec<ColumnChange>,
    /// Which parts of its definition changed, where its newest commit tells.
    pub definition: Vec<PartChange>,
    /// What is lost for good.
    pub losses: Vec<Loss>,
    /// The fingerprint that the table will carry.
    pub fingerprint: String,
}

/// How a table changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is not there yet.
    Create,
    /// All its rows are written anew.
    Rebuild,
    /// New source files are added.
    Append { n_files: usize },
    /// Rows are upserted by key.
    Merge,
    /// A view's definition takes effect; nothing is stored.
    View,
}

impl Change {
    /// The word for it in plans and commits.
    pub fn word(self) -> &'static str {
        match self {
            Change::Create => "create",
            Change::Rebuild => "rebuild",
            Change::Append { .. } => "append",
            Change::Merge => "merge",
            Change::View => "check",
        }
    }
}

/// Why a table changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Reason {
    /// There is no such table in the warehouse.
    Missing,
    /// Its definition is another than the one that made it.
    DefinitionChanged,
    /// Its stored columns are not the declared ones.
    ColumnsChanged,
    /// An input was written since.
    InputChanged { input: String, from_version: Option<i64>, to_version: Option<i64> },
    /// An input will be written by this plan.
    InputPlanned { input: String },
    /// A source's files changed: added, changed or gone since.
    FilesChanged { n_added: usize, n_changed: usize, n_gone: usize },
    /// Somebody else wrote the table since the last apply.
    WrittenByOthers { version: i64 },
    /// The last apply did not get to it or failed on it.
    Unfinished,
    /// `--full-refresh` asks for it.
    Requested,
}

/// Compares what should be with what is.
///
/// Each reason stands on its own: a table that is to be written although its inputs are as they were has a changed
/// definition, other files or foreign rows. A changed file that was already appended is only warned of, since its old
/// rows cannot be told from the new ones.
///
/// # Errors
/// `datasets::redefined` when a published dataset's definition changed under its version; `run::not-built` when
/// a selected table reads one that neither exists nor is planned.
pub fn plan(
    checked: &Checked,
    state: &State,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> Result<Plan, Reported> {
    let graph = &checked.graph;
    let fingerprints = fingerprint::fingerprints(graph);
    let mut plan = Plan { actions: Vec::new(), unchanged: Vec::new(), drops: Vec::new() };
    let mut planned = BTreeSet::new();
    for &id in &graph.order {
        if options.selection.as_ref().is_some_and(|selection| !selection.contains(&id)) {
            continue;
        }
        let node = graph.node(id);
        let fingerprint = &fingerprints[id.index()];
        let inputs = stored_inputs(graph, id);
        if node.write.mode != WriteMode::View {
            report_missing_inputs(graph, state, node, &inputs, &planned, diagnostics);
            let compared = stored(graph, graph.compared[id.index()].clone());
            report_missing_compared(graph, state, node, &compared, &planned, diagnostics);
        }
        let table = state.tables.get(&node.name);
        let files = state.sources.get(&node.name).map_or(&[][..], Vec::as_slice);
        let declared = checked.typed(id).schema.as_ref();
        let columns = table.map(|table| evolution::of_table(node, table, declared, fingerprint)).unwrap_or_default();
        let decided = match (&node.write.mode, table) {
            (WriteMode::View, _) => check_view(graph, node, &inputs, &planned),
            (_, None) => Some((Change::Create, vec![Reason::Missing])),
            (_, Some(table)) => {
                let mut reasons = Reasons { rebuild: Vec::new(), evolve: None, follow: Vec::new(), files: None };
                reasons.of_table(node, table, fingerprint, options);
                reasons.of_columns(node, &columns, options);
                // What was asked for needs no other reason.
                if !options.full_refresh {
                    reasons.of_inputs(graph, state, table, &inputs, &planned);
                }
                reasons.of_files(node, table, files);
                reasons.decide(&node.write.mode)
            }
        };
        let decided = decided
            .filter(|_| options.full_refresh || options.named.contains(&id) || !is_held(node, table, diagnostics));
        if let Some(table) = table {
            report_redefinition(node, table, diagnostics);
            if !matches!(decided, Some((Change::Rebuild, _))) {
                report_changed_files(node, table, files, diagnostics);
            }
        }
        match decided {
            Some((change, reasons)) => {
                let mut action = Action {
                    node: id,
                    change,
                    reasons,
                    columns,
                    definition: Vec::new(),
                    losses: Vec::new(),
                    fingerprint: fingerprint.clone(),
                };
                if let Some(table) = table {
                    let commit = table.commit.as_ref().filter(|commit| commit.fingerprint != *fingerprint);
                    action.definition = commit.map(|commit| definition::since(graph, id, commit)).unwrap_or_default();
                    let inputs: Vec<_> = inputs.iter().map(|input| (*input, planned.contains(input))).collect();
                    let changing = destruction::Changing { node, table, files, inputs: &inputs };
                    // What is refused loses nothing.
                    if refusal(node, &action).is_none() {
                        action.losses = destruction::losses(&changing, change, &action.columns, graph, state);
                    }
                }
                planned.insert(id);
                plan.actions.push(action);
            }
            None => plan.unchanged.push(id),
        }
    }
    if let Some(project) = &options.drop_of {
        plan.drops = destruction::droppable(state, project);
    }
    diagnostics.stop_on_error().map(|()| plan)
}

/// The stored tables that a node's rows come from: its inputs, with views replaced by what they read. Sorted by name.
pub fn stored_inputs(graph: &Graph, id: NodeId) -> Vec<NodeId> {
    stored(graph, graph.inputs[id.index()].clone())
}

/// The stored tables behind these.
fn stored(graph: &Graph, mut open: Vec<NodeId>) -> Vec<NodeId> {
    let mut stored = BTreeSet::new();
    let mut seen = BTreeSet::new();
    while let Some(input) = open.pop() {
        if !seen.insert(input) {
            continue;
        }
        match graph.node(input).write.mode {
            WriteMode::View => open.extend(&graph.inputs[input.index()]),
            WriteMode::Overwrite | WriteMode::Append | WriteMode::Merge { .. } => {
                stored.insert((&graph.node(input).name, input));
            }
        }
    }
    stored.into_iter().map(|(_, input)| input).collect()
}

/// Why an existing table changes, by what each reason asks for.
struct Reasons {
    /// All rows are to be written anew.
    rebuild: Vec<Reason>,
    /// The columns are others, and the rows that are there are kept.
    evolve: Option<Reason>,
    /// The rows of inputs changed: the write mode says what that means.
    follow: Vec<Reason>,
    /// The source's files changed.
    files: Option<FileChanges>,
}

impl Reasons {
    fn of_table(&mut self, node: &Node, table: &TableState, fingerprint: &str, options: &Options) {
        if options.full_refresh {
            self.rebuild.push(Reason::Requested);
        }
        match &table.commit {
            None => self.rebuild.push(Reason::WrittenByOthers { version: table.version }),
            Some(commit) => {
                if commit.fingerprint != fingerprint {
                    self.rebuild.push(Reason::DefinitionChanged);
                }
                if table.written_by_others && node.write.mode == WriteMode::Overwrite {
                    self.rebuild.push(Reason::WrittenByOthers { version: table.version });
                }
            }
        }
    }

    /// The rows of an appended or merged table stay when its columns change: its inputs may no longer give them. Its
    /// definition is then no reason to build it anew, since the columns are part of it.
    fn of_columns(&mut self, node: &Node, columns: &[ColumnChange], options: &Options) {
        if columns.is_empty() || options.full_refresh {
            return;
        }
        match node.write.mode {
            WriteMode::Append | WriteMode::Merge { .. } => {
                self.rebuild.retain(|reason| *reason != Reason::DefinitionChanged);
                self.evolve = Some(Reason::ColumnsChanged);
            }
            WriteMode::Overwrite if self.rebuild.is_empty() => self.rebuild.push(Reason::ColumnsChanged),
            WriteMode::Overwrite | WriteMode::View => {}
        }
    }

    fn of_inputs(
        &mut self,
        graph: &Graph,
        state: &State,
        table: &TableState,
        inputs: &[NodeId],
        planned: &BTreeSet<NodeId>,
    ) {
        for &input in inputs {
            let name = &graph.node(input).name;
            let from_version = table.commit.as_ref().and_then(|commit| commit.inputs.get(&name.to_string())).copied();
            let to_version = state.tables.get(name).map(|table| table.version);
            if planned.contains(&input) {
                self.follow.push(Reason::InputPlanned { input: name.to_string() });
            } else if table.commit.is_some()
                && to_version.is_some()
                && from_version != to_version
                && (from_version.is_none()
                    || from_version != state.tables.get(name).and_then(TableState::restored_version))
            {
                self.follow.push(Reason::InputChanged { input: name.to_string(), from_version, to_version });
            }
        }
    }

    fn of_files(&mut self, node: &Node, table: &TableState, files: &[SourceFile]) {
        let Body::Ingest(_) = node.body else { return };
        let changes = FileChanges::between(node, table, files);
        let changed = match node.write.mode {
            WriteMode::Append => changes.n_added > 0,
            WriteMode::Overwrite | WriteMode::Merge { .. } => {
                let recorded = table.commit.as_ref().and_then(|commit| commit.source_stamp.as_deref());
                table.commit.is_some() && recorded != Some(source_stamp(files).as_str())
            }
            WriteMode::View => false,
        };
        self.files = changed.then_some(changes);
    }

    fn decide(self, mode: &WriteMode) -> Option<(Change, Vec<Reason>)> {
        let Reasons { mut rebuild, evolve, mut follow, files } = self;
        let rebuilds = !rebuild.is_empty() || (*mode == WriteMode::Append && !follow.is_empty());
        rebuild.extend(evolve);
        rebuild.append(&mut follow);
        let n_added = files.as_ref().map_or(0, |files| files.n_added);
        // A file that is gone or changed stays appended, and is no reason to write.
        rebuild.extend(files.map(|files| match mode {
            WriteMode::Append => Reason::FilesChanged { n_added, n_changed: 0, n_gone: 0 },
            WriteMode::Overwrite | WriteMode::Merge { .. } | WriteMode::View => files.reason(),
        }));
        if rebuild.is_empty() {
            return None;
        }
        let change = match mode {
            WriteMode::Append if !rebuilds => Change::Append { n_files: n_added },
            WriteMode::Merge { .. } if !rebuilds => Change::Merge,
            WriteMode::Overwrite | WriteMode::Append | WriteMode::Merge { .. } | WriteMode::View => Change::Rebuild,
        };
        Some((change, rebuild))
    }
}

/// How a source's files differ from those that the table was made of.
#[expect(clippy::struct_field_names, reason = "counts are `n_` everywhere")]
struct FileChanges {
    n_added: usize,
    n_changed: usize,
    n_gone: usize,
}

impl FileChanges {
    /// Counts against the files that the table names. One that is overwritten need not name any: all counts are 0 then.
    fn between(node: &Node, table: &TableState, files: &[SourceFile]) -> Self {
        if table.ingested.is_empty() && node.write.mode != WriteMode::Append {
            return FileChanges { n_added: 0, n_changed: 0, n_gone: 0 };
        }
        let now: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let known = |file: &&SourceFile| table.ingested.contains_key(&file.path);
        FileChanges {
            n_added: files.iter().filter(|file| !known(file)).count(),
            n_changed: changed_files(table, files).count(),
            n_gone: table.ingested.keys().filter(|path| !now.contains(path.as_str())).count(),
        }
    }

    fn reason(&self) -> Reason {
        Reason::FilesChanged { n_added: self.n_added, n_changed: self.n_changed, n_gone: self.n_gone }
    }
}

fn changed_files<'a>(table: &'a TableState, files: &'a [SourceFile]) -> impl Iterator<Item = &'a SourceFile> {
    files.iter().filter(|file| table.ingested.get(&file.path).is_some_and(|stamp| *stamp != file.stamp))
}

/// A restored table is left as it is until somebody asks for it by name: what was undone would be done again.
fn is_held(node: &Node, table: Option<&TableState>, diagnostics: &mut Diagnostics) -> bool {
    let Some(version) = table.and_then(TableState::restored_version) else { return false };
    let message = format!("`{}` is held at version {version}, to which it was restored", node.name);
    diagnostics.warn(
        Diagnostic::warning(code::HELD, message)
            .at(node.site.clone().key(), "not planned")
            .note("its definition, its inputs or its source's files are other than that version's")
            .help(format!("go on with it once the cause is out of the way: `medc apply --select {}`", node.name)),
    );
    true
}

/// A view is never written; it is worked on only to hold its expectations against inputs that change.
fn check_view(
    graph: &Graph,
    node: &Node,
    inputs: &[NodeId],
    planned: &BTreeSet<NodeId>,
) -> Option<(Change, Vec<Reason>)> {
    if node.assertions.is_empty() {
        return None;
    }
    let reasons: Vec<Reason> = inputs
        .iter()
        .filter(|input| planned.contains(input))
        .map(|input| Reason::InputPlanned { input: graph.node(*input).name.to_string() })
        .collect();
    (!reasons.is_empty()).then_some((Change::View, reasons))
}

fn report_missing_inputs(
    graph: &Graph,
    state: &State,
    node: &Node,
    inputs: &[NodeId],
    planned: &BTreeSet<NodeId>,
    diagnostics: &mut Diagnostics,
) {
    for input in inputs.iter().filter(|input| !planned.contains(input)) {
        let name = &graph.node(*input).name;
        if !state.tables.contains_key(name) {
            diagnostics.error(
                Diagnostic::error(
                    code::NOT_BUILT,
                    format!("`{}` reads `{name}`, which was not built yet and is not selected", node.name),
                )
                .at(node.site.clone().key(), "")
                .help(format!("select what it reads too: `--select +{}`", node.name)),
            );
        }
    }
}

/// As [`report_missing_inputs`], for the tables that expectations look at.
fn report_missing_compared(
    graph: &Graph,
    state: &State,
    node: &Node,
    compared: &[NodeId],
    planned: &BTreeSet<NodeId>,
    diagnostics: &mut Diagnostics,
) {
    for table in compared.iter().filter(|table| !planned.contains(table)) {
        let name = &graph.node(*table).name;
        if !state.tables.contains_key(name) {
            let message = format!(
                "an expectation of `{}` looks at `{name}`, which was not built yet and is not selected",
                node.name
            );
            diagnostics.error(
                Diagnostic::error(code::NOT_BUILT, message)
                    .at(node.site.clone().key(), "")
                    .help(format!("select it too: `--select {name} --select {}`", node.name)),
            );
        }
    }
}

fn report_redefinition(node: &Node, table: &TableState, diagnostics: &mut Diagnostics) {
    let Some(dataset) = &node.dataset else { return };
    let published = table.commit.as_ref().and_then(|commit| commit.definition.as_deref());
    if published.is_none_or(|published| published == dataset_definition(dataset)) {
        return;
    }
    diagnostics.error(
        Diagnostic::error(
            code::DATASET_REDEFINED,
            format!("version {} of dataset `{}` is published with another definition", dataset.version, dataset.model),
        )
        .at(node.site.clone(), "its source table, features or target changed")
        .note(format!("`{}` was built from another definition, and models refer to it by its version", node.name))
        .help(format!("raise the version to {}, or restore the definition", dataset.version.saturating_add(1))),
    );
}

fn report_changed_files(node: &Node, table: &TableState, files: &[SourceFile], diagnostics: &mut Diagnostics) {
    let Body::Ingest(ingest) = &node.body else { return };
    if node.write.mode != WriteMode::Append {
        return;
    }
    for file in changed_files(table, files) {
        diagnostics.warn(
            Diagnostic::warning(code::SOURCE_CHANGED, format!("`{}` changed after it was ingested", file.path))
                .at(ingest.location_site.clone(), format!("`{}` appends each file once", node.name))
                .note("the table keeps the rows that the file had then")
                .help(format!(
                    "read all files again: `medc apply --full-refresh --select {}`, or write changes to a new file",
                    node.name
                )),
        );
    }
}

#[cfg(test)]
mod tests;
