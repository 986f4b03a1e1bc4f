//! Upsert by key: which files of a table hold keys that come anew, and what is left of them.
//!
//! In: staged rows and the table. Out: the files to take out, and among the staged ones the rest of their rows. Files
//! without a matching key stay untouched. Keys are remembered as 128-bit hashes, 16 bytes a staged row. A key with a NULL
//! matches nothing, as in `MERGE ... ON target.k = source.k`. The result is one commit, as for any other mode.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use deltalake::arrow::compute::filter_record_batch;
use deltalake::datafusion::common::hash_utils::{RandomState, create_hashes};
use deltalake::datafusion::common::{DataFusionError, Result as DataFusionResult};
use deltalake::datafusion::logical_expr::{Expr, ident};
use deltalake::datafusion::physical_plan::ExecutionPlanProperties;
use deltalake::datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;
use tokio::task::JoinSet;

use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::contract::Casts;
use crate::engines::local::evolution::{self, Evolution};
use crate::engines::local::stage::{Stage, StagedFile, Writer};
use crate::engines::local::table::{self, Publication};
use crate::engines::local::{damage, failure, staged};
use crate::ir::{Assertion, Dimension, Node, OnViolation, Test};

/// A merge into a node's table.
pub(super) struct Merging<'a> {
    pub(super) node: &'a Node,
    pub(super) stage: &'a Arc<Stage>,
    pub(super) keys: &'a [String],
    pub(super) evolution: &'a Evolution,
    pub(super) bound_bytes: usize,
}

/// Hashes are already mixed.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, value: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
        let low = value as u64;
        self.0 = low;
    }
}

type Keys = HashSet<u128, BuildHasherDefault<Mixed>>;

impl Merging<'_> {
    /// Two staged rows with one key are an error: which of them would win?
    pub(super) async fn check_keys(
        &self,
        context: &SessionContext,
        files: &[StagedFile],
    ) -> Result<(), Vec<Diagnostic>> {
        let assertion = Assertion {
            kind: "unique",
            label: format!("unique keys ({})", self.keys.join(", ")),
            columns: self.keys.to_vec(),
            arguments: serde_json::Value::Null,
            dimension: Dimension::Uniqueness,
            test: Test::Unique { columns: self.keys.to_vec() },
            on_violation: OnViolation::Fail,
            severity: None,
            mostly: 1.0,
            filter: None,
            description: None,
            owner: None,
            site: self.node.site.clone(),
        };
        let checked = async {
            staged::register(context, self.stage, files, self.bound_bytes)?.unique(&assertion, self.keys).await
        };
        let outcome = checked.await.map_err(|error| self.failed(&error))?;
        if outcome.success {
            return Ok(());
        }
        let keys = crate::name::list(self.keys);
        let example = outcome.examples.first().map_or(String::new(), |example| format!(", e.g. {example}"));
        Err(vec![
            Diagnostic::error(
                code::EXECUTION,
                format!("`{}` would merge several rows with the same {keys}", self.node.name),
            )
            .at(self.node.site.clone().key(), "the table keeps its old rows")
            .note(format!("{} rows repeat a key{example}", outcome.n_violating))
            .help("keep one row per key, e.g. with the step `deduplicate`"),
        ])
    }

    /// Rewrites the files that hold a staged key without those rows.
    pub(super) async fn replace(
        &self,
        context: &SessionContext,
        existing: &DeltaTable,
        files: &mut Vec<StagedFile>,
    ) -> Result<Publication, Vec<Diagnostic>> {
        let failed = |error: &DataFusionError| self.failed(error);
        let keys = Arc::new(self.staged_keys(context, files).await.map_err(|error| failed(&error))?);
        damage::check_files(self.stage.folder(), existing).map_err(|broken| vec![*broken])?;
        let state = existing.snapshot().map_err(|error| vec![failure::delta(self.node, "merging its rows", &error)])?;
        let mut removes = Vec::new();
        let casts = Arc::default();
        for file in state.log_data().iter() {
            let path = file.path().into_owned();
            let plain = file.deletion_vector_descriptor().is_none();
            let rows = self.file(context, existing, &path, plain, &casts);
            let rows = rows.await.map_err(|error| failed(&error))?;
            let replaces =
                self.evolution.rewrites || self.holds_any(rows.clone(), &keys).await.map_err(|error| failed(&error))?;
            if replaces {
                files.extend(self.rest(rows, &keys).await.map_err(|error| failed(&error))?);
                removes.push(file.remove_action(true));
            }
        }
        evolution::check_casts(self.node, &casts)?;
        Ok(Publication::Replace(removes))
    }

    fn failed(&self, error: &DataFusionError) -> Vec<Diagnostic> {
        vec![failure::execution(self.node, "merging its rows", error)]
    }

    async fn staged_keys(&self, context: &SessionContext, files: &[StagedFile]) -> DataFusionResult<Keys> {
        let staged = staged::register(context, self.stage, files, self.bound_bytes)?;
        let rows = staged.rows().await?.select(self.key_columns())?;
        let mut keys = Keys::default();
        keys.reserve(usize::try_from(staged.n_rows).unwrap_or(0));
        let mut batches = rows.execute_stream().await?;
        while let Some(batch) = batches.next().await {
            keys.extend(hashes(batch?.columns())?.into_iter().flatten());
        }
        Ok(keys)
    }

    fn key_columns(&self) -> Vec<Expr> {
        self.keys.iter().map(|key| ident(key.to_lowercase())).collect()
    }

    /// One file's rows in the staged columns and types.
    async fn file(
        &self,
        context: &SessionContext,
        existing: &DeltaTable,
        path: &str,
        plain: bool,
        casts: &Arc<Casts>,
    ) -> DataFusionResult<DataFrame> {
        let state = existing.snapshot().map_err(|error| DataFusionError::External(Box::new(error)))?;
        let plain = plain && state.metadata().partition_columns().is_empty() && !path.contains("://");
        let provider = if plain {
            table::parquet(&[self.stage.folder().join(path)], &state.snapshot().arrow_schema())?
        } else {
            existing.table_provider().with_file_paths([path]).build().await.map(Arc::new)?
        };
        evolution::rows_in(context, provider, &self.evolution.schema, self.node, casts).await
    }

    async fn holds_any(&self, rows: DataFrame, keys: &Arc<Keys>) -> DataFusionResult<bool> {
        let mut batches = rows.select(self.key_columns())?.execute_stream().await?;
        while let Some(batch) = batches.next().await {
            if hashes(batch?.columns())?.into_iter().flatten().any(|key| keys.contains(&key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The rows of a file whose keys don't come anew, staged.
    async fn rest(&self, rows: DataFrame, keys: &Arc<Keys>) -> DataFusionResult<Vec<StagedFile>> {
        let schema = rows.schema().as_arrow().clone();
        let places = self.keys.iter().map(|key| schema.index_of(&key.to_lowercase()));
        let places: Vec<usize> = places.collect::<Result<_, _>>()?;
        let context = Arc::new(rows.task_ctx());
        let plan = rows.create_physical_plan().await?;
        let mut tasks = JoinSet::new();
        for partition in 0..plan.output_partitioning().partition_count() {
            let mut batches = plan.execute(partition, Arc::clone(&context))?;
            let (stage, keys, places) = (Arc::clone(self.stage), Arc::clone(keys), places.clone());
            tasks.spawn(async move {
                let mut writer = Writer::new(&stage);
                while let Some(batch) = batches.next().await {
                    writer.write(&without(&batch?, &places, &keys)?)?;
                }
                writer.close()
            });
        }
        let mut files = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            files.extend(ended.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))??);
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(files)
    }
}

fn without(batch: &RecordBatch, places: &[usize], keys: &Keys) -> DataFusionResult<RecordBatch> {
    let columns: Vec<ArrayRef> = places.iter().map(|place| Arc::clone(batch.column(*place))).collect();
    let kept: BooleanArray =
        hashes(&columns)?.into_iter().map(|key| Some(key.is_none_or(|key| !keys.contains(&key)))).collect();
    Ok(filter_record_batch(batch, &kept)?)
}

/// 128 bits a row; `None` where a part of the key is NULL.
fn hashes(keys: &[ArrayRef]) -> DataFusionResult<Vec<Option<u128>>> {
    let n_rows = keys.first().map_or(0, Array::len);
    let (mut low, mut high) = (vec![0; n_rows], vec![0; n_rows]);
    create_hashes(keys, &RandomState::with_seed(0x6d65_6463), &mut low)?;
    create_hashes(keys, &RandomState::with_seed(0x6c61_6b65), &mut high)?;
    let given = |row: usize| keys.iter().all(|key| key.is_valid(row));
    let both = low.into_iter().zip(high).enumerate();
    Ok(both.map(|(row, (low, high))| given(row).then(|| u128::from(high) << 64 | u128::from(low))).collect())
}
