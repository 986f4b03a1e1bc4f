//! The least value of a smooth convex function: L-BFGS with backtracking.
//!
//! In: a start and a function that gives value and gradient. Out: where it ended and whether the gradient became small.
//! Nocedal and Wright, Numerical Optimization (2006), algorithms 7.4 and 3.1; ten pairs of history as in `SciPy`.

use std::collections::VecDeque;

use crate::ml::rows::{add_scaled, dot};

/// Where the search ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Minimum {
    pub(crate) point: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) n_iterations: u32,
    /// No component of the gradient is above the tolerance.
    pub(crate) converged: bool,
}

const HISTORY: usize = 10;
/// The decrease that a step must give, as a share of what the slope promises.
const ARMIJO: f64 = 1e-4;

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

/// Walks downhill from `start`. `evaluate` writes the gradient at a point and gives the value there.
pub(crate) fn minimise(
    start: Vec<f64>,
    max_iterations: u32,
    tolerance: f64,
    mut evaluate: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Minimum {
    let mut point = start;
    let mut gradient = vec![0.0; point.len()];
    let mut value = evaluate(&point, &mut gradient);
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(HISTORY);
    for n_iterations in 0..max_iterations {
        if largest(&gradient) <= tolerance {
            return Minimum { point, value, n_iterations, converged: true };
        }
        let mut direction = downhill(&gradient, &pairs);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = dot(&direction, &gradient);
        }
        let first = if pairs.is_empty() { 1f64.min(1.0 / dot(&gradient, &gradient).sqrt()) } else { 1.0 };
        let Some((next, next_gradient, next_value)) = backtrack(&point, value, &direction, slope, first, &mut evaluate)
        else {
            return Minimum { point, value, n_iterations, converged: false };
        };
        let step: Vec<f64> = next.iter().zip(&point).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let product = dot(&step, &change);
        if product > f64::EPSILON * dot(&change, &change) {
            if pairs.len() == HISTORY {
                pairs.pop_front();
            }
            pairs.push_back(Pair { step, change, product });
        }
        (point, gradient, value) = (next, next_gradient, next_value);
    }
    let converged = largest(&gradient) <= tolerance;
    Minimum { point, value, n_iterations: max_iterations, converged }
}

fn largest(gradient: &[f64]) -> f64 {
    gradient.iter().fold(0.0, |most, g| g.abs().max(most))
}

/// The negative gradient times the inverse Hessian that the last pairs stand for (two-loop recursion).
fn downhill(gradient: &[f64], pairs: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let share = dot(&pair.step, &direction) / pair.product;
        add_scaled(&mut direction, -share, &pair.change);
        shares.push(share);
    }
    if let Some(last) = pairs.back() {
        let scale = last.product / dot(&last.change, &last.change);
        for d in &mut direction {
            *d *= scale;
        }
    }
    for (pair, share) in pairs.iter().zip(shares.iter().rev()) {
        let correction = share - dot(&pair.change, &direction) / pair.product;
        add_scaled(&mut direction, correction, &pair.step);
    }
    direction
}

/// The first of ever shorter steps that is low enough, with gradient and value there.
fn backtrack(
    point: &[f64],
    value: f64,
    direction: &[f64],
    slope: f64,
    first: f64,
    evaluate: &mut impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Option<(Vec<f64>, Vec<f64>, f64)> {
    let mut length = first;
    let mut gradient = vec![0.0; point.len()];
    for _ in 0..50 {
        let mut next = point.to_vec();
        add_scaled(&mut next, length, direction);
        let next_value = evaluate(&next, &mut gradient);
        if next_value <= value + ARMIJO * length * slope {
            return Some((next, gradient, next_value));
        }
        // The lowest point of the parabola through what is known, kept within a tenth and a half.
        let curvature = next_value - value - slope * length;
        let guess = if curvature.is_finite() { -slope * length / (2.0 * curvature) } else { 0.1 };
        length *= guess.clamp(0.1, 0.5);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_valley() {
        let found = minimise(vec![3.0, -2.0], 200, 1e-9, |x, gradient| {
            gradient[0] = 2.0 * (x[0] - 1.0);
            gradient[1] = 2000.0 * (x[1] - 5.0);
            (x[0] - 1.0).powi(2) + 1000.0 * (x[1] - 5.0).powi(2)
        });
        assert!(found.converged);
        assert!((found.point[0] - 1.0).abs() < 1e-8 && (found.point[1] - 5.0).abs() < 1e-8);
    }
}
