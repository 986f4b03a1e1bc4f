//! A stored table whose columns are no longer the declared ones, brought to them without losing a row.
//!
//! In: the table as it is, and the columns that its new rows have. Out: the columns that the table will have, and, where
//! its files cannot stay, their rows in these columns. The table itself is asked, not the plan, which may be older. Refused
//! before anything is published: what the table's rule forbids, a NULL where there may be none, a stored value that cannot
//! be cast; each with how many rows it concerns.

use std::sync::{Arc, PoisonError};

use deltalake::DeltaTable;
use deltalake::arrow::array::Array;
use deltalake::datafusion::catalog::TableProvider;
use deltalake::datafusion::common::{DataFusionError, Result as DataFusionResult, ScalarValue};
use deltalake::datafusion::logical_expr::{Expr, ident};
use deltalake::datafusion::physical_plan::ExecutionPlanProperties;
use deltalake::datafusion::prelude::{DataFrame, SessionContext};
use futures::StreamExt;

use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::contract::{Casting, Casts, Rule, cast_rows, type_name};
use crate::engines::local::failure;
use crate::engines::local::operator::Planned;
use crate::engines::local::stage::{Stage, StagedFile, Writer};
use crate::engines::local::table::{self, Publication};
use crate::ir::{Node, Schema};
use crate::name;
use crate::plan::{Action, Change, ColumnChange, differences, refusal, rewrites};
use crate::sql::types;
use crate::state::{Stored, from_delta};

/// What becomes of a table's columns.
pub(super) struct Evolution {
    /// The columns that it will have.
    pub(super) schema: Schema,
    /// Whether the rows that are there have to be written anew.
    pub(super) rewrites: bool,
    /// Columns in which stored rows may have NULL and must not.
    filled: Vec<String>,
}

/// Compares the table with the columns of the rows that come.
///
/// # Errors
/// `run::schema-evolution` when the table's rule forbids the difference.
pub(super) fn prepare(
    node: &Node,
    action: &Action,
    existing: Option<&DeltaTable>,
    declared: &Schema,
) -> Result<Evolution, Vec<Diagnostic>> {
    let mut evolution = Evolution { schema: declared.clone(), rewrites: false, filled: Vec::new() };
    let keeps_rows = matches!(action.change, Change::Append { .. } | Change::Merge);
    let stored = existing.filter(|_| keeps_rows).and_then(stored);
    let Some(stored) = stored else {
        return refusal(node, action).map_or(Ok(evolution), |refused| Err(vec![refused]));
    };
    let columns = differences(node, &stored, declared);
    if let Some(refused) = refusal(node, &Action { columns: columns.clone(), ..action.clone() }) {
        return Err(vec![refused]);
    }
    evolution.rewrites = rewrites(&columns);
    for column in &mut evolution.schema.columns {
        match stored.schema.column(&column.name) {
            Some(known) => {
                // A name's case is no difference, and files that stay have the old one.
                column.name.clone_from(&known.name);
                column.nullable |= known.nullable && node.contract.is_none();
            }
            None => column.nullable |= node.contract.is_none(),
        }
    }
    evolution.filled = columns
        .into_iter()
        .filter_map(|change| match change {
            ColumnChange::Nullability { column, nullable: false } => Some(column),
            // A cast never makes a NULL of a value, but one may be there.
            ColumnChange::Retyped { column, .. } => {
                declared.column(&column).is_some_and(|column| !column.nullable).then_some(column)
            }
            ColumnChange::Nullability { nullable: true, .. }
            | ColumnChange::Added { .. }
            | ColumnChange::Dropped { .. }
            | ColumnChange::Partitioning { .. } => None,
        })
        .collect();
    Ok(evolution)
}

fn stored(existing: &DeltaTable) -> Option<Stored> {
    let metadata = existing.snapshot().ok()?.metadata().clone();
    let schema = serde_json::to_value(&metadata).ok()?;
    from_delta(schema["schemaString"].as_str()?, metadata.partition_columns().to_vec())
}

impl Evolution {
    /// Makes sure that no stored row has a NULL where there may be none any more.
    ///
    /// # Errors
    /// `run::schema-evolution` with the number of rows.
    pub(super) async fn check_nulls(
        &self,
        node: &Node,
        existing: Option<&DeltaTable>,
        context: &SessionContext,
        stage: &Stage,
    ) -> Result<(), Vec<Diagnostic>> {
        let Some(existing) = existing.filter(|_| !self.filled.is_empty()) else { return Ok(()) };
        let counts = self.count_nulls(existing, context, stage).await;
        let counts = counts.map_err(|error| vec![failure::execution(node, "looking at its stored rows", &error)])?;
        let found = self.filled.iter().zip(counts).filter(|(_, n)| *n > 0);
        let found: Vec<Diagnostic> = found
            .map(|(column, n)| {
                let message =
                    format!("`{}` has {n} rows without `{column}`, which may not be NULL any more", node.name);
                Diagnostic::error(code::SCHEMA_EVOLUTION, message)
                    .at(column_site(node, column), "the table keeps its columns and rows")
                    .note("the rows that are there stay when columns change")
                    .help(format!(
                        "say `nullable: true`, or build it anew: `medc apply --full-refresh --select {}`",
                        node.name
                    ))
            })
            .collect();
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    async fn count_nulls(
        &self,
        existing: &DeltaTable,
        context: &SessionContext,
        stage: &Stage,
    ) -> DataFusionResult<Vec<usize>> {
        let provider = table::readable(context, stage.folder(), existing).await?.provider;
        let columns: Vec<Expr> = self.filled.iter().map(|column| ident(column.to_lowercase())).collect();
        let mut batches = context.read_table(provider)?.select(columns)?.execute_stream().await?;
        let mut counts = vec![0; self.filled.len()];
        while let Some(batch) = batches.next().await {
            for (count, column) in counts.iter_mut().zip(batch?.columns()) {
                *count += column.null_count();
            }
        }
        Ok(counts)
    }

    /// Stages the rows that are there in the new columns, behind `files`.
    ///
    /// # Errors
    /// `run::schema-evolution` for values that cannot be cast, with the number of rows.
    pub(super) async fn rewrite(
        &self,
        node: &Node,
        existing: &DeltaTable,
        context: &SessionContext,
        stage: &Arc<Stage>,
        files: &mut Vec<StagedFile>,
    ) -> Result<Publication, Vec<Diagnostic>> {
        let casts = Arc::new(Casts::default());
        let staged = async {
            let provider = table::readable(context, stage.folder(), existing).await?.provider;
            let frame = rows_in(context, provider, &self.schema, node, &casts).await?;
            let task = Arc::new(frame.task_ctx());
            let plan = frame.create_physical_plan().await?;
            let mut staged = Vec::new();
            for partition in 0..plan.output_partitioning().partition_count() {
                let mut batches = plan.execute(partition, Arc::clone(&task))?;
                let mut writer = Writer::new(stage);
                while let Some(batch) = batches.next().await {
                    writer.write(&batch?)?;
                }
                staged.extend(writer.close()?);
            }
            Ok::<_, DataFusionError>(staged)
        };
        let staged = staged.await.map_err(|error| vec![failure::execution(node, "rewriting its rows", &error)])?;
        check_casts(node, &casts)?;
        files.extend(staged);
        Ok(Publication::Overwrite)
    }
}

/// Stored rows in the declared columns: cast, NULL in a column that is new. What cannot be cast is recorded.
///
/// # Errors
/// When no cast between two types exists.
pub(super) async fn rows_in(
    context: &SessionContext,
    stored: Arc<dyn TableProvider>,
    schema: &Schema,
    node: &Node,
    casts: &Arc<Casts>,
) -> DataFusionResult<DataFrame> {
    let frame = context.read_table(table::lower_case(context, stored)?)?;
    let columns = schema.columns.iter().map(|column| {
        let name = column.name.to_lowercase();
        if frame.schema().has_column_with_unqualified_name(&name) {
            return Ok(ident(name));
        }
        let null = ScalarValue::try_from(&types::to_arrow(&column.data_type))?;
        Ok(Expr::Literal(null, None).alias(name))
    });
    let columns = columns.collect::<DataFusionResult<Vec<_>>>()?;
    let frame = frame.select(columns)?;
    let wanted = schema.columns.iter().enumerate().map(|(place, column)| (place, types::to_arrow(&column.data_type)));
    let wanted: Vec<_> = wanted
        .zip(frame.schema().fields())
        .filter(|((_, to), field)| to != field.data_type())
        .map(|(to, _)| to)
        .collect();
    if wanted.is_empty() {
        return Ok(frame);
    }
    let rule = Rule::keeping(node.contract.as_deref());
    let plan = frame.create_physical_plan().await?;
    context.read_table(Arc::new(Planned(cast_rows(plan, &wanted, rule, Casting::Recorded(Arc::clone(casts))))))
}

/// Refuses stored values that could not be cast.
///
/// # Errors
/// `run::schema-evolution`.
pub(super) fn check_casts(node: &Node, casts: &Casts) -> Result<(), Vec<Diagnostic>> {
    let found = casts.found.lock().unwrap_or_else(PoisonError::into_inner);
    if found.n_violating == 0 {
        return Ok(());
    }
    let columns = found.columns.iter().map(|(name, (to, n))| format!("`{name}` to `{}` ({n})", type_name(to)));
    let columns: Vec<String> = columns.collect();
    let example = found.examples.first().map_or(String::new(), |example| format!(", e.g. {example}"));
    let first = found.columns.keys().next().map_or("", String::as_str);
    Err(vec![
        Diagnostic::error(
            code::SCHEMA_EVOLUTION,
            format!("{} stored rows of `{}` do not fit its new columns", found.n_violating, node.name),
        )
        .at(column_site(node, first), "the table keeps its columns and rows")
        .note(format!("values that cannot be cast: {}{example}", columns.join(", ")))
        .help(format!("keep the column's type, or build it anew: `medc apply --full-refresh --select {}`", node.name)),
    ])
}

fn column_site(node: &Node, column: &str) -> crate::diagnostic::Site {
    let promised = node
        .contract
        .as_ref()
        .and_then(|contract| contract.columns.iter().find(|promised| name::same(&promised.column.name, column)));
    promised.map_or_else(|| node.site.clone().key(), |promised| promised.site.clone().key())
}
