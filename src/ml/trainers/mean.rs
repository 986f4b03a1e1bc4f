//! `mean`: the baseline of regression.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::constant::Constant;
use crate::ml::estimator::Estimator;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, numbers};

/// The mean of the outcomes, whatever the features: what any regression must beat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Mean {}

impl Kind for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn does(&self, task: Task) -> bool {
        task == Task::Regression
    }

    fn diet(&self) -> Diet {
        Diet::Raw
    }

    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }

    fn fit(&self, _matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, _seed: u64) -> Result<Estimator, Unfit> {
        Ok(Estimator::Constant(Constant::mean(numbers(outcome), weights)))
    }
}
