//! Expectations as a user meets them: what is set aside, what is shown, what is kept secret.

use serde_json::{Value, json};

use crate::project::{Project, Run};

const PROJECT: &str = r#"
project: {name: shop}
environments:
  local: {engine: local, warehouse: .medc/warehouse}
layers:
  bronze: {}
  silver: {}
tables:
  bronze.orders_raw:
    source: {format: csv, path: data/orders.csv, header: true}
    contract: orders_raw
    metadata_columns: [_source_file, _source_line]
  silver.orders:
    from: bronze.orders_raw
    contract: orders
    steps:
      - trim: [status]
contracts:
  orders_raw:
    columns:
      order_id: {type: string}
      email: {type: string, tags: [pii]}
      amount: {type: string}
      status: {type: string}
  orders:
    on_cast_failure: quarantine
    columns:
      order_id: {type: string, primary_key: true}
      email: {type: string, expect: [{matches: {regex: "@", on_violation: quarantine}}]}
      amount: {type: "decimal(10,2)", expect: [{between: {min: 0, on_violation: quarantine}}]}
      status: {type: string, expect: [{accepted_values: {values: [paid, open], on_violation: quarantine}}]}
"#;

const ORDERS: &str = "order_id,email,amount,status
001,a@example.com,10.5, paid
002,b@example.com, -7.50 , Paid
003,nobody,1,open
004,d@example.com,ten,paid
";

fn shop() -> Project {
    let project = Project::empty();
    project.write("medc.yml", PROJECT);
    project.write("data/orders.csv", ORDERS);
    project
}

fn well(run: &Run) {
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
}

fn rows(project: &Project, table: &str) -> Vec<Value> {
    let run = project.medc(&["show", table, "--format", "json", "--limit", "0", "--order-by", "1"]);
    well(&run);
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

#[test]
fn a_quarantined_row_is_as_it_came_with_every_reason_and_its_place() {
    let project = shop();
    well(&project.medc(&["apply"]));
    let kept = rows(&project, "silver.orders");
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0]["order_id"], &kept[0]["status"]), (&json!("001"), &json!("paid")));
    let aside = rows(&project, "silver.orders_quarantine");
    let shown = |row: &Value| {
        json!([
            row["order_id"],
            row["amount"],
            row["status"],
            row["_source_line"],
            row["_reasons"].as_array().map(Vec::len)
        ])
    };
    let shown: Vec<Value> = aside.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            json!(["002", " -7.50 ", " Paid", "3", 2]),
            json!(["003", "1", "open", "4", 1]),
            json!(["004", "ten", "paid", "5", 1]),
        ],
        "{aside:#?}"
    );
    assert!(aside.iter().all(|row| row["_source_file"] == "data/orders.csv" && row["_run_id"].is_string()));
}

#[test]
fn values_of_private_columns_are_shown_nowhere() {
    let project = shop();
    let run = project.medc(&["apply", "--format", "json"]);
    well(&run);
    let results = rows(&project, "quality.results");
    let of_email: Vec<_> = results.iter().filter(|row| row["columns"] == json!(["email"])).collect();
    assert!(of_email.iter().any(|row| row["examples"].as_str().is_some_and(|text| text.contains("(hidden)"))));
    let all = format!("{}{}{results:?}", run.stdout, run.stderr);
    assert!(!all.contains("nobody") && !all.contains("example.com"), "{all}");
    let failing = PROJECT.replace("regex: \"@\", on_violation: quarantine", "regex: \"@\"");
    project.write("medc.yml", &failing);
    let run = project.medc(&["apply"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("does not hold") && !run.stderr.contains("nobody"), "{}", run.stderr);
}

#[test]
fn a_feature_table_has_unique_keys_that_are_there() {
    let project = shop();
    let features = PROJECT
        .replace("    from: bronze.orders_raw\n", "    from: bronze.orders_raw\n    feature_table: {keys: [status]}\n");
    project.write("medc.yml", &features);
    project.write("data/orders.csv", &format!("{ORDERS}005,e@example.com,2,paid\n"));
    let run = project.medc(&["apply"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert!(run.stderr.contains("`status is unique` does not hold in `silver.orders`"), "{}", run.stderr);
    project.write("medc.yml", &features.replace("keys: [status]", "keys: [statuss]"));
    let findings = project.findings();
    assert_eq!((findings.len(), &findings[0]["fix"]), (1, &json!("status")), "{findings:#?}");
}

#[test]
fn tables_are_tested_as_they_are() {
    let project = shop();
    let run = project.medc(&["test"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert!(run.stderr.contains("does not exist yet") && run.stderr.contains("medc apply"), "{}", run.stderr);
    well(&project.medc(&["apply"]));
    let run = project.medc(&["test"]);
    well(&run);
    assert!(run.stdout.contains("of 1 table, all hold."), "{}", run.stdout);
    let versions = project.medc(&["plan"]);
    assert!(versions.stdout.contains("No changes"), "{}", versions.stdout);
    // An expectation that is newer than the rows.
    project.write("medc.yml", &PROJECT.replace("[paid, open]", "[open]"));
    let run = project.medc(&["test", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let of_status = report["tables"][0]["expectations"].as_array().expect("a list").iter();
    let of_status: Vec<_> = of_status.filter(|one| one["success"] == false).collect();
    assert_eq!(of_status.len(), 1);
    assert_eq!((&of_status[0]["n_considered"], &of_status[0]["n_violating"]), (&json!(1), &json!(1)));
    let runs = rows(&project, "quality.results");
    let n_runs = runs.iter().filter_map(|row| row["run_id"].as_str()).collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(n_runs, 3);
}
