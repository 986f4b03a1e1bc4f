//! `svm`: support vector machines with a linear or a radial kernel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::estimator::Estimator;
use crate::ml::kernel::Function;
use crate::ml::kernel::fit::{self, Settings};
use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::rows::{Rows, real};
use crate::ml::trainers::{Diet, Fault, Kind, Task, Unfit, positive};

/// A support vector machine: one machine per pair of classes with probabilities by Platt's method, or one for a number.
/// Time grows with the square of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Svm {
    /// How alike two rows are. Default: rbf.
    pub kernel: Shape,
    /// The price of a row on the wrong side, above 0. Default: 1.
    pub c: f64,
    /// How narrow the radial kernel is. Default: scale.
    pub gamma: Gamma,
    /// For numbers: how far a prediction may be off at no cost, from 0. Default: 0.1.
    pub epsilon: f64,
    /// How close to the optimum it goes, above 0. Default: 0.001.
    pub tolerance: f64,
}

impl Default for Svm {
    fn default() -> Self {
        Svm { kernel: Shape::Rbf, c: 1.0, gamma: Gamma::Rule(Rule::Scale), epsilon: 0.1, tolerance: 1e-3 }
    }
}

/// A kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Shape {
    /// The inner product: classes are parted by planes.
    Linear,
    /// A bell around each row.
    Rbf,
}

/// How narrow the radial kernel is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Gamma {
    Rule(Rule),
    /// A number above 0.
    Number(f64),
}

/// A width by the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Rule {
    /// `1 / (n_features × variance of all their values)`.
    Scale,
    /// `1 / n_features`.
    Auto,
}

impl Gamma {
    fn value(self, rows: &Rows) -> f64 {
        let width = real(rows.n_columns);
        match self {
            Gamma::Number(gamma) => gamma,
            Gamma::Rule(Rule::Auto) => 1.0 / width,
            Gamma::Rule(Rule::Scale) => {
                let n = real(rows.values.len());
                let mean = rows.values.iter().sum::<f64>() / n;
                let variance = rows.values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
                if variance > 0.0 { 1.0 / (width * variance) } else { 1.0 }
            }
        }
    }
}

impl Kind for Svm {
    fn name(&self) -> &'static str {
        "svm"
    }

    fn does(&self, _: Task) -> bool {
        true
    }

    fn diet(&self) -> Diet {
        Diet::Scaled
    }

    fn faults(&self) -> Vec<Fault> {
        let gamma = match self.gamma {
            Gamma::Rule(Rule::Scale | Rule::Auto) => None,
            Gamma::Number(gamma) => positive("gamma", gamma),
        };
        let epsilon = Fault { parameter: "epsilon", must: "a number from 0" };
        positive("c", self.c)
            .into_iter()
            .chain(positive("tolerance", self.tolerance))
            .chain(gamma)
            .chain((!(self.epsilon >= 0.0 && self.epsilon.is_finite())).then_some(epsilon))
            .collect()
    }

    fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, seed: u64) -> Result<Estimator, Unfit> {
        let rows = Rows::of(matrix);
        let function = match self.kernel {
            Shape::Linear => Function::Linear,
            Shape::Rbf => Function::Rbf { gamma: self.gamma.value(&rows) },
        };
        let settings = Settings { function, c: self.c, epsilon: self.epsilon, tolerance: self.tolerance, seed };
        Ok(Estimator::Kernel(match outcome {
            Outcome::Class { codes, n_classes } => fit::classes(settings, &rows, codes, n_classes, weights),
            Outcome::Number(numbers) => fit::numbers(settings, &rows, numbers, weights),
        }))
    }
}
