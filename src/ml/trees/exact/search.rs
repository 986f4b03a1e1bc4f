//! The best split of a node.
//!
//! In: the node's rows and what they carry. Out: the feature and the cut that score best among the features drawn. Where a
//! feature has missing values in the node, they are tried on both sides.

use crate::ml::random::Random;
use crate::ml::trees::exact::columns::{Column, Columns, MISSING, between};
use crate::ml::trees::exact::{Criterion, Growth, Splits};
use crate::ml::trees::form::short;

/// A split.
pub(super) struct Found {
    pub(super) feature: usize,
    pub(super) cut: Cut,
    pub(super) missing_left: bool,
    pub(super) gain: f64,
    score: f64,
}

/// What goes left.
pub(super) enum Cut {
    /// Ranks up to this one, that is: values up to this threshold.
    UpTo(u32, f64),
    /// These categories, ascending.
    Categories(Vec<u32>),
}

/// Memory that is used again for each node.
pub(super) struct Scratch {
    /// All features; those drawn for the node are at the beginning.
    features: Vec<usize>,
    /// The rank of a row, above its place in the node.
    keys: Vec<u64>,
    sorted: Vec<u64>,
    counts: Vec<u32>,
    /// Places of rows in which the feature is missing.
    missing: Vec<u32>,
}

impl Scratch {
    pub(super) fn new(n_features: usize) -> Self {
        Scratch {
            features: (0..n_features).collect(),
            keys: Vec::new(),
            sorted: Vec::new(),
            counts: Vec::new(),
            missing: Vec::new(),
        }
    }
}

/// The best split of the node with these rows, on which the criterion is open.
pub(super) fn best<C: Criterion>(
    columns: &Columns,
    growth: Growth,
    criterion: &mut C,
    random: &mut Random,
    scratch: &mut Scratch,
    rows: &[u32],
    entries: &[C::Entry],
) -> Option<Found> {
    let mut best: Option<Found> = None;
    let n_features = scratch.features.len();
    let mut n_varying = 0;
    for drawn in 0..n_features {
        if n_varying == growth.n_features {
            break;
        }
        let other = drawn + below(random, n_features - drawn);
        scratch.features.swap(drawn, other);
        let feature = scratch.features[drawn];
        let column = &columns.columns[feature];
        let Some((least, most)) = gather(column, rows, scratch) else { continue };
        n_varying += 1;
        let mut candidate = Candidate { column, growth, entries, criterion, best: &mut best, feature };
        match growth.splits {
            Splits::Best => candidate.try_all(scratch, least, most),
            Splits::Random => candidate.try_one(scratch, random, least, most),
        }
    }
    if let Some(found) = &mut best {
        found.gain = found.score - criterion.whole();
    }
    best
}

fn below(random: &mut Random, n: usize) -> usize {
    usize::try_from(random.below(n as u64)).expect("below a usize")
}

/// Fills keys and missing with this feature's; gives the least and the greatest rank, or nothing if it doesn't vary.
fn gather(column: &Column, rows: &[u32], scratch: &mut Scratch) -> Option<(u32, u32)> {
    scratch.keys.clear();
    scratch.missing.clear();
    let (mut least, mut most) = (MISSING, 0);
    for (place, row) in (0_u32..).zip(rows) {
        let rank = column.ranks[*row as usize];
        if rank == MISSING {
            scratch.missing.push(place);
        } else {
            least = least.min(rank);
            most = most.max(rank);
            scratch.keys.push(u64::from(rank) << 32 | u64::from(place));
        }
    }
    let varies = least < most || (least == most && !scratch.missing.is_empty());
    varies.then_some((least, most))
}

fn rank(key: u64) -> u32 {
    (key >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the place is the lower half")]
fn place(key: u64) -> usize {
    key as u32 as usize
}

/// Sorts the keys; by counting where the ranks are few.
fn sort(scratch: &mut Scratch, least: u32, most: u32) {
    let spread = (most - least) as usize + 1;
    if spread > scratch.keys.len() || scratch.keys.len() < 64 {
        scratch.keys.sort_unstable();
        return;
    }
    scratch.counts.clear();
    scratch.counts.resize(spread, 0);
    for key in &scratch.keys {
        scratch.counts[(rank(*key) - least) as usize] += 1;
    }
    let mut start = 0;
    for count in &mut scratch.counts {
        start += std::mem::replace(count, start);
    }
    scratch.sorted.resize(scratch.keys.len(), 0);
    for key in &scratch.keys {
        let next = &mut scratch.counts[(rank(*key) - least) as usize];
        scratch.sorted[*next as usize] = *key;
        *next += 1;
    }
    std::mem::swap(&mut scratch.keys, &mut scratch.sorted);
}

struct Candidate<'a, C: Criterion> {
    column: &'a Column,
    feature: usize,
    growth: Growth,
    entries: &'a [C::Entry],
    criterion: &'a mut C,
    best: &'a mut Option<Found>,
}

impl<C: Criterion> Candidate<'_, C> {
    /// Tries every cut.
    fn try_all(&mut self, scratch: &mut Scratch, least: u32, most: u32) {
        sort(scratch, least, most);
        if self.column.n_categories == 0 {
            self.scan(&scratch.keys, &scratch.missing, None);
        } else {
            let codes = self.rank_categories(&mut scratch.keys, |standing| standing);
            self.scan(&scratch.keys, &scratch.missing, Some(&codes));
        }
    }

    /// Tries one cut.
    fn try_one(&mut self, scratch: &mut Scratch, random: &mut Random, least: u32, most: u32) {
        let (last, threshold, codes) = if self.column.n_categories == 0 {
            let values = &self.column.values;
            let share = random.unit();
            let threshold = values[least as usize] * (1.0 - share) + values[most as usize] * share;
            let drawn = short(values.partition_point(|value| *value <= threshold)).saturating_sub(1);
            let last = drawn.clamp(least, most.saturating_sub(1).max(least));
            let threshold = if least == most { f64::MAX } else { threshold };
            (last, if last == drawn { threshold } else { values[last as usize] }, None)
        } else {
            sort(scratch, least, most);
            let codes = self.rank_categories(&mut scratch.keys, |_| random.unit());
            (short(below(random, codes.len().saturating_sub(1).max(1))), 0.0, Some(codes))
        };
        self.criterion.reset();
        let mut n_left = 0;
        for key in scratch.keys.iter().filter(|key| rank(**key) <= last) {
            n_left += 1;
            self.criterion.take(self.entries[place(*key)]);
        }
        let missing_left = !scratch.missing.is_empty() && n_left < scratch.keys.len() && random.below(2) == 1;
        if missing_left {
            n_left += scratch.missing.len();
            scratch.missing.iter().for_each(|place| self.criterion.take(self.entries[*place as usize]));
        }
        let side = if scratch.missing.is_empty() { None } else { Some(missing_left) };
        self.consider(n_left, side, || match &codes {
            Some(codes) => first(codes, last),
            None => Cut::UpTo(last, threshold),
        });
    }

    /// Moves the rows over in the order of the keys, twice if some are missing, and considers each cut.
    fn scan(&mut self, keys: &[u64], missing: &[u32], codes: Option<&[u32]>) {
        for missing_left in [false, true] {
            if missing_left && missing.is_empty() {
                return;
            }
            self.criterion.reset();
            let mut n_left = 0;
            if missing_left {
                n_left = missing.len();
                for place in missing {
                    self.criterion.take(self.entries[*place as usize]);
                }
            }
            for (i, key) in keys.iter().enumerate() {
                self.criterion.take(self.entries[place(*key)]);
                n_left += 1;
                let (last, next) = (rank(*key), keys.get(i + 1).map(|next| rank(*next)));
                if next == Some(last) {
                    continue;
                }
                let side = if missing.is_empty() { None } else { Some(missing_left) };
                let values = &self.column.values;
                self.consider(n_left, side, || match (codes, next) {
                    (Some(codes), _) => first(codes, last),
                    (None, Some(next)) => Cut::UpTo(last, between(values[last as usize], values[next as usize])),
                    (None, None) => Cut::UpTo(last, f64::MAX),
                });
            }
        }
    }

    /// Keeps this cut if it is the best so far. `missing_left` is known where some are missing.
    fn consider(&mut self, n_left: usize, missing_left: Option<bool>, cut: impl Fn() -> Cut) {
        let n_right = self.entries.len() - n_left;
        if n_left.min(n_right) < self.growth.min_samples_leaf.max(1) {
            return;
        }
        let score = self.criterion.score();
        if self.best.as_ref().is_some_and(|best| best.score >= score) {
            return;
        }
        // What was never missing goes with the larger side, as in scikit-learn.
        let missing_left = missing_left.unwrap_or(n_left > n_right);
        *self.best = Some(Found { feature: self.feature, cut: cut(), missing_left, gain: 0.0, score });
    }

    /// Replaces the codes in the sorted keys by ranks in the order of their standing; gives the codes in that order.
    fn rank_categories(&mut self, keys: &mut [u64], mut standing: impl FnMut(f64) -> f64) -> Vec<u32> {
        let mut order: Vec<(f64, u32)> = Vec::new();
        for run in keys.chunk_by(|a, b| rank(*a) == rank(*b)) {
            let own = self.criterion.standing(run.iter().map(|key| self.entries[place(*key)]));
            order.push((standing(own), rank(run[0])));
        }
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let codes: Vec<u32> = order.into_iter().map(|(_, code)| code).collect();
        let mut places: Vec<(u32, u32)> = (0..).zip(&codes).map(|(new, code)| (*code, new)).collect();
        places.sort_unstable();
        for key in keys.iter_mut() {
            let at = places.binary_search_by_key(&rank(*key), |(code, _)| *code).expect("each code was ranked");
            *key = u64::from(places[at].1) << 32 | (*key & u64::from(u32::MAX));
        }
        keys.sort_unstable();
        codes
    }
}

/// The categories up to the one at this place, ascending.
fn first(codes: &[u32], last: u32) -> Cut {
    let mut left = codes[..=last as usize].to_vec();
    left.sort_unstable();
    Cut::Categories(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_sorts_as_sorting_does() {
        let mut random = Random::new(1, 0);
        let keys: Vec<u64> = (0..500).map(|place| random.below(40) << 32 | place).collect();
        let mut scratch = Scratch::new(0);
        scratch.keys.clone_from(&keys);
        sort(&mut scratch, 0, 39);
        let mut sorted = keys;
        sorted.sort_unstable();
        assert_eq!(scratch.keys, sorted);
    }
}
