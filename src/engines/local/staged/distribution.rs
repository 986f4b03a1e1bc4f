//! What a column's values are distributed like, held against a reference.
//!
//! In: a column of the staged rows, and a table's column, shares of categories or of bins. Out: an outcome whose observed
//! value is the distance, or the p-value where one is asked for. NULL and NaN are not considered. The numbers are
//! `statistics`' own; here values are only read and counted. Values of both sides are held in memory, within the budget;
//! categories are counted by a query. Without values on one side nothing can be said, which is no success.

use std::collections::BTreeMap;

use deltalake::arrow::array::{Array, AsArray};
use deltalake::arrow::compute::cast as cast_array;
use deltalake::arrow::datatypes::{DataType, Float64Type, Int64Type};
use deltalake::datafusion::common::Result;
use deltalake::datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use deltalake::datafusion::functions_aggregate::expr_fn::count;
use deltalake::datafusion::logical_expr::{cast, ident, lit};
use deltalake::datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::{Staged, full_name};
use crate::engines::local::assertions::{self, Counts, Outcome};
use crate::engines::local::observed;
use crate::ir::{Assertion, Distribution, Measure, Reference};
use crate::statistics::bins::{self, Counted, Edges, Extent};
use crate::statistics::partition::{Categories, Holdouts, Partition};
use crate::statistics::{Undefined, chi_squared, divergence, kolmogorov_smirnov};

/// A distance and, of a test, its p-value.
struct Distance {
    value: f64,
    p_value: Option<f64>,
}

/// Shares as counts, for measures that take counts: exact to fifteen digits.
const WHOLE: f64 = 1e15;

impl Staged<'_> {
    pub(super) async fn distribution(&self, assertion: &Assertion, distribution: &Distribution) -> Result<Outcome> {
        let rows = self.among(assertion).await?;
        let n_rows = rows.clone().count().await? as u64;
        let column = distribution.column.to_lowercase();
        let is_number =
            rows.schema().field_with_unqualified_name(&column).is_ok_and(|field| field.data_type().is_numeric());
        let (found, n_considered) = match &distribution.reference {
            Reference::Column { table, column: other } => {
                let others = self.context.table(full_name(&table.name)).await?;
                let other = other.to_lowercase();
                if is_number && distribution.measure != Measure::ChiSquared {
                    let mut held = Held::new(self);
                    let reference = held.values(others, &other).await?;
                    let current = held.values(rows, &column).await?;
                    let n_current = current.len() as u64;
                    (of_numbers(distribution.measure, &reference, &current), n_current)
                } else {
                    let reference = categories(others, &other).await?;
                    let current = categories(rows, &column).await?;
                    (of_categories(distribution.measure, &reference, &current), current.values().sum())
                }
            }
            Reference::Categories(shares) => {
                let current = categories(rows, &column).await?;
                (of_shares(distribution.measure, shares, &current), current.values().sum())
            }
            Reference::Bins { edges, shares, below, above } => {
                let mut held = Held::new(self);
                let current = held.values(rows, &column).await?;
                let found = Edges::new(edges.clone())
                    .and_then(|known| of_bins(distribution.measure, &known, (shares, *below, *above), &current));
                (found, current.len() as u64)
            }
        };
        let outcome = assertions::outcome(assertion, Counts { n_rows, n_considered, n_violating: 0 }, Vec::new());
        let Ok(Distance { value, p_value }) = found else {
            return Ok(Outcome { success: false, ..outcome });
        };
        let near = distribution.at_most.is_none_or(|most| value <= most);
        let likely = distribution.p_value_at_least.is_none_or(|least| p_value.is_some_and(|p_value| p_value >= least));
        let shown = match (distribution.p_value_at_least, p_value) {
            (Some(_), Some(p_value)) => p_value,
            (Some(_), None) | (None, _) => value,
        };
        Ok(Outcome { observed: Some(observed::number(shown)), success: near && likely, ..outcome })
    }
}

/// Numbers held in memory, counted against the budget.
struct Held {
    reservation: MemoryReservation,
}

impl Held {
    fn new(staged: &Staged<'_>) -> Self {
        let runtime = staged.context.runtime_env();
        Held { reservation: MemoryConsumer::new("distribution").register(&runtime.memory_pool) }
    }

    /// A column's values, sorted.
    async fn values(&mut self, rows: DataFrame, column: &str) -> Result<Vec<f64>> {
        let mut batches =
            rows.select(vec![cast(ident(column), DataType::Float64).alias("value")])?.execute_stream().await?;
        let mut values = Vec::new();
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let more = cast_array(batch.column(0), &DataType::Float64)?;
            self.reservation.try_grow(more.len() * size_of::<f64>())?;
            values.extend(more.as_primitive::<Float64Type>().iter().flatten().filter(|value| !value.is_nan()));
        }
        values.sort_unstable_by(f64::total_cmp);
        Ok(values)
    }
}

/// How often each value of a column occurs, as text.
async fn categories(rows: DataFrame, column: &str) -> Result<BTreeMap<String, u64>> {
    let value = cast(ident(column), DataType::Utf8).alias("value");
    let rows = rows.select(vec![value])?.filter(ident("value").is_not_null())?;
    let mut batches = rows.aggregate(vec![ident("value")], vec![count(lit(1)).alias("n")])?.execute_stream().await?;
    let mut counts = BTreeMap::new();
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let (values, n) =
            (cast_array(batch.column(0), &DataType::Utf8)?, cast_array(batch.column(1), &DataType::Int64)?);
        let (values, n) = (values.as_string::<i32>(), n.as_primitive::<Int64Type>());
        for (value, n) in values.iter().zip(n.iter()) {
            if let (Some(value), Some(n)) = (value.filter(|value| *value != "NaN"), n) {
                *counts.entry(value.to_owned()).or_default() += u64::try_from(n).unwrap_or(0);
            }
        }
    }
    Ok(counts)
}

fn of_numbers(measure: Measure, reference: &[f64], current: &[f64]) -> Result<Distance, Undefined> {
    let both = || Ok(Extent::of(reference)?.union(Extent::of(current)?));
    let counted = |edges: &Edges| (edges.count(reference.iter().copied()), edges.count(current.iter().copied()));
    match measure {
        Measure::KolmogorovSmirnov => {
            let test = kolmogorov_smirnov::two_sample(reference, current)?;
            Ok(Distance { value: test.statistic, p_value: Some(test.p_value) })
        }
        Measure::Psi { bins } => {
            let (known, found) = counted(&bins::quantile_bins(reference, bins as usize)?);
            plain(divergence::population_stability_index(&known.bins, &found.bins))
        }
        Measure::JensenShannon { bins } => {
            let (known, found) = counted(&bins::equal_width(both()?, bins as usize)?);
            let (known, found) = (divergence::weights(&known.bins), divergence::weights(&found.bins));
            plain(divergence::jensen_shannon(&known, &found, Some(2.0)))
        }
        Measure::KullbackLeibler { tail_holdout, internal_holdout } => {
            let edges = bins::sturges(both()?)?;
            let (known, found) = counted(&edges);
            let weights = shares_of(&known.bins)?;
            let holdouts = Holdouts { tail: tail_holdout, internal: internal_holdout };
            let partition = Partition::new(edges.as_slice().to_vec(), &weights, None, holdouts);
            plain(partition.map_err(|_| Undefined::OutOfRange)?.divergence(&found).map(|found| found.value))
        }
        // Numbers as categories come as counts.
        Measure::ChiSquared => Err(Undefined::NoFreedom),
    }
}

fn of_categories(
    measure: Measure,
    reference: &BTreeMap<String, u64>,
    current: &BTreeMap<String, u64>,
) -> Result<Distance, Undefined> {
    let new = current.keys().filter(|value| !reference.contains_key(*value));
    let all: Vec<&String> = reference.keys().chain(new).collect();
    let count = |of: &BTreeMap<String, u64>| all.iter().map(|value| of.get(*value).copied().unwrap_or(0)).collect();
    let (known, found): (Vec<u64>, Vec<u64>) = (count(reference), count(current));
    match measure {
        Measure::ChiSquared => {
            let test = chi_squared::against_reference(&known, &found)?;
            Ok(Distance { value: test.statistic, p_value: Some(test.p_value) })
        }
        Measure::Psi { .. } => plain(divergence::population_stability_index(&known, &found)),
        Measure::JensenShannon { .. } => {
            plain(divergence::jensen_shannon(&divergence::weights(&known), &divergence::weights(&found), Some(2.0)))
        }
        Measure::KullbackLeibler { tail_holdout, internal_holdout } => {
            let n_known = reference.len();
            let weights = shares_of(known.get(..n_known).unwrap_or_default())?;
            let holdouts = Holdouts { tail: tail_holdout, internal: internal_holdout };
            kullback_leibler(weights, holdouts, &found, n_known)
        }
        // `check` refuses it for what has no order.
        Measure::KolmogorovSmirnov => Err(Undefined::Unsorted),
    }
}

fn of_shares(
    measure: Measure,
    shares: &[(String, f64)],
    current: &BTreeMap<String, u64>,
) -> Result<Distance, Undefined> {
    let counts = shares.iter().map(|(value, _)| current.get(value).copied().unwrap_or(0));
    let new = current.iter().filter(|(value, _)| !shares.iter().any(|(known, _)| known == *value));
    let found: Vec<u64> = counts.chain(new.map(|(_, n)| *n)).collect();
    let mut weights: Vec<f64> = shares.iter().map(|(_, share)| *share).collect();
    if let Measure::KullbackLeibler { tail_holdout, internal_holdout } = measure {
        let n_known = weights.len();
        return kullback_leibler(weights, Holdouts { tail: tail_holdout, internal: internal_holdout }, &found, n_known);
    }
    weights.resize(found.len(), 0.0);
    against_weights(measure, &weights, &found)
}

fn of_bins(
    measure: Measure,
    edges: &Edges,
    (shares, below, above): (&[f64], f64, f64),
    current: &[f64],
) -> Result<Distance, Undefined> {
    let counted = edges.count(current.iter().copied());
    if let Measure::KullbackLeibler { tail_holdout, internal_holdout } = measure {
        let tails = (below > 0.0 || above > 0.0).then_some([below, above]);
        let holdouts = Holdouts { tail: tail_holdout, internal: internal_holdout };
        let partition = Partition::new(edges.as_slice().to_vec(), shares, tails, holdouts);
        return plain(partition.map_err(|_| Undefined::OutOfRange)?.divergence(&counted).map(|found| found.value));
    }
    let Counted { bins, below: n_below, above: n_above, .. } = counted;
    let weights: Vec<f64> = [below].into_iter().chain(shares.iter().copied()).chain([above]).collect();
    let found: Vec<u64> = [n_below].into_iter().chain(bins).chain([n_above]).collect();
    // What nobody expects and nobody saw is no category.
    let (weights, found): (Vec<f64>, Vec<u64>) =
        weights.into_iter().zip(found).filter(|(weight, n)| *weight > 0.0 || *n > 0).unzip();
    against_weights(measure, &weights, &found)
}

fn against_weights(measure: Measure, weights: &[f64], found: &[u64]) -> Result<Distance, Undefined> {
    let total: f64 = weights.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let n_found = found.iter().sum::<u64>() as f64;
    match measure {
        Measure::ChiSquared => {
            let expected: Vec<f64> = weights.iter().map(|weight| weight / total * n_found).collect();
            let test = chi_squared::goodness_of_fit(found, &expected)?;
            Ok(Distance { value: test.statistic, p_value: Some(test.p_value) })
        }
        Measure::Psi { .. } => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares are 0 to 1")]
            let known: Vec<u64> = weights.iter().map(|weight| (weight / total * WHOLE).round() as u64).collect();
            plain(divergence::population_stability_index(&known, found))
        }
        Measure::JensenShannon { .. } => {
            plain(divergence::jensen_shannon(weights, &divergence::weights(found), Some(2.0)))
        }
        // The one has its own way, the other is refused by `check`.
        Measure::KullbackLeibler { .. } | Measure::KolmogorovSmirnov => Err(Undefined::Unsorted),
    }
}

fn kullback_leibler(
    weights: Vec<f64>,
    holdouts: Holdouts,
    found: &[u64],
    n_known: usize,
) -> Result<Distance, Undefined> {
    let (known, new) = found.split_at_checked(n_known).ok_or(Undefined::Lengths)?;
    let categories = Categories::new(weights, holdouts).map_err(|_| Undefined::OutOfRange)?;
    plain(categories.divergence(known, new).map(|found| found.value))
}

fn plain(value: Result<f64, Undefined>) -> Result<Distance, Undefined> {
    Ok(Distance { value: value?, p_value: None })
}

fn shares_of(counts: &[u64]) -> Result<Vec<f64>, Undefined> {
    let weights = divergence::weights(counts);
    let total: f64 = weights.iter().sum();
    if total > 0.0 { Ok(weights.into_iter().map(|weight| weight / total).collect()) } else { Err(Undefined::Empty) }
}
