//! Divergences of two discrete distributions: population stability index, relative entropy, Jensen-Shannon, total
//! variation, largest difference.
//!
//! In: counts or weights of the same bins or categories, in the same order; a category that only one side has is a zero
//! on the other. Out: a number, in nats unless a base is given. Weights need not sum to one. Which bins, see
//! [`super::bins`].

use super::{Undefined, double, require_finite, sum, total};

/// The share that an empty bin is given in the population stability index.
const EMPTY_SHARE: f64 = 1e-4;

/// The population stability index, `Σ (q−p) ln(q/p)` over the shares of the bins.
///
/// An empty bin has the share 1e-4 or, where the smallest share of its side is no larger than that, a millionth of the
/// smallest (so does Evidently); the shares are not scaled to one again. A bin that both have empty adds next to
/// nothing, not always nothing.
///
/// # Errors
/// Different lengths; no counts on one side.
pub fn population_stability_index(reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    if reference.len() != current.len() {
        return Err(Undefined::Lengths);
    }
    let (reference, current) = (filled_shares(reference)?, filled_shares(current)?);
    Ok(sum(reference.iter().zip(&current).map(|(p, q)| (q - p) * (q / p).ln())))
}

/// The relative entropy (Kullback-Leibler divergence) of `observed` from `expected`, `scipy.stats.entropy(pk, qk)`:
/// infinite where something was observed whose expected weight is zero (or less).
///
/// # Errors
/// Different lengths; a NaN, an infinity; observed weights below zero; weights that sum to zero.
pub fn relative_entropy(observed: &[f64], expected: &[f64]) -> Result<f64, Undefined> {
    if observed.len() != expected.len() {
        return Err(Undefined::Lengths);
    }
    if observed.iter().any(|weight| *weight < 0.0) {
        return Err(Undefined::Negative);
    }
    let (p, q) = (normalised(observed)?, normalised(expected)?);
    Ok(sum(p.iter().zip(&q).map(|(p, q)| relative_term(*p, *q))))
}

/// The distance of Jensen and Shannon, `scipy.spatial.distance.jensenshannon`: the root of the divergence, 0 to 1 with
/// base 2. `base` `None` is e.
///
/// Equal up to rounding means 0 here, where SciPy may answer NaN.
///
/// # Errors
/// Different lengths; a NaN, an infinity; weights below zero; weights that sum to zero; a base that is not above 1.
pub fn jensen_shannon(reference: &[f64], current: &[f64], base: Option<f64>) -> Result<f64, Undefined> {
    if base.is_some_and(|base| base <= 1.0 || !base.is_finite()) {
        return Err(Undefined::OutOfRange);
    }
    let (p, q) = paired_shares(reference, current)?;
    let terms = p.iter().zip(&q).flat_map(|(p, q)| {
        let middle = (p + q) / 2.0;
        [relative_term(*p, middle), relative_term(*q, middle)]
    });
    let divergence = sum(terms) / base.map_or(1.0, f64::ln);
    Ok((divergence.max(0.0) / 2.0).sqrt())
}

/// The distance of total variation: half the sum of the absolute differences of the shares, 0 to 1.
///
/// # Errors
/// As [`jensen_shannon`].
pub fn total_variation(reference: &[f64], current: &[f64]) -> Result<f64, Undefined> {
    let (p, q) = paired_shares(reference, current)?;
    Ok(sum(p.iter().zip(&q).map(|(p, q)| (p - q).abs())) / 2.0)
}

/// The largest absolute difference of the shares, 0 to 1.
///
/// # Errors
/// As [`jensen_shannon`].
pub fn largest_difference(reference: &[f64], current: &[f64]) -> Result<f64, Undefined> {
    let (p, q) = paired_shares(reference, current)?;
    Ok(p.iter().zip(&q).map(|(p, q)| (p - q).abs()).fold(0.0, f64::max))
}

/// Counts as weights, for the functions that take weights.
pub fn weights(counts: &[u64]) -> Vec<f64> {
    counts.iter().map(|count| double(*count)).collect()
}

fn filled_shares(counts: &[u64]) -> Result<Vec<f64>, Undefined> {
    let total = total(counts);
    let smallest = counts.iter().filter(|count| **count > 0).min().ok_or(Undefined::Empty)?;
    let smallest = double(*smallest) / total;
    let empty = if smallest <= EMPTY_SHARE { smallest / 1e6 } else { EMPTY_SHARE };
    Ok(counts.iter().map(|&count| if count == 0 { empty } else { double(count) / total }).collect())
}

fn paired_shares(reference: &[f64], current: &[f64]) -> Result<(Vec<f64>, Vec<f64>), Undefined> {
    if reference.len() != current.len() {
        return Err(Undefined::Lengths);
    }
    if reference.iter().chain(current).any(|weight| *weight < 0.0) {
        return Err(Undefined::Negative);
    }
    Ok((normalised(reference)?, normalised(current)?))
}

fn normalised(weights: &[f64]) -> Result<Vec<f64>, Undefined> {
    for weight in weights {
        require_finite(*weight)?;
    }
    let total = require_finite(sum(weights.iter().copied()))?;
    if total == 0.0 {
        return Err(Undefined::Empty);
    }
    Ok(weights.iter().map(|weight| weight / total).collect())
}

/// `p ln(p/q)`, 0 for no p, infinite for a q that is not above 0.
fn relative_term(p: f64, q: f64) -> f64 {
    if p == 0.0 && q >= 0.0 {
        0.0
    } else if p > 0.0 && q > 0.0 {
        p * (p / q).ln()
    } else {
        f64::INFINITY
    }
}
