//! Splits and folds beside the SQL that gives the same on Databricks. With `ML_SPARK` naming a Python that has pyspark,
//! `tests/spark/ml_splits.py` runs the SQL and compares row by row.

use std::path::Path;
use std::process::Command;

use medc::ml::splits::sql::{self, Columns};
use medc::ml::splits::{Basis, folds, split};
use serde_json::{Value, json};

fn fold_of(basis: Basis, k: usize, seed: u64, n: usize) -> Vec<i64> {
    let mut fold_of = vec![-1; n];
    for (fold, parted) in folds(basis, k, seed).iter().enumerate() {
        parted.test.iter().for_each(|row| fold_of[*row] = i64::try_from(fold).expect("small"));
    }
    fold_of
}

#[test]
fn the_same_rows_on_both_engines() {
    let n = 503usize;
    let keys: Vec<String> =
        (0..n).map(|i| format!("C{:04}\u{1f}{}", i * 7919 % 10007, ["são", "", "x y"][i % 3])).collect();
    let classes: Vec<u32> = (0..n).map(|i| [0, 0, 1, 0, 2, 1, 0][i % 7]).collect();
    let groups: Vec<String> = (0..n).map(|i| format!("g{}", i * i % 41)).collect();
    let times: Vec<i64> = (0..n).map(|i| i64::try_from(i * 31 % 97).expect("small")).collect();
    let bases = [
        (Basis::Random { keys: &keys }, Columns::Random { key: "key" }),
        (Basis::Stratified { keys: &keys, classes: &classes }, Columns::Stratified { key: "key", class: "class" }),
        (Basis::Grouped { groups: &groups }, Columns::Grouped { group: "grp" }),
        (Basis::Time { times: &times }, Columns::Time { time: "time" }),
    ];
    let mut columns: Vec<Value> = Vec::new();
    for (basis, named) in bases {
        for (share, k, seed) in [(0.2, 5, 42), (0.33, 3, 0)] {
            columns.push(json!({"sql": sql::split(named, share, seed), "expected": split(basis, share, seed)}));
            columns.push(json!({"sql": sql::fold(named, k, seed), "expected": fold_of(basis, k, seed, n)}));
        }
    }
    let rows: Vec<Value> = (0..n)
        .map(|i| json!({"row": i, "key": keys[i], "class": classes[i], "grp": groups[i], "time": times[i]}))
        .collect();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("splits.json");
    std::fs::write(&path, json!({"rows": rows, "columns": columns}).to_string()).expect("a case is written");
    if let Some(python) = std::env::var_os("ML_SPARK") {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spark/ml_splits.py");
        let done = Command::new(python).arg(script).arg(&path).output().expect("a Python");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}
