//! Assertions about all rows together, over the staged files: aggregates and uniqueness.
//!
//! In: a stage's files before they are published. Out: an `Outcome` per assertion. Aggregates are queries; uniqueness
//! sieves the keys first and groups only those that may repeat, unless the plan proves it.

use std::sync::Arc;

use deltalake::arrow::array::{Array, AsArray, RecordBatch};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use deltalake::datafusion::common::{DataFusionError, Result, TableReference};
use deltalake::datafusion::functions_aggregate::expr_fn::{count, sum};
use deltalake::datafusion::logical_expr::{Expr, ident, lit};
use deltalake::datafusion::prelude::{DataFrame, SessionContext};
use serde_json::Value;

use crate::engines::local::assertions::{self, Counts, N_EXAMPLES, Outcome};
use crate::engines::local::operator::Planned;
use crate::engines::local::stage::{Stage, StagedFile};
use crate::engines::local::{sieve, table};
use crate::ir::{Assertion, Test};
use crate::sql::{expression, parse, session};

const NAME: &str = "medc_staged";

/// The staged files as a table of a fresh context.
pub(super) struct Staged<'a> {
    pub(super) context: &'a SessionContext,
    pub(super) n_rows: u64,
    pub(super) bound_bytes: usize,
}

/// Registers the files. Without any the table is empty.
pub(super) fn register<'a>(
    context: &'a SessionContext,
    stage: &Stage,
    files: &[StagedFile],
    bound_bytes: usize,
) -> Result<Staged<'a>> {
    let paths: Vec<_> = files.iter().map(|file| stage.folder().join(&file.path)).collect();
    let schema: SchemaRef = Arc::clone(stage.schema());
    let provider = if paths.is_empty() {
        let empty = deltalake::datafusion::datasource::MemTable::try_new(schema, vec![vec![]])?;
        Arc::new(empty)
    } else {
        table::parquet(&paths, &schema)?
    };
    let provider = table::lower_case(context, provider)?;
    context.register_table(TableReference::bare(NAME), provider)?;
    Ok(Staged { context, n_rows: files.iter().map(|file| file.n_rows).sum(), bound_bytes })
}

impl Staged<'_> {
    /// All staged rows.
    pub(super) async fn rows(&self) -> Result<DataFrame> {
        self.context.table(TableReference::bare(NAME)).await
    }

    /// The outcome of an assertion on all rows; `None` for a row test.
    pub(super) async fn check(&self, assertion: &Assertion, proven: bool) -> Result<Option<Outcome>> {
        match &assertion.test {
            Test::Row { .. } | Test::Holds(_) => Ok(None),
            Test::Aggregate { value, holds, .. } => self.aggregate(assertion, &value.text, &holds.text).await.map(Some),
            Test::Window { .. }
            | Test::Reference { .. }
            | Test::Query(_)
            | Test::Distribution(_)
            | Test::Columns(_) => Err(DataFusionError::NotImplemented(assertion.kind.to_owned())),
            Test::Unique { columns } if proven => {
                let _ = columns;
                let counts = Counts { n_rows: self.n_rows, n_considered: self.n_rows, n_violating: 0 };
                Ok(Some(assertions::outcome(assertion, counts, Vec::new())))
            }
            Test::Unique { columns } => self.unique(assertion, columns).await.map(Some),
        }
    }

    async fn aggregate(&self, assertion: &Assertion, value: &str, holds: &str) -> Result<Outcome> {
        let filter = assertion.filter.as_ref().map_or(String::new(), |filter| format!(" WHERE {}", filter.text));
        let rows = format!("SELECT {value} AS observed, COUNT(*) AS n_considered FROM {NAME}{filter}");
        let text = format!("SELECT observed, n_considered, {holds} AS holds FROM ({rows}) AS of_all");
        let query = parse::parse_query(&text).map_err(|error| DataFusionError::Plan(error.message))?;
        let plan = session::plan_query(&self.context.state(), &query).await?;
        let batches = self.context.execute_logical_plan(plan).await?.collect().await?;
        let row = batches.iter().find(|batch| batch.num_rows() > 0);
        let observed = row.map(|row| cast(row.column(0), &DataType::Float64)).transpose()?;
        let observed = observed
            .filter(|observed| observed.is_valid(0))
            .map(|observed| observed.as_primitive::<Float64Type>().value(0));
        let n_considered = row.map_or(0, |row| number(row, 1));
        let holds = row
            .is_some_and(|row| row.column(2).as_boolean_opt().is_some_and(|holds| holds.is_valid(0) && holds.value(0)));
        let counts = Counts { n_rows: n_considered, n_considered, n_violating: 0 };
        let mut outcome = assertions::outcome(assertion, counts, Vec::new());
        outcome.observed = observed.map(Value::from);
        outcome.success = holds;
        Ok(outcome)
    }

    /// Counts the rows beyond the first of each key.
    async fn unique(&self, assertion: &Assertion, columns: &[String]) -> Result<Outcome> {
        let columns: Vec<String> = columns.iter().map(|column| column.to_lowercase()).collect();
        let keys: Vec<Expr> = columns.iter().map(ident).collect();
        let considered = self.considered(assertion, &keys).await?;
        let n_considered = considered.clone().count().await? as u64;
        let plan = considered.clone().create_physical_plan().await?;
        let again = considered.create_physical_plan().await?;
        let suspects = sieve::suspects(plan, again, Some(self.n_rows), self.bound_bytes);
        let repeated = self
            .context
            .read_table(Arc::new(Planned(suspects)))?
            .aggregate(keys, vec![count(lit(1)).alias("n")])?
            .filter(ident("n").gt(lit(1)))?;
        let total = repeated.clone().aggregate(vec![], vec![sum(ident("n") - lit(1)).alias("n")])?;
        // The plan under `total` is read once; the examples need their own.
        let batches = total.collect().await?;
        let n_violating = batches.iter().find(|batch| batch.num_rows() > 0).map_or(0, |row| number(row, 0));
        let examples = if n_violating == 0 { Vec::new() } else { self.repeated(assertion, &columns).await? };
        let counts = Counts { n_rows: self.n_rows, n_considered, n_violating };
        Ok(assertions::outcome(assertion, counts, examples))
    }

    async fn considered(&self, assertion: &Assertion, keys: &[Expr]) -> Result<DataFrame> {
        let mut rows = self.context.table(TableReference::bare(NAME)).await?;
        if let Some(filter) = &assertion.filter {
            let filter = expression::plan_expression(&self.context.state(), &filter.text, rows.schema())?;
            rows = rows.filter(filter)?;
        }
        if let Some(given) = keys.iter().cloned().map(Expr::is_not_null).reduce(Expr::and) {
            rows = rows.filter(given)?;
        }
        rows.select(keys.to_vec())
    }

    async fn repeated(&self, assertion: &Assertion, columns: &[String]) -> Result<Vec<String>> {
        let keys: Vec<Expr> = columns.iter().map(ident).collect();
        let rows = self
            .considered(assertion, &keys)
            .await?
            .aggregate(keys, vec![count(lit(1)).alias("_n_rows")])?
            .filter(ident("_n_rows").gt(lit(1)))?
            .limit(0, Some(N_EXAMPLES))?;
        let mut examples = Vec::new();
        for batch in rows.collect().await? {
            for row in 0..batch.num_rows() {
                examples.push(assertions::example(&batch, row)?);
            }
        }
        Ok(examples)
    }
}

fn number(row: &RecordBatch, column: usize) -> u64 {
    let value = cast(row.column(column), &DataType::Int64).ok();
    value
        .filter(|value| value.is_valid(0))
        .map_or(0, |value| u64::try_from(value.as_primitive::<Int64Type>().value(0)).unwrap_or(0))
}
