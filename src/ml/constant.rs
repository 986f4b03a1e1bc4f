//! Baselines, which look at no feature: what a model must beat.

use serde::{Deserialize, Serialize};

use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::rows::real;

/// The same answer for every row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// A number, or a probability per class.
    pub values: Vec<f64>,
}

impl Constant {
    /// The weighted share of each class; its most frequent class is the answer.
    pub fn shares(codes: &[u32], n_classes: usize, weights: Option<&[f64]>) -> Self {
        let mut values = vec![0.0; n_classes];
        for (i, code) in codes.iter().enumerate() {
            values[*code as usize] += weights.map_or(1.0, |weights| weights[i]);
        }
        let total: f64 = values.iter().sum();
        for value in &mut values {
            *value /= total;
        }
        Constant { values }
    }

    /// The weighted mean.
    pub fn mean(numbers: &[f64], weights: Option<&[f64]>) -> Self {
        let sum: f64 = match weights {
            None => numbers.iter().sum::<f64>() / real(numbers.len()),
            Some(weights) => {
                let total: f64 = weights.iter().sum();
                numbers.iter().zip(weights).map(|(number, weight)| number * weight).sum::<f64>() / total
            }
        };
        Constant { values: vec![sum] }
    }

    /// The last row's outcome, the rows being in the order of time. There is at least one.
    pub fn last(outcome: Outcome) -> Self {
        let values = match outcome {
            Outcome::Number(numbers) => numbers.last().copied().into_iter().collect(),
            Outcome::Class { codes, n_classes } => {
                let mut values = vec![0.0; n_classes];
                if let Some(code) = codes.last() {
                    values[*code as usize] = 1.0;
                }
                values
            }
        };
        Constant { values }
    }

    /// The values, once per row.
    pub fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        self.values.repeat(matrix.n_rows)
    }
}
