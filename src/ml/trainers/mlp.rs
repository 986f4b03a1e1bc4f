//! `mlp`: neural networks of full layers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::estimator::Estimator;
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::network::fit::Settings;
use crate::ml::network::{self, Activation, Layer};
use crate::ml::rows::Rows;
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, counted, positive};

/// A neural network of full layers, trained by Adam.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Mlp {
    /// The widths of the hidden layers. Default: [100].
    pub hidden: Vec<usize>,
    /// What a hidden layer does to its sums. Default: relu.
    pub activation: Activation,
    /// The strength of the penalty on squared weights, from 0. Default: 0.0001.
    pub alpha: f64,
    /// The length of the steps, above 0. Default: 0.001.
    pub learning_rate: f64,
    /// Rows per step. Default: 200, or all rows if there are fewer.
    pub batch_size: usize,
    /// How often all rows are seen at most. Default: 200.
    pub max_epochs: u32,
    /// What counts as an improvement. Default: 0.0001.
    pub tolerance: f64,
    /// Epochs without an improvement after which training ends. Default: 10.
    pub patience: u32,
    /// Judge improvement by rows kept aside, and keep the best network. Default: false, by the training loss.
    pub early_stopping: bool,
    /// The share of rows kept aside for early stopping. Default: 0.1.
    pub validation_fraction: f64,
}

impl Default for Mlp {
    fn default() -> Self {
        Mlp {
            hidden: vec![100],
            activation: Activation::Relu,
            alpha: 1e-4,
            learning_rate: 1e-3,
            batch_size: 200,
            max_epochs: 200,
            tolerance: 1e-4,
            patience: 10,
            early_stopping: false,
            validation_fraction: 0.1,
        }
    }
}

impl Kind for Mlp {
    fn name(&self) -> &'static str {
        "mlp"
    }

    fn does(&self, _: Task) -> bool {
        true
    }

    fn diet(&self) -> Diet {
        Diet::Scaled
    }

    fn faults(&self) -> Vec<Fault> {
        let alpha = Fault { parameter: "alpha", must: "a number from 0" };
        let fraction = Fault { parameter: "validation_fraction", must: "between 0 and 1" };
        positive("learning_rate", self.learning_rate)
            .into_iter()
            .chain(self.hidden.iter().find_map(|width| counted("hidden", *width)))
            .chain(counted("batch_size", self.batch_size))
            .chain((!(self.alpha >= 0.0 && self.alpha.is_finite())).then_some(alpha))
            .chain((!(self.validation_fraction > 0.0 && self.validation_fraction < 1.0)).then_some(fraction))
            .collect()
    }

    fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, seed: u64) -> Result<Estimator, Unfit> {
        let settings = Settings {
            hidden: self.hidden.clone(),
            activation: self.activation,
            alpha: self.alpha,
            learning_rate: self.learning_rate,
            batch_size: self.batch_size.min(matrix.n_rows),
            max_epochs: self.max_epochs,
            tolerance: self.tolerance,
            patience: self.patience,
            validation: self.early_stopping.then_some(self.validation_fraction),
            seed,
        };
        let network = network::fit::fit(&settings, &Rows::of(matrix), outcome, weights);
        let sound = |layer: &Layer| layer.weights.values.iter().chain(&layer.offsets).all(|value| value.is_finite());
        if network.layers.iter().all(sound) {
            Ok(Estimator::Network(network))
        } else {
            Err(Unfit::Diverged { trainer: self.name() })
        }
    }
}
