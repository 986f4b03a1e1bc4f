//! Delta tables of the warehouse: opening, reading as a DataFusion table, and publishing by one commit.
//!
//! In: a table's folder and staged files. Out: providers and versions. A table is read with its columns in lower case, which
//! is how Databricks compares names. Plain files are read by DataFusion's own Parquet scan, which prunes and splits best;
//! tables with partitions, deletion vectors or mapped columns by `deltalake`'s. It decides nothing about rows.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use deltalake::arrow::datatypes::Schema as ArrowSchema;
use deltalake::datafusion::catalog::TableProvider;
use deltalake::datafusion::common::{DataFusionError, Result as DataFusionResult};
use deltalake::datafusion::datasource::file_format::parquet::ParquetFormat;
use deltalake::datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use deltalake::datafusion::logical_expr::ident;
use deltalake::datafusion::prelude::SessionContext;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Metadata, Protocol, Remove, StructType, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::table::state::DeltaTableState;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use serde_json::{Value, json};
use url::Url;

use crate::engines::local::damage;
use crate::engines::local::failure::Carried;
use crate::engines::local::stage::StagedFile;
use crate::ir::{Contract, DataType, Schema};

/// The table in a folder; `None` when there is none.
pub(super) async fn open(folder: &Path) -> Result<Option<DeltaTable>, DeltaTableError> {
    if !has_commits(&folder.join("_delta_log")) {
        return Ok(None);
    }
    deltalake::open_table(url_of(folder)?).await.map(Some)
}

/// A run that was killed in its first commit leaves a log without any.
fn has_commits(log: &Path) -> bool {
    let is_of_version = |name: &str| {
        let (version, ending) = name.split_once('.').unwrap_or_default();
        let is_commit = ending == "json" || (ending.starts_with("checkpoint.") && ending.ends_with("parquet"));
        is_commit && version.len() == 20 && version.bytes().all(|byte| byte.is_ascii_digit())
    };
    let entries = std::fs::read_dir(log).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_str().is_some_and(is_of_version))
}

fn url_of(folder: &Path) -> Result<Url, DeltaTableError> {
    Url::from_directory_path(folder)
        .map_err(|()| DeltaTableError::Generic(format!("`{}` is no absolute path", folder.display())))
}

/// A table's rows for a query: the provider and the number of rows, where the log knows it.
pub(super) struct Readable {
    pub(super) provider: Arc<dyn TableProvider>,
    pub(super) version: i64,
    pub(super) n_rows: Option<u64>,
}

/// Makes a table readable, its columns in lower case.
pub(super) async fn readable(
    context: &SessionContext,
    folder: &Path,
    table: &DeltaTable,
) -> DataFusionResult<Readable> {
    let state = table.snapshot().map_err(external)?;
    damage::check_files(folder, table).map_err(|broken| DataFusionError::External(Box::new(Carried(*broken))))?;
    let files = state.log_data();
    let mut n_rows = Some(0);
    let mut plain = state.metadata().partition_columns().is_empty()
        && !state.metadata().configuration().contains_key("delta.columnMapping.mode");
    let mut paths = Vec::new();
    for file in files.iter() {
        n_rows = n_rows.zip(file.num_records()).map(|(sum, n)| sum + n as u64);
        plain &= file.deletion_vector_descriptor().is_none() && !file.path().contains("://");
        paths.push(folder.join(file.path().as_ref()));
    }
    let schema = state.snapshot().arrow_schema();
    let provider: Arc<dyn TableProvider> = if plain && !paths.is_empty() {
        parquet(&paths, &schema)?
    } else {
        table.table_provider().build().await.map(Arc::new)?
    };
    let version = i64::try_from(state.version()).unwrap_or(i64::MAX);
    Ok(Readable { provider: lower_case(context, provider)?, version, n_rows })
}

/// Parquet files of one schema as a table.
pub(super) fn parquet(paths: &[std::path::PathBuf], schema: &ArrowSchema) -> DataFusionResult<Arc<dyn TableProvider>> {
    let urls: DataFusionResult<Vec<ListingTableUrl>> = paths
        .iter()
        .map(|path| {
            let url = Url::from_file_path(path)
                .map_err(|()| DataFusionError::Execution(format!("`{}` is no absolute path", path.display())))?;
            ListingTableUrl::try_new(url, None)
        })
        .collect();
    let options = ListingOptions::new(Arc::new(ParquetFormat::new())).with_file_extension("");
    let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let config = ListingTableConfig::new_with_multi_paths(urls?)
        .with_listing_options(options)
        .with_schema(Arc::new(ArrowSchema::new(fields)));
    Ok(Arc::new(ListingTable::try_new(config)?))
}

/// The table with its columns' names in lower case.
pub(super) fn lower_case(
    context: &SessionContext,
    provider: Arc<dyn TableProvider>,
) -> DataFusionResult<Arc<dyn TableProvider>> {
    let schema = provider.schema();
    if schema.fields().iter().all(|field| field.name().to_lowercase() == *field.name()) {
        return Ok(provider);
    }
    let renamed = schema.fields().iter().map(|field| ident(field.name()).alias(field.name().to_lowercase()));
    let renamed: Vec<_> = renamed.collect();
    Ok(context.read_table(provider)?.select(renamed)?.into_view())
}

fn external(error: DeltaTableError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// How published files relate to those that are there.
#[derive(Debug, Clone)]
pub(super) enum Publication {
    /// They replace all.
    Overwrite,
    /// They are added.
    Append,
    /// They replace these.
    Replace(Vec<Remove>),
}

/// What a commit says besides its files.
#[derive(Debug, Clone)]
pub(super) struct Publishing<'a> {
    pub(super) schema: &'a Schema,
    pub(super) contract: Option<&'a Contract>,
    pub(super) description: Option<&'a str>,
    pub(super) partition_by: &'a [String],
    pub(super) commit_info: BTreeMap<String, Value>,
    pub(super) transactions: Vec<(String, i64)>,
}

/// Publishes staged files by one commit; returns the new version.
pub(super) async fn publish(
    table: Option<&DeltaTable>,
    folder: &Path,
    files: &[StagedFile],
    publication: Publication,
    publishing: Publishing<'_>,
) -> Result<i64, DeltaTableError> {
    let mut actions = Vec::new();
    let structure = structure(publishing.schema, publishing.contract);
    let log_store = match table {
        Some(table) => table.log_store(),
        None => DeltaTableBuilder::from_url(url_of(folder)?)?.build_storage()?,
    };
    let state = table.map(|table| table.snapshot()).transpose()?;
    let parsed: StructType = serde_json::from_value(structure.clone())?;
    let protocol: Protocol = match state {
        Some(state) => state.protocol().clone(),
        None => serde_json::from_value(json!({"minReaderVersion": 1, "minWriterVersion": 2}))?,
    };
    let protocol = needed_protocol(protocol, &parsed)?;
    if state.is_none_or(|state| *state.protocol() != protocol) {
        actions.push(Action::Protocol(protocol));
    }
    if let Some(metadata) = metadata(state.map(DeltaTableState::metadata), &structure, &publishing)? {
        actions.push(Action::Metadata(metadata));
    }
    let (mode, removes) = match publication {
        Publication::Overwrite => {
            let removes = state.map(|state| state.log_data().iter().map(|file| file.remove_action(true)).collect());
            (SaveMode::Overwrite, removes.unwrap_or_default())
        }
        Publication::Append => (SaveMode::Append, Vec::new()),
        Publication::Replace(removes) => (SaveMode::Overwrite, removes),
    };
    actions.extend(removes.into_iter().map(Action::Remove));
    actions.extend(files.iter().map(|file| Action::Add(file.add())));
    let transactions = publishing.transactions.iter().map(|(id, version)| Transaction::new(id, *version));
    let partition_by = (!publishing.partition_by.is_empty()).then(|| publishing.partition_by.to_vec());
    let properties = CommitProperties::default()
        .with_metadata(publishing.commit_info)
        .with_application_transactions(transactions.collect());
    let committed = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(
            state.map(|state| state as &dyn TableReference),
            log_store,
            DeltaOperation::Write { mode, partition_by, predicate: None },
        )
        .await?;
    Ok(i64::try_from(committed.version()).unwrap_or(i64::MAX))
}

/// Adds the reader and writer feature that `timestamp_ntz` needs.
fn needed_protocol(protocol: Protocol, structure: &StructType) -> Result<Protocol, DeltaTableError> {
    let wants_ntz = serde_json::to_string(structure)?.contains("\"timestamp_ntz\"");
    let mut value = serde_json::to_value(&protocol)?;
    let has_ntz = value["readerFeatures"].as_array().is_some_and(|features| features.contains(&json!("timestampNtz")));
    if !wants_ntz || has_ntz {
        return Ok(protocol);
    }
    let mut writer_features = value["writerFeatures"].as_array().cloned().unwrap_or_default();
    if value["minWriterVersion"] != 7 {
        writer_features.extend([json!("appendOnly"), json!("invariants")]);
    }
    writer_features.push(json!("timestampNtz"));
    let mut reader_features = value["readerFeatures"].as_array().cloned().unwrap_or_default();
    reader_features.push(json!("timestampNtz"));
    value["minReaderVersion"] = json!(3);
    value["minWriterVersion"] = json!(7);
    value["readerFeatures"] = Value::Array(reader_features);
    value["writerFeatures"] = Value::Array(writer_features);
    Ok(serde_json::from_value(value)?)
}

/// The table's metadata, if it is new or changes.
fn metadata(
    old: Option<&Metadata>,
    structure: &Value,
    publishing: &Publishing<'_>,
) -> Result<Option<Metadata>, DeltaTableError> {
    let before = old.map(serde_json::to_value).transpose()?;
    let mut value = before.clone().unwrap_or_else(|| {
        json!({
            "id": uuid::Uuid::now_v7().to_string(),
            "name": null,
            "format": {"provider": "parquet", "options": {}},
            "configuration": HashMap::<String, String>::new(),
            "createdTime": std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
        })
    });
    let same_schema = value["schemaString"]
        .as_str()
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
        .is_some_and(|old| old == *structure);
    if !same_schema {
        value["schemaString"] = json!(structure.to_string());
    }
    let names = |name: &String| publishing.schema.column(name).map_or(name.clone(), |column| column.name.clone());
    value["partitionColumns"] = json!(publishing.partition_by.iter().map(names).collect::<Vec<_>>());
    value["description"] = json!(publishing.description);
    let new: Metadata = serde_json::from_value(value)?;
    Ok((old != Some(&new)).then_some(new))
}

/// The schema as Delta writes it, with the columns' descriptions as comments.
fn structure(schema: &Schema, contract: Option<&Contract>) -> Value {
    let fields = schema.columns.iter().map(|column| {
        let promised = contract.and_then(|contract| {
            contract.columns.iter().find(|promised| crate::name::same(&promised.column.name, &column.name))
        });
        let comment = promised.and_then(|promised| promised.description.as_deref());
        json!({
            "name": column.name,
            "type": type_of(&column.data_type),
            "nullable": column.nullable,
            "metadata": comment.map_or(json!({}), |comment| json!({"comment": comment})),
        })
    });
    json!({"type": "struct", "fields": fields.collect::<Vec<_>>()})
}

fn type_of(data_type: &DataType) -> Value {
    match data_type {
        DataType::Tinyint => json!("byte"),
        DataType::Smallint => json!("short"),
        DataType::Int => json!("integer"),
        DataType::Bigint => json!("long"),
        DataType::Boolean
        | DataType::Float
        | DataType::Double
        | DataType::Decimal { .. }
        | DataType::String
        | DataType::Binary
        | DataType::Date
        | DataType::Timestamp
        | DataType::TimestampNtz => json!(data_type.to_string()),
        DataType::Array(element) => json!({"type": "array", "elementType": type_of(element), "containsNull": true}),
        DataType::Map(key, value) => json!({
            "type": "map", "keyType": type_of(key), "valueType": type_of(value), "valueContainsNull": true
        }),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                json!({"name": field.name, "type": type_of(&field.data_type), "nullable": true, "metadata": {}})
            });
            json!({"type": "struct", "fields": fields.collect::<Vec<_>>()})
        }
    }
}
