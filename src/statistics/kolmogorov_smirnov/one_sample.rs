//! The distribution of the one-sample statistic, two-sided: the limit for two large samples.
//!
//! In: a distance and a sample size. Out: the probability of a distance at least as large. Which formula serves where is
//! after R. Simard and P. L'Ecuyer, "Computing the Two-Sided Kolmogorov-Smirnov Distribution", Journal of Statistical
//! Software 39(11) (2011), 2–4; their Pomeranz recursion is not needed beside the matrices, which give the same numbers.
//! As SciPy does, a closed form replaces the sum of more than a million terms.

use std::f64::consts::PI;

use super::super::special::binomial;
use super::super::{double, length, sum};

/// Beyond so many values the sum of Smirnov gives way to a closed form.
const MOST_TERMS: u64 = 1_000_000;

/// The probability that the empirical distribution function of `n` values is somewhere at least `distance` from the
/// true one, `scipy.stats.kstwo.sf`. A NaN is answered with a NaN, no values with 1.
pub fn survival(distance: f64, n: u64) -> f64 {
    let size = double(n);
    let scaled = size * distance;
    if distance.is_nan() {
        return f64::NAN;
    }
    if n == 0 || scaled <= 0.5 {
        return 1.0;
    }
    if distance >= 1.0 {
        return 0.0;
    }
    let square = scaled * distance;
    let tail_from = if n <= 140 { 4.0 } else { 2.2 };
    let p_value = if distance >= 0.5 || square >= tail_from {
        2.0 * one_sided(distance, n)
    } else if n <= 140 || (n <= 100_000 && scaled * distance.sqrt() <= 1.4) {
        1.0 - durbin(distance, n)
    } else {
        1.0 - pelz_good(distance, n)
    };
    p_value.clamp(0.0, 1.0)
}

/// The probability that the empirical distribution function is somewhere at least `distance` above the true one.
///
/// Source: N. V. Smirnov (1944), as in Simard and L'Ecuyer, 2.4; the terms as binomial densities. The closed form:
/// U. R. Maag and G. Dicaire, "On Kolmogorov-Smirnov type one-sample statistics", Biometrika 58 (1971).
fn one_sided(distance: f64, n: u64) -> f64 {
    let size = double(n);
    if n > MOST_TERMS {
        let root = 6.0 * size * distance + 1.0;
        return (-root * root / (18.0 * size)).exp();
    }
    let first = (size * (-distance).ln_1p()).exp();
    let terms = (1..n).map(|j| (double(j), distance + double(j) / size)).take_while(|(_, p)| *p < 1.0);
    first + distance * sum(terms.map(|(j, p)| binomial(j, size, p) / p))
}

/// The distribution function by powers of a matrix of Durbin's.
///
/// Source: G. Marsaglia, W. W. Tsang and J. Wang, "Evaluating Kolmogorov's Distribution", Journal of Statistical
/// Software 8(18) (2003).
fn durbin(distance: f64, n: u64) -> f64 {
    let scaled = double(n) * distance;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most some dozens where this is used"
    )]
    let k = scaled.ceil() as usize;
    let power = Matrix::durbin(k, length(k) - scaled).power(n);
    // n!/n^n, a factor at a time; the exponent apart from the number, or it would underflow.
    let mut value = power.at(k - 1, k - 1);
    let mut exponent = power.exponent;
    for i in 1..=n {
        value *= double(i) / double(n);
        if value.abs() < SMALL {
            value /= SMALL;
            exponent -= STEP;
        }
    }
    value * 2.0_f64.powi(exponent)
}

const STEP: i32 = 400;
/// `2^−STEP`.
const SMALL: f64 = f64::from_bits((1023 - 400) << 52);

/// A square matrix times a power of two.
#[derive(Clone)]
struct Matrix {
    n: usize,
    cells: Vec<f64>,
    exponent: i32,
}

impl Matrix {
    /// `H` of the paper for a distance of `(k − h)/n`.
    fn durbin(k: usize, h: f64) -> Matrix {
        let n = 2 * k - 1;
        // 1/i! for 0 ≤ i ≤ n
        let mut inverse = vec![1.0];
        for i in 1..=n {
            inverse.push(inverse.last().copied().unwrap_or(1.0) / length(i));
        }
        let inverse = |i: usize| inverse.get(i).copied().unwrap_or(0.0);
        let edge = |i: usize| (1.0 - powered(h, i)) * inverse(i);
        let corner = (1.0 - 2.0 * powered(h, n) + powered((2.0 * h - 1.0).max(0.0), n)) * inverse(n);
        let cell = |row: usize, column: usize| match (row, column) {
            (row, 0) if row == n - 1 => corner,
            (row, 0) => edge(row + 1),
            (row, column) if row == n - 1 => edge(n - column),
            (row, column) if row + 1 >= column => inverse(row + 1 - column),
            _ => 0.0,
        };
        let cells = (0..n).flat_map(|row| (0..n).map(move |column| (row, column)));
        Matrix { n, cells: cells.map(|(row, column)| cell(row, column)).collect(), exponent: 0 }
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        self.cells.get(row * self.n + column).copied().unwrap_or(0.0)
    }

    fn power(self, exponent: u64) -> Matrix {
        let mut result: Option<Matrix> = None;
        let mut square = self;
        let mut rest = exponent;
        while rest > 0 {
            if rest % 2 == 1 {
                result = Some(result.map_or_else(|| square.clone(), |result| result.times(&square)));
            }
            rest /= 2;
            if rest > 0 {
                square = square.times(&square);
            }
        }
        result.expect("a positive exponent")
    }

    fn times(&self, other: &Matrix) -> Matrix {
        let mut cells = vec![0.0; self.n * self.n];
        for (target, row) in cells.chunks_exact_mut(self.n).zip(self.cells.chunks_exact(self.n)) {
            for (factor, line) in row.iter().zip(other.cells.chunks_exact(self.n)) {
                for (cell, value) in target.iter_mut().zip(line) {
                    *cell += factor * value;
                }
            }
        }
        let mut product = Matrix { n: self.n, cells, exponent: self.exponent + other.exponent };
        if product.at(self.n / 2, self.n / 2) > 1.0 / SMALL {
            product.cells.iter_mut().for_each(|cell| *cell *= SMALL);
            product.exponent += STEP;
        }
        product
    }
}

fn powered(base: f64, exponent: usize) -> f64 {
    base.powi(i32::try_from(exponent).unwrap_or(i32::MAX))
}

/// The distribution function by the expansion to `n^(−3/2)`.
///
/// Source: W. Pelz and I. J. Good, "Approximating the Lower Tail-Areas of the Kolmogorov-Smirnov One-Sample Statistic",
/// Journal of the Royal Statistical Society B 38 (1976), as in Simard and L'Ecuyer, 3.2.
fn pelz_good(distance: f64, n: u64) -> f64 {
    let root = double(n).sqrt();
    let z = distance * root;
    let z2 = z * z;
    let (z4, z6) = (z2 * z2, z2 * z2 * z2);
    let (pi2, pi4, pi6) = (PI.powi(2), PI.powi(4), PI.powi(6));
    // Terms fall as e^(−π²k²/2z²): none beyond these matters.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "z is below 2 where this is used")]
    let n_terms = (4.0 * z).ceil() as u64 + 2;
    let decay = |k2: f64| (-pi2 * k2 / (2.0 * z2)).exp();
    let mut orders = [0.0; 4];
    for k in 0..n_terms {
        // Over all integers the sums are symmetric: (k + ½)² comes twice, as does k² but for 0.
        let half = double(k) + 0.5;
        let (h2, h4, h6) = (half.powi(2), half.powi(4), half.powi(6));
        let weight = 2.0 * decay(h2);
        orders[0] += weight;
        orders[1] += weight * (pi2 * h2 - z2);
        orders[2] += weight * (6.0 * z6 + 2.0 * z4 + pi2 * (2.0 * z4 - 5.0 * z2) * h2 + pi4 * (1.0 - 2.0 * z2) * h4);
        orders[3] += weight
            * (pi6 * h6 * (5.0 - 30.0 * z2)
                + pi4 * h4 * (212.0 * z4 - 60.0 * z2)
                + pi2 * h2 * (135.0 * z4 - 96.0 * z6)
                - 30.0 * z6
                - 90.0 * z4 * z4);
    }
    let mut whole = [0.0; 2];
    for k in 1..=n_terms {
        let k2 = double(k * k);
        let weight = 2.0 * decay(k2);
        whole[0] += weight * pi2 * k2;
        whole[1] += weight * (3.0 * pi2 * k2 * z2 - pi4 * k2 * k2);
    }
    let scale = (PI / 2.0).sqrt();
    let by_order = [
        // The paper's leading sum runs over positive k and has √(2π): half of twice.
        scale * orders[0] / z,
        scale * orders[1] / (6.0 * z4),
        scale * (orders[2] / (72.0 * z6 * z) - whole[0] / (36.0 * z2 * z)),
        scale * (orders[3] / (6480.0 * z6 * z4) + whole[1] / (216.0 * z6)),
    ];
    sum(by_order.iter().zip([1.0, root, root * root, root * root * root]).map(|(term, power)| term / power))
}
