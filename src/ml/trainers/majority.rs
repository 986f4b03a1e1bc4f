//! `majority`: the baseline of classifiers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::constant::Constant;
use crate::ml::estimator::Estimator;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, classes};

/// The most frequent class, whatever the features: what any classifier must beat. The probabilities are the classes'
/// shares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Majority {}

impl Kind for Majority {
    fn name(&self) -> &'static str {
        "majority"
    }

    fn does(&self, task: Task) -> bool {
        task == Task::Classification
    }

    fn diet(&self) -> Diet {
        Diet::Raw
    }

    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }

    fn fit(&self, _matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, _seed: u64) -> Result<Estimator, Unfit> {
        let (codes, n_classes) = classes(outcome);
        Ok(Estimator::Constant(Constant::shares(codes, n_classes, weights)))
    }
}
