//! A run's quarantined rows, published in front of the table that they were taken from.
//!
//! In: what a quarantine took, and the table as it is before its own commit. In front, because a table that is up to date is
//! not computed again; the commit names the version that the table will get (`medc.table_version`). A run that ended between
//! the two commits is known by it: the table never got that version from that run. Its rows are then taken out again by the
//! commit that adds the new ones, so that none is there twice. A stamp of what the rows are a function of keeps a rebuild
//! from adding the same rows again.

use std::collections::BTreeMap;

use deltalake::kernel::Remove;
use deltalake::{DeltaTable, DeltaTableError};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::diagnostic::Diagnostic;
use crate::engines::local::failure;
use crate::engines::local::node::Work;
use crate::engines::local::quarantine::Quarantined;
use crate::engines::local::table::{self, Publication, Publishing};
use crate::ir::Schema;
use crate::sql::types;
use crate::state::{run_of_commit, staged};

const STAMP: &str = "medc:quarantine";
const TABLE_VERSION: &str = "medc.table_version";

impl Work<'_> {
    /// Publishes what was set aside.
    pub(in crate::engines::local) async fn publish_quarantine(
        &self,
        inputs: &BTreeMap<String, i64>,
        existing: Option<&DeltaTable>,
    ) -> Result<(), Vec<Diagnostic>> {
        let Some(quarantine) = &self.quarantine else { return Ok(()) };
        let closed = quarantine.close().map_err(|error| self.failed("writing its quarantine", &error))?;
        let published = self.publish_closed(quarantine.folder(), &quarantine.schema(), closed, inputs, existing).await;
        published.map_err(|error| vec![failure::delta(self.node, "publishing its quarantine", &error)])
    }

    async fn publish_closed(
        &self,
        folder: &std::path::Path,
        columns: &Schema,
        closed: Option<Quarantined>,
        inputs: &BTreeMap<String, i64>,
        existing: Option<&DeltaTable>,
    ) -> Result<(), DeltaTableError> {
        let stored = table::open(folder).await?;
        let before = existing.and_then(DeltaTable::version).and_then(|version| i64::try_from(version).ok());
        let unfinished = match &stored {
            Some(stored) => self.unfinished(stored, before).await?,
            None => Vec::new(),
        };
        let stamp = self.stamp(inputs);
        let is_known = match &stored {
            Some(stored) if unfinished.is_empty() => {
                let log_store = stored.log_store();
                stored.snapshot()?.transaction_version(log_store.as_ref(), STAMP).await? == Some(stamp)
            }
            Some(_) | None => false,
        };
        let files = closed.as_ref().map_or(&[][..], |closed| &closed.files);
        if is_known || (files.is_empty() && unfinished.is_empty()) {
            if let Some(closed) = &closed {
                closed.stage.discard();
            }
            return Ok(());
        }
        let publishing = Publishing {
            schema: &with_stored(columns, stored.as_ref())?,
            contract: None,
            description: Some("Rows that broke an expectation, with the reasons"),
            partition_by: &[],
            commit_info: BTreeMap::from([
                ("medc.run_id".to_owned(), json!(self.run.settings.run_id)),
                (TABLE_VERSION.to_owned(), json!(before.map_or(0, |before| before + 1))),
            ]),
            transactions: vec![(STAMP.to_owned(), stamp)],
        };
        let publication = if unfinished.is_empty() { Publication::Append } else { Publication::Replace(unfinished) };
        table::publish(stored.as_ref(), folder, files, publication, publishing).await?;
        if let Some(closed) = &closed {
            closed.stage.published();
        }
        Ok(())
    }

    /// The files of a run whose table never followed.
    async fn unfinished(&self, stored: &DeltaTable, before: Option<i64>) -> Result<Vec<Remove>, DeltaTableError> {
        let Some(newest) = stored.history(Some(1)).next().await.transpose()? else { return Ok(Vec::new()) };
        let run = newest.info.get("medc.run_id").and_then(Value::as_str);
        let (Some(run), Some(version)) = (run, newest.info.get(TABLE_VERSION).and_then(Value::as_i64)) else {
            return Ok(Vec::new());
        };
        let folder = self.run.settings.warehouse.folder(&self.node.name);
        let followed = before.is_some_and(|before| before >= version)
            && run_of_commit(&folder, version).is_none_or(|found| found == run);
        if followed {
            return Ok(Vec::new());
        }
        let state = stored.snapshot()?;
        let of_run = |path: &str| staged::run_of(path.rsplit('/').next().unwrap_or_default()) == Some(run);
        let files = state.log_data();
        Ok(files.iter().filter(|file| of_run(&file.path())).map(|file| file.remove_action(true)).collect())
    }

    /// What the rows are a function of, as 63 bits.
    fn stamp(&self, inputs: &BTreeMap<String, i64>) -> i64 {
        let files: Vec<_> = self.files.iter().map(|file| (&file.path, file.stamp)).collect();
        let text = json!([self.action.fingerprint, inputs, files]).to_string();
        let hash = blake3::hash(text.as_bytes());
        let first = hash.as_bytes().iter().take(8).fold(0_i64, |value, byte| value << 8 | i64::from(*byte));
        first & i64::MAX
    }
}

/// The stored columns, and behind them those that are new.
fn with_stored(columns: &Schema, stored: Option<&DeltaTable>) -> Result<Schema, DeltaTableError> {
    let Some(stored) = stored else { return Ok(columns.clone()) };
    let known = stored.snapshot()?.snapshot().arrow_schema();
    let Ok(mut schema) = types::from_arrow_schema(&known) else { return Ok(columns.clone()) };
    let new = columns.columns.iter().filter(|column| schema.column(&column.name).is_none());
    let new: Vec<_> = new.cloned().collect();
    schema.columns.extend(new);
    Ok(schema)
}
