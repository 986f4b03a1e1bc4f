//! How good predictions are: one number each, and curves.
//!
//! In: true outcomes and what was predicted for them. Out: scikit-learn's numbers (held to 1e-9 against its own), or why
//! there is none. Classes are codes; with two classes, 1 is the positive one. Shares are from 0 to 1: a `mape` of 0.1 is ten
//! per cent. `classification`, `ranking` and `regression` have the functions; [`Metric`] is what a project file may name.

pub mod classification;
pub mod curves;
pub mod ranking;
pub mod regression;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::metrics::classification::{Average, Confusion};
use crate::ml::rows::greatest;
use crate::ml::trainers::Task;

/// A number that says how good predictions are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The share of right answers.
    Accuracy,
    /// The mean over the classes of the share that was found.
    BalancedAccuracy,
    /// Of what is called positive, the share that is. With more than two classes the mean over them.
    Precision,
    /// Of what is positive, the share that is called so. With more than two classes the mean over them.
    Recall,
    /// The harmonic mean of precision and recall. With more than two classes the mean over them.
    F1,
    /// The mean over all classes.
    PrecisionMacro,
    /// The mean over all classes.
    RecallMacro,
    /// The mean over all classes.
    F1Macro,
    /// The mean over all classes by their frequency.
    PrecisionWeighted,
    /// The mean over all classes by their frequency.
    RecallWeighted,
    /// The mean over all classes by their frequency.
    F1Weighted,
    /// The area under the ROC curve; with more than two classes the mean of each against the rest.
    RocAuc,
    /// The average precision; with more than two classes the mean of each against the rest.
    PrAuc,
    /// The mean negative logarithm of the probability of the true class.
    LogLoss,
    /// The mean squared distance of the probabilities; with more than two classes summed over them.
    Brier,
    /// The mean absolute error.
    Mae,
    /// The root of the mean squared error.
    Rmse,
    /// The share of the variance that is explained; below 0 it is worse than the mean.
    R2,
    /// The mean absolute error as a share of the true value.
    Mape,
    /// The mean of `2 |y - p| / (|y| + |p|)`, from 0 to 2; 0 where both are 0.
    Smape,
    /// The sum of absolute errors as a share of the sum of the true values.
    Wape,
    /// The mean pinball loss for this quantile. Example: `{pinball: 0.9}`.
    Pinball(f64),
}

/// True outcomes beside what was predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scored<'a> {
    Classes {
        codes: &'a [u32],
        n_classes: usize,
        /// `n_rows × n_classes`.
        probabilities: &'a [f64],
        /// With two classes: the least probability at which the answer is the second. None is the more probable class.
        threshold: Option<f64>,
    },
    Numbers {
        truth: &'a [f64],
        predicted: &'a [f64],
    },
}

/// Why there is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// There are no rows.
    Empty,
    /// The metric is for the other task.
    Task,
    /// The curve needs rows of at least two classes.
    OneClass,
    /// All true values are the same, or there is one alone.
    NoVariance,
    /// The true values sum to 0.
    ZeroTotal,
    /// A prediction is not a number.
    NotANumber,
}

impl fmt::Display for Undefined {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Undefined::Empty => "there are no rows",
            Undefined::Task => "the metric is for the other task",
            Undefined::OneClass => "the rows have one class only",
            Undefined::NoVariance => "the true values don't vary",
            Undefined::ZeroTotal => "the true values sum to zero",
            Undefined::NotANumber => "a prediction is not a number",
        })
    }
}

impl std::error::Error for Undefined {}

impl Metric {
    /// The task that it judges.
    pub fn task(self) -> Task {
        match self {
            Metric::Accuracy
            | Metric::BalancedAccuracy
            | Metric::Precision
            | Metric::Recall
            | Metric::F1
            | Metric::PrecisionMacro
            | Metric::RecallMacro
            | Metric::F1Macro
            | Metric::PrecisionWeighted
            | Metric::RecallWeighted
            | Metric::F1Weighted
            | Metric::RocAuc
            | Metric::PrAuc
            | Metric::LogLoss
            | Metric::Brier => Task::Classification,
            Metric::Mae
            | Metric::Rmse
            | Metric::R2
            | Metric::Mape
            | Metric::Smape
            | Metric::Wape
            | Metric::Pinball(_) => Task::Regression,
        }
    }

    /// Whether more is better; of the others less is.
    pub fn higher_is_better(self) -> bool {
        match self {
            Metric::R2 => true,
            Metric::LogLoss | Metric::Brier => false,
            other => other.task() == Task::Classification,
        }
    }

    /// As written, the quantile behind an underscore: `pinball_0.9`.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => match self {
                Metric::Pinball(quantile) => format!("pinball_{quantile}"),
                _ => unreachable!("all others are plain names"),
            },
        }
    }

    /// The number.
    ///
    /// # Errors
    /// Why there is none.
    pub fn of(self, scored: Scored) -> Result<f64, Undefined> {
        match scored {
            Scored::Classes { codes, n_classes, probabilities, threshold } => {
                if codes.is_empty() {
                    return Err(Undefined::Empty);
                }
                if probabilities.iter().any(|p| p.is_nan()) {
                    return Err(Undefined::NotANumber);
                }
                self.of_classes(codes, n_classes, probabilities, threshold)
            }
            Scored::Numbers { truth, predicted } => {
                if truth.is_empty() {
                    return Err(Undefined::Empty);
                }
                if predicted.iter().any(|p| p.is_nan()) {
                    return Err(Undefined::NotANumber);
                }
                self.of_numbers(truth, predicted)
            }
        }
    }

    fn of_classes(
        self,
        codes: &[u32],
        n_classes: usize,
        probabilities: &[f64],
        threshold: Option<f64>,
    ) -> Result<f64, Undefined> {
        let confusion = || Confusion::of(codes, &answers(probabilities, n_classes, threshold), n_classes);
        let usual = if n_classes == 2 { Average::Binary } else { Average::Macro };
        match self {
            Metric::Accuracy => Ok(confusion().accuracy()),
            Metric::BalancedAccuracy => Ok(confusion().balanced_accuracy()),
            Metric::Precision => Ok(confusion().precision(usual)),
            Metric::Recall => Ok(confusion().recall(usual)),
            Metric::F1 => Ok(confusion().f1(usual)),
            Metric::PrecisionMacro => Ok(confusion().precision(Average::Macro)),
            Metric::RecallMacro => Ok(confusion().recall(Average::Macro)),
            Metric::F1Macro => Ok(confusion().f1(Average::Macro)),
            Metric::PrecisionWeighted => Ok(confusion().precision(Average::Weighted)),
            Metric::RecallWeighted => Ok(confusion().recall(Average::Weighted)),
            Metric::F1Weighted => Ok(confusion().f1(Average::Weighted)),
            Metric::RocAuc => ranking::each(codes, n_classes, probabilities, ranking::roc_auc),
            Metric::PrAuc => ranking::each(codes, n_classes, probabilities, ranking::average_precision),
            Metric::LogLoss => Ok(ranking::log_loss(codes, n_classes, probabilities)),
            Metric::Brier => Ok(ranking::brier(codes, n_classes, probabilities)),
            Metric::Mae
            | Metric::Rmse
            | Metric::R2
            | Metric::Mape
            | Metric::Smape
            | Metric::Wape
            | Metric::Pinball(_) => Err(Undefined::Task),
        }
    }

    fn of_numbers(self, truth: &[f64], predicted: &[f64]) -> Result<f64, Undefined> {
        match self {
            Metric::Mae => Ok(regression::mae(truth, predicted)),
            Metric::Rmse => Ok(regression::rmse(truth, predicted)),
            Metric::R2 => regression::r2(truth, predicted),
            Metric::Mape => Ok(regression::mape(truth, predicted)),
            Metric::Smape => Ok(regression::smape(truth, predicted)),
            Metric::Wape => regression::wape(truth, predicted),
            Metric::Pinball(quantile) => Ok(regression::pinball(truth, predicted, quantile)),
            Metric::Accuracy
            | Metric::BalancedAccuracy
            | Metric::Precision
            | Metric::Recall
            | Metric::F1
            | Metric::PrecisionMacro
            | Metric::RecallMacro
            | Metric::F1Macro
            | Metric::PrecisionWeighted
            | Metric::RecallWeighted
            | Metric::F1Weighted
            | Metric::RocAuc
            | Metric::PrAuc
            | Metric::LogLoss
            | Metric::Brier => Err(Undefined::Task),
        }
    }
}

/// The class of each row: the most probable, or, of two classes, by the threshold.
pub fn answers(probabilities: &[f64], n_classes: usize, threshold: Option<f64>) -> Vec<u32> {
    probabilities
        .chunks_exact(n_classes.max(1))
        .map(|row| match (threshold, row) {
            (Some(threshold), [_, second]) => u32::from(*second >= threshold),
            _ => u32::try_from(greatest(row)).expect("codes are 32 bits"),
        })
        .collect()
}
