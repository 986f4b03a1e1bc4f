//! What the ledger remembers of the last runs: who ran when, and what became of each expectation.
//!
//! In: a warehouse and how many runs to look back. Out: a [`History`], oldest first. Examples and observed values are read only
//! for each table's newest results, so that a long history stays small. A ledger of an older medc lacks columns; what they
//! would say is missing then, and nothing else. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use deltalake::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use deltalake::arrow::datatypes::{
    DataType as ArrowType, Float64Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use deltalake::datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use deltalake::datafusion::functions_aggregate::expr_fn::max;
use deltalake::datafusion::logical_expr::{Expr, cast, ident, lit};
use deltalake::datafusion::prelude::DataFrame;

use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::table;
use crate::name::TableName;
use crate::sql::session;
use crate::state::Warehouse;

pub mod registry;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The last runs, oldest first.
    pub runs: Vec<Run>,
    /// The newest results of each table, in the order in which they were written.
    pub newest: Vec<Verdict>,
    /// What became of each expectation in `runs`, without examples.
    pub verdicts: Vec<Verdict>,
}

/// One run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    pub run_id: String,
    /// Microseconds since 1970, UTC.
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub environment: Option<String>,
    pub git_sha: Option<String>,
    /// `succeeded` or `failed`; `None` for a run that only tested.
    pub status: Option<String>,
    pub n_done: u64,
    pub n_failed: u64,
    pub n_skipped: u64,
}

/// One expectation in one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    pub run_id: String,
    pub table: String,
    pub kind: String,
    pub label: String,
    pub columns: Vec<String>,
    pub dimension: Option<String>,
    pub on_violation: Option<String>,
    pub severity: Option<String>,
    pub mostly: Option<f64>,
    pub n_rows: u64,
    pub n_considered: u64,
    pub n_violating: u64,
    pub success: bool,
    /// JSON text.
    pub observed: Option<String>,
    /// A JSON list of objects, as text.
    pub examples: Option<String>,
    pub duration_s: Option<f64>,
    /// Microseconds since 1970, UTC.
    pub checked_at: Option<i64>,
}

/// Reads the last `n_runs` runs, and the newest results of every table.
///
/// # Errors
/// `run::table-broken` when the ledger cannot be read.
pub async fn read(warehouse: &Warehouse, n_runs: usize) -> Result<History, Diagnostic> {
    let runs = ledger(warehouse, "medc", "runs").await.map_err(|error| broken(&error))?;
    let results = ledger(warehouse, "quality", "results").await.map_err(|error| broken(&error))?;
    assemble(runs, results, n_runs).await.map_err(|error| broken(&error))
}

/// The values of one column in the rows of a run.
///
/// # Errors
/// `run::table-broken` when that table of the ledger cannot be read.
pub(super) async fn values_of_run(
    warehouse: &Warehouse,
    layer: &str,
    name: &str,
    column: &str,
    run_id: &str,
) -> Result<BTreeSet<String>, Diagnostic> {
    let read = async {
        let Some(rows) = ledger(warehouse, layer, name).await? else { return Ok(BTreeSet::new()) };
        let rows = rows.filter(ident("run_id").eq(lit(run_id)))?.select(vec![ident(column)])?;
        let mut values = BTreeSet::new();
        for batch in rows.collect().await? {
            let fields = Fields::of(&batch);
            values.extend((0..batch.num_rows()).filter_map(|row| fields.text(column, row)));
        }
        Ok::<_, DataFusionError>(values)
    };
    read.await.map_err(|error| broken(&error))
}

fn broken(error: &DataFusionError) -> Diagnostic {
    Diagnostic::error(code::TABLE_BROKEN, "the ledger of runs cannot be read")
        .note(error.strip_backtrace())
        .help("`medc.runs`, `quality.results` and `ml_registry.model_versions` keep it; remove the folder of the one that is damaged")
}

/// A table of the ledger; `None` when nothing was recorded yet.
async fn ledger(warehouse: &Warehouse, layer: &str, name: &str) -> DataFusionResult<Option<DataFrame>> {
    let Ok(root) = warehouse.root.canonicalize() else { return Ok(None) };
    let folder = Warehouse { root }.folder(&TableName::new(layer, name));
    let external = |error: deltalake::DeltaTableError| DataFusionError::External(Box::new(error));
    let Some(opened) = table::open(&folder).await.map_err(external)? else { return Ok(None) };
    let context = session::context(session::Options { target_partitions: Some(1), runtime: None });
    let readable = table::readable(&context, &folder, &opened).await?;
    context.read_table(readable.provider).map(Some)
}

async fn assemble(runs: Option<DataFrame>, results: Option<DataFrame>, n_runs: usize) -> DataFusionResult<History> {
    let mut known: BTreeMap<String, Run> = BTreeMap::new();
    if let Some(runs) = runs {
        for batch in runs.collect().await? {
            let run = Fields::of(&batch);
            for row in 0..batch.num_rows() {
                let found = read_run(&run, row);
                known.insert(found.run_id.clone(), found);
            }
        }
    }
    let Some(results) = results else {
        return Ok(History { runs: last(known.into_values().collect(), n_runs), ..History::default() });
    };
    // A table's newest run, by its time; run ids break ties.
    let mut newest: BTreeMap<String, (Option<i64>, String)> = BTreeMap::new();
    let grouped = results
        .clone()
        .aggregate(vec![ident("table_name"), ident("run_id")], vec![max(ident("checked_at")).alias("checked_at")])?;
    for batch in grouped.collect().await? {
        let result = Fields::of(&batch);
        for row in 0..batch.num_rows() {
            let (table, run_id, checked_at) =
                (result.text("table_name", row), result.text("run_id", row), result.time("checked_at", row));
            let (Some(table), Some(run_id)) = (table, run_id) else { continue };
            // A run that only tested is in no other table.
            known.entry(run_id.clone()).or_insert_with(|| Run {
                run_id: run_id.clone(),
                started_at: checked_at,
                ..Run::default()
            });
            let candidate = (checked_at, run_id);
            let best = newest.entry(table).or_insert_with(|| candidate.clone());
            if *best < candidate {
                *best = candidate;
            }
        }
    }
    let runs = last(known.into_values().collect(), n_runs);
    let newest_runs: BTreeSet<&String> = newest.values().map(|(_, run_id)| run_id).collect();
    let full = among(&results, newest_runs)?;
    let newest_of = |verdict: &Verdict| newest.get(&verdict.table).is_some_and(|(_, run_id)| *run_id == verdict.run_id);
    let full = verdicts(full.collect().await?).into_iter().filter(newest_of).collect();
    let brief = among(&results, runs.iter().map(|run| &run.run_id))?;
    let brief = without(brief, &["examples", "observed"])?;
    Ok(History { verdicts: verdicts(brief.collect().await?), newest: full, runs })
}

/// The last so many runs, oldest first.
fn last(mut runs: Vec<Run>, n_runs: usize) -> Vec<Run> {
    runs.sort_by(|left, right| (left.started_at, &left.run_id).cmp(&(right.started_at, &right.run_id)));
    let n_older = runs.len().saturating_sub(n_runs);
    runs.split_off(n_older)
}

fn among<'r>(results: &DataFrame, runs: impl IntoIterator<Item = &'r String>) -> DataFusionResult<DataFrame> {
    let runs: Vec<Expr> = runs.into_iter().map(|run| lit(run.as_str())).collect();
    results.clone().filter(ident("run_id").in_list(runs, false))
}

/// The frame with these columns NULL, so that they are not read.
fn without(frame: DataFrame, columns: &[&str]) -> DataFusionResult<DataFrame> {
    let kept: Vec<Expr> = frame
        .schema()
        .fields()
        .iter()
        .map(|field| {
            if columns.contains(&field.name().as_str()) {
                cast(lit(ScalarValue::Null), ArrowType::Utf8).alias(field.name())
            } else {
                ident(field.name())
            }
        })
        .collect();
    frame.select(kept)
}

fn verdicts(batches: Vec<RecordBatch>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for batch in batches {
        let result = Fields::of(&batch);
        verdicts.extend((0..batch.num_rows()).map(|row| read_verdict(&result, row)));
    }
    verdicts
}

fn read_run(run: &Fields, row: usize) -> Run {
    Run {
        run_id: run.text("run_id", row).unwrap_or_default(),
        started_at: run.time("started_at", row),
        finished_at: run.time("finished_at", row),
        environment: run.text("environment", row),
        git_sha: run.text("git_sha", row),
        status: run.text("status", row),
        n_done: run.count("n_done", row),
        n_failed: run.count("n_failed", row),
        n_skipped: run.count("n_skipped", row),
    }
}

fn read_verdict(result: &Fields, row: usize) -> Verdict {
    let n_rows = result.count("n_rows", row);
    Verdict {
        run_id: result.text("run_id", row).unwrap_or_default(),
        table: result.text("table_name", row).unwrap_or_default(),
        kind: result.text("kind", row).unwrap_or_default(),
        label: result.text("label", row).unwrap_or_default(),
        columns: result.texts("columns", row),
        dimension: result.text("dimension", row),
        on_violation: result.text("on_violation", row),
        severity: result.text("severity", row),
        mostly: result.number("mostly", row),
        n_rows,
        n_considered: result.known_count("n_considered", row).unwrap_or(n_rows),
        n_violating: result.count("n_violating", row),
        success: result.truth("success", row),
        observed: result.text("observed", row),
        examples: result.text("examples", row),
        duration_s: result.number("duration_s", row),
        checked_at: result.time("checked_at", row),
    }
}

/// A batch's columns by name, each in the type in which it is wanted.
struct Fields {
    schema: SchemaRef,
    columns: Vec<ArrayRef>,
}

impl Fields {
    /// Columns of another type than expected are read as if they were not there: the ledger is medc's own.
    fn of(batch: &RecordBatch) -> Self {
        Fields { schema: batch.schema(), columns: batch.columns().to_vec() }
    }

    fn column(&self, name: &str, row: usize) -> Option<&ArrayRef> {
        let column = self.columns.get(self.schema.index_of(name).ok()?)?;
        column.is_valid(row).then_some(column)
    }

    fn text(&self, name: &str, row: usize) -> Option<String> {
        Some(self.column(name, row)?.as_string_opt::<i32>()?.value(row).to_owned())
    }

    fn texts(&self, name: &str, row: usize) -> Vec<String> {
        let lists = self.column(name, row).and_then(|column| column.as_list_opt::<i32>());
        let values = lists.map(|lists| lists.value(row));
        let texts = values.as_ref().and_then(|values| values.as_string_opt::<i32>());
        texts.map(|texts| texts.iter().flatten().map(str::to_owned).collect()).unwrap_or_default()
    }

    fn known_count(&self, name: &str, row: usize) -> Option<u64> {
        u64::try_from(self.column(name, row)?.as_primitive_opt::<Int64Type>()?.value(row)).ok()
    }

    fn count(&self, name: &str, row: usize) -> u64 {
        self.known_count(name, row).unwrap_or(0)
    }

    fn number(&self, name: &str, row: usize) -> Option<f64> {
        Some(self.column(name, row)?.as_primitive_opt::<Float64Type>()?.value(row))
    }

    fn truth(&self, name: &str, row: usize) -> bool {
        self.column(name, row).and_then(|column| column.as_boolean_opt()).is_some_and(|truth| truth.value(row))
    }

    fn time(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.column(name, row)?;
        match column.data_type() {
            ArrowType::Timestamp(TimeUnit::Microsecond, _) => {
                Some(column.as_primitive_opt::<TimestampMicrosecondType>()?.value(row))
            }
            _ => None,
        }
    }
}
