//! `medc report` as programs see it: what the page and its JSON say, and what they must not say. How it looks is for
//! `tests/browser`.

use serde_json::Value;

use crate::project::{Project, Run, package};

fn well(run: &Run) {
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
}

fn json(project: &Project, arguments: &[&str]) -> Value {
    let run = project.medc(&[&["report", "--format", "json"], arguments].concat());
    well(&run);
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

fn page(project: &Project) -> String {
    well(&project.medc(&["report"]));
    project.read("report.html")
}

fn table<'r>(report: &'r Value, name: &str) -> &'r Value {
    let tables = report["tables"].as_array().expect("tables");
    tables.iter().find(|table| table["name"] == name).unwrap_or_else(|| panic!("no {name} in {tables:?}"))
}

fn column<'t>(table: &'t Value, name: &str) -> &'t Value {
    let columns = table["profile"]["columns"].as_array().expect("columns");
    columns.iter().find(|column| column["name"] == name).unwrap_or_else(|| panic!("no {name} in {columns:?}"))
}

fn sales() -> Project {
    Project::copy_of(&package().join("specs/sales"))
}

/// One table with a key of personal values, a note, and what `rows` say of them.
fn notes(rows: &str) -> Project {
    let project = Project::empty();
    project.write(
        "medc.yml",
        "project: {name: notes, description: 'a </title><script>alert(1)</script> {{ 1 + 1 }}'}\n\
         environments: {local: {engine: local, warehouse: .medc/warehouse}}\n\
         layers: {bronze: {}, silver: {}}\n\
         tables:\n\
         \x20 bronze.raw: {source: {format: csv, path: rows.csv}, contract: raw}\n\
         \x20 silver.notes: {from: bronze.raw, contract: notes, description: '\"><b onclick=x>'}\n\
         \x20 silver.copied: {sql: 'SELECT upper(email) AS contact, length(note) AS size FROM silver.notes'}\n\
         contracts:\n\
         \x20 raw: {columns: {email: {type: string}, note: {type: string}, n: {type: string}}}\n\
         \x20 notes:\n\
         \x20   columns:\n\
         \x20     email: {type: string, tags: [PII], expect: [{matches: {regex: '@', on_violation: warn}}]}\n\
         \x20     note: {type: string, expect: [{accepted_values: {values: [fine], on_violation: warn}}]}\n\
         \x20     n: {type: int, expect: [{between: {min: 0, on_violation: warn}}]}\n",
    );
    project.write("rows.csv", rows);
    project
}

#[test]
fn a_project_that_never_ran_is_told_what_to_do() {
    let project = sales();
    let run = project.medc(&["report"]);
    well(&run);
    assert!(run.stdout.is_empty() && run.stderr.contains("hint: no table was built yet: run `medc apply`"), "{run:?}");
    let page = project.read("report.html");
    assert!(page.contains("No table was built yet") && page.contains("<code>medc apply</code>"));
    assert!(!project.path().join(".medc/warehouse").exists(), "a report writes nothing else");

    let report = json(&project, &[]);
    assert_eq!((&report["format_version"], &report["summary"]["n_built"]), (&1.into(), &0.into()));
    assert_eq!(report["runs"], Value::Array(Vec::new()));
    let silver = table(&report, "silver.sales_clean");
    assert_eq!((&silver["state"], &silver["profile"]), (&"not_built".into(), &Value::Null));
    let expectations = silver["expectations"].as_array().expect("expectations");
    assert!(expectations.iter().all(|one| one["status"] == "unchecked" && one["result"].is_null()));
}

#[test]
fn a_project_without_tables_is_told_what_to_do() {
    let project = Project::empty();
    project.write(
        "medc.yml",
        "project: {name: bare}\nenvironments: {local: {engine: local, warehouse: w}}\nlayers: {bronze: {}}\n",
    );
    let run = project.medc(&["report"]);
    well(&run);
    assert!(run.stderr.contains("hint: the project has no tables"), "{run:?}");
    assert!(project.read("report.html").contains("Nothing to report yet"));
    assert_eq!(project.medc(&["report", "-p", "nowhere"]).code, Some(1));
}

#[test]
fn it_says_what_the_tables_and_the_ledger_say() {
    let project = sales();
    well(&project.medc(&["apply"]));
    let report = json(&project, &[]);
    assert_eq!(report["summary"]["n_tables"], 6);
    assert_eq!(report["summary"]["n_built"], 6);
    let dimensions: Vec<&str> = report["dimensions"]
        .as_array()
        .expect("dimensions")
        .iter()
        .filter_map(|one| one["dimension"].as_str())
        .collect();
    let wanted = ["completeness", "accuracy", "consistency", "validity", "timeliness", "uniqueness"];
    assert_eq!(dimensions, wanted);
    assert_eq!(report["layers"][0]["name"], "bronze");
    assert_eq!(report["runs"].as_array().expect("runs").len(), 1);
    assert_eq!(report["runs"][0]["status"], "succeeded");

    let silver = table(&report, "silver.sales_clean");
    let shown = project.medc(&["show", "silver.sales_clean", "--format", "json", "--limit", "0"]);
    let rows: Vec<Value> = shown.stdout.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    assert_eq!(silver["profile"]["n_rows"], rows.len());
    assert_eq!(silver["stored"]["n_rows"], rows.len());
    let quantities: Vec<i64> = rows.iter().filter_map(|row| row["quantity"].as_i64()).collect();
    let quantity = column(silver, "quantity");
    assert_eq!(quantity["n_null"], rows.len() - quantities.len());
    assert_eq!(quantity["values"]["min"].as_i64(), quantities.iter().min().copied());
    assert_eq!(quantity["values"]["max"].as_i64(), quantities.iter().max().copied());
    let most = &quantity["values"]["top"][0];
    let n = quantities.iter().filter(|value| Some(**value) == most["value"].as_i64()).count();
    assert_eq!(most["n"], n);
    assert_eq!(column(silver, "amount")["values"]["min"].as_str().map(|text| text.contains('.')), Some(true));

    let broken: Vec<&Value> = silver["expectations"]
        .as_array()
        .expect("expectations")
        .iter()
        .filter(|one| one["status"] == "set_aside")
        .collect();
    assert!(!broken.is_empty());
    for one in broken {
        let result = &one["result"];
        let examples = result["examples"].as_array().expect("examples").len() as u64;
        let n_violating = result["n_violating"].as_u64().expect("a count");
        assert!(examples > 0 && examples <= n_violating.min(20), "{one}");
    }

    let page = page(&project);
    assert!(page.contains("default-src &#x27;none&#x27;") || page.contains("default-src 'none'"));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    for address in ["http://", "https://", "url(", "@import"] {
        assert!(!page.contains(address), "{address}");
    }
}

#[test]
fn personal_values_are_in_no_report() {
    let project = sales();
    well(&project.medc(&["apply"]));
    let shown = project.medc(&[
        "show",
        "gold_core.customer_metrics",
        "--columns",
        "customer_id",
        "--format",
        "csv",
        "--limit",
        "0",
    ]);
    let ids: Vec<&str> = shown.stdout.lines().skip(1).collect();
    assert!(ids.len() > 300);
    let report = json(&project, &[]);
    let (text, page) = (report.to_string(), page(&project));
    for id in ids {
        assert!(!text.contains(&format!("\"{id}\"")), "{id} in the JSON");
        assert!(!page.contains(&format!(">{id}<")), "{id} in the page");
    }
    // The tag stands in silver's contract; what feeds it and what is made of it are masked all the same.
    for name in ["bronze.sales_raw", "silver.sales_clean", "gold_core.customer_metrics"] {
        let found = column(table(&report, name), "customer_id");
        assert_eq!(found["values"], Value::Null, "{name}");
        assert!(found["n_distinct"]["n"].as_u64().is_some_and(|n| n > 300), "{name}");
    }
}

#[test]
fn no_name_and_no_value_becomes_markup() {
    let nasty = "<script>alert(2)</script>'\"\"{{ 3 * 3 }}</style>\u{202e}\u{1}<img src=x onerror=alert(4)>";
    let project = notes(&format!("email,note,n\nsecret1,\"{nasty}\",-1\nsecret2@x,fine,1\n"));
    well(&project.medc(&["apply"]));
    let page = page(&project);
    for forbidden in ["alert(2)</script>", "<script>alert", "<img", "<b onclick", "\u{202e}", "\u{1}", "secret"] {
        assert!(!page.contains(forbidden), "{forbidden:?}");
    }
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    assert_eq!(page.matches("</style").count(), 1);
    assert!(page.contains("{{ 3 * 3 }}") && page.contains("⟨U+202E⟩") && page.contains("␁"));

    let report = json(&project, &[]);
    assert!(!report.to_string().contains("secret"));
    let silver = table(&report, "silver.notes");
    let example = &silver["expectations"][1]["result"]["examples"][0];
    assert_eq!(example["note"], nasty.replace("\"\"", "\""), "JSON has values as they are");
    assert_eq!(example["email"]["masked"], true);
    let copied = table(&report, "silver.copied");
    assert_eq!(column(copied, "contact")["values"], Value::Null, "computed from personal values");
}

#[test]
fn trends_go_over_the_runs_that_are_asked_for() {
    let project = notes("email,note,n\na@x,fine,1\n");
    well(&project.medc(&["apply"]));
    project.write("rows.csv", "email,note,n\na@x,odd,1\nb@x,fine,-1\n");
    well(&project.medc(&["apply"]));
    let report = json(&project, &[]);
    let silver = table(&report, "silver.notes");
    // Three that are declared, and that all values could be cast.
    assert_eq!(silver["trend"], serde_json::json!([1.0, 0.5]));
    assert_eq!(silver["expectations"][1]["trend"], serde_json::json!([1.0, 0.5]));
    let n_broken = |run: usize| report["runs"][run]["n_checked"].as_u64().zip(report["runs"][run]["n_passed"].as_u64());
    let n_broken = |run: usize| n_broken(run).map(|(n_checked, n_passed)| n_checked - n_passed);
    assert_eq!((n_broken(0), n_broken(1)), (Some(0), Some(2)));

    let last = json(&project, &["--runs", "1"]);
    assert_eq!(last["runs"].as_array().expect("runs").len(), 1);
    assert_eq!(table(&last, "silver.notes")["trend"].as_array().expect("a trend").len(), 1);
    assert_eq!(project.medc(&["report", "--runs", "0"]).code, Some(2));
}

#[test]
fn tables_are_selected_and_rows_left_unread() {
    let project = notes("email,note,n\na@x,fine,1\n");
    well(&project.medc(&["apply"]));
    let report = json(&project, &["--select", "silver.*", "--no-profile"]);
    let names: Vec<&str> =
        report["tables"].as_array().expect("tables").iter().filter_map(|table| table["name"].as_str()).collect();
    assert_eq!(names, ["silver.notes", "silver.copied"]);
    assert_eq!((&report["is_profiled"], &report["tables"][0]["profile"]), (&false.into(), &Value::Null));
    assert_eq!(report["tables"][0]["reads"], Value::Array(Vec::new()), "only what is in the report is linked");
    assert_eq!(project.medc(&["report", "--select", "silver.note"]).code, Some(2));

    let printed = project.medc(&["report", "-o", "-", "--no-profile"]);
    assert!(printed.stdout.starts_with("<!doctype html>") && !project.path().join("report.html").exists());
    assert_eq!(project.medc(&["report", "-o", "no/such/folder.html"]).code, Some(1));
}

#[test]
fn what_cannot_be_read_is_told_of_and_keeps_nothing_else_away() {
    let project = notes("email,note,n\na@x,fine,1\n");
    well(&project.medc(&["apply"]));
    project.write(".medc/warehouse/silver/notes/_delta_log/00000000000000000000.json", "no log\n");
    let run = project.medc(&["report"]);
    well(&run);
    assert!(run.stderr.contains("run::table-broken") && run.stderr.contains("medc.yml:6"), "{run:?}");
    let page = project.read("report.html");
    assert!(page.contains("1 table cannot be read") && page.contains("unreadable"));
    let report = json(&project, &[]);
    assert_eq!(table(&report, "silver.notes")["state"], "broken");
    assert_eq!(table(&report, "bronze.raw")["profile"]["n_rows"], 1);
}

#[test]
fn a_table_that_failed_says_so() {
    let project = notes("email,note,n\na@x,fine,1\n");
    well(&project.medc(&["apply"]));
    project.write("medc.yml", &project.read("medc.yml").replace("min: 0, on_violation: warn", "min: 5"));
    assert_eq!(project.medc(&["apply"]).code, Some(1));
    let report = json(&project, &[]);
    let silver = table(&report, "silver.notes");
    assert_eq!((&silver["state"], &silver["stored"]["n_rows"]), (&"failing".into(), &1.into()));
    assert_eq!(report["summary"]["expectations"]["n_failed"], 1);
    assert_eq!(report["runs"][1]["status"], "failed");
    assert!(page(&project).contains("1 expectation fails"));
}
