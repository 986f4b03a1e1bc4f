//! What a model looks at, and what more rows would bring: permutation importance and learning curves.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ml::features::Features;
use crate::ml::metrics::Metric;
use crate::ml::model::Model;
use crate::ml::preprocessing::Mismatch;
use crate::ml::random::Random;
use crate::ml::rows::real;
use crate::ml::selection::{Cancelled, Candidate, Examples, Judged, Trial, Watch, cross_validate, score, train_on};
use crate::ml::target::Target;

/// How much worse a model is without a feature's values in their places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    pub feature: String,
    /// The mean loss over the shuffles: above 0 the feature helps, also by metrics of which less is better.
    pub mean: f64,
    pub deviation: f64,
}

/// Shuffles each feature in turn and looks how much the metric loses (Breiman 2001). Features in the model's order; none
/// where the metric is undefined.
///
/// # Errors
/// Features that are not the model's.
pub fn permutation_importance(
    model: &Model,
    features: &Features,
    truth: &Target,
    metric: Metric,
    n_shuffles: usize,
    seed: u64,
) -> Result<Vec<Importance>, Mismatch> {
    let sign = if metric.higher_is_better() { 1.0 } else { -1.0 };
    let rate = |features: &Features| -> Result<Option<f64>, Mismatch> {
        Ok(score(metric, truth, &model.values(features)?, model.threshold))
    };
    let Some(whole) = rate(features)? else { return Ok(Vec::new()) };
    let names: Vec<&String> = model.preprocessing.features.iter().map(|prepared| &prepared.name).collect();
    let losses: Vec<Option<f64>> = (0..names.len() * n_shuffles)
        .into_par_iter()
        .map(|task| {
            let name = names[task / n_shuffles];
            let mut order: Vec<usize> = (0..features.n_rows).collect();
            Random::new(seed, task as u64).shuffle(&mut order);
            let mut shuffled = features.clone();
            let column = features.columns.get(name).ok_or_else(|| Mismatch::Missing { feature: name.clone() })?;
            shuffled.columns.insert(name.clone(), column.select(&order));
            Ok(rate(&shuffled)?.map(|rate| sign * (whole - rate)))
        })
        .collect::<Result<_, Mismatch>>()?;
    let of_feature = |(name, losses): (&&String, &[Option<f64>])| {
        let losses: Vec<f64> = losses.iter().copied().flatten().collect();
        let n = real(losses.len().max(1));
        let mean = losses.iter().sum::<f64>() / n;
        let variance = losses.iter().map(|loss| (loss - mean) * (loss - mean)).sum::<f64>() / n;
        Importance { feature: (*name).clone(), mean, deviation: variance.sqrt() }
    };
    Ok(names.iter().zip(losses.chunks(n_shuffles.max(1))).map(of_feature).collect())
}

/// A model's score when it learned from so many rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearningPoint {
    /// Of the fold with the fewest.
    pub n_rows: usize,
    /// By fold, on the rows that it learned from.
    pub train: Vec<Option<f64>>,
    /// By fold, on rows that it had not seen.
    pub test: Vec<Option<f64>>,
}

/// Scores by the trial's first metric for each share of the training rows.
///
/// # Errors
/// When it was cancelled.
pub fn learning_curve(
    candidate: &Candidate,
    examples: Examples,
    trial: Trial,
    shares: &[f64],
    watch: Watch,
) -> Result<Vec<LearningPoint>, Cancelled> {
    let fewest = trial.folds.iter().map(|fold| fold.train.len()).min().unwrap_or(0);
    let Some(metric) = trial.metrics.first().copied() else { return Ok(Vec::new()) };
    shares
        .iter()
        .map(|share| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
            let n_rows = (real(fewest) * share.clamp(0.0, 1.0)).round() as usize;
            let part = Trial { most_rows: Some(n_rows), ..trial };
            let validated = cross_validate(std::slice::from_ref(candidate), examples, part, watch)?;
            let first = |judged: &Judged| judged.scores.first().copied().flatten();
            let test = validated
                .iter()
                .flat_map(|validated| &validated.folds)
                .map(|fold| fold.as_ref().ok().and_then(first))
                .collect();
            let train =
                (0..trial.folds.len()).into_par_iter().map(|fold| on_own(candidate, examples, part, fold, metric));
            Ok(LearningPoint { n_rows, train: train.collect(), test })
        })
        .collect()
}

/// The score on the rows that training saw.
fn on_own(candidate: &Candidate, examples: Examples, trial: Trial, fold: usize, metric: Metric) -> Option<f64> {
    let rows = super::drawn(&trial.folds.get(fold)?.train, trial.most_rows, trial.seed, fold);
    let (preprocessing, estimator) = train_on(candidate, examples, &rows, trial.class_weight, trial.seed).ok()?;
    let predictions = super::predicted(&preprocessing, &estimator, examples.features, &rows);
    score(metric, &examples.target.select(&rows), &predictions, None)
}
