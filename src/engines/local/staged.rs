//! Assertions about several rows together, over the staged files.
//!
//! In: a stage's files before they are published, and the tables of the project registered in the context. Out: an
//! `Outcome` per assertion. Ungrouped aggregates share one query ([`aggregates`]); uniqueness that the streaming rows left
//! open ([`suspects`]) sieves the keys first and groups only those that may repeat; a reference is an anti-join; distributions
//! are numbers of `statistics`. What violates is first only counted: whole rows are read when there is something to show.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use deltalake::arrow::array::{Array, AsArray, RecordBatch};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use deltalake::datafusion::catalog::{MemorySchemaProvider, TableProvider};
use deltalake::datafusion::common::{DataFusionError, JoinType, Result, TableReference};
use deltalake::datafusion::functions_aggregate::expr_fn::{count, sum};
use deltalake::datafusion::logical_expr::{Expr, ident, lit};
use deltalake::datafusion::prelude::{DataFrame, SessionContext};
use deltalake::datafusion::scalar::ScalarValue;
use futures::StreamExt;

use crate::engines::local::assertions::rows::Keyed;
use crate::engines::local::assertions::{self, Counts, N_EXAMPLES, Outcome};
use crate::engines::local::operator::Planned;
use crate::engines::local::stage::{Stage, StagedFile};
use crate::engines::local::staged::streamed::Totals;
use crate::engines::local::staged::window::OverAll;
use crate::engines::local::{failure, sieve, spool, table};
use crate::ir::{Assertion, Node, Schema, TableRef, Test};
use crate::name::TableName;
use crate::sql::{expression, parse, session};

mod aggregates;
mod distribution;
pub(super) mod streamed;
mod suspects;
mod window;

const NAME: &str = "medc_staged";
const VIOLATED: &str = "_medc_violated";

/// More rows than these don't show all their columns where a window function found them: it holds what it is given.
const MANY_ROWS: u64 = 1_000_000;

/// What is known of the rows as a whole since they streamed by.
pub(super) struct Passed {
    pub(super) keyed: Keyed,
    pub(super) totals: Totals,
}

/// The staged files as a table of a context.
pub(super) struct Staged<'a> {
    context: &'a SessionContext,
    pub(super) n_rows: u64,
    bound_bytes: usize,
}

/// Registers the files, in place of any before. Without any the table is empty.
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
    replace(context, TableReference::bare(NAME), provider)?;
    Ok(Staged { context, n_rows: files.iter().map(|file| file.n_rows).sum(), bound_bytes })
}

/// As [`register`], for the rows of a table that is stored; names are in lower case.
pub(super) fn stored(
    context: &SessionContext,
    provider: Arc<dyn TableProvider>,
    n_rows: u64,
    bound_bytes: usize,
) -> Result<Staged<'_>> {
    replace(context, TableReference::bare(NAME), provider)?;
    Ok(Staged { context, n_rows, bound_bytes })
}

fn replace(context: &SessionContext, name: TableReference, provider: Arc<dyn TableProvider>) -> Result<()> {
    if let Some(layer) = name.schema() {
        let catalog = context.catalog("datafusion").expect("the default catalog");
        if catalog.schema(layer).is_none() {
            catalog.register_schema(layer, Arc::new(MemorySchemaProvider::new()))?;
        }
    }
    context.deregister_table(name.clone())?;
    context.register_table(name, provider)?;
    Ok(())
}

fn full_name(table: &TableName) -> TableReference {
    TableReference::partial(table.layer.as_str(), table.name.as_str())
}

impl Staged<'_> {
    /// All staged rows.
    pub(super) async fn rows(&self) -> Result<DataFrame> {
        self.context.table(TableReference::bare(NAME)).await
    }

    /// Makes the rows what `table` means in queries.
    pub(super) async fn stand_for(&self, table: &TableName) -> Result<()> {
        let provider = self.context.table_provider(TableReference::bare(NAME)).await?;
        replace(self.context, full_name(table), provider)
    }

    /// The outcomes of all assertions of a node that have none yet, by place. Those for which `proven` says so hold.
    pub(super) async fn judge(
        &self,
        node: &Node,
        schema: &Schema,
        proven: impl Fn(&Assertion) -> bool,
        passed: &Passed,
        outcomes: &mut BTreeMap<usize, Outcome>,
    ) -> Result<()> {
        // What fails here fails again, or does not, on all rows.
        outcomes.extend(self.keyed(node, &passed.keyed).await.unwrap_or_default());
        let assertions = node.assertions.iter().enumerate();
        let open: Vec<_> = assertions.filter(|(place, _)| !outcomes.contains_key(place)).collect();
        if open.is_empty() {
            return Ok(());
        }
        self.stand_for(&node.name).await?;
        outcomes.extend(self.aggregates(node, &open, &passed.totals).await?);
        for (place, assertion) in open {
            if outcomes.contains_key(&place) {
                continue;
            }
            let begun = Instant::now();
            let judged = if proven(assertion) {
                self.proven(assertion).await
            } else {
                self.check(assertion, &node.name, schema).await
            };
            let outcome = judged.map_err(|error| failure::carry(node, assertion, &error))?;
            outcomes.insert(place, Outcome { duration: begun.elapsed(), ..outcome });
        }
        Ok(())
    }

    /// The outcome of an assertion that looks at several rows. `own` is what the rows are called in queries, `schema` their
    /// columns as stored.
    async fn check(&self, assertion: &Assertion, own: &TableName, schema: &Schema) -> Result<Outcome> {
        match &assertion.test {
            Test::Unique { columns } => self.unique(assertion, columns).await,
            Test::Reference { .. } | Test::Window { .. } => self.looking_around(assertion).await,
            Test::Aggregate { by, value, holds } => self.grouped(assertion, by, value, holds).await,
            Test::Query(sql) => self.query(assertion, &sql.text, own).await,
            Test::Distribution(distribution) => self.distribution(assertion, distribution).await,
            Test::Columns(columns) => {
                let counts = Counts { n_rows: self.n_rows, ..Counts::default() };
                let outcome = assertions::outcome(assertion, counts, Vec::new());
                Ok(Outcome { observed: Some(columns.observed(schema)), success: columns.holds(schema), ..outcome })
            }
            Test::Row { .. } | Test::Holds(_) => {
                Err(DataFusionError::Internal("a row test runs while rows stream by".to_owned()))
            }
        }
    }

    /// The outcome of an assertion that is proven: nothing violates.
    async fn proven(&self, assertion: &Assertion) -> Result<Outcome> {
        let counts = self.counts(assertion, 0).await?;
        Ok(assertions::outcome(assertion, counts, Vec::new()))
    }

    /// The rows that an assertion's `where` lets through.
    async fn among(&self, assertion: &Assertion) -> Result<DataFrame> {
        let rows = self.rows().await?;
        match &assertion.filter {
            None => Ok(rows),
            Some(filter) => self.filtered(rows, &filter.text),
        }
    }

    /// Those of them that are judged.
    async fn considered(&self, assertion: &Assertion) -> Result<DataFrame> {
        let rows = self.among(assertion).await?;
        match spool::considered(assertion) {
            None => Ok(rows),
            Some(considered) => self.filtered(rows, &considered),
        }
    }

    fn filtered(&self, rows: DataFrame, condition: &str) -> Result<DataFrame> {
        let condition = expression::plan_expression(&self.context.state(), condition, rows.schema())?;
        rows.filter(condition)
    }

    async fn counts(&self, assertion: &Assertion, n_violating: u64) -> Result<Counts> {
        let n_rows = match &assertion.filter {
            None => self.n_rows,
            Some(_) => self.among(assertion).await?.count().await? as u64,
        };
        let n_considered = match (&assertion.test, spool::considered(assertion)) {
            (_, None) => n_rows,
            // One column's values are counted without a filter, and mostly without reading them.
            (Test::Unique { columns } | Test::Reference { columns, .. }, Some(_)) if columns.len() == 1 => {
                let values = columns.iter().map(|column| count(ident(column.to_lowercase())).alias("n")).collect();
                let counted = self.among(assertion).await?.aggregate(vec![], values)?.collect().await?;
                counted.iter().find(|batch| batch.num_rows() > 0).map_or(0, |row| number(row, 0))
            }
            (_, Some(_)) => self.considered(assertion).await?.count().await? as u64,
        };
        Ok(Counts { n_rows, n_considered, n_violating })
    }

    /// Some columns of the rows that violate an assertion which looks at other rows; `None` where none do.
    pub(super) async fn violating(&self, assertion: &Assertion, columns: &[Expr]) -> Result<Option<DataFrame>> {
        match &assertion.test {
            Test::Unique { columns: keys } => {
                if self.n_repeated(assertion, keys).await? == 0 {
                    return Ok(None);
                }
                self.repeated_rows(assertion, keys, columns).await.map(Some)
            }
            Test::Reference { columns: own, table, referenced } => {
                self.dangling(assertion, (own, table, referenced), columns).await.map(Some)
            }
            Test::Window { violated, .. } => {
                let rows = self.considered(assertion).await?.into_view();
                let name = "medc_considered";
                replace(self.context, TableReference::bare(name), rows)?;
                let text = match window::over_all(&violated.text) {
                    None => format!("SELECT *, (\n{}\n) AS {VIOLATED} FROM {name}", violated.text),
                    Some(OverAll { condition, aggregates }) => {
                        let aggregates: Vec<_> =
                            aggregates.iter().map(|(name, aggregate)| format!("{aggregate} AS {name}")).collect();
                        let all = format!("SELECT {} FROM {name}", aggregates.join(", "));
                        format!("SELECT *, ({condition}) AS {VIOLATED} FROM {name} CROSS JOIN ({all}) AS of_all")
                    }
                };
                let rows = self.plan(&text).await?.filter(ident(VIOLATED).is_true())?;
                rows.select(columns.to_vec()).map(Some)
            }
            Test::Row { .. }
            | Test::Holds(_)
            | Test::Aggregate { .. }
            | Test::Query(_)
            | Test::Distribution(_)
            | Test::Columns(_) => Ok(None),
        }
    }

    async fn plan(&self, text: &str) -> Result<DataFrame> {
        plan(self.context, text).await
    }

    async fn looking_around(&self, assertion: &Assertion) -> Result<Outcome> {
        let n_violating = match self.violating(assertion, &[lit(1).alias("one")]).await? {
            None => 0,
            Some(rows) => rows.count().await? as u64,
        };
        let mut examples = Vec::new();
        if n_violating > 0 {
            let holds_all = self.n_rows > MANY_ROWS
                && matches!(&assertion.test, Test::Window { violated, .. } if window::over_all(&violated.text).is_none());
            let few = assertion.columns.iter().map(|column| ident(column.to_lowercase())).collect();
            let columns = if holds_all && !assertion.columns.is_empty() { few } else { self.all_columns().await? };
            if let Some(rows) = self.violating(assertion, &columns).await? {
                examples = first(rows).await?;
            }
        }
        Ok(assertions::outcome(assertion, self.counts(assertion, n_violating).await?, examples))
    }

    async fn all_columns(&self) -> Result<Vec<Expr>> {
        Ok(self.rows().await?.schema().columns().into_iter().map(|column| ident(column.name)).collect())
    }

    /// The rows whose values stand in no row of the referenced table.
    async fn dangling(
        &self,
        assertion: &Assertion,
        (own, table, referenced): (&[String], &TableRef, &[String]),
        columns: &[Expr],
    ) -> Result<DataFrame> {
        // The referenced side is read once into memory where it is the smaller one, as it mostly is.
        let known = |place: usize| format!("_medc_known_{place}");
        let others = referenced.iter().enumerate().map(|(place, name)| ident(name.to_lowercase()).alias(known(place)));
        let others: Vec<Expr> = others.collect();
        let others = self.context.table(full_name(&table.name)).await?.select(others)?;
        let rows = self.considered(assertion).await?;
        let pairs = own.iter().enumerate().map(|(place, name)| ident(known(place)).eq(ident(name.to_lowercase())));
        let pairs: Vec<Expr> = pairs.collect();
        others.join_on(rows, JoinType::RightAnti, pairs)?.select(columns.to_vec())
    }

    /// Counts every row of a key that several rows have.
    pub(super) async fn unique(&self, assertion: &Assertion, columns: &[String]) -> Result<Outcome> {
        let (found, examples) = self.repeats(assertion, columns).await?;
        let n_rows = match &assertion.filter {
            None => self.n_rows,
            Some(_) => self.among(assertion).await?.count().await? as u64,
        };
        Ok(assertions::outcome(assertion, Counts { n_rows, ..found }, examples))
    }

    /// How many rows are considered and how many violate, with examples.
    async fn repeats(&self, assertion: &Assertion, columns: &[String]) -> Result<(Counts, Vec<String>)> {
        let n_read = Arc::new(AtomicU64::new(0));
        let mut groups = self.repeated(assertion, columns, &n_read).await?.execute_stream().await?;
        let (mut n_violating, mut keys) = (0, Vec::new());
        while let Some(batch) = groups.next().await {
            let batch = batch?;
            let n = cast(batch.column(columns.len()), &DataType::Int64)?;
            n_violating += n.as_primitive::<Int64Type>().values().iter().map(|n| n.unsigned_abs()).sum::<u64>();
            // Each has two rows or more.
            for row in 0..batch.num_rows().min((N_EXAMPLES / 2).saturating_sub(keys.len())) {
                let values = batch.columns().iter().zip(columns);
                let values = values.map(|(values, name)| {
                    Ok(ident(name.to_lowercase()).eq(lit(ScalarValue::try_from_array(values, row)?)))
                });
                keys.extend(values.collect::<Result<Vec<_>>>()?.into_iter().reduce(Expr::and));
            }
        }
        let examples = match keys.into_iter().reduce(Expr::or) {
            None => Vec::new(),
            Some(is_one_of_them) => self.few(assertion, is_one_of_them).await?,
        };
        let n_considered = n_read.load(Ordering::Relaxed);
        Ok((Counts { n_rows: n_considered, n_considered, n_violating }, examples))
    }

    /// Whole rows of which there are few, as examples: columns are read only where the condition holds.
    async fn few(&self, assertion: &Assertion, condition: Expr) -> Result<Vec<String>> {
        let mut state = self.context.state();
        state.config_mut().options_mut().execution.parquet.pushdown_filters = true;
        let context = SessionContext::new_with_state(state);
        let few = Staged { context: &context, n_rows: self.n_rows, bound_bytes: self.bound_bytes };
        first(few.among(assertion).await?.filter(condition)?).await
    }

    async fn n_repeated(&self, assertion: &Assertion, columns: &[String]) -> Result<u64> {
        let repeated = self.repeated(assertion, columns, &Arc::default()).await?;
        let total = repeated.aggregate(vec![], vec![sum(ident("_medc_n")).alias("n")])?;
        let batches = total.collect().await?;
        Ok(batches.iter().find(|batch| batch.num_rows() > 0).map_or(0, |row| number(row, 0)))
    }

    /// The keys that several rows have, and how many. They are sieved first, so that few are grouped. `n_read` will say how
    /// many rows were considered.
    async fn repeated(&self, assertion: &Assertion, columns: &[String], n_read: &Arc<AtomicU64>) -> Result<DataFrame> {
        let keys: Vec<Expr> = columns.iter().map(|column| ident(column.to_lowercase())).collect();
        let considered = self.considered(assertion).await?.select(keys.clone())?;
        let plan = considered.clone().create_physical_plan().await?;
        let again = considered.create_physical_plan().await?;
        let suspects = sieve::suspects(plan, again, Some(self.n_rows), self.bound_bytes, n_read);
        self.context
            .read_table(Arc::new(Planned(suspects)))?
            .aggregate(keys, vec![count(lit(1)).alias("_medc_n")])?
            .filter(ident("_medc_n").gt(lit(1)))
    }

    async fn repeated_rows(&self, assertion: &Assertion, keys: &[String], columns: &[Expr]) -> Result<DataFrame> {
        let known = |place: usize| format!("_medc_known_{place}");
        let renamed = keys.iter().enumerate().map(|(place, key)| ident(key.to_lowercase()).alias(known(place)));
        let renamed: Vec<Expr> = renamed.collect();
        let repeated = self.repeated(assertion, keys, &Arc::default()).await?.select(renamed)?;
        let pairs = keys.iter().enumerate().map(|(place, key)| ident(known(place)).eq(ident(key.to_lowercase())));
        let pairs: Vec<Expr> = pairs.collect();
        let rows = self.considered(assertion).await?;
        repeated.join_on(rows, JoinType::RightSemi, pairs)?.select(columns.to_vec())
    }

    /// The rows that the query gives violate; its own table is the rows that `where` lets through.
    async fn query(&self, assertion: &Assertion, text: &str, own: &TableName) -> Result<Outcome> {
        if assertion.filter.is_some() {
            let among = self.among(assertion).await?.into_view();
            replace(self.context, full_name(own), among)?;
        }
        let judged = async {
            let rows = self.plan(text).await?;
            let n_violating = rows.clone().count().await? as u64;
            let examples = if n_violating == 0 { Vec::new() } else { first(rows).await? };
            let counts = self.counts(assertion, n_violating).await?;
            Ok(assertions::outcome(assertion, counts, examples))
        };
        let judged = judged.await;
        if assertion.filter.is_some() {
            self.stand_for(own).await?;
        }
        judged
    }
}

async fn plan(context: &SessionContext, text: &str) -> Result<DataFrame> {
    let query = parse::parse_query(text).map_err(|error| DataFusionError::Plan(error.message))?;
    let plan = session::plan_query(&context.state(), &query).await?;
    context.execute_logical_plan(plan).await
}

/// The first rows, as examples.
async fn first(rows: DataFrame) -> Result<Vec<String>> {
    let mut examples = Vec::new();
    for batch in rows.limit(0, Some(N_EXAMPLES))?.collect().await? {
        for row in 0..batch.num_rows() {
            examples.push(assertions::example(&batch, row)?);
        }
    }
    Ok(examples)
}

fn number(row: &RecordBatch, column: usize) -> u64 {
    let value = cast(row.column(column), &DataType::Int64).ok();
    value
        .filter(|value| value.is_valid(0))
        .map_or(0, |value| u64::try_from(value.as_primitive::<Int64Type>().value(0)).unwrap_or(0))
}
