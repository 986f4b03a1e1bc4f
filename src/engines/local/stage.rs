//! Rows written as Parquet files into a table's folder before anyone can see them.
//!
//! In: record batches in the table's column order. Out: [`StagedFile`]s, which only a commit makes part of the table. A
//! file's name carries the run, and a note in the folder tells of it while it is at work, so that the files of a run that was
//! killed are known as such and removed by the next one (`leftovers`). One [`Writer`] per stream of rows, one open file per writer and partition. It writes to local folders only.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use deltalake::arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use deltalake::arrow::compute::{SortColumn, lexsort_to_indices, partition, take_record_batch};
use deltalake::arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use deltalake::arrow::util::display::array_value_to_string;
use deltalake::datafusion::common::{DataFusionError, Result};
use deltalake::kernel::Add;
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::basic::Compression;
use deltalake::parquet::file::properties::WriterProperties;

use crate::engines::local::{leftovers, stats};
use crate::state::staged::MARK;

/// A file is closed at this size and the next one begun.
const FILE_BYTES: usize = 256 << 20;
const ROW_GROUP_ROWS: usize = 1 << 20;

/// The files of one run for one table.
#[derive(Debug)]
pub(super) struct Stage {
    folder: PathBuf,
    run_id: String,
    /// All columns, in the table's spelling; every field nullable, because the log says what may be NULL.
    schema: SchemaRef,
    /// Indices into `schema` of the partition columns.
    partition_by: Vec<usize>,
    n_files: AtomicUsize,
    created: Mutex<Vec<PathBuf>>,
}

/// A file that is complete and not yet published.
#[derive(Debug, Clone)]
pub(super) struct StagedFile {
    /// Below the table's folder, with `/`.
    pub(super) path: String,
    pub(super) n_rows: u64,
    size_bytes: u64,
    partition_values: BTreeMap<String, Option<String>>,
    stats: String,
    modified_ms: i64,
}

impl StagedFile {
    pub(super) fn add(&self) -> Add {
        Add {
            path: self.path.clone(),
            partition_values: self.partition_values.clone().into_iter().collect(),
            size: i64::try_from(self.size_bytes).unwrap_or(i64::MAX),
            modification_time: self.modified_ms,
            data_change: true,
            stats: Some(self.stats.clone()),
            ..Add::default()
        }
    }
}

impl Stage {
    pub(super) fn new(
        folder: PathBuf,
        run_id: &str,
        schema: &ArrowSchema,
        partition_by: &[String],
    ) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        leftovers::note(&folder, run_id)?;
        let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let places = partition_by
            .iter()
            .filter_map(|name| fields.iter().position(|field| crate::name::same(field.name(), name)));
        Ok(Stage {
            folder,
            run_id: run_id.to_owned(),
            partition_by: places.collect(),
            schema: Arc::new(ArrowSchema::new(fields)),
            n_files: AtomicUsize::new(0),
            created: Mutex::new(Vec::new()),
        })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// To be called once a commit names the files.
    pub(super) fn published(&self) {
        leftovers::unnote(&self.folder, &self.run_id);
    }

    /// Removes every file of this run; for a run that publishes nothing.
    pub(super) fn discard(&self) {
        let mut is_clean = true;
        for path in self.created.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            is_clean &= std::fs::remove_file(&path).is_ok() || !path.exists();
        }
        // What cannot be removed now is swept by the next apply, which the note tells to look.
        if is_clean {
            leftovers::unnote(&self.folder, &self.run_id);
        }
        // Succeeds only when nothing else is in it.
        let _ = std::fs::remove_dir(&self.folder);
    }

    fn create(&self, values: &[Option<String>]) -> io::Result<(PathBuf, String)> {
        let mut path = String::new();
        for (place, value) in self.partition_by.iter().zip(values) {
            let value = value.as_deref().map_or("__HIVE_DEFAULT_PARTITION__".to_owned(), escaped);
            path.extend([self.schema.field(*place).name(), "=", &value, "/"]);
        }
        std::fs::create_dir_all(self.folder.join(&path))?;
        let folder = path.len();
        // A run may stage for a table twice: to add what an earlier run missed, or to try again.
        let full = loop {
            let number = self.n_files.fetch_add(1, Ordering::Relaxed);
            path.truncate(folder);
            // Writing to a `String` cannot fail.
            let _ = write!(path, "part-{number:05}{MARK}{}.snappy.parquet", self.run_id);
            let full = self.folder.join(&path);
            if !full.exists() {
                break full;
            }
        };
        self.created.lock().unwrap_or_else(PoisonError::into_inner).push(full.clone());
        Ok((full, path))
    }
}

/// A folder name's safe spelling, as Hive's `escapePathName`.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b' ') {
            text.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Writes one stream of rows.
pub(super) struct Writer {
    stage: Arc<Stage>,
    open: BTreeMap<Vec<Option<String>>, OpenFile>,
    done: Vec<StagedFile>,
}

struct OpenFile {
    path: PathBuf,
    relative: String,
    writer: ArrowWriter<File>,
    n_rows: u64,
}

impl Writer {
    pub(super) fn new(stage: &Arc<Stage>) -> Self {
        Writer { stage: Arc::clone(stage), open: BTreeMap::new(), done: Vec::new() }
    }

    /// Writes rows whose columns stand in the stage's order and have its types; their names don't matter.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.stage.schema), batch.columns().to_vec())?;
        if self.stage.partition_by.is_empty() {
            return self.write_part(Vec::new(), &batch);
        }
        let keys: Vec<ArrayRef> =
            self.stage.partition_by.iter().map(|place| Arc::clone(batch.column(*place))).collect();
        let columns: Vec<SortColumn> =
            keys.iter().map(|key| SortColumn { values: Arc::clone(key), options: None }).collect();
        let order: UInt32Array = lexsort_to_indices(&columns, None)?;
        let sorted = take_record_batch(&batch, &order)?;
        let sorted_keys: Vec<ArrayRef> =
            self.stage.partition_by.iter().map(|place| Arc::clone(sorted.column(*place))).collect();
        for range in partition(&sorted_keys)?.ranges() {
            let values = sorted_keys
                .iter()
                .map(|key| key.is_valid(range.start).then(|| array_value_to_string(key, range.start)).transpose());
            let values: Vec<Option<String>> = values.collect::<std::result::Result<_, _>>()?;
            let rows = sorted.slice(range.start, range.len());
            let kept: Vec<usize> =
                (0..rows.num_columns()).filter(|place| !self.stage.partition_by.contains(place)).collect();
            self.write_part(values, &rows.project(&kept)?)?;
        }
        Ok(())
    }

    fn write_part(&mut self, values: Vec<Option<String>>, rows: &RecordBatch) -> Result<()> {
        let file = match self.open.entry(values.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let (path, relative) = self.stage.create(&values)?;
                let writer = ArrowWriter::try_new(File::create_new(&path)?, rows.schema(), Some(properties()))
                    .map_err(DataFusionError::from)?;
                entry.insert(OpenFile { path, relative, writer, n_rows: 0 })
            }
        };
        file.writer.write(rows)?;
        file.n_rows += rows.num_rows() as u64;
        if file.writer.bytes_written() + file.writer.in_progress_size() >= FILE_BYTES
            && let Some(file) = self.open.remove(&values)
        {
            let staged = self.finish(values, file)?;
            self.done.push(staged);
        }
        Ok(())
    }

    /// Completes all files.
    pub(super) fn close(mut self) -> Result<Vec<StagedFile>> {
        for (values, file) in std::mem::take(&mut self.open) {
            let staged = self.finish(values, file)?;
            self.done.push(staged);
        }
        Ok(self.done)
    }

    fn finish(&self, values: Vec<Option<String>>, file: OpenFile) -> Result<StagedFile> {
        let metadata = file.writer.close()?;
        let size_bytes = std::fs::metadata(&file.path)?.len();
        let names = self.stage.partition_by.iter().map(|place| self.stage.schema.field(*place).name().clone());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(StagedFile {
            path: file.relative,
            n_rows: file.n_rows,
            size_bytes,
            partition_values: names.zip(values).collect(),
            stats: stats::of_file(&metadata, file.n_rows)?,
            modified_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        })
    }
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build()
}
