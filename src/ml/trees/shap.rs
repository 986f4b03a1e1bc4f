//! What each feature adds to a prediction: SHAP values of trees.
//!
//! The path-dependent form of Lundberg et al., "Consistent individualized feature attribution for tree ensembles" (2018),
//! algorithm 2: where a feature is unknown, a row goes both ways, by the share of training rows that did. Exact, in time
//! `leaves × depth²` a tree and row. For boosting the values explain the scores before the link, for forests the mean of the
//! leaves.

use rayon::prelude::*;

use crate::ml::matrix::Matrix;
use crate::ml::trees::form::{Combination, Link, Trees, real};

/// Values for each row and output, `n_rows × n_outputs × (n_features + 1)`; the last one is what is expected without any
/// feature. Their sum is the output. Boosting of two classes has one output, the log odds of the second.
pub fn values(trees: &Trees, matrix: &Matrix) -> Vec<f64> {
    let explainer = Explainer::new(trees);
    let size = explainer.n_outputs * (trees.n_features + 1);
    let mut values = vec![0.0; matrix.n_rows * size];
    values.par_chunks_mut(size).enumerate().for_each(|(i, values)| {
        let row: Vec<f64> = matrix.columns.iter().map(|column| column[i]).collect();
        explainer.explain(&row, values);
    });
    values
}

struct Explainer<'a> {
    trees: &'a Trees,
    n_outputs: usize,
    /// What is expected of each output.
    expected: Vec<f64>,
    /// What the leaves are divided by.
    divisor: f64,
}

/// A feature that was asked for on the way to a node, and what comes of it.
#[derive(Clone, Copy)]
struct Asked {
    feature: usize,
    /// The share of training rows that go this way.
    zero: f64,
    /// Whether the row goes this way: 1 or 0.
    one: f64,
    /// The weight of the subsets of features of this size.
    weight: f64,
}

impl<'a> Explainer<'a> {
    fn new(trees: &'a Trees) -> Self {
        let n_trees = real(trees.roots.len().max(1));
        let (n_outputs, start, divisor) = match &trees.combination {
            Combination::Mean { width } => (*width, vec![0.0; *width], n_trees),
            Combination::Sum { start, link: Link::Identity | Link::Logistic | Link::Softmax } => {
                (start.len(), start.clone(), 1.0)
            }
        };
        let mut explainer = Explainer { trees, n_outputs, expected: start, divisor };
        for (tree, root) in trees.roots.iter().enumerate() {
            explainer.expect(tree, *root as usize, 1.0);
        }
        explainer
    }

    /// Adds to what is expected the leaves below a node that rows reach with this share.
    fn expect(&mut self, tree: usize, node: usize, share: f64) {
        let mut open = vec![(node, share)];
        while let Some((node, share)) = open.pop() {
            if self.trees.nodes[node].is_leaf() {
                let (output, leaf) = self.leaf(tree, node);
                for (place, value) in leaf.iter().enumerate() {
                    self.expected[output + place] += share * value / self.divisor;
                }
            } else {
                let left = self.trees.nodes[node].next as usize;
                open.push((left, share * self.share(node, left)));
                open.push((left + 1, share * self.share(node, left + 1)));
            }
        }
    }

    /// The share of a node's training rows that went to this child.
    fn share(&self, node: usize, child: usize) -> f64 {
        let all = self.trees.covers[node];
        if all > 0.0 { self.trees.covers[child] / all } else { 0.5 }
    }

    /// The first output that a leaf adds to, and its values.
    fn leaf(&self, tree: usize, node: usize) -> (usize, &'a [f64]) {
        let trees = self.trees;
        let width = trees.width();
        let leaf = trees.nodes[node].next as usize * width;
        let output = if width == 1 { tree % self.n_outputs } else { 0 };
        (output, &trees.values[leaf..leaf + width])
    }

    fn explain(&self, row: &[f64], values: &mut [f64]) {
        let n_features = self.trees.n_features;
        for (values, expected) in values.chunks_exact_mut(n_features + 1).zip(&self.expected) {
            values[n_features] = *expected;
        }
        for (tree, root) in self.trees.roots.iter().enumerate() {
            self.descend(tree, *root as usize, row, Vec::new(), values);
        }
    }

    fn descend(&self, tree: usize, node: usize, row: &[f64], path: Vec<Asked>, values: &mut [f64]) {
        let place = self.trees.nodes[node];
        if place.is_leaf() {
            let (output, leaf) = self.leaf(tree, node);
            let n_features = self.trees.n_features;
            for at in 1..path.len() {
                let Asked { feature, zero, one, .. } = path[at];
                let change = weight_without(&path, at) * (one - zero) / self.divisor;
                for (values, value) in values.chunks_exact_mut(n_features + 1).skip(output).zip(leaf) {
                    values[feature] += change * value;
                }
            }
            return;
        }
        let mut path = path;
        if path.is_empty() {
            // The root's own entry stands for no feature.
            extend(&mut path, 1.0, 1.0, usize::MAX);
        }
        let feature = place.feature();
        let (mut zero, mut one) = (1.0, 1.0);
        // A feature that was asked for before counts once.
        if let Some(before) = path.iter().position(|asked| asked.feature == feature) {
            (zero, one) = (path[before].zero, path[before].one);
            unwind(&mut path, before);
        }
        let hot = place.child(row[feature], &self.trees.sets);
        let left = place.next as usize;
        for child in [left, left + 1] {
            let mut longer = path.clone();
            let taken = if child == hot { one } else { 0.0 };
            extend(&mut longer, zero * self.share(node, child), taken, feature);
            self.descend(tree, child, row, longer, values);
        }
    }
}

fn extend(path: &mut Vec<Asked>, zero: f64, one: f64, feature: usize) {
    let depth = path.len();
    let n = real(depth + 1);
    path.push(Asked { feature, zero, one, weight: if depth == 0 { 1.0 } else { 0.0 } });
    for i in (0..depth).rev() {
        path[i + 1].weight += one * path[i].weight * real(i + 1) / n;
        path[i].weight *= zero * real(depth - i) / n;
    }
}

/// Takes an entry off the path, as if it had never been there.
fn unwind(path: &mut Vec<Asked>, at: usize) {
    let depth = path.len() - 1;
    let Asked { zero, one, .. } = path[at];
    let n = real(depth + 1);
    let mut next = path[depth].weight;
    for i in (0..depth).rev() {
        if one == 0.0 {
            path[i].weight *= n / (zero * real(depth - i));
        } else {
            let weight = path[i].weight;
            path[i].weight = next * n / (real(i + 1) * one);
            next = weight - path[i].weight * zero * real(depth - i) / n;
        }
    }
    for i in at..depth {
        let Asked { feature, zero, one, .. } = path[i + 1];
        path[i] = Asked { feature, zero, one, weight: path[i].weight };
    }
    path.pop();
}

/// The sum of the weights after taking an entry off.
fn weight_without(path: &[Asked], at: usize) -> f64 {
    let depth = path.len() - 1;
    let Asked { zero, one, .. } = path[at];
    let n = real(depth + 1);
    let mut next = path[depth].weight;
    let mut total = 0.0;
    for i in (0..depth).rev() {
        if one == 0.0 {
            total += path[i].weight * n / (zero * real(depth - i));
        } else {
            let weight = next * n / (real(i + 1) * one);
            total += weight;
            next = path[i].weight - weight * zero * real(depth - i) / n;
        }
    }
    total
}
