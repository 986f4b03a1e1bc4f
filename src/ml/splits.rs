//! Which rows test a model, and which train it: by the hash of a key, so that every engine answers alike.
//!
//! A row's place is `h(text)`: the first 13 hexadecimal digits of `SHA-256("<seed>:" || text)` as a number below 2^52. On
//! Databricks that is [`sql::place`]; in Python `int(hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()[:13], 16)`. A key's text
//! is its value cast to a string, and several columns are joined by a unit separator (U+001F). Rows with one key stand in
//! their given order, so keys should be unique. All orders are by bytes.

pub mod sql;

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ml::rows::real;

/// Places are below this.
pub const PLACES: u64 = 1 << 52;

/// By what rows are parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By the hash of the key.
    Random,
    /// By the hash of the key, with the same share of each class.
    Stratified,
    /// By the hash of a group: rows of one group stay together.
    Grouped,
    /// By time: what tests comes after what trains. Rows of one time stay together.
    Time,
}

/// What is known of the rows to part them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Basis<'a> {
    Random {
        keys: &'a [String],
    },
    Stratified {
        keys: &'a [String],
        classes: &'a [u32],
    },
    Grouped {
        groups: &'a [String],
    },
    /// Any numbers that are in the order of time, e.g. microseconds.
    Time {
        times: &'a [i64],
    },
}

/// Rows that train and rows that test, each in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    pub train: Vec<usize>,
    pub test: Vec<usize>,
}

/// The place of a text, below [`PLACES`].
pub fn place(seed: u64, text: &str) -> u64 {
    let mut hash = Sha256::new();
    let mut start = String::new();
    write!(start, "{seed}:").expect("a string takes all");
    hash.update(start.as_bytes());
    hash.update(text.as_bytes());
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte)) >> 12
}

/// The first place that does not test, if this share of rows tests.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 2^52")]
pub fn bound(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 4_503_599_627_370_496.0).ceil() as u64
}

/// How many of `n` are a share, halves up.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
fn part(n: usize, share: f64) -> usize {
    (real(n) * share.clamp(0.0, 1.0) + 0.5).floor() as usize
}

/// Whether each row tests. Random and grouped splits are right in the mean; the others to the row, but for ties of time.
pub fn split(basis: Basis, share: f64, seed: u64) -> Vec<bool> {
    match basis {
        Basis::Random { keys } => keys.iter().map(|key| place(seed, key) < bound(share)).collect(),
        Basis::Grouped { groups } => groups.iter().map(|group| place(seed, group) < bound(share)).collect(),
        Basis::Stratified { keys, classes } => {
            let mut counts: Vec<usize> = Vec::new();
            for class in classes {
                let class = *class as usize;
                counts.resize(counts.len().max(class + 1), 0);
                counts[class] += 1;
            }
            let mut seen = vec![0; counts.len()];
            let mut tests = vec![false; keys.len()];
            for row in ordered(keys, Some(classes), seed) {
                let class = classes[row] as usize;
                tests[row] = seen[class] < part(counts[class], share);
                seen[class] += 1;
            }
            tests
        }
        Basis::Time { times } => {
            let n_train = times.len() - part(times.len(), share);
            ranks(times).into_iter().map(|rank| rank >= n_train).collect()
        }
    }
}

/// `k` folds. Of the first three methods each row tests once, in folds that differ by a row (or a group) at most; by time
/// each of the last `k` of `k + 1` blocks tests what all before it trained. Folds without rows to train or test are left out.
pub fn folds(basis: Basis, k: usize, seed: u64) -> Vec<Fold> {
    let n = match basis {
        Basis::Random { keys } | Basis::Stratified { keys, .. } => keys.len(),
        Basis::Grouped { groups } => groups.len(),
        Basis::Time { times } => times.len(),
    };
    let parted = |trains: &dyn Fn(usize) -> bool, tests: &dyn Fn(usize) -> bool| Fold {
        train: (0..n).filter(|row| trains(*row)).collect(),
        test: (0..n).filter(|row| tests(*row)).collect(),
    };
    let of_each = |fold_of: Vec<usize>| -> Vec<Fold> {
        (0..k).map(|fold| parted(&|row| fold_of[row] != fold, &|row| fold_of[row] == fold)).collect()
    };
    let turns = |order: Vec<usize>| {
        let mut fold_of = vec![0; n];
        for (turn, row) in order.into_iter().enumerate() {
            fold_of[row] = turn % k.max(1);
        }
        fold_of
    };
    let all = match basis {
        Basis::Random { keys } => of_each(turns(ordered(keys, None, seed))),
        Basis::Stratified { keys, classes } => of_each(turns(ordered(keys, Some(classes), seed))),
        Basis::Grouped { groups } => {
            let mut distinct: Vec<(u64, &str)> =
                groups.iter().map(|group| (place(seed, group), group.as_str())).collect();
            distinct.sort_unstable();
            distinct.dedup();
            let turn = |group: &str| distinct.binary_search(&(place(seed, group), group)).expect("one of them");
            of_each(groups.iter().map(|group| turn(group) % k.max(1)).collect())
        }
        Basis::Time { times } => {
            let ranks = ranks(times);
            let block = n / (k + 1);
            (0..k)
                .map(|fold| {
                    let start = n - (k - fold) * block;
                    parted(&|row| ranks[row] < start, &|row| (start..start + block).contains(&ranks[row]))
                })
                .collect()
        }
    };
    all.into_iter().filter(|fold| !fold.train.is_empty() && !fold.test.is_empty()).collect()
}

/// Rows by class, place and key.
fn ordered(keys: &[String], classes: Option<&[u32]>, seed: u64) -> Vec<usize> {
    let mut rows: Vec<(u32, u64, &str, usize)> = keys
        .iter()
        .enumerate()
        .map(|(row, key)| (classes.map_or(0, |classes| classes[row]), place(seed, key), key.as_str(), row))
        .collect();
    rows.sort_unstable();
    rows.into_iter().map(|(_, _, _, row)| row).collect()
}

/// How many rows are earlier.
fn ranks(times: &[i64]) -> Vec<usize> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    times.iter().map(|time| sorted.partition_point(|other| other < time)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_sha_256() {
        // hashlib.sha256(b"42:C001").hexdigest()[:13]
        assert_eq!(place(42, "C001"), 888_783_057_213_889);
    }

    fn keys(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("k{i}")).collect()
    }

    #[test]
    fn each_row_tests_once() {
        let (keys, classes): (Vec<String>, Vec<u32>) = (keys(103), (0..103).map(|i| u32::from(i % 5 == 0)).collect());
        let folds = folds(Basis::Stratified { keys: &keys, classes: &classes }, 4, 7);
        let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..103).collect::<Vec<_>>());
        for fold in &folds {
            assert!((25..=26).contains(&fold.test.len()));
            let n_second = fold.test.iter().filter(|row| classes[**row] == 1).count();
            assert!((5..=6).contains(&n_second));
        }
    }

    #[test]
    fn time_goes_forward() {
        let times: Vec<i64> = (0..20).map(|i| i / 2).collect();
        for fold in folds(Basis::Time { times: &times }, 3, 0) {
            let latest = fold.train.iter().map(|row| times[*row]).max();
            assert!(fold.test.iter().all(|row| Some(times[*row]) > latest));
        }
    }

    #[test]
    fn groups_stay_together() {
        let groups: Vec<String> = (0..40).map(|i| format!("g{}", i % 9)).collect();
        for fold in folds(Basis::Grouped { groups: &groups }, 3, 1) {
            assert!(fold.test.iter().all(|row| !fold.train.iter().any(|other| groups[*other] == groups[*row])));
        }
    }
}
