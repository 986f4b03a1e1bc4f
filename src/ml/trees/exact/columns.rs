//! Features as ranks: the smallest value of a column is 0, equal values are equal.
//!
//! Sorting small whole numbers in each node is faster than sorting floats, and the ranks are shared by all trees.

use rayon::prelude::*;

use crate::ml::matrix::Matrix;
use crate::ml::trees::form::short;

/// The rank of a missing value.
pub(in crate::ml::trees) const MISSING: u32 = u32::MAX;

/// All features.
pub(in crate::ml::trees) struct Columns {
    pub(super) columns: Vec<Column>,
}

/// A feature.
pub(super) struct Column {
    /// By row. In a column of categories, the code.
    pub(super) ranks: Vec<u32>,
    /// By rank; none in a column of categories.
    pub(super) values: Vec<f64>,
    /// 0 in a column of numbers.
    pub(super) n_categories: u32,
}

impl Columns {
    pub(in crate::ml::trees) fn of(matrix: &Matrix) -> Self {
        let columns = matrix.columns.par_iter().enumerate().map(|(j, values)| match matrix.categories.get(j) {
            Some(Some(n_categories)) => categorical(values, *n_categories),
            _ => numeric(values),
        });
        Columns { columns: columns.collect() }
    }
}

/// Codes that are none count as missing, as they do in a prediction.
fn categorical(values: &[f64], n_categories: u32) -> Column {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked by the range")]
    let rank = |value: &f64| if (0.0..f64::from(n_categories)).contains(value) { *value as u32 } else { MISSING };
    Column { ranks: values.iter().map(rank).collect(), values: Vec::new(), n_categories }
}

fn numeric(values: &[f64]) -> Column {
    let mut order: Vec<(u64, u32)> =
        values.iter().enumerate().filter(|(_, v)| !v.is_nan()).map(|(row, v)| (key(*v), short(row))).collect();
    order.sort_unstable();
    let mut ranks = vec![MISSING; values.len()];
    let mut distinct: Vec<f64> = Vec::new();
    let mut last = None;
    for (key, row) in order {
        if last != Some(key) {
            last = Some(key);
            distinct.push(finite(values[row as usize]));
        }
        ranks[row as usize] = short(distinct.len() - 1);
    }
    Column { ranks, values: distinct, n_categories: 0 }
}

/// Infinities as the outermost finite values: a threshold next to them stays one that JSON can say.
pub(in crate::ml::trees) fn finite(value: f64) -> f64 {
    value.clamp(f64::MIN, f64::MAX) + 0.0
}

/// Whole numbers in the order of the floats; both zeros are one.
fn key(value: f64) -> u64 {
    let bits = finite(value).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// Between two neighbouring values, such that the lower goes left and the higher goes right.
pub(in crate::ml::trees) fn between(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if middle >= high || middle < low { low } else { middle }
}
