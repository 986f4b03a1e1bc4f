//! One action: a node's rows computed, tested, staged and published.
//!
//! In: an action of the plan. Out: a [`NodeReport`]. The order is: plan, stream into staged files while testing rows, test
//! the files as a whole, publish by one commit, then publish the quarantine. Whatever fails before the commit removes the
//! staged files and leaves the table as it was.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltalake::DeltaTable;
use deltalake::datafusion::common::{DataFusionError, Result as DataFusionResult};
use deltalake::datafusion::physical_plan::ExecutionPlanProperties;
use deltalake::datafusion::prelude::SessionContext;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::assertions::keys::HASH;
use crate::engines::local::assertions::known;
use crate::engines::local::assertions::rows::{self, Around, RowTests};
use crate::engines::local::contract::Casts;
use crate::engines::local::evolution::{self, Evolution};
use crate::engines::local::ingest::Rejected;
use crate::engines::local::judge::{ragged_rule, violated};
use crate::engines::local::quarantine::{self, Quarantine};
use crate::engines::local::relation::{self, Building, Recording, Rows};
use crate::engines::local::spool::{self, Spool};
use crate::engines::local::stage::{Stage, StagedFile, Writer};
use crate::engines::local::staged::{Passed, streamed};
use crate::engines::local::table::{self, Publication, Publishing};
use crate::engines::local::{NodeReport, Outcome, Run, damage, failure, leftovers, merge};
use crate::ir::{Body, Input, Node, NodeId, OnViolation, Relation, WriteMode};
use crate::name::TableName;
use crate::plan::definition::parts;
use crate::plan::{Action, Change, dataset_definition, source_stamp};
use crate::sql::{session, types};
use crate::state::{FILE_TRANSACTION, SourceFile, to_commit};

/// Carries out one action.
pub(super) async fn run(run: &Run<'_>, action: &Action) -> NodeReport {
    let begun = Instant::now();
    let mut report = NodeReport {
        node: action.node,
        outcome: Outcome::Failed { diagnostics: Vec::new() },
        duration: begun.elapsed(),
        assertions: Vec::new(),
        warnings: Vec::new(),
    };
    report.outcome = match attempt(run, action, &mut report).await {
        Ok(outcome) => outcome,
        Err(mut diagnostics) => {
            for diagnostic in diagnostics.iter_mut().filter(|one| one.code == code::TABLE_BROKEN && one.help.is_none())
            {
                if let Some(found) = damage::find(run, action.node).await {
                    *diagnostic = Diagnostic { labels: std::mem::take(&mut diagnostic.labels), ..found };
                }
            }
            Outcome::Failed { diagnostics }
        }
    };
    report.duration = begun.elapsed();
    report
}

/// How often a running table looks whether it is to stop.
const CANCEL_POLL: Duration = Duration::from_millis(100);

type Attempt<T> = Result<T, Vec<Diagnostic>>;

/// What a node's run holds besides its plan.
pub(super) struct Work<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) action: &'a Action,
    pub(super) node: &'a Node,
    pub(super) context: SessionContext,
    pub(super) quarantine: Option<Arc<Quarantine>>,
    pub(super) casts: Arc<Casts>,
    pub(super) rejected: Arc<Rejected>,
    pub(super) files: Vec<SourceFile>,
}

async fn attempt(run: &Run<'_>, action: &Action, report: &mut NodeReport) -> Attempt<Outcome> {
    let node = run.checked.graph.node(action.node);
    if run.settings.is_cancelled() {
        return Err(vec![interrupted(node)]);
    }
    let context = session::context(session::Options {
        target_partitions: Some(run.settings.n_threads),
        runtime: Some(Arc::clone(&run.runtime)),
    });
    let quarantine = quarantine_of(run, action.node, node).map(Arc::new);
    let casts = Arc::new(Casts { quarantine: quarantine.clone(), ..Casts::default() });
    let files = files_to_read(run, action, node);
    let work = Work { run, action, node, context, quarantine, casts, rejected: Arc::default(), files };

    let mut building = Building {
        checked: run.checked,
        settings: &run.settings,
        context: &work.context,
        inputs: BTreeMap::new(),
        n_rows: BTreeMap::new(),
    };
    let recording = Recording {
        casts: Some(Arc::clone(&work.casts)),
        files: work.files.clone(),
        rejected: Arc::clone(&work.rejected),
    };
    let rows =
        building.rows(action.node, &recording).await.map_err(|error| work.failed("planning its query", &error))?;
    let inputs = building.inputs.clone();
    if node.write.mode == WriteMode::View && node.assertions.is_empty() {
        return Ok(Outcome::Done { n_rows: 0, version: None, n_quarantined: 0, n_dropped: 0 });
    }

    building.compared(action.node).await.map_err(|error| work.failed("reading what it is held against", &error))?;
    let folder = run.settings.warehouse.folder(&node.name);
    let existing = table::open(&folder).await.map_err(|error| vec![broken(node, &folder, &error)])?;
    work.sweep(&folder, existing.as_ref()).await?;
    let evolution = evolution::prepare(node, action, existing.as_ref(), &rows.schema)?;
    let schema = types::to_arrow_schema(&evolution.schema);
    let stage = Stage::new(folder, &run.settings.run_id, &schema, &node.write.partition_by)
        .map_err(|error| vec![failure::node_io(node, "staging the rows", &error)])?;
    let stage = Arc::new(stage);
    evolution.check_nulls(node, existing.as_ref(), &work.fresh_context(), &stage).await?;
    let result = work.fill_and_publish(rows, inputs, existing.as_ref(), &stage, &evolution, report).await;
    if result.is_err() {
        stage.discard();
        if let Some(quarantine) = &work.quarantine {
            quarantine.discard();
        }
    }
    result
}

impl Work<'_> {
    pub(super) fn failed(&self, doing: &str, error: &DataFusionError) -> Vec<Diagnostic> {
        vec![failure::execution(self.node, doing, error)]
    }

    async fn fill_and_publish(
        &self,
        rows: Rows,
        inputs: BTreeMap<String, i64>,
        existing: Option<&DeltaTable>,
        stage: &Arc<Stage>,
        evolution: &Evolution,
        report: &mut NodeReport,
    ) -> Attempt<Outcome> {
        let schema = rows.schema.clone();
        let written = self.fill_split(rows, stage).await.map_err(|error| self.failed("computing its rows", &error))?;
        if self.run.settings.is_cancelled() {
            return Err(vec![interrupted(self.node)]);
        }
        // Where only columns change there are no rows to test.
        if self.action.change != (Change::Append { n_files: 0 }) {
            report.assertions = self
                .outcomes(&written, stage, &schema)
                .await
                .map_err(|error| self.failed("testing its rows", &error))?;
        }
        let mut failures: Vec<Diagnostic> = Vec::new();
        for outcome in &report.assertions {
            if outcome.blocks() {
                failures.push(violated(self.node, outcome, code::EXPECTATION_FAILED));
            } else if !outcome.success {
                report.warnings.push(violated(self.node, outcome, code::EXPECTATION_WARNED));
            }
        }
        if !failures.is_empty() {
            return Err(failures);
        }

        let n_rows = written.files.iter().map(|file| file.n_rows).sum();
        if self.node.write.mode == WriteMode::View {
            // Its rows were written to be looked at; readers compute them.
            stage.discard();
            return Ok(Outcome::Done { n_rows: 0, version: None, n_quarantined: 0, n_dropped: 0 });
        }
        let mut files = written.files;
        let publication = self.publication(existing, stage, &mut files, evolution).await?;
        if self.run.settings.is_cancelled() {
            return Err(vec![interrupted(self.node)]);
        }
        let n_quarantined = self.quarantine.as_ref().map_or(0, |quarantine| quarantine.n_rows());
        // First, because a table that is up to date is not computed again; the stamp keeps it from being added twice.
        self.publish_quarantine(&inputs, existing).await?;
        let publishing = Publishing {
            schema: &evolution.schema,
            contract: self.node.contract.as_deref(),
            description: self.node.description.as_deref(),
            partition_by: &self.node.write.partition_by,
            commit_info: self.commit_info(&inputs, &evolution.schema),
            transactions: self.transactions(),
        };
        let version = table::publish(existing, stage.folder(), &files, publication, publishing)
            .await
            .map_err(|error| vec![failure::delta(self.node, "publishing its rows", &error)])?;
        stage.published();
        let n_left_out = written.n_left_out + self.rejected.n_rows() + self.dropped_casts();
        Ok(Outcome::Done {
            n_rows,
            version: Some(version),
            n_quarantined,
            n_dropped: n_left_out.saturating_sub(n_quarantined),
        })
    }

    /// [`Work::fill`], by way of a spool where a test that looks at other rows takes rows out.
    async fn fill_split(&self, rows: Rows, stage: &Arc<Stage>) -> DataFusionResult<Written> {
        let around = self.around(&rows).await;
        let is_known = |place: &usize| around.known.iter().any(|(known, _)| known == place);
        let mut places = spool::needed(self.node, |assertion| self.is_proven(assertion));
        places.retain(|place| !is_known(place));
        if places.is_empty() {
            return self.fill(rows, around, stage).await;
        }
        let folder = stage.folder().join(leftovers::SPOOL);
        let run_id = &self.run.settings.run_id;
        let cancelled = Arc::clone(&self.run.settings.cancelled);
        let is_cancelled = move || cancelled.load(std::sync::atomic::Ordering::Relaxed);
        let stage_of = |schema: &deltalake::arrow::datatypes::Schema| Stage::new(folder, run_id, schema, &[]);
        let spool = Spool::write(&self.context, rows.frame.clone(), stage_of, is_cancelled).await?;
        let filled = async {
            let split = spool.split(&self.context, self.node, &places, self.bound_bytes()).await;
            let (frame, marked) = split?;
            self.fill(Rows { frame, ..rows }, Around { marked, ..around }, stage).await
        };
        let filled = filled.await;
        spool.discard();
        filled
    }

    /// What is known of tests that look at other rows before any row is there.
    async fn around(&self, rows: &Rows) -> Around {
        let bound_bytes = self.bound_bytes() / 2;
        let assertions = self.node.assertions.iter().enumerate();
        let proven = assertions.filter(|(_, one)| self.is_proven(one)).map(|(place, _)| place);
        Around {
            marked: Vec::new(),
            proven: proven.collect(),
            known: known::of_references(&self.context, self.node, rows.frame.schema(), HASH, bound_bytes).await,
            hash: HASH,
            bound_bytes,
        }
    }

    /// Streams all rows into staged files, testing them on the way.
    async fn fill(&self, rows: Rows, around: Around, stage: &Arc<Stage>) -> DataFusionResult<Written> {
        let state = self.context.state();
        let plan = relation::clustered(self.node, rows.frame.create_physical_plan().await?);
        let quarantine = self.quarantine.clone();
        let stored: Vec<usize> = (0..rows.schema.columns.len()).collect();
        let tests = Arc::new(rows::compile(&state, self.node, &plan.schema(), &around, quarantine)?);
        let mut tasks = JoinSet::new();
        let (sent, mut advanced) = tokio::sync::mpsc::unbounded_channel();
        let n_streams = plan.output_partitioning().partition_count();
        let passed = Arc::new(plan.schema().project(&stored)?);
        let (feeds, streamed) = streamed::start(&self.context, self.node, &passed, n_streams).await;
        for (partition, mut feed) in feeds.into_iter().enumerate() {
            let mut batches = plan.execute(partition, self.context.task_ctx())?;
            let (tests, stage, sent) = (Arc::clone(&tests), Arc::clone(stage), sent.clone());
            let stored = stored.clone();
            let cancelled = Arc::clone(&self.run.settings.cancelled);
            tasks.spawn(async move {
                let mut writer = Writer::new(&stage);
                let mut n_left_out = 0;
                while let Some(batch) = batches.next().await {
                    if cancelled.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    let batch = batch?;
                    let n_rows = batch.num_rows() as u64;
                    let kept = tests.check(batch)?;
                    n_left_out += n_rows - kept.num_rows() as u64;
                    let kept = kept.project(&stored)?;
                    feed.pass(&kept).await;
                    writer.write(&kept)?;
                    // Nobody listens once the node has failed.
                    let _ = sent.send(n_rows);
                }
                Ok::<_, DataFusionError>((writer.close()?, n_left_out))
            });
        }
        drop(sent);
        let (mut files, mut n_left_out) = (Vec::new(), 0);
        let mut look = tokio::time::interval(CANCEL_POLL);
        let ended = loop {
            tokio::select! {
                Some(n_rows) = advanced.recv() => self.run.progress.advanced(self.action.node, n_rows),
                _ = look.tick(), if self.run.settings.is_cancelled() => break Ok(()),
                ended = tasks.join_next() => match ended {
                    Some(Ok(Ok((some, n)))) => {
                        files.extend(some);
                        n_left_out += n;
                    }
                    Some(Ok(Err(error))) => break Err(error),
                    Some(Err(error)) => break Err(DataFusionError::ExecutionJoin(Box::new(error))),
                    None => break Ok(()),
                },
            }
        };
        // No task may make a file once the staged ones are removed.
        tasks.shutdown().await;
        ended?;
        while let Ok(n_rows) = advanced.try_recv() {
            self.run.progress.advanced(self.action.node, n_rows);
        }
        files.sort_by(|left: &StagedFile, right| left.path.cmp(&right.path));
        let keyed = tests.keyed(self.run.settings.n_threads).await?;
        Ok(Written { files, n_left_out, tests, passed: Passed { keyed, totals: streamed.totals().await } })
    }

    async fn publication(
        &self,
        existing: Option<&DeltaTable>,
        stage: &Arc<Stage>,
        files: &mut Vec<StagedFile>,
        evolution: &Evolution,
    ) -> Attempt<Publication> {
        let WriteMode::Merge { keys } = &self.node.write.mode else {
            return Ok(match (self.action.change, existing) {
                (Change::Append { .. }, Some(existing)) if evolution.rewrites => {
                    evolution.rewrite(self.node, existing, &self.fresh_context(), stage, files).await?
                }
                (Change::Append { .. }, _) => Publication::Append,
                (Change::Create | Change::Rebuild | Change::Merge | Change::View, _) => Publication::Overwrite,
            });
        };
        let merging =
            merge::Merging { node: self.node, stage, keys, evolution, bound_bytes: self.run.settings.memory_bytes / 4 };
        let proven = self.run.checked.typed(self.action.node).unique.iter().any(|set| {
            !set.is_empty() && set.iter().all(|column| keys.iter().any(|key| crate::name::same(key, column)))
        });
        if !proven {
            merging.check_keys(&self.fresh_context(), files).await?;
        }
        match (existing, self.action.change) {
            (Some(existing), Change::Merge) => merging.replace(&self.fresh_context(), existing, files).await,
            _ => Ok(Publication::Overwrite),
        }
    }

    fn fresh_context(&self) -> SessionContext {
        session::context(session::Options {
            target_partitions: Some(self.run.settings.n_threads),
            runtime: Some(Arc::clone(&self.run.runtime)),
        })
    }

    fn commit_info(&self, inputs: &BTreeMap<String, i64>, schema: &crate::ir::Schema) -> BTreeMap<String, Value> {
        let settings = &self.run.settings;
        let mut info = BTreeMap::from([
            ("medc.fingerprint".to_owned(), json!(self.action.fingerprint)),
            ("medc.inputs".to_owned(), json!(json!(inputs).to_string())),
            ("medc.run_id".to_owned(), json!(settings.run_id)),
            ("medc.columns".to_owned(), json!(to_commit(schema, &self.node.write.partition_by))),
            ("medc.environment".to_owned(), json!(settings.environment)),
            ("medc.version".to_owned(), json!(env!("CARGO_PKG_VERSION"))),
            ("medc.project".to_owned(), json!(settings.project)),
            ("medc.change".to_owned(), json!(self.action.change.word())),
            ("medc.parts".to_owned(), json!(json!(parts(&self.run.checked.graph, self.action.node)).to_string())),
        ]);
        if let Some(sha) = &settings.git_sha {
            info.insert("medc.git_sha".to_owned(), json!(sha));
        }
        if let Body::Ingest(_) = self.node.body {
            let sources = self.run.state.sources.get(&self.node.name).map_or(&[][..], Vec::as_slice);
            info.insert("medc.source_stamp".to_owned(), json!(source_stamp(sources)));
        }
        if let Some(dataset) = &self.node.dataset {
            info.insert("medc.definition".to_owned(), json!(dataset_definition(dataset)));
        }
        info
    }

    fn transactions(&self) -> Vec<(String, i64)> {
        let appends = self.node.write.mode == WriteMode::Append;
        let files = self.files.iter().filter(|_| appends);
        files.map(|file| (format!("{FILE_TRANSACTION}{}", file.path), file.stamp)).collect()
    }

    /// Removes files that runs which never published left behind.
    async fn sweep(&self, folder: &Path, existing: Option<&DeltaTable>) -> Attempt<()> {
        let failed = |error: &std::io::Error| vec![failure::node_io(self.node, "removing left-over files", error)];
        let run_id = &self.run.settings.run_id;
        leftovers::sweep(folder, existing, run_id).await.map_err(|error| failed(&error))?;
        let Some(quarantine) = &self.quarantine else { return Ok(()) };
        let stored = table::open(quarantine.folder()).await;
        let stored = stored.map_err(|error| vec![broken(self.node, quarantine.folder(), &error)])?;
        leftovers::sweep(quarantine.folder(), stored.as_ref(), run_id).await.map_err(|error| failed(&error))
    }
}

/// What was staged.
pub(super) struct Written {
    pub(super) files: Vec<StagedFile>,
    pub(super) n_left_out: u64,
    pub(super) tests: Arc<RowTests>,
    pub(super) passed: Passed,
}

/// The files whose rows the action adds: those not yet appended, or all.
fn files_to_read(run: &Run<'_>, action: &Action, node: &Node) -> Vec<SourceFile> {
    let all = run.state.sources.get(&node.name).cloned().unwrap_or_default();
    match (action.change, run.state.tables.get(&node.name)) {
        (Change::Append { .. }, Some(table)) => {
            all.into_iter().filter(|file| !table.ingested.contains_key(&file.path)).collect()
        }
        _ => all,
    }
}

fn quarantine_of(run: &Run<'_>, id: NodeId, node: &Node) -> Option<Quarantine> {
    let by_cast = node.contract.as_ref().is_some_and(|contract| contract.on_cast_failure == OnViolation::Quarantine);
    let by_shape = ragged_rule(node) == Some(OnViolation::Quarantine);
    let by_test = node.assertions.iter().any(|assertion| assertion.on_violation == OnViolation::Quarantine);
    if !by_cast && !by_test && !by_shape {
        return None;
    }
    let names = |schema: &crate::ir::Schema| schema.names().map(str::to_owned).collect::<Vec<_>>();
    let own = run.checked.typed(id).schema.as_ref().map(names).unwrap_or_default();
    let own = if own.is_empty() {
        node.contract.as_ref().map(|contract| names(&contract.schema())).unwrap_or_default()
    } else {
        own
    };
    let input = match &node.body {
        Body::Relation(Relation { input: Input::Table { name, .. }, .. }) => run
            .checked
            .graph
            .find(name)
            .and_then(|input| run.checked.typed(input).schema.as_ref().map(names))
            .unwrap_or_default(),
        Body::Ingest(_) if by_shape => ["_source_file", "_source_line", "_row"].map(str::to_owned).to_vec(),
        Body::Ingest(_) => ["_source_file", "_source_line"].map(str::to_owned).to_vec(),
        Body::Relation(Relation { input: Input::Query(_), .. }) => Vec::new(),
    };
    let folder =
        run.settings.warehouse.folder(&TableName::new(&node.name.layer, &format!("{}_quarantine", node.name.name)));
    Some(Quarantine::new(folder, &run.settings.run_id, run.settings.started_at, quarantine::union(own, input)))
}

fn interrupted(node: &Node) -> Diagnostic {
    Diagnostic::error(code::INTERRUPTED, format!("`{}` was stopped", node.name))
        .at(node.site.clone().key(), "the table keeps its old rows")
}

fn broken(node: &Node, folder: &Path, error: &deltalake::DeltaTableError) -> Diagnostic {
    Diagnostic::error(code::TABLE_BROKEN, format!("the table `{}` cannot be read", node.name))
        .at(node.site.clone().key(), "declared here")
        .note(error.to_string())
        .help(format!("restore `{}` from a backup, or remove that folder and apply again", folder.display()))
}
