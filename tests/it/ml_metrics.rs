//! The numbers of `ml::metrics` against scikit-learn's own, from `tests/cases/ml/metrics.json`, which
//! `tests/oracle/ml_metrics.py` writes. Tolerance: 1e-9, of the number itself where that is above 1.

use std::path::Path;

use medc::ml::metrics::classification::Confusion;
use medc::ml::metrics::{Metric, Scored, answers, curves};
use medc::ml::selection::calibration::{self, Method};
use serde_json::Value;

fn cases() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/ml/metrics.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("cases")).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn codes(value: &Value) -> Vec<u32> {
    let code = |code: &Value| u32::try_from(code.as_u64().expect("a code")).expect("32 bits");
    value.as_array().expect("an array").iter().map(code).collect()
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

fn all_same(a: impl Iterator<Item = f64>, b: &Value) -> bool {
    let (a, b): (Vec<f64>, Vec<f64>) = (a.collect(), numbers(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same(*a, *b))
}

fn metric(name: &str) -> Metric {
    let written = match name.split_once('_') {
        Some(("pinball", quantile)) => serde_json::json!({"pinball": quantile.parse::<f64>().expect("a quantile")}),
        _ => name.into(),
    };
    let metric: Metric = serde_json::from_value(written).expect("a metric");
    assert_eq!(metric.name(), name);
    metric
}

fn hold(case: &Value, scored: Scored) {
    for (name, expected) in case["expected"].as_object().expect("numbers") {
        let found = metric(name).of(scored).expect("defined");
        assert!(same(found, expected.as_f64().expect("a number")), "{}: {name} {found} {expected}", case["name"]);
    }
}

#[test]
fn classes_as_scikit_learn() {
    for case in cases()["classes"].as_array().expect("cases") {
        let (codes, probabilities) = (codes(&case["codes"]), numbers(&case["probabilities"]));
        let n_classes = usize::try_from(case["n_classes"].as_u64().expect("a count")).expect("fits");
        let threshold = case["threshold"].as_f64();
        hold(case, Scored::Classes { codes: &codes, n_classes, probabilities: &probabilities, threshold });
        let confusion = Confusion::of(&codes, &answers(&probabilities, n_classes, threshold), n_classes);
        assert_eq!(serde_json::json!(confusion.counts), case["confusion"]);
        if n_classes == 2 {
            let truth: Vec<bool> = codes.iter().map(|code| *code == 1).collect();
            let scores: Vec<f64> = probabilities.chunks(2).map(|row| row[1]).collect();
            let roc = curves::roc(&truth, &scores).expect("two classes");
            assert!(all_same(roc.iter().map(|point| point.false_positive_rate), &case["roc"][0]));
            assert!(all_same(roc.iter().map(|point| point.true_positive_rate), &case["roc"][1]));
            // scikit-learn ends the curve at full recall.
            let curve = curves::precision_recall(&truth, &scores).expect("two classes");
            assert!(all_same(curve.iter().map(|point| point.precision), &case["precision_recall"][0]));
            assert!(all_same(curve.iter().map(|point| point.recall), &case["precision_recall"][1]));
            assert!(all_same(curve.iter().map(|point| point.threshold), &case["precision_recall"][2]));
            let bins = curves::calibration(&truth, &scores, 7);
            assert!(all_same(bins.iter().map(|bin| bin.mean_predicted), &case["calibration"][0]), "{bins:?} {case}");
            assert!(all_same(bins.iter().map(|bin| bin.share_positive), &case["calibration"][1]));
        }
    }
}

#[test]
fn isotonic_calibration_as_scikit_learn() {
    let case = &cases()["isotonic"];
    let two = |second: f64| [1.0 - second, second];
    let probabilities: Vec<f64> = numbers(&case["scores"]).into_iter().flat_map(two).collect();
    let calibration = calibration::fit(Method::Isotonic, &codes(&case["truth"]), 2, &probabilities);
    let mut at: Vec<f64> = numbers(&case["at"]).into_iter().flat_map(two).collect();
    calibration.apply(&mut at, 2);
    assert!(all_same(at.chunks(2).map(|row| row[1]), &case["expected"]));
}

#[test]
fn numbers_as_scikit_learn() {
    for case in cases()["numbers"].as_array().expect("cases") {
        let (truth, predicted) = (numbers(&case["truth"]), numbers(&case["predicted"]));
        hold(case, Scored::Numbers { truth: &truth, predicted: &predicted });
    }
}
