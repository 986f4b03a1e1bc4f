//! Aggregates over the staged rows: those of all rows together in one query, those by group one query each.
//!
//! In: assertions with a value and a condition on it, and the values that were computed while the rows streamed by
//! ([`super::streamed`]). Out: their outcomes. Where the shared query fails, each value is computed alone, so that the
//! failure is told of the expectation that causes it and what is too much together may still be done one by one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltalake::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use deltalake::arrow::datatypes::{Field, Schema as ArrowSchema};
use deltalake::datafusion::common::{Result, TableReference};
use deltalake::datafusion::datasource::MemTable;
use futures::StreamExt;
use serde_json::Value;

use super::streamed::{Total, Totals};
use super::{NAME, Staged, number, replace};
use crate::engines::local::assertions::{self, Counts, N_EXAMPLES, Outcome};
use crate::engines::local::{failure, observed};
use crate::ir::{Assertion, Node, Sql, Test};
use crate::kind;

const OBSERVED: &str = "medc_observed";

/// An aggregate of all rows together, and the place of its assertion.
#[derive(Clone, Copy)]
pub(super) struct Aggregate<'a> {
    place: usize,
    assertion: &'a Assertion,
    value: &'a Sql,
    holds: &'a Sql,
}

impl Aggregate<'_> {
    /// Whether its value comes from the rows alone, which may then be passed by once.
    pub(super) fn looks_at_rows_only(&self) -> bool {
        let filter = self.assertion.filter.as_ref();
        let mut texts = std::iter::once(self.value).chain(filter).map(|sql| sql.text.to_lowercase());
        texts.all(|text| !text.contains("select"))
    }
}

/// The aggregates without groups, by their `where`.
pub(super) fn by_filter<'a>(assertions: &[(usize, &'a Assertion)]) -> BTreeMap<Option<Arc<str>>, Vec<Aggregate<'a>>> {
    let mut by_filter: BTreeMap<Option<Arc<str>>, Vec<Aggregate<'_>>> = BTreeMap::new();
    for (place, assertion) in assertions {
        if let Test::Aggregate { by, value, holds } = &assertion.test
            && by.is_empty()
        {
            let filter = assertion.filter.as_ref().map(|filter| Arc::clone(&filter.text));
            by_filter.entry(filter).or_default().push(Aggregate { place: *place, assertion, value, holds });
        }
    }
    by_filter
}

/// One query for all values: the number of rows, then each.
pub(super) fn query(aggregates: &[Aggregate<'_>]) -> String {
    let values = aggregates.iter().enumerate().map(|(n, one)| format!(", (\n{}\n) AS observed_{n}", one.value.text));
    let values: String = values.collect();
    let filter = aggregates.first().map_or(String::new(), |one| among(one.assertion));
    format!("SELECT count(*) AS n_rows{values} FROM {NAME}{filter}")
}

impl Staged<'_> {
    /// The outcomes of the aggregates without groups among `assertions`, which are places and assertions of `node`.
    pub(in crate::engines::local) async fn aggregates(
        &self,
        node: &Node,
        assertions: &[(usize, &Assertion)],
        totals: &Totals,
    ) -> Result<Vec<(usize, Outcome)>> {
        let mut outcomes = Vec::new();
        for (filter, aggregates) in by_filter(assertions) {
            let known = totals.get(&filter).filter(|total| self.counts_all(filter.as_deref(), total));
            let found = match known {
                Some(known) => self.conclude(&aggregates, &known.batches, known.duration).await,
                None => self.together(&aggregates).await,
            };
            match found {
                Ok(found) => outcomes.extend(found),
                Err(_) => {
                    for one in aggregates {
                        let found = self.together(&[one]).await;
                        outcomes.extend(found.map_err(|error| failure::carry(node, one.assertion, &error))?);
                    }
                }
            }
        }
        Ok(outcomes)
    }

    /// Whether a query of all rows saw them all.
    fn counts_all(&self, filter: Option<&str>, total: &Total) -> bool {
        let n_rows = total.batches.iter().find(|batch| batch.num_rows() > 0).map(|row| number(row, 0));
        n_rows.is_some_and(|n_rows| filter.is_some() || n_rows == self.n_rows)
    }

    async fn together(&self, aggregates: &[Aggregate<'_>]) -> Result<Vec<(usize, Outcome)>> {
        let begun = Instant::now();
        let batches = self.plan(&query(aggregates)).await?.collect().await?;
        self.conclude(aggregates, &batches, begun.elapsed()).await
    }

    /// The outcomes, from the row that the query of their values gave.
    async fn conclude(
        &self,
        aggregates: &[Aggregate<'_>],
        batches: &[RecordBatch],
        duration: Duration,
    ) -> Result<Vec<(usize, Outcome)>> {
        let Some(row) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(Vec::new()) };
        let n_rows = number(row, 0);
        let share = duration.checked_div(u32::try_from(aggregates.len()).unwrap_or(1)).unwrap_or_default();
        let mut outcomes = Vec::new();
        for (one, value) in aggregates.iter().zip(row.columns().iter().skip(1)) {
            let begun = Instant::now();
            let success = self.holds(value, one.holds).await?;
            let counts = Counts { n_rows, n_considered: n_rows, n_violating: 0 };
            let outcome = assertions::outcome(one.assertion, counts, Vec::new());
            let observed = Some(observed::value(value, 0)?).filter(|value| *value != Value::Null);
            outcomes.push((one.place, Outcome { observed, success, duration: share + begun.elapsed(), ..outcome }));
        }
        Ok(outcomes)
    }

    /// Whether a condition on `observed` is TRUE of a value.
    async fn holds(&self, value: &ArrayRef, holds: &Sql) -> Result<bool> {
        let schema = Arc::new(ArrowSchema::new(vec![Field::new("observed", value.data_type().clone(), true)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(value)])?;
        let table = MemTable::try_new(schema, vec![vec![batch]])?;
        replace(self.context, TableReference::bare(OBSERVED), Arc::new(table))?;
        let answer =
            self.plan(&format!("SELECT (\n{}\n) AS holds FROM {OBSERVED}", holds.text)).await?.collect().await?;
        Ok(answer.iter().any(|batch| batch.num_rows() > 0 && is_true(batch.column(0), 0)))
    }

    /// The outcome of an aggregate per group: a group that does not hold violates.
    pub(super) async fn grouped(
        &self,
        assertion: &Assertion,
        by: &[String],
        value: &Sql,
        holds: &Sql,
    ) -> Result<Outcome> {
        let keys: Vec<String> = by.iter().map(|column| kind::column(column)).collect();
        let keys = keys.join(", ");
        let of_groups = format!(
            "SELECT {keys}, (\n{}\n) AS observed, count(*) AS _medc_n FROM {NAME}{} GROUP BY {keys}",
            value.text,
            among(assertion)
        );
        let text = format!("SELECT *, (\n{}\n) AS _medc_holds FROM ({of_groups}) AS of_groups", holds.text);
        let mut groups = self.plan(&text).await?.execute_stream().await?;
        let mut counts = Counts::default();
        let mut examples = Vec::new();
        while let Some(batch) = groups.next().await {
            let batch = batch?;
            let (n_columns, n_groups) = (batch.num_columns(), batch.num_rows());
            let shown = batch.project(&(0..n_columns.saturating_sub(2)).collect::<Vec<_>>())?;
            counts.n_considered += n_groups as u64;
            for row in 0..n_groups {
                counts.n_rows += number(&batch.slice(row, 1), n_columns.saturating_sub(2));
                if !is_true(batch.column(n_columns.saturating_sub(1)), row) {
                    counts.n_violating += 1;
                    if examples.len() < N_EXAMPLES {
                        examples.push(assertions::example(&shown, row)?);
                    }
                }
            }
        }
        Ok(assertions::outcome(assertion, counts, examples))
    }
}

fn among(assertion: &Assertion) -> String {
    assertion.filter.as_ref().map_or(String::new(), |filter| format!(" WHERE (\n{}\n)", filter.text))
}

fn is_true(values: &ArrayRef, row: usize) -> bool {
    values.as_boolean_opt().is_some_and(|values| values.is_valid(row) && values.value(row))
}
