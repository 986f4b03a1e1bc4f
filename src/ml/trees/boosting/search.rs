//! The best split of a leaf, from its histogram.
//!
//! A leaf's score is `T(G)² / (H + l2)`, `T` taking `l1` off the sum of gradients; a split gains the scores of its sides less
//! that of the leaf (Chen and Guestrin 2016, equation 7). Missing values are tried on both sides. Categories are put in the
//! order of `G / (H + smoothing)`, in which the best subset is a beginning (Fisher 1958), as `LightGBM` does.

use rayon::prelude::*;

use crate::ml::trees::boosting::bins::{Bins, Feature, Meaning};
use crate::ml::trees::boosting::histogram::{Histogram, Sum, Total, Units, add, subtract};

/// What a split has to hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    pub(super) min_samples_leaf: usize,
    pub(super) min_child_weight: f64,
    pub(super) min_split_gain: f64,
    pub(super) l1: f64,
    pub(super) l2: f64,
    /// Added to `l2` where categories are split.
    pub(super) category_l2: f64,
    pub(super) category_smoothing: f64,
}

/// A split.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Split {
    /// Among those in bins.
    pub(super) feature: usize,
    pub(super) gain: f64,
    pub(super) left: Sum,
    pub(super) missing_left: bool,
    pub(super) side: Side,
}

/// The bins that go left; whether the one for missing values does is said apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Side {
    UpTo(usize),
    OneOf(Vec<usize>),
}

/// A category split is told by at most so many of them on one of its sides.
const MOST_CATEGORIES: usize = 32;

/// More bins than this are searched by all threads.
const ALONE: usize = 1 << 14;

impl Limits {
    fn score(&self, total: Total, l2: f64) -> f64 {
        let gradient = (total.gradient.abs() - self.l1).max(0.0);
        let weight = total.curvature + l2;
        if weight > 0.0 { gradient * gradient / weight } else { 0.0 }
    }

    /// The step that lowers the loss most.
    pub(super) fn step(&self, total: Total) -> f64 {
        let gradient = (total.gradient.abs() - self.l1).max(0.0).copysign(total.gradient);
        let weight = total.curvature + self.l2;
        if weight > 0.0 { -gradient / weight } else { 0.0 }
    }

    fn holds(&self, total: Total) -> bool {
        total.n_rows >= self.min_samples_leaf.max(1) && total.curvature >= self.min_child_weight
    }
}

/// The best split of a leaf with this sum, if any gains; of equal ones the first feature's.
pub(super) fn best(
    bins: &Bins,
    features: &[usize],
    limits: &Limits,
    units: Units,
    histogram: &Histogram,
    whole: Sum,
) -> Option<Split> {
    let of_feature = |feature: &usize| {
        let own = &bins.features[*feature];
        let sums = &histogram[own.start..=own.start + own.n_values];
        Search { limits, units, whole, feature: *feature, best: None }.run(own, sums)
    };
    let better = |a: Option<Split>, b: Option<Split>| match (a, b) {
        (Some(a), Some(b)) if b.gain > a.gain => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    };
    if bins.n_bins < ALONE {
        features.iter().map(of_feature).fold(None, better)
    } else {
        // Collected first: which of equal ones wins must not hang on how threads share the work.
        features.par_iter().map(of_feature).collect::<Vec<_>>().into_iter().fold(None, better)
    }
}

struct Search<'a> {
    limits: &'a Limits,
    units: Units,
    whole: Sum,
    feature: usize,
    best: Option<Split>,
}

impl Search<'_> {
    fn run(mut self, feature: &Feature, sums: &[Sum]) -> Option<Split> {
        let (values, missing) = sums.split_at(feature.n_values);
        let missing = missing[0];
        match &feature.meaning {
            Meaning::Numbers { .. } => self.numbers(values, missing),
            Meaning::Categories { .. } => self.categories(values, missing),
        }
        self.best
    }

    fn numbers(&mut self, values: &[Sum], missing: Sum) {
        let any_missing = self.units.n_rows(missing) > 0;
        let whole = self.limits.score(self.units.total(self.whole), self.limits.l2);
        let floor = whole + self.limits.min_split_gain;
        let (mut most, mut found) = (floor, None);
        // With nothing missing the split behind the last value has an empty side.
        let last = if any_missing { values.len() } else { values.len() - 1 };
        for (missing_left, start, end) in [(false, [0, 0], last), (true, missing, values.len() - 1)] {
            if missing_left && !any_missing {
                break;
            }
            let mut left = start;
            for (bin, sum) in values[..end].iter().enumerate() {
                if sum[1] == 0 {
                    continue;
                }
                left = add(left, *sum);
                let (one, other) = (self.units.total(left), self.units.total(subtract(self.whole, left)));
                if other.n_rows < self.limits.min_samples_leaf {
                    break;
                }
                if !self.limits.holds(one) || !self.limits.holds(other) {
                    continue;
                }
                let score = self.limits.score(one, self.limits.l2) + self.limits.score(other, self.limits.l2);
                if score > most {
                    most = score;
                    // What was never missing goes with the larger side.
                    let missing_left = if any_missing { missing_left } else { one.n_rows > other.n_rows };
                    found = Some((bin, left, missing_left));
                }
            }
        }
        self.best = found.map(|(bin, left, missing_left)| Split {
            feature: self.feature,
            gain: most - whole,
            left,
            missing_left,
            side: Side::UpTo(bin),
        });
    }

    /// Missing values take part as one more category.
    fn categories(&mut self, values: &[Sum], missing: Sum) {
        let place = |sum: Sum| {
            let total = self.units.total(sum);
            total.gradient / (total.curvature + self.limits.category_smoothing).max(f64::MIN_POSITIVE)
        };
        let all = values.iter().copied().chain([missing]).enumerate();
        let mut order: Vec<(f64, usize, Sum)> =
            all.filter(|(_, sum)| sum[1] != 0).map(|(bin, sum)| (place(sum), bin, sum)).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let l2 = self.limits.l2 + self.limits.category_l2;
        let whole = self.limits.score(self.units.total(self.whole), self.limits.l2);
        let (mut most, mut found) = (whole + self.limits.min_split_gain, None);
        let mut left = [0, 0];
        for (n_left, (_, _, sum)) in (1..).zip(&order) {
            left = add(left, *sum);
            let (one, other) = (self.units.total(left), self.units.total(subtract(self.whole, left)));
            let told = n_left.min(order.len() - n_left) <= MOST_CATEGORIES;
            if !told || !self.limits.holds(one) || !self.limits.holds(other) {
                continue;
            }
            let score = self.limits.score(one, l2) + self.limits.score(other, l2);
            if score > most {
                (most, found) = (score, Some((n_left, left, one.n_rows > other.n_rows)));
            }
        }
        let n_values = values.len();
        self.best = found.map(|(n_left, left, larger)| {
            let mut chosen: Vec<usize> = order[..n_left].iter().map(|(_, bin, _)| *bin).collect();
            chosen.sort_unstable();
            let any_missing = self.units.n_rows(missing) > 0;
            let missing_left = if any_missing { chosen.contains(&n_values) } else { larger };
            chosen.retain(|bin| *bin != n_values);
            Split { feature: self.feature, gain: most - whole, left, missing_left, side: Side::OneOf(chosen) }
        });
    }
}
