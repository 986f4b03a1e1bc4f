//! Delta tables as sources.
//!
//! In: a table's folder, listed with its version. Out: a plan that reads that version, in the contract's order with the
//! table's types. `_source_file` is the table's folder, and `_source_line` is NULL.
//!
//! The version is the one that was listed, not the newest at the time of reading, so that the state that a run records
//! is what it read. Nothing is written to the table.

use std::path::Path;
use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::arrow::datatypes::Schema;
use deltalake::datafusion::catalog::Session;
use deltalake::datafusion::common::ScalarValue;
use deltalake::datafusion::physical_expr::PhysicalExpr;
use deltalake::datafusion::physical_expr::expressions::{Column, lit};
use deltalake::datafusion::physical_plan::ExecutionPlan;
use deltalake::datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};

use super::columns::{Metadata, positions};
use super::{Outcome, on_disk, read};
use crate::diagnostic::Diagnostic;
use crate::state::SourceFile;

/// The names of a table's columns.
pub(super) async fn header(file: &SourceFile, project_dir: &Path) -> Outcome<Vec<String>> {
    let table = open(file, project_dir).await?;
    let provider = table.table_provider().await.map_err(|error| broken(&file.path, &error))?;
    Ok(names(&provider.schema()))
}

/// A plan that reads the table.
pub(super) async fn scan(
    files: &[SourceFile],
    wanted: &[String],
    by_contract: bool,
    metadata: &Metadata,
    project_dir: &Path,
    session: &dyn Session,
) -> Outcome<Arc<dyn ExecutionPlan>> {
    let [file] = files else {
        return Err(Box::new(read::unreadable("a Delta source is one table")));
    };
    let table = open(file, project_dir).await?;
    table.update_datafusion_session(session).map_err(|error| broken(&file.path, &error))?;
    let provider = table.table_provider().await.map_err(|error| broken(&file.path, &error))?;
    let input = provider.scan(session, None, &[], None).await.map_err(|error| broken(&file.path, &error))?;
    let found = names(&input.schema());
    let positions = positions(&file.path, &found, wanted, by_contract)?;
    let mut expressions: Vec<ProjectionExpr> = wanted
        .iter()
        .zip(positions)
        .map(|(name, position)| ProjectionExpr {
            expr: Arc::new(Column::new(&found[position], position)) as Arc<dyn PhysicalExpr>,
            alias: name.clone(),
        })
        .collect();
    for (field, value) in metadata.fields().zip(metadata.arrays(&file.path, None, 1)) {
        let value = ScalarValue::try_from_array(&value, 0).map_err(|error| broken(&file.path, &error))?;
        expressions.push(ProjectionExpr { expr: lit(value), alias: field.name().clone() });
    }
    let projection = ProjectionExec::try_new(expressions, input).map_err(|error| broken(&file.path, &error))?;
    Ok(Arc::new(projection))
}

fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

async fn open(file: &SourceFile, project_dir: &Path) -> Outcome<DeltaTable> {
    let path = on_disk(&file.path, project_dir);
    let path = std::path::absolute(&path).map_err(|error| broken(&file.path, &error))?;
    let url = url::Url::from_directory_path(&path)
        .map_err(|()| Box::new(read::unreadable(format!("`{}` is no path of a folder", file.path))))?;
    let version = u64::try_from(file.stamp).unwrap_or_default();
    deltalake::open_table_with_version(url, version).await.map_err(|error| broken(&file.path, &error))
}

fn broken(shown: &str, error: &dyn std::error::Error) -> Box<Diagnostic> {
    Box::new(read::unreadable(format!("`{shown}` cannot be read as a Delta table")).note(error.to_string()))
}
