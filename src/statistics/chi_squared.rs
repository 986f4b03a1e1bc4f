//! Pearson's chi-squared tests: counts against expected counts, and independence in a table of contingency.
//!
//! In: counts. Out: the statistic, its degrees of freedom and the p-value, as `scipy.stats.chisquare` and
//! `scipy.stats.chi2_contingency` have them. No power divergences other than Pearson's, no tables of three dimensions.

use super::special::upper_gamma;
use super::{Undefined, double, length, sum, total};

/// A chi-squared test's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquared {
    pub statistic: f64,
    pub degrees_of_freedom: u64,
    /// The probability of a statistic at least as large if the counts are as expected.
    pub p_value: f64,
}

/// Yates' correction for continuity, which is defined for one degree of freedom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// Corrects a 2×2 table and leaves the others: SciPy's default.
    Corrected,
    Uncorrected,
}

/// The probability that a chi-squared variable of so many degrees of freedom is at least `statistic`.
///
/// # Errors
/// Without degrees of freedom; a NaN.
pub fn survival(statistic: f64, degrees_of_freedom: u64) -> Result<f64, Undefined> {
    if statistic.is_nan() {
        return Err(Undefined::NotANumber);
    }
    if degrees_of_freedom == 0 {
        return Err(Undefined::NoFreedom);
    }
    Ok(upper_gamma(double(degrees_of_freedom) / 2.0, statistic / 2.0))
}

/// Tests counts against expected counts with the same sum, `scipy.stats.chisquare(observed, expected)`.
///
/// A category that was not expected but observed makes the statistic infinite and the p-value 0.
///
/// # Errors
/// Different lengths; one category or none; an expected count that is negative, infinite or a NaN, or zero where
/// nothing was observed; sums that differ by more than 1.5e-8 of the smaller, as SciPy has it.
pub fn goodness_of_fit(observed: &[u64], expected: &[f64]) -> Result<ChiSquared, Undefined> {
    if observed.len() != expected.len() {
        return Err(Undefined::Lengths);
    }
    for &count in expected {
        if super::require_finite(count)? < 0.0 {
            return Err(Undefined::Negative);
        }
    }
    let (seen, wanted) = (total(observed), sum(expected.iter().copied()));
    if seen == 0.0 || wanted == 0.0 {
        return Err(Undefined::Empty);
    }
    if (seen - wanted).abs() / seen.min(wanted) > f64::EPSILON.sqrt() {
        return Err(Undefined::Totals);
    }
    if observed.iter().zip(expected).any(|(&count, &expected)| count == 0 && expected == 0.0) {
        return Err(Undefined::NothingExpected);
    }
    let statistic = sum(observed.iter().zip(expected).map(|(&count, &expected)| cell(double(count), expected)));
    let degrees_of_freedom = observed.len() as u64 - 1;
    Ok(ChiSquared { statistic, degrees_of_freedom, p_value: survival(statistic, degrees_of_freedom)? })
}

/// Tests the current counts against the reference's shares: [`goodness_of_fit`] with the reference scaled to the
/// current total. Categories in neither are left out; one that is new in `current` gives p = 0.
///
/// # Errors
/// Different lengths; no counts on one side; fewer than two categories.
pub fn against_reference(reference: &[u64], current: &[u64]) -> Result<ChiSquared, Undefined> {
    if reference.len() != current.len() {
        return Err(Undefined::Lengths);
    }
    let (n_reference, n_current) = (total(reference), total(current));
    if n_reference == 0.0 || n_current == 0.0 {
        return Err(Undefined::Empty);
    }
    let present = || reference.iter().zip(current).filter(|(reference, current)| **reference > 0 || **current > 0);
    let expected: Vec<f64> = present().map(|(&count, _)| double(count) / n_reference * n_current).collect();
    let observed: Vec<u64> = present().map(|(_, &count)| count).collect();
    goodness_of_fit(&observed, &expected)
}

/// Tests whether rows and columns of a table of counts are independent, `scipy.stats.chi2_contingency`.
///
/// A table of one row or one column has statistic 0, no degrees of freedom and p = 1, as SciPy has it.
///
/// # Errors
/// No cells; rows of different lengths; a row or a column of zeros.
pub fn contingency(table: &[impl AsRef<[u64]>], continuity: Continuity) -> Result<ChiSquared, Undefined> {
    let n_columns = table.first().map_or(0, |row| row.as_ref().len());
    if n_columns == 0 {
        return Err(Undefined::Empty);
    }
    if table.iter().any(|row| row.as_ref().len() != n_columns) {
        return Err(Undefined::Lengths);
    }
    let mut by_column = vec![0.0; n_columns];
    for row in table {
        for (column, count) in by_column.iter_mut().zip(row.as_ref()) {
            *column += double(*count);
        }
    }
    let by_row: Vec<f64> = table.iter().map(|row| total(row.as_ref())).collect();
    if by_column.contains(&0.0) || by_row.contains(&0.0) {
        return Err(Undefined::NothingExpected);
    }
    let degrees_of_freedom = (table.len() as u64 - 1) * (n_columns as u64 - 1);
    if degrees_of_freedom == 0 {
        return Ok(ChiSquared { statistic: 0.0, degrees_of_freedom, p_value: 1.0 });
    }
    let all = sum(by_row.iter().copied());
    let most = if degrees_of_freedom == 1 && continuity == Continuity::Corrected { 0.5 } else { 0.0 };
    let statistic = sum(table.iter().zip(&by_row).flat_map(|(row, &n_row)| {
        row.as_ref().iter().zip(&by_column).map(move |(&count, &n_column)| {
            let expected = n_row * n_column / all;
            // No correction beyond the difference: it would overshoot.
            let correction = (expected - double(count)).clamp(-most, most);
            cell(double(count) + correction, expected)
        })
    }));
    Ok(ChiSquared { statistic, degrees_of_freedom, p_value: survival(statistic, degrees_of_freedom)? })
}

/// Cramér's V of a contingency test, without correction for bias: 0 for independence, 1 for a bijection.
///
/// # Errors
/// No counts; a table of one row or one column.
pub fn cramers_v(test: ChiSquared, n: u64, n_rows: usize, n_columns: usize) -> Result<f64, Undefined> {
    let least = n_rows.min(n_columns);
    if n == 0 {
        return Err(Undefined::Empty);
    }
    if least < 2 {
        return Err(Undefined::NoFreedom);
    }
    Ok((test.statistic / (double(n) * length(least - 1))).sqrt())
}

fn cell(observed: f64, expected: f64) -> f64 {
    let difference = observed - expected;
    difference * difference / expected
}
