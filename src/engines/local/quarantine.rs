//! Rows that are left out of a table and kept beside it, in `<table>_quarantine`, with the reasons.
//!
//! In: violating rows and why. Out: staged files whose columns are the rows' values as they came, before any cast or step, as
//! text; `_reasons`, `_run_id` and `_quarantined_at`. A row that a cast sets aside carries all its casts' reasons and is not
//! tested further; another one carries those of all expectations that set it aside. Nothing is written, and no table made, when no row comes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use deltalake::arrow::array::{
    ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, new_null_array,
};
use deltalake::arrow::compute::{CastOptions, cast_with_options};
use deltalake::arrow::datatypes::{DataType as ArrowType, Field};
use deltalake::arrow::util::display::array_value_to_string;
use deltalake::datafusion::common::Result;

use crate::engines::local::stage::{Stage, StagedFile, Writer};
use crate::ir::{Column, DataType, Schema};
use crate::sql::types;

mod publish;

const ORIGINAL: &str = "_medc_original_";

/// The name under which a plan carries a column's value from before it was changed.
pub(super) fn original(column: &str) -> String {
    format!("{ORIGINAL}{column}")
}

/// Whether a column is only carried for the quarantine.
pub(super) fn is_original(column: &str) -> bool {
    column.starts_with(ORIGINAL)
}

/// Takes the rows of one run of one table.
pub(super) struct Quarantine {
    folder: PathBuf,
    run_id: String,
    at_micros: i64,
    /// The columns kept as text, in lower case.
    columns: Vec<String>,
    open: Mutex<Option<Open>>,
}

impl std::fmt::Debug for Quarantine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Quarantine").field("folder", &self.folder).finish_non_exhaustive()
    }
}

struct Open {
    stage: Arc<Stage>,
    writer: Writer,
    n_rows: u64,
}

/// What was taken.
pub(super) struct Quarantined {
    pub(super) stage: Arc<Stage>,
    pub(super) files: Vec<StagedFile>,
}

impl Quarantine {
    pub(super) fn new(folder: PathBuf, run_id: &str, at_micros: i64, columns: Vec<String>) -> Self {
        Quarantine { folder, run_id: run_id.to_owned(), at_micros, columns, open: Mutex::new(None) }
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The table's columns.
    pub(super) fn schema(&self) -> Schema {
        let text = |name: &str, data_type| Column { name: name.to_owned(), data_type, nullable: true };
        let kept = self.columns.iter().map(|name| text(name, DataType::String));
        let added = [
            text("_reasons", DataType::Array(Box::new(DataType::String))),
            text("_run_id", DataType::String),
            text("_quarantined_at", DataType::Timestamp),
        ];
        Schema { columns: kept.chain(added).collect() }
    }

    /// Takes `rows`, with the reasons for each.
    pub(super) fn add(&self, rows: &RecordBatch, reasons: Vec<Vec<String>>) -> Result<()> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 3);
        for name in &self.columns {
            columns.push(match rows.column_by_name(&original(name)).or_else(|| rows.column_by_name(name)) {
                Some(column) => text(column)?,
                None => new_null_array(&ArrowType::Utf8, rows.num_rows()),
            });
        }
        let element = Field::new("element", ArrowType::Utf8, true);
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element);
        for row in reasons {
            lists.append_value(row.into_iter().map(Some));
        }
        columns.push(Arc::new(lists.finish()));
        columns.push(Arc::new(StringArray::from(vec![self.run_id.as_str(); rows.num_rows()])));
        let at = TimestampMicrosecondArray::from(vec![self.at_micros; rows.num_rows()]).with_timezone("UTC");
        columns.push(Arc::new(at));

        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = if let Some(open) = open.as_mut() {
            open
        } else {
            let schema = types::to_arrow_schema(&self.schema());
            let stage = Arc::new(Stage::new(self.folder.clone(), &self.run_id, &schema, &[])?);
            let writer = Writer::new(&stage);
            open.insert(Open { stage, writer, n_rows: 0 })
        };
        let batch = RecordBatch::try_new(Arc::clone(open.stage.schema()), columns)?;
        open.n_rows += batch.num_rows() as u64;
        open.writer.write(&batch)
    }

    pub(super) fn n_rows(&self) -> u64 {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |open| open.n_rows)
    }

    /// Completes the files; `None` when no row came.
    pub(super) fn close(&self) -> Result<Option<Quarantined>> {
        let Some(open) = self.open.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Ok(None) };
        Ok(Some(Quarantined { files: open.writer.close()?, stage: open.stage }))
    }

    /// Removes what was written.
    pub(super) fn discard(&self) {
        if let Some(open) = self.open.lock().unwrap_or_else(PoisonError::into_inner).take() {
            open.stage.discard();
        }
    }
}

/// A column as text; nested values in Arrow's spelling.
fn text(column: &ArrayRef) -> Result<ArrayRef> {
    if column.data_type().is_nested() {
        let shown = (0..column.len()).map(|row| array_value_to_string(column, row));
        return Ok(Arc::new(shown.collect::<std::result::Result<Vec<_>, _>>().map(StringArray::from)?));
    }
    Ok(cast_with_options(column, &ArrowType::Utf8, &CastOptions::default())?)
}

/// The columns of both, the first's spelling winning.
pub(super) fn union(first: impl IntoIterator<Item = String>, second: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut columns: BTreeMap<String, usize> = BTreeMap::new();
    let mut ordered = Vec::new();
    for name in first.into_iter().chain(second) {
        let lower = name.to_lowercase();
        if columns.insert(lower.clone(), ordered.len()).is_none() {
            ordered.push(lower);
        }
    }
    ordered
}
