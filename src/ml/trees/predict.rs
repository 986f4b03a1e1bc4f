//! Predictions of fitted trees.
//!
//! Rows are taken in blocks: a block is laid out row by row, then passes one tree after another, so that a tree is read from
//! the cache. A row's numbers are summed in the order of the trees; blocks don't share sums. So neither the threads nor the
//! other rows change what a row gets.

use rayon::prelude::*;

use crate::ml::matrix::Matrix;
use crate::ml::trees::form::{Combination, Link, Node, Set, Trees, real};

const BLOCK: usize = 128;

/// Rows that walk in step.
const LANES: usize = 8;

impl Trees {
    /// A number per row, or `n_rows × n_classes` probabilities. The columns are those of training.
    pub fn predict(&self, matrix: &Matrix) -> Vec<f64> {
        assert_eq!(matrix.columns.len(), self.n_features, "the columns are those of training");
        let width = self.n_outputs();
        let mut outputs = vec![0.0; matrix.n_rows * width];
        outputs.par_chunks_mut(BLOCK * width).enumerate().for_each(|(block, outputs)| {
            let start = block * BLOCK;
            let mut rows = vec![0.0; outputs.len() / width * self.n_features];
            for (j, column) in matrix.columns.iter().enumerate() {
                for (row, value) in rows.chunks_exact_mut(self.n_features.max(1)).zip(&column[start..]) {
                    row[j] = *value;
                }
            }
            self.predict_block(&rows, outputs);
        });
        outputs
    }

    /// Fills `output` with the prediction for one row, without a matrix around it: `n_features` values in, `n_outputs` out.
    pub fn predict_row(&self, row: &[f64], output: &mut [f64]) {
        assert_eq!(row.len(), self.n_features, "the values are those of training");
        output.fill(0.0);
        self.predict_block(row, output);
    }

    /// `outputs` holds zeros, `n_outputs` for each of the rows.
    fn predict_block(&self, rows: &[f64], outputs: &mut [f64]) {
        match &self.combination {
            Combination::Mean { width } => {
                self.add_means(rows, outputs, *width);
            }
            Combination::Sum { start, link } => {
                self.add_scores(rows, outputs, start);
                for output in outputs.chunks_exact_mut(self.n_outputs()) {
                    apply(*link, output);
                }
            }
        }
    }

    fn add_means(&self, rows: &[f64], outputs: &mut [f64], width: usize) {
        for root in &self.roots {
            self.visit_leaves(*root, rows, outputs.len() / width, |row, leaf| {
                let values = &self.values[leaf * width..(leaf + 1) * width];
                for (output, value) in outputs[row * width..].iter_mut().zip(values) {
                    *output += value;
                }
            });
        }
        let n_trees = real(self.roots.len().max(1));
        for output in outputs {
            *output /= n_trees;
        }
    }

    /// Each row's scores, at the beginning of its outputs.
    fn add_scores(&self, rows: &[f64], outputs: &mut [f64], start: &[f64]) {
        let width = self.n_outputs();
        for output in outputs.chunks_exact_mut(width) {
            output[..start.len()].copy_from_slice(start);
        }
        for (tree, root) in self.roots.iter().enumerate() {
            let score = tree % start.len();
            self.visit_leaves(*root, rows, outputs.len() / width, |row, leaf| {
                outputs[row * width + score] += self.values[leaf];
            });
        }
    }

    /// Calls with each row's number and that of the leaf it falls into.
    fn visit_leaves(&self, root: u32, rows: &[f64], n_rows: usize, mut visit: impl FnMut(usize, usize)) {
        let row = |i: usize| &rows[i * self.n_features..(i + 1) * self.n_features];
        let n_whole = n_rows / LANES * LANES;
        for first in (0..n_whole).step_by(LANES) {
            let lanes: [&[f64]; LANES] = std::array::from_fn(|lane| row(first + lane));
            for (lane, leaf) in leaves(&self.nodes, &self.sets, root, lanes).into_iter().enumerate() {
                visit(first + lane, leaf);
            }
        }
        for i in n_whole..n_rows {
            let [leaf] = leaves(&self.nodes, &self.sets, root, [row(i)]);
            visit(i, leaf);
        }
    }
}

/// The numbers of the leaves that these rows fall into. They walk in step: while one waits for memory, the others go on.
fn leaves<const N: usize>(nodes: &[Node], sets: &[Set], root: u32, rows: [&[f64]; N]) -> [usize; N] {
    let mut places = [root as usize; N];
    loop {
        let mut n_open = 0;
        for (place, row) in places.iter_mut().zip(rows) {
            let node = nodes[*place];
            // A leaf asks for a feature that no row has, and stays where it is.
            let value = row.get(node.feature()).copied().unwrap_or(f64::NAN);
            let is_open = !node.is_leaf();
            if is_open && node.is_categorical() {
                *place = node.child(value, sets);
            } else {
                let child = node.next as usize + usize::from(!node.at_most(value));
                *place = if is_open { child } else { *place };
            }
            n_open += usize::from(is_open);
        }
        if n_open == 0 {
            return places.map(|place| nodes[place].next as usize);
        }
    }
}

/// Turns the scores at the beginning of `output` into the prediction.
pub(super) fn apply(link: Link, output: &mut [f64]) {
    match link {
        Link::Identity => {}
        Link::Logistic => {
            let second = logistic(output[0]);
            output[0] = 1.0 - second;
            output[1] = second;
        }
        Link::Softmax => softmax(output),
    }
}

/// `1 / (1 + e^-x)` without overflow.
pub(super) fn logistic(x: f64) -> f64 {
    let power = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + power) } else { power / (1.0 + power) }
}

/// Turns scores into probabilities in place.
pub(super) fn softmax(scores: &mut [f64]) {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        sum += *score;
    }
    for score in scores.iter_mut() {
        *score /= sum;
    }
}
