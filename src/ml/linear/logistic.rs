//! Logistic regression: sigmoid for two classes, softmax for more, with an L2 penalty.
//!
//! The objective is scikit-learn's: the weighted mean of the log losses plus `|w|² / (2 C Σ weights)`; intercepts carry no
//! penalty. Rows are summed in blocks of a fixed size and the blocks in order, so that threads don't change the result.

use rayon::prelude::*;

use crate::ml::linear::{Linear, Link, logistic, softmax};
use crate::ml::minimise::{Minimum, minimise};
use crate::ml::rows::{Rows, add_scaled, dot, real};

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The inverse of the penalty's strength, above 0.
    pub c: f64,
    pub max_iterations: u32,
    /// The largest component of the gradient at which the search ends.
    pub tolerance: f64,
}

const BLOCK: usize = 2048;

/// Fits the classes `codes`; each row counts `weights`, if given.
pub fn fit(settings: Settings, rows: &Rows, codes: &[u32], n_classes: usize, weights: Option<&[f64]>) -> Linear {
    let n_sums = if n_classes == 2 { 1 } else { n_classes };
    let width = rows.n_columns + 1;
    let total: f64 = weights.map_or(real(rows.n_rows), |weights| weights.iter().sum());
    let penalty = 1.0 / (settings.c * total);
    let start = vec![0.0; n_sums * width];
    let Minimum { point, .. } = minimise(start, settings.max_iterations, settings.tolerance, |point, gradient| {
        let mut loss = losses(rows, codes, n_sums, weights, point, gradient) / total;
        for g in gradient.iter_mut() {
            *g /= total;
        }
        for (row, slopes) in point.chunks_exact(width).zip(gradient.chunks_exact_mut(width)) {
            let (row, slopes) = (&row[..width - 1], &mut slopes[..width - 1]);
            loss += 0.5 * penalty * dot(row, row);
            add_scaled(slopes, penalty, row);
        }
        loss
    });
    Linear {
        coefficients: point.chunks_exact(width).map(|row| row[..width - 1].to_vec()).collect(),
        intercepts: point.chunks_exact(width).map(|row| row[width - 1]).collect(),
        link: if n_classes == 2 { Link::Logistic } else { Link::Softmax },
    }
}

/// The sum of the rows' losses; writes the sum of their gradients.
fn losses(
    rows: &Rows,
    codes: &[u32],
    n_sums: usize,
    weights: Option<&[f64]>,
    point: &[f64],
    gradient: &mut [f64],
) -> f64 {
    let n_blocks = rows.n_rows.div_ceil(BLOCK);
    let blocks: Vec<(f64, Vec<f64>)> = (0..n_blocks)
        .into_par_iter()
        .map(|block| {
            let range = block * BLOCK..((block + 1) * BLOCK).min(rows.n_rows);
            let mut slopes = vec![0.0; point.len()];
            let mut loss = 0.0;
            let mut scores = vec![0.0; n_sums];
            for i in range {
                let weight = weights.map_or(1.0, |weights| weights[i]);
                let row = rows.row(i);
                loss += weight * row_loss(row, codes[i] as usize, point, &mut scores);
                for (score, slopes) in scores.iter().zip(slopes.chunks_exact_mut(row.len() + 1)) {
                    let residual = weight * score;
                    let (own, intercept) = slopes.split_at_mut(row.len());
                    add_scaled(own, residual, row);
                    intercept[0] += residual;
                }
            }
            (loss, slopes)
        })
        .collect();
    gradient.fill(0.0);
    let mut total = 0.0;
    for (loss, slopes) in blocks {
        total += loss;
        add_scaled(gradient, 1.0, &slopes);
    }
    total
}

/// The loss of one row; leaves its residuals, predicted less true, in `scores`.
fn row_loss(row: &[f64], code: usize, point: &[f64], scores: &mut [f64]) -> f64 {
    for (score, sum) in scores.iter_mut().zip(point.chunks_exact(row.len() + 1)) {
        *score = dot(&sum[..row.len()], row) + sum[row.len()];
    }
    if let [score] = scores {
        let signed = if code == 1 { -*score } else { *score };
        // log(1 + e^x) without overflow.
        let loss = if signed > 0.0 { signed + (-signed).exp().ln_1p() } else { signed.exp().ln_1p() };
        *score = logistic(*score) - if code == 1 { 1.0 } else { 0.0 };
        return loss;
    }
    let own = scores[code];
    let loss = softmax(scores) - own;
    scores[code] -= 1.0;
    loss
}
