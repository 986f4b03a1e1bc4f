//! The two-sample Kolmogorov-Smirnov test, two-sided.
//!
//! In: two sorted samples, or the counts of both at each distinct value. Out: the largest distance of the two empirical
//! distribution functions and its p-value, as `scipy.stats.ks_2samp` has them with its default method: exact while both
//! samples have at most 10,000 values, else from the distribution of the one-sample statistic at the effective size.
//! The distance is found in whole numbers, so ties and sizes cost no digits. Infinities are values like others.
//!
//! The p-value assumes continuous distributions; with ties it is too large, in SciPy as here.

mod exact;
mod one_sample;

use super::{Undefined, double, require_sorted};

pub use one_sample::survival;

/// The largest sample for which the p-value is exact.
pub const MOST_EXACT: u64 = 10_000;

/// A Kolmogorov-Smirnov test's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KolmogorovSmirnov {
    /// The largest distance of the distribution functions, 0 to 1.
    pub statistic: f64,
    /// The probability of a distance at least as large if both samples are of one distribution.
    pub p_value: f64,
}

/// Compares two sorted samples.
///
/// # Errors
/// An empty sample; a NaN; values that are not sorted.
pub fn two_sample(reference: &[f64], current: &[f64]) -> Result<KolmogorovSmirnov, Undefined> {
    if reference.is_empty() || current.is_empty() {
        return Err(Undefined::Empty);
    }
    require_sorted(reference)?;
    require_sorted(current)?;
    let totals = [reference.len() as u64, current.len() as u64];
    let mut distance = Distance::new(totals);
    let (mut left, mut right) = (reference, current);
    while let (Some(&first), Some(&second)) = (left.first(), right.first()) {
        let value = if second < first { second } else { first };
        distance.step([pass(&mut left, value), pass(&mut right, value)]);
    }
    Ok(distance.test())
}

/// Compares two samples that are given as counts: for each distinct value in ascending order, how often it is in the
/// reference and in the current sample. `totals` are the sizes of both, which a stream can't know ahead.
///
/// # Errors
/// A sample without values; counts that don't add up to `totals`.
pub fn from_counts(
    counts: impl IntoIterator<Item = [u64; 2]>,
    totals: [u64; 2],
) -> Result<KolmogorovSmirnov, Undefined> {
    if totals.contains(&0) {
        return Err(Undefined::Empty);
    }
    let mut distance = Distance::new(totals);
    for step in counts {
        distance.step(step);
    }
    if distance.passed != totals {
        return Err(Undefined::Totals);
    }
    Ok(distance.test())
}

/// Drops the values up to `value` and says how many they were.
fn pass(sorted: &mut &[f64], value: f64) -> u64 {
    let n = sorted.iter().take_while(|other| **other <= value).count();
    *sorted = sorted.get(n..).unwrap_or_default();
    n as u64
}

/// The distance so far of two distribution functions.
struct Distance {
    totals: [u64; 2],
    passed: [u64; 2],
    /// Times both totals.
    largest: u128,
}

impl Distance {
    fn new(totals: [u64; 2]) -> Self {
        Distance { totals, passed: [0, 0], largest: 0 }
    }

    fn step(&mut self, [reference, current]: [u64; 2]) {
        self.passed[0] = self.passed[0].saturating_add(reference);
        self.passed[1] = self.passed[1].saturating_add(current);
        let left = u128::from(self.passed[0]) * u128::from(self.totals[1]);
        let right = u128::from(self.passed[1]) * u128::from(self.totals[0]);
        self.largest = self.largest.max(left.abs_diff(right));
    }

    fn test(&self) -> KolmogorovSmirnov {
        let [n_reference, n_current] = self.totals;
        let (larger, smaller) = (n_reference.max(n_current), n_reference.min(n_current));
        #[expect(clippy::cast_precision_loss, reason = "a share: 53 bits of it are enough")]
        let statistic = self.largest as f64 / (double(larger) * double(smaller));
        let p_value = if larger <= MOST_EXACT {
            exact::survival(self.largest, larger, smaller)
        } else {
            let effective = double(larger) * double(smaller) / (double(larger) + double(smaller));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the smaller size")]
            survival(statistic, effective.round_ties_even() as u64)
        };
        KolmogorovSmirnov { statistic, p_value }
    }
}
