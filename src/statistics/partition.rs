//! The Kullback-Leibler divergence of a column from an expected partition, as Great Expectations'
//! `expect_column_kl_divergence_to_be_less_than` computes it.
//!
//! In: a partition (bins or values with weights) and holdouts, held to the library's rules when it is made; then counts.
//! Out: the divergence and the weights on both sides that the library reports. A holdout is weight taken from what is
//! expected and given to what is not: the tail's to values outside the partition, the internal one to bins of weight
//! zero. The same in 0.18 and 1.x.
//!
//! An infinite divergence is a number here; the library reports it as no observed value, and fails.

use std::fmt;

use super::bins::{Counted, Edges};
use super::divergence::relative_entropy;
use super::{Undefined, double, length, sum, total};

/// The weights that are set aside, 0 to 1 each.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Holdouts {
    /// For values outside the partition: shared by both tails, or by the categories that are not in it.
    pub tail: f64,
    /// Shared by the bins of weight zero.
    pub internal: f64,
}

/// What is wrong with a partition. Each can be told before any row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No values.
    Empty,
    /// Bins must be one more than weights; values as many as weights.
    Lengths,
    /// Bins must strictly ascend.
    Bins,
    /// Weights, with those of the tails, must sum to 1 (within 1e-5).
    Sum,
    /// A holdout must be between 0 and 1.
    Holdout,
    /// A tail holdout beside tail weights.
    TailHoldoutWithTailWeights,
    /// A tail holdout where both outer bins are open.
    TailHoldoutWithOpenEnds,
    /// Tail weights where an outer bin is open.
    TailWeightsWithOpenEnd,
    /// An internal holdout for values instead of bins.
    InternalHoldoutWithValues,
}

/// An expected distribution of a continuous column.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    edges: Edges,
    /// By bin, after the holdouts.
    weights: Vec<f64>,
    below: Tail,
    above: Tail,
}

/// An expected distribution over values. The values themselves are the caller's; here they are positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Categories {
    weights: Vec<f64>,
    tail_holdout: f64,
}

/// A divergence and what it was computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence<Weights> {
    /// At least 0; infinite where something was observed that has no expected weight.
    pub value: f64,
    pub observed: Weights,
    pub expected: Weights,
}

/// The weights of a continuous partition in the library's form: an open bin counts as a tail.
#[derive(Debug, Clone, PartialEq)]
pub struct BinWeights {
    /// Finite edges only.
    pub bins: Vec<f64>,
    pub weights: Vec<f64>,
    /// Below and above.
    pub tail_weights: [f64; 2],
}

/// What lies beyond one end of the bins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Tail {
    /// Nothing: the outer bin is open, and is the tail.
    OuterBin,
    /// A weight of its own.
    Weight(f64),
}

impl Partition {
    /// Makes a partition of bins.
    ///
    /// # Errors
    /// What the library refuses.
    pub fn new(
        bins: Vec<f64>,
        weights: &[f64],
        tail_weights: Option<[f64; 2]>,
        holdouts: Holdouts,
    ) -> Result<Partition, Mistake> {
        if bins.len() != weights.len() + 1 || weights.is_empty() {
            return Err(Mistake::Lengths);
        }
        let edges = Edges::new(bins).map_err(|_| Mistake::Bins)?;
        require_one(weights.iter().copied().chain(tail_weights.into_iter().flatten()))?;
        require_share(holdouts.tail)?;
        require_share(holdouts.internal)?;
        if holdouts.tail > 0.0 && tail_weights.is_some() {
            return Err(Mistake::TailHoldoutWithTailWeights);
        }
        let open =
            [edges.as_slice().first(), edges.as_slice().last()].map(|end| end.is_some_and(|edge| edge.is_infinite()));
        if tail_weights.is_some() && open.contains(&true) {
            return Err(Mistake::TailWeightsWithOpenEnd);
        }
        if holdouts.tail > 0.0 && open == [true, true] {
            return Err(Mistake::TailHoldoutWithOpenEnds);
        }
        let kept = 1.0 - holdouts.tail - holdouts.internal;
        let weights = with_internal_holdout(weights.iter().map(|weight| weight * kept).collect(), holdouts.internal);
        let tail = |open: bool, given: Option<f64>, share: f64| match (open, given) {
            (true, _) => Tail::OuterBin,
            (false, Some(weight)) => Tail::Weight(weight),
            (false, None) => Tail::Weight(holdouts.tail * share),
        };
        // With one open end, the other tail has the whole holdout.
        let share = if open.contains(&true) { 1.0 } else { 0.5 };
        let below = tail(open[0], tail_weights.map(|[below, _]| below), share);
        let above = tail(open[1], tail_weights.map(|[_, above]| above), share);
        Ok(Partition { edges, weights, below, above })
    }

    /// The bins that a column's values are counted in.
    pub fn edges(&self) -> &Edges {
        &self.edges
    }

    /// Compares counts in [`Partition::edges`] with what is expected.
    ///
    /// # Errors
    /// No values, which the library fails; counts in other bins than these.
    pub fn divergence(&self, observed: &Counted) -> Result<Divergence<BinWeights>, Undefined> {
        if observed.bins.len() != self.weights.len() {
            return Err(Undefined::Lengths);
        }
        let n = double(observed.n());
        if n == 0.0 {
            return Err(Undefined::Empty);
        }
        let seen: Vec<f64> = observed.bins.iter().map(|count| double(*count) / n).collect();
        let tails = [double(observed.below) / n, double(observed.above) / n];
        let [below, above] = [self.below, self.above].map(|tail| match tail {
            Tail::OuterBin => None,
            Tail::Weight(weight) => Some(weight),
        });
        let all_seen = combined(&seen, below.map(|_| tails[0]), above.map(|_| tails[1]));
        let all_expected = combined(&self.weights, below, above);
        Ok(Divergence {
            value: relative_entropy(&all_seen, &all_expected)?,
            observed: self.reported(&seen, below.map(|_| tails[0]), above.map(|_| tails[1])),
            expected: self.reported(&self.weights, below, above),
        })
    }

    fn reported(&self, weights: &[f64], below: Option<f64>, above: Option<f64>) -> BinWeights {
        let inner = |values: &[f64]| {
            let kept = values.len().saturating_sub(usize::from(below.is_none()) + usize::from(above.is_none()));
            values.iter().skip(usize::from(below.is_none())).take(kept).copied().collect()
        };
        let outer = |end: Option<&f64>| end.copied().unwrap_or_default();
        BinWeights {
            bins: inner(self.edges.as_slice()),
            weights: inner(weights),
            tail_weights: [
                below.unwrap_or_else(|| outer(weights.first())),
                above.unwrap_or_else(|| outer(weights.last())),
            ],
        }
    }
}

impl Categories {
    /// Makes a partition of values, by their weights.
    ///
    /// # Errors
    /// What the library refuses.
    pub fn new(weights: Vec<f64>, holdouts: Holdouts) -> Result<Categories, Mistake> {
        if weights.is_empty() {
            return Err(Mistake::Empty);
        }
        require_one(weights.iter().copied())?;
        require_share(holdouts.tail)?;
        require_share(holdouts.internal)?;
        if holdouts.internal > 0.0 {
            return Err(Mistake::InternalHoldoutWithValues);
        }
        Ok(Categories { weights, tail_holdout: holdouts.tail })
    }

    /// Compares counts with what is expected: `known` by the partition's values in its order, `new` by the values that
    /// are not in it (none of them zero). The weights come back in that order, the known ones first.
    ///
    /// # Errors
    /// No values, which the library fails; other than one count a value of the partition.
    pub fn divergence(&self, known: &[u64], new: &[u64]) -> Result<Divergence<Vec<f64>>, Undefined> {
        if known.len() != self.weights.len() {
            return Err(Undefined::Lengths);
        }
        let n = total(known) + total(new);
        if n == 0.0 {
            return Err(Undefined::Empty);
        }
        let observed: Vec<f64> = known.iter().chain(new).map(|count| double(*count) / n).collect();
        let mut expected = self.weights.clone();
        if !new.is_empty() {
            for weight in &mut expected {
                *weight *= 1.0 - self.tail_holdout;
            }
            expected.extend(new.iter().map(|_| self.tail_holdout / length(new.len())));
        }
        Ok(Divergence { value: relative_entropy(&observed, &expected)?, observed, expected })
    }
}

fn with_internal_holdout(mut weights: Vec<f64>, holdout: f64) -> Vec<f64> {
    if holdout > 0.0 {
        let n_zero = weights.iter().filter(|weight| **weight == 0.0).count();
        for weight in weights.iter_mut().filter(|weight| **weight == 0.0) {
            *weight = holdout / length(n_zero);
        }
    }
    weights
}

fn combined(weights: &[f64], below: Option<f64>, above: Option<f64>) -> Vec<f64> {
    below.into_iter().chain(weights.iter().copied()).chain(above).collect()
}

/// NumPy's `allclose` with its default tolerances.
fn require_one(weights: impl Iterator<Item = f64>) -> Result<(), Mistake> {
    if (sum(weights) - 1.0).abs() <= 1e-8 + 1e-5 { Ok(()) } else { Err(Mistake::Sum) }
}

fn require_share(holdout: f64) -> Result<(), Mistake> {
    if (0.0..=1.0).contains(&holdout) { Ok(()) } else { Err(Mistake::Holdout) }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Mistake::Empty => "the partition has no values",
            Mistake::Lengths => "the partition must have one more bin edge than weights",
            Mistake::Bins => "the bins must ascend",
            Mistake::Sum => "the weights must sum to 1",
            Mistake::Holdout => "a holdout must be between 0 and 1",
            Mistake::TailHoldoutWithTailWeights => "a tail holdout and tail weights exclude each other",
            Mistake::TailHoldoutWithOpenEnds => "a tail holdout needs a tail, and both outer bins are open",
            Mistake::TailWeightsWithOpenEnd => "tail weights need two tails, and an outer bin is open",
            Mistake::InternalHoldoutWithValues => "an internal holdout is for bins, and these are values",
        })
    }
}

impl std::error::Error for Mistake {}
