//! Gathers what a report says: the project, the warehouse's tables, the ledger's results, the profiles of rows.
//!
//! In: a checked project and the tables that are asked for. Out: a [`Report`] and findings about what could not be read. What cannot
//! be read is told of and left out; it never keeps the rest from being shown. Tables are profiled side by side, each in a
//! thread of its own. Masked values are left out here already. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Runtime;

use super::masks::Masks;
use super::results::{self, Results};
use super::view::{
    Column, Contract, DimensionScore, FORMAT_VERSION, Kind, Layer, Project, Report, Run, State, Status, Summary, Table,
    Tally, Verdict,
};
use super::words;
use crate::cli::stages::Loaded;
use crate::diagnostic::Diagnostic;
use crate::engines::local::RunSettings;
use crate::engines::local::history::{self, History};
use crate::engines::local::profile::{self, Stored, TableProfile};
use crate::graph::select;
use crate::ir::{Body, Dimension, NodeId, WriteMode};
use crate::name::TableName;

/// What a report is to be of.
pub(super) struct Asked<'a> {
    /// In the graph's order.
    pub(super) tables: Vec<NodeId>,
    pub(super) selected: &'a [String],
    pub(super) n_runs: usize,
    pub(super) profile: bool,
    /// Called when another table was read.
    pub(super) advanced: &'a (dyn Fn() + Sync),
}

/// Threads that profile need stack for planning views.
const STACK_BYTES: usize = 64 << 20;

/// The dimensions in the order in which people name them.
const DIMENSIONS: [Dimension; 6] = [
    Dimension::Completeness,
    Dimension::Accuracy,
    Dimension::Consistency,
    Dimension::Validity,
    Dimension::Timeliness,
    Dimension::Uniqueness,
];

/// Gathers it all.
pub(super) fn gather(
    loaded: &Loaded,
    settings: &RunSettings,
    asked: &Asked<'_>,
    runtime: &Runtime,
) -> (Report, Vec<Diagnostic>) {
    let checked = &loaded.checked;
    let mut findings = Vec::new();
    let history = runtime.block_on(history::read(&settings.warehouse, asked.n_runs)).unwrap_or_else(|finding| {
        findings.push(finding);
        History::default()
    });
    let masks = Masks::of(checked);
    let results = Results::of(&history);
    let rows = read_all(loaded, settings, asked, &masks, runtime);
    let readers = select::readers(&checked.graph);
    let shown: BTreeSet<NodeId> = asked.tables.iter().copied().collect();
    let name = |ids: &[NodeId]| -> Vec<String> {
        ids.iter().filter(|id| shown.contains(id)).map(|id| checked.graph.node(*id).name.to_string()).collect()
    };
    let mut tables = Vec::new();
    for (&id, rows) in asked.tables.iter().zip(rows) {
        findings.extend(rows.findings.iter().cloned());
        let inputs = name(&checked.graph.inputs[id.index()]);
        let read_by = name(&readers[id.index()]);
        tables.push(table(loaded, id, rows, &results, &masks, inputs, read_by));
    }
    let report = Report {
        format_version: FORMAT_VERSION,
        medc_version: env!("CARGO_PKG_VERSION"),
        project: project(loaded),
        environment: loaded.resolved.environment.name.clone(),
        generated_at: words::rfc3339(settings.started_at),
        git_sha: settings.git_sha.clone(),
        selected: asked.selected.to_vec(),
        is_profiled: asked.profile,
        summary: summary(&tables),
        dimensions: dimensions(&tables, &results),
        runs: runs(&history, &results, &tables),
        layers: layers(loaded, &tables),
        tables,
    };
    (report, findings)
}

fn project(loaded: &Loaded) -> Project {
    let header = &loaded.resolved.project;
    Project { name: header.name.clone(), description: header.description.clone(), owner: header.owner.clone() }
}

/// What was read of one table.
#[derive(Debug, Default)]
struct Rows {
    stored: Option<Stored>,
    n_quarantined: Option<u64>,
    profile: Option<TableProfile>,
    findings: Vec<Diagnostic>,
}

/// Reads the tables in as many threads as there are cores, in the order asked for.
fn read_all(loaded: &Loaded, settings: &RunSettings, asked: &Asked<'_>, masks: &Masks, runtime: &Runtime) -> Vec<Rows> {
    let next = AtomicUsize::new(0);
    let read: Mutex<BTreeMap<usize, Rows>> = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(&id) = asked.tables.get(place) else { break };
            let rows = runtime.block_on(read_table(loaded, settings, asked.profile, masks, id));
            read.lock().unwrap_or_else(PoisonError::into_inner).insert(place, rows);
            (asked.advanced)();
        }
    };
    std::thread::scope(|scope| {
        let n_threads = settings.n_threads.min(asked.tables.len());
        let spawned: Vec<_> = (0..n_threads)
            .filter_map(|_| std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).ok())
            .collect();
        if spawned.is_empty() {
            work();
        }
    });
    read.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

async fn read_table(loaded: &Loaded, settings: &RunSettings, profiled: bool, masks: &Masks, id: NodeId) -> Rows {
    let node = loaded.checked.graph.node(id);
    let at_node = |finding: Diagnostic| {
        if finding.labels.is_empty() { finding.at(node.site.clone().key(), "declared here") } else { finding }
    };
    let mut rows = Rows::default();
    if node.write.mode != WriteMode::View {
        match profile::stored(&settings.warehouse, &node.name).await {
            Ok(stored) => rows.stored = stored,
            Err(finding) => {
                rows.findings.push(at_node(finding));
                return rows;
            }
        }
        let quarantine = TableName::new(&node.name.layer, &format!("{}_quarantine", node.name.name));
        let set_aside = profile::stored(&settings.warehouse, &quarantine).await;
        rows.n_quarantined = set_aside.ok().flatten().and_then(|stored| stored.n_rows);
    }
    if profiled {
        let masked = masks.node(id);
        match profile::profile(&loaded.checked, settings, id, &|column| masked.is_masked(column)).await {
            Ok(profile) => rows.profile = profile,
            Err(finding) => rows.findings.push(at_node(finding)),
        }
    }
    rows
}

fn table(
    loaded: &Loaded,
    id: NodeId,
    rows: Rows,
    results: &Results<'_>,
    masks: &Masks,
    reads: Vec<String>,
    read_by: Vec<String>,
) -> Table {
    let checked = &loaded.checked;
    let node = checked.graph.node(id);
    let name = node.name.to_string();
    let masked = masks.node(id);
    let expectations = results.expectations(node, masked);
    let mut tally = Tally::default();
    for expectation in &expectations {
        tally.count(expectation.status);
    }
    let kind = match (&node.body, &node.write.mode) {
        (Body::Ingest(_), _) => Kind::Source,
        (Body::Relation(_), WriteMode::View) => Kind::View,
        (Body::Relation(_), WriteMode::Overwrite | WriteMode::Append | WriteMode::Merge { .. }) => Kind::Table,
    };
    let problem = rows.findings.first().map(|finding| match &finding.note {
        Some(note) => format!("{}: {note}", finding.message),
        None => finding.message.clone(),
    });
    let is_there = rows.stored.is_some() || (kind == Kind::View && (rows.profile.is_some() || tally.n_checked() > 0));
    let state = match (&problem, is_there) {
        (Some(_), _) => State::Broken,
        // A table whose first rows were refused is not there, and that is why.
        (None, _) if tally.n_failed > 0 => State::Failing,
        (None, false) => State::NotBuilt,
        (None, true) if tally.n_broken() > 0 => State::Flawed,
        (None, true) if tally.n_checked() == 0 => State::Unchecked,
        (None, true) => State::Sound,
    };
    Table {
        layer: node.name.layer.clone(),
        kind,
        state,
        description: node.description.clone(),
        owner: node.owner.clone(),
        tags: node.tags.clone(),
        contract: node
            .contract
            .as_ref()
            .map(|contract| Contract { name: contract.name.clone(), version: contract.version.clone() }),
        write_mode: node.write.mode.word(),
        reads,
        read_by,
        written_at: rows.stored.as_ref().and_then(|stored| stored.written_at).map(words::rfc3339),
        stored: rows.stored,
        n_quarantined: rows.n_quarantined,
        problem,
        checked_at: results.checked_at(&name).map(words::rfc3339),
        tally,
        trend: results.table_trend(&name),
        expectations,
        columns: columns(loaded, id, masks, rows.profile.as_ref()),
        profile: rows.profile,
        name,
    }
}

/// The columns that the project knows, or else those that are there.
fn columns(loaded: &Loaded, id: NodeId, masks: &Masks, profile: Option<&TableProfile>) -> Vec<Column> {
    let node = loaded.checked.graph.node(id);
    let masked = masks.node(id);
    let Some(schema) = &loaded.checked.typed(id).schema else {
        let found = profile.into_iter().flat_map(|profile| &profile.columns);
        return found
            .map(|column| Column {
                name: column.name.clone(),
                data_type: String::new(),
                nullable: true,
                description: None,
                tags: Vec::new(),
                is_masked: masked.is_masked(&column.name),
            })
            .collect();
    };
    schema
        .columns
        .iter()
        .map(|column| {
            let promised = node.contract.iter().flat_map(|contract| &contract.columns);
            let promised = promised.into_iter().find(|one| crate::name::same(&one.column.name, &column.name));
            Column {
                name: column.name.clone(),
                data_type: column.data_type.to_string(),
                nullable: column.nullable,
                description: promised.and_then(|promised| promised.description.clone()),
                tags: promised.map(|promised| promised.tags.clone()).unwrap_or_default(),
                is_masked: masked.is_masked(&column.name),
            }
        })
        .collect()
}

fn summary(tables: &[Table]) -> Summary {
    let mut summary = Summary { n_tables: tables.len() as u64, ..Summary::default() };
    for table in tables {
        let is_there = match table.state {
            State::NotBuilt => false,
            State::Broken | State::Failing => table.stored.is_some(),
            State::Flawed | State::Unchecked | State::Sound => true,
        };
        summary.n_built += u64::from(is_there);
        summary.n_rows += table.stored.as_ref().and_then(|stored| stored.n_rows).unwrap_or(0);
        summary.n_quarantined += table.n_quarantined.unwrap_or(0);
        for expectation in &table.expectations {
            summary.expectations.count(expectation.status);
        }
    }
    summary
}

fn dimensions(tables: &[Table], results: &Results<'_>) -> Vec<DimensionScore> {
    let names: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    DIMENSIONS
        .into_iter()
        .map(|dimension| {
            let mut score = DimensionScore {
                dimension,
                expectations: Tally::default(),
                n_considered: 0,
                n_violating: 0,
                trend: results.dimension_trend(dimension, &names),
            };
            let of_it = tables.iter().flat_map(|table| &table.expectations);
            for expectation in of_it.filter(|expectation| expectation.dimension == Some(dimension)) {
                score.expectations.count(expectation.status);
                let by_rows = |result: &&Verdict| expectation.status == Status::Passed || result.n_violating > 0;
                if let Some(result) = expectation.result.as_ref().filter(by_rows) {
                    score.n_considered += result.n_considered;
                    score.n_violating += result.n_violating;
                }
            }
            score
        })
        .collect()
}

fn runs(history: &History, results: &Results<'_>, tables: &[Table]) -> Vec<Run> {
    let names: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    history
        .runs
        .iter()
        .map(|run| {
            let (n_checked, n_passed) = results.run_counts(&run.run_id, &names);
            Run {
                run_id: run.run_id.clone(),
                started_at: run.started_at.map(words::rfc3339),
                duration_s: results::seconds_between(run.started_at, run.finished_at),
                status: run.status.clone(),
                git_sha: run.git_sha.clone(),
                n_done: run.n_done,
                n_failed: run.n_failed,
                n_skipped: run.n_skipped,
                n_checked,
                n_passed,
            }
        })
        .collect()
}

fn layers(loaded: &Loaded, tables: &[Table]) -> Vec<Layer> {
    let of_layer = |name: &str| -> Vec<String> {
        let own = tables.iter().filter(|table| table.layer == name.to_lowercase());
        own.map(|table| table.name.clone()).collect()
    };
    let declared = loaded.checked.graph.layers.iter();
    declared
        .map(|layer| Layer { name: layer.name.clone(), tables: of_layer(&layer.name) })
        .filter(|layer| !layer.tables.is_empty())
        .collect()
}

/// Broken expectations with their tables, the gravest first.
pub(super) fn broken(report: &Report) -> Vec<(&Table, &super::view::Expectation)> {
    let all = report.tables.iter().flat_map(|table| table.expectations.iter().map(move |one| (table, one)));
    let mut broken: Vec<_> = all
        .filter(|(_, expectation)| match expectation.status {
            Status::Failed | Status::SetAside | Status::Warned => true,
            Status::Unchecked | Status::Passed => false,
        })
        .collect();
    let n_violating = |one: &super::view::Expectation| one.result.as_ref().map_or(0, |result| result.n_violating);
    broken.sort_by_key(|(_, expectation)| (expectation.status, std::cmp::Reverse(n_violating(expectation))));
    broken
}
