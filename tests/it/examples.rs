//! `examples/`: each applies, has nothing left to do, and holds the rows that its page tells of.

use serde_json::Value;

use crate::project::{Project, package};

fn applied(name: &str) -> Project {
    let project = Project::copy_of(&package().join("examples").join(name));
    apply(&project);
    project
}

fn apply(project: &Project) {
    let run = project.medc(&["apply"]);
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
    let plan = project.medc(&["plan", "--exit-code"]);
    assert_eq!(plan.code, Some(0), "a plan after apply is not empty: {}", plan.stdout);
}

fn rows(project: &Project, arguments: &[&str]) -> Vec<Value> {
    let run = project.medc(&[&["show"], arguments, &["--format", "json"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

#[test]
fn files_are_appended_once() {
    let project = applied("append_files");
    assert_eq!(rows(&project, &["bronze.orders"]).len(), 3);
    assert_eq!(rows(&project, &["bronze.orders_quarantine"]).len(), 1);
    project.write("data/orders/2024-03.csv", "order_id,amount\n0005,3.00\n");
    let plan = project.medc(&["plan"]);
    assert!(plan.stdout.contains("append 1 file"), "{}", plan.stdout);
    apply(&project);
    assert_eq!(rows(&project, &["bronze.orders"]).len(), 4);
    let by_file = rows(&project, &["silver.orders_by_file", "--order-by", "_source_file"]);
    assert_eq!(by_file.len(), 3);
    assert_eq!(by_file[2]["_source_file"], "data/orders/2024-03.csv");
}

#[test]
fn json_lines_are_typed_by_their_contract() {
    let project = applied("json_lines");
    let events = rows(&project, &["silver.events", "--order-by", "event_id"]);
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!((&events[0]["is_large"], &events[1]["channel"]), (&true.into(), &"unknown".into()));
    let aside = rows(&project, &["silver.events_quarantine"]);
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0]["happened_at"], "yesterday");
}

#[test]
fn a_merge_updates_and_inserts_and_a_view_follows() {
    let project = applied("merge_and_view");
    project.write(
        "data/customers.csv",
        "customer_id;country;changed_at\n007;FR;2024-03-01 00:00:00\n009;BR;2024-03-01 00:00:00\n",
    );
    apply(&project);
    let customers = rows(&project, &["silver.customers", "--order-by", "customer_id"]);
    let countries: Vec<&Value> = customers.iter().map(|row| &row["country"]).collect();
    assert_eq!(countries, ["FR", "PT", "BR"]);
    assert_eq!(rows(&project, &["gold.customers_by_country"]).len(), 3);
}
