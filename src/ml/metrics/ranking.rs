//! Numbers of probabilities: areas under curves, and how far they are from the truth.

use crate::ml::metrics::Undefined;
use crate::ml::metrics::curves;
use crate::ml::rows::real;

/// The number for the second of two classes, or the mean over each class against the rest.
///
/// # Errors
/// Where the number of a class is undefined.
pub fn each(
    codes: &[u32],
    n_classes: usize,
    probabilities: &[f64],
    of: fn(&[bool], &[f64]) -> Result<f64, Undefined>,
) -> Result<f64, Undefined> {
    let one = |class: usize| {
        let truth: Vec<bool> = codes.iter().map(|code| *code as usize == class).collect();
        of(&truth, &column(probabilities, n_classes, class))
    };
    if n_classes == 2 {
        return one(1);
    }
    let mut sum = 0.0;
    for class in 0..n_classes {
        sum += one(class)?;
    }
    Ok(sum / real(n_classes))
}

/// The probabilities of one class.
pub fn column(probabilities: &[f64], n_classes: usize, class: usize) -> Vec<f64> {
    probabilities.iter().skip(class).step_by(n_classes).copied().collect()
}

/// The area under the ROC curve, by trapezoids.
///
/// # Errors
/// Where the rows are of one class.
pub fn roc_auc(truth: &[bool], scores: &[f64]) -> Result<f64, Undefined> {
    let curve = curves::roc(truth, scores)?;
    Ok(curve
        .windows(2)
        .map(|pair| {
            (pair[1].false_positive_rate - pair[0].false_positive_rate)
                * (pair[1].true_positive_rate + pair[0].true_positive_rate)
                / 2.0
        })
        .sum())
}

/// The mean of the precisions by the gain in recall, without interpolation.
///
/// # Errors
/// Where no row is positive.
pub fn average_precision(truth: &[bool], scores: &[f64]) -> Result<f64, Undefined> {
    let curve = curves::precision_recall(truth, scores)?;
    let mut recall = 0.0;
    let mut area = 0.0;
    for point in curve {
        area += (point.recall - recall) * point.precision;
        recall = point.recall;
    }
    Ok(area)
}

/// The mean negative logarithm of the true class's probability, which is kept at least the machine's epsilon from 0.
pub fn log_loss(codes: &[u32], n_classes: usize, probabilities: &[f64]) -> f64 {
    let sum: f64 = codes
        .iter()
        .zip(probabilities.chunks_exact(n_classes))
        .map(|(code, row)| row[*code as usize].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln())
        .sum();
    -sum / real(codes.len())
}

/// The mean squared error of the probabilities: of the second of two classes, or summed over more.
pub fn brier(codes: &[u32], n_classes: usize, probabilities: &[f64]) -> f64 {
    let square = |code: u32, class: usize, p: f64| {
        let truth = if code as usize == class { 1.0 } else { 0.0 };
        (p - truth) * (p - truth)
    };
    let sum: f64 = codes
        .iter()
        .zip(probabilities.chunks_exact(n_classes))
        .map(|(code, row)| match row {
            [_, second] => square(*code, 1, *second),
            _ => row.iter().enumerate().map(|(class, p)| square(*code, class, *p)).sum(),
        })
        .sum();
    sum / real(codes.len())
}
