//! Forests: trees over exact splits whose leaves are averaged.
//!
//! In: the parameters of `random_forest`, `extra_trees` or `decision_tree`, features, an outcome, weights, a seed. Out:
//! [`Trees`]. What the parameters mean and what they are by default is scikit-learn's (`RandomForestClassifier`,
//! `ExtraTreesRegressor`, `DecisionTreeClassifier` and their like). Tree `t` draws from the stream `t` of the seed.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::random::Random;
use crate::ml::trees::exact::{
    self, Columns, Criterion, Entropy, Gini, Grown, Growth, Measure, Member, Shares, Splits, Variance,
};
use crate::ml::trees::form::{Combination, Trees, real};

/// A random forest: trees on samples of the rows, each split looking at some of the features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomForest {
    /// How many trees. Default: 100.
    pub trees: u32,
    /// The most splits between the root and a leaf. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<u32>,
    /// The most leaves of a tree; with it the node that gains most is split first. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_leaves: Option<u32>,
    /// The fewest rows that are split. Default: 2.
    pub min_samples_split: u32,
    /// The fewest rows in a leaf. Default: 1.
    pub min_samples_leaf: u32,
    /// Features that a split looks at: `sqrt`, `log2`, `all`, or a share such as `0.5`. Default: `sqrt` for classes, `all` for
    /// numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_features: Option<MaxFeatures>,
    /// What a split of classes reduces: `gini` or `entropy`. Default: `gini`. Numbers are split by their variance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub criterion: Option<Impurity>,
    /// The least decrease of impurity, weighted by the node's share of the rows, for which a node is split. Default: 0.
    pub min_impurity_decrease: f64,
    /// Whether each tree sees as many rows as there are, drawn with replacement, instead of all. Default: true.
    pub bootstrap: bool,
}

/// Extremely randomised trees: thresholds are drawn at random, the best of them is taken; trees see all rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExtraTrees {
    /// How many trees. Default: 100.
    pub trees: u32,
    /// The most splits between the root and a leaf. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<u32>,
    /// The most leaves of a tree; with it the node that gains most is split first. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_leaves: Option<u32>,
    /// The fewest rows that are split. Default: 2.
    pub min_samples_split: u32,
    /// The fewest rows in a leaf. Default: 1.
    pub min_samples_leaf: u32,
    /// Features that a split looks at: `sqrt`, `log2`, `all`, or a share such as `0.5`. Default: `sqrt` for classes, `all` for
    /// numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_features: Option<MaxFeatures>,
    /// What a split of classes reduces: `gini` or `entropy`. Default: `gini`. Numbers are split by their variance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub criterion: Option<Impurity>,
    /// The least decrease of impurity, weighted by the node's share of the rows, for which a node is split. Default: 0.
    pub min_impurity_decrease: f64,
    /// Whether each tree sees as many rows as there are, drawn with replacement, instead of all. Default: false.
    pub bootstrap: bool,
}

/// One tree with the best splits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionTree {
    /// The most splits between the root and a leaf. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<u32>,
    /// The most leaves; with it the node that gains most is split first. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_leaves: Option<u32>,
    /// The fewest rows that are split. Default: 2.
    pub min_samples_split: u32,
    /// The fewest rows in a leaf. Default: 1.
    pub min_samples_leaf: u32,
    /// Features that a split looks at: `sqrt`, `log2`, `all`, or a share such as `0.5`. Default: `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_features: Option<MaxFeatures>,
    /// What a split of classes reduces: `gini` or `entropy`. Default: `gini`. Numbers are split by their variance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub criterion: Option<Impurity>,
    /// The least decrease of impurity, weighted by the node's share of the rows, for which a node is split. Default: 0.
    pub min_impurity_decrease: f64,
}

/// How many features a split looks at, of those that vary in the node.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum MaxFeatures {
    Rule(FeatureRule),
    /// A share of all, above 0 and at most 1; one feature at least.
    Share(f64),
}

/// A number of features that follows from that of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum FeatureRule {
    /// The square root, rounded down.
    Sqrt,
    /// The logarithm to base 2, rounded down.
    Log2,
    All,
}

/// What a split of classes reduces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Impurity {
    Gini,
    Entropy,
}

/// What the trainers have in common.
struct Plan {
    trees: u32,
    bootstrap: bool,
    impurity: Impurity,
    growth: Growth,
}

impl Default for RandomForest {
    fn default() -> Self {
        RandomForest {
            trees: 100,
            max_depth: None,
            max_leaves: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: None,
            criterion: None,
            min_impurity_decrease: 0.0,
            bootstrap: true,
        }
    }
}

impl Default for ExtraTrees {
    fn default() -> Self {
        ExtraTrees {
            trees: 100,
            max_depth: None,
            max_leaves: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: None,
            criterion: None,
            min_impurity_decrease: 0.0,
            bootstrap: false,
        }
    }
}

impl Default for DecisionTree {
    fn default() -> Self {
        DecisionTree {
            max_depth: None,
            max_leaves: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: None,
            criterion: None,
            min_impurity_decrease: 0.0,
        }
    }
}

impl RandomForest {
    /// What is wrong with these parameters, if anything: the field and why.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        fault(self.trees, self.min_samples_leaf, self.max_features, self.min_impurity_decrease)
    }

    /// Grows the trees. There is a row at least, and one of them has weight.
    pub fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, seed: u64) -> Trees {
        let growth = Growth {
            splits: Splits::Best,
            max_depth: self.max_depth.unwrap_or(u32::MAX),
            max_leaves: self.max_leaves,
            min_samples_split: self.min_samples_split as usize,
            min_samples_leaf: self.min_samples_leaf as usize,
            n_features: count(self.max_features.unwrap_or(forest_rule(outcome)), matrix),
            min_gain: self.min_impurity_decrease,
        };
        let impurity = self.criterion.unwrap_or(Impurity::Gini);
        fit(&Plan { trees: self.trees, bootstrap: self.bootstrap, impurity, growth }, matrix, outcome, weights, seed)
    }
}

impl ExtraTrees {
    /// What is wrong with these parameters, if anything: the field and why.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        fault(self.trees, self.min_samples_leaf, self.max_features, self.min_impurity_decrease)
    }

    /// Grows the trees. There is a row at least, and one of them has weight.
    pub fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, seed: u64) -> Trees {
        let growth = Growth {
            splits: Splits::Random,
            max_depth: self.max_depth.unwrap_or(u32::MAX),
            max_leaves: self.max_leaves,
            min_samples_split: self.min_samples_split as usize,
            min_samples_leaf: self.min_samples_leaf as usize,
            n_features: count(self.max_features.unwrap_or(forest_rule(outcome)), matrix),
            min_gain: self.min_impurity_decrease,
        };
        let impurity = self.criterion.unwrap_or(Impurity::Gini);
        fit(&Plan { trees: self.trees, bootstrap: self.bootstrap, impurity, growth }, matrix, outcome, weights, seed)
    }
}

impl DecisionTree {
    /// What is wrong with these parameters, if anything: the field and why.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        fault(1, self.min_samples_leaf, self.max_features, self.min_impurity_decrease)
    }

    /// Grows the tree. There is a row at least, and one of them has weight.
    pub fn fit(&self, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, seed: u64) -> Trees {
        let growth = Growth {
            splits: Splits::Best,
            max_depth: self.max_depth.unwrap_or(u32::MAX),
            max_leaves: self.max_leaves,
            min_samples_split: self.min_samples_split as usize,
            min_samples_leaf: self.min_samples_leaf as usize,
            n_features: count(self.max_features.unwrap_or(MaxFeatures::Rule(FeatureRule::All)), matrix),
            min_gain: self.min_impurity_decrease,
        };
        let impurity = self.criterion.unwrap_or(Impurity::Gini);
        fit(&Plan { trees: 1, bootstrap: false, impurity, growth }, matrix, outcome, weights, seed)
    }
}

fn fault(trees: u32, leaf: u32, features: Option<MaxFeatures>, decrease: f64) -> Option<(&'static str, &'static str)> {
    match features {
        _ if trees == 0 => Some(("trees", "must be 1 at least")),
        _ if leaf == 0 => Some(("min_samples_leaf", "must be 1 at least")),
        _ if !(0.0..f64::INFINITY).contains(&decrease) => Some(("min_impurity_decrease", "must not be negative")),
        Some(MaxFeatures::Share(share)) if !(share > 0.0 && share <= 1.0) => {
            Some(("max_features", "must be above 0 and at most 1"))
        }
        Some(MaxFeatures::Share(_) | MaxFeatures::Rule(_)) | None => None,
    }
}

fn forest_rule(outcome: Outcome) -> MaxFeatures {
    MaxFeatures::Rule(match outcome {
        Outcome::Class { .. } => FeatureRule::Sqrt,
        Outcome::Number(_) => FeatureRule::All,
    })
}

fn count(features: MaxFeatures, matrix: &Matrix) -> usize {
    let all = matrix.columns.len();
    let some = match features {
        MaxFeatures::Rule(FeatureRule::Sqrt) => all.isqrt(),
        MaxFeatures::Rule(FeatureRule::Log2) => all.checked_ilog2().unwrap_or(0) as usize,
        MaxFeatures::Rule(FeatureRule::All) => all,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the count, at most it")]
        MaxFeatures::Share(share) => (share * real(all)) as usize,
    };
    some.max(1)
}

fn fit(plan: &Plan, matrix: &Matrix, outcome: Outcome, weights: Option<&[f64]>, seed: u64) -> Trees {
    let columns = Columns::of(matrix);
    let weight = |row: u32| weights.map_or(1.0, |weights| weights[row as usize]);
    match outcome {
        Outcome::Class { codes, n_classes } => {
            let entry = |row: u32, times: f64| Member { class: codes[row as usize], weight: times * weight(row) };
            let shares = Shares::new(n_classes);
            let grown = match plan.impurity {
                Impurity::Gini => grow_all(plan, &columns, matrix.n_rows, &Gini::new(shares), entry, seed),
                Impurity::Entropy => grow_all(plan, &columns, matrix.n_rows, &Entropy::new(shares), entry, seed),
            };
            collect(matrix, n_classes, grown)
        }
        Outcome::Number(numbers) => {
            let mean = numbers.iter().sum::<f64>() / real(numbers.len());
            let entry =
                |row: u32, times: f64| Measure { number: numbers[row as usize] - mean, weight: times * weight(row) };
            collect(matrix, 1, grow_all(plan, &columns, matrix.n_rows, &Variance::new(numbers), entry, seed))
        }
    }
}

fn grow_all<C: Criterion + Clone + Sync>(
    plan: &Plan,
    columns: &Columns,
    n_rows: usize,
    criterion: &C,
    entry: impl Fn(u32, f64) -> C::Entry + Sync,
    seed: u64,
) -> Vec<Grown> {
    let grow_one = |tree: u32| {
        let mut random = Random::new(seed, u64::from(tree));
        let drawn = if plan.bootstrap { bootstrap(&mut random, n_rows) } else { vec![1; n_rows] };
        let sample = (0_u32..).zip(&drawn).filter(|(_, times)| **times > 0);
        let (rows, entries): (Vec<u32>, Vec<C::Entry>) = sample
            .map(|(row, times)| (row, entry(row, f64::from(*times))))
            .filter(|(_, entry)| C::weight(*entry) > 0.0)
            .unzip();
        if rows.is_empty() {
            // All rows that were drawn have no weight: an unlucky sample teaches what all rows would.
            let all = exact::all_rows(n_rows).into_iter().map(|row| (row, entry(row, 1.0)));
            let (rows, entries) = all.filter(|(_, entry)| C::weight(*entry) > 0.0).unzip();
            return exact::grow(columns, plan.growth, criterion.clone(), rows, entries, random);
        }
        exact::grow(columns, plan.growth, criterion.clone(), rows, entries, random)
    };
    (0..plan.trees).into_par_iter().map(grow_one).collect()
}

/// How often each row is drawn.
fn bootstrap(random: &mut Random, n_rows: usize) -> Vec<u32> {
    let mut times = vec![0; n_rows];
    for _ in 0..n_rows {
        let row = usize::try_from(random.below(n_rows as u64)).expect("below a usize");
        times[row] += 1;
    }
    times
}

/// Puts the trees together; the importance of a feature is the mean of its shares in each tree's gains.
fn collect(matrix: &Matrix, width: usize, grown: Vec<Grown>) -> Trees {
    let mut trees = Trees::new(matrix.columns.len(), Combination::Mean { width });
    for Grown { tree, gains } in grown {
        trees.push(tree);
        let total: f64 = gains.iter().sum();
        if total > 0.0 {
            trees.importance.iter_mut().zip(gains).for_each(|(share, gain)| *share += gain / total);
        }
    }
    let total: f64 = trees.importance.iter().sum();
    if total > 0.0 {
        trees.importance.iter_mut().for_each(|share| *share /= total);
    }
    trees
}
