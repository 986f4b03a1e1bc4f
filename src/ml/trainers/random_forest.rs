//! `random_forest`: trees on samples of the rows. Parameters and growth are in [`forest`](crate::ml::trees::forest).

use crate::ml::estimator::Estimator;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit};
use crate::ml::trees::forest::RandomForest;

impl Kind for RandomForest {
    fn name(&self) -> &'static str {
        "random_forest"
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
        Ok(Estimator::Trees(RandomForest::fit(self, matrix, outcome, weights, seed)))
    }
}
