//! What is remembered of runs, in ordinary Delta tables.
//!
//! In: a run's report. Out: rows appended to `medc.runs` (one a run), `quality.results` (one an assertion and run) and
//! `ml_registry.model_versions` (one a dataset that was written). A run without actions adds nothing. What a run that died did
//! not get to write is completed by the next one from the tables' commits; what became of its expectations is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use deltalake::arrow::datatypes::{DataType as ArrowType, Field};
use serde_json::json;

use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::stage::{Stage, Writer};
use crate::engines::local::table::{self, Publication, Publishing};
use crate::engines::local::{NodeReport, Outcome, Run, RunReport, history, leftovers};
use crate::ir::{Column, DataType, Dataset, Node, Schema};
use crate::name::TableName;
use crate::plan::dataset_definition;

const RUNS: &str = "Every apply that had something to do";
const PROMOTIONS: &str = "Which version came to an environment from which other";
const VERSIONS: &str = "Which dataset version was built when, from what";

/// Records a run.
pub(super) async fn record(run: &Run<'_>, report: &RunReport) -> Result<(), Diagnostic> {
    let now = now_micros();
    append(run, "medc", "runs", RUNS, runs(run, &ended(run, report, now))).await?;
    record_results(run, report).await?;
    append(run, "ml_registry", "model_versions", VERSIONS, model_versions(run, &built(run, report), now)).await
}

/// Records what a run that died did, as far as its tables tell.
pub(super) async fn complete(run: &Run<'_>, died: &str) -> Result<(), Diagnostic> {
    let now = now_micros();
    let warehouse = &run.settings.warehouse;
    let wrote = |node: &Node| {
        let commit = run.state.tables.get(&node.name)?.commit.as_ref()?;
        (commit.run_id == died).then_some(commit)
    };
    let known = history::values_of_run(warehouse, "ml_registry", "model_versions", "table_name", died).await?;
    let mut missing = Vec::new();
    for node in run.checked.graph.nodes.values().filter(|node| !known.contains(&node.name.to_string())) {
        if let (Some(dataset), Some(commit)) = (&node.dataset, wrote(node)) {
            let git_sha = commit.git_sha.as_deref();
            missing.push(Registered { node, dataset, version: commit.version, run_id: died, git_sha });
        }
    }
    append(run, "ml_registry", "model_versions", VERSIONS, model_versions(run, &missing, now)).await?;
    if !history::values_of_run(warehouse, "medc", "runs", "run_id", died).await?.is_empty() {
        return Ok(());
    }
    let n_done = run.checked.graph.nodes.values().filter(|node| wrote(node).is_some()).count();
    let ended = Ended {
        run_id: died,
        started_at: begun(died).unwrap_or(run.settings.started_at),
        finished_at: None,
        git_sha: None,
        status: "died",
        n_tables: None,
        n_done: signed(n_done as u64),
        n_failed: None,
        n_skipped: None,
    };
    append(run, "medc", "runs", RUNS, runs(run, &ended)).await
}

/// Records that tables were restored.
pub(super) async fn record_restored(run: &Run<'_>, n_done: usize, is_well: bool) -> Result<(), Diagnostic> {
    let ended = Ended {
        status: if is_well { "restored" } else { "failed" },
        n_tables: Some(signed(n_done as u64)),
        n_done: signed(n_done as u64),
        ..ended(run, &RunReport::default(), now_micros())
    };
    append(run, "medc", "runs", RUNS, runs(run, &ended)).await
}

/// Records that the datasets that are there came from another environment: a row a dataset in the registry, and one of
/// where it came from.
pub(super) async fn promote(run: &Run<'_>, from: &str) -> Result<usize, Diagnostic> {
    let now = now_micros();
    let settings = &run.settings;
    let git_sha = settings.git_sha.as_deref();
    let of_node = |node| {
        let node: &Node = node;
        let dataset = node.dataset.as_ref()?;
        let version = run.state.tables.get(&node.name)?.version;
        Some(Registered { node, dataset, version, run_id: &settings.run_id, git_sha })
    };
    let all: Vec<Registered<'_>> = run.checked.graph.nodes.values().filter_map(of_node).collect();
    let mut rows = Rows::default();
    rows.text("kind", all.iter().map(|_| Some("dataset")));
    rows.text("model_name", all.iter().map(|one| Some(one.dataset.model.as_str())));
    rows.count("version", all.iter().map(|one| Some(i64::from(one.dataset.version))));
    rows.text("from_environment", all.iter().map(|_| Some(from)));
    rows.text("to_environment", all.iter().map(|_| Some(settings.environment.as_str())));
    rows.text("git_sha", all.iter().map(|one| one.git_sha));
    rows.text("run_id", all.iter().map(|one| Some(one.run_id)));
    rows.time("promoted_at", all.iter().map(|_| Some(now)));
    append(run, "ml_registry", "model_versions", VERSIONS, model_versions(run, &all, now)).await?;
    append(run, "ml_registry", "promotions", PROMOTIONS, rows).await?;
    Ok(all.len())
}

/// When a run began: its id begins with the time in milliseconds.
fn begun(run_id: &str) -> Option<i64> {
    let (seconds, nanos) = uuid::Uuid::parse_str(run_id).ok()?.get_timestamp()?.to_unix();
    Some(i64::try_from(seconds).ok()? * 1_000_000 + i64::from(nanos / 1000))
}

/// Records what became of the expectations of a run.
pub(super) async fn record_results(run: &Run<'_>, report: &RunReport) -> Result<(), Diagnostic> {
    let rows = results(run, report, now_micros());
    append(run, "quality", "results", "What became of every expectation, run by run", rows).await
}

/// Columns of one ledger table with their values.
#[derive(Default)]
struct Rows {
    columns: Vec<(&'static str, DataType, ArrayRef)>,
}

impl Rows {
    fn text<T: Into<String>>(&mut self, name: &'static str, values: impl Iterator<Item = Option<T>>) {
        let values: StringArray = values.map(|value| value.map(Into::into)).collect();
        self.columns.push((name, DataType::String, Arc::new(values)));
    }

    fn count(&mut self, name: &'static str, values: impl Iterator<Item = Option<i64>>) {
        self.columns.push((name, DataType::Bigint, Arc::new(values.collect::<Int64Array>())));
    }

    fn number(&mut self, name: &'static str, values: impl Iterator<Item = Option<f64>>) {
        self.columns.push((name, DataType::Double, Arc::new(values.collect::<Float64Array>())));
    }

    fn truth(&mut self, name: &'static str, values: impl Iterator<Item = bool>) {
        self.columns.push((name, DataType::Boolean, Arc::new(values.map(Some).collect::<BooleanArray>())));
    }

    fn time(&mut self, name: &'static str, values: impl Iterator<Item = Option<i64>>) {
        let values: TimestampMicrosecondArray = values.collect();
        self.columns.push((name, DataType::Timestamp, Arc::new(values.with_timezone("UTC"))));
    }

    fn texts<'t>(&mut self, name: &'static str, values: impl Iterator<Item = &'t [String]>) {
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", ArrowType::Utf8, true));
        for value in values {
            lists.append_value(value.iter().map(Some));
        }
        self.columns.push((name, DataType::Array(Box::new(DataType::String)), Arc::new(lists.finish())));
    }
}

/// A row of `medc.runs`.
struct Ended<'r> {
    run_id: &'r str,
    started_at: i64,
    finished_at: Option<i64>,
    git_sha: Option<&'r str>,
    status: &'static str,
    n_tables: Option<i64>,
    n_done: i64,
    n_failed: Option<i64>,
    n_skipped: Option<i64>,
}

fn ended<'r>(run: &'r Run<'_>, report: &RunReport, now: i64) -> Ended<'r> {
    let settings = &run.settings;
    let count =
        |wanted: fn(&Outcome) -> bool| signed(report.nodes.iter().filter(|node| wanted(&node.outcome)).count() as u64);
    Ended {
        run_id: &settings.run_id,
        started_at: settings.started_at,
        finished_at: Some(now),
        git_sha: settings.git_sha.as_deref(),
        status: if report.is_success() { "succeeded" } else { "failed" },
        n_tables: Some(signed(report.nodes.len() as u64)),
        n_done: count(|outcome| matches!(outcome, Outcome::Done { .. })),
        n_failed: Some(count(|outcome| matches!(outcome, Outcome::Failed { .. }))),
        n_skipped: Some(count(|outcome| matches!(outcome, Outcome::Skipped { .. }))),
    }
}

fn runs(run: &Run<'_>, ended: &Ended<'_>) -> Rows {
    let mut rows = Rows::default();
    rows.text("run_id", std::iter::once(Some(ended.run_id)));
    rows.time("started_at", std::iter::once(Some(ended.started_at)));
    rows.time("finished_at", std::iter::once(ended.finished_at));
    rows.text("environment", std::iter::once(Some(run.settings.environment.as_str())));
    rows.text("git_sha", std::iter::once(ended.git_sha));
    rows.text("status", std::iter::once(Some(ended.status)));
    rows.count("n_tables", std::iter::once(ended.n_tables));
    rows.count("n_done", std::iter::once(Some(ended.n_done)));
    rows.count("n_failed", std::iter::once(ended.n_failed));
    rows.count("n_skipped", std::iter::once(ended.n_skipped));
    rows.text("medc_version", std::iter::once(Some(env!("CARGO_PKG_VERSION"))));
    rows
}

fn results(run: &Run<'_>, report: &RunReport, now: i64) -> Rows {
    let all: Vec<_> = report
        .nodes
        .iter()
        .flat_map(|node| node.assertions.iter().map(move |assertion| (node.node, assertion)))
        .collect();
    let mut rows = Rows::default();
    rows.text("run_id", all.iter().map(|_| Some(run.settings.run_id.as_str())));
    rows.text("table_name", all.iter().map(|(node, _)| Some(run.checked.graph.node(*node).name.to_string())));
    rows.text("kind", all.iter().map(|(_, one)| Some(one.kind.as_str())));
    rows.text("label", all.iter().map(|(_, one)| Some(one.label.as_str())));
    rows.texts("columns", all.iter().map(|(_, one)| one.columns.as_slice()));
    rows.text("dimension", all.iter().map(|(_, one)| word(one.dimension)));
    rows.text("on_violation", all.iter().map(|(_, one)| word(one.on_violation)));
    rows.text("severity", all.iter().map(|(_, one)| one.severity.and_then(word)));
    rows.number("mostly", all.iter().map(|(_, one)| Some(one.mostly)));
    rows.count("n_rows", all.iter().map(|(_, one)| Some(signed(one.n_rows))));
    rows.count("n_considered", all.iter().map(|(_, one)| Some(signed(one.n_considered))));
    rows.count("n_violating", all.iter().map(|(_, one)| Some(signed(one.n_violating))));
    rows.number("share", all.iter().map(|(_, one)| Some(one.share())));
    rows.truth("success", all.iter().map(|(_, one)| one.success));
    rows.text("observed", all.iter().map(|(_, one)| one.observed.as_ref().map(ToString::to_string)));
    rows.text(
        "examples",
        all.iter().map(|(_, one)| (!one.examples.is_empty()).then(|| format!("[{}]", one.examples.join(",")))),
    );
    rows.number("duration_s", all.iter().map(|(_, one)| Some(one.duration.as_secs_f64())));
    rows.time("checked_at", all.iter().map(|_| Some(now)));
    rows
}

/// A word of the project file, as serde spells it.
fn word(value: impl serde::Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// A dataset's table as one run wrote it.
struct Registered<'r> {
    node: &'r Node,
    dataset: &'r Dataset,
    version: i64,
    run_id: &'r str,
    git_sha: Option<&'r str>,
}

fn built<'r>(run: &'r Run<'_>, report: &RunReport) -> Vec<Registered<'r>> {
    let of_node = |node: &NodeReport| {
        let declared: &Node = run.checked.graph.node(node.node);
        let Outcome::Done { version: Some(version), .. } = node.outcome else { return None };
        let dataset = declared.dataset.as_ref()?;
        let settings = &run.settings;
        let git_sha = settings.git_sha.as_deref();
        Some(Registered { node: declared, dataset, version, run_id: &settings.run_id, git_sha })
    };
    report.nodes.iter().filter_map(of_node).collect()
}

fn model_versions(run: &Run<'_>, all: &[Registered<'_>], now: i64) -> Rows {
    let source_version = |dataset: &Dataset| {
        let folder = &run.settings.warehouse;
        crate::state::read_table(folder, &dataset.source_table).ok().flatten().map(|table| table.version)
    };
    let mut rows = Rows::default();
    rows.text("model_name", all.iter().map(|one| Some(one.dataset.model.as_str())));
    rows.count("version", all.iter().map(|one| Some(i64::from(one.dataset.version))));
    rows.text("table_name", all.iter().map(|one| Some(one.node.name.to_string())));
    rows.text("source_table", all.iter().map(|one| Some(one.dataset.source_table.to_string())));
    rows.texts("feature_columns", all.iter().map(|one| one.dataset.features.as_slice()));
    rows.text("target_column", all.iter().map(|one| Some(one.dataset.target.as_str())));
    rows.text("definition", all.iter().map(|one| Some(dataset_definition(one.dataset))));
    rows.count("dataset_version", all.iter().map(|one| Some(one.version)));
    rows.count("source_version", all.iter().map(|one| source_version(one.dataset)));
    rows.text("environment", all.iter().map(|_| Some(run.settings.environment.as_str())));
    rows.text("git_sha", all.iter().map(|one| one.git_sha));
    rows.text("run_id", all.iter().map(|one| Some(one.run_id)));
    rows.time("registered_at", all.iter().map(|_| Some(now)));
    rows
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn now_micros() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// Appends rows to a ledger table, and makes it if need be; nothing for no rows.
async fn append(run: &Run<'_>, layer: &str, name: &str, description: &str, rows: Rows) -> Result<(), Diagnostic> {
    if rows.columns.first().is_none_or(|(.., values)| values.is_empty()) {
        return Ok(());
    }
    let table_name = TableName::new(layer, name);
    let failed = |error: &dyn std::fmt::Display| {
        Diagnostic::error(code::WAREHOUSE, format!("the run cannot be recorded in `{table_name}`"))
            .note(error.to_string())
            .help(format!(
                "the tables themselves are as reported; remove the folder of `{table_name}` if it is damaged"
            ))
    };
    let folder = run.settings.warehouse.folder(&table_name);
    let column = |(name, data_type, _): &(&str, DataType, ArrayRef)| Column {
        name: (*name).to_owned(),
        data_type: data_type.clone(),
        nullable: true,
    };
    let schema = Schema { columns: rows.columns.iter().map(column).collect() };
    let arrow = crate::sql::types::to_arrow_schema(&schema);
    let existing = table::open(&folder).await.map_err(|error| failed(&error))?;
    leftovers::sweep(&folder, existing.as_ref(), &run.settings.run_id).await.map_err(|error| failed(&error))?;
    let stage = Stage::new(folder, &run.settings.run_id, &arrow, &[]).map_err(|error| failed(&error))?;
    let stage = Arc::new(stage);
    let values = rows.columns.into_iter().map(|(.., values)| values).collect();
    let written = RecordBatch::try_new(Arc::clone(stage.schema()), values).map_err(Into::into).and_then(|batch| {
        let mut writer = Writer::new(&stage);
        writer.write(&batch)?;
        writer.close()
    });
    let files = written.map_err(|error| failed(&error))?;
    let publishing = Publishing {
        schema: &schema,
        contract: None,
        description: Some(description),
        partition_by: &[],
        commit_info: BTreeMap::from([("medc.run_id".to_owned(), json!(run.settings.run_id))]),
        transactions: Vec::new(),
    };
    let published = table::publish(existing.as_ref(), stage.folder(), &files, Publication::Append, publishing).await;
    published.map_err(|error| {
        stage.discard();
        failed(&error)
    })?;
    stage.published();
    Ok(())
}
