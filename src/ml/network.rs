//! Neural networks of full layers (multi-layer perceptrons).
//!
//! In: features without missing values, best on one scale. Out: numbers or probabilities. `fit` trains them.

pub mod fit;
mod product;

use serde::{Deserialize, Serialize};

use crate::ml::linear::{Link, logistic, softmax};
use crate::ml::matrix::Matrix;
use crate::ml::network::product::product;
use crate::ml::rows::Rows;

/// What a hidden layer does to its sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Activation {
    /// `max(0, x)`.
    #[default]
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e^-x)`.
    Logistic,
}

impl Activation {
    fn apply(self, sums: &mut [f64]) {
        match self {
            Activation::Relu => sums.iter_mut().for_each(|x| *x = x.max(0.0)),
            Activation::Tanh => sums.iter_mut().for_each(|x| *x = x.tanh()),
            Activation::Logistic => sums.iter_mut().for_each(|x| *x = logistic(*x)),
        }
    }

    /// Multiplies `slopes` by the derivative, which is known from what the layer gave.
    fn derive(self, slopes: &mut [f64], outputs: &[f64]) {
        let pairs = slopes.iter_mut().zip(outputs);
        match self {
            Activation::Relu => pairs.for_each(|(slope, x)| *slope = if *x > 0.0 { *slope } else { 0.0 }),
            Activation::Tanh => pairs.for_each(|(slope, x)| *slope *= 1.0 - x * x),
            Activation::Logistic => pairs.for_each(|(slope, x)| *slope *= x * (1.0 - x)),
        }
    }
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// `n_inputs × n_outputs`.
    pub weights: Rows,
    /// `n_outputs`.
    pub offsets: Vec<f64>,
}

/// A fitted network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    pub activation: Activation,
    /// From the features to the output.
    pub layers: Vec<Layer>,
    /// What becomes of the last layer's sums.
    pub link: Link,
}

impl Network {
    /// Whether it can predict `n_outputs` values from rows of `n_columns`.
    pub(crate) fn fits(&self, n_columns: usize, n_outputs: usize) -> bool {
        let mut width = n_columns;
        for layer in &self.layers {
            let sound = layer.weights.is_whole() && layer.weights.n_rows == width && layer.weights.n_columns > 0;
            if !sound || layer.offsets.len() != layer.weights.n_columns {
                return false;
            }
            width = layer.weights.n_columns;
        }
        !self.layers.is_empty() && width + usize::from(self.link == Link::Logistic) == n_outputs
    }

    /// A number per row, or `n_rows × n_classes` probabilities.
    pub fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        let rows = Rows::of(matrix);
        let outputs = self.forward(&rows).pop().unwrap_or(rows);
        match self.link {
            Link::Identity | Link::Softmax => outputs.values,
            Link::Logistic => outputs.values.iter().flat_map(|second| [1.0 - second, *second]).collect(),
        }
    }

    /// What each layer gives; the last through the link.
    fn forward(&self, rows: &Rows) -> Vec<Rows> {
        let mut outputs: Vec<Rows> = Vec::with_capacity(self.layers.len());
        for (depth, layer) in self.layers.iter().enumerate() {
            let inputs = outputs.last().unwrap_or(rows);
            let mut sums = product(inputs, &layer.weights);
            let width = sums.n_columns;
            for row in sums.values.chunks_exact_mut(width) {
                row.iter_mut().zip(&layer.offsets).for_each(|(x, offset)| *x += offset);
            }
            if depth + 1 < self.layers.len() {
                self.activation.apply(&mut sums.values);
            } else {
                match self.link {
                    Link::Identity => {}
                    Link::Logistic => sums.values.iter_mut().for_each(|x| *x = logistic(*x)),
                    Link::Softmax => sums.values.chunks_exact_mut(width).for_each(|row| {
                        softmax(row);
                    }),
                }
            }
            outputs.push(sums);
        }
        outputs
    }
}
