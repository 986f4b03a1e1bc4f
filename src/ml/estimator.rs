//! What trainers make: one closed set of fitted forms, each of which predicts.

use serde::{Deserialize, Serialize};

use crate::ml::bayes::Bayes;
use crate::ml::constant::Constant;
use crate::ml::kernel::Kernel;
use crate::ml::linear::{Linear, Link};
use crate::ml::matrix::Matrix;
use crate::ml::neighbours::Neighbours;
use crate::ml::network::Network;
use crate::ml::trees::Trees;

/// A fitted model over numeric features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    Constant(Constant),
    Linear(Linear),
    Kernel(Kernel),
    Neighbours(Neighbours),
    Bayes(Bayes),
    Network(Network),
    Trees(Trees),
}

impl Estimator {
    /// A number per row, or `n_rows × n_classes` probabilities. The columns are those of training.
    pub fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        match self {
            Estimator::Constant(constant) => constant.predict(matrix),
            Estimator::Linear(linear) => linear.predict(matrix),
            Estimator::Kernel(kernel) => kernel.predict(matrix),
            Estimator::Neighbours(neighbours) => neighbours.predict(matrix),
            Estimator::Bayes(bayes) => bayes.predict(matrix),
            Estimator::Network(network) => network.predict(matrix),
            Estimator::Trees(trees) => trees.predict(matrix),
        }
    }
}

impl Estimator {
    /// Whether it can predict `n_outputs` values from rows of `n_columns`: what was read from a file may lie.
    pub fn fits(&self, n_columns: usize, n_outputs: usize) -> bool {
        match self {
            Estimator::Constant(constant) => constant.values.len() == n_outputs,
            Estimator::Linear(linear) => {
                let n_sums = if linear.link == Link::Logistic { 1 } else { n_outputs };
                linear.intercepts.len() == n_sums
                    && linear.coefficients.len() == n_sums
                    && linear.coefficients.iter().all(|row| row.len() == n_columns)
                    && (linear.link != Link::Logistic || n_outputs == 2)
            }
            Estimator::Kernel(kernel) => kernel.fits(n_columns, n_outputs),
            Estimator::Neighbours(neighbours) => neighbours.fits(n_columns, n_outputs),
            Estimator::Bayes(bayes) => {
                bayes.n_classes == n_outputs
                    && !bayes.classes.is_empty()
                    && bayes.classes.iter().all(|class| {
                        (class.code as usize) < n_outputs
                            && class.means.len() == n_columns
                            && class.variances.len() == n_columns
                    })
            }
            Estimator::Network(network) => network.fits(n_columns, n_outputs),
            Estimator::Trees(trees) => trees.n_features() == n_columns && trees.n_outputs() == n_outputs,
        }
    }
}
