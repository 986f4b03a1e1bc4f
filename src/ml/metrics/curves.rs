//! Curves of a classifier over its thresholds, and of its probabilities against what came true.

use serde::{Deserialize, Serialize};

use crate::ml::metrics::Undefined;
use crate::ml::rows::real;

/// A point of the ROC curve: rows with a score of at least `threshold` are called positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// None before the first row: nothing is called positive.
    pub threshold: Option<f64>,
    pub false_positive_rate: f64,
    pub true_positive_rate: f64,
}

/// A point of the precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecallPoint {
    pub threshold: f64,
    pub precision: f64,
    pub recall: f64,
}

/// Rows of one range of probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    pub mean_predicted: f64,
    pub share_positive: f64,
    pub n_rows: usize,
}

/// True and false positives at each distinct score, from the highest.
#[expect(clippy::float_cmp, reason = "rows with the same score belong together")]
fn steps(truth: &[bool], scores: &[f64]) -> Vec<(f64, usize, usize)> {
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let mut steps: Vec<(f64, usize, usize)> = Vec::new();
    let (mut n_true, mut n_false) = (0, 0);
    for (k, i) in order.iter().enumerate() {
        if truth[*i] {
            n_true += 1;
        } else {
            n_false += 1;
        }
        if order.get(k + 1).is_none_or(|next| scores[*next] != scores[*i]) {
            steps.push((scores[*i], n_true, n_false));
        }
    }
    steps
}

/// The ROC curve, with a point for every distinct score, from (0, 0) to (1, 1).
///
/// # Errors
/// Where the rows are of one class.
pub fn roc(truth: &[bool], scores: &[f64]) -> Result<Vec<RocPoint>, Undefined> {
    let n_true = truth.iter().filter(|truth| **truth).count();
    let n_false = truth.len() - n_true;
    if n_true == 0 || n_false == 0 {
        return Err(Undefined::OneClass);
    }
    let start = RocPoint { threshold: None, false_positive_rate: 0.0, true_positive_rate: 0.0 };
    let points = steps(truth, scores).into_iter().map(|(threshold, above_true, above_false)| RocPoint {
        threshold: Some(threshold),
        false_positive_rate: real(above_false) / real(n_false),
        true_positive_rate: real(above_true) / real(n_true),
    });
    Ok([start].into_iter().chain(points).collect())
}

/// The precision-recall curve, with a point for every distinct score, from the highest.
///
/// # Errors
/// Where no row is positive.
pub fn precision_recall(truth: &[bool], scores: &[f64]) -> Result<Vec<PrecisionRecallPoint>, Undefined> {
    let n_true = truth.iter().filter(|truth| **truth).count();
    if n_true == 0 {
        return Err(Undefined::OneClass);
    }
    let points = steps(truth, scores).into_iter().map(|(threshold, above_true, above_false)| PrecisionRecallPoint {
        threshold,
        precision: real(above_true) / real(above_true + above_false),
        recall: real(above_true) / real(n_true),
    });
    Ok(points.collect())
}

/// Mean probability and share that came true, in `n_bins` equal ranges of probability; ranges without rows are left out.
pub fn calibration(truth: &[bool], probabilities: &[f64], n_bins: usize) -> Vec<CalibrationBin> {
    let mut sums = vec![(0.0, 0usize, 0usize); n_bins];
    // Edges as `NumPy`'s linspace makes them; a probability at an inner edge is in the bin below.
    let edges: Vec<f64> = (1..n_bins).map(|edge| real(edge) * (1.0 / real(n_bins))).collect();
    for (truth, p) in truth.iter().zip(probabilities) {
        let bin = edges.partition_point(|edge| edge < p);
        if let Some((sum, n_true, n)) = sums.get_mut(bin) {
            *sum += p;
            *n_true += usize::from(*truth);
            *n += 1;
        }
    }
    sums.into_iter()
        .filter(|(_, _, n)| *n > 0)
        .map(|(sum, n_true, n)| CalibrationBin {
            mean_predicted: sum / real(n),
            share_positive: real(n_true) / real(n),
            n_rows: n,
        })
        .collect()
}
