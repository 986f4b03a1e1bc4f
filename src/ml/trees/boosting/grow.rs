//! One tree on binned features, grown leaf by leaf.
//!
//! In: bins, rounded gradients, the rows and features of this tree. Out: the tree without values in its leaves, which rows are
//! in which leaf, in ascending order, and how to walk it by bins. Only the smaller child of a split is summed up anew.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

use rayon::prelude::*;

use crate::ml::trees::boosting::Order;
use crate::ml::trees::boosting::bins::{Bins, LANES, Meaning};
use crate::ml::trees::boosting::histogram::{self, Gradients, Histogram, Sum, Total, subtract};
use crate::ml::trees::boosting::search::{self, Limits, Side, Split};
use crate::ml::trees::form::{Question, Sapling, Set, short};

/// How a tree is grown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) order: Order,
    pub(super) max_leaves: u32,
    pub(super) max_depth: u32,
    pub(super) limits: Limits,
}

/// A grown tree.
pub(super) struct Grown {
    pub(super) tree: Sapling,
    /// The rows of the tree, those of a leaf side by side and ascending.
    pub(super) rows: Vec<u32>,
    /// By node, its part of `rows`; of its own if it is a leaf.
    pub(super) parts: Vec<Range<usize>>,
    /// By node, its sums.
    pub(super) totals: Vec<Total>,
    /// By node, how to go on by bins.
    pub(super) steps: Vec<Step>,
    /// By column of the matrix.
    pub(super) gains: Vec<f64>,
}

/// Where a row goes on by its bin. A leaf has no children.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    feature: usize,
    left: usize,
    /// A bit a bin: those that go left.
    lefts: [u64; 4],
}

struct Leaf {
    node: usize,
    depth: u32,
    priority: [f64; 2],
    split: Split,
    histogram: Histogram,
    sum: Sum,
}

struct Grower<'a> {
    bins: &'a Bins,
    gradients: &'a Gradients,
    features: &'a [usize],
    /// By group of features: whether the tree may use any of them.
    wanted: Vec<bool>,
    shape: Shape,
    scratch: [Vec<u32>; 2],
    grown: Grown,
}

const BLOCK: usize = 1 << 14;

/// Grows a tree over these rows, ascending and not none, by these features.
pub(super) fn grow(
    bins: &Bins,
    gradients: &Gradients,
    rows: Vec<u32>,
    features: &[usize],
    n_columns: usize,
    shape: Shape,
) -> Grown {
    let mut wanted = vec![false; bins.n_groups];
    for feature in features {
        wanted[feature / LANES] = true;
    }
    let scratch = [vec![0; rows.len()], vec![0; rows.len()]];
    let grown = Grown {
        tree: Sapling::default(),
        rows,
        parts: Vec::new(),
        totals: Vec::new(),
        steps: Vec::new(),
        gains: vec![0.0; n_columns],
    };
    let mut grower = Grower { bins, gradients, features, wanted, shape, scratch, grown };
    grower.run();
    grower.grown
}

impl Grower<'_> {
    fn run(&mut self) {
        let all = 0..self.grown.rows.len();
        let histogram = histogram::build(self.bins, &self.wanted, self.gradients, &self.grown.rows);
        let sum = self.features.first().map_or([0, 0], |feature| {
            let own = &self.bins.features[*feature];
            histogram[own.start..=own.start + own.n_values].iter().copied().fold([0, 0], histogram::add)
        });
        let root = self.sprout(all, sum);
        let mut leaves = BinaryHeap::new();
        leaves.extend(self.propose(root, 0, histogram, sum));
        let mut n_leaves = 1;
        while n_leaves < self.shape.max_leaves {
            let Some(leaf) = leaves.pop() else { break };
            n_leaves += 1;
            leaves.extend(self.split(leaf, n_leaves == self.shape.max_leaves));
        }
    }

    fn sprout(&mut self, part: Range<usize>, sum: Sum) -> usize {
        let total = self.gradients.units.total(sum);
        self.grown.parts.push(part);
        self.grown.totals.push(total);
        self.grown.steps.push(Step { feature: 0, left: 0, lefts: [0; 4] });
        self.grown.tree.sprout(total.cover())
    }

    fn may_split(&self, node: usize, depth: u32) -> bool {
        let least = 2 * self.shape.limits.min_samples_leaf.max(1);
        depth < self.shape.max_depth && self.grown.parts[node].len() >= least
    }

    /// The leaf with its best split, if it has one.
    fn propose(&self, node: usize, depth: u32, histogram: Histogram, sum: Sum) -> Option<Leaf> {
        if !self.may_split(node, depth) {
            return None;
        }
        let units = self.gradients.units;
        let split = search::best(self.bins, self.features, &self.shape.limits, units, &histogram, sum)?;
        let priority = match self.shape.order {
            Order::LeafWise => [split.gain, 0.0],
            Order::DepthWise => [-f64::from(depth), split.gain],
        };
        Some(Leaf { node, depth, priority, split, histogram, sum })
    }

    /// Splits a leaf; gives those of its children that may be split in turn. None may after the last split.
    fn split(&mut self, leaf: Leaf, is_last: bool) -> Vec<Leaf> {
        let Leaf { node, depth, split, mut histogram, sum, .. } = leaf;
        let feature = &self.bins.features[split.feature];
        let lefts = lefts(&split, feature.n_values);
        let part = self.grown.parts[node].clone();
        let middle = part.start + self.partition(part.clone(), split.feature, lefts);
        let question = match (&split.side, &feature.meaning) {
            (Side::UpTo(bin), Meaning::Numbers { cuts }) => {
                Question::AtMost(cuts.get(*bin).copied().unwrap_or(f64::MAX))
            }
            (Side::OneOf(chosen), Meaning::Categories { n_categories, bins }) => {
                Question::OneOf(Set::new(*n_categories, chosen.iter().flat_map(|bin| bins[*bin].iter().copied())))
            }
            (Side::UpTo(_), Meaning::Categories { .. }) | (Side::OneOf(_), Meaning::Numbers { .. }) => {
                unreachable!("a split is found by what its feature means")
            }
        };
        self.grown.gains[feature.column] += split.gain;
        let sums = [split.left, subtract(sum, split.left)];
        let covers = sums.map(|sum| self.gradients.units.total(sum).cover());
        let left = self.grown.tree.split(node, feature.column, question, split.missing_left, covers);
        self.grown.steps[node] = Step { feature: split.feature, left, lefts };
        for (part, sum) in [part.start..middle, middle..part.end].into_iter().zip(sums) {
            self.grown.parts.push(part);
            self.grown.totals.push(self.gradients.units.total(sum));
            self.grown.steps.push(Step { feature: 0, left: 0, lefts: [0; 4] });
        }
        let children = [left, left + 1];
        if is_last || !children.iter().any(|child| self.may_split(*child, depth + 1)) {
            return Vec::new();
        }
        let smaller = usize::from(middle - part.start > part.end - middle);
        let rows = &self.grown.rows[self.grown.parts[children[smaller]].clone()];
        let of_smaller = histogram::build(self.bins, &self.wanted, self.gradients, rows);
        for (larger, smaller) in histogram.iter_mut().zip(&of_smaller) {
            *larger = subtract(*larger, *smaller);
        }
        let larger = 1 - smaller;
        let mut open = Vec::new();
        open.extend(self.propose(children[smaller], depth + 1, of_smaller, sums[smaller]));
        open.extend(self.propose(children[larger], depth + 1, histogram, sums[larger]));
        open
    }

    /// Brings the rows that go left before the others, each side in its order; gives how many they are.
    fn partition(&mut self, part: Range<usize>, feature: usize, lefts: [u64; 4]) -> usize {
        let bins = &self.bins.columns[feature];
        let table: [bool; 256] = std::array::from_fn(|bin| lefts[bin / 64] >> (bin % 64) & 1 == 1);
        let rows = &mut self.grown.rows[part.clone()];
        let [lows, highs] = &mut self.scratch;
        let (lows, highs) = (&mut lows[part.clone()], &mut highs[part]);
        let divide = |((rows, lows), highs): ((&mut [u32], &mut [u32]), &mut [u32])| {
            let (mut n_low, mut n_high) = (0, 0);
            for row in rows.iter() {
                // Both are written and one counts: which one cannot be foretold, a branch would cost more.
                let goes_left = table[bins[*row as usize] as usize];
                lows[n_low] = *row;
                highs[n_high] = *row;
                n_low += usize::from(goes_left);
                n_high += usize::from(!goes_left);
            }
            n_low
        };
        if rows.len() <= BLOCK {
            let n_low = divide(((&mut *rows, &mut *lows), &mut *highs));
            rows[..n_low].copy_from_slice(&lows[..n_low]);
            let n_high = rows.len() - n_low;
            rows[n_low..].copy_from_slice(&highs[..n_high]);
            return n_low;
        }
        let counts: Vec<usize> = rows
            .par_chunks_mut(BLOCK)
            .zip(lows.par_chunks_mut(BLOCK))
            .zip(highs.par_chunks_mut(BLOCK))
            .map(divide)
            .collect();
        let n_low = counts.iter().sum();
        let mut copies = Vec::new();
        let (mut to_low, mut to_high) = rows.split_at_mut(n_low);
        for ((count, lows), highs) in counts.iter().zip(lows.chunks(BLOCK)).zip(highs.chunks(BLOCK)) {
            let (low, rest) = to_low.split_at_mut(*count);
            let (high, others) = to_high.split_at_mut(lows.len() - count);
            (to_low, to_high) = (rest, others);
            copies.push((low, &lows[..*count]));
            let n_high = high.len();
            copies.push((high, &highs[..n_high]));
        }
        copies.into_par_iter().for_each(|(to, from)| to.copy_from_slice(from));
        n_low
    }
}

/// The bins that go left, the one for missing values among them.
fn lefts(split: &Split, n_values: usize) -> [u64; 4] {
    let mut lefts = [0; 4];
    let mut set = |bin: usize| lefts[bin / 64] |= 1 << (bin % 64);
    match &split.side {
        Side::UpTo(last) => (0..=*last).for_each(&mut set),
        Side::OneOf(chosen) => chosen.iter().copied().for_each(&mut set),
    }
    if split.missing_left {
        set(n_values);
    }
    lefts
}

impl Grown {
    /// The leaf that a row falls into, as a node.
    pub(super) fn walk(&self, bins: &Bins, row: usize) -> usize {
        let mut node = 0;
        loop {
            let step = self.steps[node];
            if step.left == 0 {
                return node;
            }
            let bin = usize::from(bins.columns[step.feature][row]);
            node = step.left + usize::from(step.lefts[bin / 64] >> (bin % 64) & 1 == 0);
        }
    }

    /// The nodes that are leaves, in order.
    pub(super) fn leaves(&self) -> impl Iterator<Item = usize> {
        (0..self.steps.len()).filter(|node| self.steps[*node].left == 0)
    }

    /// The rows of a leaf within a stretch of rows, ascending.
    pub(super) fn rows_within(&self, leaf: usize, stretch: &Range<usize>) -> &[u32] {
        let rows = &self.rows[self.parts[leaf].clone()];
        let place = |row: usize| rows.partition_point(|own| *own < short(row));
        &rows[place(stretch.start)..place(stretch.end)]
    }
}

impl Ord for Leaf {
    fn cmp(&self, other: &Self) -> Ordering {
        let [first, second] = self.priority;
        let by_gain = first.total_cmp(&other.priority[0]).then(second.total_cmp(&other.priority[1]));
        by_gain.then(other.node.cmp(&self.node))
    }
}

impl PartialOrd for Leaf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Leaf {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Leaf {}
