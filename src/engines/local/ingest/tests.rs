//! Sources written to a temporary folder and read back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::Int64Type;
use deltalake::datafusion::error::DataFusionError;
use deltalake::datafusion::physical_plan::collect;
use deltalake::datafusion::prelude::SessionContext;
use tempfile::TempDir;

use super::*;
use crate::diagnostic::{Code, SourceId, code};
use crate::ir::{Column, Delimited, MetadataColumn, OnViolation};

mod binary;
mod causes;
mod delimited;
mod json_lines;
mod listing;

type Row = Vec<Option<String>>;

fn csv() -> Delimited {
    Delimited {
        header: true,
        delimiter: b',',
        quote: Some(b'"'),
        escape: None,
        encoding: "utf-8".to_owned(),
        null_values: Vec::new(),
        on_ragged_row: OnViolation::Fail,
    }
}

fn ingest(location: &str, reader: Reader) -> Ingest {
    Ingest {
        location: location.to_owned(),
        location_site: Site::root(SourceId(0)),
        reader,
        metadata_columns: vec![MetadataColumn::SourceFile, MetadataColumn::SourceLine],
    }
}

fn contract(names: &[&str]) -> ir::Schema {
    let column = |name: &&str| Column { name: (*name).to_owned(), data_type: ir::DataType::String, nullable: true };
    ir::Schema { columns: names.iter().map(column).collect() }
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().expect("temporary folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
        fs::write(path, bytes).expect("file");
    }
    folder
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(future)
}

struct Read {
    batches: Vec<RecordBatch>,
    rejected: Arc<Rejected>,
}

fn read(ingest: &Ingest, columns: Option<&ir::Schema>, project_dir: &Path) -> Outcome<Read> {
    let files = list(ingest, project_dir)?;
    read_files(ingest, &files, columns, project_dir)
}

fn read_files(ingest: &Ingest, files: &[SourceFile], columns: Option<&ir::Schema>, dir: &Path) -> Outcome<Read> {
    let session = SessionContext::new();
    let state = session.state();
    let rejected = Arc::new(Rejected::default());
    let context = ScanContext {
        project_dir: dir,
        run_id: "run",
        started_at: 0,
        n_partitions: 3,
        rejected: Arc::clone(&rejected),
        session: &state,
    };
    let result: Result<Vec<RecordBatch>, DataFusionError> = run(async {
        let plan = scan(ingest, files, columns, &context)
            .await
            .map_err(|wrong| DataFusionError::External(Box::new(Stopped(wrong))))?;
        collect(plan, session.task_ctx()).await
    });
    match result {
        Ok(batches) => Ok(Read { batches, rejected }),
        Err(error) => Err(Box::new(diagnostic_of(&error).unwrap_or_else(|| panic!("{error}")).clone())),
    }
}

/// All rows as text, sorted by file and line, without the metadata columns.
fn rows(read: &Read) -> Vec<Row> {
    numbered_rows(read).into_iter().map(|(_, row)| row).collect()
}

/// All rows with their lines.
fn numbered_rows(read: &Read) -> Vec<(i64, Row)> {
    let mut numbered: Vec<(Option<String>, i64, Row)> = Vec::new();
    for batch in &read.batches {
        let texts: Vec<ArrayRef> =
            batch.columns().iter().map(|column| cast(column, &DataType::Utf8).expect("text")).collect();
        let (cells, metadata) = texts.split_at(texts.len() - 2);
        for row in 0..batch.num_rows() {
            let cell = |array: &ArrayRef| array.is_valid(row).then(|| array.as_string::<i32>().value(row).to_owned());
            let line = cell(&metadata[1]).map_or(0, |line| line.parse().expect("a number"));
            numbered.push((cell(&metadata[0]), line, cells.iter().map(cell).collect()));
        }
    }
    numbered.sort();
    numbered.into_iter().map(|(_, line, row)| (line, row)).collect()
}

fn lines_of(read: &Read) -> Vec<i64> {
    let mut lines: Vec<i64> = Vec::new();
    for batch in &read.batches {
        lines.extend(batch.column(batch.num_columns() - 1).as_primitive::<Int64Type>().values());
    }
    lines.sort_unstable();
    lines
}

fn row(cells: &[&str]) -> Row {
    cells.iter().map(|cell| (*cell != "NULL").then(|| (*cell).to_owned())).collect()
}

fn wrong(outcome: Outcome<Read>, expected: Code, parts: &[&str]) {
    let diagnostic = outcome.err().expect("a diagnostic");
    let text = format!("{} | {:?} | {:?}", diagnostic.message, diagnostic.note, diagnostic.help);
    assert_eq!(diagnostic.code, expected, "{text}");
    assert_eq!(diagnostic.labels.len(), 1, "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
}
