//! Joined rows of two sides, counted.
//!
//! In: rows that have both sides' keys, marks and values beside each other, ordered by key within each stream. Out: a
//! [`Tally`]. Of each difference the examples with the smallest keys are kept, so that they are the same each time.

use std::collections::BTreeSet;
use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, make_comparator};
use deltalake::arrow::compute::SortOptions;
use deltalake::arrow::compute::kernels::cmp::distinct;
use deltalake::arrow::compute::kernels::zip::zip;
use deltalake::arrow::datatypes::Int64Type;
use deltalake::arrow::row::{OwnedRow, RowConverter, SortField};
use deltalake::arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake::datafusion::common::{DataFusionError, Result};
use deltalake::datafusion::physical_plan::ExecutionPlanProperties;
use deltalake::datafusion::prelude::DataFrame;
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::engines::local::assertions::HIDDEN;

/// Which columns there are.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) keys: Vec<String>,
    /// Not the count of rows.
    pub(super) values: Vec<String>,
    /// Whether the only value is how many rows there are of a key.
    pub(super) is_counted: bool,
    /// Lower case.
    pub(super) private: BTreeSet<String>,
    pub(super) n_examples: usize,
}

/// How rows of two sides relate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    pub n_equal: u64,
    pub n_only_before: u64,
    pub n_only_after: u64,
    /// Rows with the same key and another value.
    pub n_different: u64,
    pub n_repeated: u64,
    pub only_before: Vec<Example>,
    pub only_after: Vec<Example>,
    /// How many rows differ in each compared column, with examples.
    pub columns: Vec<(u64, Vec<Example>)>,
}

/// A row by its key, and, of one column, its values. `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    pub key: Vec<Option<String>>,
    pub before: Option<String>,
    pub after: Option<String>,
    sorted: Vec<u8>,
}

impl Tally {
    pub fn is_same(&self) -> bool {
        self.n_only_before + self.n_only_after + self.n_different == 0
    }

    fn add(&mut self, other: Tally, n_examples: usize) {
        self.n_equal += other.n_equal;
        self.n_only_before += other.n_only_before;
        self.n_only_after += other.n_only_after;
        self.n_different += other.n_different;
        self.n_repeated += other.n_repeated;
        merge(&mut self.only_before, other.only_before, n_examples);
        merge(&mut self.only_after, other.only_after, n_examples);
        self.columns.resize_with(other.columns.len().max(self.columns.len()), Default::default);
        for ((n, examples), (other_n, others)) in self.columns.iter_mut().zip(other.columns) {
            *n += other_n;
            merge(examples, others, n_examples);
        }
    }
}

fn merge(examples: &mut Vec<Example>, others: Vec<Example>, n_examples: usize) {
    examples.extend(others);
    examples.sort_by(|left, right| left.sorted.cmp(&right.sorted));
    examples.truncate(n_examples);
}

/// Counts all rows.
pub(super) async fn run(joined: DataFrame, shape: Shape) -> Result<Tally> {
    let task = Arc::new(joined.task_ctx());
    let plan = joined.create_physical_plan().await?;
    let shape = Arc::new(shape);
    let mut tasks = JoinSet::new();
    for partition in 0..plan.output_partitioning().partition_count() {
        let mut batches = plan.execute(partition, Arc::clone(&task))?;
        let shape = Arc::clone(&shape);
        tasks.spawn(async move {
            let mut counting = Counting { shape: &shape, tally: Tally::default(), converter: None, last: None };
            counting.tally.columns.resize_with(shape.values.len(), Default::default);
            while let Some(batch) = batches.next().await {
                counting.count(&batch?)?;
            }
            Ok::<_, DataFusionError>(counting.tally)
        });
    }
    let mut tally = Tally::default();
    while let Some(done) = tasks.join_next().await {
        tally.add(done.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??, shape.n_examples);
    }
    Ok(tally)
}

struct Counting<'s> {
    shape: &'s Shape,
    tally: Tally,
    converter: Option<RowConverter>,
    /// The key before this batch.
    last: Option<OwnedRow>,
}

impl Counting<'_> {
    fn count(&mut self, batch: &RecordBatch) -> Result<()> {
        let n_rows = batch.num_rows();
        if n_rows == 0 {
            return Ok(());
        }
        let n_keys = self.shape.keys.len();
        let n_values = if self.shape.is_counted { 1 } else { self.shape.values.len() };
        let (old, new) = batch.columns().split_at(n_keys + 1 + n_values);
        let (old_keys, old_mark, old_values) = parts(old, n_keys);
        let (new_keys, new_mark, new_values) = parts(new, n_keys);
        let is_old = (0..n_rows).map(|row| Some(old_mark.is_valid(row))).collect::<BooleanArray>();
        let keys = old_keys.iter().zip(new_keys).map(|(left, right)| zip(&is_old, left, right));
        let keys: Vec<ArrayRef> = keys.collect::<std::result::Result<_, _>>()?;
        let rows = self.rows(&keys)?;
        let before = self.last.iter().chain(&rows);
        let skipped = usize::from(self.last.is_none());
        let n_repeated = before.zip(rows.iter().skip(skipped)).filter(|(before, row)| before == row).count();
        self.tally.n_repeated += n_repeated as u64;
        self.last = rows.last().cloned();
        if self.shape.is_counted {
            return self.compare_counts(&keys, &rows, old_values, new_values);
        }
        let mut differs = vec![false; n_rows];
        let is_both = |row: usize| old_mark.is_valid(row) && new_mark.is_valid(row);
        for (place, (left, right)) in old_values.iter().zip(new_values).enumerate() {
            let distinct = different(left, right)?;
            for row in (0..n_rows).filter(|row| distinct.value(*row) && is_both(*row)) {
                differs[row] = true;
                let example = self.example(&keys, &rows, row, self.tally.columns[place].1.len())?;
                let column = &mut self.tally.columns[place];
                column.0 += 1;
                if let Some(example) = example {
                    let is_private = self.shape.private.contains(&self.shape.values[place]);
                    let (before, after) = (shown(left, row, is_private)?, shown(right, row, is_private)?);
                    column.1.push(Example { before, after, ..example });
                }
            }
        }
        for (row, differs) in differs.into_iter().enumerate() {
            match (old_mark.is_valid(row), new_mark.is_valid(row)) {
                (true, true) if differs => self.tally.n_different += 1,
                (true, true) => self.tally.n_equal += 1,
                (true, false) => self.only(&keys, &rows, row, 1, 0)?,
                (false, _) => self.only(&keys, &rows, row, 0, 1)?,
            }
        }
        Ok(())
    }

    /// Of rows that say the same, so many more are on one side.
    fn compare_counts(
        &mut self,
        keys: &[ArrayRef],
        rows: &[OwnedRow],
        old: &[ArrayRef],
        new: &[ArrayRef],
    ) -> Result<()> {
        let count = |values: &[ArrayRef], row: usize| {
            let values: Option<&Int64Array> = values.first().and_then(|values| values.as_primitive_opt::<Int64Type>());
            let n = values.filter(|values| values.is_valid(row)).map_or(0, |values| values.value(row));
            u64::try_from(n).unwrap_or_default()
        };
        for row in 0..rows.len() {
            let (before, after) = (count(old, row), count(new, row));
            self.tally.n_equal += before.min(after);
            if before != after {
                self.only(keys, rows, row, before.saturating_sub(after), after.saturating_sub(before))?;
            }
        }
        Ok(())
    }

    fn only(&mut self, keys: &[ArrayRef], rows: &[OwnedRow], row: usize, n_before: u64, n_after: u64) -> Result<()> {
        let n_known = if n_before > 0 { self.tally.only_before.len() } else { self.tally.only_after.len() };
        let example = self.example(keys, rows, row, n_known)?;
        self.tally.n_only_before += n_before;
        self.tally.n_only_after += n_after;
        let examples = if n_before > 0 { &mut self.tally.only_before } else { &mut self.tally.only_after };
        examples.extend(example);
        Ok(())
    }

    fn rows(&mut self, keys: &[ArrayRef]) -> Result<Vec<OwnedRow>> {
        let converter = if let Some(converter) = &mut self.converter {
            converter
        } else {
            let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
            self.converter.insert(RowConverter::new(fields)?)
        };
        Ok(converter.convert_columns(keys)?.iter().map(|row| row.owned()).collect())
    }

    /// A row's key, unless there are examples enough: streams are in the order of keys.
    fn example(&self, keys: &[ArrayRef], rows: &[OwnedRow], row: usize, n_known: usize) -> Result<Option<Example>> {
        let Some(sorted) = rows.get(row).filter(|_| n_known < self.shape.n_examples) else { return Ok(None) };
        let texts =
            keys.iter().zip(&self.shape.keys).map(|(key, name)| shown(key, row, self.shape.private.contains(name)));
        let key = texts.collect::<Result<_>>()?;
        Ok(Some(Example { key, before: None, after: None, sorted: sorted.as_ref().to_vec() }))
    }
}

/// One side's keys, mark and values.
fn parts(side: &[ArrayRef], n_keys: usize) -> (&[ArrayRef], &ArrayRef, &[ArrayRef]) {
    let (keys, rest) = side.split_at(n_keys);
    let (mark, values) = rest.split_first().expect("a side has a mark");
    (keys, mark, values)
}

/// Where two columns of one type differ; NULL equals NULL.
fn different(left: &ArrayRef, right: &ArrayRef) -> Result<BooleanArray> {
    if !left.data_type().is_nested() {
        return Ok(distinct(left, right)?);
    }
    if let Ok(compare) = make_comparator(left, right, SortOptions::default()) {
        return Ok((0..left.len()).map(|row| Some(compare(row, row).is_ne())).collect());
    }
    // Maps have no order of their own.
    let texts = (0..left.len()).map(|row| Ok(Some(shown(left, row, false)? != shown(right, row, false)?)));
    texts.collect::<Result<BooleanArray>>()
}

fn shown(column: &ArrayRef, row: usize, is_private: bool) -> Result<Option<String>> {
    if column.is_null(row) {
        return Ok(None);
    }
    if is_private {
        return Ok(Some(HIDDEN.to_owned()));
    }
    let options = FormatOptions::default()
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f"));
    Ok(Some(ArrayFormatter::try_new(column.as_ref(), &options)?.value(row).try_to_string()?))
}
