//! Aggregates over all rows, computed while these stream into the staged files.
//!
//! In: a node's assertions, and its rows batch by batch through [`Feed`]s. Out: [`Totals`], the row that each query gave: one
//! query per `where`, the same that would be asked of the staged files. A query that fails or looks at other tables is
//! missing, and the staged files are asked. Nothing waits for a query that has ended.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::SchemaRef;
use deltalake::datafusion::catalog::streaming::StreamingTable;
use deltalake::datafusion::common::{DataFusionError, Result, TableReference};
use deltalake::datafusion::execution::{SendableRecordBatchStream, TaskContext};
use deltalake::datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use deltalake::datafusion::physical_plan::streaming::PartitionStream;
use deltalake::datafusion::physical_plan::{ExecutionPlan, collect};
use deltalake::datafusion::prelude::SessionContext;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::aggregates::{self, Aggregate};
use super::{NAME, plan, replace};
use crate::ir::Node;

/// Batches that wait for a query, per stream of rows.
const N_WAITING: usize = 2;

/// What a stream of rows is passed on to.
#[derive(Default)]
pub(in crate::engines::local) struct Feed(Vec<mpsc::Sender<RecordBatch>>);

impl Feed {
    pub(in crate::engines::local) async fn pass(&mut self, batch: &RecordBatch) {
        let mut listening = Vec::with_capacity(self.0.len());
        for sender in std::mem::take(&mut self.0) {
            if sender.send(batch.clone()).await.is_ok() {
                listening.push(sender);
            }
        }
        self.0 = listening;
    }
}

/// The queries that run.
#[derive(Default)]
pub(in crate::engines::local) struct Streamed {
    queries: JoinSet<(Option<Arc<str>>, Result<Total>)>,
}

/// The row of a query, by its `where`.
pub(in crate::engines::local) type Totals = BTreeMap<Option<Arc<str>>, Total>;

/// What a query gave, and how long it computed.
pub(in crate::engines::local) struct Total {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) duration: Duration,
}

/// Starts the queries of a node whose rows come in `n_streams` streams of `schema`, its columns in lower case.
pub(in crate::engines::local) async fn start(
    context: &SessionContext,
    node: &Node,
    schema: &SchemaRef,
    n_streams: usize,
) -> (Vec<Feed>, Streamed) {
    let mut feeds: Vec<Feed> = std::iter::repeat_with(Feed::default).take(n_streams).collect();
    let mut streamed = Streamed::default();
    let assertions: Vec<_> = node.assertions.iter().enumerate().collect();
    for (filter, together) in aggregates::by_filter(&assertions) {
        if !together.iter().all(Aggregate::looks_at_rows_only) {
            continue;
        }
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..n_streams).map(|_| mpsc::channel(N_WAITING)).unzip();
        let planned = async {
            let partitions = receivers.into_iter().map(|receiver| {
                let receiver = Mutex::new(Some(receiver));
                Arc::new(Listening { schema: Arc::clone(schema), receiver }) as Arc<dyn PartitionStream>
            });
            let table = StreamingTable::try_new(Arc::clone(schema), partitions.collect())?;
            replace(context, TableReference::bare(NAME), Arc::new(table))?;
            let planned = plan(context, &aggregates::query(&together)).await?.create_physical_plan().await;
            context.deregister_table(TableReference::bare(NAME))?;
            planned
        };
        // What cannot be planned is told of when the staged files are asked.
        let Ok(planned) = planned.await else { continue };
        let tasks = context.task_ctx();
        streamed.queries.spawn(async move {
            let batches = collect(Arc::clone(&planned), tasks).await;
            (filter, batches.map(|batches| Total { batches, duration: spent(planned.as_ref()) }))
        });
        feeds.iter_mut().zip(senders).for_each(|(feed, sender)| feed.0.push(sender));
    }
    (feeds, streamed)
}

impl Streamed {
    /// The rows of the queries that did not fail, once all feeds are dropped.
    pub(in crate::engines::local) async fn totals(mut self) -> Totals {
        let mut totals = Totals::new();
        while let Some(ended) = self.queries.join_next().await {
            if let Ok((filter, Ok(total))) = ended {
                totals.insert(filter, total);
            }
        }
        totals
    }
}

fn spent(plan: &dyn ExecutionPlan) -> Duration {
    let own = plan.metrics().and_then(|metrics| metrics.elapsed_compute()).unwrap_or_default();
    let own = Duration::from_nanos(u64::try_from(own).unwrap_or_default());
    plan.children().into_iter().fold(own, |all, input| all + spent(input.as_ref()))
}

/// The rows that a feed passes on, once.
struct Listening {
    schema: SchemaRef,
    receiver: Mutex<Option<mpsc::Receiver<RecordBatch>>>,
}

impl fmt::Debug for Listening {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Listening")
    }
}

impl PartitionStream for Listening {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let batches = futures::stream::unfold(receiver, |receiver| async move {
            let Some(mut receiver) = receiver else {
                let twice = DataFusionError::Internal("a partition is read twice".to_owned());
                return Some((Err(twice), None));
            };
            receiver.recv().await.map(|batch| (Ok(batch), Some(receiver)))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
