//! How the local engine reads sources: delimited text, JSON lines, Parquet and Delta; files, folders and globs.
//!
//! In: an [`Ingest`]. Out: the files that it has now ([`list`]), their columns ([`header`]), and a plan that streams
//! their rows ([`scan`]): the contract's columns in the contract's order, then the metadata columns. Text formats give
//! text for every scalar and the engine casts; binary ones give the types that they have. Nothing is written, and a
//! file that is not what the contract or the listing says stops the scan with a diagnostic ([`diagnostic_of`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake::datafusion::catalog::Session;
use deltalake::datafusion::physical_plan::ExecutionPlan;

use crate::diagnostic::{Diagnostic, Site};
use crate::ir::{self, Ingest, Reader};
use crate::state::SourceFile;

mod blocks;
mod columns;
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::struct_field_names,
    reason = "a block is at most 64 MiB, far below 2^31 bytes"
)]
mod delimited;
mod delta;
mod execution;
mod json_lines;
mod list;
#[expect(clippy::inline_always, reason = "measured: these loops are what reading CSV costs")]
mod masks;
mod parquet;
mod read;
mod rejected;
mod text;

#[cfg(test)]
mod tests;

pub use execution::{Stopped, diagnostic_of};
pub use list::list;
pub use rejected::{Rejected, RejectedRow};

/// What reading comes to.
pub type Outcome<T> = Result<T, Box<Diagnostic>>;

/// What a scan needs besides its source.
pub struct ScanContext<'a> {
    pub project_dir: &'a Path,
    pub run_id: &'a str,
    /// Microseconds since 1970, UTC.
    pub started_at: i64,
    pub n_partitions: usize,
    /// Takes the rows with a wrong number of fields.
    pub rejected: Arc<Rejected>,
    /// The session that will run the plan.
    pub session: &'a dyn Session,
}

const NO_DATABASE: &str = "the graph of a local environment has no databases";

/// The names of a source's columns, from its first file. Without a header line they are `_c0`, `_c1`, …
///
/// # Errors
/// `run::source-unreadable`, `run::source-header`, `resolve::source-option`.
pub async fn header(ingest: &Ingest, files: &[SourceFile], project_dir: &Path) -> Outcome<Vec<String>> {
    let Some(first) = files.first() else { return Ok(Vec::new()) };
    let names = match &ingest.reader {
        Reader::Delimited(delimited) => text::header(delimited, first, project_dir),
        Reader::JsonLines => json_lines::header(first, project_dir),
        Reader::Parquet => parquet::header(first, project_dir),
        Reader::Delta => delta::header(first, project_dir).await,
        Reader::Database(_) => unreachable!("{NO_DATABASE}"),
    };
    names.map_err(|diagnostic| at(diagnostic, &ingest.location_site))
}

/// A plan that reads the rows of `files`, with the columns of the contract (all of the source's, without one).
///
/// Each execution reads anew. With `on_ragged_row: fail` the stream ends in `run::ragged-row` after all such rows are
/// known; otherwise they are in `context.rejected` when the streams have ended.
///
/// # Errors
/// `run::source-unreadable`, `run::source-header`, `resolve::source-option`; the streams' errors answer to
/// [`diagnostic_of`].
pub async fn scan(
    ingest: &Ingest,
    files: &[SourceFile],
    columns: Option<&ir::Schema>,
    context: &ScanContext<'_>,
) -> Outcome<Arc<dyn ExecutionPlan>> {
    plan(ingest, files, columns, context).await.map_err(|diagnostic| at(diagnostic, &ingest.location_site))
}

async fn plan(
    ingest: &Ingest,
    files: &[SourceFile],
    columns: Option<&ir::Schema>,
    context: &ScanContext<'_>,
) -> Outcome<Arc<dyn ExecutionPlan>> {
    let project_dir = context.project_dir;
    let wanted: Vec<String> = match columns {
        Some(schema) => schema.names().map(str::to_owned).collect(),
        None => header(ingest, files, project_dir).await?,
    };
    let by_contract = columns.is_some();
    let metadata = columns::Metadata {
        columns: ingest.metadata_columns.clone(),
        run_id: context.run_id.to_owned(),
        started_at: context.started_at,
    };
    let (format, fields) = match &ingest.reader {
        Reader::Delimited(delimited) => {
            let format = text::DelimitedText::open(delimited, files, &wanted, by_contract, project_dir)?;
            (execution::Format::Delimited(format), text_fields(&wanted))
        }
        Reader::JsonLines => {
            let format = json_lines::JsonLines::new(&wanted, by_contract);
            (execution::Format::JsonLines(format), text_fields(&wanted))
        }
        Reader::Parquet => {
            let format = parquet::Parquet::open(files, &wanted, by_contract, project_dir)?;
            let fields = format.fields(&wanted);
            (execution::Format::Parquet(format), fields)
        }
        Reader::Delta => {
            return delta::scan(files, &wanted, by_contract, &metadata, project_dir, context.session).await;
        }
        Reader::Database(_) => unreachable!("{NO_DATABASE}"),
    };
    let recipe = execution::Recipe {
        files: Arc::from(files),
        project_dir: project_dir.to_owned(),
        schema: schema(fields, &metadata),
        metadata,
        format,
        rejected: Arc::clone(&context.rejected),
        site: ingest.location_site.clone(),
    };
    Ok(Arc::new(execution::Scan::new(recipe, context.n_partitions)))
}

fn text_fields(names: &[String]) -> Vec<Field> {
    names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect()
}

fn schema(mut fields: Vec<Field>, metadata: &columns::Metadata) -> SchemaRef {
    fields.extend(metadata.fields());
    Arc::new(Schema::new(fields))
}

fn at(diagnostic: Box<Diagnostic>, site: &Site) -> Box<Diagnostic> {
    if diagnostic.labels.is_empty() { Box::new(diagnostic.at(site.clone(), "read from here")) } else { diagnostic }
}

/// Where a location or a shown path lies on this machine.
fn on_disk(shown: &str, project_dir: &Path) -> PathBuf {
    project_dir.join(shown.strip_prefix("file://").unwrap_or(shown))
}
