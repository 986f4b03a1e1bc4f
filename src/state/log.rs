//! A Delta log as far as `state` needs it: the newest version, medc's newest commit, and ingested files.
//!
//! In: a table's folder. Out: a `TableState`. Reads the log's JSON files directly, newest first, and stops at medc's commit;
//! a checkpoint is opened only for the transactions of files ingested before it, and for the columns of a table whose
//! commits don't tell them. It does not replay files; that is `deltalake`'s work when the table is really read. Source: the Delta protocol, "Delta Log Entries".

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use deltalake::arrow::array::{Array, AsArray, StructArray};
use deltalake::arrow::datatypes::Int64Type;
use deltalake::parquet::arrow::ProjectionMask;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::state::{Commit, FILE_TRANSACTION, Former, RESTORED, Stored, TableState, columns, staged};

/// The state of the table in `folder`; `None` when there is no log.
pub(super) fn read(folder: &Path, with_files: bool) -> Result<Option<TableState>, String> {
    let Some(files) = list(folder)? else { return without_log(folder) };
    let Some(version) = files.newest() else {
        return without_log(folder);
    };
    files.check_complete(&folder.join("_delta_log"))?;

    let mut table =
        TableState { version, commit: None, written_by_others: false, stored: None, ingested: BTreeMap::new() };
    for (&version, path) in files.commits.iter().rev() {
        if table.commit.is_some()
            && table.stored.is_some()
            && (!with_files || files.checkpoint().is_some_and(|newest| version <= newest))
        {
            break;
        }
        read_commit(path, version, &mut table)?;
    }
    if let Some(newest) = files.checkpoint() {
        for path in &files.checkpoints[&newest] {
            let failed = |error: Box<dyn std::error::Error>| format!("reading `{}`: {error}", path.display());
            if with_files {
                read_transactions(path, FILE_TRANSACTION, &mut table.ingested).map_err(failed)?;
            }
            if table.stored.is_none() {
                table.stored = read_checkpoint_columns(path).map_err(failed)?;
            }
        }
    }
    // Taken back by a restore.
    table.ingested.retain(|_, stamp| *stamp >= 0);
    Ok(Some(table))
}

/// The files of a log; `None` when there is none.
pub(super) fn list(folder: &Path) -> Result<Option<LogFiles>, String> {
    let log = folder.join("_delta_log");
    let failed = |error: std::io::Error| format!("listing `{}`: {error}", log.display());
    let entries = match std::fs::read_dir(&log) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut files = LogFiles::default();
    for entry in entries {
        files.add(&entry.map_err(failed)?.path());
    }
    Ok(Some(files))
}

/// No table, or one whose log is gone: then its rows are not to be taken for what a killed run left.
fn without_log(folder: &Path) -> Result<Option<TableState>, String> {
    let listed = staged::n_orphans(folder).map_err(|error| format!("listing `{}`: {error}", folder.display()))?;
    match listed {
        0 => Ok(None),
        n => Err(format!(
            "`{}` has {n} files with rows, and no commit in `_delta_log` that names them",
            folder.display()
        )),
    }
}

/// The run of medc that made a commit; `None` for another writer's, and for a commit that is not there any more.
pub(super) fn run_of_commit(folder: &Path, version: i64) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(format!("_delta_log/{version:020}.json"))).ok()?;
    let line = text.lines().find(|line| line.starts_with("{\"commitInfo\""))?;
    let action: Value = serde_json::from_str(line).ok()?;
    action["commitInfo"]["medc.run_id"].as_str().map(str::to_owned)
}

/// So many of a log's newest commits are looked at where a table is only to be recognised.
const FEW: usize = 4;

/// The table in `folder` if one of its newest commits is of medc: a ledger's thousand commits are not worth reading.
pub(super) fn recognise(folder: &Path) -> Option<TableState> {
    let mut files = LogFiles::default();
    for entry in std::fs::read_dir(folder.join("_delta_log")).ok()? {
        files.add(&entry.ok()?.path());
    }
    let mut table = TableState {
        version: files.newest()?,
        commit: None,
        written_by_others: false,
        stored: None,
        ingested: BTreeMap::new(),
    };
    for (&version, path) in files.commits.iter().rev().take(FEW) {
        read_commit(path, version, &mut table).ok()?;
        if table.commit.is_some() {
            return Some(table);
        }
    }
    None
}

/// What medc wrote into one commit; `None` where it is gone or another writer's.
pub(super) fn read_version(folder: &Path, version: i64) -> Option<Former> {
    let path = folder.join("_delta_log").join(format!("{version:020}.json"));
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with("{\"commitInfo\""))?;
    let action: Value = serde_json::from_str(line).ok()?;
    let found = action.get("commitInfo")?;
    let stored = found.get("medc.columns").and_then(Value::as_str).and_then(columns::from_commit);
    Some(Former { commit: commit_of(found, version)?, stored })
}

/// The files of a log by version.
#[derive(Default)]
pub(super) struct LogFiles {
    pub(super) commits: BTreeMap<i64, PathBuf>,
    pub(super) checkpoints: BTreeMap<i64, Vec<PathBuf>>,
}

impl LogFiles {
    fn add(&mut self, path: &Path) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
        let Some((version, rest)) = name.split_once('.') else { return };
        let Some(version) = (version.len() == 20).then(|| version.parse::<i64>().ok()).flatten() else { return };
        if rest == "json" {
            self.commits.insert(version, path.to_owned());
        } else if rest.starts_with("checkpoint.") && rest.ends_with("parquet") {
            self.checkpoints.entry(version).or_default().push(path.to_owned());
        }
    }

    fn newest(&self) -> Option<i64> {
        self.commits.keys().last().copied().max(self.checkpoint())
    }

    fn checkpoint(&self) -> Option<i64> {
        self.checkpoints.keys().last().copied()
    }

    /// Every version since the checkpoint (or since 0) has to be there.
    fn check_complete(&self, log: &Path) -> Result<(), String> {
        let first = self.checkpoint().map_or(0, |version| version + 1);
        for (expected, found) in (first..).zip(self.commits.range(first..).map(|(version, _)| *version)) {
            if expected != found {
                return Err(format!("`{}` lacks the commit {expected:020}.json", log.display()));
            }
        }
        Ok(())
    }
}

fn read_commit(path: &Path, version: i64, table: &mut TableState) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("reading `{}`: {error}", path.display()))?;
    let searched = table.commit.is_none();
    let mut commit = None;
    let mut stored = None;
    let mut changed_rows = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let of_commit = line.starts_with("{\"commitInfo\"");
        let of_file = line.contains("\"txn\"");
        let of_columns = table.stored.is_none() && line.contains("\"metaData\"");
        let of_rows = searched && line.contains("\"dataChange\":true");
        if !(of_commit && searched || of_file || of_rows || of_columns || !line.starts_with('{')) {
            continue;
        }
        let action: Value = serde_json::from_str(line)
            .map_err(|error| format!("`{}` is not what Delta writes: {error}", path.display()))?;
        if let Some(found) = action.get("commitInfo").filter(|_| searched) {
            commit = commit_of(found, version);
            let columns = found.get("medc.columns").and_then(Value::as_str);
            stored = columns.and_then(columns::from_commit).or(stored);
        }
        if let Some(found) = action.get("metaData").filter(|_| stored.is_none()) {
            let partition_by = serde_json::from_value(found["partitionColumns"].clone()).unwrap_or_default();
            stored = found["schemaString"].as_str().and_then(|schema| columns::from_delta(schema, partition_by));
        }
        if let Some(transaction) = action.get("txn") {
            let file = transaction["appId"].as_str().and_then(|id| id.strip_prefix(FILE_TRANSACTION));
            if let (Some(file), Some(stamp)) = (file, transaction["version"].as_i64()) {
                table.ingested.entry(file.to_owned()).or_insert(stamp);
            }
        }
        changed_rows |= ["add", "remove"]
            .iter()
            .any(|kind| action.get(kind).is_some_and(|file| file["dataChange"].as_bool() == Some(true)));
    }
    if table.stored.is_none() {
        let by_others = searched && commit.is_none();
        table.stored = stored.map(|stored| Stored { by_others, ..stored });
    }
    if searched {
        table.written_by_others |= commit.is_none() && changed_rows;
        table.commit = commit;
    }
    Ok(())
}

/// What medc wrote into the commit info; `None` for a commit of another writer.
fn commit_of(commit_info: &Value, version: i64) -> Option<Commit> {
    let text = |key: &str| commit_info.get(key).and_then(Value::as_str).map(str::to_owned);
    let inputs = commit_info.get("medc.inputs").and_then(Value::as_str).unwrap_or("{}");
    Some(Commit {
        version,
        fingerprint: text("medc.fingerprint")?,
        inputs: serde_json::from_str(inputs).unwrap_or_default(),
        run_id: text("medc.run_id").unwrap_or_default(),
        git_sha: text("medc.git_sha"),
        source_stamp: text("medc.source_stamp"),
        definition: text("medc.definition"),
        project: text("medc.project"),
        change: text("medc.change"),
        parts: text("medc.parts"),
        restored_version: commit_info.get(RESTORED).and_then(Value::as_i64),
    })
}

/// Adds the transactions of a checkpoint whose application begins with `prefix`, without it; those that are already known
/// are newer and win.
pub(super) fn read_transactions(
    path: &Path,
    prefix: &str,
    found: &mut BTreeMap<String, i64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["txn.appId", "txn.version"]);
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let Some(transactions) = batch.column_by_name("txn").and_then(|column| column.as_struct_opt()) else {
            continue;
        };
        let field = |transactions: &StructArray, name: &str| transactions.column_by_name(name).cloned();
        let (Some(ids), Some(versions)) = (field(transactions, "appId"), field(transactions, "version")) else {
            continue;
        };
        let ids = deltalake::arrow::compute::cast(&ids, &deltalake::arrow::datatypes::DataType::Utf8)?;
        let (ids, versions) = (ids.as_string::<i32>(), versions.as_primitive::<Int64Type>());
        for row in (0..transactions.len()).filter(|row| transactions.is_valid(*row) && ids.is_valid(*row)) {
            if let Some(application) = ids.value(row).strip_prefix(prefix) {
                found.entry(application.to_owned()).or_insert(versions.value(row));
            }
        }
    }
    Ok(())
}

/// The columns that a checkpoint tells; a checkpoint has one metadata action.
fn read_checkpoint_columns(path: &Path) -> Result<Option<Stored>, Box<dyn std::error::Error>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let schema = builder.parquet_schema();
    let wanted = |path: &str| path == "metaData.schemaString" || path.starts_with("metaData.partitionColumns");
    let leaves = (0..schema.num_columns()).filter(|leaf| wanted(&schema.column(*leaf).path().string()));
    let mask = ProjectionMask::leaves(schema, leaves.collect::<Vec<_>>());
    let text = deltalake::arrow::datatypes::DataType::Utf8;
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let Some(metadata) = batch.column_by_name("metaData").and_then(|column| column.as_struct_opt()) else {
            continue;
        };
        let Some(schemas) = metadata.column_by_name("schemaString") else { continue };
        let schemas = deltalake::arrow::compute::cast(schemas, &text)?;
        let schemas = schemas.as_string::<i32>();
        let Some(row) = (0..schemas.len()).find(|row| metadata.is_valid(*row) && schemas.is_valid(*row)) else {
            continue;
        };
        let lists = metadata.column_by_name("partitionColumns").and_then(|column| column.as_list_opt::<i32>().cloned());
        let names = match lists.filter(|lists| lists.is_valid(row)) {
            Some(lists) => deltalake::arrow::compute::cast(&lists.value(row), &text)?,
            None => deltalake::arrow::array::new_empty_array(&text),
        };
        let partition_by = names.as_string::<i32>().iter().flatten().map(str::to_owned).collect();
        return Ok(columns::from_delta(schemas.value(row), partition_by));
    }
    Ok(None)
}
