//! Rows set aside by tests that look at other rows: computed once, kept in files, then split.
//!
//! Whether a row repeats a key is known only when all rows are. Where such a test drops or quarantines, the node's rows go
//! into files of their own first, numbered; queries over these find the violating rows; then the rows are read back and
//! stream on as if they had just been computed, each with its number. So the query runs once (it may be costly, or not
//! repeatable), a row that breaks several tests has all reasons, and memory is a bit a row and test. The files are removed
//! before anything is published.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use deltalake::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use deltalake::arrow::datatypes::{DataType, Field, Int64Type, Schema as ArrowSchema};
use deltalake::datafusion::common::{DataFusionError, Result};
use deltalake::datafusion::logical_expr::ident;
use deltalake::datafusion::physical_plan::ExecutionPlanProperties;
use deltalake::datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::engines::local::stage::{Stage, StagedFile, Writer};
use crate::engines::local::{failure, staged};
use crate::ir::{Assertion, Node, OnViolation, Test};
use crate::kind;

/// The column that numbers spooled rows.
pub(super) const ROW: &str = "_medc_row";

/// Which rows violate a test, a bit each.
#[derive(Debug, Default)]
pub(super) struct Marks {
    words: Vec<u64>,
}

impl Marks {
    pub(super) fn contains(&self, row: i64) -> bool {
        let place = usize::try_from(row).unwrap_or(usize::MAX);
        self.words.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    fn insert(&mut self, row: i64) {
        let Ok(place) = usize::try_from(row) else { return };
        if self.words.len() <= place / 64 {
            self.words.resize(place / 64 + 1, 0);
        }
        if let Some(word) = self.words.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }
}

/// The places of assertions that need a spool. `proven` says which of them hold for certain.
pub(super) fn needed(node: &Node, proven: impl Fn(&Assertion) -> bool) -> Vec<usize> {
    let looks_around = |assertion: &Assertion| match &assertion.test {
        Test::Unique { .. } | Test::Reference { .. } | Test::Window { .. } => true,
        Test::Row { .. }
        | Test::Holds(_)
        | Test::Aggregate { .. }
        | Test::Query(_)
        | Test::Distribution(_)
        | Test::Columns(_) => false,
    };
    let takes_out =
        |assertion: &Assertion| matches!(assertion.on_violation, OnViolation::Drop | OnViolation::Quarantine);
    let places = node.assertions.iter().enumerate();
    let places = places.filter(|(_, one)| looks_around(one) && takes_out(one) && !proven(one));
    places.map(|(place, _)| place).collect()
}

/// The condition for a row to be considered by a test that looks at other rows; `None` if all are.
pub(super) fn considered(assertion: &Assertion) -> Option<Arc<str>> {
    match &assertion.test {
        Test::Unique { columns } | Test::Reference { columns, .. } => {
            let given = columns.iter().map(|column| format!("{} IS NOT NULL", kind::column(column)));
            Some(given.collect::<Vec<_>>().join(" AND ").into())
        }
        Test::Row { considered, .. } | Test::Window { considered, .. } => {
            considered.as_ref().map(|sql| Arc::clone(&sql.text))
        }
        Test::Holds(_) | Test::Aggregate { .. } | Test::Query(_) | Test::Distribution(_) | Test::Columns(_) => None,
    }
}

/// Rows in files, read back as often as need be.
pub(super) struct Spool {
    stage: Arc<Stage>,
    files: Vec<StagedFile>,
}

impl Spool {
    /// Writes all rows into files, numbered. Stops early, with fewer rows, once `is_cancelled`.
    pub(super) async fn write(
        context: &SessionContext,
        frame: DataFrame,
        stage_of: impl FnOnce(&ArrowSchema) -> std::io::Result<Stage>,
        is_cancelled: impl Fn() -> bool + Clone + Send + 'static,
    ) -> Result<Spool> {
        let mut fields: Vec<_> = frame.schema().as_arrow().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(ROW, DataType::Int64, false)));
        let stage = Arc::new(stage_of(&ArrowSchema::new(fields))?);
        let mut spool = Spool { stage, files: Vec::new() };
        if let Err(error) = spool.fill(context, frame, is_cancelled).await {
            spool.discard();
            return Err(error);
        }
        Ok(spool)
    }

    async fn fill(
        &mut self,
        context: &SessionContext,
        frame: DataFrame,
        is_cancelled: impl Fn() -> bool + Clone + Send + 'static,
    ) -> Result<()> {
        let plan = frame.create_physical_plan().await?;
        let next = Arc::new(AtomicI64::new(0));
        let mut tasks = JoinSet::new();
        for partition in 0..plan.output_partitioning().partition_count() {
            let mut batches = plan.execute(partition, context.task_ctx())?;
            let (stage, next, is_cancelled) = (Arc::clone(&self.stage), Arc::clone(&next), is_cancelled.clone());
            tasks.spawn(async move {
                let mut writer = Writer::new(&stage);
                while let Some(batch) = batches.next().await {
                    if is_cancelled() {
                        break;
                    }
                    writer.write(&numbered(&batch?, &stage, &next)?)?;
                }
                writer.close()
            });
        }
        let mut ended = Ok(());
        while let Some(done) = tasks.join_next().await {
            match done.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error))).and_then(|files| files) {
                Ok(files) => self.files.extend(files),
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
        }
        // No task may make a file once they are removed.
        tasks.shutdown().await;
        self.files.sort_by(|left, right| left.path.cmp(&right.path));
        ended
    }

    /// The rows as they were, with their numbers, and which of them violate the assertions at `places`.
    pub(super) async fn split(
        &self,
        context: &SessionContext,
        node: &Node,
        places: &[usize],
        bound_bytes: usize,
    ) -> Result<(DataFrame, Vec<(usize, Arc<Marks>)>)> {
        let staged = staged::register(context, &self.stage, &self.files, bound_bytes)?;
        staged.stand_for(&node.name).await?;
        let mut marked = Vec::new();
        for (place, assertion) in places.iter().filter_map(|place| Some((*place, node.assertions.get(*place)?))) {
            let marks = async {
                let mut marks = Marks::default();
                let Some(rows) = staged.violating(assertion, &[ident(ROW)]).await? else { return Ok(marks) };
                let mut batches = rows.execute_stream().await?;
                while let Some(batch) = batches.next().await {
                    let batch = batch?;
                    let numbers = batch.column(0).as_primitive_opt::<Int64Type>();
                    numbers.iter().flat_map(|numbers| numbers.values()).for_each(|row| marks.insert(*row));
                }
                Ok::<_, DataFusionError>(marks)
            };
            let marks = marks.await.map_err(|error| failure::carry(node, assertion, &error))?;
            marked.push((place, Arc::new(marks)));
        }
        Ok((staged.rows().await?, marked))
    }

    /// Removes the files.
    pub(super) fn discard(&self) {
        self.stage.discard();
    }
}

fn numbered(batch: &RecordBatch, stage: &Stage, next: &AtomicI64) -> Result<RecordBatch> {
    let n_rows = i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
    let first = next.fetch_add(n_rows, Ordering::Relaxed);
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(Int64Array::from_iter_values(first..first + n_rows)) as ArrayRef);
    Ok(RecordBatch::try_new(Arc::clone(stage.schema()), columns)?)
}
