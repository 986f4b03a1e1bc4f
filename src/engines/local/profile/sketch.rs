//! What is remembered of a column's values when they cannot all be kept: samples, frequent values, distinct counts.
//!
//! In: values one by one. Out: a uniform sample, counts of the values that stand most often, the number of different
//! values. Each is exact until its room is full and says whether it still is. The memory of each is fixed, and the same
//! values in the same order give the same answer: there is no clock and no random seed.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use indexmap::IndexMap;

/// A uniform sample without replacement of at most [`Sample::CAPACITY`] values (Li 1994, "Algorithm L").
#[derive(Debug, Clone)]
pub(super) struct Sample<T> {
    values: Vec<T>,
    n_seen: u64,
    /// The number of the next value that enters a full sample.
    next: u64,
    weight: f64,
    random: Random,
}

impl<T: Copy> Sample<T> {
    pub(super) const CAPACITY: usize = 20_000;

    pub(super) fn new() -> Self {
        Sample { values: Vec::new(), n_seen: 0, next: 0, weight: 1.0, random: Random(0x9e37_79b9_7f4a_7c15) }
    }

    pub(super) fn add(&mut self, value: T) {
        self.n_seen += 1;
        if self.values.len() < Self::CAPACITY {
            self.values.push(value);
            if self.values.len() == Self::CAPACITY {
                self.skip();
            }
        } else if self.n_seen == self.next {
            let place = self.random.below(Self::CAPACITY);
            if let Some(slot) = self.values.get_mut(place) {
                *slot = value;
            }
            self.skip();
        }
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a skip")]
    fn skip(&mut self) {
        self.weight *= (self.random.unit().ln() / Self::CAPACITY as f64).exp();
        let skipped = (self.random.unit().ln() / (1.0 - self.weight).ln()).floor();
        self.next = self.n_seen.saturating_add(skipped as u64).saturating_add(1);
    }

    pub(super) fn values(&self) -> &[T] {
        &self.values
    }

    pub(super) fn n_seen(&self) -> u64 {
        self.n_seen
    }

    /// Whether the sample is all that was seen.
    pub(super) fn is_exact(&self) -> bool {
        self.n_seen <= Self::CAPACITY as u64
    }
}

/// Numbers that look random: splitmix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between 0 and 1, neither included.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() % (end as u64)).unwrap_or(0)
    }
}

/// A value's digest. Two values of a column that differ have different ones, but for one chance in billions.
pub(super) fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Counts of the values that stand most often, in fixed room (Misra and Gries 1982, emptied by halves). A count is never
/// too high, and too low by at most [`Frequent::slack`].
#[derive(Debug, Clone)]
pub(super) struct Frequent<T> {
    counts: IndexMap<u64, (T, u64)>,
    slack: u64,
}

impl<T: Ord> Frequent<T> {
    const CAPACITY: usize = 2_048;

    pub(super) fn new() -> Self {
        Frequent { counts: IndexMap::new(), slack: 0 }
    }

    /// `value` is only made for one that is not known yet.
    pub(super) fn add(&mut self, digest: u64, value: impl FnOnce() -> T) {
        if let Some((_, n)) = self.counts.get_mut(&digest) {
            *n += 1;
            return;
        }
        self.counts.insert(digest, (value(), 1));
        if self.counts.len() > Self::CAPACITY {
            self.purge();
        }
    }

    fn purge(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().map(|(_, n)| *n).collect();
        let middle = counts.len() / 2;
        let (_, median, _) = counts.select_nth_unstable(middle);
        let median = *median;
        self.slack += median;
        self.counts.retain(|_, (_, n)| {
            *n = n.saturating_sub(median);
            *n > 0
        });
    }

    /// How much too low a count may be; 0 while all values are counted.
    pub(super) fn slack(&self) -> u64 {
        self.slack
    }

    /// How many different values there are, while that is known.
    pub(super) fn n_distinct(&self) -> Option<u64> {
        (self.slack == 0).then_some(self.counts.len() as u64)
    }

    /// The most frequent values, those that stand equally often in their own order.
    pub(super) fn top(&self, n: usize) -> Vec<(&T, u64)> {
        let mut all: Vec<(&T, u64)> = self.counts.values().map(|(value, n)| (value, *n)).collect();
        all.sort_by(|(left, n_left), (right, n_right)| n_right.cmp(n_left).then_with(|| left.cmp(right)));
        all.truncate(n);
        all
    }
}

/// The number of different values from the smallest of their digests (Bar-Yossef et al. 2002, "k minimum values"); off by
/// about 1.6% on average.
#[derive(Debug, Clone, Default)]
pub(super) struct Distinct {
    smallest: BTreeSet<u64>,
}

impl Distinct {
    const CAPACITY: usize = 4_096;

    pub(super) fn add(&mut self, digest: u64) {
        if self.smallest.len() < Self::CAPACITY {
            self.smallest.insert(digest);
        } else if self.smallest.last().is_some_and(|last| digest < *last) && self.smallest.insert(digest) {
            self.smallest.pop_last();
        }
    }

    /// Whether the estimate is the number itself.
    pub(super) fn is_exact(&self) -> bool {
        self.smallest.len() < Self::CAPACITY
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    pub(super) fn estimate(&self) -> u64 {
        match self.smallest.last() {
            Some(last) if self.smallest.len() == Self::CAPACITY => {
                let share = *last as f64 / u64::MAX as f64;
                ((Self::CAPACITY - 1) as f64 / share).round() as u64
            }
            Some(_) | None => self.smallest.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_everything_until_it_is_full_and_uniform_after() {
        let mut sample = Sample::new();
        for value in 0..1_000_000_u32 {
            sample.add(value);
            if value == 999 {
                assert_eq!(sample.values(), (0..1000).collect::<Vec<_>>());
                assert!(sample.is_exact());
            }
        }
        assert!(!sample.is_exact());
        assert_eq!(sample.values().len(), Sample::<u32>::CAPACITY);
        // The mean of 20,000 of these is off by 2,041 (one standard deviation): 10,000 is never passed by chance.
        let mean = sample.values().iter().map(|value| f64::from(*value)).sum::<f64>() / 20_000.0;
        assert!((mean - 500_000.0).abs() < 10_000.0, "{mean}");
    }

    #[test]
    fn frequent_values_are_found_among_many_rare_ones() {
        let mut frequent = Frequent::new();
        for value in 0..300_000_u64 {
            let value = if value % 3 == 0 { 7 } else { value };
            frequent.add(digest(&value), || value);
        }
        let top = frequent.top(1);
        let (value, n) = top[0];
        assert_eq!(*value, 7);
        assert!(n <= 100_000 && n + frequent.slack() >= 100_000, "{n} + {}", frequent.slack());
        assert_eq!(frequent.n_distinct(), None);
    }

    #[test]
    fn distinct_values_are_estimated_within_some_percent() {
        let mut distinct = Distinct::default();
        for value in 0..500_000_u64 {
            distinct.add(digest(&(value % 100_000)));
        }
        let estimate = distinct.estimate();
        assert!((95_000..105_000).contains(&estimate), "{estimate}");
    }
}
