//! Support vector machines: a machine per pair of classes, or one for a number.
//!
//! In: features without missing values, best on one scale. Out: numbers, or probabilities by Platt's sigmoid per pair and
//! the coupling of Wu, Lin and Weng (2004), as in libsvm. `solver` trains one machine, `gram` holds kernel values, `fit`
//! makes the model of them.

pub mod fit;
mod gram;
pub(crate) mod probability;
mod solver;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ml::matrix::Matrix;
use crate::ml::rows::{Rows, dot, greatest, squared_distance};

/// How alike two rows are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// Their inner product.
    Linear,
    /// `e^(-gamma |a - b|²)`.
    Rbf { gamma: f64 },
}

impl Function {
    fn value(self, a: &[f64], b: &[f64]) -> f64 {
        match self {
            Function::Linear => dot(a, b),
            Function::Rbf { gamma } => (-gamma * squared_distance(a, b)).exp(),
        }
    }
}

/// A weighted sum of kernel values. With a linear kernel it is one vector of weight 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Rows of [`Kernel::vectors`].
    pub vectors: Vec<u32>,
    /// As many.
    pub weights: Vec<f64>,
    pub offset: f64,
}

/// A machine that tells two classes apart: its sum is above 0 for `first`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub first: u32,
    pub second: u32,
    pub machine: Machine,
    /// The probability of `first` is `1 / (1 + e^(slope × sum + shift))`.
    pub slope: f64,
    pub shift: f64,
}

/// What the machines give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Number(Machine),
    /// Every pair of the classes that the training rows had.
    Classes {
        n_classes: usize,
        pairs: Vec<Pair>,
    },
}

/// A fitted support vector machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    pub function: Function,
    pub vectors: Rows,
    pub answer: Answer,
}

impl Machine {
    fn sum(&self, values: &[f64]) -> f64 {
        let sum: f64 = self.vectors.iter().zip(&self.weights).map(|(row, weight)| values[*row as usize] * weight).sum();
        sum - self.offset
    }
}

impl Kernel {
    /// Whether it can predict `n_outputs` values from rows of `n_columns`.
    pub(crate) fn fits(&self, n_columns: usize, n_outputs: usize) -> bool {
        let sound = |machine: &Machine| {
            machine.vectors.len() == machine.weights.len()
                && machine.vectors.iter().all(|row| (*row as usize) < self.vectors.n_rows)
        };
        self.vectors.is_whole()
            && self.vectors.n_columns == n_columns
            && match &self.answer {
                Answer::Number(machine) => n_outputs == 1 && sound(machine),
                Answer::Classes { n_classes, pairs } => {
                    *n_classes == n_outputs
                        && !pairs.is_empty()
                        && pairs.iter().all(|pair| {
                            sound(&pair.machine)
                                && (pair.first.max(pair.second) as usize) < n_outputs
                                && pair.first != pair.second
                        })
                }
            }
    }

    /// A number per row, or `n_rows × n_classes` probabilities.
    pub fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        let rows = Rows::of(matrix);
        let answers: Vec<Vec<f64>> = (0..rows.n_rows)
            .into_par_iter()
            .with_min_len(16)
            .map(|i| {
                let values: Vec<f64> =
                    self.vectors.iter().map(|vector| self.function.value(rows.row(i), vector)).collect();
                match &self.answer {
                    Answer::Number(machine) => vec![machine.sum(&values)],
                    Answer::Classes { n_classes, pairs } => probabilities(*n_classes, pairs, &values),
                }
            })
            .collect();
        answers.concat()
    }
}

fn probabilities(n_classes: usize, pairs: &[Pair], values: &[f64]) -> Vec<f64> {
    let mut present: Vec<u32> = pairs.iter().flat_map(|pair| [pair.first, pair.second]).collect();
    present.sort_unstable();
    present.dedup();
    let place = |code: u32| present.binary_search(&code).expect("a class of a pair");
    let mut pairwise = vec![vec![0.0; present.len()]; present.len()];
    let mut votes = vec![0.0; present.len()];
    for pair in pairs {
        let sum = pair.machine.sum(values);
        let first = probability::sigmoid(sum, pair.slope, pair.shift).clamp(1e-7, 1.0 - 1e-7);
        let (i, j) = (place(pair.first), place(pair.second));
        votes[if sum > 0.0 { i } else { j }] += 1.0;
        pairwise[i][j] = first;
        pairwise[j][i] = 1.0 - first;
    }
    let mut shares = probability::couple(&pairwise);
    // libsvm answers by votes and may give another class the greatest probability; here the two agree. Of two classes the
    // probability alone decides, whose order must stay that of the sums.
    if shares.len() > 2 {
        let likeliest = greatest(&shares);
        shares.swap(greatest(&votes), likeliest);
    }
    let mut all = vec![0.0; n_classes];
    for (code, share) in present.iter().zip(shares) {
        all[*code as usize] = share;
    }
    all
}
