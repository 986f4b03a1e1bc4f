//! The command line as a person meets it: a new project, its tables, exit codes, what goes to which stream.

use serde_json::Value;

use crate::project::{Project, Run};

fn new_project(template: &str) -> Project {
    let project = Project::empty();
    let run = project.medc(&["init", "--from", template]);
    assert_eq!(run.code, Some(0), "{run:?}");
    project
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

#[test]
fn every_template_validates_applies_and_is_then_unchanged() {
    for (template, table) in [
        ("minimal", "gold.daily_revenue"),
        ("sales", "gold_core.customer_metrics"),
        ("iris", "gold.iris_gold"),
        ("finance", "gold.gd_fx_features"),
    ] {
        let project = new_project(template);
        let validated = project.medc(&["validate"]);
        assert_eq!(validated.code, Some(0), "{validated:?}");
        assert!(validated.stderr.contains("no errors"), "{validated:?}");

        assert_eq!(project.medc(&["plan", "--exit-code"]).code, Some(3));
        let applied = project.medc(&["apply"]);
        assert_eq!(applied.code, Some(0), "{applied:?}");
        let again = project.medc(&["apply"]);
        assert!(again.stdout.starts_with("No changes. "), "{again:?}");
        assert_eq!(project.medc(&["plan", "--exit-code"]).code, Some(0));

        let shown = project.medc(&["show", table, "--format", "json", "--limit", "1"]);
        assert_eq!(shown.stdout.lines().count(), 1, "{shown:?}");
        assert!(json(&shown).is_object());
    }
}

#[test]
fn init_overwrites_nothing() {
    let project = new_project("minimal");
    project.write("medc.yml", "mine\n");
    assert_eq!(project.medc(&["init"]).code, Some(2));
    assert_eq!(project.medc(&["init", "--force"]).code, Some(0));
    assert_eq!(project.read("medc.yml"), "mine\n");
}

#[test]
fn only_what_changed_is_planned_and_said_why() {
    let project = new_project("minimal");
    project.medc(&["apply"]);
    project.write("sql/daily_revenue.sql", &project.read("sql/daily_revenue.sql").replace("sum(", "max("));
    let plan = json(&project.medc(&["plan", "--format", "json"]));
    let actions = plan["actions"].as_array().expect("actions");
    assert_eq!(actions.len(), 1);
    assert_eq!(actions[0]["table"], "gold.daily_revenue");
    assert_eq!(actions[0]["reasons"][0]["reason"], "definition_changed");

    let commented = project.read("sql/daily_revenue.sql").replace("max(", "sum(") + "\n-- a comment\n";
    project.write("sql/daily_revenue.sql", &commented);
    let plan = project.medc(&["plan"]);
    assert!(plan.stdout.starts_with("No changes. "), "{plan:?}");
}

#[test]
fn a_source_that_is_gone_stops_only_what_needs_it() {
    let project = new_project("minimal");
    project.medc(&["apply"]);
    let run = project.medc(&["apply", "--var", "orders_path=data/none.csv", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let report = json(&run);
    let statuses: Vec<(&str, &str)> = report["tables"]
        .as_array()
        .expect("tables")
        .iter()
        .filter_map(|table| Some((table["table"].as_str()?, table["status"].as_str()?)))
        .collect();
    let expected = [("bronze.orders_raw", "failed"), ("silver.orders", "skipped"), ("gold.daily_revenue", "skipped")];
    assert_eq!(statuses, expected);
    assert_eq!(report["diagnostics"][0]["code"], "run::source-missing");
    let shown = project.medc(&["show", "gold.daily_revenue", "--format", "csv"]);
    assert_eq!(shown.stdout.lines().count(), 4, "the old rows: {shown:?}");
}

#[test]
fn questions_to_a_table_are_checked_before_it_is_read() {
    let project = new_project("minimal");
    let early = project.medc(&["show", "silver.orders"]);
    assert_eq!(early.code, Some(1));
    assert!(early.stderr.contains("medc apply --select +silver.orders"), "{early:?}");

    project.medc(&["apply"]);
    let wrong = project.medc(&["show", "silver.orders", "--where", "quantty > 2"]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("--where:1:1") && wrong.stderr.contains("`quantity`"), "{wrong:?}");

    let rows = project.medc(&[
        "show",
        "silver.orders",
        "--where",
        "quantity > 2",
        "--columns",
        "order_id",
        "--order-by",
        "order_id",
        "--format",
        "csv",
    ]);
    assert_eq!(rows.stdout, "order_id\n0003\n0006\n");
    let aside = project.medc(&[
        "show",
        "silver.orders_quarantine",
        "--columns",
        "order_id",
        "--order-by",
        "order_id",
        "--format",
        "csv",
    ]);
    assert_eq!(aside.stdout, "order_id\n0005\n0007\n");
}

#[test]
fn exit_codes_and_streams_are_as_promised() {
    let project = new_project("minimal");
    assert_eq!(project.medc(&["no-such-command"]).code, Some(2));
    assert_eq!(project.medc(&["show", "gold.daily"]).code, Some(2));
    assert_eq!(project.medc(&["plan", "--select", "gold.dayly_revenue"]).code, Some(2));
    assert_eq!(project.medc(&["validate", "-p", "nowhere"]).code, Some(1));

    let explained = project.medc(&["explain", "check::unknown-column"]);
    assert!(explained.stdout.starts_with("# check::unknown-column\n") && explained.stderr.is_empty(), "{explained:?}");
    let quiet = project.medc(&["apply", "-q"]);
    assert!(quiet.stdout.is_empty() && quiet.stderr.is_empty(), "{quiet:?}");
}

#[test]
fn lineage_leads_from_a_column_to_its_source() {
    let project = new_project("minimal");
    let run = project.medc(&["lineage", "gold.daily_revenue.revenue", "--upstream"]);
    assert_eq!(
        run.stdout,
        "gold.daily_revenue.revenue\n\
         made of\n\
         ├─ silver.orders.quantity  aggregation\n\
         │  └─ bronze.orders_raw.quantity  expression\n\
         └─ silver.orders.unit_price  aggregation\n   \
            └─ bronze.orders_raw.unit_price  expression\n"
    );
    let picture = project.medc(&["lineage", "gold.daily_revenue", "--format", "svg"]);
    assert!(picture.stdout.starts_with("<svg ") && picture.stdout.ends_with("</svg>\n"));
}
