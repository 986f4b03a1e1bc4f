//! `medc contract diff` and `validate --against`, on projects in real git repositories.

use std::process::Command;

use serde_json::Value;

use crate::project::{Project, place};

const PROJECT: &str = "project: {name: shop}
include: [contracts/*.yml, tables/*.yml]
environments:
  dev: {default: true, engine: local, warehouse: .medc/dev, variables: {amount_type: int}}
  prod: {engine: local, warehouse: .medc/prod, variables: {amount_type: bigint}}
variables: {amount_type: {}}
layers: {bronze: {}, silver: {}, gold: {}}
";

const TABLES: &str = "tables:
  bronze.orders: {source: {format: csv, path: orders.csv}}
  silver.sales: {from: bronze.orders, contract: sales}
  gold.totals:
    sql: sql/totals.sql
";

const SALES: &str = "contracts:
  sales:
    version: 1.2.0
    columns:
      id: {type: string, primary_key: true}
      amount: {type: \"${var.amount_type}\"}
      status: {type: string, expect: [{accepted_values: [paid, refunded]}]}
";

/// A project in a folder of a repository, committed once, with the tag `one`.
fn shop() -> Project {
    let project = Project::empty();
    project.write("medc.yml", PROJECT);
    project.write("tables/tables.yml", TABLES);
    project.write("contracts/sales.yml", SALES);
    project.write("sql/totals.sql", "SELECT id, sum(amount) AS total FROM silver.sales GROUP BY id\n");
    git(&project, &["init", "--quiet"]);
    commit(&project, "one");
    project
}

fn git(project: &Project, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "core.hooksPath=/dev/null"])
        .args(["-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(project.path())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn commit(project: &Project, tag: &str) {
    git(project, &["add", "--all"]);
    git(project, &["commit", "--quiet", "--message", tag]);
    git(project, &["tag", tag]);
}

fn edit(project: &Project, file: &str, from: &str, to: &str) {
    let text = project.read(file);
    assert!(text.contains(from), "{from}");
    project.write(file, &text.replace(from, to));
}

fn diff(project: &Project, arguments: &[&str]) -> (Value, Option<i32>) {
    let run = project.medc(&[&["contract", "diff", "--format", "json"], arguments].concat());
    (serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}")), run.code)
}

/// `subject rule` of all changes.
fn changes(diff: &Value) -> Vec<String> {
    let contracts = diff["contracts"].as_array().expect("a list");
    let changes = contracts.iter().flat_map(|contract| contract["changes"].as_array().expect("a list"));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    changes.map(|change| format!("{} {}", text(&change["subject"]["name"]), text(&change["rule"]))).collect()
}

fn against(project: &Project, baseline: &str) -> Vec<Value> {
    let run = project.medc(&["validate", "--format", "json", "--against", baseline]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    report["diagnostics"].as_array().expect("a list").clone()
}

#[test]
fn an_unchanged_project_has_no_changes() {
    let project = shop();
    let run = project.medc(&["contract", "diff", "one"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "No changes. 1 contract promises the same.\n"));
    assert!(against(&project, "HEAD").is_empty());
}

#[test]
fn a_breaking_change_names_who_reads_the_column() {
    let project = shop();
    edit(&project, "contracts/sales.yml", "\"${var.amount_type}\"", "string");
    let (found, code) = diff(&project, &["one"]);
    assert_eq!(code, Some(1), "{found}");
    assert_eq!(changes(&found), ["amount type-changed"]);
    let change = &found["contracts"][0]["changes"][0];
    assert_eq!(change["grade"], "breaking");
    assert_eq!(change["consumers"][0]["table"], "gold.totals");
    assert_eq!(change["consumers"][0]["columns"][0], "total");
    assert_eq!(found["contracts"][0]["next_version"], "2.0.0");
    let run = project.medc(&["contract", "diff", "one"]);
    for expected in ["× breaking", "amount: int → string", "read by gold.totals (total)", "needs 2.0.0"] {
        assert!(run.stdout.contains(expected), "{expected}: {}", run.stdout);
    }
    assert!(!run.stdout.contains('\u{1b}'));
    let run = project.medc(&["contract", "diff", "one", "--format", "markdown"]);
    assert!(run.stdout.contains("| ❌ breaking | `amount` | int → string |"), "{}", run.stdout);
}

#[test]
fn a_raised_major_version_says_it() {
    let project = shop();
    edit(&project, "contracts/sales.yml", "      status:", "      state:");
    let findings = against(&project, "one");
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(finding["code"], "compatibility::breaking-change");
    assert_eq!(finding["severity"], "error");
    assert_eq!(place(finding), "contracts/sales.yml:3:14");
    assert_eq!(finding["fix"], "2.0.0", "{finding}");
    edit(&project, "contracts/sales.yml", "1.2.0", "2.0.0");
    assert!(against(&project, "one").is_empty());
    let (found, code) = diff(&project, &["one"]);
    assert_eq!((code, &found["breaks"]), (Some(0), &Value::Bool(false)));
}

#[test]
fn a_risky_change_is_a_warning() {
    let project = shop();
    edit(&project, "contracts/sales.yml", "refunded]", "refunded, disputed]");
    let findings = against(&project, "one");
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!(finding["code"], "compatibility::risky-change");
    assert_eq!(finding["severity"], "warning");
    assert_eq!(project.medc(&["validate", "--against", "one"]).code, Some(0));
    let (found, code) = diff(&project, &["one"]);
    assert_eq!((changes(&found), code), (vec!["status in (paid, refunded) values-widened".to_owned()], Some(0)));
    edit(&project, "contracts/sales.yml", "1.2.0", "1.3.0");
    assert!(against(&project, "one").is_empty());
}

#[test]
fn what_the_change_breaks_in_the_project_is_told_too() {
    let project = shop();
    edit(&project, "contracts/sales.yml", "\"${var.amount_type}\"", "string");
    let codes: Vec<Value> = against(&project, "one").iter().map(|finding| finding["code"].clone()).collect();
    assert_eq!(codes, ["check::function-arguments", "compatibility::breaking-change"]);
}

#[test]
fn a_contract_without_a_version_is_told_so() {
    let project = shop();
    edit(&project, "contracts/sales.yml", "    version: 1.2.0\n", "");
    commit(&project, "two");
    edit(&project, "contracts/sales.yml", "\"${var.amount_type}\"", "smallint");
    let findings = against(&project, "two");
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(finding["message"].as_str().is_some_and(|message| message.contains("has no version")), "{finding}");
    assert!(finding["help"].as_str().is_some_and(|help| help.contains("version: 1.0.0")), "{finding}");
    edit(&project, "contracts/sales.yml", "  sales:\n", "  sales:\n    version: 1.0.0\n");
    assert!(against(&project, "two").is_empty());
}

#[test]
fn two_revisions_are_compared_and_nothing_is_checked_out() {
    let project = shop();
    edit(&project, "contracts/sales.yml", "      status:", "      note: {type: string}\n      status:");
    commit(&project, "two");
    project.write("contracts/sales.yml", "this: is no project file\n");
    let before = git(&project, &["status", "--porcelain"]);
    let (found, code) = diff(&project, &["one", "two"]);
    assert_eq!((changes(&found), code), (vec!["note column-inserted".to_owned()], Some(0)));
    assert_eq!(git(&project, &["status", "--porcelain"]), before);
    let (found, _) = diff(&project, &["rev:two", "rev:one"]);
    assert_eq!(changes(&found), ["note column-removed"]);
}

#[test]
fn environments_are_compared() {
    let project = shop();
    let (found, code) = diff(&project, &["dev", "prod"]);
    assert_eq!((changes(&found), code), (vec!["amount type-widened".to_owned()], Some(0)));
    assert_eq!(found["before"]["kind"], "environment");
}

#[test]
fn folders_and_files_of_contracts_are_compared() {
    let project = shop();
    project.write("later/medc.yml", PROJECT);
    project.write("later/tables/tables.yml", TABLES);
    project.write("later/contracts/sales.yml", &SALES.replace("      status:", "      state:"));
    project.write("later/sql/totals.sql", "SELECT 1 AS one");
    let (found, code) = diff(&project, &["later"]);
    assert_eq!(
        (changes(&found), code),
        (vec!["state column-removed".to_owned(), "status column-added".to_owned()], Some(1))
    );
    project.write("other.yml", &SALES.replace("${var.amount_type}", "int").replace("      status:", "      state:"));
    let (found, _) = diff(&project, &["path:other.yml"]);
    assert_eq!(changes(&found), ["state column-removed", "status column-added"]);
    project.write("nothing.yml", "layers: {a: {}}\n");
    let run = project.medc(&["contract", "diff", "nothing.yml"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("`nothing.yml` has no `contracts`"), "{}", run.stderr);
    let findings = against(&project, "later");
    assert_eq!(findings[0]["code"], "compatibility::breaking-change", "{findings:?}");
}

#[test]
fn a_table_that_is_gone_or_unbound_breaks_the_promise() {
    let project = shop();
    edit(&project, "tables/tables.yml", ", contract: sales", "");
    let (found, code) = diff(&project, &["one"]);
    assert_eq!((changes(&found), code), (vec!["silver.sales table-unbound".to_owned()], Some(1)));
    project.write("contracts/sales.yml", "contracts: {}\n");
    let (found, code) = diff(&project, &["one"]);
    assert_eq!((changes(&found), code), (vec!["sales contract-removed".to_owned()], Some(1)));
    let run = project.medc(&["validate", "--against", "one", "--var", "amount_type=int"]);
    assert!(run.stderr.contains("the contract `sales` is gone"), "{}", run.stderr);
    assert_eq!(run.code, Some(1));
}

#[test]
fn a_project_below_the_repositorys_top_and_a_link_are_read() {
    let top = Project::empty();
    for (path, text) in [
        ("a b/medc.yml", PROJECT),
        ("a b/tables/tables.yml", TABLES),
        ("a b/shared/sales.yml", SALES),
        ("a b/sql/totals.sql", "SELECT id, sum(amount) AS total FROM silver.sales GROUP BY id\n"),
        ("elsewhere.txt", "no part of it"),
    ] {
        top.write(path, text);
    }
    std::fs::create_dir(top.path().join("a b/contracts")).expect("a new folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink("../shared/sales.yml", top.path().join("a b/contracts/sales.yml")).expect("a new link");
    git(&top, &["init", "--quiet"]);
    commit(&top, "one");
    edit(&top, "a b/shared/sales.yml", "      status:", "      state:");
    let (found, code) = diff(&top, &["one", "-p", "a b"]);
    assert_eq!(
        (changes(&found), code),
        (vec!["status column-removed".to_owned(), "state column-added".to_owned()], Some(1))
    );
}

#[test]
fn a_baseline_that_is_not_sound_is_named() {
    let project = shop();
    edit(&project, "contracts/sales.yml", "type: string, primary_key", "type: strng, primary_key");
    commit(&project, "broken");
    edit(&project, "contracts/sales.yml", "strng", "string");
    for arguments in [["contract", "diff", "broken"], ["validate", "--against", "broken"]] {
        let run = project.medc(&arguments);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains("`broken` cannot be compared: it has 1 error"), "{}", run.stderr);
        assert!(run.stderr.contains("contracts/sales.yml:5:"), "{}", run.stderr);
    }
    // Queries of the baseline do not have to type.
    project.write("sql/totals.sql", "SELECT nothing FROM silver.sales\n");
    commit(&project, "untyped");
    project.write("sql/totals.sql", "SELECT id FROM silver.sales\n");
    let (found, code) = diff(&project, &["untyped"]);
    assert_eq!((changes(&found), code), (Vec::<String>::new(), Some(0)));
}

#[test]
fn what_does_not_exist_is_a_mistake_of_the_command_line() {
    let project = shop();
    for (word, expected) in [
        ("tow", "no environment, no path and no git revision"),
        ("rev:prd", "did you mean `env:prod`?"),
        ("rev:--output=x", "no environment, no path and no git revision"),
        ("path:nowhere", "there is no `nowhere`"),
        ("tables", "there is no `medc.yml` in `tables`"),
    ] {
        let run = project.medc(&["contract", "diff", word]);
        assert_eq!(run.code, Some(2), "{word}: {run:?}");
        assert!(run.stderr.contains(expected), "{word}: {}", run.stderr);
    }
    let run = project.medc(&["contract", "diff", "env:staging"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("has no environment `staging`"), "{}", run.stderr);
}

#[test]
fn a_revision_before_the_project_has_nothing_to_compare_with() {
    let project = Project::empty();
    git(&project, &["init", "--quiet"]);
    project.write("README.md", "A shop.\n");
    commit(&project, "zero");
    project.write("medc.yml", PROJECT);
    project.write("tables/tables.yml", TABLES);
    project.write("contracts/sales.yml", SALES);
    project.write("sql/totals.sql", "SELECT id FROM silver.sales\n");
    let findings = against(&project, "zero");
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((&finding["code"], &finding["severity"]), (&"compatibility::baseline".into(), &"warning".into()));
    assert_eq!(project.medc(&["contract", "diff", "zero"]).code, Some(2));
}
