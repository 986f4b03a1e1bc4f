//! The iris system of `specs/iris`, as a user runs it: its rows are those of the flowers, its suites judge for real.

use serde_json::{Value, json};

use crate::project::{Project, Run, package};

fn iris() -> Project {
    Project::copy_of(&package().join("specs/iris"))
}

fn well(run: &Run) {
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
}

fn rows(project: &Project, arguments: &[&str]) -> Vec<Value> {
    let run = project.medc(&[&["show"], arguments, &["--format", "json", "--limit", "0"]].concat());
    well(&run);
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn close(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-9)
}

/// The expectations of a table in `medc apply --format json`, by label.
fn failing(run: &Run, table: &str) -> Vec<(String, Value, Value)> {
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let tables = report["tables"].as_array().expect("a list of tables");
    let of_table = tables.iter().find(|one| one["table"] == table).expect("the table");
    let outcomes = of_table["expectations"].as_array().expect("a list");
    let failing = outcomes.iter().filter(|one| one["success"] == false);
    failing
        .map(|one| {
            (one["label"].as_str().unwrap_or_default().to_owned(), one["n_violating"].clone(), one["observed"].clone())
        })
        .collect()
}

#[test]
fn every_layer_and_its_suite_hold() {
    let project = iris();
    well(&project.medc(&["apply"]));
    assert_eq!(rows(&project, &["bronze.iris_bronze"]).len(), 150);
    assert_eq!(rows(&project, &["silver.iris_silver"]).len(), 150);
    let gold = rows(&project, &["gold.iris_gold", "--order-by", "species"]);
    let counts: Vec<&Value> = gold.iter().map(|row| &row["count_records"]).collect();
    assert_eq!(counts, [&json!(50), &json!(50), &json!(50)]);
    // R. A. Fisher's means, as in every textbook: 5.006, 3.428, 1.462, 0.246 for setosa.
    assert!(close(&gold[0]["avg_sepal_length"], 5.006) && close(&gold[0]["avg_petal_width"], 0.246), "{}", gold[0]);
    let results = rows(&project, &["quality.results"]);
    let warned: Vec<_> = results.iter().filter(|row| row["success"] == false).map(|row| &row["label"]).collect();
    assert_eq!(warned, ["sepal_width within 3 standard deviations"]);
    let again = project.medc(&["apply"]);
    assert!(again.stdout.starts_with("No changes. 4 tables"), "{}", again.stdout);
    let tested = project.medc(&["test"]);
    well(&tested);
}

#[test]
fn features_are_what_their_names_say() {
    let project = iris();
    well(&project.medc(&["apply", "--select", "+gold.iris_features"]));
    let features = rows(&project, &["gold.iris_features", "--order-by", "iris_id"]);
    assert_eq!(features.len(), 150);
    for (place, row) in features.iter().enumerate() {
        assert_eq!(row["iris_id"], json!(place + 1));
        let of = |name: &str| row[name].as_f64().expect("a number");
        let (sepal_length, sepal_width) = (of("sepal_length"), of("sepal_width"));
        let (petal_length, petal_width) = (of("petal_length"), of("petal_width"));
        let (sepal_area, petal_area) = (sepal_length * sepal_width, petal_length * petal_width);
        let squares = [sepal_length, sepal_width, petal_length, petal_width].map(|side| side * side);
        assert!(close(&row["total_area"], sepal_area + petal_area));
        assert!(close(&row["area_ratio"], sepal_area / petal_area));
        assert!(close(&row["petal_ratio"], petal_length / petal_width));
        assert!(close(&row["length_diff"], sepal_length - petal_length));
        assert!(close(&row["distance_from_origin"], squares.iter().sum::<f64>().sqrt()));
        let size = match sepal_area + petal_area {
            area if area > 15.0 => "large",
            area if area > 8.0 => "medium",
            _ => "small",
        };
        assert_eq!(row["size_category"], size);
    }
}

#[test]
fn flowers_that_break_the_suites_are_found_and_counted() {
    let project = iris();
    let text = project.read("data/iris.csv");
    // Two flowers of an unknown species, one without its width, one with a sepal of a metre.
    let broken =
        text.replacen("setosa", "rosa", 2).replacen("5.7,4.4,", "5.7,,", 1).replacen("7.7,2.6,", "100,2.6,", 1);
    project.write("data/iris.csv", &broken);
    let run = project.medc(&["apply", "--format", "json"]);
    assert_eq!(run.code, Some(1));
    let found = failing(&run, "bronze.iris_bronze");
    let labels: Vec<&str> = found.iter().map(|(label, ..)| label.as_str()).collect();
    assert!(found.iter().any(|(label, n, _)| label.starts_with("species in") && *n == json!(2)), "{found:?}");
    assert!(found.iter().any(|(label, n, _)| label == "sepal_width is not null" && *n == json!(1)), "{found:?}");
    assert!(found.iter().any(|(label, _, observed)| label.contains("distinct") && *observed == json!(4)), "{found:?}");
    assert_eq!(labels.len(), 4, "the contract warns of the NULL, the suite forbids it: {labels:?}");
    // Without the rose, and with the NULL allowed, only what silver promises of values is broken.
    let bounded = text.replacen("7.7,2.6,", "100,2.6,", 1);
    project.write("data/iris.csv", &bounded);
    let run = project.medc(&["apply", "--format", "json"]);
    assert_eq!(run.code, Some(1));
    let found = failing(&run, "silver.iris_silver");
    assert!(found.iter().any(|(label, n, _)| label == "sepal_length >= 4.0 and <= 8.0" && *n == json!(1)), "{found:?}");
    assert!(
        found
            .iter()
            .any(|(label, _, observed)| label.contains("mean") && observed.as_f64().is_some_and(|mean| mean > 6.2)),
        "{found:?}"
    );
}
