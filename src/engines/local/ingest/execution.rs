//! A source as a leaf of a DataFusion plan.
//!
//! In: what to read and how. Out: streams of record batches, one per partition. The partitions share one queue of
//! pieces of work (blocks of text, row groups): whoever is free takes the next, so that one big file keeps all cores
//! busy and nothing is read before it is wanted. Each execution reads the files anew. Rows come in no particular order.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::SchemaRef;
use deltalake::datafusion::common::tree_node::TreeNodeRecursion;
use deltalake::datafusion::error::{DataFusionError, Result};
use deltalake::datafusion::execution::{SendableRecordBatchStream, TaskContext};
use deltalake::datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use deltalake::datafusion::physical_plan::coop::cooperative;
use deltalake::datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use deltalake::datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use super::Outcome;
use super::blocks::{Block, Blocks};
use super::columns::Metadata;
use super::parquet::{RowGroupRows, RowGroups};
use super::rejected::Rejected;
use crate::diagnostic::{Diagnostic, Site};
use crate::ir::OnViolation;
use crate::state::SourceFile;

/// What is read and how; the same for every execution.
pub(super) struct Recipe {
    pub(super) files: Arc<[SourceFile]>,
    pub(super) project_dir: PathBuf,
    pub(super) schema: SchemaRef,
    pub(super) metadata: Metadata,
    pub(super) format: Format,
    pub(super) rejected: Arc<Rejected>,
    /// Where the source's location is written.
    pub(super) site: Site,
}

/// The formats that medc reads itself.
pub(super) enum Format {
    Delimited(super::text::DelimitedText),
    JsonLines(super::json_lines::JsonLines),
    Parquet(super::parquet::Parquet),
}

/// The diagnostic that stopped a scan, on its way through DataFusion.
#[derive(Debug)]
pub struct Stopped(pub Box<Diagnostic>);

impl fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Stopped {}

/// The diagnostic of a scan in an error of DataFusion; `None` when the error has another cause.
pub fn diagnostic_of(error: &DataFusionError) -> Option<&Diagnostic> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Stopped(diagnostic)) = error.downcast_ref() {
            return Some(diagnostic);
        }
        // Boxed errors answer for the box's content, so `source` alone would skip what they hold.
        cause = match error.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Context(_, inner)) => Some(inner.as_ref()),
            Some(DataFusionError::ArrowError(inner, _)) => Some(inner.as_ref()),
            _ => error.source(),
        };
    }
    None
}

/// The plan's leaf.
pub(super) struct Scan {
    recipe: Arc<Recipe>,
    properties: Arc<PlanProperties>,
    execution: Mutex<Execution>,
}

/// The execution that partitions are joining.
struct Execution {
    queue: Arc<Mutex<Queue>>,
    joined: BTreeSet<usize>,
}

/// What is still to be read in one execution.
struct Queue {
    pieces: Pieces,
    n_in_work: usize,
    is_stopped: bool,
}

enum Pieces {
    Blocks(Box<Blocks>),
    RowGroups(RowGroups),
}

enum Piece {
    Block(Block),
    RowGroup(RowGroupRows),
}

/// One partition's part in an execution.
struct Partition {
    recipe: Arc<Recipe>,
    queue: Arc<Mutex<Queue>>,
    ready: VecDeque<RecordBatch>,
    row_group: Option<RowGroupRows>,
}

impl Scan {
    pub(super) fn new(recipe: Recipe, n_partitions: usize) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&recipe.schema)),
            Partitioning::UnknownPartitioning(n_partitions.max(1)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let execution = Mutex::new(Execution { queue: recipe.queue(), joined: BTreeSet::new() });
        Scan { recipe: Arc::new(recipe), properties: Arc::new(properties), execution }
    }

    fn join(&self, partition: usize) -> Arc<Mutex<Queue>> {
        let mut execution = lock(&self.execution);
        if !execution.joined.insert(partition) {
            *execution = Execution { queue: self.recipe.queue(), joined: BTreeSet::from([partition]) };
        }
        Arc::clone(&execution.queue)
    }
}

impl Recipe {
    fn queue(&self) -> Arc<Mutex<Queue>> {
        let files = Arc::clone(&self.files);
        let project_dir = self.project_dir.clone();
        let pieces = match &self.format {
            Format::Delimited(delimited) => Pieces::Blocks(Box::new(delimited.blocks(files, project_dir))),
            Format::JsonLines(json_lines) => Pieces::Blocks(Box::new(json_lines.blocks(files, project_dir))),
            Format::Parquet(parquet) => Pieces::RowGroups(parquet.row_groups()),
        };
        Arc::new(Mutex::new(Queue { pieces, n_in_work: 0, is_stopped: false }))
    }

    fn parse(&self, block: &Block, ready: &mut VecDeque<RecordBatch>) -> Outcome<()> {
        match &self.format {
            Format::Delimited(delimited) => delimited.parse(self, block, ready),
            Format::JsonLines(json_lines) => json_lines.parse(self, block, ready),
            Format::Parquet(_) => Ok(()),
        }
    }

    /// Whether ragged rows end the scan, once it has found them all.
    pub(super) fn fails_on_ragged_rows(&self) -> bool {
        match &self.format {
            Format::Delimited(delimited) => delimited.on_ragged_row() == OnViolation::Fail,
            Format::JsonLines(_) | Format::Parquet(_) => false,
        }
    }
}

impl Partition {
    /// The next batch; `None` at the end.
    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let outcome = self.advance();
        if outcome.is_err() {
            lock(&self.queue).is_stopped = true;
        }
        outcome.map_err(|diagnostic| self.stopped(diagnostic)).transpose()
    }

    fn stopped(&self, mut diagnostic: Box<Diagnostic>) -> DataFusionError {
        if diagnostic.labels.is_empty() {
            diagnostic = Box::new(diagnostic.at(self.recipe.site.clone(), "read from here"));
        }
        DataFusionError::External(Box::new(Stopped(diagnostic)))
    }

    fn advance(&mut self) -> Outcome<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Ok(Some(batch));
            }
            if let Some(rows) = &mut self.row_group {
                match rows.next(&self.recipe)? {
                    Some(batch) => return Ok(Some(batch)),
                    None => self.finish_piece(None),
                }
                continue;
            }
            match self.take_piece()? {
                Some(Piece::Block(block)) => {
                    self.recipe.parse(&block, &mut self.ready)?;
                    self.finish_piece(None);
                }
                Some(Piece::RowGroup(rows)) => self.row_group = Some(rows),
                None => return self.end(),
            }
        }
    }

    fn take_piece(&self) -> Outcome<Option<Piece>> {
        let mut queue = lock(&self.queue);
        if queue.is_stopped {
            return Ok(None);
        }
        let piece = match &mut queue.pieces {
            Pieces::Blocks(blocks) => blocks.next()?.map(Piece::Block),
            Pieces::RowGroups(row_groups) => row_groups.next(&self.recipe)?.map(Piece::RowGroup),
        };
        queue.n_in_work += usize::from(piece.is_some());
        Ok(piece)
    }

    fn finish_piece(&mut self, next: Option<RowGroupRows>) {
        self.row_group = next;
        lock(&self.queue).n_in_work -= 1;
    }

    /// All pieces are taken. The last to finish answers for the ragged rows, so that it knows them all.
    fn end(&self) -> Outcome<Option<RecordBatch>> {
        let queue = lock(&self.queue);
        if queue.is_stopped || queue.n_in_work > 0 || !self.recipe.fails_on_ragged_rows() {
            return Ok(None);
        }
        self.recipe.rejected.diagnostic().map_or(Ok(None), |diagnostic| Err(Box::new(diagnostic)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Scan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Scan").field("files", &self.recipe.files).finish_non_exhaustive()
    }
}

impl DisplayAs for Scan {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SourceScan: n_files={}", self.recipe.files.len())
    }
}

impl ExecutionPlan for Scan {
    fn name(&self) -> &'static str {
        "SourceScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partition = Partition {
            recipe: Arc::clone(&self.recipe),
            queue: self.join(partition),
            ready: VecDeque::new(),
            row_group: None,
        };
        let batches = futures::stream::unfold(Some(partition), |partition| async {
            let mut partition = partition?;
            let batch = partition.next()?;
            // Nothing comes behind an error.
            let rest = batch.is_ok().then_some(partition);
            Some((batch, rest))
        });
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&self.recipe.schema), Box::pin(batches));
        Ok(Box::pin(cooperative(stream)))
    }
}
