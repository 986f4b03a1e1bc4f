//! Numbers about samples and distributions: tests, distances, divergences, bins, quantiles, moments.
//!
//! In: slices of `f64` without NULLs, or counts. Out: a number, or [`Undefined`] where there is none. The answers are
//! those of SciPy and NumPy (`tests/oracle/statistics.py` asks them; the cases are held to 1e-9), so that a threshold
//! taken from a notebook means the same here. Functions that say `sorted` want ascending order and check it; they take
//! one pass and no copy.
//!
//! Nothing here panics on input or reads a table; which values count as NULL, and what an undefined number means for an
//! expectation, is the caller's.

pub mod bins;
pub mod chi_squared;
pub mod divergence;
pub mod kolmogorov_smirnov;
pub mod partition;
pub mod sample;
mod special;

use std::fmt;

/// Why there is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// A sample without values, no bins, or counts that are all zero.
    Empty,
    /// The standard deviation of a sample of one value.
    OneValue,
    /// A NaN, in which no order and no sum is.
    NotANumber,
    /// An infinite value, where a difference or a sum is taken.
    Infinite,
    /// Values that are not in ascending order where they must be.
    Unsorted,
    /// Two inputs that go together have not the same length.
    Lengths,
    /// Observed and expected counts don't add up to the same.
    Totals,
    /// A count or weight below zero.
    Negative,
    /// An expected count of zero where nothing was observed either, or in a table of contingency.
    NothingExpected,
    /// A test without degrees of freedom: one category alone.
    NoFreedom,
    /// A level outside `0..=1`, or a logarithm's base that is no base.
    OutOfRange,
}

impl fmt::Display for Undefined {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Undefined::Empty => "there are no values",
            Undefined::OneValue => "there is only one value",
            Undefined::NotANumber => "a value is not a number",
            Undefined::Infinite => "a value is infinite",
            Undefined::Unsorted => "the values are not sorted",
            Undefined::Lengths => "the lengths differ",
            Undefined::Totals => "the observed and the expected counts don't add up to the same",
            Undefined::Negative => "a count is negative",
            Undefined::NothingExpected => "an expected count is zero",
            Undefined::NoFreedom => "there are no degrees of freedom",
            Undefined::OutOfRange => "an argument is out of range",
        })
    }
}

impl std::error::Error for Undefined {}

/// A count as the nearest double.
#[expect(clippy::cast_precision_loss, reason = "exact to 2^53, more than any table has rows")]
fn double(count: u64) -> f64 {
    count as f64
}

/// A length as the nearest double.
fn length(count: usize) -> f64 {
    double(count as u64)
}

/// Refuses a NaN, and values out of ascending order.
fn require_sorted(values: &[f64]) -> Result<(), Undefined> {
    if values.iter().any(|value| value.is_nan()) {
        return Err(Undefined::NotANumber);
    }
    if values.is_sorted() { Ok(()) } else { Err(Undefined::Unsorted) }
}

/// Refuses a NaN and an infinity.
fn require_finite(value: f64) -> Result<f64, Undefined> {
    if value.is_nan() {
        Err(Undefined::NotANumber)
    } else if value.is_infinite() {
        Err(Undefined::Infinite)
    } else {
        Ok(value)
    }
}

/// A sum whose rounding errors are carried along, so that the order of the terms doesn't show.
///
/// Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54 (1974).
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, term: f64) {
        let total = self.total + term;
        self.lost +=
            if self.total.abs() >= term.abs() { (self.total - total) + term } else { (term - total) + self.total };
        self.total = total;
    }

    fn value(self) -> f64 {
        // With an infinite term the loss is a NaN, the total is not.
        if self.total.is_finite() { self.total + self.lost } else { self.total }
    }
}

/// The total of counts. Doubles, so that absurd counts don't overflow.
fn total(counts: &[u64]) -> f64 {
    sum(counts.iter().map(|count| double(*count)))
}

fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    for term in terms {
        sum.add(term);
    }
    sum.value()
}
