//! `knn`: k nearest neighbours.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::estimator::Estimator;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::neighbours::{Known, Neighbours, Vote};
use crate::ml::rows::Rows;
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, counted};

/// The mean outcome, or the most frequent class, of the training rows that are nearest by Euclidean distance. The model
/// holds all training rows. Row weights count for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Knn {
    /// How many neighbours are asked. Default: 5.
    pub k: usize,
    /// How much each counts. Default: uniform.
    pub vote: Vote,
}

impl Default for Knn {
    fn default() -> Self {
        Knn { k: 5, vote: Vote::Uniform }
    }
}

impl Kind for Knn {
    fn name(&self) -> &'static str {
        "knn"
    }

    fn does(&self, _: Task) -> bool {
        true
    }

    fn diet(&self) -> Diet {
        Diet::Scaled
    }

    fn faults(&self) -> Vec<Fault> {
        counted("k", self.k).into_iter().collect()
    }

    fn fit(&self, matrix: &Matrix, outcome: Outcome, _weights: Option<&[f64]>, _seed: u64) -> Result<Estimator, Unfit> {
        let known = match outcome {
            Outcome::Class { codes, n_classes } => Known::Classes { codes: codes.to_vec(), n_classes },
            Outcome::Number(numbers) => Known::Numbers(numbers.to_vec()),
        };
        Ok(Estimator::Neighbours(Neighbours { k: self.k, vote: self.vote, rows: Rows::of(matrix), known }))
    }
}
