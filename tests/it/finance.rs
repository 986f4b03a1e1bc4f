//! The finance system of `specs/finance`, as a user runs it: rates on days without a market, conversion, features that
//! look back, and the bundle's job.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::project::{Project, Run, package};

fn finance() -> Project {
    Project::copy_of(&package().join("specs/finance"))
}

fn well(run: &Run) {
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
}

fn rows(project: &Project, arguments: &[&str]) -> Vec<Value> {
    let run = project.medc(&[&["show"], arguments, &["--format", "json", "--limit", "0"]].concat());
    well(&run);
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// A decimal in ten-thousandths: whole numbers compare exactly.
fn units(value: &Value) -> i64 {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (whole, behind) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}{behind:0<4}").parse().expect("at most four digits behind the point")
}

/// The newest rate that each day of the delivered file has, from its text.
fn delivered(project: &Project) -> BTreeMap<String, (String, i64)> {
    let mut rates = BTreeMap::new();
    for line in project.read("data/ptax.csv").lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let day = fields[2].split(' ').next().expect("a day").to_owned();
        if fields[1] == "N/D" || day == "2024-03-16" {
            continue;
        }
        let newest: &mut (String, i64) = rates.entry(day).or_default();
        if newest.0.as_str() < fields[2] {
            *newest = (fields[2].to_owned(), units(&json!(fields[1])));
        }
    }
    rates
}

#[test]
fn every_day_has_the_rate_that_was_published_last() {
    let project = finance();
    well(&project.medc(&["apply"]));
    let published = delivered(&project);
    assert_eq!(rows(&project, &["silver.sl_fx_ptax"]).len(), published.len());
    let daily = rows(&project, &["silver.sl_fx_daily", "--order-by", "day"]);
    assert_eq!(daily.len(), project.read("data/calendar.csv").lines().count() - 1);
    let mut of_day: BTreeMap<String, i64> = BTreeMap::new();
    for row in &daily {
        let day = row["day"].as_str().expect("a day").to_owned();
        let (from, (_, rate)) = published.range(..=day.clone()).next_back().expect("a rate before it");
        assert_eq!((row["quoted_on"].as_str(), units(&row["rate"])), (Some(from.as_str()), *rate), "{day}");
        assert_eq!(row["is_quoted"], json!(*from == day));
        of_day.insert(day, *rate);
    }
    // Carnival of 2024: from Saturday to Tuesday Friday's rate holds.
    for (day, age) in [("2024-02-09", 0), ("2024-02-10", 1), ("2024-02-13", 4), ("2024-02-14", 0)] {
        let row = daily.iter().find(|row| row["day"] == day).expect("the day");
        assert_eq!(row["age_days"], json!(age), "{day}");
    }

    let mut spent: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    for row in rows(&project, &["silver.sl_cards_transactions"]) {
        let text = |name: &str| row[name].as_str().expect("a text").to_owned();
        let sum = spent.entry((text("booked_on"), text("category"))).or_default();
        // Cents by ten-thousandths are millionths.
        let cents = units(&row["amount"]) / 100;
        sum.0 += 1;
        sum.1 += if row["currency"] == "USD" { cents * of_day[&text("booked_on")] } else { cents * 10_000 };
    }
    let gold = rows(&project, &["gold.gd_cards_spending"]);
    assert_eq!(gold.len(), spent.len());
    for row in gold {
        let text = |name: &str| row[name].as_str().expect("a text").to_owned();
        let (n_rows, millionths) = spent[&(text("booked_on"), text("category"))];
        assert_eq!(row["n_transactions"], json!(n_rows));
        assert_eq!(units(&row["amount_brl"]) / 100, (millionths + 5_000) / 10_000, "{row}");
    }
    let again = project.medc(&["apply"]);
    assert!(again.stdout.starts_with("No changes. 9 tables"), "{}", again.stdout);
}

#[test]
fn what_is_wrong_in_the_files_is_set_aside_with_its_reason() {
    let project = finance();
    well(&project.medc(&["apply"]));
    let rates = rows(&project, &["silver.sl_fx_ptax_quarantine", "--order-by", "quoted_at"]);
    let texts: Vec<&Value> = rates.iter().map(|row| &row["sell"]).collect();
    assert_eq!(rates.len(), 2);
    assert!(texts.contains(&&json!("N/D")), "{texts:?}");
    // The day whose rate is no number has none of its own, and the table says so.
    let results = rows(&project, &["quality.results"]);
    let gap = results.iter().find(|row| row["label"] == "is_quoted = is_business_day").expect("the check");
    assert_eq!((&gap["success"], &gap["n_violating"]), (&json!(false), &json!(1)));
    let set_aside = rows(&project, &["silver.sl_cards_transactions_quarantine"]);
    let amounts = set_aside.iter().filter(|row| row["amount"].as_str().is_some_and(|one| one.starts_with('-')));
    assert!(
        amounts.count() > 0
            && set_aside.iter().all(|row| row["_reasons"].as_array().is_some_and(|all| !all.is_empty()))
    );
}

#[test]
fn features_look_back_and_the_target_a_week_ahead() {
    let project = finance();
    well(&project.medc(&["apply"]));
    let published: Vec<(String, i64)> = delivered(&project).into_iter().map(|(day, (_, rate))| (day, rate)).collect();
    let features = rows(&project, &["gold.gd_fx_features", "--order-by", "quoted_on"]);
    assert_eq!(features.len(), published.len() - 59);
    #[expect(clippy::cast_precision_loss, reason = "rates have five digits")]
    let rate = |place: usize| published[place].1 as f64;
    for (offset, row) in features.iter().enumerate() {
        let place = offset + 59;
        assert_eq!(row["quoted_on"], json!(published[place].0));
        let close = |name: &str, expected: f64| {
            let found = row[name].as_f64().expect("a number");
            assert!((found - expected).abs() < 1e-9, "{name} of {}: {found}, expected {expected}", published[place].0);
        };
        close("return_1", rate(place) / rate(place - 1) - 1.0);
        close("return_5", rate(place) / rate(place - 5) - 1.0);
        let mean: f64 = (place - 19..=place).map(rate).sum::<f64>() / 20.0;
        let found = row["distance_20"].as_f64().expect("a number");
        // The mean is a decimal with eight digits.
        assert!((found - (rate(place) / mean - 1.0)).abs() < 1e-7, "{found}");
        match published.get(place + 5) {
            Some((day, rate)) => {
                assert_eq!((row["target_on"].as_str(), units(&row["target_rate"])), (Some(day.as_str()), *rate));
            }
            None => assert_eq!((&row["target_on"], &row["target_rate"]), (&Value::Null, &Value::Null)),
        }
    }
}

#[test]
fn the_job_has_the_tasks_and_notebooks_of_the_convention() {
    let project = finance();
    well(&project.medc(&["bundle", "-o", "out"]));
    let job = project.read("out/resources/main_pipeline.job.yml");
    let keys: Vec<&str> = job.lines().filter_map(|line| line.strip_prefix("        - task_key: ")).collect();
    let expected = ["ingest", "transform", "features", "train", "evaluate", "gate", "register", "score", "monitor"];
    assert_eq!(keys, expected);
    assert!(job.contains("name: mlops-fx-next-week-${bundle.target}"), "{job}");
    let transform = job.split("- task_key: transform").nth(1).expect("the task");
    assert!(transform.trim_start().starts_with("depends_on:\n            - task_key: ingest\n"), "{transform}");
    for notebook in [
        "notebooks/01_ingest_bronze",
        "notebooks/02_transform_silver_gold",
        "tasks/notebooks/03_train_mlflow",
        "tasks/notebooks/04_batch_scoring",
    ] {
        let text = project.read(&format!("out/src/{notebook}.py"));
        assert!(text.starts_with("# Databricks notebook source\n"), "{notebook}");
        assert!(job.contains(&format!("../src/{notebook}.py")), "{notebook}");
    }
    let transform = project.read("out/src/notebooks/02_transform_silver_gold.py");
    let tables: Vec<&str> = transform.lines().filter_map(|line| line.strip_prefix("    name=\"")).collect();
    assert_eq!(tables.len(), 5, "{tables:?}");
    let place = |table: &str| tables.iter().position(|one| one.starts_with(table)).expect("the table");
    assert!(
        place("silver.sl_fx_ptax") < place("silver.sl_fx_daily")
            && place("silver.sl_fx_daily") < place("gold.gd_cards")
    );
    assert!(!project.path().join("out/src/notebooks/silver_sl_fx_daily.py").exists());
}
