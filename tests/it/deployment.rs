//! What environments deploy: broken deployments are found, whole ones become YAML that says what was meant, quickly.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;

use crate::project::{Project, files_below, package};

fn case() -> Project {
    Project::copy_of(&package().join("tests/cases/deployment"))
}

#[test]
fn every_broken_deployment_is_found() {
    let project = case();
    let base = project.read("medc.yml");
    assert_eq!(project.findings(), Vec::<Value>::new());
    let mutations: Vec<BTreeMap<String, String>> =
        serde_json::from_str(&project.read("mutations.json")).expect("a list of mutations");
    assert!(mutations.len() >= 60, "{} mutations", mutations.len());
    let mut failures = Vec::new();
    for mutation in &mutations {
        let (name, old) = (&mutation["name"], &mutation["old"]);
        if !base.contains(old.as_str()) {
            failures.push(format!("{name}: `{old}` is not there"));
            continue;
        }
        project.write("medc.yml", &base.replacen(old, &mutation["new"], 1));
        let findings = project.findings();
        let is_found = |finding: &Value| finding["code"] == mutation["code"] && !finding["help"].is_null();
        let has_place = |finding: &Value| finding["labels"][0]["file"] == "medc.yml";
        if findings.is_empty() || !findings.iter().all(|finding| is_found(finding) && has_place(finding)) {
            failures.push(format!("{name}: expected {}, found {findings:?}", mutation["code"]));
        }
    }
    assert!(failures.is_empty(), "{} of {}\n{}", failures.len(), mutations.len(), failures.join("\n"));
}

#[test]
fn a_fix_removes_its_error() {
    let project = case();
    let base = project.read("medc.yml");
    for (old, new) in [
        ("0 45 11 * * ?", "45 11 * * *"),
        ("America/Sao_Paulo", "America/SaoPaulo"),
        ("depends_on: [count]", "depends_on: [cuont]"),
        ("interval: 4", "interval: 0"),
        ("landing/orders/\"", "landing/orders\""),
        ("workers: 1..8}\n\n", "workers: 8..1}\n\n"),
        ("\"https://dev.example.com\"", "\"dev.example.com\""),
        ("${resources.schemas.bronze.name}", "${resources.schemas.bronse.name}"),
        ("shop-${environment.name}", "shop"),
        ("\"[stg] \"", "\"stg_\""),
        ("served_model_name: champion", "served_model_name: champoin"),
        ("comment: Who leaves", "coment: Who leaves"),
        ("tables: [gold.days], wait", "tables: [shop_dev.gold.days], wait"),
    ] {
        let written = base.replacen(old, new, 1);
        assert_ne!(written, base, "{old}");
        project.write("medc.yml", &written);
        let findings = project.findings();
        let [finding] = findings.as_slice() else { panic!("{new}: {findings:?}") };
        let label = &finding["labels"][0];
        let number = |key: &str| usize::try_from(label[key].as_u64().expect("a place")).expect("a small number");
        let fix = finding["fix"].as_str().expect("a fix");
        let mut lines: Vec<String> = written.lines().map(str::to_owned).collect();
        let line = &mut lines[number("line") - 1];
        let characters: Vec<char> = line.chars().collect();
        let (from, to) = (number("column") - 1, number("end_column") - 1);
        *line = characters[..from].iter().chain(&fix.chars().collect::<Vec<_>>()).chain(&characters[to..]).collect();
        project.write("medc.yml", &lines.join("\n"));
        assert_eq!(project.findings(), Vec::<Value>::new(), "{new}: {fix}");
    }
}

fn bundle(project: &Project) -> BTreeMap<String, String> {
    let run = project.medc(&["bundle", "-o", "out"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let out = project.path().join("out");
    let path = |file: &std::path::Path| file.strip_prefix(&out).expect("below out").to_string_lossy().into_owned();
    files_below(&out).iter().map(|file| (path(file), std::fs::read_to_string(file).expect("a text"))).collect()
}

#[test]
fn the_same_project_gives_the_same_bundle() {
    let (one, other) = (bundle(&case()), bundle(&case()));
    assert_eq!(one, other);
    let daily = &one["resources/daily.job.yml"];
    for line in [
        "        quartz_cron_expression: 0 45 11 * * ?\n",
        "            notebook_path: ../src/notebooks/gold_days.py\n",
        "          default: \"${resources.schemas.gold.name}\"\n",
    ] {
        assert!(daily.contains(line), "{line} in\n{daily}");
    }
    // Only what production has otherwise stands there; nothing says whether schedules rest.
    let (_, targets) = daily.split_once("targets:\n").expect("what differs");
    assert!(targets.starts_with("  prod:\n") && targets.contains("timeout_seconds: 7200"), "{targets}");
    assert!(!daily.contains("pause_status"), "{daily}");
    assert_eq!(one["src/tasks/notebooks/count.py"].lines().next(), Some("# Databricks notebook source"));
    assert!(one["databricks.yml"].contains("root_path: /Workspace/Shared/shop-staging\n"), "{}", one["databricks.yml"]);
}

#[test]
fn texts_with_everything_in_them_come_out_as_they_were() {
    let project = case();
    let nasty = "a \"b\" 'c' `d` */ -- {{x}} # y: z \\ \t \u{2028} 'ü'\nsecond: line";
    let text = serde_json::to_string(nasty).expect("JSON");
    let base = project.read("medc.yml");
    let written = base
        .replacen("description: All tables, every day", &format!("description: {text}\n    name: {text}"), 1)
        .replacen("parameters: {day: today}", &format!("parameters: {{day: {}}}", text.replace("{{x}}", "x")), 1)
        .replacen("description: Orders with real types", &format!("description: {text}"), 1);
    project.write("medc.yml", &written);
    assert_eq!(project.findings(), Vec::<Value>::new());
    let files = bundle(&project);
    // The bundle's YAML is read back by medc's own reader, as a file that it includes.
    let reader = Project::empty();
    for (file, pointer, expected) in [
        ("resources/daily.job.yml", "jobs/daily/description", nasty.to_owned()),
        ("resources/daily.job.yml", "jobs/daily/name", nasty.to_owned()),
        ("resources/watch.job.yml", "jobs/watch/parameters", nasty.replace("{{x}}", "x")),
        ("resources/silver.schema.yml", "schemas/silver/comment", nasty.to_owned()),
    ] {
        reader.write("read.yml", &files[file]);
        let value = read_yaml(&files[file]);
        let found = value.pointer(&format!("/resources/{pointer}")).expect("the text's place");
        let found = match found {
            Value::Array(parameters) => &parameters.last().expect("a parameter")["default"],
            other => other,
        };
        assert_eq!(found, &Value::String(expected), "{file}");
    }
}

fn read_yaml(text: &str) -> Value {
    use medc::source::{Memory, Sources, read};
    let files = Memory::new([("read.yml", text)]);
    let (mut sources, mut diagnostics) = (Sources::new(), medc::diagnostic::Diagnostics::new());
    let document = read(&files, std::path::Path::new("read.yml"), "read.yml", &mut sources, &mut diagnostics);
    document.expect("well-formed YAML").value
}

#[test]
fn other_environments_are_checked_too_but_not_for_values_that_only_they_have() {
    let project = case();
    let base = project.read("medc.yml");
    project.write("medc.yml", &base.replacen("catalog: shop_prod", "catalog: \"${env.SHOP_CATALOG}\"", 1));
    assert_eq!(project.findings(), Vec::<Value>::new());
    let chosen = project.medc(&["validate", "-t", "prod", "--format", "short"]);
    assert_eq!(chosen.code, Some(1), "{chosen:?}");
    assert!(chosen.stdout.contains("resolve::process-variable-missing"), "{chosen:?}");
}

#[test]
fn a_job_a_layer_and_one_for_all() {
    let project = Project::empty();
    project.write(
        "medc.yml",
        "project: {name: shop}\nbundle: {generated_jobs: per_layer}\nenvironments:\n  prod: {engine: databricks, catalog: lake, \
         workspace: {host: \"https://example.com\"}}\nlayers: {silver: {}, gold: {}}\ntables:\n  silver.a: {sql: \"SELECT 1 AS \
         n\"}\n  gold.b: {sql: \"SELECT n FROM silver.a\"}\n",
    );
    let files = bundle(&project);
    assert!(files.contains_key("resources/shop_silver.job.yml") && files.contains_key("resources/shop_gold.job.yml"));
    let all = read_yaml(&files["resources/shop.job.yml"]);
    let tasks = &all["resources"]["jobs"]["shop"]["tasks"];
    assert_eq!(tasks[1]["depends_on"][0]["task_key"], "silver");
    assert_eq!(tasks[1]["run_job_task"]["job_id"], "${resources.jobs.shop_gold.id}");
}

#[test]
fn the_key_of_the_pipeline_that_medc_makes_is_taken() {
    let project = Project::empty();
    let text = "project: {name: shop}\nbundle: {emit: pipeline}\nenvironments:\n  prod: {engine: databricks, catalog: lake, \
                workspace: {host: \"https://example.com\"}}\nlayers: {gold: {}}\ntables:\n  gold.b: {sql: \"SELECT 1 AS n\"}\n\
                resources: {volumes: {KEY: {catalog_name: lake, schema_name: files, name: landing}}}\n";
    project.write("medc.yml", &text.replace("KEY", "shop_tables"));
    let findings = project.findings();
    assert!(findings.len() == 1 && findings[0]["code"] == "deployment::resource-key", "{findings:?}");
    project.write("medc.yml", &text.replace("KEY", "landing"));
    assert_eq!(project.findings(), Vec::<Value>::new());
}

/// 1,000 tables and 1,000 jobs: the time that the process computes, not what it waits for.
#[test]
#[ignore = "a measurement; run it with --release"]
fn a_thousand_jobs_are_written_in_a_second() {
    let project = Project::empty();
    let mut text = String::from(
        "project: {name: big}\nenvironments:\n  dev: {engine: databricks, mode: development, catalog: lake_dev, workspace: {host: \
         \"https://example.com\"}}\n  prod: {engine: databricks, catalog: lake, workspace: {host: \"https://example.com\"}}\nlayers: \
         {silver: {}}\ntables:\n",
    );
    for n in 0..1000 {
        let _ = writeln!(text, "  silver.t{n}: {{sql: \"SELECT {n} AS n\"}}");
    }
    text.push_str("jobs:\n");
    for n in 0..1000 {
        let _ = writeln!(
            text,
            "  job_{n}: {{select: silver.t{n}, schedule: {{cron: \"0 0 6 * * ?\"}}, retries: 1, timeout: 1h}}"
        );
    }
    project.write("medc.yml", &text);
    bundle(&project);
    let started = std::time::Instant::now();
    bundle(&project);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
