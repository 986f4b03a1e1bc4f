//! The sales system of `specs/sales`, as a user runs it: applied, applied again, and with things going wrong.

use serde_json::Value;

use crate::project::{Project, Run, package, place};

fn sales() -> Project {
    Project::copy_of(&package().join("specs/sales"))
}

fn well(run: &Run) {
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
}

/// The rows of a table as JSON.
fn rows(project: &Project, table: &str) -> Vec<Value> {
    let run = project.medc(&["show", table, "--format", "json", "--limit", "0"]);
    well(&run);
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// The Delta log of a table, as text: what a reader sees has not changed when this has not.
fn log(project: &Project, table: &str) -> Vec<String> {
    let folder = project.path().join(".medc/warehouse").join(table.replace('.', "/")).join("_delta_log");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn applies_from_a_dirty_file_to_models_datasets_and_then_does_nothing() {
    let project = sales();
    well(&project.medc(&["apply"]));
    let metrics = rows(&project, "gold_core.customer_metrics");
    assert!(metrics.len() > 300, "{} customers", metrics.len());
    // An id with leading zeros is text from end to end.
    assert!(metrics.iter().all(|row| row["customer_id"].as_str().is_some_and(|id| id.starts_with('0'))));
    let registry = rows(&project, "ml_registry.model_versions");
    assert_eq!(registry.len(), 2, "{registry:?}");
    let bronze = rows(&project, "bronze.sales_raw");
    assert!(bronze.iter().all(|row| row["_source_file"] == "data/sales.csv" && row["_source_line"].is_number()));
    let bronze = bronze.len();
    let silver = rows(&project, "silver.sales_clean").len();
    let quarantined = rows(&project, "silver.sales_clean_quarantine");
    assert!(silver < bronze && !quarantined.is_empty());
    assert!(quarantined.iter().all(|row| row["_reasons"].as_array().is_some_and(|reasons| !reasons.is_empty())));

    let before = log(&project, "silver.sales_clean");
    let again = project.medc(&["apply"]);
    well(&again);
    assert!(again.stdout.contains("No changes. 6 tables match the specs."), "{}", again.stdout);
    assert_eq!(log(&project, "silver.sales_clean"), before);
    assert_eq!(rows(&project, "ml_registry.model_versions").len(), 2);
    let plan = project.medc(&["plan", "--exit-code"]);
    well(&plan);
}

#[test]
fn process_variables_name_the_file_and_the_datasets() {
    let project = sales();
    project.write(
        "elsewhere/orders.csv",
        "order_id,customer_id,order_ts,product_id,quantity,unit_price,amount,status,country\n\
         000001,000007,2024-01-01 10:00:00,0042,2,1.50,3.00,paid,BR\n\
         000002,000007,2024-02-01 10:00:00,0042,1,1.50,1.50,paid,BR\n",
    );
    project.write("elsewhere/models.json", r#"{"models": []}"#);
    let variables = [("RAW_SALES_PATH", "elsewhere/orders.csv"), ("PIPELINE_CONFIG_PATH", "elsewhere/models.json")];
    well(&project.medc_with(&["apply"], &variables));
    let metrics = rows(&project, "gold_core.customer_metrics");
    assert_eq!(metrics.len(), 1, "{metrics:?}");
    assert_eq!((&metrics[0]["customer_id"], &metrics[0]["frequency"]), (&"000007".into(), &2.into()));
    let run = project.medc_with(&["plan"], &variables);
    assert!(run.stdout.contains("No changes"), "{}", run.stdout);
}

#[test]
fn a_published_datasets_definition_does_not_change_under_its_version() {
    let project = sales();
    well(&project.medc(&["apply"]));
    let models = project.read("config/ml_models.json");
    let mut changed: Value = serde_json::from_str(&models).expect("JSON");
    changed["models"][0]["feature_columns"].as_array_mut().expect("a list").pop();
    project.write("config/ml_models.json", &serde_json::to_string_pretty(&changed).expect("JSON"));
    let before = log(&project, "gold_ml.churn_model_v1");
    let run = project.medc(&["apply", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let findings = report["diagnostics"].as_array().expect("a list");
    let redefined: Vec<&Value> = findings.iter().filter(|finding| finding["code"] == "datasets::redefined").collect();
    assert_eq!(redefined.len(), 1, "{findings:?}");
    assert!(place(redefined[0]).starts_with("config/ml_models.json:"), "{}", redefined[0]);
    assert_eq!(log(&project, "gold_ml.churn_model_v1"), before);
}

/// A bad source stops its table, leaves every table as it was, and the rest is built.
fn stops_only_what_depends_on_it(spoil: &dyn Fn(&Project), code: &str) {
    let project = Project::empty();
    project.write(
        "medc.yml",
        "project: {name: two}\n\
         environments: {local: {engine: local, warehouse: .medc/warehouse}}\n\
         layers: {bronze: {}, silver: {}}\n\
         tables:\n\
         \x20 bronze.good: {source: {format: csv, path: good.csv}, contract: one}\n\
         \x20 bronze.bad: {source: {format: csv, path: bad}, contract: one}\n\
         \x20 silver.good: {from: bronze.good}\n\
         \x20 silver.bad: {from: bronze.bad}\n\
         contracts:\n\
         \x20 one: {columns: {a: {type: string}, b: {type: string}}}\n",
    );
    project.write("good.csv", "a,b\n1,2\n");
    project.write("bad/1.csv", "a,b\n1,2\n");
    well(&project.medc(&["apply"]));
    let before = log(&project, "silver.bad");
    project.write("good.csv", "a,b\n1,2\n3,4\n");
    spoil(&project);
    let run = project.medc(&["apply", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let errors: Vec<&Value> = report["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["code"], code, "{errors:?}");
    assert_eq!(log(&project, "silver.bad"), before);
    assert_eq!(rows(&project, "silver.bad").len(), 1);
    assert_eq!(rows(&project, "silver.good").len(), 2);
}

#[test]
fn undecodable_bytes_stop_only_what_depends_on_them() {
    stops_only_what_depends_on_it(
        &|project| project.write_bytes("bad/1.csv", b"a,b\nx,\xff\xfe\n"),
        "run::source-unreadable",
    );
}

#[test]
fn a_ragged_row_stops_only_what_depends_on_it() {
    stops_only_what_depends_on_it(&|project| project.write("bad/1.csv", "a,b\n1,2\n1,2,3\n"), "run::ragged-row");
}

#[test]
fn a_folder_without_files_stops_only_what_depends_on_it() {
    stops_only_what_depends_on_it(
        &|project| std::fs::remove_file(project.path().join("bad/1.csv")).expect("a file"),
        "run::source-missing",
    );
}

#[test]
fn another_header_stops_only_what_depends_on_it() {
    stops_only_what_depends_on_it(&|project| project.write("bad/1.csv", "a,c\n1,2\n"), "run::source-header");
}

#[test]
fn a_truncated_parquet_file_stops_only_what_depends_on_it() {
    stops_only_what_depends_on_it(
        &|project| {
            let text = project.read("medc.yml").replace("{format: csv, path: bad}", "{format: parquet, path: bad}");
            project.write("medc.yml", &text);
            project.write("bad/1.parquet", "PAR1 and no more");
        },
        "run::source-unreadable",
    );
}
