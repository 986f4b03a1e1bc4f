//! What tables were: `medc restore` and `medc diff`.

use serde_json::{Value, json};

use crate::project::{Project, Run};

fn project() -> Project {
    let project = Project::empty();
    project.write(
        "medc.yml",
        "project: {name: shop}\n\
         environments:\n\
         \x20 local: {default: true, engine: local, warehouse: .medc/local}\n\
         \x20 other: {engine: local, warehouse: .medc/other}\n\
         layers: {bronze: {}, silver: {}, gold: {}}\n\
         tables:\n\
         \x20 bronze.orders: {source: {format: csv, path: orders}, contract: raw, write: {mode: append}}\n\
         \x20 silver.orders: {from: bronze.orders, contract: orders, steps: [{deduplicate: {keys: [id], keep: {latest: at}}}], write: {mode: merge, keys: [id]}}\n\
         \x20 gold.totals: {sql: 'SELECT count(*) AS n, sum(amount) AS total FROM silver.orders'}\n\
         contracts:\n\
         \x20 raw: {on_cast_failure: quarantine, columns: {id: {type: bigint}, amount: {type: bigint}, name: {type: string, tags: [pii]}, at: {type: bigint}}}\n\
         \x20 orders: {columns: {id: {type: bigint, primary_key: true}, amount: {type: bigint}, name: {type: string, tags: [pii]}, at: {type: bigint}}}\n",
    );
    project.write("orders/1.csv", "id,amount,name,at\n1,10,Ann,1\n2,20,Bo,1\n3,none,Cy,1\n");
    apply(&project, &[]);
    project
}

fn apply(project: &Project, arguments: &[&str]) {
    let run = project.medc(&[&["apply"], arguments].concat());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

fn value(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr))
}

fn rows(project: &Project, table: &str, columns: &str) -> Vec<String> {
    let run = project.medc(&["show", table, "--format", "csv", "--columns", columns, "--order-by", columns]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.stdout.lines().skip(1).map(str::to_owned).collect()
}

fn codes(run: &Run) -> Vec<String> {
    let report = value(run);
    let findings = report["diagnostics"].as_array().expect("findings").iter();
    findings.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

#[test]
fn a_restored_table_is_held_and_takes_its_files_again_once_it_is_named() {
    let project = project();
    project.write("orders/2.csv", "id,amount,name,at\n2,21,Bo,2\n4,40,Di,2\n5,none,Ed,2\n");
    apply(&project, &[]);
    let listed = project.medc(&["restore", "bronze.orders", "--list"]);
    assert_eq!(listed.stdout.lines().count(), 2, "{}", listed.stdout);

    let restored = project.medc(&["restore", "bronze.orders", "--to", "0", "--format", "json"]);
    assert_eq!(value(&restored)["restored"], json!([{"table": "bronze.orders", "from_version": 1, "to_version": 0}]));
    assert_eq!(rows(&project, "bronze.orders", "id,amount"), ["1,10", "2,20"]);

    // Its readers follow; itself is held, and apply does not do again what was undone.
    let plan = project.medc(&["plan", "--format", "json"]);
    assert!(codes(&plan).contains(&"run::held".to_owned()), "{}", plan.stdout);
    let planned: Vec<Value> =
        value(&plan)["actions"].as_array().expect("actions").iter().map(|action| action["table"].clone()).collect();
    assert_eq!(planned, ["silver.orders", "gold.totals"]);
    apply(&project, &[]);
    assert_eq!(rows(&project, "bronze.orders", "id"), ["1", "2"]);
    apply(&project, &["--select", "bronze.*"]);
    assert_eq!(rows(&project, "bronze.orders", "id"), ["1", "2"]);

    // The corrected file counts as a new one.
    project.write("orders/2.csv", "id,amount,name,at\n2,22,Bo,2\n4,40,Di,2\n");
    apply(&project, &["--select", "bronze.orders+"]);
    assert_eq!(rows(&project, "bronze.orders", "id,amount"), ["1,10", "2,20", "2,22", "4,40"]);
    assert_eq!(rows(&project, "silver.orders", "id,amount"), ["1,10", "2,22", "4,40"]);
    let plan = project.medc(&["plan", "--exit-code"]);
    assert_eq!(plan.code, Some(0), "{}{}", plan.stdout, plan.stderr);
    assert!(!plan.stderr.contains("run::held"), "{}", plan.stderr);
}

#[test]
fn a_run_is_undone_as_a_whole() {
    let project = project();
    let before =
        ["bronze.orders", "silver.orders", "bronze.orders_quarantine"].map(|table| rows(&project, table, "id"));
    project.write("orders/2.csv", "id,amount,name,at\n2,21,Bo,2\n4,40,Di,2\n5,none,Ed,2\n");
    let run = project.medc(&["apply", "--format", "json"]);
    let run_id = value(&run)["run_id"].as_str().expect("a run").to_owned();
    let undone = project.medc(&["restore", "--run", &run_id, "--format", "json"]);
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    assert_eq!(value(&undone)["restored"].as_array().map(Vec::len), Some(4), "{}", undone.stdout);
    assert_eq!(
        ["bronze.orders", "silver.orders", "bronze.orders_quarantine"].map(|table| rows(&project, table, "id")),
        before
    );

    // Nothing follows but the file that waits, and that is held.
    let plan = project.medc(&["plan", "--format", "json"]);
    assert_eq!(value(&plan)["actions"], json!([]), "{}", plan.stdout);
    assert_eq!(codes(&plan), ["run::held"]);
    let again = project.medc(&["restore", "--run", &run_id]);
    assert!(again.stdout.contains("Nothing to restore"), "{}{}", again.stdout, again.stderr);

    apply(&project, &["--select", "bronze.orders+"]);
    assert_eq!(rows(&project, "bronze.orders", "id"), ["1", "2", "2", "4"]);
    assert_eq!(rows(&project, "bronze.orders_quarantine", "id"), ["3", "5"]);
    let late = project.medc(&["restore", "--run", &run_id, "--format", "json"]);
    assert_eq!(late.code, Some(1), "{}", late.stdout);
    assert!(late.stderr.contains("run::not-restored"), "{}", late.stderr);
    let runs = project.medc(&["show", "medc.runs", "--format", "csv", "--columns", "status"]);
    assert_eq!(runs.stdout.matches("restored").count(), 1, "{}", runs.stdout);
}

#[test]
fn versions_and_times_that_are_not_there_are_refused() {
    let project = project();
    for (arguments, said) in [
        (&["restore", "bronze.orders", "--to", "7"][..], "no version 7, but 0 to 0"),
        (&["restore", "bronze.orders", "--to", "2001-01-01"], "no version that old"),
        (&["restore", "bronze.orders"], "to which version?"),
        (&["restore", "--run", "none"], "no table was written by a run `none`"),
        (&["restore", "bronze.order", "--to", "0"], "did you mean `bronze.orders`?"),
        (&["diff", "bronze.orders"], "compare with what?"),
        (&["diff", "bronze.orders", "--at", "3"], "no version 3"),
        (&["diff", "bronze.orders", "--at", "0", "--keys", "ids"], "did you mean `id`?"),
    ] {
        let run = project.medc(arguments);
        assert!(run.code == Some(2) && run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn two_versions_are_compared_by_key() {
    let project = project();
    let same = project.medc(&["diff", "silver.orders", "--at", "0"]);
    assert_eq!(same.code, Some(0), "{}{}", same.stdout, same.stderr);
    project.write("orders/2.csv", "id,amount,name,at\n2,21,Bob,2\n4,40,Di,2\n");
    apply(&project, &[]);
    let run = project.medc(&["diff", "silver.orders", "--at", "0", "--and", "1", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let difference = value(&run);
    assert_eq!(difference["keys"], json!(["id"]));
    let counts = ["n_equal", "n_only_before", "n_only_after", "n_different"].map(|key| difference[key].as_u64());
    assert_eq!(counts, [Some(1), Some(0), Some(1), Some(1)], "{difference}");
    assert_eq!(difference["only_after"], json!([["4"]]));
    assert_eq!(
        difference["columns"],
        json!([
            {"column": "amount", "n_different": 1, "examples": [{"key": ["2"], "before": "20", "after": "21"}]},
            {"column": "name", "n_different": 1, "examples": [{"key": ["2"], "before": "(hidden)", "after": "(hidden)"}]},
            {"column": "at", "n_different": 1, "examples": [{"key": ["2"], "before": "1", "after": "2"}]},
        ])
    );
    let human = project.medc(&["diff", "silver.orders", "--at", "0"]);
    assert!(human.stdout.contains("amount differs in 1 row\n      2: 20 → 21"), "{}", human.stdout);
    assert!(!human.stdout.contains("Bob"), "{}", human.stdout);

    // Without a key rows are counted.
    let run = value(&project.medc(&["diff", "bronze.orders", "--at", "0", "--format", "json"]));
    assert_eq!((&run["keys"], &run["n_equal"], &run["n_only_after"]), (&json!([]), &json!(2), &json!(2)), "{run}");
    let repeated = project.medc(&["diff", "bronze.orders", "--at", "0", "--keys", "id"]);
    assert_eq!(repeated.code, Some(1), "the files that both have are not read: {}", repeated.stderr);
}

#[test]
fn two_environments_are_compared_with_their_columns() {
    let project = project();
    let missing = project.medc(&["diff", "silver.orders", "--from", "other"]);
    assert!(missing.code == Some(1) && missing.stderr.contains("was not built yet in other"), "{}", missing.stderr);
    apply(&project, &["-t", "other"]);
    let same = project.medc(&["diff", "silver.orders", "--from", "other", "-t", "local"]);
    assert_eq!(same.code, Some(0), "{}{}", same.stdout, same.stderr);

    let text = project.read("medc.yml");
    let text = text.replace("sum(amount) AS total", "sum(amount) + 0.5 AS total, 1 AS one");
    project.write("medc.yml", &text);
    project.write("orders/3.csv", "id,amount,name,at\n1,10,Ann,1\n1,10,Ann,1\n");
    apply(&project, &[]);
    let run = value(&project.medc(&["diff", "gold.totals", "--from", "other", "--keys", "n", "--format", "json"]));
    let changes: Vec<&str> =
        run["schema"].as_array().expect("changes").iter().filter_map(|one| one["change"].as_str()).collect();
    assert_eq!(changes, ["retyped", "added"], "{run}");
    assert_eq!(run["columns"][0]["examples"][0], json!({"key": ["2"], "before": "30.0", "after": "30.5"}), "{run}");
    let whole =
        value(&project.medc(&["diff", "bronze.orders", "--from", "other", "--keys", "none", "--format", "json"]));
    assert_eq!((&whole["n_equal"], &whole["n_only_after"]), (&json!(2), &json!(2)), "{whole}");
    let repeated = project.medc(&["diff", "bronze.orders", "--from", "other", "--keys", "id"]);
    assert!(repeated.code == Some(2) && repeated.stderr.contains("repeat a key"), "{}", repeated.stderr);
}
