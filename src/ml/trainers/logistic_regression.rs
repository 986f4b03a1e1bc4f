//! `logistic_regression`: logistic regression for two or more classes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::estimator::Estimator;
use crate::ml::linear::logistic::{self, Settings};
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::rows::Rows;
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, classes, positive};

/// Logistic regression with a penalty on the squares of the coefficients; with more than two classes it is multinomial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct LogisticRegression {
    /// The inverse of the penalty's strength, above 0: smaller is stronger. Default: 1.
    pub c: f64,
    /// How many steps the search takes at most. Default: 100.
    pub max_iterations: u32,
    /// The slope at which the search ends, above 0. Default: 0.0001.
    pub tolerance: f64,
}

impl Default for LogisticRegression {
    fn default() -> Self {
        LogisticRegression { c: 1.0, max_iterations: 100, tolerance: 1e-4 }
    }
}

impl Kind for LogisticRegression {
    fn name(&self) -> &'static str {
        "logistic_regression"
    }

    fn does(&self, task: Task) -> bool {
        task == Task::Classification
    }

    fn diet(&self) -> Diet {
        Diet::Scaled
    }

    fn faults(&self) -> Vec<Fault> {
        positive("c", self.c).into_iter().chain(positive("tolerance", self.tolerance)).collect()
    }

    fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, _seed: u64) -> Result<Estimator, Unfit> {
        let (codes, n_classes) = classes(outcome);
        let settings = Settings { c: self.c, max_iterations: self.max_iterations, tolerance: self.tolerance };
        Ok(Estimator::Linear(logistic::fit(settings, &Rows::of(matrix), codes, n_classes, weights)))
    }
}
