//! `linear_regression`: least squares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::estimator::Estimator;
use crate::ml::linear::least_squares;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, numbers};

/// Least squares without a penalty. Features that depend on others get a coefficient of 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct LinearRegression {}

impl Kind for LinearRegression {
    fn name(&self) -> &'static str {
        "linear_regression"
    }

    fn does(&self, task: Task) -> bool {
        task == Task::Regression
    }

    fn diet(&self) -> Diet {
        Diet::Scaled
    }

    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }

    fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, _seed: u64) -> Result<Estimator, Unfit> {
        Ok(Estimator::Linear(least_squares::ordinary(&matrix.columns, numbers(outcome), weights)))
    }
}
