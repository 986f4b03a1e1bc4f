//! Parquet files, a row group at a time.
//!
//! In: files whose columns are those of the contract, in any order, with the same types in all of them. Out: batches in
//! the contract's order with the files' types. Footers are read when the plan is made, so that a truncated file is
//! found before any row is written; a page that cannot be decoded ends the stream.

use std::path::Path;

use deltalake::arrow::array::{ArrayRef, RecordBatch};
use deltalake::arrow::datatypes::Field;
use deltalake::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::columns::{header_error, positions};
use super::execution::Recipe;
use super::{Outcome, read};
use crate::diagnostic::Diagnostic;
use crate::state::SourceFile;

const BATCH_ROWS: usize = 8_192;

/// Parquet files, ready to be read.
pub(super) struct Parquet {
    files: Vec<Opened>,
}

#[derive(Clone)]
struct Opened {
    metadata: ArrowReaderMetadata,
    positions: Vec<usize>,
}

/// The row groups that nobody reads yet.
pub(super) struct RowGroups {
    files: Vec<Opened>,
    file: usize,
    row_group: usize,
}

/// The rows of one row group.
pub(super) struct RowGroupRows {
    reader: ParquetRecordBatchReader,
    file: usize,
    positions: Vec<usize>,
}

/// The names of a file's columns.
pub(super) fn header(file: &SourceFile, project_dir: &Path) -> Outcome<Vec<String>> {
    Ok(names(&footer(file, project_dir)?))
}

fn names(metadata: &ArrowReaderMetadata) -> Vec<String> {
    metadata.schema().fields().iter().map(|field| field.name().clone()).collect()
}

fn footer(file: &SourceFile, project_dir: &Path) -> Outcome<ArrowReaderMetadata> {
    let opened = read::open(file, project_dir)?;
    ArrowReaderMetadata::load(&opened, ArrowReaderOptions::new()).map_err(|error| corrupt(&file.path, &error))
}

fn corrupt(shown: &str, error: &dyn std::error::Error) -> Box<Diagnostic> {
    Box::new(
        read::unreadable(format!("`{shown}` is no whole Parquet file"))
            .note(error.to_string())
            .help("the file is truncated or of another format; write it again"),
    )
}

impl Parquet {
    /// Reads the footers and compares the columns of all files.
    pub(super) fn open(
        files: &[SourceFile],
        wanted: &[String],
        by_contract: bool,
        project_dir: &Path,
    ) -> Outcome<Self> {
        let mut opened: Vec<Opened> = Vec::with_capacity(files.len());
        for file in files {
            let metadata = footer(file, project_dir)?;
            let positions = positions(&file.path, &names(&metadata), wanted, by_contract)?;
            let next = Opened { metadata, positions };
            if let Some(first) = opened.first() {
                same_types(first, &next, &files[0].path, &file.path)?;
            }
            opened.push(next);
        }
        Ok(Parquet { files: opened })
    }

    /// The wanted columns with the files' types.
    pub(super) fn fields(&self, wanted: &[String]) -> Vec<Field> {
        let Some(first) = self.files.first() else { return super::text_fields(wanted) };
        let typed = first.positions.iter().map(|position| first.metadata.schema().field(*position).data_type());
        wanted.iter().zip(typed).map(|(name, data_type)| Field::new(name, data_type.clone(), true)).collect()
    }

    pub(super) fn row_groups(&self) -> RowGroups {
        RowGroups { files: self.files.clone(), file: 0, row_group: 0 }
    }
}

fn same_types(first: &Opened, other: &Opened, first_shown: &str, other_shown: &str) -> Outcome<()> {
    for (left, right) in first.positions.iter().zip(&other.positions) {
        let (left, right) = (first.metadata.schema().field(*left), other.metadata.schema().field(*right));
        if left.data_type() != right.data_type() {
            let message = format!(
                "`{other_shown}` has the column `{}` as {} and `{first_shown}` as {}",
                right.name(),
                right.data_type(),
                left.data_type()
            );
            return Err(Box::new(
                header_error(message).help("write the files with the same types, or read them as two sources"),
            ));
        }
    }
    Ok(())
}

impl RowGroups {
    /// The next row group; `None` when all are taken.
    pub(super) fn next(&mut self, recipe: &Recipe) -> Outcome<Option<RowGroupRows>> {
        loop {
            let Some(opened) = self.files.get(self.file) else { return Ok(None) };
            if self.row_group >= opened.metadata.metadata().num_row_groups() {
                self.file += 1;
                self.row_group = 0;
                continue;
            }
            let listed = &recipe.files[self.file];
            let file = read::open(listed, &recipe.project_dir)?;
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, opened.metadata.clone())
                .with_row_groups(vec![self.row_group])
                .with_batch_size(BATCH_ROWS)
                .build()
                .map_err(|error| corrupt(&listed.path, &error))?;
            self.row_group += 1;
            return Ok(Some(RowGroupRows { reader, file: self.file, positions: opened.positions.clone() }));
        }
    }
}

impl RowGroupRows {
    /// The next rows; `None` at the end of the row group.
    pub(super) fn next(&mut self, recipe: &Recipe) -> Outcome<Option<RecordBatch>> {
        let shown = &recipe.files[self.file].path;
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(|error| corrupt(shown, &error))?;
        let n_rows = batch.num_rows();
        let mut columns: Vec<ArrayRef> =
            self.positions.iter().map(|position| std::sync::Arc::clone(batch.column(*position))).collect();
        columns.extend(recipe.metadata.arrays(shown, None, n_rows));
        RecordBatch::try_new(std::sync::Arc::clone(&recipe.schema), columns)
            .map(Some)
            .map_err(|error| corrupt(shown, &error))
    }
}
