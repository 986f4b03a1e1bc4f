//! Plans from outside: causes, contracts' grades, losses that are asked about, drift, and tables that are declared no longer.

use serde_json::Value;

use crate::project::{Project, Run};

const PROJECT: &str = r#"
project: {name: shop}
environments: {local: {engine: local, warehouse: .medc/warehouse}}
layers: {bronze: {}, silver: {}, gold: {}}
contracts:
  raw: {columns: {id: {type: string}, customer: {type: string}, amount: {type: string}}}
  orders:
    version: 1.0.0
    columns:
      id: {type: string, primary_key: true}
      customer: {type: string}
      amount: {type: double}
tables:
  bronze.orders: {source: {format: csv, path: data/*.csv}, contract: raw}
  silver.orders:
    from: bronze.orders
    contract: orders
    steps: [{deduplicate: {keys: [id]}}]
  silver.kept:
    from: bronze.orders
    contract: orders
    write: {mode: merge, keys: [id]}
  gold.totals: {sql: "SELECT customer, sum(amount) AS total FROM silver.orders GROUP BY customer"}
  gold.names: {sql: "SELECT DISTINCT customer FROM silver.orders"}
"#;

struct Shop(Project);

impl Shop {
    /// A project that was applied once.
    fn new() -> Self {
        let shop = Shop(Project::empty());
        shop.0.write("medc.yml", PROJECT);
        shop.0.write("data/1.csv", "id,customer,amount\n1,a,1.50\n2,b,2.25\n");
        let run = shop.0.medc(&["apply"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        shop
    }

    fn edit(&self, from: &str, to: &str) {
        let text = self.0.read("medc.yml");
        assert!(text.contains(from), "{from}");
        self.0.write("medc.yml", &text.replace(from, to));
    }

    fn plan(&self) -> Value {
        let run = self.0.medc(&["plan", "--format", "json"]);
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
    }

    fn plan_text(&self) -> String {
        self.0.medc(&["plan"]).stdout
    }

    fn apply(&self, arguments: &[&str]) -> Run {
        self.0.medc(&[&["apply"], arguments].concat())
    }

    fn is_up_to_date(&self) {
        let run = self.0.medc(&["plan", "--exit-code"]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}

fn action<'a>(plan: &'a Value, table: &str) -> &'a Value {
    let actions = plan["actions"].as_array().expect("actions");
    actions.iter().find(|action| action["table"] == table).unwrap_or_else(|| panic!("{table}: {plan:#}"))
}

#[test]
fn a_changed_contract_is_told_with_its_grade_and_who_feels_it() {
    let shop = Shop::new();
    shop.edit("amount: {type: double}", "amount: {type: \"decimal(18,2)\"}");
    let text = shop.plan_text();
    assert!(text.contains("~ silver.orders  rebuild: its definition changed\n"), "{text}");
    assert!(text.contains("~ amount double → decimal(18,2)"), "{text}");
    assert!(text.contains("felt by gold.totals (total)\n"), "{text}");
    let cause = "input silver.orders changes in this plan (column amount double → decimal(18,2))";
    assert!(text.contains(&format!("~ gold.totals  rebuild: {cause}")), "{text}");
    assert!(text.contains("orders of silver.orders  1.0.0  breaking"), "{text}");
    let plan = shop.plan();
    let orders = action(&plan, "silver.orders");
    assert_eq!(orders["contract"]["grade"], "breaking");
    assert_eq!(orders["felt_by"]["tables"][0]["table"], "gold.totals");
    assert_eq!(action(&plan, "gold.names")["starts_with"], "silver.orders");

    // The cause is told, too, where the input was built by an apply of its own.
    let run = shop.apply(&["--select", "silver.orders"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let text = shop.plan_text();
    let cause = "input silver.orders changed (version 0 → 1): column amount double → decimal(18,2)";
    assert!(text.contains(cause), "{text}");
}

#[test]
fn layout_and_comments_are_no_change() {
    let shop = Shop::new();
    shop.edit(
        "{sql: \"SELECT customer, sum(amount) AS total FROM silver.orders GROUP BY customer\"}",
        "\n    # why\n    sql: |\n      -- a comment\n      select customer, SUM(amount) as total\n      from silver.orders /* here */ group by customer",
    );
    shop.edit(
        "    from: bronze.orders\n    contract: orders\n    steps",
        "    contract: orders\n    from: bronze.orders\n    steps",
    );
    shop.is_up_to_date();
}

#[test]
fn rows_that_would_be_lost_are_asked_about() {
    let shop = Shop::new();
    // Nothing was merged yet: a table that was written as a whole from inputs that are as they were loses nothing.
    shop.edit(
        "    write: {mode: merge, keys: [id]}",
        "    steps: [{filter: amount > 0}]\n    write: {mode: merge, keys: [id]}",
    );
    let run = shop.apply(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    shop.0.write("data/1.csv", "id,customer,amount\n3,c,4.50\n");
    let run = shop.apply(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");

    shop.edit("amount > 0", "amount > 1");
    let lost = "loses rows that earlier runs brought and its inputs may no longer give";
    assert!(shop.plan_text().contains(lost), "{}", shop.plan_text());
    let refused = shop.apply(&[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("run::destructive"), "{refused:?}");
    shop.edit("    steps: [{filter: amount > 1}]\n", "    prevent_destroy: true\n    steps: [{filter: amount > 1}]\n");
    let prevented = shop.apply(&["--yes"]);
    assert_eq!(prevented.code, Some(1), "{prevented:?}");
    assert!(prevented.stderr.contains("run::prevent-destroy"), "{prevented:?}");
    shop.edit("    prevent_destroy: true\n", "");
    let run = shop.apply(&["--yes"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    shop.is_up_to_date();
}

#[test]
fn a_table_that_is_declared_no_longer_stays_until_dropping_is_allowed() {
    let shop = Shop::new();
    shop.edit("  gold.names: {sql: \"SELECT DISTINCT customer FROM silver.orders\"}\n", "");
    let text = shop.plan_text();
    assert!(text.contains("gold.names  kept; `medc apply --allow-destructive` drops it"), "{text}");
    assert!(text.contains("No changes."), "{text}");
    let run = shop.apply(&["--yes"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(shop.0.path().join(".medc/warehouse/gold/names").is_dir());
    let plan = shop.0.medc(&["plan", "--allow-destructive", "--exit-code"]);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    assert!(plan.stdout.contains("- gold.names  drop: it is declared no longer"), "{plan:?}");
    let run = shop.apply(&["--allow-destructive"]);
    assert!(run.stdout.contains("1 dropped"), "{run:?}");
    assert!(!shop.0.path().join(".medc/warehouse/gold/names").exists());
    assert_eq!(shop.plan()["orphans"].as_array().map(Vec::len), Some(0));

    // Another project's tables are not this one's.
    shop.edit("{name: shop}", "{name: other}");
    shop.edit(
        "  gold.totals: {sql: \"SELECT customer, sum(amount) AS total FROM silver.orders GROUP BY customer\"}\n",
        "",
    );
    let run = shop.apply(&["--allow-destructive"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(shop.0.path().join(".medc/warehouse/gold/totals").is_dir());
    assert!(shop.plan_text().contains("made by the project shop; never dropped from here"));
}

#[test]
fn what_others_did_to_a_table_is_drift() {
    let shop = Shop::new();
    std::fs::remove_dir_all(shop.0.path().join(".medc/warehouse/silver/orders")).expect("dropped");
    let text = shop.plan_text();
    assert!(text.contains("! silver.orders  dropped by somebody else"), "{text}");
    let log = shop.0.path().join(".medc/warehouse/silver/kept/_delta_log");
    let first = std::fs::read_to_string(log.join("00000000000000000000.json")).expect("a commit");
    let add = first.lines().find(|line| line.starts_with("{\"add\"")).expect("a file");
    std::fs::write(log.join("00000000000000000001.json"), format!("{add}\n")).expect("a foreign commit");
    let plan = shop.plan();
    assert_eq!(plan["drift"][1]["drift"], "written", "{plan:#}");
    assert_eq!(plan["drift"][1]["table"], "silver.kept");
    let run = shop.apply(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(shop.plan()["drift"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_saved_plan_is_done_as_it_is_or_not_at_all() {
    let shop = Shop::new();
    shop.edit("sum(amount)", "max(amount)");
    let plan = |shop: &Shop| {
        let run = shop.0.medc(&["plan", "--out", "plan.json"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stderr.contains("medc apply plan.json"), "{run:?}");
    };
    plan(&shop);
    let edited = shop.0.read("medc.yml");
    shop.edit("max(amount)", "min(amount)");
    let stale = shop.apply(&["plan.json"]);
    assert_eq!(stale.code, Some(1), "{stale:?}");
    assert!(stale.stderr.contains("run::stale-plan"), "{stale:?}");
    assert!(stale.stderr.contains("the definition of `gold.totals` changed"), "{stale:?}");

    shop.0.write("medc.yml", &edited);
    shop.0.write("data/2.csv", "id,customer,amount\n4,d,1\n");
    let stale = shop.apply(&["plan.json"]);
    assert!(stale.stderr.contains("the source files of `bronze.orders` changed"), "{stale:?}");
    std::fs::remove_file(shop.0.path().join("data/2.csv")).expect("a file");
    let run = shop.apply(&["plan.json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("1 rebuilt"), "{run:?}");
    // It was done, so that its tables are others now.
    let again = shop.apply(&["plan.json"]);
    assert!(again.stderr.contains("`gold.totals` was at version 0 and is at 1"), "{again:?}");
    let wrong = shop.apply(&["medc.yml"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert_eq!(shop.apply(&["plan.json", "--select", "gold.*"]).code, Some(2));
}

#[test]
fn the_parts_of_a_fingerprint_are_explained() {
    let shop = Shop::new();
    shop.edit("sum(amount)", "max(amount)");
    shop.0.write("data/2.csv", "id,customer,amount\n4,d,1\n");
    let run = shop.0.medc(&["plan", "--why", "gold.totals"]);
    assert!(
        run.stdout.starts_with("gold.totals  rebuild: its definition changed (query); input silver.orders"),
        "{run:?}"
    );
    assert!(run.stdout.contains("  ~ query  select customer , sum ( amount ) as total"), "{run:?}");
    assert!(run.stdout.contains("  = silver.orders  0\n"), "{run:?}");
    assert!(run.stdout.contains("  = write.mode  overwrite\n"), "{run:?}");
    let run = shop.0.medc(&["plan", "--why", "bronze.orders", "--format", "json"]);
    let why: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(why["files"][0]["changed"], true, "{why:#}");
    assert_eq!(why["fingerprint"]["from"], why["fingerprint"]["to"], "{why:#}");
    assert_eq!(shop.0.medc(&["plan", "--why", "gold.nothing"]).code, Some(2));
}

#[test]
fn defaults_are_told_when_a_table_is_created() {
    let project = Project::empty();
    project.write("medc.yml", PROJECT);
    project.write("data/1.csv", "id,customer,amount\n1,a,1.50\n");
    let plan = project.medc(&["plan"]);
    assert!(plan.stdout.contains("  write.mode: overwrite  bronze.orders, silver.orders, gold.totals"), "{plan:?}");
    assert!(plan.stdout.contains("  write.schema_evolution: fail  silver.kept\n"), "{plan:?}");
    assert_eq!(project.medc(&["apply"]).code, Some(0));
    assert!(!project.medc(&["plan", "--full-refresh"]).stdout.contains("write.mode"));
}
