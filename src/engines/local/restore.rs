//! Tables brought back to an earlier version, by one commit each (Delta's RESTORE).
//!
//! In: tables and versions, or a run that is to be undone. Out: what became of each. The commit says what the restored version
//! said (fingerprint, inputs, columns), and which version it brought back, so that the next plan knows what is there. Source
//! files that were ingested since count as not ingested again. Files with rows have to be there still; nothing is restored
//! in part.

use std::collections::BTreeMap;
use std::path::Path;

use deltalake::DeltaTable;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::CommitProperties;
use serde_json::{Value, json};

use crate::check::Checked;
use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::{Held, Progress, RunReport, RunSettings, failure, ledger, leftovers, preview, table};
use crate::name::TableName;
use crate::state::versions::{self, Version};
use crate::state::{RESTORED, State, Warehouse};

/// The key under which a commit says which run it undid.
const UNDONE: &str = "medc.undone_run";

/// Tables that remember runs; these stay.
const LEDGER: [&str; 3] = ["medc.runs", "quality.results", "ml_registry.model_versions"];

/// One table to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoration {
    pub table: TableName,
    /// The version now.
    pub from: i64,
    /// The version whose rows it gets.
    pub to: i64,
}

/// What undoing a run comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undoing {
    pub restorations: Vec<Restoration>,
    /// Tables that the run made: there is nothing to go back to.
    pub created: Vec<TableName>,
    /// Tables that were written since, with the run of the newest commit.
    pub written_since: Vec<(TableName, Option<String>)>,
    /// Tables on which this was done already.
    pub undone: Vec<TableName>,
}

/// What there is to do to undo a run on a warehouse.
///
/// # Errors
/// `run::table-broken` for a log that cannot be read.
pub fn undoing(warehouse: &Warehouse, run_id: &str) -> Result<Undoing, Diagnostic> {
    let mut found = Undoing::default();
    for table in preview::stored_tables(warehouse) {
        if LEDGER.contains(&table.to_string().as_str()) {
            continue;
        }
        let all = versions_of(warehouse, &table)?;
        let Some(newest) = all.last() else { continue };
        let Some(written) = all.iter().find(|version| version.run_id.as_deref() == Some(run_id)) else { continue };
        if newest.written.get(UNDONE).and_then(Value::as_str) == Some(run_id) {
            found.undone.push(table);
        } else if newest.run_id.as_deref() != Some(run_id) {
            found.written_since.push((table, newest.run_id.clone()));
        } else if written.version == 0 {
            found.created.push(table);
        } else {
            found.restorations.push(Restoration { table, from: newest.version, to: written.version - 1 });
        }
    }
    Ok(found)
}

/// The versions of a stored table, oldest first.
///
/// # Errors
/// `run::table-broken`.
pub fn versions_of(warehouse: &Warehouse, table: &TableName) -> Result<Vec<Version>, Diagnostic> {
    versions::versions(&warehouse.folder(table)).map_err(|cause| broken(table, &cause))
}

fn broken(table: &TableName, cause: &str) -> Diagnostic {
    Diagnostic::error(code::TABLE_BROKEN, format!("the table `{table}` cannot be read")).note(cause.to_owned())
}

/// Restores tables one after the other, and records the run. Stops at the first that cannot be restored.
pub fn restore(
    checked: &Checked,
    restorations: &[Restoration],
    undone: Option<&str>,
    settings: &RunSettings,
    progress: &dyn Progress,
    held: &Held,
) -> (Vec<Restoration>, Vec<Diagnostic>) {
    let mut done = Vec::new();
    let state = State::default();
    let report = super::with_engine(checked, &state, settings, progress, held, async |run| {
        let mut report = RunReport::default();
        for restoration in restorations {
            match restore_one(&run.settings, restoration, undone).await {
                Ok(()) => done.push(restoration.clone()),
                Err(diagnostic) => {
                    report.diagnostics.push(*diagnostic);
                    break;
                }
            }
        }
        if let Err(diagnostic) = ledger::record_restored(run, done.len(), report.diagnostics.is_empty()).await {
            report.diagnostics.push(diagnostic);
        }
        report
    });
    (done, report.diagnostics)
}

async fn restore_one(
    settings: &RunSettings,
    restoration: &Restoration,
    undone: Option<&str>,
) -> Result<(), Box<Diagnostic>> {
    let Restoration { table: name, to, .. } = restoration;
    let folder = settings.warehouse.folder(name);
    let failed = |cause: &str| {
        let message = format!("`{name}` cannot be brought back to version {to}");
        Box::new(
            Diagnostic::error(code::TABLE_BROKEN, message)
                .note(cause.to_owned())
                .help("the table is as it was; choose a version whose files are still there"),
        )
    };
    let opened = table::open(&folder).await.map_err(|error| failed(&error.to_string()))?;
    let Some(opened) = opened else { return Err(failed("there is no such table")) };
    let swept = leftovers::sweep(&folder, Some(&opened), &settings.run_id).await;
    swept.map_err(|error| Box::new(failure::io("removing left-over files", &error)))?;
    let properties = CommitProperties::default()
        .with_metadata(commit_info(settings, &folder, *to, undone).map_err(|cause| failed(&cause))?)
        .with_application_transactions(taken_back(&folder, &opened, *to).map_err(|cause| failed(&cause))?);
    let version = u64::try_from(*to).map_err(|_| failed("versions begin with 0"))?;
    let restoring = opened.restore().with_version_to_restore(version).with_commit_properties(properties);
    restoring.await.map(|_| ()).map_err(|error| failed(&error.to_string()))
}

/// What the restored version's commit said, and that this one brings it back. A version of another writer is described by
/// the newest commit of medc before it.
fn commit_info(
    settings: &RunSettings,
    folder: &Path,
    to: i64,
    undone: Option<&str>,
) -> Result<BTreeMap<String, Value>, String> {
    let all = versions::versions(folder)?;
    let known =
        all.iter().rev().find(|version| version.version <= to && version.written.contains_key("medc.fingerprint"));
    let mut info = known.map(|version| version.written.clone()).unwrap_or_default();
    info.remove(UNDONE);
    info.entry("medc.fingerprint".to_owned()).or_insert(json!(""));
    info.insert("medc.run_id".to_owned(), json!(settings.run_id));
    info.insert("medc.environment".to_owned(), json!(settings.environment));
    info.insert("medc.version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    info.insert(RESTORED.to_owned(), json!(to));
    info.insert("medc.change".to_owned(), json!("restore"));
    if let Some(undone) = undone {
        info.insert(UNDONE.to_owned(), json!(undone));
    }
    Ok(info)
}

/// Transactions as they were then; -1 for those that were not yet there. They cannot be removed from a log.
fn taken_back(folder: &Path, now: &DeltaTable, to: i64) -> Result<Vec<Transaction>, String> {
    let newest = now.version().and_then(|version| i64::try_from(version).ok()).unwrap_or(to);
    let then = versions::transactions(folder, to)?;
    let now = versions::transactions(folder, newest)?;
    let changed = now.into_iter().filter_map(|(application, version)| {
        let before = then.get(&application).copied().unwrap_or(-1);
        (before != version).then(|| Transaction::new(application, before))
    });
    Ok(changed.collect())
}
