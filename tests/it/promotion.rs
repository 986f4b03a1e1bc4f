//! Environments side by side: what is in which, what promotion would change, and that only what passed is promoted.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::project::{Project, Run};

const PROJECT: &str = r#"
project: {name: shop}
environments:
  local: {default: true, engine: local, warehouse: .medc/local}
  staging: {engine: local, warehouse: .medc/staging}
  prod: {engine: local, warehouse: .medc/prod}
layers: {bronze: {}, gold_core: {}, gold_ml: {}}
contracts:
  orders:
    version: 1.0.0
    columns:
      customer: {type: string}
      amount: {type: string}
      churned: {type: string, expect: [{accepted_values: ["0", "1"]}]}
tables:
  bronze.orders: {source: {format: csv, path: data/orders.csv}, contract: orders}
  gold_core.customers:
    sql: SELECT customer, count(*) AS n_orders, max(churned) AS churned FROM bronze.orders GROUP BY customer
datasets: {include: models.json, layer: gold_ml}
"#;

const MODELS: &str = r#"{"models": [{"model_name": "churn", "version": 1, "source_table": "gold_core.customers",
  "feature_columns": ["n_orders"], "target_column": "churned"}]}"#;

fn git(project: &Project, arguments: &[&str]) {
    let run = Command::new("git")
        .args(["-c", "user.name=deployer", "-c", "user.email=deployer@example.com", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(project.path())
        .output()
        .expect("git runs");
    assert!(run.status.success(), "{run:?}");
}

fn commit(project: &Project) {
    git(project, &["add", "-A"]);
    git(project, &["commit", "-q", "-m", "change"]);
}

/// A project that is committed.
fn shop() -> Project {
    let project = Project::empty();
    project.write("medc.yml", PROJECT);
    project.write("models.json", MODELS);
    project.write(".gitignore", ".medc/\n");
    project.write("data/orders.csv", "customer,amount,churned\na,1,0\nb,2,1\n");
    git(&project, &["init", "-q"]);
    commit(&project);
    project
}

fn well(run: Run) -> Run {
    assert_eq!(run.code, Some(0), "{run:?}");
    run
}

fn refused(project: &Project, why: &str) {
    let run = project.medc(&["promote", "staging", "-t", "prod"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("run::not-passed") && run.stderr.contains(why), "{why}: {run:?}");
    let plan = project.medc(&["plan", "--from", "staging", "-t", "prod"]);
    assert!(plan.stdout.contains("not to be promoted:"), "{plan:?}");
}

#[test]
fn only_what_passed_is_promoted() {
    let project = shop();
    refused(&project, "`staging` is not built from this code");
    well(project.medc(&["apply", "-t", "staging"]));
    let plan = well(project.medc(&["plan", "--from", "staging", "-t", "prod", "--exit-code"]).also(3));
    assert!(plan.stdout.starts_with("staging → prod\ncode\n"), "{plan:?}");
    for line in ["orders  none → 1.0.0", "churn@1  none → gold_ml.churn_v1 #", "bronze.orders  none → there"] {
        assert!(plan.stdout.contains(line), "{line}: {plan:?}");
    }
    let run = well(project.medc(&["promote", "staging", "-t", "prod"]));
    assert!(run.stdout.contains("Promoted from staging to prod: 1 dataset registered."), "{run:?}");
    let same = well(project.medc(&["plan", "--from", "staging", "-t", "prod", "--exit-code"]));
    assert!(same.stdout.contains("The two are the same."), "{same:?}");

    let rows = |table: &str| -> Vec<Value> {
        let run = well(project.medc(&["show", table, "-t", "prod", "--format", "json"]));
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let registry = rows("ml_registry.model_versions");
    assert!(registry.iter().all(|row| row["environment"] == "prod"), "{registry:?}");
    let promotions = rows("ml_registry.promotions");
    assert_eq!((&promotions[0]["from_environment"], &promotions[0]["version"]), (&"staging".into(), &1.into()));
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(project.path()).output().expect("git");
    assert_eq!(promotions[0]["git_sha"], String::from_utf8_lossy(&head.stdout).trim());

    project.write("medc.yml", &PROJECT.replace("count(*)", "count(amount)").replace("1.0.0", "1.1.0"));
    refused(&project, "the work tree is not what is committed");
    commit(&project);
    refused(&project, "an apply would change `gold_core.customers`");
    well(project.medc(&["apply", "-t", "staging"]));
    let plan = well(project.medc(&["plan", "--from", "staging", "-t", "prod"]));
    assert!(plan.stdout.contains("gold_core.customers  as it is → other query"), "{plan:?}");

    // A check that is found broken later counts.
    project.write("medc.yml", &project.read("medc.yml").replace("[\"0\", \"1\"]", "[\"0\"]"));
    commit(&project);
    let tested = project.medc(&["test", "-t", "staging"]);
    assert_eq!(tested.code, Some(1), "{tested:?}");
    refused(&project, "`bronze.orders` breaks what it promises in `staging`");
}

trait Also {
    /// This code is well, too.
    fn also(self, code: i32) -> Self;
}

impl Also for Run {
    fn also(mut self, code: i32) -> Self {
        if self.code == Some(code) {
            self.code = Some(0);
        }
        self
    }
}

#[test]
fn a_status_tells_what_is_where() {
    let project = shop();
    well(project.medc(&["apply", "-t", "staging"]));
    project.write("medc.yml", &project.read("medc.yml").replace("count(*)", "count(amount)"));
    let status = well(project.medc(&["status"]));
    for line in [
        "local  local  code no commit\n  tables     none of 3 is there",
        "staging  local  code ",
        "  contracts  orders 1.0.0\n",
        "  datasets   churn@1 since 20",
        "the project has others: gold_core.customers\n",
        " succeeded\n",
    ] {
        assert!(status.stdout.contains(line), "{line}: {status:?}");
    }
    let json = well(project.medc(&["status", "-t", "staging", "--format", "json"]));
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["environments"][0]["datasets"]["churn@1"]["table"], "gold_ml.churn_v1", "{json:#}");
    assert_eq!(json["environments"][0]["differing"], serde_json::json!(["gold_core.customers"]));
}

const ON_DATABRICKS: &str = r#"
project: {name: shop}
environments:
  staging:
    engine: databricks
    default: true
    catalog: lake_stg
    workspace: {host: "https://stg.example.com", root_path: /Workspace/Shared/shop-stg}
    permissions: [{group_name: users, level: CAN_MANAGE}]
  prod:
    engine: databricks
    catalog: lake
    workspace: {host: "https://example.com", root_path: /Workspace/Shared/shop-prod}
    permissions: [{group_name: users, level: CAN_MANAGE}]
layers: {bronze: {}}
contracts: {raw: {columns: {id: {type: string}}}}
tables:
  bronze.orders: {source: {format: csv, path: /Volumes/lake/landing/orders}, contract: raw}
"#;

#[test]
fn what_jobs_ran_well_is_promoted() {
    let project = Project::empty();
    project.write("medc.yml", ON_DATABRICKS);
    project.write(".gitignore", ".medc/\nbin/\nasked\nrun.json\n");
    git(&project, &["init", "-q"]);
    commit(&project);
    let here = project.path().display();
    project.write(
        "bin/databricks",
        &format!(
            "#!/bin/sh\necho \"$@\" >> {here}/asked\ncase \"$2\" in\n\
             summary) echo '{{\"workspace\": {{\"file_path\": \"/files\"}}, \"resources\": {{\"jobs\": {{\"shop\": {{\"id\": \"7\"}}}}}}}}';;\n\
             export) cp \"workspace/${{3#/files/}}\" \"$7\";;\n\
             deploy) rm -rf workspace; mkdir workspace; cp -r manifests workspace/;;\n\
             list-runs) cat {here}/run.json;;\nesac\n"
        ),
    );
    let file = project.path().join("bin/databricks");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("an executable");
    let path = format!("{here}/bin:{}", std::env::var("PATH").expect("a PATH"));
    let medc = |arguments: &[&str]| project.medc_with(arguments, &[("PATH", &path)]);
    let refused = |why: &str| {
        let run = medc(&["promote", "staging", "-t", "prod", "--yes"]);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains(why), "{why}: {run:?}");
    };
    refused("nothing that medc deployed is in `staging`");
    well(medc(&["apply", "-t", "staging", "--yes"]));
    project.write("run.json", "[]");
    refused("it has not run yet");
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(project.path()).output().expect("git");
    let head = String::from_utf8_lossy(&head.stdout).trim().to_owned();
    let ran = |result: &str, sha: &str| {
        let parameters = serde_json::json!([{"name": "git_sha", "default": sha}]);
        let run = serde_json::json!([{"state": {"result_state": result}, "job_parameters": parameters}]);
        project.write("run.json", &run.to_string());
    };
    ran("FAILED", &head);
    refused("its last run ended with FAILED");
    ran("SUCCESS", "0123456789abcdef");
    refused("its last run was of 0123456789ab");
    ran("SUCCESS", &head);
    well(medc(&["promote", "staging", "-t", "prod", "--yes"]));
    assert!(project.path().join(".medc/bundles/prod/workspace/manifests/prod.json").is_file());
    let status = well(medc(&["status"]));
    assert!(status.stdout.contains(&format!("prod  databricks  code {}", &head[..12])), "{status:?}");
    let plan = well(medc(&["plan", "--from", "staging", "-t", "prod", "--exit-code"]));
    assert!(plan.stdout.contains("The two are the same."), "{plan:?}");
}
