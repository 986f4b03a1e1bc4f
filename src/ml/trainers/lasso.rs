//! `lasso`: least squares with a penalty on absolute values, or on these and squares (elastic net).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::estimator::Estimator;
use crate::ml::linear::lasso::{self, Settings};
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, numbers, positive};

/// Least squares with a penalty on the absolute values of the coefficients, which makes some of them 0. With an `l1_ratio`
/// below 1 it is the elastic net.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Lasso {
    /// The strength of the penalty, above 0. Default: 1.
    pub alpha: f64,
    /// The share of the penalty that is on absolute values, from 0 to 1; the rest is on squares. Default: 1.
    pub l1_ratio: f64,
    /// How many rounds over the coefficients there are at most. Default: 1000.
    pub max_iterations: u32,
    /// How close to the optimum it goes, as a share of the outcome's squares. Default: 0.0001.
    pub tolerance: f64,
}

impl Default for Lasso {
    fn default() -> Self {
        Lasso { alpha: 1.0, l1_ratio: 1.0, max_iterations: 1000, tolerance: 1e-4 }
    }
}

impl Kind for Lasso {
    fn name(&self) -> &'static str {
        "lasso"
    }

    fn does(&self, task: Task) -> bool {
        task == Task::Regression
    }

    fn diet(&self) -> Diet {
        Diet::Scaled
    }

    fn faults(&self) -> Vec<Fault> {
        let ratio = Fault { parameter: "l1_ratio", must: "from 0 to 1" };
        positive("alpha", self.alpha)
            .into_iter()
            .chain(positive("tolerance", self.tolerance))
            .chain((!(0.0..=1.0).contains(&self.l1_ratio)).then_some(ratio))
            .collect()
    }

    fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, _seed: u64) -> Result<Estimator, Unfit> {
        let settings = Settings {
            alpha: self.alpha,
            l1_ratio: self.l1_ratio,
            max_iterations: self.max_iterations,
            tolerance: self.tolerance,
        };
        Ok(Estimator::Linear(lasso::fit(settings, &matrix.columns, numbers(outcome), weights)))
    }
}
