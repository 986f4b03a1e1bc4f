//! One tree, grown over every distinct value.
//!
//! In: columns as ranks, the rows that take part and what each carries, a criterion. Out: a tree and what each feature gained.
//! The rules are scikit-learn's (`DecisionTreeClassifier`, `ExtraTreeRegressor` and their like): the same candidates, the same
//! midpoints, features drawn until enough of them vary, a split even where it gains nothing. Beyond it: categories are split as
//! such. One thread grows one tree.

mod columns;
mod criterion;
mod search;

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

pub(super) use columns::{Columns, between, finite};
pub(super) use criterion::{Criterion, Entropy, Gini, Measure, Member, Shares, Variance};

use crate::ml::random::Random;
use crate::ml::trees::form::{Question, Sapling, Set, real, short};
use search::{Cut, Found};

/// How a tree is grown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Growth {
    pub(super) splits: Splits,
    pub(super) max_depth: u32,
    /// With a limit the node that gains most is split first.
    pub(super) max_leaves: Option<u32>,
    pub(super) min_samples_split: usize,
    pub(super) min_samples_leaf: usize,
    /// Features that are looked at for a split, of those that vary.
    pub(super) n_features: usize,
    /// The least gain, by weight of all rows.
    pub(super) min_gain: f64,
}

/// Where a feature is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Splits {
    /// Where it gains most.
    Best,
    /// At random, as Geurts, Ernst and Wehenkel (2006) do.
    Random,
}

/// A grown tree, and by feature what it gained.
pub(super) struct Grown {
    pub(super) tree: Sapling,
    pub(super) gains: Vec<f64>,
}

/// A node that can be split, and how. The greatest is the next to be.
struct Pending {
    priority: f64,
    node: usize,
    depth: u32,
    found: Found,
}

struct Grower<'a, C: Criterion> {
    columns: &'a Columns,
    growth: Growth,
    criterion: C,
    random: Random,
    /// The rows of the tree, those of a node side by side, and what they carry.
    rows: Vec<u32>,
    entries: Vec<C::Entry>,
    /// By node: its part of `rows`.
    parts: Vec<Range<usize>>,
    scratch: search::Scratch,
    tree: Sapling,
    gains: Vec<f64>,
}

/// Grows a tree over these rows, which are not none.
pub(super) fn grow<C: Criterion>(
    columns: &Columns,
    growth: Growth,
    criterion: C,
    rows: Vec<u32>,
    entries: Vec<C::Entry>,
    random: Random,
) -> Grown {
    let n_columns = columns.columns.len();
    let mut grower = Grower {
        columns,
        growth,
        criterion,
        random,
        rows,
        entries,
        parts: Vec::new(),
        scratch: search::Scratch::new(n_columns),
        tree: Sapling::default(),
        gains: vec![0.0; n_columns],
    };
    grower.run();
    let Grower { criterion, rows, entries, parts, tree, gains, .. } = grower;
    let tree = tree.finish(|node, values| {
        let part = parts[node].clone();
        criterion.leaf(&rows[part.clone()], &entries[part], values);
    });
    Grown { tree, gains }
}

impl<C: Criterion> Grower<'_, C> {
    fn run(&mut self) {
        let mut pending = BinaryHeap::new();
        let root = self.sprout(0..self.rows.len());
        let total = self.tree.covers[root];
        pending.extend(self.propose(root, 0, total));
        let mut n_leaves = 1;
        while let Some(next) = pending.pop() {
            if self.growth.max_leaves.is_some_and(|most| n_leaves >= most) {
                break;
            }
            n_leaves += 1;
            let left = self.split(&next);
            pending.extend(self.propose(left + 1, next.depth + 1, total));
            pending.extend(self.propose(left, next.depth + 1, total));
        }
    }

    fn sprout(&mut self, part: Range<usize>) -> usize {
        let cover = self.entries[part.clone()].iter().map(|entry| C::weight(*entry)).sum();
        self.parts.push(part);
        self.tree.sprout(cover)
    }

    /// How to split this node, if it can be.
    fn propose(&mut self, node: usize, depth: u32, total: f64) -> Option<Pending> {
        let part = self.parts[node].clone();
        let n_rows = part.len();
        if depth >= self.growth.max_depth
            || n_rows < self.growth.min_samples_split
            || n_rows < 2 * self.growth.min_samples_leaf
            || C::is_pure(&self.entries[part.clone()])
        {
            return None;
        }
        self.criterion.open(&self.entries[part.clone()]);
        let found = search::best(
            self.columns,
            self.growth,
            &mut self.criterion,
            &mut self.random,
            &mut self.scratch,
            &self.rows[part.clone()],
            &self.entries[part],
        )?;
        // Without a limit to leaves the order doesn't change the tree: depth first keeps the rows in the cache.
        let priority = if self.growth.max_leaves.is_some() { found.gain } else { real(node) };
        (found.gain + f64::EPSILON >= self.growth.min_gain * total).then_some(Pending { priority, node, depth, found })
    }

    /// Splits a node; gives its left child.
    fn split(&mut self, pending: &Pending) -> usize {
        let Found { feature, cut, missing_left, gain, .. } = &pending.found;
        let column = &self.columns.columns[*feature];
        let part = self.parts[pending.node].clone();
        let goes_left = |row: u32| match column.ranks[row as usize] {
            columns::MISSING => *missing_left,
            rank => match cut {
                Cut::UpTo(last, _) => rank <= *last,
                Cut::Categories(codes) => codes.binary_search(&rank).is_ok(),
            },
        };
        let (mut low, mut high) = (part.start, part.end);
        while low < high {
            if goes_left(self.rows[low]) {
                low += 1;
            } else {
                high -= 1;
                self.rows.swap(low, high);
                self.entries.swap(low, high);
            }
        }
        self.gains[*feature] += gain;
        let question = match cut {
            Cut::UpTo(_, threshold) => Question::AtMost(*threshold),
            Cut::Categories(codes) => Question::OneOf(Set::new(column.n_categories, codes.iter().copied())),
        };
        let halves = [part.start..low, low..part.end];
        let covers = halves.clone().map(|half| self.entries[half].iter().map(|entry| C::weight(*entry)).sum());
        self.parts.extend(halves);
        self.tree.split(pending.node, *feature, question, *missing_left, covers)
    }
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> Ordering {
        self.priority.total_cmp(&other.priority).then(other.node.cmp(&self.node))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pending {}

/// The numbers of all rows.
pub(super) fn all_rows(n_rows: usize) -> Vec<u32> {
    (0..short(n_rows)).collect()
}
