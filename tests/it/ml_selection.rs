//! What the choice of a model promises: the same bytes on any number of threads, searches that cover what they say,
//! thresholds and intervals that hold.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use medc::ml::features::{Column, Features};
use medc::ml::metrics::{Metric, answers};
use medc::ml::model::{FORMAT_VERSION, Model, Predictions, Signature};
use medc::ml::preprocessing::Recipe;
use medc::ml::random::Random;
use medc::ml::selection::bootstrap::{self, Rivals};
use medc::ml::selection::calibration::{self, Method};
use medc::ml::selection::search::{Search, Unsearchable, halve};
use medc::ml::selection::threshold::{self, Aim};
use medc::ml::selection::{
    Cancelled, Candidate, ClassWeight, ClassWeightRule, Examples, Finish, Trial, Watch, best, cross_validate, explain,
    finish, score, train_on,
};
use medc::ml::splits::{Basis, Fold, folds};
use medc::ml::target::{Label, Target};
use medc::ml::trainers::{Task, Trainer, Unfit};
use serde_json::{Value, json};

static NEVER: AtomicBool = AtomicBool::new(false);

fn watch() -> Watch<'static> {
    Watch { done: &|_, _, _| {}, cancelled: &NEVER }
}

/// Rows in which `a` decides, `b` helps, `noise` does nothing and `word` has gaps.
fn rows(n_rows: usize, n_classes: Option<u32>) -> (Features, Target) {
    let mut random = Random::new(3, 1);
    let mut column = || (0..n_rows).map(|_| random.unit() * 4.0 - 2.0).collect::<Vec<f64>>();
    let (a, b, noise, chance) = (column(), column(), column(), column());
    let sums: Vec<f64> = (0..n_rows).map(|row| 2.0 * a[row] + 0.5 * b[row] + 0.6 * chance[row]).collect();
    let words = chance.iter().map(|x| {
        if *x < -1.5 {
            None
        } else if *x < 0.0 {
            Some("low")
        } else {
            Some("high")
        }
    });
    let word = Column::texts(words.collect::<Vec<_>>());
    let target = match n_classes {
        None => Target::Numbers(sums),
        Some(n) => {
            let class = |sum: &f64| {
                (0..i64::from(n) - 1).filter(|cut| *sum > 1.5 * f64::from(i32::try_from(*cut).expect("small"))).count()
            };
            Target::classes(
                &sums.iter().map(|sum| Label::Whole(i64::try_from(class(sum)).expect("small"))).collect::<Vec<_>>(),
            )
        }
    };
    let columns =
        [("a", Column::Numbers(a)), ("b", Column::Numbers(b)), ("noise", Column::Numbers(noise)), ("word", word)];
    (
        Features { n_rows, columns: columns.into_iter().map(|(name, column)| (name.to_owned(), column)).collect() },
        target,
    )
}

fn some_folds(target: &Target, n_rows: usize) -> Vec<Fold> {
    let keys: Vec<String> = (0..n_rows).map(|row| row.to_string()).collect();
    match target {
        Target::Classes { codes, .. } => folds(Basis::Stratified { keys: &keys, classes: codes }, 4, 9),
        Target::Numbers(_) => folds(Basis::Random { keys: &keys }, 4, 9),
    }
}

fn candidate(written: &Value) -> Candidate {
    Candidate { trainer: serde_json::from_value(written.clone()).expect("a trainer"), recipe: Recipe::default() }
}

fn fitted(trainer: &Value, examples: Examples) -> Model {
    let all: Vec<usize> = (0..examples.features.n_rows).collect();
    let (preprocessing, estimator) = train_on(&candidate(trainer), examples, &all, None, 1).expect("trained");
    let labels = examples.target.labels().to_vec();
    Model {
        format_version: FORMAT_VERSION,
        signature: Signature::of(examples.features, "y"),
        classes: (!labels.is_empty()).then_some(labels),
        preprocessing,
        estimator,
        calibration: None,
        threshold: None,
    }
}

#[test]
fn threads_change_no_byte() {
    let all = [
        json!({"random_forest": {"trees": 12}}),
        json!({"extra_trees": {"trees": 12}}),
        json!("decision_tree"),
        json!({"gradient_boosting": {"trees": 10, "subsample": 0.7}}),
        json!("logistic_regression"),
        json!("ridge"),
        json!("lasso"),
        json!("linear_regression"),
        json!("svm"),
        json!({"svm": {"kernel": "linear"}}),
        json!("knn"),
        json!("naive_bayes"),
        json!({"mlp": {"max_epochs": 5}}),
    ];
    for n_classes in [Some(3), None] {
        let (features, target) = rows(2500, n_classes);
        // Only sums over blocks of rows need so many.
        let few: Vec<usize> = (0..300).collect();
        let (few_features, few_target) = (features.select(&few), target.select(&few));
        let run = |threads: usize| -> Vec<String> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let task = if n_classes.is_some() { Task::Classification } else { Task::Regression };
                let candidates = all.iter().map(candidate).filter(|candidate| candidate.trainer.does(task));
                candidates
                    .map(|candidate| {
                        let small =
                            !matches!(candidate.trainer, Trainer::LogisticRegression(_) | Trainer::GradientBoosting(_));
                        let examples = if small {
                            Examples { features: &few_features, target: &few_target }
                        } else {
                            Examples { features: &features, target: &target }
                        };
                        let folds = some_folds(examples.target, examples.features.n_rows);
                        let metric = if n_classes.is_some() { Metric::LogLoss } else { Metric::Rmse };
                        let weight = ClassWeight::Rule(ClassWeightRule::Balanced);
                        let trial = Trial {
                            folds: &folds,
                            metrics: &[metric],
                            class_weight: Some(&weight),
                            most_rows: None,
                            seed: 4,
                        };
                        let validated = cross_validate(std::slice::from_ref(&candidate), examples, trial, watch())
                            .expect("not cancelled");
                        let rows: Vec<usize> = (0..examples.features.n_rows).collect();
                        let whole = train_on(&candidate, examples, &rows, Some(&weight), 4).expect("trained");
                        let predictions: Vec<Vec<u64>> = validated[0]
                            .folds
                            .iter()
                            .map(|fold| {
                                fold.as_ref().expect("judged").predictions.iter().map(|x| x.to_bits()).collect()
                            })
                            .collect();
                        format!(
                            "{} {predictions:?} {}",
                            candidate.trainer.name(),
                            serde_json::to_string(&whole).expect("JSON")
                        )
                    })
                    .collect()
            })
        };
        let one = run(1);
        for threads in [2, 3] {
            for (one, other) in one.iter().zip(run(threads)) {
                assert!(*one == other, "{} differs on {threads} threads", &one[..20]);
            }
        }
    }
}

#[test]
fn the_better_candidate_is_found() {
    let (features, target) = rows(300, Some(2));
    let folds = some_folds(&target, 300);
    let candidates =
        [candidate(&json!("majority")), candidate(&json!("logistic_regression")), candidate(&json!("ridge"))];
    let examples = Examples { features: &features, target: &target };
    let metrics = [Metric::F1, Metric::LogLoss];
    let trial = Trial { folds: &folds, metrics: &metrics, class_weight: None, most_rows: None, seed: 0 };
    let n_done = AtomicUsize::new(0);
    let count = |_, _, _: &_| {
        n_done.fetch_add(1, Ordering::Relaxed);
    };
    let validated =
        cross_validate(&candidates, examples, trial, Watch { done: &count, cancelled: &NEVER }).expect("not cancelled");
    assert_eq!(n_done.into_inner(), 8);
    assert_eq!(best(&validated, &metrics, 0), Some(1));
    assert_eq!(best(&validated, &metrics, 1), Some(1));
    assert!(validated[2].folds.iter().all(|fold| {
        fold.as_ref().is_err_and(|why| {
            why.to_string() == Unfit::Task { trainer: "ridge", task: Task::Classification }.to_string()
        })
    }));
    let (order, predictions) = validated[1].out_of_fold(&folds).expect("judged");
    assert_eq!(predictions.len(), 2 * order.len());
    let cancelled = AtomicBool::new(true);
    let halted = cross_validate(&candidates, examples, trial, Watch { done: &|_, _, _| {}, cancelled: &cancelled });
    assert_eq!(halted, Err(Cancelled));
}

#[test]
fn searches_cover_their_ranges() {
    let trainer: Trainer = serde_json::from_value(json!("svm")).expect("a trainer");
    let search = |written: Value| -> Search { serde_json::from_value(written).expect("a search") };
    let grid = search(json!({"parameters": {"c": [0.1, 1, 10], "kernel": ["rbf", "linear"]}}));
    assert_eq!(grid.trainers(&trainer, 0).expect("a grid").len(), 6);
    let wrong = search(json!({"parameters": {"c": {"between": [1, 2]}}}));
    assert_eq!(wrong.trainers(&trainer, 0), Err(Unsearchable::RangeInGrid { parameter: "c".to_owned() }));
    let unknown = search(json!({"parameters": {"cc": [1]}}));
    assert!(matches!(unknown.trainers(&trainer, 0), Err(Unsearchable::Parameters(_))));
    let drawn = search(
        json!({"method": "random", "trials": 30, "parameters": {"c": {"between": [0.01, 100.0], "scale": "log"}}}),
    );
    let trainers = drawn.trainers(&trainer, 7).expect("trainers");
    assert_eq!(trainers, drawn.trainers(&trainer, 7).expect("trainers"));
    assert_eq!(trainers.len(), 30);
    let n_small = trainers.iter().filter(|trainer| matches!(trainer, Trainer::Svm(svm) if svm.c < 1.0)).count();
    assert!((8..=22).contains(&n_small), "{n_small} of 30 below the middle");
    let (features, target) = rows(400, Some(2));
    let folds = some_folds(&target, 400);
    let candidates: Vec<Candidate> = [0.000_001, 0.001, 0.01, 0.1, 1.0, 10.0]
        .map(|c| candidate(&json!({"logistic_regression": {"c": c}})))
        .into_iter()
        .chain([candidate(&json!("majority"))])
        .collect();
    let trial = Trial { folds: &folds, metrics: &[Metric::LogLoss], class_weight: None, most_rows: None, seed: 0 };
    let kept =
        halve(&candidates, Examples { features: &features, target: &target }, trial, watch()).expect("not cancelled");
    assert_eq!(kept.len(), 1);
    assert!((2..6).contains(&kept[0].0), "{}", kept[0].0);
}

#[test]
fn thresholds_serve_their_aim() {
    let (features, target) = rows(500, Some(2));
    let Target::Classes { codes, .. } = &target else { unreachable!() };
    let model = fitted(&json!("naive_bayes"), Examples { features: &features, target: &target });
    let probabilities = model.values(&features).expect("the same features");
    let second: Vec<f64> = probabilities.chunks(2).map(|row| row[1]).collect();
    let truth: Vec<bool> = codes.iter().map(|code| *code == 1).collect();
    for (aim, metric) in
        [(Aim::F1, Metric::F1), (Aim::Accuracy, Metric::Accuracy), (Aim::BalancedAccuracy, Metric::BalancedAccuracy)]
    {
        let chosen = threshold::choose(aim, &truth, &second).expect("a threshold");
        let at = |threshold: f64| score(metric, &target, &probabilities, Some(threshold)).expect("defined");
        assert!(second.iter().all(|other| at(*other) <= at(chosen) + 1e-12));
    }
    let chosen = threshold::choose(Aim::RecallAtLeast(0.95), &truth, &second).expect("a threshold");
    assert!(score(Metric::Recall, &target, &probabilities, Some(chosen)).expect("defined") >= 0.95);
    assert_eq!(threshold::choose(Aim::F1, &[true, true], &[0.1, 0.2]), None);
}

#[test]
fn calibration_mends_probabilities() {
    let (features, target) = rows(1500, Some(3));
    let Target::Classes { codes, .. } = &target else { unreachable!() };
    let model = fitted(&json!("logistic_regression"), Examples { features: &features, target: &target });
    // Probabilities that are far too sure.
    let mut sure = model.values(&features).expect("the same features");
    for row in sure.chunks_mut(3) {
        for p in &mut *row {
            *p = p.powi(6);
        }
        let sum: f64 = row.iter().sum();
        for p in &mut *row {
            *p /= sum;
        }
    }
    let before = score(Metric::LogLoss, &target, &sure, None).expect("defined");
    for method in [Method::Sigmoid, Method::Isotonic] {
        let mut mended = sure.clone();
        calibration::fit(method, codes, 3, &sure).apply(&mut mended, 3);
        assert!(score(Metric::LogLoss, &target, &mended, None).expect("defined") < 0.8 * before);
        assert!(mended.chunks(3).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12));
    }
}

#[test]
fn differences_have_intervals() {
    let (features, target) = rows(400, Some(2));
    let examples = Examples { features: &features, target: &target };
    let values = |trainer: Value| fitted(&trainer, examples).values(&features).expect("the same features");
    let (good, base) = (values(json!("logistic_regression")), values(json!("majority")));
    for metric in [Metric::Accuracy, Metric::LogLoss] {
        let rivals = Rivals { challenger: &good, incumbent: &base };
        let advantage = bootstrap::compare(metric, &target, rivals, 300, 0.95, 1).expect("defined");
        assert!(advantage.low > 0.0 && advantage.low <= advantage.estimate && advantage.estimate <= advantage.high);
        let same = Rivals { challenger: &good, incumbent: &good };
        let none = bootstrap::compare(metric, &target, same, 100, 0.95, 1).expect("defined");
        assert!(none.low.abs() < 1e-15 && none.high.abs() < 1e-15);
    }
}

#[test]
fn what_decides_is_important() {
    for n_classes in [Some(2), None] {
        let (features, target) = rows(600, n_classes);
        let examples = Examples { features: &features, target: &target };
        let trainer = json!({"random_forest": {"trees": 30}});
        let model = fitted(&trainer, examples);
        let metric = if n_classes.is_some() { Metric::Accuracy } else { Metric::Rmse };
        let importance =
            explain::permutation_importance(&model, &features, &target, metric, 3, 0).expect("its features");
        assert_eq!(importance.iter().map(|one| one.feature.as_str()).collect::<Vec<_>>(), ["a", "b", "noise", "word"]);
        assert!(importance[0].mean > importance[1].mean && importance[1].mean > importance[2].mean, "{importance:?}");
        let folds = some_folds(&target, 600);
        let trial = Trial { folds: &folds, metrics: &[metric], class_weight: None, most_rows: None, seed: 0 };
        let curve = explain::learning_curve(&candidate(&trainer), examples, trial, &[0.1, 1.0], watch())
            .expect("not cancelled");
        let mean = |point: &explain::LearningPoint| point.test.iter().flatten().sum::<f64>();
        let gain = mean(&curve[1]) - mean(&curve[0]);
        assert!(if metric.higher_is_better() { gain > 0.0 } else { gain < 0.0 }, "{curve:?}");
    }
}

#[test]
fn classes_weigh_the_same() {
    let target = Target::classes(&[1, 1, 1, 0].map(Label::Whole));
    let weights = ClassWeight::Rule(ClassWeightRule::Balanced).rows(&target).expect("classes");
    assert_eq!(weights, [2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 2.0]);
    let named: ClassWeight = serde_json::from_value(json!({"0": 5})).expect("weights");
    assert_eq!(named.rows(&target), Some(vec![1.0, 1.0, 1.0, 5.0]));
    assert_eq!(answers(&[0.6, 0.4, 0.2, 0.8], 2, Some(0.3)), [1, 1]);
}

#[test]
fn the_finished_model_is_calibrated_and_decides() {
    let (features, target) = rows(800, Some(2));
    let folds = some_folds(&target, 800);
    let examples = Examples { features: &features, target: &target };
    let candidate = candidate(&json!("naive_bayes"));
    let trial = Trial { folds: &folds, metrics: &[Metric::F1], class_weight: None, most_rows: None, seed: 2 };
    let validated = cross_validate(std::slice::from_ref(&candidate), examples, trial, watch()).expect("not cancelled");
    let how = Finish {
        output: "y",
        class_weight: None,
        calibration: Some(Method::Sigmoid),
        threshold: Some(Aim::F1),
        seed: 2,
    };
    let model = finish(&candidate, examples, &folds, &validated[0], how).expect("trained");
    assert!(model.calibration.is_some() && model.threshold.is_some_and(|threshold| (0.1..0.9).contains(&threshold)));
    assert_eq!(model.classes, Some(vec![Label::Whole(0), Label::Whole(1)]));
    let predictions = model.predict(&features).expect("the same features");
    let Predictions::Classes { codes, .. } = predictions else { unreachable!() };
    assert_eq!(codes.len(), 800);
}
