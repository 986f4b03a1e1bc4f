//! Each trainer's cross-validated scores against scikit-learn's on the same folds of five public data sets, from
//! `tests/cases/ml/models.json`, which `tests/oracle/ml_models.py` writes.
//!
//! Tolerance: 1.5 percentage points less accuracy, 3 % more root mean squared error; trainers that draw random numbers are
//! taken in the mean over three seeds on both sides.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use medc::ml::features::{Column, Features};
use medc::ml::metrics::Metric;
use medc::ml::preprocessing::Recipe;
use medc::ml::selection::{Candidate, Examples, Trial, Watch, cross_validate};
use medc::ml::splits::Fold;
use medc::ml::target::{Label, Target};
use medc::ml::trainers::Trainer;
use serde_json::{Value, json};

/// A data set with its folds and scikit-learn's scores.
struct Case {
    name: String,
    features: Features,
    target: Target,
    folds: Vec<Fold>,
    expected: serde_json::Map<String, Value>,
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/ml/models.json");
    let whole: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("cases")).expect("JSON");
    whole["cases"].as_array().expect("cases").iter().map(case).collect()
}

fn case(case: &Value) -> Case {
    let columns = case["columns"].as_array().expect("columns").iter().enumerate();
    let columns = columns.map(|(place, column)| (format!("x{place}"), Column::Numbers(numbers(column))));
    let outcome = &case["outcome"];
    let target = if case["classes"].is_null() {
        Target::Numbers(numbers(outcome))
    } else {
        let label = |code: &Value| Label::Whole(code.as_i64().expect("a code"));
        Target::classes(&outcome.as_array().expect("an array").iter().map(label).collect::<Vec<_>>())
    };
    let fold_of: Vec<u64> = case["fold"].as_array().expect("folds").iter().filter_map(Value::as_u64).collect();
    let rows = |of: &dyn Fn(u64) -> bool| (0..fold_of.len()).filter(|row| of(fold_of[*row])).collect::<Vec<_>>();
    Case {
        name: case["name"].as_str().expect("a name").to_owned(),
        features: Features { n_rows: fold_of.len(), columns: columns.collect() },
        target,
        folds: (0..5).map(|fold| Fold { train: rows(&|own| own != fold), test: rows(&|own| own == fold) }).collect(),
        expected: case["expected"].as_object().expect("scores").clone(),
    }
}

fn trainer(name: &str) -> Option<Trainer> {
    let written = match name {
        "svm_linear" => json!({"svm": {"kernel": "linear"}}),
        "elastic_net" => json!({"lasso": {"l1_ratio": 0.5}}),
        _ => json!(name),
    };
    serde_json::from_value(written).ok()
}

#[test]
#[ignore = "minutes without optimisation: `cargo test --release --test it ml_models -- --ignored`"]
fn as_good_as_scikit_learn() {
    let cancelled = AtomicBool::new(false);
    let watch = Watch { done: &|_, _, _| {}, cancelled: &cancelled };
    let mut report = Vec::new();
    let mut wrong = Vec::new();
    for case in cases() {
        // Without optimisation the larger ones take many minutes.
        if cfg!(debug_assertions) && ["digits", "breast_cancer"].contains(&case.name.as_str()) {
            continue;
        }
        let metrics = match case.target {
            Target::Classes { .. } => [Metric::Accuracy, Metric::LogLoss],
            Target::Numbers(_) => [Metric::Rmse, Metric::R2],
        };
        for (name, expected) in &case.expected {
            let random = ["random_forest", "extra_trees", "decision_tree", "mlp"].contains(&name.as_str());
            let Some(trainer) = trainer(name) else { continue };
            if cfg!(debug_assertions) && name == "mlp" {
                continue;
            }
            let candidate = [Candidate { trainer, recipe: Recipe::default() }];
            let examples = Examples { features: &case.features, target: &case.target };
            let start = std::time::Instant::now();
            let mut sums = [0.0, 0.0];
            let n_seeds = if random { 3u8 } else { 1 };
            for seed in 0..n_seeds {
                let trial = Trial {
                    folds: &case.folds,
                    metrics: &metrics,
                    class_weight: None,
                    most_rows: None,
                    seed: seed.into(),
                };
                let validated = cross_validate(&candidate, examples, trial, watch).expect("nobody cancelled");
                for (metric, sum) in sums.iter_mut().enumerate() {
                    *sum += validated[0].mean(metric).expect("a number") / f64::from(n_seeds);
                }
            }
            let expected = numbers(&expected["scores"]);
            let worse = match metrics[0] {
                Metric::Accuracy => (expected[0] - sums[0]) / 0.015,
                _ => (sums[0] / expected[0] - 1.0) / 0.03,
            };
            let line = format!(
                "{:14} {name:20} ours {:8.4} {:8.4}  scikit-learn {:8.4} {:8.4}  worse by {worse:+.2} of the tolerance, {:.0} ms a seed",
                case.name,
                sums[0],
                sums[1],
                expected[0],
                expected[1],
                start.elapsed().as_secs_f64() * 1000.0 / f64::from(n_seeds)
            );
            if worse > 1.0 {
                wrong.push(line.clone());
            }
            report.push(line);
        }
    }
    assert!(wrong.is_empty(), "{}\n\nof\n{}", wrong.join("\n"), report.join("\n"));
}
