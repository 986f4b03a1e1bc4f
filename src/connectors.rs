//! Connectors: where rows come from outside the project. One file each; a connector lowers into an `ir::Reader`.
//!
//! The set is open: a new connector is a file here and a variant of [`Source`]; engines see only `ir::Ingest`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ir::{DatabaseSystem, Ingestion, Reader};
use crate::kind::Problem;

pub mod csv;
pub mod database;
pub mod delta;
pub mod json;
pub mod parquet;

/// Where a table's rows are read from, told by `format`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "format", rename_all = "snake_case")]
pub enum Source {
    /// Delimited text: one row a line, fields as text.
    Csv(csv::Csv),
    /// JSON lines: one object a line.
    Json(json::Json),
    /// Parquet files.
    Parquet(parquet::Parquet),
    /// A Delta table.
    Delta(delta::Delta),
    /// A table or a query of a PostgreSQL database.
    Postgresql(database::Database),
    /// A table or a query of a Microsoft SQL Server database.
    Sqlserver(database::Database),
    /// A table or a query of a MySQL or MariaDB database.
    Mysql(database::Database),
}

impl Source {
    /// The location as written; of a database where it is, without credentials.
    pub fn location(&self) -> Cow<'_, str> {
        match self {
            Source::Csv(csv) => Cow::Borrowed(&csv.path),
            Source::Json(json) => Cow::Borrowed(&json.path),
            Source::Parquet(parquet) => Cow::Borrowed(&parquet.path),
            Source::Delta(delta) => Cow::Borrowed(&delta.path),
            Source::Postgresql(database) => Cow::Owned(database.location(DatabaseSystem::Postgresql)),
            Source::Sqlserver(database) => Cow::Owned(database.location(DatabaseSystem::Sqlserver)),
            Source::Mysql(database) => Cow::Owned(database.location(DatabaseSystem::Mysql)),
        }
    }

    /// How Databricks reads the files, where the source says so.
    pub fn ingestion(&self) -> Option<Ingestion> {
        match self {
            Source::Csv(csv) => csv.ingestion,
            Source::Json(json) => json.ingestion,
            Source::Parquet(parquet) => parquet.ingestion,
            Source::Delta(_) | Source::Postgresql(_) | Source::Sqlserver(_) | Source::Mysql(_) => None,
        }
    }

    /// The core form of the connector.
    ///
    /// # Errors
    /// `resolve::source-option` for options that contradict each other or cannot be honoured.
    pub fn lower(&self) -> Result<Reader, Problem> {
        match self {
            Source::Csv(csv) => csv.lower(),
            Source::Json(json) => json.lower(),
            Source::Parquet(parquet) => parquet.lower(),
            Source::Delta(delta) => delta.lower(),
            Source::Postgresql(database) => database.lower(DatabaseSystem::Postgresql),
            Source::Sqlserver(database) => database.lower(DatabaseSystem::Sqlserver),
            Source::Mysql(database) => database.lower(DatabaseSystem::Mysql),
        }
    }
}
