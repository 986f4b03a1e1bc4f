//! Which version of which dataset is in which environment since when, as `ml_registry` remembers it.
//!
//! In: a warehouse. Out: [`Registered`] rows, oldest first. A registry of another writer may lack columns; what they would say
//! is missing then. Writes nothing.

use deltalake::datafusion::common::{DataFusionError, Result as DataFusionResult};

use super::{Fields, ledger};
use crate::diagnostic::{Diagnostic, code};
use crate::state::Warehouse;

/// A row of `ml_registry.model_versions`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Registered {
    pub model: String,
    pub version: u64,
    pub table: Option<String>,
    pub definition: Option<String>,
    pub environment: Option<String>,
    pub git_sha: Option<String>,
    pub run_id: Option<String>,
    /// Microseconds since 1970, UTC.
    pub registered_at: Option<i64>,
}

/// Reads the registry; nothing where there is none yet.
///
/// # Errors
/// `run::table-broken` when it cannot be read.
pub async fn read(warehouse: &Warehouse) -> Result<Vec<Registered>, Diagnostic> {
    rows(warehouse).await.map_err(|error: DataFusionError| {
        Diagnostic::error(code::TABLE_BROKEN, "the registry of models cannot be read")
            .note(error.strip_backtrace())
            .help("`ml_registry.model_versions` keeps it; remove its folder if it is damaged")
    })
}

async fn rows(warehouse: &Warehouse) -> DataFusionResult<Vec<Registered>> {
    let Some(frame) = ledger(warehouse, "ml_registry", "model_versions").await? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for batch in frame.collect().await? {
        let fields = Fields::of(&batch);
        found.extend((0..batch.num_rows()).map(|row| Registered {
            model: fields.text("model_name", row).unwrap_or_default(),
            version: fields.count("version", row),
            table: fields.text("table_name", row),
            definition: fields.text("definition", row),
            environment: fields.text("environment", row),
            git_sha: fields.text("git_sha", row),
            run_id: fields.text("run_id", row),
            registered_at: fields.time("registered_at", row),
        }));
    }
    found.sort_by_key(|row| row.registered_at);
    Ok(found)
}
