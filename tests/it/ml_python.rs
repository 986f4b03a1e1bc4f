//! The models' JSON read back, here and by `templates/mlflow/medc_model`: the same predictions, to the bit and to 1e-6.
//!
//! Models of every trainer learn from rows with gaps, texts and booleans, and predict for rows with words that training
//! had not. With `ML_PYTHON` naming a Python that has NumPy, `tests/python/predict_models.py` predicts them too.

use std::path::Path;
use std::process::Command;

use medc::ml::estimator::Estimator;
use medc::ml::features::{Column, Features};
use medc::ml::model::{FORMAT_VERSION, Model, Predictions, Signature};
use medc::ml::preprocessing::{Encode, Impute, Preprocessing, Recipe, Scale};
use medc::ml::random::Random;
use medc::ml::selection::calibration::{self, Method};
use medc::ml::selection::{Candidate, Examples, train_on};
use medc::ml::target::{Label, Target};
use medc::ml::trainers::{Diet, Task, Trainer};
use serde_json::{Value, json};

const WORDS: [&str; 5] = ["basic", "gold", "plus", "são", "zeta"];

/// Rows of numbers, texts and booleans with gaps; the first `n_words` words occur.
fn rows(n_rows: usize, n_words: u64, random: &mut Random) -> Features {
    let mut gap = |share: f64| random.unit() < share;
    let gaps: Vec<[bool; 3]> = (0..n_rows).map(|_| [gap(0.1), gap(0.1), gap(0.1)]).collect();
    let number = |column: usize, random: &mut Random| -> Vec<f64> {
        let value = |row: usize, random: &mut Random| {
            if column == 0 && gaps[row][0] { f64::NAN } else { random.unit() * 10.0 - 5.0 }
        };
        (0..n_rows).map(|row| value(row, random)).collect()
    };
    let (a, b) = (number(0, random), number(1, random));
    let word = |random: &mut Random| WORDS[usize::try_from(random.below(n_words)).expect("small")];
    let words: Vec<Option<&str>> = gaps
        .iter()
        .map(|gap| {
            let word = word(random);
            (!gap[1]).then_some(word)
        })
        .collect();
    let flags = gaps
        .iter()
        .map(|gap| {
            let flag = random.unit() < 0.4;
            (!gap[2]).then_some(flag)
        })
        .collect();
    let columns = [
        ("a".to_owned(), Column::Numbers(a)),
        ("b".to_owned(), Column::Numbers(b)),
        ("plan".to_owned(), Column::texts(words)),
        ("vip".to_owned(), Column::Booleans(flags)),
    ];
    Features { n_rows, columns: columns.into_iter().collect() }
}

/// What is to be learned: it depends on all features.
fn score(features: &Features, row: usize) -> f64 {
    let of = |column: &Column| match column {
        Column::Numbers(values) => {
            if values[row].is_nan() {
                1.0
            } else {
                values[row]
            }
        }
        Column::Texts { codes, .. } => codes[row].map_or(-2.0, |code| 2.0 * f64::from(code)),
        Column::Booleans(flags) => flags[row].map_or(0.5, |flag| if flag { 2.0 } else { -2.0 }),
    };
    features.columns.values().map(of).sum()
}

fn target(features: &Features, n_classes: Option<u8>) -> Target {
    let scores = (0..features.n_rows).map(|row| score(features, row));
    match n_classes {
        None => Target::Numbers(scores.collect()),
        Some(2) => Target::classes(&scores.map(|score| Label::Boolean(score > 2.0)).collect::<Vec<_>>()),
        Some(_) => {
            let label = |score: f64| {
                Label::Text(
                    if score < -1.0 {
                        "low"
                    } else if score < 4.0 {
                        "mid"
                    } else {
                        "top"
                    }
                    .to_owned(),
                )
            };
            Target::classes(&scores.map(label).collect::<Vec<_>>())
        }
    }
}

fn table(features: &Features) -> Value {
    let column = |column: &Column| match column {
        Column::Numbers(values) => json!(values),
        Column::Booleans(flags) => json!(flags),
        Column::Texts { words, codes } => {
            codes.iter().map(|code| code.map_or(Value::Null, |code| json!(words[code as usize]))).collect()
        }
    };
    features
        .columns
        .iter()
        .map(|(name, values)| (name.clone(), column(values)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn trainers() -> Vec<Trainer> {
    [
        json!({"random_forest": {"trees": 10}}),
        json!({"extra_trees": {"trees": 10, "max_depth": 5}}),
        json!("decision_tree"),
        json!({"gradient_boosting": {"trees": 12, "min_samples_leaf": 5}}),
        json!("logistic_regression"),
        json!("linear_regression"),
        json!("ridge"),
        json!({"lasso": {"alpha": 0.1, "l1_ratio": 0.7}}),
        json!("svm"),
        json!({"svm": {"kernel": "linear", "c": 0.5}}),
        json!("knn"),
        json!({"knn": {"k": 3, "vote": "distance"}}),
        json!("naive_bayes"),
        json!({"mlp": {"hidden": [8, 5], "activation": "tanh", "max_epochs": 30}}),
        json!({"mlp": {"hidden": [9], "early_stopping": true, "max_epochs": 30}}),
        json!("majority"),
        json!("mean"),
        json!("last_value"),
    ]
    .into_iter()
    .map(|written| serde_json::from_value(written).expect("a trainer"))
    .collect()
}

fn recipes(diet: Diet) -> Vec<Recipe> {
    let usual = Recipe::default();
    let ordinal = Recipe {
        encode: Some(Encode::Ordinal),
        scale: Some(Scale::MinMax),
        impute: Some(Impute::Median),
        impute_categories: Some(Impute::MostFrequent),
        ..Recipe::default()
    };
    match diet {
        Diet::Scaled => vec![usual, ordinal],
        Diet::Raw => vec![usual, ordinal, Recipe { encode: Some(Encode::OneHot), ..Recipe::default() }],
    }
}

fn hold(name: &str, model: &Model, later: &Features, folder: &Path) {
    let text = serde_json::to_string(model).expect("a model is JSON");
    let back = Model::read(&text).expect("its own JSON");
    let short = Model { preprocessing: Preprocessing::default(), ..back.clone() };
    let baseline = matches!(back.estimator, Estimator::Constant(_));
    assert_eq!(Model::read(&serde_json::to_string(&short).expect("JSON")).is_ok(), baseline);
    let values = model.values(later).expect("the same features");
    let again = back.values(later).expect("the same features");
    assert!(values.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-12), "{name} {values:?} {again:?}");
    let answers = match model.predict(later).expect("the same features") {
        Predictions::Numbers(_) => Value::Null,
        Predictions::Classes { codes, probabilities } => {
            let classes = model.classes.as_ref().expect("a classifier");
            for row in probabilities.chunks(classes.len()) {
                assert!(
                    (row.iter().sum::<f64>() - 1.0).abs() < 1e-9 && row.iter().all(|p| (0.0..=1.0).contains(p)),
                    "{name}: {row:?}"
                );
            }
            codes.iter().map(|code| json!(classes[*code as usize])).collect()
        }
    };
    let case = json!({"name": name, "model": model, "table": table(later), "values": values, "answers": answers});
    std::fs::write(folder.join(format!("{name}.json")), case.to_string()).expect("a case is written");
}

#[test]
fn models_are_read_back() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut random = Random::new(11, 0);
    let features = rows(160, 4, &mut random);
    let later = rows(70, 5, &mut random);
    let all: Vec<usize> = (0..features.n_rows).collect();
    let mut n = 0;
    for trainer in trainers() {
        for n_classes in [None, Some(2), Some(3)] {
            if !trainer.does(if n_classes.is_none() { Task::Regression } else { Task::Classification }) {
                continue;
            }
            for recipe in recipes(trainer.diet()) {
                let target = target(&features, n_classes);
                let candidate = Candidate { trainer: trainer.clone(), recipe };
                let examples = Examples { features: &features, target: &target };
                let (preprocessing, estimator) = train_on(&candidate, examples, &all, None, 5).expect("trained");
                let mut model = Model {
                    format_version: FORMAT_VERSION,
                    signature: Signature::of(&features, "score"),
                    classes: n_classes.map(|_| target.labels().to_vec()),
                    preprocessing,
                    estimator,
                    calibration: None,
                    threshold: None,
                };
                n += 1;
                hold(&format!("{n:03}_{}", trainer.name()), &model, &later, &folder);
                if let (Target::Classes { codes, labels }, 0) = (&target, n % 2) {
                    let own = model.values(&features).expect("the same features");
                    let method = if n % 4 == 0 { Method::Sigmoid } else { Method::Isotonic };
                    model.calibration = Some(calibration::fit(method, codes, labels.len(), &own));
                    model.threshold = (labels.len() == 2).then_some(0.3);
                    hold(&format!("{n:03}_{}_calibrated", trainer.name()), &model, &later, &folder);
                }
            }
        }
    }
    if let Some(python) = std::env::var_os("ML_PYTHON") {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/predict_models.py");
        let done = Command::new(python).arg(script).arg(&folder).output().expect("a Python");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}
