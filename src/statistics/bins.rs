//! Bins: rules that choose their edges, and how many values fall into each.
//!
//! In: a sorted reference, or what an aggregate knows of a column ([`Extent`]). Out: [`Edges`], and [`Counted`] values.
//! Bins are as NumPy's histograms have them: the lower edge belongs to a bin, the upper one to the next, but for the
//! last bin, which has both. Edges ascend strictly; the outer ones may be infinite.

use super::sample::{Interpolation, quantiles};
use super::{Undefined, length, require_finite};

/// The edges of at least one bin, strictly ascending; the first and the last may be infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct Edges(Vec<f64>);

/// How many values are in each bin and in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub bins: Vec<u64>,
    /// Below the first edge.
    pub below: u64,
    /// Above the last edge.
    pub above: u64,
    pub n_not_a_number: u64,
}

/// How many values a column has, and between which they lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    pub n: u64,
    pub min: f64,
    pub max: f64,
}

impl Edges {
    /// Takes edges as they are.
    ///
    /// # Errors
    /// Fewer than two; a NaN; edges that do not strictly ascend; an infinity that is no outer edge (it can't be then).
    pub fn new(edges: Vec<f64>) -> Result<Edges, Undefined> {
        if edges.len() < 2 {
            return Err(Undefined::Empty);
        }
        if edges.iter().any(|edge| edge.is_nan()) {
            return Err(Undefined::NotANumber);
        }
        let ascending = edges.iter().zip(edges.iter().skip(1)).all(|(edge, next)| edge < next);
        if ascending { Ok(Edges(edges)) } else { Err(Undefined::Unsorted) }
    }

    /// The edges, one more than bins.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// How many bins there are, at least one.
    pub fn n_bins(&self) -> usize {
        self.0.len() - 1
    }

    /// Counts values, in any order.
    pub fn count(&self, values: impl IntoIterator<Item = f64>) -> Counted {
        let mut counted = Counted { bins: vec![0; self.n_bins()], below: 0, above: 0, n_not_a_number: 0 };
        for value in values {
            // One edge past the bin's lower one: 0 is below all.
            let place = self.0.partition_point(|edge| *edge <= value);
            let on_last_edge = self.0.last() == Some(&value);
            let bin = if on_last_edge { Some(self.n_bins() - 1) } else { place.checked_sub(1) };
            match bin.and_then(|bin| counted.bins.get_mut(bin)) {
                _ if value.is_nan() => counted.n_not_a_number += 1,
                Some(count) => *count += 1,
                None if place == 0 => counted.below += 1,
                None => counted.above += 1,
            }
        }
        counted
    }
}

impl Counted {
    /// All counted values but the NaNs.
    pub fn n(&self) -> u64 {
        self.bins.iter().fold(self.below.saturating_add(self.above), |n, count| n.saturating_add(*count))
    }
}

impl Extent {
    /// The extent of a sample in any order.
    ///
    /// # Errors
    /// An empty sample; a NaN.
    pub fn of(values: &[f64]) -> Result<Extent, Undefined> {
        let mut extent = Extent { n: values.len() as u64, min: f64::INFINITY, max: f64::NEG_INFINITY };
        for &value in values {
            if value.is_nan() {
                return Err(Undefined::NotANumber);
            }
            extent.min = extent.min.min(value);
            extent.max = extent.max.max(value);
        }
        if values.is_empty() { Err(Undefined::Empty) } else { Ok(extent) }
    }

    /// The extent of both samples together.
    pub fn union(self, other: Extent) -> Extent {
        Extent { n: self.n.saturating_add(other.n), min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

/// Bins of equal width, `numpy.histogram_bin_edges(…, bins=n_bins)`; of equal values, from half below to half above.
///
/// # Errors
/// No bins; an extent that is infinite, a NaN or upside down; bins too narrow for doubles.
pub fn equal_width(extent: Extent, n_bins: usize) -> Result<Edges, Undefined> {
    if n_bins == 0 || extent.n == 0 {
        return Err(Undefined::Empty);
    }
    let (min, max) = (require_finite(extent.min)?, require_finite(extent.max)?);
    if min > max {
        return Err(Undefined::Unsorted);
    }
    let (low, high) = if min < max { (min, max) } else { (min - 0.5, max + 0.5) };
    let width = require_finite((high - low) / length(n_bins))?;
    let mut edges: Vec<f64> = (0..n_bins).map(|bin| length(bin) * width + low).collect();
    edges.push(high);
    Edges::new(edges)
}

/// Bins by the rule of Sturges, `numpy.histogram_bin_edges(…, "sturges")`: give it the union of both samples, so that
/// no value is outside.
///
/// # Errors
/// As [`equal_width`].
pub fn sturges(extent: Extent) -> Result<Edges, Undefined> {
    if extent.n == 0 {
        return Err(Undefined::Empty);
    }
    let range = require_finite(extent.max)? - require_finite(extent.min)?;
    let width = range / (super::double(extent.n).log2() + 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "log2 of a count, plus 1")]
    let n_bins = if width > 0.0 { (range / width).ceil() as usize } else { 1 };
    equal_width(extent, n_bins)
}

/// Bins of equal shares of a sorted reference: its quantiles as inner edges, open to both sides, equal edges once. With
/// `n_bins` 10 the deciles.
///
/// A reference of one value alone gets three bins, below, at and above it: one open bin would see no drift.
///
/// # Errors
/// No bins; an empty reference; a NaN or an infinity; values that are not sorted.
pub fn quantile_bins(sorted: &[f64], n_bins: usize) -> Result<Edges, Undefined> {
    if n_bins == 0 {
        return Err(Undefined::Empty);
    }
    let levels: Vec<f64> = (0..=n_bins).map(|bin| length(bin) / length(n_bins)).collect();
    let mut edges = quantiles(sorted, &levels, Interpolation::Linear)?;
    edges.dedup();
    let (first, last) = (edges.first().copied(), edges.last().copied());
    for end in [first, last] {
        require_finite(end.ok_or(Undefined::Empty)?)?;
    }
    if let [only] = edges.as_slice() {
        return Edges::new(vec![f64::NEG_INFINITY, *only, only.next_up(), f64::INFINITY]);
    }
    let inner = edges.iter().skip(1).take(edges.len() - 2).copied();
    Edges::new([f64::NEG_INFINITY].into_iter().chain(inner).chain([f64::INFINITY]).collect())
}
