//! `naive_bayes`: Gaussian naive Bayes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::bayes;
use crate::ml::estimator::Estimator;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, classes};

/// Gaussian naive Bayes: within a class each feature is normal and independent of the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct NaiveBayes {
    /// The share of the largest feature variance that is added to all variances, from 0. Default: 0.000000001.
    pub smoothing: f64,
}

impl Default for NaiveBayes {
    fn default() -> Self {
        NaiveBayes { smoothing: 1e-9 }
    }
}

impl Kind for NaiveBayes {
    fn name(&self) -> &'static str {
        "naive_bayes"
    }

    fn does(&self, task: Task) -> bool {
        task == Task::Classification
    }

    fn diet(&self) -> Diet {
        Diet::Scaled
    }

    fn faults(&self) -> Vec<Fault> {
        let fault = Fault { parameter: "smoothing", must: "a number from 0" };
        (!(self.smoothing >= 0.0 && self.smoothing.is_finite())).then_some(fault).into_iter().collect()
    }

    fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, _seed: u64) -> Result<Estimator, Unfit> {
        let (codes, n_classes) = classes(outcome);
        Ok(Estimator::Bayes(bayes::fit(matrix, codes, n_classes, weights, self.smoothing)))
    }
}
