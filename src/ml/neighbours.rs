//! k nearest neighbours, by Euclidean distance over all training rows.
//!
//! In: features without missing values. Out: the mean of the neighbours' outcomes, or the shares of their classes. Of rows
//! at the same distance the one that came first in training is the nearer. The fitted form is the training rows.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ml::matrix::Matrix;
use crate::ml::rows::{Rows, squared_distance};

/// How much a neighbour counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Vote {
    /// All the same.
    #[default]
    Uniform,
    /// By the inverse of the distance; where some are at distance 0, they alone.
    Distance,
}

/// What the training rows were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    Classes { codes: Vec<u32>, n_classes: usize },
    Numbers(Vec<f64>),
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbours {
    pub k: usize,
    pub vote: Vote,
    pub rows: Rows,
    pub known: Known,
}

/// Queries that one task answers together: a training row stays in the cache for all of them.
const BLOCK: usize = 16;

impl Neighbours {
    /// Whether it can predict `n_outputs` values from rows of `n_columns`.
    pub(crate) fn fits(&self, n_columns: usize, n_outputs: usize) -> bool {
        let known = match &self.known {
            Known::Numbers(numbers) => n_outputs == 1 && numbers.len() == self.rows.n_rows,
            Known::Classes { codes, n_classes } => {
                *n_classes == n_outputs
                    && codes.len() == self.rows.n_rows
                    && codes.iter().all(|code| (*code as usize) < n_outputs)
            }
        };
        known && self.k > 0 && self.rows.n_rows > 0 && self.rows.is_whole() && self.rows.n_columns == n_columns
    }

    /// A number per row, or `n_rows × n_classes` probabilities.
    pub fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        let queries = Rows::of(matrix);
        let n_blocks = queries.n_rows.div_ceil(BLOCK);
        let answers: Vec<Vec<f64>> = (0..n_blocks)
            .into_par_iter()
            .map(|block| {
                let range = block * BLOCK..((block + 1) * BLOCK).min(queries.n_rows);
                let nearest = self.nearest(&range.map(|i| queries.row(i)).collect::<Vec<_>>());
                nearest.iter().flat_map(|nearest| self.answer(nearest)).collect()
            })
            .collect();
        answers.concat()
    }

    /// Squared distance and row of the `k` nearest to each query, nearest first.
    fn nearest(&self, queries: &[&[f64]]) -> Vec<Vec<(f64, usize)>> {
        let k = self.k.min(self.rows.n_rows);
        let mut nearest: Vec<Vec<(f64, usize)>> = vec![Vec::with_capacity(k + 1); queries.len()];
        for (i, row) in self.rows.iter().enumerate() {
            for (query, nearest) in queries.iter().zip(&mut nearest) {
                let distance = squared_distance(query, row);
                if nearest.len() == k && nearest.last().is_some_and(|last| distance >= last.0) {
                    continue;
                }
                let place = nearest.partition_point(|known| known.0 <= distance);
                nearest.insert(place, (distance, i));
                nearest.truncate(k);
            }
        }
        nearest
    }

    fn answer(&self, nearest: &[(f64, usize)]) -> Vec<f64> {
        let exact = nearest.first().is_some_and(|first| first.0 == 0.0);
        let weight = |distance: f64| match self.vote {
            Vote::Uniform => 1.0,
            Vote::Distance if exact => f64::from(u8::from(distance == 0.0)),
            Vote::Distance => 1.0 / distance.sqrt(),
        };
        let total: f64 = nearest.iter().map(|(distance, _)| weight(*distance)).sum();
        match &self.known {
            Known::Numbers(numbers) => {
                let sum: f64 = nearest.iter().map(|(distance, row)| weight(*distance) * numbers[*row]).sum();
                vec![sum / total]
            }
            Known::Classes { codes, n_classes } => {
                let mut shares = vec![0.0; *n_classes];
                for (distance, row) in nearest {
                    shares[codes[*row] as usize] += weight(*distance);
                }
                for share in &mut shares {
                    *share /= total;
                }
                shares
            }
        }
    }
}
