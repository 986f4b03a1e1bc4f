//! Rows one after another: the shape that distances, kernels and products want.
//!
//! In: a [`Matrix`], which is by column. Out: the same values by row, and sums of products over them. Sums are taken in a
//! fixed order, so that a number never depends on the count of threads; eight partial sums let the compiler use vectors.

use serde::{Deserialize, Serialize};

use crate::ml::matrix::Matrix;

/// Numbers row by row, `n_rows × n_columns`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    pub n_rows: usize,
    pub n_columns: usize,
    pub values: Vec<f64>,
}

impl Rows {
    /// The matrix by rows.
    pub fn of(matrix: &Matrix) -> Self {
        let n_columns = matrix.columns.len();
        let mut values = vec![0.0; matrix.n_rows * n_columns];
        for (j, column) in matrix.columns.iter().enumerate() {
            for (row, value) in values.chunks_exact_mut(n_columns).zip(column) {
                row[j] = *value;
            }
        }
        Rows { n_rows: matrix.n_rows, n_columns, values }
    }

    /// One row. `i` is below `n_rows`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.n_columns..(i + 1) * self.n_columns]
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        (0..self.n_rows).map(|i| self.row(i))
    }

    /// Whether there are as many values as it says; what was read may lie.
    pub fn is_whole(&self) -> bool {
        self.n_rows.checked_mul(self.n_columns) == Some(self.values.len())
    }

    /// These rows, in this order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|i| self.row(*i)).copied().collect();
        Rows { n_rows: rows.len(), n_columns: self.n_columns, values }
    }
}

/// The inner product.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    folded(a, b, |x, y| x * y)
}

/// The square of the Euclidean distance.
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    folded(a, b, |x, y| (x - y) * (x - y))
}

/// Adds `factor` times `b` to `a`.
pub fn add_scaled(a: &mut [f64], factor: f64, b: &[f64]) {
    for (x, y) in a.iter_mut().zip(b) {
        *x += factor * y;
    }
}

/// The place of the greatest value, of equal ones the first; 0 where there is none.
pub fn greatest(values: &[f64]) -> usize {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = i;
        }
    }
    best
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "what is counted in memory is fewer than 2^53")]
pub fn real(n: usize) -> f64 {
    n as f64
}

fn folded(a: &[f64], b: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| term(*x, *y)).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for k in 0..8 {
            sums[k] += term(x[k], y[k]);
        }
    }
    ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])) + rest
}
