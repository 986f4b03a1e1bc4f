//! `format: delta`: a Delta table that another project or tool writes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ir::Reader;
use crate::kind::Problem;

/// A Delta table, read at its newest version.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    /// The table's folder, relative to the project's folder.
    pub path: String,
}

impl Delta {
    /// # Errors
    /// None today.
    pub fn lower(&self) -> Result<Reader, Problem> {
        Ok(Reader::Delta)
    }
}
