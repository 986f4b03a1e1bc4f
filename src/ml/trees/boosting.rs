//! Gradient boosting on binned features, of the kind of `XGBoost` and `LightGBM`.
//!
//! In: the parameters of `gradient_boosting`, features with missing values and categories as they are, an outcome, weights, a
//! seed. Out: [`Trees`] whose leaves add up. What the parameters mean and what they are by default is `LightGBM`'s, in
//! scikit-learn's words where it has one (`HistGradientBoostingClassifier`). The second of two classes has one score, more
//! classes have one each and a tree each per round.

mod bins;
mod grow;
mod histogram;
mod loss;
mod search;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::random::Random;
use crate::ml::trees::form::{Combination, Trees, real, short};
use bins::{Bins, MOST};
use grow::{Grown, Shape};
use histogram::Gradients;
use loss::{Target, quantile};
use search::Limits;

/// Gradient boosting: trees that each correct those before; takes missing values and categories as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GradientBoosting {
    /// How many rounds; each adds a tree, for three classes and more a tree a class. Default: 100.
    pub trees: u32,
    /// The share of its correction that a tree adds. Default: 0.1.
    pub learning_rate: f64,
    /// The most leaves of a tree. Default: 31.
    pub max_leaves: u32,
    /// The most splits between the root and a leaf. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<u32>,
    /// Which leaf is split next: `leaf_wise`, the one that gains most, or `depth_wise`, the nearest to the root. Default:
    /// `leaf_wise`.
    pub growth: Order,
    /// The fewest rows in a leaf. Default: 20.
    pub min_samples_leaf: u32,
    /// The least sum of second derivatives of the loss in a leaf. Default: 0.001.
    pub min_child_weight: f64,
    /// What a split has to gain. Default: 0.
    pub min_split_gain: f64,
    /// The L1 penalty on what a leaf adds. Default: 0.
    pub l1: f64,
    /// The L2 penalty on what a leaf adds. Default: 0.
    pub l2: f64,
    /// The share of the rows that each tree sees. Default: 1.
    pub subsample: f64,
    /// The share of the features that each tree sees. Default: 1.
    pub colsample: f64,
    /// The most bins that the values of a feature are put into, from 2 to 255. Default: 255.
    pub max_bins: u32,
    /// The L2 penalty that is added where categories are split. Default: 10.
    pub category_l2: f64,
    /// How strongly rare categories are drawn to the middle when categories are put in order. Default: 10.
    pub category_smoothing: f64,
    /// What is lowered where the outcome is a number: `squared_error`, `absolute_error`, or a quantile's pinball loss such as
    /// `{quantile: 0.9}`. Default: `squared_error`. Classes have the log loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// When to stop before the last round. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
}

/// Which leaf is split next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Order {
    #[default]
    LeafWise,
    DepthWise,
}

/// What is lowered where the outcome is a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Loss {
    SquaredError,
    AbsoluteError,
    /// The pinball loss at this level, between 0 and 1.
    Quantile(f64),
}

/// Stops when rows that no tree sees are predicted no better; keeps the best number of rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct EarlyStopping {
    /// Rounds without improvement after which to stop. Default: 10.
    pub rounds: u32,
    /// The share of the rows that are held out, of each class. Default: 0.1.
    pub validation: f64,
    /// By how much the loss has to fall to count as an improvement. Default: 0.
    pub min_improvement: f64,
}

impl Default for GradientBoosting {
    fn default() -> Self {
        GradientBoosting {
            trees: 100,
            learning_rate: 0.1,
            max_leaves: 31,
            max_depth: None,
            growth: Order::LeafWise,
            min_samples_leaf: 20,
            min_child_weight: 1e-3,
            min_split_gain: 0.0,
            l1: 0.0,
            l2: 0.0,
            subsample: 1.0,
            colsample: 1.0,
            max_bins: 255,
            category_l2: 10.0,
            category_smoothing: 10.0,
            loss: None,
            early_stopping: None,
        }
    }
}

impl Default for EarlyStopping {
    fn default() -> Self {
        EarlyStopping { rounds: 10, validation: 0.1, min_improvement: 0.0 }
    }
}

/// Streams of the seed: trees have the even ones for rows, the odd ones for features.
const HOLD_OUT: u64 = u64::MAX - 1;

const BLOCK: usize = 1 << 13;

/// All that stays the same over the rounds.
struct Task<'a> {
    parameters: &'a GradientBoosting,
    target: Target<'a>,
    weights: Option<&'a [f64]>,
    bins: Bins,
    shape: Shape,
    n_columns: usize,
    /// Rows that trees learn from, ascending.
    train: Vec<u32>,
    /// Rows that tell when to stop.
    held: Vec<u32>,
    seed: u64,
}

impl GradientBoosting {
    /// What is wrong with these parameters, if anything: the field and why.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let stopping = self.early_stopping.as_ref();
        let faults = [
            (self.trees >= 1, "trees", "must be 1 at least"),
            (positive(self.learning_rate), "learning_rate", "must be above 0"),
            (self.max_leaves >= 2, "max_leaves", "must be 2 at least"),
            (not_negative(self.min_child_weight), "min_child_weight", "must not be negative"),
            (not_negative(self.min_split_gain), "min_split_gain", "must not be negative"),
            (not_negative(self.l1), "l1", "must not be negative"),
            (not_negative(self.l2), "l2", "must not be negative"),
            (share(self.subsample), "subsample", "must be above 0 and at most 1"),
            (share(self.colsample), "colsample", "must be above 0 and at most 1"),
            ((2..=255).contains(&self.max_bins), "max_bins", "must be from 2 to 255"),
            (not_negative(self.category_l2), "category_l2", "must not be negative"),
            (not_negative(self.category_smoothing), "category_smoothing", "must not be negative"),
            (
                !matches!(self.loss, Some(Loss::Quantile(level)) if !(level > 0.0 && level < 1.0)),
                "loss",
                "a quantile must be between 0 and 1",
            ),
            (stopping.is_none_or(|s| s.rounds >= 1), "early_stopping.rounds", "must be 1 at least"),
            (
                stopping.is_none_or(|s| s.validation > 0.0 && s.validation < 1.0),
                "early_stopping.validation",
                "must be between 0 and 1",
            ),
            (
                stopping.is_none_or(|s| not_negative(s.min_improvement)),
                "early_stopping.min_improvement",
                "must not be negative",
            ),
        ];
        faults.into_iter().find(|(holds, ..)| !holds).map(|(_, field, why)| (field, why))
    }

    /// Grows the trees. There is a row at least, and one of them has weight.
    pub fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, seed: u64) -> Trees {
        let target =
            Target::of_classes(outcome).unwrap_or_else(|numbers| match self.loss.unwrap_or(Loss::SquaredError) {
                Loss::SquaredError => Target::Squared(numbers),
                Loss::AbsoluteError => Target::Absolute(numbers),
                Loss::Quantile(level) => Target::Quantile(numbers, level),
            });
        let counts = |row: &u32| weights.is_none_or(|weights| weights[*row as usize] > 0.0);
        let rows: Vec<u32> = (0..short(matrix.n_rows)).filter(counts).collect();
        let (train, held) = match &self.early_stopping {
            Some(stopping) => hold_out(rows, target, stopping.validation, seed),
            None => (rows, Vec::new()),
        };
        let task = Task {
            parameters: self,
            target,
            weights,
            bins: Bins::of(matrix, (self.max_bins as usize).min(MOST), seed),
            shape: self.shape(),
            n_columns: matrix.columns.len(),
            train,
            held,
            seed,
        };
        boost(&task)
    }

    fn shape(&self) -> Shape {
        let limits = Limits {
            min_samples_leaf: self.min_samples_leaf as usize,
            min_child_weight: self.min_child_weight,
            min_split_gain: self.min_split_gain,
            l1: self.l1,
            l2: self.l2,
            category_l2: self.category_l2,
            category_smoothing: self.category_smoothing,
        };
        let max_depth = self.max_depth.unwrap_or(u32::MAX);
        Shape { order: self.growth, max_leaves: self.max_leaves, max_depth, limits }
    }
}

/// Draws the rows that tell when to stop, of each class a share.
fn hold_out(rows: Vec<u32>, target: Target, share: f64, seed: u64) -> (Vec<u32>, Vec<u32>) {
    let mut shuffled = rows;
    Random::new(seed, HOLD_OUT).shuffle(&mut shuffled);
    if let Target::Binary(codes) | Target::Classes(codes, _) = target {
        shuffled.sort_by_key(|row| codes[*row as usize]);
    }
    let (mut train, mut held) = (Vec::new(), Vec::new());
    for (place, row) in shuffled.into_iter().enumerate() {
        // The rows at which the share of the count reaches a whole number.
        let reached = |place: usize| (real(place) * share).floor();
        if reached(place + 1) > reached(place) { held.push(row) } else { train.push(row) }
    }
    train.sort_unstable();
    held.sort_unstable();
    (train, held)
}

fn boost(task: &Task) -> Trees {
    let Task { parameters, target, bins, .. } = task;
    let n_scores = target.n_scores();
    let weight = |row: usize| task.weights.map_or(1.0, |weights| weights[row]);
    let start = target.start(&task.train, weight);
    let mut scores: Vec<f64> = (0..bins.n_rows).flat_map(|_| start.iter().copied()).collect();
    let mut responses = scores.clone();
    responses.par_chunks_mut(n_scores).with_min_len(BLOCK).for_each(|scores| target.respond(scores));
    let mut trees = Trees::new(task.n_columns, Combination::Sum { start, link: target.link() });
    let mut rounds = Vec::new();
    let mut best = (task.loss(&responses), 0);
    for round in 0..parameters.trees {
        let grown: Vec<Grown> =
            (0..n_scores).into_par_iter().map(|score| task.grow(round, score, &scores, &responses)).collect();
        if grown.iter().all(|grown| grown.steps.len() == 1) {
            break;
        }
        task.update(&grown, &mut scores, &mut responses);
        rounds.push(grown);
        if let Some(stopping) = parameters.early_stopping.as_ref().filter(|_| !task.held.is_empty()) {
            let loss = task.loss(&responses);
            if loss < best.0 - stopping.min_improvement {
                best = (loss, rounds.len());
            } else if rounds.len() - best.1 >= stopping.rounds as usize {
                break;
            }
        }
    }
    if parameters.early_stopping.is_some() && !task.held.is_empty() {
        rounds.truncate(best.1);
    }
    for grown in rounds.into_iter().flatten() {
        trees.importance.iter_mut().zip(&grown.gains).for_each(|(share, gain)| *share += gain);
        trees.push(grown.tree);
    }
    let total: f64 = trees.importance.iter().sum();
    if total > 0.0 {
        trees.importance.iter_mut().for_each(|share| *share /= total);
    }
    trees
}

impl Task<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// The tree of this round for this score, with the values of its leaves.
    fn grow(&self, round: u32, score: usize, scores: &[f64], responses: &[f64]) -> Grown {
        let n_scores = self.target.n_scores();
        let gradients = Gradients::round(self.bins.n_rows, |row| {
            let (gradient, curvature) = self.target.gradient(row, score, responses[row * n_scores + score]);
            (gradient * self.weight(row), curvature * self.weight(row))
        });
        let stream = 2 * u64::from(round);
        let rows = draw(&self.train, self.parameters.subsample, &mut Random::new(self.seed, stream));
        let all: Vec<usize> = (0..self.bins.features.len()).collect();
        let features = draw(&all, self.parameters.colsample, &mut Random::new(self.seed, stream + 1));
        let mut grown = grow::grow(&self.bins, &gradients, rows, &features, self.n_columns, self.shape);
        let values: Vec<f64> = grown
            .leaves()
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|leaf| {
                let step = match self.target.renewal() {
                    Some((numbers, level)) => {
                        let rows = &grown.rows[grown.parts[leaf].clone()];
                        let lack =
                            |row: &u32| (numbers[*row as usize] - scores[*row as usize], self.weight(*row as usize));
                        quantile(rows.iter().map(lack).collect(), level)
                    }
                    None => self.shape.limits.step(grown.totals[leaf]),
                };
                self.parameters.learning_rate * step
            })
            .collect();
        let mut values = values.into_iter();
        grown.tree = std::mem::take(&mut grown.tree).finish(|_, leaves| leaves.extend(values.next()));
        grown
    }

    /// Adds the trees of a round to the scores.
    fn update(&self, grown: &[Grown], scores: &mut [f64], responses: &mut [f64]) {
        let n_scores = grown.len();
        let values: Vec<Vec<f64>> = grown.iter().map(Grown::values).collect();
        let blocks = scores.par_chunks_mut(BLOCK * n_scores).zip(responses.par_chunks_mut(BLOCK * n_scores));
        blocks.enumerate().for_each(|(block, (scores, responses))| {
            let stretch = block * BLOCK..block * BLOCK + scores.len() / n_scores;
            for (score, (grown, values)) in grown.iter().zip(&values).enumerate() {
                if grown.rows.len() == self.bins.n_rows {
                    for leaf in grown.leaves() {
                        for row in grown.rows_within(leaf, &stretch) {
                            scores[(*row as usize - stretch.start) * n_scores + score] += values[leaf];
                        }
                    }
                } else {
                    // Some rows took no part and are in no leaf.
                    for row in stretch.clone() {
                        scores[(row - stretch.start) * n_scores + score] += values[grown.walk(&self.bins, row)];
                    }
                }
            }
            responses.copy_from_slice(scores);
            for responses in responses.chunks_exact_mut(n_scores) {
                self.target.respond(responses);
            }
        });
    }

    /// The mean loss of the rows that were held out.
    fn loss(&self, responses: &[f64]) -> f64 {
        let n_scores = self.target.n_scores();
        let (mut loss, mut total) = (0.0, 0.0);
        for row in self.held.iter().map(|row| *row as usize) {
            loss += self.weight(row) * self.target.loss(row, &responses[row * n_scores..(row + 1) * n_scores]);
            total += self.weight(row);
        }
        loss / total
    }
}

/// A share of these, one at least, in their order.
fn draw<T: Copy>(all: &[T], share: f64, random: &mut Random) -> Vec<T> {
    if share >= 1.0 {
        return all.to_vec();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the count, at most it")]
    let wanted = ((real(all.len()) * share).round() as usize).max(1);
    // Selection sampling (Knuth, volume 2, algorithm S): one pass, in order.
    let mut drawn = Vec::with_capacity(wanted);
    for (place, one) in all.iter().enumerate() {
        let left = (all.len() - place) as u64;
        if random.below(left) < (wanted - drawn.len().min(wanted)) as u64 {
            drawn.push(*one);
        }
    }
    drawn
}

impl Grown {
    /// By node: what it adds, if it is a leaf.
    fn values(&self) -> Vec<f64> {
        let mut values = vec![0.0; self.steps.len()];
        for (leaf, value) in self.leaves().zip(&self.tree.values) {
            values[leaf] = *value;
        }
        values
    }
}
