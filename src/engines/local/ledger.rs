//! What is remembered of runs, in ordinary Delta tables.
//!
//! In: a run's report. Out: rows appended to `medc.runs` (one a run), `quality.results` (one an assertion and run) and
//! `ml_registry.model_versions` (one a dataset that was written). A run without actions adds nothing.

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
use crate::engines::local::{NodeReport, Outcome, Run, RunReport};
use crate::ir::{Column, DataType, Dataset, Node, Schema};
use crate::name::TableName;
use crate::plan::{Action, Plan, dataset_definition};

/// Records a run.
pub(super) async fn record(run: &Run<'_>, plan: &Plan, report: &RunReport) -> Result<(), Diagnostic> {
    let now = now_micros();
    let actions: BTreeMap<_, _> = plan.actions.iter().map(|action| (action.node, action)).collect();
    append(run, "medc", "runs", "Every apply that had something to do", runs(run, report, now)).await?;
    record_results(run, report).await?;
    let versions = model_versions(run, &actions, report, now);
    append(run, "ml_registry", "model_versions", "Which dataset version was built when, from what", versions).await
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

    fn time(&mut self, name: &'static str, values: impl Iterator<Item = i64>) {
        let values: TimestampMicrosecondArray = values.map(Some).collect();
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

fn runs(run: &Run<'_>, report: &RunReport, now: i64) -> Rows {
    let settings = &run.settings;
    let count = |wanted: fn(&Outcome) -> bool| {
        std::iter::once(Some(signed(report.nodes.iter().filter(|node| wanted(&node.outcome)).count() as u64)))
    };
    let status = if report.is_success() { "succeeded" } else { "failed" };
    let mut rows = Rows::default();
    rows.text("run_id", std::iter::once(Some(settings.run_id.as_str())));
    rows.time("started_at", std::iter::once(settings.started_at));
    rows.time("finished_at", std::iter::once(now));
    rows.text("environment", std::iter::once(Some(settings.environment.as_str())));
    rows.text("git_sha", std::iter::once(settings.git_sha.as_deref()));
    rows.text("status", std::iter::once(Some(status)));
    rows.count("n_tables", std::iter::once(Some(signed(report.nodes.len() as u64))));
    rows.count("n_done", count(|outcome| matches!(outcome, Outcome::Done { .. })));
    rows.count("n_failed", count(|outcome| matches!(outcome, Outcome::Failed { .. })));
    rows.count("n_skipped", count(|outcome| matches!(outcome, Outcome::Skipped { .. })));
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
    rows.time("checked_at", all.iter().map(|_| now));
    rows
}

/// A word of the project file, as serde spells it.
fn word(value: impl serde::Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

fn model_versions(run: &Run<'_>, actions: &BTreeMap<crate::ir::NodeId, &Action>, report: &RunReport, now: i64) -> Rows {
    let built = |node: &NodeReport| {
        let declared: &Node = run.checked.graph.node(node.node);
        let Outcome::Done { version: Some(version), .. } = &node.outcome else { return None };
        actions.contains_key(&node.node).then_some(())?;
        declared.dataset.as_ref().map(|dataset| (declared, dataset, *version))
    };
    let all: Vec<(&Node, &Dataset, i64)> = report.nodes.iter().filter_map(built).collect();
    let source_version = |dataset: &Dataset| {
        let folder = &run.settings.warehouse;
        crate::state::read_table(folder, &dataset.source_table).ok().flatten().map(|table| table.version)
    };
    let mut rows = Rows::default();
    rows.text("model_name", all.iter().map(|(_, dataset, _)| Some(dataset.model.as_str())));
    rows.count("version", all.iter().map(|(_, dataset, _)| Some(i64::from(dataset.version))));
    rows.text("table_name", all.iter().map(|(node, ..)| Some(node.name.to_string())));
    rows.text("source_table", all.iter().map(|(_, dataset, _)| Some(dataset.source_table.to_string())));
    rows.texts("feature_columns", all.iter().map(|(_, dataset, _)| dataset.features.as_slice()));
    rows.text("target_column", all.iter().map(|(_, dataset, _)| Some(dataset.target.as_str())));
    rows.text("definition", all.iter().map(|(_, dataset, _)| Some(dataset_definition(dataset))));
    rows.count("dataset_version", all.iter().map(|(.., version)| Some(*version)));
    rows.count("source_version", all.iter().map(|(_, dataset, _)| source_version(dataset)));
    rows.text("environment", all.iter().map(|_| Some(run.settings.environment.as_str())));
    rows.text("git_sha", all.iter().map(|_| run.settings.git_sha.as_deref()));
    rows.text("run_id", all.iter().map(|_| Some(run.settings.run_id.as_str())));
    rows.time("registered_at", all.iter().map(|_| now));
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
    Ok(())
}
