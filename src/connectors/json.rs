//! `format: json`: JSON lines, one object a line.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ir::{Ingestion, Reader};
use crate::kind::Problem;

/// Files of one JSON object a line. Fields are found by name; one that is absent is NULL.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Json {
    /// A file, a folder (all its `.json`, `.jsonl` and `.ndjson` files) or a glob, relative to the project's folder.
    pub path: String,
    /// How Databricks reads the files: `auto_loader` and `copy_into` each file once, for tables that are appended to;
    /// `read_files` all of them, for tables that are overwritten. Default: `auto_loader` for `append`, Spark's reader
    /// otherwise. The local engine reads both as it always does.
    pub ingestion: Option<Ingestion>,
}

impl Json {
    /// # Errors
    /// None today.
    pub fn lower(&self) -> Result<Reader, Problem> {
        Ok(Reader::JsonLines)
    }
}
