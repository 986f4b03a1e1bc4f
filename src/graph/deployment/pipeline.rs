//! What a declarative pipeline can make of the tables, where `bundle: {emit: pipeline}` asks for one.
//!
//! In: the graph, jobs with a task for each table. Out: a diagnostic for each table that only a job's task can build, and the
//! jobs with one update of the pipeline instead of those tasks. A pipeline's tables are queries over all rows,
//! or streams of new ones; what looks at the stored table, or computes with what was counted, is neither.

use crate::diagnostic::{Diagnostic, Diagnostics, code};
use crate::graph::Graph;
use crate::ir::deployment::{Dependency, Job, Task, TaskBody};
use crate::ir::{
    Body, Ingest, Ingestion, Input, MetadataColumn, Node, NodeId, OnViolation, Operation, Reader, Relation, Test,
    WriteMode,
};
use crate::name;

/// The column that orders what came into a table.
const INGESTED_AT: &str = "_ingested_at";

/// Reports what a pipeline cannot do.
pub(super) fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    for &id in &graph.order {
        let node = graph.node(id);
        of_source(node, diagnostics);
        of_assertions(node, diagnostics);
        if let Err(reason) = sequence(graph, id) {
            diagnostics.error(
                wrong(format!("a pipeline cannot merge into `{}`", node.name))
                    .at(node.site.member("write"), "")
                    .note(reason)
                    .help("merge `from` a table with `write: {mode: append}` and the metadata column `_ingested_at`, or emit jobs: `bundle: {emit: jobs}`"),
            );
        }
    }
}

fn wrong(message: String) -> Diagnostic {
    Diagnostic::error(code::PIPELINE, message)
}

fn of_source(node: &Node, diagnostics: &mut Diagnostics) {
    let Body::Ingest(Ingest { reader, .. }) = &node.body else { return };
    if let Some(Ingestion::CopyInto | Ingestion::ReadFiles) = node.on_databricks.ingestion {
        diagnostics.error(
            wrong(format!("a pipeline reads the files of `{}` in its own way", node.name))
                .at(node.site.member("source").member("ingestion"), "")
                .note("Auto Loader where rows are appended, all files otherwise")
                .help("remove `ingestion`, or emit jobs: `bundle: {emit: jobs}`"),
        );
    }
    let is_unknown = node.contract.as_ref().is_none_or(|contract| contract.columns.is_empty());
    let knows_names = match reader {
        Reader::Delimited(delimited) => delimited.header,
        Reader::Parquet | Reader::Delta | Reader::Database(_) => true,
        Reader::JsonLines => false,
    };
    if is_unknown && !knows_names {
        diagnostics.error(
            wrong(format!("a pipeline cannot find out which columns `{}` has", node.name))
                .at(node.site.member("source"), "")
                .note("its files have no header, and nothing is read while the pipeline is planned")
                .help("give the table a contract with its columns"),
        );
    }
}

fn of_assertions(node: &Node, diagnostics: &mut Diagnostics) {
    let (is_stream, keys) = match &node.write.mode {
        WriteMode::Append => (true, None),
        WriteMode::Merge { keys } => (true, Some(keys)),
        WriteMode::Overwrite | WriteMode::View => (false, None),
    };
    // What is merged by a key has it once.
    let is_by_key = |columns: &[String]| {
        keys.is_some_and(|keys| keys.iter().all(|key| columns.iter().any(|column| name::same(column, key))))
    };
    for assertion in &node.assertions {
        let keeps_rows = match assertion.on_violation {
            OnViolation::Fail | OnViolation::Warn => true,
            OnViolation::Drop | OnViolation::Quarantine => false,
        };
        let reason = match &assertion.test {
            Test::Distribution(_) => {
                "what tells distributions apart is computed from counts, which no query of a pipeline sees"
            }
            Test::Row { .. } | Test::Holds(_) if !is_stream || assertion.mostly >= 1.0 => continue,
            Test::Unique { columns } if is_by_key(columns) && keeps_rows => continue,
            Test::Row { .. }
            | Test::Holds(_)
            | Test::Window { .. }
            | Test::Unique { .. }
            | Test::Reference { .. }
            | Test::Aggregate { .. }
            | Test::Query(_)
            | Test::Columns(_) => {
                if !is_stream {
                    continue;
                }
                "the table is a stream of new rows, of which each is judged by itself"
            }
        };
        diagnostics.error(
            wrong(format!("a pipeline cannot judge `{}` of `{}`", assertion.label, node.name))
                .at(assertion.site.clone(), "")
                .note(reason)
                .help("leave it out, or emit jobs: `bundle: {emit: jobs}`"),
        );
    }
}

/// The columns that say which of several rows with one key is the newest; none where nothing is merged.
///
/// # Errors
/// Why a pipeline cannot merge into the table.
pub fn sequence(graph: &Graph, id: NodeId) -> Result<Vec<String>, &'static str> {
    let node = graph.node(id);
    let WriteMode::Merge { keys } = &node.write.mode else { return Ok(Vec::new()) };
    let Body::Relation(Relation { input: Input::Table { name, .. }, operations }) = &node.body else {
        return Err("a pipeline merges changes as they come; a query gives all its rows each time");
    };
    let Some(source) = graph.find(name).map(|source| graph.node(source)) else { return Ok(Vec::new()) };
    let is_ordered = match &source.body {
        Body::Ingest(ingest) => ingest.metadata_columns.contains(&MetadataColumn::IngestedAt),
        Body::Relation(_) => false,
    };
    if source.write.mode != WriteMode::Append || !is_ordered {
        return Err(
            "a pipeline merges changes as they come; its source gives all its rows each time, or does not say when they came",
        );
    }
    let mut sequence = vec![INGESTED_AT.to_owned()];
    for (place, operation) in operations.iter().enumerate() {
        match operation {
            Operation::Filter(_) | Operation::Extend(_) => {}
            Operation::Rename(renamed) => {
                if renamed.iter().any(|one| name::same(&one.from, INGESTED_AT)) {
                    return Err("`_ingested_at`, which orders the changes, is renamed");
                }
            }
            Operation::Latest { keys: by, order, .. } => {
                let is_last = place + 1 == operations.len();
                let same_keys =
                    by.len() == keys.len() && by.iter().all(|one| keys.iter().any(|key| name::same(one, key)));
                if !is_last || !same_keys || order.iter().any(|one| !one.descending) {
                    return Err(
                        "only a last `deduplicate` by the table's keys that keeps the latest row can be said of changes",
                    );
                }
                sequence.extend(order.iter().map(|one| one.column.to_lowercase()));
            }
        }
    }
    Ok(sequence)
}

/// The pipeline's key. A job may have the project's name.
pub(super) fn key(project: &str) -> String {
    format!("{project}_tables")
}

/// The reference to the pipeline's id.
pub fn id(key: &str) -> String {
    format!("${{resources.pipelines.{key}.id}}")
}

/// Puts an update of the pipeline where a job's tasks build tables.
pub(super) fn replace_tables(name: &str, pipeline: &str, job: &mut Job, diagnostics: &mut Diagnostics) {
    let is_table = |task: &Task| !task.tables().is_empty();
    let Some(first) = job.tasks.iter().find(|task| is_table(task)) else { return };
    let mut update = Task {
        key: "tables".to_owned(),
        description: None,
        cluster: None,
        body: TaskBody::Pipeline { id: id(pipeline), full_refresh: false },
        depends_on: Vec::new(),
        ..first.clone()
    };
    let is_taken = |key: &str| job.tasks.iter().any(|task| !is_table(task) && task.key == key);
    while is_taken(&update.key) {
        update.key.push('_');
    }
    // Whether a task waits for a table; each task stands behind those that it waits for.
    let mut waits: Vec<bool> = Vec::with_capacity(job.tasks.len());
    for task in &job.tasks {
        let comes_behind = |on: &Dependency| {
            waits.get(on.task).copied().unwrap_or(false) || job.tasks.get(on.task).is_some_and(is_table)
        };
        waits.push(task.depends_on.iter().any(comes_behind));
    }
    let before = |index: usize| !is_table(&job.tasks[index]) && !waits[index];
    let place_of_update = (0..job.tasks.len()).filter(|index| before(*index)).count();
    let others = (0..job.tasks.len()).filter(|index| !is_table(&job.tasks[*index]));
    let (first_ones, last_ones): (Vec<usize>, Vec<usize>) = others.partition(|index| before(*index));
    let order: Vec<Option<usize>> =
        first_ones.into_iter().map(Some).chain([None]).chain(last_ones.into_iter().map(Some)).collect();
    let new_place = |old: usize| order.iter().position(|place| *place == Some(old)).unwrap_or(place_of_update);
    for table in job.tasks.iter().filter(|task| is_table(task)) {
        for on in table.depends_on.iter().filter(|on| !is_table(&job.tasks[on.task])) {
            if waits[on.task] {
                diagnostics.error(
                    wrong(format!("the job `{name}` does `{}` between two tables", job.tasks[on.task].key))
                        .at(job.site.clone(), "")
                        .note("a pipeline makes all tables in one update")
                        .help("let it come before or behind all tables, or emit jobs: `bundle: {emit: jobs}`"),
                );
            }
            let on = Dependency { task: new_place(on.task), ..*on };
            if !update.depends_on.contains(&on) {
                update.depends_on.push(on);
            }
        }
    }
    let moved = |index: usize| {
        let mut task = job.tasks[index].clone();
        let mut depends_on: Vec<Dependency> = Vec::new();
        for on in &task.depends_on {
            let on = Dependency { task: new_place(on.task), ..*on };
            if !depends_on.contains(&on) {
                depends_on.push(on);
            }
        }
        task.depends_on = depends_on;
        task
    };
    job.tasks = order.iter().map(|place| place.map_or_else(|| update.clone(), moved)).collect();
}
