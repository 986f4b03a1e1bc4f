//! Lasso and elastic net by coordinate descent.
//!
//! The objective is scikit-learn's: `|y - Xw|² / (2 Σ weights) + alpha (l1_ratio |w|₁ + (1 - l1_ratio) |w|² / 2)`, with
//! weights scaled to sum to the number of rows. It ends when the duality gap is below `tolerance |y|²` (Friedman, Hastie
//! and Tibshirani 2010; Kim, Koh, Lustig, Boyd and Gorinevsky 2007).

use crate::ml::linear::Linear;
use crate::ml::linear::least_squares::centre;
use crate::ml::rows::{add_scaled, dot, real};

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The penalty's strength, above 0.
    pub alpha: f64,
    /// The share of the penalty on absolute values; the rest is on squares.
    pub l1_ratio: f64,
    pub max_iterations: u32,
    pub tolerance: f64,
}

/// Fits numbers.
pub fn fit(settings: Settings, columns: &[Vec<f64>], outcome: &[f64], weights: Option<&[f64]>) -> Linear {
    let centred = centre(columns, outcome, weights);
    let total: f64 = weights.map_or(real(outcome.len()), |weights| weights.iter().sum());
    let l1 = settings.alpha * settings.l1_ratio * total;
    let l2 = settings.alpha * (1.0 - settings.l1_ratio) * total;
    let squares: Vec<f64> = centred.columns.iter().map(|column| dot(column, column)).collect();
    let mut coefficients = vec![0.0; columns.len()];
    let mut residual = centred.outcome.clone();
    let enough = settings.tolerance * dot(&centred.outcome, &centred.outcome);
    for iteration in 1..=settings.max_iterations {
        let mut largest = 0f64;
        let mut largest_change = 0f64;
        for (j, column) in centred.columns.iter().enumerate() {
            if squares[j] == 0.0 {
                continue;
            }
            let before = coefficients[j];
            let pull = dot(column, &residual) + before * squares[j];
            let after = pull.signum() * (pull.abs() - l1).max(0.0) / (squares[j] + l2);
            if (after - before).abs() > 0.0 {
                add_scaled(&mut residual, before - after, column);
                coefficients[j] = after;
            }
            largest = largest.max(after.abs());
            largest_change = largest_change.max((after - before).abs());
        }
        let still = largest == 0.0 || largest_change / largest < settings.tolerance;
        if (still || iteration == settings.max_iterations)
            && gap(&centred.columns, &centred.outcome, &residual, &coefficients, l1, l2) < enough
        {
            break;
        }
    }
    centred.model(coefficients)
}

/// How far the objective can be from its least value.
fn gap(columns: &[Vec<f64>], outcome: &[f64], residual: &[f64], coefficients: &[f64], l1: f64, l2: f64) -> f64 {
    let steepest = columns
        .iter()
        .zip(coefficients)
        .map(|(column, coefficient)| (dot(column, residual) - l2 * coefficient).abs())
        .fold(0.0, f64::max);
    let square = dot(residual, residual);
    let norm = dot(coefficients, coefficients);
    let (share, mut gap) = if steepest > l1 && steepest > 0.0 {
        let share = l1 / steepest;
        (share, 0.5 * (square + square * share * share))
    } else {
        (1.0, square)
    };
    gap += l1 * coefficients.iter().map(|w| w.abs()).sum::<f64>() - share * dot(residual, outcome);
    gap + 0.5 * l2 * (1.0 + share * share) * norm
}
