//! One row per key without sorting them all: the first in a given order, exactly.
//!
//! In: rows, and a plan that gives their keys alone. Out: of each key one row. A first pass over the keys sets two bits per
//! hash slot, seen once and seen again; rows whose slot was seen once are the only ones of their key and stream through.
//! The few others (true repeats and collisions) are sorted by key, order and all other columns, spilling if they must,
//! and the first of each key is kept. The keys' plan may give keys of rows that don't come, but has to give those of all
//! that do. NULL is a key like any other. Memory: two bits for about 8 to 16 slots a row, within the given bound.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use deltalake::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use deltalake::arrow::compute::{BatchCoalescer, SortOptions, filter_record_batch};
use deltalake::arrow::datatypes::{DataType, SchemaRef};
use deltalake::arrow::row::{OwnedRow, RowConverter, SortField};
use deltalake::datafusion::common::hash_utils::{RandomState, create_hashes};
use deltalake::datafusion::common::{DataFusionError, Result};
use deltalake::datafusion::execution::{SendableRecordBatchStream, TaskContext};
use deltalake::datafusion::physical_expr::expressions::Column;
use deltalake::datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use deltalake::datafusion::physical_plan::sorts::sort::SortExec;
use deltalake::datafusion::physical_plan::stream::{RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter};
use deltalake::datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::{OnceCell, mpsc};

use crate::engines::local::operator::{Operator, Run};

const BATCH_ROWS: usize = 8192;

/// Which row of a key stays.
#[derive(Debug, Clone)]
pub(super) struct First {
    /// Indices of the key columns.
    pub(super) keys: Vec<usize>,
    /// Index and whether descending.
    pub(super) order: Vec<(usize, bool)>,
}

/// Keeps the first row of each key. `keys` gives the key columns in the order of `first.keys`; without it all rows are
/// sorted. `n_rows` is a guess of how many there are, `bound_bytes` what the sieve may take.
pub(super) fn keep_first(
    rows: Arc<dyn ExecutionPlan>,
    keys: Option<Arc<dyn ExecutionPlan>>,
    first: First,
    n_rows: Option<u64>,
    bound_bytes: usize,
) -> Arc<dyn ExecutionPlan> {
    let schema = rows.schema();
    let sieve = keys.is_some().then(|| Sieve::for_rows(n_rows, bound_bytes));
    let inputs = std::iter::once(rows).chain(keys).collect();
    let run = KeepFirst { first, sieve: sieve.map(Arc::new), shared: OnceLock::new() };
    Arc::new(Operator::new("KeepFirst", inputs, schema, 1, Arc::new(run)))
}

/// Of rows that consist of keys alone, those that may occur more than once: all that do, and few others. `rows` is read
/// twice and has to give the same both times. Once it ran, `n_read` says how many there were.
pub(super) fn suspects(
    rows: Arc<dyn ExecutionPlan>,
    again: Arc<dyn ExecutionPlan>,
    n_rows: Option<u64>,
    bound_bytes: usize,
    n_read: &Arc<AtomicU64>,
) -> Arc<dyn ExecutionPlan> {
    let schema = rows.schema();
    let run = Suspects { sieve: Arc::new(Sieve::for_rows(n_rows, bound_bytes)), n_read: Arc::clone(n_read) };
    Arc::new(Operator::new("Suspects", vec![rows, again], schema, 1, Arc::new(run)))
}

/// Two bits per slot: a key was seen, a key was seen again.
#[derive(Debug)]
struct Sieve {
    n_words: usize,
    /// Allocated by the first pass.
    words: OnceLock<Vec<AtomicU64>>,
    /// How many keys were marked, once all are.
    filled: OnceCell<u64>,
}

impl Sieve {
    fn for_rows(n_rows: Option<u64>, bound_bytes: usize) -> Self {
        let bound_words = (bound_bytes / 8).max(1 << 10);
        let wanted = n_rows.unwrap_or(1 << 24).saturating_mul(16).div_ceil(32);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).clamp(1 << 10, bound_words);
        // The greatest power of two within both.
        Sieve::of_size(1 << wanted.ilog2())
    }

    fn of_size(n_words: usize) -> Self {
        Sieve { n_words, words: OnceLock::new(), filled: OnceCell::new() }
    }

    fn words(&self) -> &[AtomicU64] {
        self.words.get_or_init(|| std::iter::repeat_with(|| AtomicU64::new(0)).take(self.n_words).collect())
    }

    fn place(&self, hash: u64) -> (usize, u32) {
        let bits = self.n_words.trailing_zeros();
        let word = usize::try_from(hash >> (64 - bits)).unwrap_or(0);
        let slot = u32::try_from((hash >> (64 - bits - 5)) & 31).unwrap_or(0);
        (word, slot * 2)
    }

    fn mark(&self, hash: u64) {
        let (word, bit) = self.place(hash);
        let Some(word) = self.words().get(word) else { return };
        let before = word.load(Ordering::Relaxed) >> bit;
        if before & 1 == 0 {
            // Another thread may have been faster; then this is the second time.
            if (word.fetch_or(1 << bit, Ordering::Relaxed) >> bit) & 1 == 0 {
                return;
            }
        }
        if before & 2 == 0 {
            word.fetch_or(2 << bit, Ordering::Relaxed);
        }
    }

    fn repeated(&self, hash: u64) -> bool {
        let (word, bit) = self.place(hash);
        self.words().get(word).is_some_and(|word| (word.load(Ordering::Relaxed) >> bit) & 2 != 0)
    }

    /// Marks all keys that `plan` gives, once.
    async fn fill(self: &Arc<Self>, plan: &Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<u64> {
        let filling = || async {
            let mut tasks = tokio::task::JoinSet::new();
            for partition in 0..plan.output_partitioning().partition_count() {
                let mut batches = plan.execute(partition, Arc::clone(context))?;
                let sieve = Arc::clone(self);
                tasks.spawn(async move {
                    let (mut hashes, mut n_keys) = (Vec::new(), 0);
                    while let Some(batch) = batches.next().await {
                        let hashes = hash_rows(batch?.columns(), &mut hashes)?;
                        for hash in hashes {
                            sieve.mark(*hash);
                        }
                        n_keys += hashes.len() as u64;
                    }
                    Ok::<_, DataFusionError>(n_keys)
                });
            }
            let mut n_keys = 0;
            while let Some(ended) = tasks.join_next().await {
                n_keys += ended.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??;
            }
            Ok::<_, DataFusionError>(n_keys)
        };
        self.filled.get_or_try_init(filling).await.copied()
    }
}

/// One hash a row, mixed so that every bit is good.
pub(super) fn hash_rows<'a>(keys: &[ArrayRef], hashes: &'a mut Vec<u64>) -> Result<&'a [u64]> {
    hashes.clear();
    hashes.resize(keys.first().map_or(0, |key| key.len()), 0);
    create_hashes(keys, &RandomState::with_seed(0x6d65_6463), hashes)?;
    for hash in hashes.iter_mut() {
        // Source: splitmix64's finalizer, S. Vigna.
        let mixed = (*hash ^ (*hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        *hash = mixed ^ (mixed >> 31);
    }
    Ok(hashes)
}

#[derive(Debug)]
struct Suspects {
    sieve: Arc<Sieve>,
    n_read: Arc<AtomicU64>,
}

impl Run for Suspects {
    fn run(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let [rows, again] = inputs else { return Err(DataFusionError::Internal("two inputs".to_owned())) };
        let (schema, sieve, again) = (rows.schema(), Arc::clone(&self.sieve), Arc::clone(again));
        let batches = rows.execute(partition, Arc::clone(&context))?;
        let n_read = Arc::clone(&self.n_read);
        let filled = async move {
            n_read.store(sieve.fill(&again, &context).await?, Ordering::Relaxed);
            let mut hashes = Vec::new();
            Ok::<_, DataFusionError>(batches.map(move |batch| {
                let batch = batch?;
                let hashes = hash_rows(batch.columns(), &mut hashes)?;
                let mask: BooleanArray = hashes.iter().map(|hash| Some(sieve.repeated(*hash))).collect();
                Ok(filter_record_batch(&batch, &mask)?)
            }))
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::once(filled).try_flatten())))
    }

    fn fresh(&self) -> Arc<dyn Run> {
        Arc::new(Suspects { sieve: Arc::new(Sieve::of_size(self.sieve.n_words)), n_read: Arc::clone(&self.n_read) })
    }
}

#[derive(Debug)]
struct KeepFirst {
    first: First,
    sieve: Option<Arc<Sieve>>,
    shared: OnceLock<Shared>,
}

/// The ways from every reading partition to every sort.
#[derive(Debug)]
struct Shared {
    /// By reading partition; taken when it starts, so that the ways close when all have ended.
    senders: Mutex<Vec<Option<Vec<mpsc::Sender<RecordBatch>>>>>,
    sorts: Arc<dyn ExecutionPlan>,
}

impl Run for KeepFirst {
    fn run(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(rows) = inputs.first() else { return Err(DataFusionError::Internal("an input".to_owned())) };
        let schema = rows.schema();
        let n_partitions = rows.output_partitioning().partition_count();
        let shared = if let Some(shared) = self.shared.get() {
            shared
        } else {
            let shared = Shared::new(&self.first, &schema, n_partitions)?;
            self.shared.get_or_init(|| shared)
        };
        let senders = shared
            .senders
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(partition)
            .and_then(Option::take)
            .ok_or_else(|| DataFusionError::Internal("a partition is read twice".to_owned()))?;

        let mut output = RecordBatchReceiverStreamBuilder::new(Arc::clone(&schema), 2);
        let unique = output.tx();
        let batches = rows.execute(partition, Arc::clone(&context))?;
        let keys_plan = inputs.get(1).cloned();
        let (sieve, keys, filling) = (self.sieve.clone(), self.first.keys.clone(), Arc::clone(&context));
        output.spawn(async move {
            if let (Some(sieve), Some(plan)) = (&sieve, &keys_plan) {
                sieve.fill(plan, &filling).await?;
            }
            split(batches, sieve, keys, &senders, &unique).await
        });
        let kept = output.tx();
        let sorted = shared.sorts.execute(partition, context)?;
        let keys = self.first.keys.clone();
        output.spawn(async move { first_of_each(sorted, &keys, &kept).await });
        Ok(output.build())
    }

    fn fresh(&self) -> Arc<dyn Run> {
        let sieve = self.sieve.as_ref().map(|sieve| Arc::new(Sieve::of_size(sieve.n_words)));
        Arc::new(KeepFirst { first: self.first.clone(), sieve, shared: OnceLock::new() })
    }
}

impl Shared {
    fn new(first: &First, schema: &SchemaRef, n_partitions: usize) -> Result<Self> {
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..n_partitions).map(|_| mpsc::channel(4)).unzip();
        let received =
            Received { receivers: Mutex::new(receivers.into_iter().map(Some).collect()), schema: Arc::clone(schema) };
        let leaf = Operator::new("Received", Vec::new(), Arc::clone(schema), n_partitions, Arc::new(received));
        let ordering =
            ordering(first, schema).ok_or_else(|| DataFusionError::Internal("a deduplication has keys".to_owned()))?;
        let sorts = SortExec::new(ordering, Arc::new(leaf)).with_preserve_partitioning(true);
        Ok(Shared { senders: Mutex::new(vec![Some(senders); n_partitions]), sorts: Arc::new(sorts) })
    }
}

/// Keys, then the order, then every other column that has an order.
fn ordering(first: &First, schema: &SchemaRef) -> Option<LexOrdering> {
    let column = |place: usize, descending: bool| {
        let name = schema.field(place).name();
        // NULL is the least value, as in Spark.
        PhysicalSortExpr::new(Arc::new(Column::new(name, place)), SortOptions { descending, nulls_first: !descending })
    };
    let keys = first.keys.iter().map(|place| column(*place, false));
    let order = first.order.iter().map(|(place, descending)| column(*place, *descending));
    let ties = (0..schema.fields().len())
        .filter(|place| !matches!(schema.field(*place).data_type(), DataType::Map(..)))
        .map(|place| column(place, false));
    LexOrdering::new(keys.chain(order).chain(ties))
}

/// Sends rows on: the only ones of their key to `unique`, others to the sort of their key.
async fn split(
    mut batches: SendableRecordBatchStream,
    sieve: Option<Arc<Sieve>>,
    keys: Vec<usize>,
    senders: &[mpsc::Sender<RecordBatch>],
    unique: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let mut waiting: Vec<BatchCoalescer> =
        senders.iter().map(|_| BatchCoalescer::new(batches.schema(), BATCH_ROWS)).collect();
    let mut hashes = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let columns: Vec<ArrayRef> = keys.iter().map(|place| Arc::clone(batch.column(*place))).collect();
        let hashes = hash_rows(&columns, &mut hashes)?;
        let repeated: Vec<bool> =
            hashes.iter().map(|hash| sieve.as_ref().is_none_or(|sieve| sieve.repeated(*hash))).collect();
        if repeated.iter().any(|repeated| *repeated) {
            let n_sorts = waiting.len() as u64;
            for (number, (waiting, sender)) in (0_u64..).zip(waiting.iter_mut().zip(senders)) {
                let own: BooleanArray = hashes
                    .iter()
                    .zip(&repeated)
                    .map(|(hash, repeated)| Some(*repeated && ((hash & 0xffff_ffff) * n_sorts) >> 32 == number))
                    .collect();
                waiting.push_batch_with_filter(batch.clone(), &own)?;
                while let Some(full) = waiting.next_completed_batch() {
                    if sender.send(full).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        let alone: BooleanArray = repeated.iter().map(|repeated| Some(!repeated)).collect();
        if alone.true_count() > 0 && unique.send(Ok(filter_record_batch(&batch, &alone)?)).await.is_err() {
            return Ok(());
        }
    }
    for (mut waiting, sender) in waiting.into_iter().zip(senders) {
        waiting.finish_buffered_batch()?;
        while let Some(rest) = waiting.next_completed_batch() {
            if sender.send(rest).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Of rows sorted by key, the first of each.
async fn first_of_each(
    mut sorted: SendableRecordBatchStream,
    keys: &[usize],
    kept: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let schema = sorted.schema();
    let fields = keys.iter().map(|place| SortField::new(schema.field(*place).data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    let mut last: Option<OwnedRow> = None;
    while let Some(batch) = sorted.next().await {
        let batch = batch?;
        let columns: Vec<ArrayRef> = keys.iter().map(|place| Arc::clone(batch.column(*place))).collect();
        let rows = converter.convert_columns(&columns)?;
        let firsts: BooleanArray = (0..rows.num_rows())
            .map(|row| {
                Some(match row {
                    0 => last.as_ref().is_none_or(|last| last.row() != rows.row(0)),
                    _ => rows.row(row - 1) != rows.row(row),
                })
            })
            .collect();
        if let Some(end) = rows.num_rows().checked_sub(1) {
            last = Some(rows.row(end).owned());
        }
        if kept.send(Ok(filter_record_batch(&batch, &firsts)?)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The receiving ends, as the sorts' input.
#[derive(Debug)]
struct Received {
    receivers: Mutex<Vec<Option<mpsc::Receiver<RecordBatch>>>>,
    schema: SchemaRef,
}

impl Run for Received {
    fn run(
        &self,
        _: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        _: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut receivers = self.receivers.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = receivers
            .get_mut(partition)
            .and_then(Option::take)
            .ok_or_else(|| DataFusionError::Internal("a partition is read twice".to_owned()))?;
        let batches = futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|batch| (Ok(batch), receiver))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }

    fn fresh(&self) -> Arc<dyn Run> {
        // Only a `KeepFirst` makes it, while it runs.
        Arc::new(Received { receivers: Mutex::new(Vec::new()), schema: Arc::clone(&self.schema) })
    }
}
