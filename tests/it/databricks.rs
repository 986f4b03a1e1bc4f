//! The Databricks engine from outside: the bundle as files, and deploying it with a `databricks` command that only records
//! what it was asked.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use crate::project::{Project, Run, files_below};

const PROJECT: &str = r#"
project: {name: shop, owner: data@example.com}
variables:
  least: {default: 0}
environments:
  local: {default: true, engine: local, warehouse: .medc/warehouse}
  dev:
    engine: databricks
    mode: development
    catalog: lake_dev
    workspace: {host: "https://example.cloud.databricks.com"}
    tables: {bronze.orders: {source: {path: /Volumes/lake_dev/landing/orders}}}
  prod:
    engine: databricks
    catalog: lake
    workspace: {host: "https://example.cloud.databricks.com", root_path: /Workspace/Shared/shop-prod}
    permissions: [{group_name: users, level: CAN_MANAGE}]
    variables: {least: 10}
    tables: {bronze.orders: {source: {path: /Volumes/lake/landing/orders}}}
layers: {bronze: {}, silver: {}, gold: {}}
contracts:
  raw: {columns: {id: {type: string}, customer: {type: string}, amount: {type: string}}}
  orders:
    on_cast_failure: quarantine
    columns:
      id: {type: string, primary_key: true}
      customer: {type: string, tags: [pii]}
      amount: {type: "decimal(18,2)", expect: [{between: {min: 0, on_violation: quarantine}}]}
tables:
  bronze.orders: {source: {format: csv, path: data/orders.csv}, contract: raw}
  silver.orders:
    description: "Orders, \"clean\"\nwith ''' and ${literal} */ {{braces}} \\ in their description"
    from: bronze.orders
    contract: orders
    steps: [{deduplicate: {keys: [id]}}]
  gold.totals:
    sql: |
      -- what each customer spent
      SELECT silver.orders.customer, sum(amount) AS total
      FROM silver.orders
      WHERE amount >= ${var.least}
      GROUP BY customer
"#;

fn shop() -> Project {
    let project = Project::empty();
    // `$${` is a plain `${`.
    project.write("medc.yml", &PROJECT.replace("${literal}", "$${literal}"));
    project.write("data/orders.csv", "id,customer,amount\n1,a,1.50\n2,b,x\n");
    project
}

/// The files of the bundle, by path.
fn bundle(project: &Project, folder: &str) -> BTreeMap<String, String> {
    let run = project.medc(&["bundle", "-o", folder]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let root = project.path().join(folder);
    let relative = |path: &std::path::PathBuf| {
        path.strip_prefix(&root).expect("a file of the bundle").to_string_lossy().into_owned()
    };
    files_below(&root)
        .iter()
        .map(|path| (relative(path), std::fs::read_to_string(path).expect("a text")))
        .filter(|(path, _)| path != ".medc-bundle")
        .collect()
}

#[test]
fn sql_is_the_authors_text_with_other_names() {
    let files = bundle(&shop(), "out");
    let expected = "-- what each customer spent\nSELECT orders.customer, sum(amount) AS total\n\
                    FROM IDENTIFIER(:silver || '.orders')\nWHERE amount >= 10\nGROUP BY customer\n";
    // It differs between the environments by a variable, so that each has its own.
    assert_eq!(files["src/sql/gold/totals.prod.sql"], expected);
    assert_eq!(files["src/sql/gold/totals.dev.sql"], expected.replace("10", "0"));
    assert!(!files.contains_key("src/sql/gold/totals.sql"));
    assert!(files["src/notebooks/gold_totals.py"].contains("rows=Query(sql=\"gold/totals.{environment}.sql\")"));
    assert!(files["src/sql/silver/orders.unity.sql"].contains("PRIMARY KEY (id)"));
}

#[test]
fn the_same_project_gives_the_same_bytes_and_old_files_go() {
    let project = shop();
    let first = bundle(&project, "one");
    assert_eq!(first, bundle(&project, "two"));
    project.write("medc.yml", &project.read("medc.yml").replace("gold.totals", "gold.sums"));
    let renamed = bundle(&project, "one");
    assert!(!renamed.contains_key("src/notebooks/gold_totals.py"));
    assert!(renamed.contains_key("src/notebooks/gold_sums.py"));
    // A folder with something else in it is left alone.
    project.write("mine/precious.txt", "x");
    let run = project.medc(&["bundle", "-o", "mine"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("holds no bundle of medc"), "{}", run.stderr);
    assert_eq!(files_below(&project.path().join("mine")).len(), 1);
}

#[test]
fn a_task_runs_the_notebook_of_its_environment() {
    let project = shop();
    let stricter = "    on_cast_failure: quarantine\n    expect: [{expression: \"amount > ${var.least}\"}]\n";
    project.write("medc.yml", &project.read("medc.yml").replace("    on_cast_failure: quarantine\n", stricter));
    let files = bundle(&project, "out");
    let job = &files["resources/shop.job.yml"];
    let paths: Vec<&str> =
        job.lines().filter_map(|line| line.split_once("notebook_path: ../")).map(|(_, path)| path).collect();
    assert!(paths.contains(&"src/notebooks/silver_orders.dev.py"), "{job}");
    assert!(paths.contains(&"src/notebooks/silver_orders.prod.py"), "{job}");
    for path in paths {
        assert!(files.contains_key(path), "{path} is not in the bundle");
    }
    project.write("medc.yml", &format!("{}bundle: {{emit: pipeline}}\n", project.read("medc.yml")));
    let files = bundle(&project, "out");
    let pipeline = &files["resources/shop_tables.pipeline.yml"];
    let of = |target: &str| pipeline.split(&format!("  {target}:\n")).nth(1).expect("the target").to_owned();
    assert!(of("dev").contains("path: ../src/pipeline/silver_orders.dev.py"), "{pipeline}");
    assert!(of("prod").contains("path: ../src/pipeline/silver_orders.prod.py"), "{pipeline}");
    assert!(!pipeline.contains("glob"), "{pipeline}");
}

#[test]
fn tables_of_one_task_are_built_in_order_in_its_notebook() {
    let project = shop();
    let jobs = "jobs:\n  daily:\n    tasks:\n      \
                - {task_key: serve, tables: {select: gold.totals, notebook: 02_serve}}\n      \
                - {task_key: refine, tables: [layer:silver, layer:bronze]}\n";
    project.write("medc.yml", &format!("{}{jobs}", project.read("medc.yml")));
    let files = bundle(&project, "out");
    let job = &files["resources/daily.job.yml"];
    let (refine, serve) =
        (job.find("task_key: refine").expect("a task"), job.rfind("task_key: serve").expect("a task"));
    assert!(refine < serve && job[serve..].contains("depends_on:\n            - task_key: refine"), "{job}");
    assert!(job.contains("path_bronze_orders: \"${var.bronze_orders_path}\""), "{job}");
    assert!(!job.contains("unity_catalog"), "{job}");
    let notebook = &files["src/notebooks/daily_refine.py"];
    let place = |text: &str| notebook.find(text).unwrap_or_else(|| panic!("{text} in {notebook}"));
    assert!(place("name=\"bronze.orders\"") < place("name=\"silver.orders\""));
    assert!(notebook.ends_with("apply_unity_statements(run, tables=[\"silver.orders\"])\n"), "{notebook}");
    assert!(files.contains_key("src/notebooks/02_serve.py") && !files.contains_key("src/notebooks/gold_totals.py"));
    // One update of a pipeline makes them all.
    project.write("medc.yml", &format!("{}bundle: {{emit: pipeline}}\n", project.read("medc.yml")));
    let files = bundle(&project, "out");
    let job = &files["resources/daily.job.yml"];
    assert_eq!(job.matches("task_key").count(), 3, "the update, keys and tags, and what these wait for: {job}");
    assert!(job.contains("pipeline_task") && !job.contains("refine"), "{job}");
}

/// A `databricks` command that writes down its arguments and says what `answers` gives for a verb.
fn fake(project: &Project, answers: &str) -> Vec<(&'static str, String)> {
    let script =
        format!("#!/bin/sh\necho \"$@\" >> \"{0}/asked\"\ncase \"$2\" in\n{answers}\nesac\n", project.path().display());
    project.write("bin/databricks", &script);
    let file = project.path().join("bin/databricks");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("an executable");
    vec![("PATH", format!("{}/bin:/usr/bin:/bin", project.path().display()))]
}

fn apply(project: &Project, arguments: &[&str], answers: &str) -> Run {
    let variables = fake(project, answers);
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    project.medc_with(&[&["apply", "-t", "prod"], arguments].concat(), &variables)
}

#[test]
fn a_bundle_is_checked_planned_deployed_and_run() {
    let project = shop();
    let run = apply(&project, &["--yes", "--run", "shop"], "plan) echo 'create jobs.shop';; run) echo 'RUNNING';;");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let expected = "bundle validate --target prod --strict\nbundle plan --target prod\n\
                    bundle deploy --target prod --auto-approve\nbundle run --target prod shop\n";
    assert_eq!(project.read("asked"), expected);
    assert!(run.stderr.contains("create jobs.shop") && run.stderr.contains("RUNNING"), "{}", run.stderr);
    assert!(project.path().join(".medc/bundles/prod/src/notebooks/silver_orders.py").is_file());
}

#[test]
fn nothing_is_deployed_unasked() {
    let project = shop();
    let run = apply(&project, &[], "");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
    assert!(!project.read("asked").contains("deploy"));
}

#[test]
fn what_the_cli_finds_wrong_stops_and_is_shown_in_the_project() {
    let project = shop();
    let answer =
        "validate) printf 'Error: no such cluster\\n  at resources.jobs.shop.tasks.silver_orders\\n' >&2; exit 1;;";
    let run = apply(&project, &["--yes"], answer);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("run::deployment") && run.stderr.contains("medc.yml:"), "{}", run.stderr);
    assert!(run.stderr.contains("no such cluster"), "{}", run.stderr);
    assert_eq!(project.read("asked"), "bundle validate --target prod --strict\n");
    let run = apply(&project, &["--yes"], "deploy) echo 'boom' >&2; exit 1;;");
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("boom"), "{}", run.stderr);
}

#[test]
fn without_the_cli_two_ways_on_are_named() {
    let project = shop();
    let run = project.medc_with(&["apply", "-t", "prod", "--yes"], &[("PATH", "/nowhere")]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("install the Databricks CLI") && run.stderr.contains("bundle deploy"),
        "{}",
        run.stderr
    );
    let run = project.medc(&["show", "silver.orders", "-t", "prod"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("on Databricks"), "{}", run.stderr);
    let run = project.medc(&["apply", "-t", "prod", "--select", "silver.*"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
}

/// A `databricks` command that deploys into the folder `workspace` and reads back from it.
const WORKSPACE: &str = r#"summary) echo '{"workspace": {"file_path": "/Workspace/Shared/shop-prod/files"}}';;
export) [ -e workspace ] || { echo 'Error: Path (/Workspace/Shared) does not exist.' >&2; exit 1; }
  cp "workspace/${3#/Workspace/Shared/shop-prod/files/}" "$7";;
deploy) rm -rf workspace; mkdir workspace; cp -r manifests workspace/;;
"#;

fn plan(project: &Project, arguments: &[&str], answers: &str) -> Run {
    let variables = fake(project, &format!("{WORKSPACE}{answers}"));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    project.medc_with(&[&["plan", "-t", "prod"], arguments].concat(), &variables)
}

#[test]
fn a_plan_is_held_against_what_is_deployed() {
    let project = shop();
    project.write(".git/HEAD", "4fd3c2a19b7e4fd3c2a19b7e4fd3c2a19b7e4fd3\n");
    let first = plan(&project, &["--exit-code"], "");
    assert_eq!(first.code, Some(3), "{first:?}");
    assert!(first.stdout.contains("+ gold.totals  new; its job builds it"), "{first:?}");
    assert!(first.stdout.contains("Nothing that medc deployed is there (Error: Path"), "{first:?}");

    let deployed = apply(&project, &["--yes"], WORKSPACE);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    let same = plan(&project, &["--exit-code"], "");
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(same.stdout.starts_with("No changes."), "{same:?}");
    assert!(same.stdout.contains("Deployed: 4fd3c2a19b7e by medc"), "{same:?}");

    let by_hand = plan(&project, &["--exit-code"], "plan) echo 'update jobs.shop';;");
    assert_eq!(by_hand.code, Some(3), "{by_hand:?}");
    assert!(by_hand.stdout.contains("! jobs.shop  changed by hand"), "{by_hand:?}");

    let text = project.read("medc.yml");
    project.write(
        "medc.yml",
        &text
            .replace("amount >= ${var.least}", "amount > ${var.least}")
            .replace("decimal(18,2)", "decimal(20,2)")
            .replace(
                "layers: {bronze: {}, silver: {}, gold: {}}",
                "layers: {bronze: {}, silver: {}, gold: {}, extra: {}}",
            ),
    );
    let changed = plan(&project, &[], "");
    assert_eq!(changed.code, Some(0), "{changed:?}");
    for line in [
        "+ schemas.extra",
        "~ silver.orders  columns changed; its job's next run follows",
        "~ amount decimal(18,2) → decimal(20,2)",
        "felt by gold.totals (customer, total), job shop",
        "~ gold.totals  query changed",
        "orders of silver.orders  no version  compatible",
    ] {
        assert!(changed.stdout.contains(line), "{line}: {changed:?}");
    }
    let json = plan(&project, &["--format", "json"], "");
    let json: serde_json::Value =
        serde_json::from_str(&json.stdout).unwrap_or_else(|error| panic!("{error}: {json:?}"));
    // A job's tasks are told each schema's name.
    assert_eq!(json["resources"][0]["resource"], "jobs.shop", "{json:#}");
    assert_eq!(json["resources"][1], serde_json::json!({"resource": "schemas.extra", "how": "create", "keys": []}));
    assert_eq!(json["deployed"]["git_sha"], "4fd3c2a19b7e4fd3c2a19b7e4fd3c2a19b7e4fd3");
    let markdown = plan(&project, &["--markdown"], "");
    assert!(markdown.stdout.contains("| ~ | `gold.totals` | query changed"), "{markdown:?}");
    let refused = plan(&project, &["--why", "gold.totals"], "");
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

const DATABASE: &str = r#"
project: {name: shop}
environments:
  prod: {engine: databricks, catalog: lake, workspace: {host: "https://example.cloud.databricks.com"}}
layers: {bronze: {}, silver: {}}
bundle: {check_constraints: true}
contracts:
  orders:
    columns:
      id: {type: int}
      amount: {type: double, expect: [{between: {min: 0}}, {between: {max: 9, on_violation: warn}}]}
tables:
  bronze.orders:
    source:
      format: postgresql
      host: db.example.com
      database: shop
      table: sales.orders
      user: reader
      password: "${secret.shop/db_password}"
  bronze.files: {source: {format: csv, path: /Volumes/lake/x/files, ingestion: copy_into}, write: {mode: append}}
  silver.orders:
    sql: SELECT id, amount FROM bronze.orders
    contract: orders
    properties: {delta.appendOnly: false}
    write: {cluster_by: auto}
"#;

#[test]
fn databases_constraints_and_properties_are_declared() {
    let project = Project::empty();
    project.write("medc.yml", DATABASE);
    let files = bundle(&project, "out");
    let notebook = &files["src/notebooks/bronze_orders.py"];
    for line in
        ["format=\"postgresql\"", "port=5432", "password=Secret(\"shop\", \"db_password\")", "table=\"sales.orders\""]
    {
        assert!(notebook.contains(line), "{line} in\n{notebook}");
    }
    // A database has no place in a volume.
    assert!(!files["databricks.yml"].contains("bronze_orders_path"), "{}", files["databricks.yml"]);
    assert!(files["src/notebooks/bronze_files.py"].contains("method=\"copy_into\""));
    let silver = &files["src/notebooks/silver_orders.py"];
    // What only warns is none.
    assert!(silver.contains("constraints={") && silver.matches("medc_amount_").count() == 1, "{silver}");
    assert!(silver.contains("properties={\"delta.appendOnly\": \"false\"}"), "{silver}");
    assert!(files["src/sql/silver/orders.table.sql"].contains("'delta.appendOnly' = 'false'"));
    assert!(files["src/sql/silver/orders.unity.sql"].contains("ALTER TABLE {silver}.orders CLUSTER BY AUTO"));
}

#[test]
fn what_a_source_or_a_table_cannot_be_told_is_an_error() {
    let project = Project::empty();
    let base = DATABASE;
    for (old, new, code) in [
        ("\"${secret.shop/db_password}\"", "hunter2", "resolve::secret-place"),
        ("${secret.shop/db_password}", "${secret.db_password}", "resolve::secret-place"),
        ("table: sales.orders", "table: \"${secret.shop/table}\"", "resolve::secret-place"),
        ("      user: reader\n", "", "resolve::source-option"),
        ("host: db.example.com", "host: \"db.example.com/x?a=b\"", "resolve::source-option"),
        ("database: shop", "database: \"shop;user=sa\"", "resolve::source-option"),
        ("table: sales.orders", "table: sales.orders\n      query: SELECT 1", "resolve::source-option"),
        ("host: db.example.com", "connection: shop_db", "resolve::source-option"),
        ("host: db.example.com", "port: 5432", "resolve::source-option"),
        (
            "\"${secret.shop/db_password}\"\n",
            "\"${secret.shop/db_password}\"\n    write: {mode: append}\n",
            "resolve::write-mode",
        ),
        ("write: {mode: append}", "write: {mode: overwrite}", "resolve::write-mode"),
        ("copy_into", "read_files", "resolve::write-mode"),
        ("format: csv, path", "format: parquet, path", "resolve::source-option"),
        ("delta.appendOnly", "delta.constraints.x", "resolve::table-form"),
        ("cluster_by: auto", "cluster_by: auto, mode: view", "resolve::write-mode"),
        (
            "engine: databricks, catalog: lake, workspace: {host: \"https://example.cloud.databricks.com\"}",
            "engine: local, warehouse: w",
            "resolve::source-option",
        ),
    ] {
        assert!(base.contains(old), "{old}");
        project.write("medc.yml", &base.replacen(old, new, 1));
        let findings = project.findings();
        let is_one = findings.iter().all(|finding| finding["code"] == code && !finding["help"].is_null());
        assert!(!findings.is_empty() && is_one, "{new}: {findings:?}");
    }
}
