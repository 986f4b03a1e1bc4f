//! Numbers of errors. Slices have one length, which is not 0.

use crate::ml::metrics::Undefined;
use crate::ml::rows::real;

fn mean(truth: &[f64], predicted: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    truth.iter().zip(predicted).map(|(y, p)| of(*y, *p)).sum::<f64>() / real(truth.len())
}

/// The mean absolute error.
pub fn mae(truth: &[f64], predicted: &[f64]) -> f64 {
    mean(truth, predicted, |y, p| (y - p).abs())
}

/// The root of the mean squared error.
pub fn rmse(truth: &[f64], predicted: &[f64]) -> f64 {
    mean(truth, predicted, |y, p| (y - p) * (y - p)).sqrt()
}

/// The share of the variance that is explained.
///
/// # Errors
/// Where the true values don't vary.
pub fn r2(truth: &[f64], predicted: &[f64]) -> Result<f64, Undefined> {
    let centre = truth.iter().sum::<f64>() / real(truth.len());
    let variance = mean(truth, truth, |y, _| (y - centre) * (y - centre));
    if variance == 0.0 {
        return Err(Undefined::NoVariance);
    }
    Ok(1.0 - mean(truth, predicted, |y, p| (y - p) * (y - p)) / variance)
}

/// The mean absolute error as a share of the true value, which counts as at least the machine's epsilon.
pub fn mape(truth: &[f64], predicted: &[f64]) -> f64 {
    mean(truth, predicted, |y, p| (y - p).abs() / y.abs().max(f64::EPSILON))
}

/// The mean of twice the absolute error as a share of both magnitudes; 0 where both are 0.
pub fn smape(truth: &[f64], predicted: &[f64]) -> f64 {
    mean(truth, predicted, |y, p| {
        let size = y.abs() + p.abs();
        if size > 0.0 { 2.0 * (y - p).abs() / size } else { 0.0 }
    })
}

/// The sum of absolute errors as a share of the sum of absolute true values.
///
/// # Errors
/// Where that sum is 0.
pub fn wape(truth: &[f64], predicted: &[f64]) -> Result<f64, Undefined> {
    let total = mean(truth, truth, |y, _| y.abs());
    if total > 0.0 { Ok(mae(truth, predicted) / total) } else { Err(Undefined::ZeroTotal) }
}

/// The mean pinball loss: what is too low costs `quantile`, what is too high the rest.
pub fn pinball(truth: &[f64], predicted: &[f64], quantile: f64) -> f64 {
    mean(truth, predicted, |y, p| if y >= p { quantile * (y - p) } else { (1.0 - quantile) * (p - y) })
}
