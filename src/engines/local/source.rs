//! An ingest's plan: the reader's scan, with the run's facts.
//!
//! In: an ingest and the files to read. Out: a table that DataFusion plans on. How bytes are read is `ingest`'s.

use std::sync::Arc;

use deltalake::datafusion::catalog::TableProvider;
use deltalake::datafusion::common::{DataFusionError, Result};
use deltalake::datafusion::prelude::SessionContext;

use crate::engines::local::RunSettings;
use crate::engines::local::failure::Carried;
use crate::engines::local::ingest::{self, Rejected, ScanContext};
use crate::engines::local::operator::Planned;
use crate::ir::{Ingest, MetadataColumn, Node, Schema};
use crate::state::SourceFile;

/// The rows of `files`. Ragged rows go to `rejected`.
pub(super) async fn scan(
    ingest: &Ingest,
    node: &Node,
    settings: &RunSettings,
    context: &SessionContext,
    files: &[SourceFile],
    rejected: &Arc<Rejected>,
) -> Result<Arc<dyn TableProvider>> {
    let columns = node.contract.as_ref().map(|contract| {
        let own = contract.schema().columns.into_iter().filter(|column| {
            !ingest.metadata_columns.iter().any(|metadata| MetadataColumn::name(*metadata) == column.name)
        });
        Schema { columns: own.collect() }
    });
    let state = context.state();
    let scan_context = ScanContext {
        project_dir: &settings.project_dir,
        run_id: &settings.run_id,
        started_at: settings.started_at,
        n_partitions: settings.n_threads,
        rejected: Arc::clone(rejected),
        session: &state,
    };
    let plan = ingest::scan(ingest, files, columns.as_ref(), &scan_context)
        .await
        .map_err(|diagnostic| DataFusionError::External(Box::new(Carried(*diagnostic))))?;
    Ok(Arc::new(Planned(plan)))
}
