//! `gradient_boosting`: trees that correct each other. Parameters and growth are in
//! [`boosting`](crate::ml::trees::boosting).

use crate::ml::estimator::Estimator;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit};
use crate::ml::trees::boosting::GradientBoosting;

impl Kind for GradientBoosting {
    fn name(&self) -> &'static str {
        "gradient_boosting"
    }

    fn does(&self, _: Task) -> bool {
        true
    }

    fn diet(&self) -> Diet {
        Diet::Raw
    }

    fn faults(&self) -> Vec<Fault> {
        self.fault().map(|(parameter, must)| Fault { parameter, must }).into_iter().collect()
    }

    fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, seed: u64) -> Result<Estimator, Unfit> {
        Ok(Estimator::Trees(GradientBoosting::fit(self, matrix, outcome, weights, seed)))
    }
}
