//! `last_value`: the baseline of what comes in the order of time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::constant::Constant;
use crate::ml::estimator::Estimator;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit};

/// The last outcome, whatever the features, for rows in the order of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct LastValue {}

impl Kind for LastValue {
    fn name(&self) -> &'static str {
        "last_value"
    }

    fn does(&self, _: Task) -> bool {
        true
    }

    fn diet(&self) -> Diet {
        Diet::Raw
    }

    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }

    fn fit(
        &self,
        _matrix: &Matrix,
        outcome: Outcome,
        _weights: Option<&[f64]>,
        _seed: u64,
    ) -> Result<Estimator, Unfit> {
        Ok(Estimator::Constant(Constant::last(outcome)))
    }
}
