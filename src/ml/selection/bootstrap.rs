//! How sure it is that one model is better than another: the paired bootstrap (Efron and Tibshirani 1993, ch. 13).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ml::metrics::Metric;
use crate::ml::random::Random;
use crate::ml::rows::real;
use crate::ml::selection::score;
use crate::ml::target::Target;

/// Predictions for the same rows by a challenger and by what it must beat, e.g. a baseline or the champion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rivals<'a> {
    pub challenger: &'a [f64],
    pub incumbent: &'a [f64],
}

/// How much better the challenger is: above 0 it is better, also by metrics of which less is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Advantage {
    /// On the rows as they are.
    pub estimate: f64,
    /// The interval's ends, by percentiles.
    pub low: f64,
    pub high: f64,
    /// The share of resamples in which the challenger is better.
    pub share_better: f64,
    /// Resamples on which the metric is defined.
    pub n_resamples: usize,
}

/// Compares on rows drawn with replacement, the same for both. `level` is the interval's, e.g. 0.95. None where the metric
/// is undefined on the rows or on all resamples.
pub fn compare(
    metric: Metric,
    truth: &Target,
    rivals: Rivals,
    n_resamples: usize,
    level: f64,
    seed: u64,
) -> Option<Advantage> {
    let sign = if metric.higher_is_better() { 1.0 } else { -1.0 };
    let width = truth.width();
    let n = rivals.challenger.len() / width.max(1);
    let difference = |truth: &Target, challenger: &[f64], incumbent: &[f64]| {
        Some(sign * (score(metric, truth, challenger, None)? - score(metric, truth, incumbent, None)?))
    };
    let estimate = difference(truth, rivals.challenger, rivals.incumbent)?;
    let mut differences: Vec<f64> = (0..n_resamples)
        .into_par_iter()
        .filter_map(|resample| {
            let mut random = Random::new(seed, resample as u64);
            let rows: Vec<usize> =
                (0..n).map(|_| usize::try_from(random.below(n as u64)).expect("below a length")).collect();
            let pick = |values: &[f64]| -> Vec<f64> {
                rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
            };
            difference(&truth.select(&rows), &pick(rivals.challenger), &pick(rivals.incumbent))
        })
        .collect();
    if differences.is_empty() {
        return None;
    }
    differences.sort_by(f64::total_cmp);
    let n_better = differences.iter().filter(|difference| **difference > 0.0).count();
    Some(Advantage {
        estimate,
        low: percentile(&differences, (1.0 - level) / 2.0),
        high: percentile(&differences, f64::midpoint(1.0, level)),
        share_better: real(n_better) / real(differences.len()),
        n_resamples: differences.len(),
    })
}

/// With lines between the values, as `NumPy`'s default.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place within the values")]
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * real(sorted.len() - 1);
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}
