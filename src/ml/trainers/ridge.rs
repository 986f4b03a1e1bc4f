//! `ridge`: least squares with a penalty on squares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::estimator::Estimator;
use crate::ml::linear::least_squares;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, numbers, positive};

/// Least squares with a penalty on the squares of the coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Ridge {
    /// The strength of the penalty, above 0. Default: 1.
    pub alpha: f64,
}

impl Default for Ridge {
    fn default() -> Self {
        Ridge { alpha: 1.0 }
    }
}

impl Kind for Ridge {
    fn name(&self) -> &'static str {
        "ridge"
    }

    fn does(&self, task: Task) -> bool {
        task == Task::Regression
    }

    fn diet(&self) -> Diet {
        Diet::Scaled
    }

    fn faults(&self) -> Vec<Fault> {
        positive("alpha", self.alpha).into_iter().collect()
    }

    fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, _seed: u64) -> Result<Estimator, Unfit> {
        let linear = least_squares::ridge(&matrix.columns, numbers(outcome), weights, self.alpha);
        Ok(Estimator::Linear(linear))
    }
}
