//! One sample or two, value by value: moments, quantiles, and the distance of Wasserstein.
//!
//! In: slices of `f64`, sorted where an argument says so; [`Moments`] takes a stream and merges. Out: what NumPy's
//! `mean`, `std`, `quantile` and SciPy's `wasserstein_distance` say. A NaN is refused, never skipped: NULLs and NaNs are
//! the caller's to leave out. Infinities are refused where differences are taken; quantiles answer them as they stand.

use super::{Sum, Undefined, double, length, require_finite, require_sorted};

/// Count, mean and squared deviations of a stream of values, kept up to date value by value.
///
/// Source: B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", Technometrics 4
/// (1962); merging: T. F. Chan, G. H. Golub, R. J. `LeVeque`, "Updating Formulae and a Pairwise Algorithm for Computing
/// Sample Variances" (1979).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    n: u64,
    mean: f64,
    /// The sum of squared deviations from the mean.
    squares: f64,
    broken: Option<Undefined>,
}

/// What a standard deviation is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// By n − 1: of a sample (`ddof=1`, pandas' and SQL's `stddev`).
    Sample,
    /// By n: of a population (`ddof=0`, NumPy's `std`).
    Population,
}

impl Moments {
    /// Takes all values of a slice.
    pub fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        for value in values {
            moments.push(*value);
        }
        moments
    }

    /// Takes one more value. A NaN or an infinity leaves no mean.
    pub fn push(&mut self, value: f64) {
        self.n += 1;
        if let Err(why) = require_finite(value) {
            self.broken = self.broken.or(Some(why));
            return;
        }
        let before = value - self.mean;
        self.mean += before / double(self.n);
        self.squares += before * (value - self.mean);
    }

    /// Takes the values of another part.
    pub fn merge(&mut self, other: &Moments) {
        let n = self.n + other.n;
        if other.n > 0 {
            let difference = other.mean - self.mean;
            let share = double(other.n) / double(n);
            self.mean += difference * share;
            self.squares += other.squares + difference * difference * double(self.n) * share;
        }
        self.n = n;
        self.broken = self.broken.or(other.broken);
    }

    /// How many values there were.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The arithmetic mean.
    ///
    /// # Errors
    /// No values; a NaN or an infinity among them; values so large that their differences are infinite.
    pub fn mean(&self) -> Result<f64, Undefined> {
        self.require_values()?;
        require_finite(self.mean).map_err(|_| Undefined::Infinite)
    }

    /// The standard deviation.
    ///
    /// # Errors
    /// As [`Moments::mean`]; one value, for that of a sample.
    pub fn deviation(&self, deviation: Deviation) -> Result<f64, Undefined> {
        self.require_values()?;
        let divisor = match deviation {
            Deviation::Sample => self.n - 1,
            Deviation::Population => self.n,
        };
        if divisor == 0 {
            return Err(Undefined::OneValue);
        }
        require_finite((self.squares / double(divisor)).sqrt()).map_err(|_| Undefined::Infinite)
    }

    fn require_values(&self) -> Result<(), Undefined> {
        match self.broken {
            Some(why) => Err(why),
            None if self.n == 0 => Err(Undefined::Empty),
            None => Ok(()),
        }
    }
}

/// How a quantile between two values is taken: NumPy's methods of the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Between both, in proportion: the default everywhere.
    Linear,
    /// The nearer one; in the middle the one at the even position, counted from 0.
    Nearest,
    Lower,
    Higher,
    /// The middle of both.
    Midpoint,
}

/// The value below which a share `level` of a sorted sample lies, `numpy.quantile`.
///
/// # Errors
/// An empty sample; a NaN; values that are not sorted; a level outside `0..=1`; an interpolation between infinities.
pub fn quantile(sorted: &[f64], level: f64, interpolation: Interpolation) -> Result<f64, Undefined> {
    require_sorted(sorted)?;
    quantile_of_sorted(sorted, level, interpolation)
}

/// Several quantiles of one sorted sample: its order is checked once.
///
/// # Errors
/// As [`quantile`].
pub fn quantiles(sorted: &[f64], levels: &[f64], interpolation: Interpolation) -> Result<Vec<f64>, Undefined> {
    require_sorted(sorted)?;
    levels.iter().map(|level| quantile_of_sorted(sorted, *level, interpolation)).collect()
}

/// The median of a sorted sample: of an even number of values the mean of the middle two.
///
/// # Errors
/// As [`quantile`].
pub fn median(sorted: &[f64]) -> Result<f64, Undefined> {
    quantile(sorted, 0.5, Interpolation::Linear)
}

fn quantile_of_sorted(sorted: &[f64], level: f64, interpolation: Interpolation) -> Result<f64, Undefined> {
    if !(0.0..=1.0).contains(&level) {
        return Err(Undefined::OutOfRange);
    }
    let last = sorted.len().checked_sub(1).ok_or(Undefined::Empty)?;
    let position = length(last) * level;
    let value = |position: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the last position")]
        sorted.get(position as usize).copied().ok_or(Undefined::Empty)
    };
    let (lower, higher) = (value(position.floor())?, value(position.ceil())?);
    let share = position - position.floor();
    let between = |share: f64| if lower < higher { lower + (higher - lower) * share } else { lower };
    let result = match interpolation {
        Interpolation::Linear => between(share),
        Interpolation::Nearest => value(position.round_ties_even())?,
        Interpolation::Lower => lower,
        Interpolation::Higher => higher,
        Interpolation::Midpoint => between(0.5),
    };
    if result.is_nan() { Err(Undefined::Infinite) } else { Ok(result) }
}

/// The distance of Wasserstein of order 1 of two sorted samples, `scipy.stats.wasserstein_distance`: the area between
/// their distribution functions, in the values' unit.
///
/// # Errors
/// An empty sample; a NaN or an infinity; values that are not sorted.
pub fn wasserstein(reference: &[f64], current: &[f64]) -> Result<f64, Undefined> {
    for sample in [reference, current] {
        require_sorted(sample)?;
        for end in [sample.first(), sample.last()] {
            require_finite(*end.ok_or(Undefined::Empty)?)?;
        }
    }
    let (mut left, mut right) = (reference.iter().peekable(), current.iter().peekable());
    let (mut n_left, mut n_right) = (0_u64, 0_u64);
    let mut area = Sum::default();
    let mut before = None;
    loop {
        let value = match (left.peek(), right.peek()) {
            (Some(&&first), Some(&&second)) => first.min(second),
            (Some(&&only), None) | (None, Some(&&only)) => only,
            (None, None) => break,
        };
        if let Some(before) = before {
            let height = double(n_left) / length(reference.len()) - double(n_right) / length(current.len());
            area.add(height.abs() * (value - before));
        }
        while left.next_if(|next| **next <= value).is_some() {
            n_left += 1;
        }
        while right.next_if(|next| **next <= value).is_some() {
            n_right += 1;
        }
        before = Some(value);
    }
    Ok(area.value())
}
