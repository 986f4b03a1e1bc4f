//! `format: json`: JSON lines, one object a line.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ir::Reader;
use crate::kind::Problem;

/// Files of one JSON object a line. Fields are found by name; one that is absent is NULL.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Json {
    /// A file, a folder (all its `.json`, `.jsonl` and `.ndjson` files) or a glob, relative to the project's folder.
    pub path: String,
}

impl Json {
    /// # Errors
    /// None today.
    pub fn lower(&self) -> Result<Reader, Problem> {
        Ok(Reader::JsonLines)
    }
}
