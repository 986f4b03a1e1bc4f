//! Which model: candidates are trained and judged on folds, the best is trained on all rows.
//!
//! In: features, target, candidates and folds. Out: scores and out-of-fold predictions per candidate and fold, and a
//! [`Model`]. Candidates and folds run side by side; each has its own stream of the seed and its place in the results, so
//! that nothing depends on the number of threads. Preprocessing, class weights and estimator see a fold's training rows
//! only. `search` makes candidates of parameter ranges, `calibration` and `threshold` read probabilities, `bootstrap` says
//! how sure a difference is, `explain` what a model looks at.

pub mod bootstrap;
pub mod calibration;
pub mod explain;
pub mod search;
pub mod threshold;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use indexmap::IndexMap;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::estimator::Estimator;
use crate::ml::features::Features;
use crate::ml::metrics::ranking::column;
use crate::ml::metrics::{Metric, Scored};
use crate::ml::model::{FORMAT_VERSION, Model, Signature};
use crate::ml::preprocessing::learn::{Unprepared, learn};
use crate::ml::preprocessing::{Preprocessing, Recipe};
use crate::ml::random::Random;
use crate::ml::rows::real;
use crate::ml::splits::Fold;
use crate::ml::target::{Label, Target};
use crate::ml::trainers::{Task, Trainer, Unfit};

/// A trainer and how it is served.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub trainer: Trainer,
    pub recipe: Recipe,
}

/// Rows to learn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Examples<'a> {
    pub features: &'a Features,
    pub target: &'a Target,
}

/// How much rows of a class count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClassWeight {
    Rule(ClassWeightRule),
    /// A weight by label; others count 1. Example: `{"true": 5}`.
    Labels(IndexMap<String, f64>),
}

/// A rule for the weights of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ClassWeightRule {
    /// All classes have the same weight together: `n_rows / (n_classes × rows of the class)`.
    Balanced,
}

/// How candidates are judged.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    pub folds: &'a [Fold],
    pub metrics: &'a [Metric],
    pub class_weight: Option<&'a ClassWeight>,
    /// How many of a fold's training rows are used, drawn by the seed; None is all.
    pub most_rows: Option<usize>,
    pub seed: u64,
}

/// Someone who looks on and may call a halt.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called when a candidate has done a fold, from the thread that did it.
    pub done: &'a (dyn Fn(usize, usize, &Judged) + Sync),
    pub cancelled: &'a AtomicBool,
}

/// One candidate on one fold.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// For the fold's test rows: a number each, or probabilities.
    pub predictions: Vec<f64>,
    /// By metric; None where it is undefined.
    pub scores: Vec<Option<f64>>,
}

/// One candidate on all folds.
#[derive(Debug, Clone, PartialEq)]
pub struct Validated {
    pub folds: Vec<Result<Judged, Untrained>>,
}

/// Why a candidate gave no model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untrained {
    Unprepared(Unprepared),
    Unfit(Unfit),
}

impl fmt::Display for Untrained {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untrained::Unprepared(unprepared) => unprepared.fmt(formatter),
            Untrained::Unfit(unfit) => unfit.fmt(formatter),
        }
    }
}

impl std::error::Error for Untrained {}

/// The halt was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

/// Trains each candidate on each fold and judges it by the fold's test rows.
///
/// # Errors
/// When it was cancelled. What a candidate cannot do stands in its result.
pub fn cross_validate(
    candidates: &[Candidate],
    examples: Examples,
    trial: Trial,
    watch: Watch,
) -> Result<Vec<Validated>, Cancelled> {
    let n_folds = trial.folds.len();
    let results: Vec<Result<Result<Judged, Untrained>, Cancelled>> = (0..candidates.len() * n_folds)
        .into_par_iter()
        // The candidates of one fold are far apart in cost; small tasks let threads share it.
        .with_max_len(1)
        .map(|task| {
            if watch.cancelled.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            let (candidate, fold) = (task / n_folds, task % n_folds);
            let judged = judge(&candidates[candidate], examples, trial, fold);
            if let Ok(judged) = &judged {
                (watch.done)(candidate, fold, judged);
            }
            Ok(judged)
        })
        .collect();
    let mut results = results.into_iter();
    candidates
        .iter()
        .map(|_| {
            let folds = results.by_ref().take(n_folds).collect::<Result<_, Cancelled>>()?;
            Ok(Validated { folds })
        })
        .collect()
}

fn judge(candidate: &Candidate, examples: Examples, trial: Trial, fold: usize) -> Result<Judged, Untrained> {
    let rows = &trial.folds[fold];
    let train = drawn(&rows.train, trial.most_rows, trial.seed, fold);
    let (preprocessing, estimator) = train_on(candidate, examples, &train, trial.class_weight, trial.seed)?;
    let predictions = predicted(&preprocessing, &estimator, examples.features, &rows.test);
    let truth = examples.target.select(&rows.test);
    let scores = trial.metrics.iter().map(|metric| score(*metric, &truth, &predictions, None)).collect();
    Ok(Judged { predictions, scores })
}

/// Some of the rows, in order.
fn drawn(rows: &[usize], most: Option<usize>, seed: u64, stream: usize) -> Vec<usize> {
    let mut rows = rows.to_vec();
    if let Some(most) = most
        && most < rows.len()
    {
        Random::new(seed, stream as u64).shuffle(&mut rows);
        rows.truncate(most);
        rows.sort_unstable();
    }
    rows
}

/// Learns preprocessing and estimator from these rows.
///
/// # Errors
/// What the candidate cannot do with them.
pub fn train_on(
    candidate: &Candidate,
    examples: Examples,
    rows: &[usize],
    class_weight: Option<&ClassWeight>,
    seed: u64,
) -> Result<(Preprocessing, Estimator), Untrained> {
    let features = examples.features.select(rows);
    let target = examples.target.select(rows);
    let preprocessing = learn(&candidate.recipe, candidate.trainer.diet(), &features).map_err(Untrained::Unprepared)?;
    let matrix = preprocessing.apply(&features).expect("the features that it was learned from");
    let weights = class_weight.and_then(|class_weight| class_weight.rows(&target));
    let estimator =
        candidate.trainer.fit(&matrix, target.outcome(), weights.as_deref(), seed).map_err(Untrained::Unfit)?;
    Ok((preprocessing, estimator))
}

fn predicted(preprocessing: &Preprocessing, estimator: &Estimator, features: &Features, rows: &[usize]) -> Vec<f64> {
    let matrix = preprocessing.apply(&features.select(rows)).expect("features as in training");
    estimator.predict(&matrix)
}

/// A metric's number, if it is defined.
pub fn score(metric: Metric, truth: &Target, predictions: &[f64], threshold: Option<f64>) -> Option<f64> {
    let scored = match truth {
        Target::Classes { labels, codes } => {
            Scored::Classes { codes, n_classes: labels.len(), probabilities: predictions, threshold }
        }
        Target::Numbers(truth) => Scored::Numbers { truth, predicted: predictions },
    };
    metric.of(scored).ok()
}

impl ClassWeight {
    /// A weight per row; none for numbers.
    pub fn rows(&self, target: &Target) -> Option<Vec<f64>> {
        let Target::Classes { labels, codes } = target else { return None };
        let weights: Vec<f64> = match self {
            ClassWeight::Labels(weights) => {
                labels.iter().map(|label: &Label| weights.get(&label.to_string()).copied().unwrap_or(1.0)).collect()
            }
            ClassWeight::Rule(ClassWeightRule::Balanced) => {
                let mut counts = vec![0; labels.len()];
                for code in codes {
                    counts[*code as usize] += 1;
                }
                let present = counts.iter().filter(|count| **count > 0).count();
                counts.iter().map(|count| real(codes.len()) / (real(present) * real(*count).max(1.0))).collect()
            }
        };
        Some(codes.iter().map(|code| weights[*code as usize]).collect())
    }
}

impl Validated {
    /// The mean over the folds of one of the trial's metrics; None where a fold has none.
    pub fn mean(&self, metric: usize) -> Option<f64> {
        let mut sum = 0.0;
        for fold in &self.folds {
            sum += fold.as_ref().ok()?.scores.get(metric).copied().flatten()?;
        }
        (!self.folds.is_empty()).then(|| sum / real(self.folds.len()))
    }

    /// The standard deviation over the folds (of the population, as scikit-learn's users take it).
    pub fn deviation(&self, metric: usize) -> Option<f64> {
        let mean = self.mean(metric)?;
        let square = |fold: &Result<Judged, Untrained>| {
            let score = fold.as_ref().ok()?.scores.get(metric).copied().flatten()?;
            Some((score - mean) * (score - mean))
        };
        let sum: Option<f64> = self.folds.iter().map(square).sum();
        Some((sum? / real(self.folds.len())).sqrt())
    }

    /// What was predicted for rows that training had not seen: the rows in order of fold, and their predictions. None
    /// where a fold failed.
    pub fn out_of_fold(&self, folds: &[Fold]) -> Option<(Vec<usize>, Vec<f64>)> {
        let mut rows = Vec::new();
        let mut predictions = Vec::new();
        for (judged, fold) in self.folds.iter().zip(folds) {
            rows.extend_from_slice(&fold.test);
            predictions.extend_from_slice(&judged.as_ref().ok()?.predictions);
        }
        Some((rows, predictions))
    }
}

/// How a chosen candidate becomes a model.
#[derive(Debug, Clone, Copy)]
pub struct Finish<'a> {
    /// The name of what is predicted.
    pub output: &'a str,
    pub class_weight: Option<&'a ClassWeight>,
    pub calibration: Option<calibration::Method>,
    /// For two classes.
    pub threshold: Option<threshold::Aim>,
    pub seed: u64,
}

/// Trains the candidate on all rows. Calibration and threshold are fitted on what its folds predicted for rows that they
/// had not seen; without such predictions there is neither.
///
/// # Errors
/// What the candidate cannot do with the rows.
pub fn finish(
    candidate: &Candidate,
    examples: Examples,
    folds: &[Fold],
    validated: &Validated,
    finish: Finish,
) -> Result<Model, Untrained> {
    let all: Vec<usize> = (0..examples.features.n_rows).collect();
    let (preprocessing, estimator) = train_on(candidate, examples, &all, finish.class_weight, finish.seed)?;
    let labels = examples.target.labels();
    let mut model = Model {
        format_version: FORMAT_VERSION,
        signature: Signature::of(examples.features, finish.output),
        classes: (examples.target.task() == Task::Classification).then(|| labels.to_vec()),
        preprocessing,
        estimator,
        calibration: None,
        threshold: None,
    };
    if let Some((rows, mut probabilities)) = validated.out_of_fold(folds)
        && let Target::Classes { codes, .. } = examples.target.select(&rows)
    {
        model.calibration =
            finish.calibration.map(|method| calibration::fit(method, &codes, labels.len(), &probabilities));
        if let Some(calibration) = &model.calibration {
            calibration.apply(&mut probabilities, labels.len());
        }
        if let (Some(aim), 2) = (finish.threshold, labels.len()) {
            let truth: Vec<bool> = codes.iter().map(|code| *code == 1).collect();
            model.threshold = threshold::choose(aim, &truth, &column(&probabilities, 2, 1));
        }
    }
    Ok(model)
}

/// The place of the best candidate by one of the trial's metrics, the first of equal ones; None where none has a number.
pub fn best(validated: &[Validated], metrics: &[Metric], metric: usize) -> Option<usize> {
    let higher = metrics.get(metric)?.higher_is_better();
    let mut best: Option<(usize, f64)> = None;
    for (place, candidate) in validated.iter().enumerate() {
        let Some(mean) = candidate.mean(metric).filter(|mean| !mean.is_nan()) else { continue };
        if best.is_none_or(|(_, known)| if higher { mean > known } else { mean < known }) {
            best = Some((place, mean));
        }
    }
    best.map(|(place, _)| place)
}
