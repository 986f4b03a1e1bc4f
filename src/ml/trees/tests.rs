//! Properties of all tree trainers. Agreement with scikit-learn is measured by oracle/trees.py.

use crate::ml::matrix::{Matrix, Outcome};
use crate::ml::random::Random;
use crate::ml::trees::boosting::{EarlyStopping, GradientBoosting, Loss, Order};
use crate::ml::trees::forest::{DecisionTree, ExtraTrees, FeatureRule, Impurity, MaxFeatures, RandomForest};
use crate::ml::trees::form::{Trees, real};
use crate::ml::trees::shap;

/// Features with ties, missing values and categories; classes and numbers that follow from them with noise.
struct Sample {
    matrix: Matrix,
    classes: Vec<u32>,
    numbers: Vec<f64>,
    weights: Vec<f64>,
}

fn sample(n_rows: usize) -> Sample {
    let mut random = Random::new(5, 0);
    let mut columns = vec![Vec::new(); 6];
    let (mut classes, mut numbers, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n_rows {
        let [a, b, c, noise] = std::array::from_fn(|_| random.unit());
        let category = real(usize::try_from(random.below(12)).expect("small"));
        let score = a * 2.0 - b + f64::from(u8::from((category * 7.0) % 5.0 < 2.0)) + noise;
        let is_missing = random.below(7) == 0;
        let row = [a, b, if is_missing { f64::NAN } else { c + score }, category, (a * 4.0).floor(), noise * 0.1];
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
        classes.push(u32::from(score > 1.0) + u32::from(score > 1.7));
        numbers.push(score * 10.0);
        weights.push(0.5 + random.unit());
    }
    let categories = vec![None, None, None, Some(12), None, None];
    Sample { matrix: Matrix { n_rows, columns, categories }, classes, numbers, weights }
}

fn on_threads<T: Send>(n_threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads").install(work)
}

fn every_model(sample: &Sample) -> Vec<Trees> {
    let two: Vec<u32> = sample.classes.iter().map(|class| u32::from(*class > 0)).collect();
    let three = Outcome::Class { codes: &sample.classes, n_classes: 3 };
    let two = Outcome::Class { codes: &two, n_classes: 2 };
    let numbers = Outcome::Number(&sample.numbers);
    let (matrix, weights) = (&sample.matrix, Some(sample.weights.as_slice()));
    let forest = RandomForest { trees: 6, ..RandomForest::default() };
    let entropy = RandomForest {
        criterion: Some(Impurity::Entropy),
        max_features: Some(MaxFeatures::Share(0.5)),
        max_leaves: Some(40),
        ..forest.clone()
    };
    let extra = ExtraTrees { trees: 6, min_samples_leaf: 3, ..ExtraTrees::default() };
    let tree = DecisionTree { max_features: Some(MaxFeatures::Rule(FeatureRule::All)), ..DecisionTree::default() };
    let boosting = GradientBoosting { trees: 6, ..GradientBoosting::default() };
    let stopping = EarlyStopping { rounds: 2, ..EarlyStopping::default() };
    let sampled = GradientBoosting {
        subsample: 0.7,
        colsample: 0.5,
        growth: Order::DepthWise,
        max_depth: Some(4),
        early_stopping: Some(stopping),
        ..boosting.clone()
    };
    let median = GradientBoosting { loss: Some(Loss::AbsoluteError), ..boosting.clone() };
    vec![
        forest.fit(matrix, three, weights, 1),
        forest.fit(matrix, numbers, None, 1),
        entropy.fit(matrix, three, None, 1),
        extra.fit(matrix, two, weights, 1),
        extra.fit(matrix, numbers, None, 1),
        tree.fit(matrix, three, None, 1),
        boosting.fit(matrix, two, weights, 1),
        boosting.fit(matrix, three, None, 1),
        boosting.fit(matrix, numbers, weights, 1),
        median.fit(matrix, numbers, None, 1),
        sampled.fit(matrix, three, weights, 1),
    ]
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    // More rows than are ever taken by one thread alone.
    let sample = sample(40_000);
    let bytes = |trees: &Trees| serde_json::to_string(trees).expect("JSON");
    let alone: Vec<String> = on_threads(1, || every_model(&sample)).iter().map(bytes).collect();
    for n_threads in [2, 5] {
        let together: Vec<String> = on_threads(n_threads, || every_model(&sample)).iter().map(bytes).collect();
        assert!(alone == together, "{n_threads} threads");
    }
}

#[test]
fn what_is_stored_predicts_the_same_row_by_row() {
    let sample = sample(700);
    for trees in every_model(&sample) {
        let read: Trees =
            serde_json::from_str(&serde_json::to_string(&trees).expect("JSON")).expect("what was written");
        assert!(read == trees);
        let predicted = trees.predict(&sample.matrix);
        let n_outputs = trees.n_outputs();
        let mut output = vec![0.0; n_outputs];
        for (i, expected) in predicted.chunks_exact(n_outputs).enumerate() {
            let row: Vec<f64> = sample.matrix.columns.iter().map(|column| column[i]).collect();
            read.predict_row(&row, &mut output);
            assert_eq!(output, expected);
            if n_outputs > 1 {
                assert!((output.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
        assert!((trees.importance().iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn changed_bytes_are_refused_or_predict() {
    let sample = sample(300);
    for trees in every_model(&sample) {
        let stored = serde_json::to_value(&trees).expect("JSON");
        for (field, values) in stored.as_object().expect("an object") {
            for change in [-1_i64, 1, 1 << 20, i64::from(u32::MAX)] {
                let mut broken = stored.clone();
                match values.as_array() {
                    Some(values) if !values.is_empty() => broken[field][values.len() / 2] = change.into(),
                    _ => broken[field] = change.into(),
                }
                if let Ok(read) = serde_json::from_value::<Trees>(broken)
                    && read.n_features() == trees.n_features()
                {
                    read.predict(&sample.matrix);
                }
            }
        }
    }
}

#[test]
fn values_of_features_add_up_to_the_output() {
    let sample = sample(500);
    let few = Matrix {
        n_rows: 20,
        columns: sample.matrix.columns.iter().map(|column| column[..20].to_vec()).collect(),
        categories: sample.matrix.categories.clone(),
    };
    let forest = RandomForest { trees: 5, ..RandomForest::default() };
    let numbers = forest.fit(&sample.matrix, Outcome::Number(&sample.numbers), None, 1);
    let classes = Outcome::Class { codes: &sample.classes, n_classes: 3 };
    let shares = forest.fit(&sample.matrix, classes, None, 1);
    for trees in [numbers, shares] {
        let sums = shap::values(&trees, &few);
        let sums = sums.chunks_exact(7).map(|values| values.iter().sum::<f64>());
        for (sum, predicted) in sums.zip(trees.predict(&few)) {
            assert!((sum - predicted).abs() < 1e-9, "{sum} {predicted}");
        }
    }
}

/// Shapley's definition over all subsets, where an unknown feature sends a row both ways.
fn by_definition(trees: &Trees, row: &[f64], feature: usize) -> f64 {
    let n = row.len();
    let others: Vec<usize> = (0..n).filter(|other| *other != feature).collect();
    let factorial = |k: usize| (1..=k).map(real).product::<f64>();
    (0..1_usize << others.len())
        .map(|subset| {
            let mut known: Vec<bool> = vec![false; n];
            for (place, other) in others.iter().enumerate() {
                known[*other] = subset >> place & 1 == 1;
            }
            let size = subset.count_ones() as usize;
            let without = expected(trees, 0, row, &known);
            known[feature] = true;
            factorial(size) * factorial(n - size - 1) / factorial(n) * (expected(trees, 0, row, &known) - without)
        })
        .sum()
}

fn expected(trees: &Trees, place: usize, row: &[f64], known: &[bool]) -> f64 {
    let node = trees.nodes[place];
    if node.is_leaf() {
        return trees.values[node.next as usize];
    }
    if known[node.feature()] {
        return expected(trees, node.child(row[node.feature()], &trees.sets), row, known);
    }
    let left = node.next as usize;
    let share = |child: usize| trees.covers[child] / trees.covers[place];
    share(left) * expected(trees, left, row, known) + share(left + 1) * expected(trees, left + 1, row, known)
}

#[test]
fn values_of_features_are_shapleys() {
    let sample = sample(300);
    let tree = DecisionTree { max_depth: Some(6), ..DecisionTree::default() };
    let trees = tree.fit(&sample.matrix, Outcome::Number(&sample.numbers), None, 1);
    let values = shap::values(&trees, &sample.matrix);
    for i in [0, 7, 100] {
        let row: Vec<f64> = sample.matrix.columns.iter().map(|column| column[i]).collect();
        for feature in 0..6 {
            let should = by_definition(&trees, &row, feature);
            assert!((values[i * 7 + feature] - should).abs() < 1e-9);
        }
    }
}

#[test]
fn a_row_of_weight_two_counts_as_two_rows() {
    let mut sample = sample(200);
    // Which side missing values go to is a question of rows, not of weight.
    sample.matrix.columns[2] = sample.matrix.columns[0].iter().map(|value| value.sin()).collect();
    let weights: Vec<f64> = (0..200_u8).map(|row| f64::from(row % 3)).collect();
    let repeated: Vec<usize> = (0..200).flat_map(|row| std::iter::repeat_n(row, row % 3)).collect();
    let columns = sample.matrix.columns.iter().map(|column| repeated.iter().map(|row| column[*row]).collect());
    let matrix =
        Matrix { n_rows: repeated.len(), columns: columns.collect(), categories: sample.matrix.categories.clone() };
    let numbers: Vec<f64> = repeated.iter().map(|row| sample.numbers[*row]).collect();
    // Deep down splits tie, and rounding decides.
    let tree = DecisionTree { max_depth: Some(3), ..DecisionTree::default() };
    let weighted = tree.fit(&sample.matrix, Outcome::Number(&sample.numbers), Some(&weights), 1);
    let plain = tree.fit(&matrix, Outcome::Number(&numbers), None, 1);
    for (a, b) in weighted.predict(&sample.matrix).into_iter().zip(plain.predict(&sample.matrix)) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
}

#[test]
fn one_split_tells_scattered_categories_and_missing_values_apart() {
    let n_rows = 3_000;
    let codes: Vec<f64> = (0..n_rows).map(|row| real(row % 30)).collect();
    let missing: Vec<f64> = (0..n_rows).map(|row| if row % 4 == 0 { f64::NAN } else { real(row % 50) }).collect();
    let by_category: Vec<u32> = (0..n_rows).map(|row| u32::from([2, 3, 11, 17, 28].contains(&(row % 30)))).collect();
    let by_missing: Vec<u32> = (0..n_rows).map(|row| u32::from(row % 4 == 0)).collect();
    let matrix = Matrix { n_rows, columns: vec![codes, missing], categories: vec![Some(30), None] };
    for classes in [by_category, by_missing] {
        let outcome = Outcome::Class { codes: &classes, n_classes: 2 };
        let stump = DecisionTree { max_depth: Some(1), ..DecisionTree::default() }.fit(&matrix, outcome, None, 1);
        let one = GradientBoosting { trees: 1, max_leaves: 2, ..GradientBoosting::default() };
        let boosted = one.fit(&matrix, outcome, None, 1);
        for trees in [stump, boosted] {
            let base = classes.iter().map(|class| f64::from(*class)).sum::<f64>() / real(n_rows);
            for (class, shares) in classes.iter().zip(trees.predict(&matrix).chunks_exact(2)) {
                assert_eq!(*class == 1, shares[1] > base);
            }
        }
    }
}

#[test]
fn a_quantile_has_its_share_of_rows_below() {
    let sample = sample(5_000);
    for level in [0.1, 0.9] {
        let boosting = GradientBoosting { loss: Some(Loss::Quantile(level)), ..GradientBoosting::default() };
        let trees = boosting.fit(&sample.matrix, Outcome::Number(&sample.numbers), None, 1);
        let predicted = trees.predict(&sample.matrix);
        let below = predicted.iter().zip(&sample.numbers).filter(|(p, y)| y <= p).count();
        assert!((real(below) / 5_000.0 - level).abs() < 0.02);
    }
}

#[test]
fn nothing_to_split_predicts_the_mean() {
    let flat = Matrix { n_rows: 4, columns: vec![vec![1.0; 4]], categories: vec![None] };
    let none = Matrix { n_rows: 4, columns: vec![], categories: vec![] };
    let numbers = [1.0, 2.0, 3.0, 6.0];
    for matrix in [flat, none] {
        let outcome = Outcome::Number(&numbers);
        assert_eq!(DecisionTree::default().fit(&matrix, outcome, None, 1).predict(&matrix), [3.0; 4]);
        assert_eq!(GradientBoosting::default().fit(&matrix, outcome, None, 1).predict(&matrix), [3.0; 4]);
    }
}
