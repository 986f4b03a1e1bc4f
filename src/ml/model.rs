//! A model as it is kept: what becomes of features, what was learned, and how its answers are read.
//!
//! In: [`Features`] with the names and kinds of training. Out: numbers, or classes with probabilities that sum to one. The
//! JSON of a model is all that a prediction needs; `python/` reads the same. Words and gaps that training never saw have
//! the meaning that the preprocessing gives them.

use serde::{Deserialize, Serialize};

use crate::ml::estimator::Estimator;
use crate::ml::features::{ColumnKind, Features};
use crate::ml::metrics::answers;
use crate::ml::preprocessing::{Mismatch, Preprocessing};
use crate::ml::selection::calibration::Calibration;
use crate::ml::target::Label;

/// The version of the form in which models are written.
pub const FORMAT_VERSION: u32 = 1;

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub format_version: u32,
    pub signature: Signature,
    /// Labels in the order of their codes; none for numbers.
    pub classes: Option<Vec<Label>>,
    pub preprocessing: Preprocessing,
    pub estimator: Estimator,
    /// What makes its probabilities mean what they say.
    pub calibration: Option<Calibration>,
    /// With two classes: the least probability at which the answer is the second. None is the more probable class.
    pub threshold: Option<f64>,
}

/// The features that a model takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    pub inputs: Vec<Input>,
    /// The name of what is predicted.
    pub output: String,
}

/// A feature that a model takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub name: String,
    pub kind: ColumnKind,
}

/// Answers, a row each.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictions {
    Numbers(Vec<f64>),
    Classes {
        /// Places in [`Model::classes`].
        codes: Vec<u32>,
        /// `n_rows × n_classes`.
        probabilities: Vec<f64>,
    },
}

impl Signature {
    /// The features of training, and the target's name.
    pub fn of(features: &Features, output: &str) -> Self {
        let inputs =
            features.columns.iter().map(|(name, column)| Input { name: name.clone(), kind: column.kind() }).collect();
        Signature { inputs, output: output.to_owned() }
    }
}

impl Model {
    /// A model from its JSON.
    ///
    /// # Errors
    /// What is wrong with the text: it is no model, of another version, or its parts don't fit each other.
    pub fn read(text: &str) -> Result<Self, String> {
        let model: Model = serde_json::from_str(text).map_err(|error| format!("this is no model: {error}"))?;
        if model.format_version != FORMAT_VERSION {
            let found = model.format_version;
            return Err(format!("the model's format is {found}, this program reads {FORMAT_VERSION}"));
        }
        let n_outputs = model.classes.as_ref().map_or(1, Vec::len);
        if !model.estimator.fits(model.preprocessing.column_names().len(), n_outputs) {
            return Err("the model's parts don't fit each other".to_owned());
        }
        Ok(model)
    }

    /// A number per row, or `n_rows × n_classes` probabilities.
    ///
    /// # Errors
    /// A feature that is not there, or holds something else.
    pub fn values(&self, features: &Features) -> Result<Vec<f64>, Mismatch> {
        let mut values = self.estimator.predict(&self.preprocessing.apply(features)?);
        if let (Some(calibration), Some(classes)) = (&self.calibration, &self.classes) {
            calibration.apply(&mut values, classes.len());
        }
        Ok(values)
    }

    /// Numbers, or classes with their probabilities.
    ///
    /// # Errors
    /// A feature that is not there, or holds something else.
    pub fn predict(&self, features: &Features) -> Result<Predictions, Mismatch> {
        let values = self.values(features)?;
        Ok(match &self.classes {
            None => Predictions::Numbers(values),
            Some(classes) => {
                let codes = answers(&values, classes.len(), self.threshold);
                Predictions::Classes { codes, probabilities: values }
            }
        })
    }
}
