//! `format: parquet`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ir::{Ingestion, Reader};
use crate::kind::Problem;

/// Parquet files. Columns are found by name and keep their types until the contract casts them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parquet {
    /// A file, a folder (all its `.parquet` files) or a glob, relative to the project's folder.
    pub path: String,
    /// How Databricks reads the files: `auto_loader` and `copy_into` each file once, for tables that are appended to;
    /// `read_files` all of them, for tables that are overwritten. Default: `auto_loader` for `append`, Spark's reader
    /// otherwise. The local engine reads both as it always does.
    pub ingestion: Option<Ingestion>,
}

impl Parquet {
    /// # Errors
    /// None today.
    pub fn lower(&self) -> Result<Reader, Problem> {
        Ok(Reader::Parquet)
    }
}
