//! `format: parquet`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ir::Reader;
use crate::kind::Problem;

/// Parquet files. Columns are found by name and keep their types until the contract casts them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parquet {
    /// A file, a folder (all its `.parquet` files) or a glob, relative to the project's folder.
    pub path: String,
}

impl Parquet {
    /// # Errors
    /// None today.
    pub fn lower(&self) -> Result<Reader, Problem> {
        Ok(Reader::Parquet)
    }
}
