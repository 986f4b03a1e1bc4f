//! Gaussian naive Bayes: each feature is normal within a class, and features don't depend on each other.
//!
//! In: features without missing values. Out: probabilities. Variances get a share of the largest feature variance added,
//! as in scikit-learn, so that a feature that is constant within a class divides by no zero.

use serde::{Deserialize, Serialize};

use crate::ml::linear::softmax;
use crate::ml::matrix::Matrix;
use crate::ml::rows::real;

/// A fitted model. A class that the training rows lacked has no entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bayes {
    pub n_classes: usize,
    pub classes: Vec<Class>,
}

/// One class: how frequent it is, and its features' distributions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    pub code: u32,
    /// Its share of the weight, above 0.
    pub prior: f64,
    /// By feature.
    pub means: Vec<f64>,
    /// By feature, each above 0.
    pub variances: Vec<f64>,
}

/// Fits classes. `smoothing` is the share of the largest variance that is added to all.
pub fn fit(matrix: &Matrix, codes: &[u32], n_classes: usize, weights: Option<&[f64]>, smoothing: f64) -> Bayes {
    let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
    let widest = matrix
        .columns
        .iter()
        .map(|column| {
            let mean = column.iter().sum::<f64>() / real(column.len());
            column.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / real(column.len())
        })
        .fold(0.0, f64::max);
    // Where all features are constant, a variance still divides.
    let added = (smoothing * widest).max(f64::MIN_POSITIVE);
    let mut totals = vec![0.0; n_classes];
    for (i, code) in codes.iter().enumerate() {
        totals[*code as usize] += weight(i);
    }
    let all: f64 = totals.iter().sum();
    let by_class = |column: &[f64], term: &dyn Fn(usize, f64) -> f64| {
        let mut sums = vec![0.0; n_classes];
        for (i, x) in column.iter().enumerate() {
            let code = codes[i] as usize;
            sums[code] += weight(i) * term(code, *x);
        }
        sums.iter_mut().zip(&totals).for_each(|(sum, total)| *sum /= total);
        sums
    };
    let means: Vec<Vec<f64>> = matrix.columns.iter().map(|column| by_class(column, &|_, x| x)).collect();
    let variances: Vec<Vec<f64>> = matrix
        .columns
        .iter()
        .zip(&means)
        .map(|(column, means)| by_class(column, &|code, x| (x - means[code]) * (x - means[code])))
        .collect();
    let classes = (0u32..)
        .zip(&totals)
        .filter(|(_, total)| **total > 0.0)
        .map(|(code, total)| Class {
            code,
            prior: total / all,
            means: means.iter().map(|means| means[code as usize]).collect(),
            variances: variances.iter().map(|variances| variances[code as usize] + added).collect(),
        })
        .collect();
    Bayes { n_classes, classes }
}

impl Bayes {
    /// `n_rows × n_classes` probabilities.
    pub fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        let constants: Vec<f64> = self
            .classes
            .iter()
            .map(|class| {
                let spread: f64 = class.variances.iter().map(|variance| (std::f64::consts::TAU * variance).ln()).sum();
                class.prior.ln() - 0.5 * spread
            })
            .collect();
        let mut probabilities = vec![0.0; matrix.n_rows * self.n_classes];
        let mut scores = vec![0.0; self.classes.len()];
        for (i, row) in probabilities.chunks_exact_mut(self.n_classes.max(1)).enumerate() {
            for ((class, constant), score) in self.classes.iter().zip(&constants).zip(&mut scores) {
                let distance: f64 = matrix
                    .columns
                    .iter()
                    .zip(class.means.iter().zip(&class.variances))
                    .map(|(column, (mean, variance))| (column[i] - mean) * (column[i] - mean) / variance)
                    .sum();
                *score = constant - 0.5 * distance;
            }
            softmax(&mut scores);
            for (class, score) in self.classes.iter().zip(&scores) {
                row[class.code as usize] = *score;
            }
        }
        probabilities
    }
}
