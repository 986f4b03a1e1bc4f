//! Models that weigh features and add them up: linear, ridge, lasso and logistic regression.
//!
//! In: features without missing values. Out: a number per row, or probabilities. The fitted form is the same for all;
//! `logistic` and `least_squares` and `lasso` find the coefficients.

pub mod lasso;
pub mod least_squares;
pub mod logistic;

use serde::{Deserialize, Serialize};

use crate::ml::matrix::Matrix;
use crate::ml::rows::add_scaled;

/// What becomes of the sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// One sum, which is the number.
    Identity,
    /// One sum, which is the log-odds of the second of two classes.
    Logistic,
    /// A sum per class; probabilities are their softmax.
    Softmax,
}

/// A fitted linear model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// `n_sums × n_features`.
    pub coefficients: Vec<Vec<f64>>,
    /// `n_sums`.
    pub intercepts: Vec<f64>,
    pub link: Link,
}

impl Linear {
    /// A number per row, or `n_rows × n_classes` probabilities.
    pub fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        let sums: Vec<Vec<f64>> = self
            .coefficients
            .iter()
            .zip(&self.intercepts)
            .map(|(coefficients, intercept)| {
                let mut sums = vec![*intercept; matrix.n_rows];
                for (coefficient, column) in coefficients.iter().zip(&matrix.columns) {
                    add_scaled(&mut sums, *coefficient, column);
                }
                sums
            })
            .collect();
        match self.link {
            Link::Identity => sums.into_iter().next().unwrap_or_default(),
            Link::Logistic => sums
                .into_iter()
                .next()
                .unwrap_or_default()
                .into_iter()
                .flat_map(|sum| {
                    let second = logistic(sum);
                    [1.0 - second, second]
                })
                .collect(),
            Link::Softmax => {
                let n_classes = sums.len();
                let mut probabilities = vec![0.0; matrix.n_rows * n_classes];
                for (i, row) in probabilities.chunks_exact_mut(n_classes).enumerate() {
                    for (value, sums) in row.iter_mut().zip(&sums) {
                        *value = sums[i];
                    }
                    softmax(row);
                }
                probabilities
            }
        }
    }
}

/// `1 / (1 + e^-x)` without overflow.
pub fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let power = x.exp();
        power / (1.0 + power)
    }
}

/// Turns scores into probabilities in place; gives the logarithm of the sum of their powers.
pub fn softmax(scores: &mut [f64]) -> f64 {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        sum += *score;
    }
    for score in scores.iter_mut() {
        *score /= sum;
    }
    most + sum.ln()
}
