//! The fitted form that all tree trainers share.
//!
//! In memory a node takes 16 bytes and a node's children lie side by side, behind it. Stored, it is a handful of flat arrays:
//! see [`Stored`]. What is read back is checked, so that no stored bytes can make a prediction fail or run forever. Floats
//! are written in the shortest form that reads back as the same bits.

use serde::{Deserialize, Serialize};

/// Trees that predict together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Trees {
    pub(super) n_features: usize,
    pub(super) combination: Combination,
    /// The first node of each tree, ascending; a tree's nodes end where the next one's begin.
    pub(super) roots: Vec<u32>,
    pub(super) nodes: Vec<Node>,
    /// By node: how many training rows it held, by weight in a forest.
    pub(super) covers: Vec<f64>,
    /// By categorical node: the categories that go left.
    pub(super) sets: Vec<Set>,
    /// By leaf, `width` numbers each.
    pub(super) values: Vec<f64>,
    /// By feature: its share of what all splits gained.
    pub(super) importance: Vec<f64>,
}

/// How the leaves that a row falls into make its prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combination {
    /// Their mean. A leaf has `width` numbers: one, or the shares of the classes.
    Mean { width: usize },
    /// Their sum on top of `start`, which has a number per score; tree `t` adds to score `t % start.len()`.
    Sum { start: Vec<f64>, link: Link },
}

/// What turns scores into a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The score is the prediction.
    Identity,
    /// One score is the log odds of the second of two classes.
    Logistic,
    /// A score a class.
    Softmax,
}

/// A place in a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    /// Values up to this one go left. The number of the set, if categories are split. 0 in a leaf.
    pub(super) threshold: f64,
    /// The feature and, above it, the two flags; all ones in a leaf.
    pub(super) feature: u32,
    /// The left child, the right one being next to it. In a leaf, its number among the leaves of all trees.
    pub(super) next: u32,
}

const LEAF: u32 = u32::MAX;
const CATEGORICAL: u32 = 1 << 31;
const MISSING_LEFT: u32 = 1 << 30;
const FEATURE: u32 = MISSING_LEFT - 1;

/// What a node asks of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Question {
    /// Is the value at most this?
    AtMost(f64),
    /// Is the category one of these?
    OneOf(Set),
}

/// Some of the categories that a feature has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    /// Codes below this are categories that training knew.
    n_known: u32,
    words: Vec<u64>,
}

impl Set {
    /// Those of these codes; each is below `n_known`.
    pub(super) fn new(n_known: u32, codes: impl IntoIterator<Item = u32>) -> Self {
        let mut words = vec![0; (n_known as usize).div_ceil(64)];
        for code in codes {
            words[code as usize / 64] |= 1 << (code % 64);
        }
        Set { n_known, words }
    }

    pub(super) fn codes(&self) -> impl Iterator<Item = u32> {
        (0..self.n_known).filter(|code| self.words[*code as usize / 64] >> (code % 64) & 1 == 1)
    }

    /// Whether the set has this category; nothing for a missing or unknown one.
    fn has(&self, code: f64) -> Option<bool> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked by the range")]
        let code = (0.0..f64::from(self.n_known)).contains(&code).then_some(code as usize)?;
        Some(self.words[code / 64] >> (code % 64) & 1 == 1)
    }
}

impl Node {
    pub(super) fn is_leaf(self) -> bool {
        self.feature == LEAF
    }

    pub(super) fn feature(self) -> usize {
        (self.feature & FEATURE) as usize
    }

    pub(super) fn is_categorical(self) -> bool {
        self.feature & CATEGORICAL != 0
    }

    pub(super) fn missing_left(self) -> bool {
        self.feature & MISSING_LEFT != 0
    }

    /// The child for this value of the node's feature. The node is no leaf.
    pub(super) fn child(self, value: f64, sets: &[Set]) -> usize {
        let left = if self.is_categorical() {
            sets[set_number(self.threshold)].has(value).unwrap_or(self.missing_left())
        } else {
            self.at_most(value)
        };
        self.next as usize + usize::from(!left)
    }

    /// Whether a number goes left.
    pub(super) fn at_most(self, value: f64) -> bool {
        (value <= self.threshold) | (value.is_nan() & self.missing_left())
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of a set, checked when read")]
pub(super) fn set_number(threshold: f64) -> usize {
    threshold as usize
}

impl Trees {
    /// No trees yet.
    pub(super) fn new(n_features: usize, combination: Combination) -> Self {
        Trees {
            n_features,
            combination,
            roots: Vec::new(),
            nodes: Vec::new(),
            covers: Vec::new(),
            sets: Vec::new(),
            values: Vec::new(),
            importance: vec![0.0; n_features],
        }
    }

    /// Numbers in a leaf.
    pub(super) fn width(&self) -> usize {
        match &self.combination {
            Combination::Mean { width } => *width,
            Combination::Sum { .. } => 1,
        }
    }

    /// Numbers that a prediction has per row: one, or a probability per class.
    pub fn n_outputs(&self) -> usize {
        match &self.combination {
            Combination::Mean { width } => *width,
            Combination::Sum { start, link } => start.len() + usize::from(*link == Link::Logistic),
        }
    }

    /// How many trees there are.
    pub fn n_trees(&self) -> usize {
        self.roots.len()
    }

    /// Columns that a matrix to predict from must have.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// By feature: its share of what the splits gained, by impurity or loss; the sum is 1, or 0 where nothing was split.
    pub fn importance(&self) -> &[f64] {
        &self.importance
    }

    /// Adds a tree.
    pub(super) fn push(&mut self, tree: Sapling) {
        let base = short(self.nodes.len());
        let leaves = short(self.values.len() / self.width());
        let sets = self.sets.len();
        self.roots.push(base);
        for mut node in tree.nodes {
            node.next += if node.is_leaf() { leaves } else { base };
            if !node.is_leaf() && node.is_categorical() {
                node.threshold += real(sets);
            }
            self.nodes.push(node);
        }
        self.covers.extend(tree.covers);
        self.sets.extend(tree.sets);
        self.values.extend(tree.values);
    }
}

/// A tree that is being grown.
#[derive(Debug, Clone, Default)]
pub(super) struct Sapling {
    pub(super) nodes: Vec<Node>,
    pub(super) covers: Vec<f64>,
    pub(super) sets: Vec<Set>,
    pub(super) values: Vec<f64>,
}

impl Sapling {
    /// Adds a node that is neither leaf nor split yet; gives its number.
    pub(super) fn sprout(&mut self, cover: f64) -> usize {
        self.nodes.push(Node { threshold: 0.0, feature: LEAF, next: 0 });
        self.covers.push(cover);
        self.nodes.len() - 1
    }

    /// Splits a node into two new ones, with these covers; gives the number of the left one.
    pub(super) fn split(
        &mut self,
        node: usize,
        feature: usize,
        question: Question,
        missing_left: bool,
        covers: [f64; 2],
    ) -> usize {
        let left = self.sprout(covers[0]);
        self.sprout(covers[1]);
        let mut flags = if missing_left { MISSING_LEFT } else { 0 };
        let threshold = match question {
            Question::AtMost(threshold) => threshold,
            Question::OneOf(set) => {
                flags |= CATEGORICAL;
                self.sets.push(set);
                real(self.sets.len() - 1)
            }
        };
        self.nodes[node] = Node { threshold, feature: short(feature) | flags, next: short(left) };
        left
    }

    /// Gives the leaves their numbers, in the order of the nodes, and their values.
    pub(super) fn finish(mut self, mut value: impl FnMut(usize, &mut Vec<f64>)) -> Self {
        let mut n_leaves = 0;
        // Sets were made in the order of growth; stored, they stand in the order of the nodes.
        let mut sets = Vec::with_capacity(self.sets.len());
        for (place, node) in self.nodes.iter_mut().enumerate() {
            if !node.is_leaf() && node.is_categorical() {
                sets.push(self.sets[set_number(node.threshold)].clone());
                node.threshold = real(sets.len() - 1);
            }
            if node.is_leaf() {
                node.next = n_leaves;
                n_leaves += 1;
                value(place, &mut self.values);
            }
        }
        self.sets = sets;
        self
    }
}

/// The form in JSON: the nodes of all trees one after another, split and leaf mixed; what only splits have, by split.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    n_features: usize,
    combination: Combination,
    /// The first node of each tree.
    roots: Vec<u32>,
    /// By node: the feature that splits it, -1 for a leaf.
    feature: Vec<i32>,
    /// By node: how many training rows it held.
    cover: Vec<f64>,
    /// By split: values up to this one go left; for categories, the number of the set of those that do.
    threshold: Vec<f64>,
    /// By split: the left child; the right one is next to it.
    left: Vec<u32>,
    /// By split: 1 where missing values go left, and categories that no set knows.
    missing_left: Vec<u8>,
    /// The numbers of the splits that ask for categories, ascending; one set each, in this order.
    categorical: Vec<u32>,
    /// By set: how many categories were known, and those of them that go left.
    sets: Vec<(u32, Vec<u32>)>,
    /// By leaf.
    values: Vec<f64>,
    importance: Vec<f64>,
}

impl From<Trees> for Stored {
    fn from(trees: Trees) -> Self {
        let splits: Vec<Node> = trees.nodes.iter().copied().filter(|node| !node.is_leaf()).collect();
        let places = splits.iter().enumerate().filter(|(_, node)| node.is_categorical());
        Stored {
            n_features: trees.n_features,
            combination: trees.combination,
            roots: trees.roots,
            feature: trees
                .nodes
                .iter()
                .map(|node| if node.is_leaf() { -1 } else { i32::try_from(node.feature()).expect("30 bits") })
                .collect(),
            cover: trees.covers,
            threshold: splits.iter().map(|node| node.threshold).collect(),
            left: splits.iter().map(|node| node.next).collect(),
            missing_left: splits.iter().map(|node| u8::from(node.missing_left())).collect(),
            categorical: places.map(|(place, _)| short(place)).collect(),
            sets: trees.sets.iter().map(|set| (set.n_known, set.codes().collect())).collect(),
            values: trees.values,
            importance: trees.importance,
        }
    }
}

impl TryFrom<Stored> for Trees {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let n_splits = stored.feature.iter().filter(|feature| **feature >= 0).count();
        let n_nodes = stored.feature.len();
        let lengths = [
            ("cover", stored.cover.len(), n_nodes),
            ("threshold", stored.threshold.len(), n_splits),
            ("left", stored.left.len(), n_splits),
            ("missing_left", stored.missing_left.len(), n_splits),
            ("sets", stored.sets.len(), stored.categorical.len()),
            ("importance", stored.importance.len(), stored.n_features),
        ];
        if let Some((name, is, should)) = lengths.iter().find(|(_, is, should)| is != should) {
            return Err(format!("`{name}` has {is} elements, not {should}"));
        }
        let mut trees = Trees::new(stored.n_features, stored.combination);
        check_width(&trees, &stored.values, n_nodes - n_splits)?;
        check_roots(&stored.roots, n_nodes)?;
        let mut categorical = stored.categorical.iter().copied().peekable();
        let (mut split, mut leaf, mut n_sets) = (0, 0, 0);
        for (place, feature) in stored.feature.iter().enumerate() {
            let Ok(feature) = usize::try_from(*feature) else {
                trees.nodes.push(Node { threshold: 0.0, feature: LEAF, next: leaf });
                leaf += 1;
                continue;
            };
            if feature >= stored.n_features.min(FEATURE as usize) {
                return Err(format!("node {place} asks for feature {feature} of {}", stored.n_features));
            }
            let left = stored.left[split];
            let end = stored.roots.get(stored.roots.partition_point(|root| *root as usize <= place));
            let end = end.map_or(n_nodes, |end| *end as usize);
            if left as usize <= place || left as usize + 1 >= end {
                return Err(format!("the children of node {place} are not behind it in its tree"));
            }
            let mut flags = if stored.missing_left[split] == 1 { MISSING_LEFT } else { 0 };
            let mut threshold = stored.threshold[split];
            if categorical.next_if(|number| *number as usize == split).is_some() {
                flags |= CATEGORICAL;
                threshold = real(n_sets);
                n_sets += 1;
            }
            trees.nodes.push(Node { threshold, feature: short(feature) | flags, next: left });
            split += 1;
        }
        if categorical.next().is_some() {
            return Err("`categorical` is not ascending or beyond the splits".into());
        }
        trees.sets = stored.sets.iter().map(|(n_known, codes)| read_set(*n_known, codes)).collect::<Result<_, _>>()?;
        trees.roots = stored.roots;
        trees.covers = stored.cover;
        trees.values = stored.values;
        trees.importance = stored.importance;
        Ok(trees)
    }
}

fn check_width(trees: &Trees, values: &[f64], n_leaves: usize) -> Result<(), String> {
    let n_scores = match &trees.combination {
        Combination::Mean { width } => *width,
        Combination::Sum { start, link: Link::Logistic } if start.len() != 1 => 0,
        Combination::Sum { start, .. } => start.len(),
    };
    if n_scores == 0 || n_leaves.checked_mul(trees.width()) != Some(values.len()) {
        return Err(format!("{} values do not fit {n_leaves} leaves", values.len()));
    }
    Ok(())
}

fn check_roots(roots: &[u32], n_nodes: usize) -> Result<(), String> {
    let ascending = roots.windows(2).all(|pair| pair[0] < pair[1]);
    let whole = roots.first().map_or(n_nodes == 0, |first| *first == 0)
        && roots.last().is_none_or(|last| (*last as usize) < n_nodes);
    if ascending && whole { Ok(()) } else { Err("`roots` are not the first nodes of trees".into()) }
}

fn read_set(n_known: u32, codes: &[u32]) -> Result<Set, String> {
    match codes.iter().find(|code| **code >= n_known) {
        _ if n_known > 1 << 24 => Err(format!("a set over {n_known} categories")),
        Some(code) => Err(format!("category {code} of {n_known}")),
        None => Ok(Set::new(n_known, codes.iter().copied())),
    }
}

/// Nodes, features and categories are counted in 32 bits.
pub(super) fn short(n: usize) -> u32 {
    u32::try_from(n).expect("below 2^32")
}

/// A count as a float.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(super) fn real(n: usize) -> f64 {
    n as f64
}
