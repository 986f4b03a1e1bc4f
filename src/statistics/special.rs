//! Special functions: what the tests' distributions are made of.
//!
//! Densities are computed from deviances instead of differences of log-gammas, so that they keep about 13 digits where
//! the arguments are in the millions; the incomplete gamma function rests on them. (The crate `statrs` is right to 1e-9
//! only below a million degrees of freedom, and lacks the binomial density's form that the Kolmogorov-Smirnov test needs.)
//!
//! Source of the densities: C. Loader, "Fast and Accurate Computation of Binomial Probabilities" (2000). Source of the
//! incomplete gamma function: NIST Digital Library of Mathematical Functions, 8.7.1 (series) and 8.9.2 (fraction).

use std::f64::consts::PI;

use super::length;

/// More terms than a converging series takes: the incomplete gamma function needs some √a.
const MOST_TERMS: usize = 10_000_000;

/// What Stirling's formula misses: `ln x! − ln(√(2πx) (x/e)^x)`, for `x > 0`.
pub(super) fn stirling_error(x: f64) -> f64 {
    // Below 16 the series is not exact enough: step up, by the recurrence of the gamma function.
    let mut below = 0.0;
    let mut x = x;
    while x < 16.0 {
        below += (x + 0.5) * (1.0 / x).ln_1p() - 1.0;
        x += 1.0;
    }
    let square = x * x;
    let series = 1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - (1.0 / 1188.0) / square) / square) / square) / square;
    below + series / x
}

/// `x ln(x/mean) + mean − x`, half the deviance of a Poisson count, for `x > 0` and `mean > 0`.
pub(super) fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return x * (x / mean).ln() + mean - x;
    }
    // Near the mean the terms cancel: the series of the logarithm in (x−mean)/(x+mean).
    let ratio = difference / (x + mean);
    let mut power = 2.0 * x * ratio;
    let mut total = difference * ratio;
    // The ratio is below 0.1: each term is a hundredth of the one before.
    for term in 1..20 {
        power *= ratio * ratio;
        total += power / length(2 * term + 1);
    }
    total
}

/// The binomial probability of `count` out of `n` at probability `p`, for `0 < count < n` and `0 < p < 1`.
pub(super) fn binomial(count: f64, n: f64, p: f64) -> f64 {
    let rest = n - count;
    let exponent = stirling_error(n)
        - stirling_error(count)
        - stirling_error(rest)
        - deviance(count, n * p)
        - deviance(rest, n * (1.0 - p));
    exponent.exp() * (n / (2.0 * PI * count * rest)).sqrt()
}

/// The regularised upper incomplete gamma function `Q(a, x)`, for `a > 0`; 1 for `x <= 0`, 0 for an infinite `x`.
pub(super) fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    // x^a e^−x / Γ(a+1)
    let density = (-stirling_error(a) - deviance(a, x)).exp() / (2.0 * PI * a).sqrt();
    if x < a + 1.0 { (1.0 - density * lower_series(a, x)).clamp(0.0, 1.0) } else { density * a * upper_fraction(a, x) }
}

/// `Σ x^k / ((a+1)…(a+k))`.
fn lower_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0;
    let mut total = 1.0;
    for k in 1..MOST_TERMS {
        term *= x / (a + length(k));
        total += term;
        if term < total * 1e-17 {
            break;
        }
    }
    total
}

/// The continued fraction of `Γ(a, x) / (x^a e^−x)`, from the front (Lentz).
fn upper_fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let nonzero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut denominator = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / nonzero(denominator);
    let mut fraction = d;
    for k in 1..MOST_TERMS {
        let numerator = length(k) * (a - length(k));
        denominator += 2.0;
        d = 1.0 / nonzero(numerator * d + denominator);
        c = nonzero(denominator + numerator / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}
