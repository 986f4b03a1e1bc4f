//! Connectors: where rows come from outside the project. One file each; a connector lowers into an `ir::Reader`.
//!
//! The set is open: a new connector is a file here and a variant of [`Source`]; engines see only `ir::Ingest`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ir::Reader;
use crate::kind::Problem;

pub mod csv;
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
}

impl Source {
    /// The location as written.
    pub fn path(&self) -> &str {
        match self {
            Source::Csv(csv) => &csv.path,
            Source::Json(json) => &json.path,
            Source::Parquet(parquet) => &parquet.path,
            Source::Delta(delta) => &delta.path,
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
        }
    }
}
