//! ODCS files: what is exported reads back as the same contract, and foreign files are read with all that they say told.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::project::{Project, package};

/// The files that `medc export odcs` writes, by name.
fn exported(project: &Project) -> BTreeMap<String, String> {
    let run = project.medc(&["export", "odcs", "-o", "exported"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let folder = project.path().join("exported");
    let files =
        std::fs::read_dir(folder).expect("the exported files").map(|entry| entry.expect("an entry").file_name());
    files
        .map(|name| name.to_string_lossy().into_owned())
        .map(|name| (name.clone(), project.read(&format!("exported/{name}"))))
        .collect()
}

/// A project whose tables keep nothing but the contracts of the files. Each reads a table of unknown columns.
fn project_of(files: &BTreeMap<String, String>) -> Project {
    let project = Project::empty();
    let (mut layers, mut tables, mut contracts) = (Vec::new(), String::new(), String::new());
    for (file, text) in files {
        let name = file.strip_suffix(".odcs.yaml").expect("a file of the export");
        let (layer, table) = name.split_once('.').expect("layer.table");
        if !layers.contains(&layer) {
            layers.push(layer);
        }
        let unique = format!("{layer}_{table}");
        writeln!(tables, "  raw.{unique}: {{source: {{format: parquet, path: data/{unique}.parquet}}}}").expect("text");
        writeln!(tables, "  {name}: {{from: raw.{unique}, contract: {unique}}}").expect("text");
        writeln!(contracts, "  {unique}: {{odcs: {file}}}").expect("text");
        project.write(file, text);
    }
    let reads = layers.join(", ");
    let layers: Vec<String> = layers.iter().map(|layer| format!("  {layer}: {{reads: [raw, {reads}]}}\n")).collect();
    let layers = layers.concat();
    let environment = "environments: {local: {engine: local, warehouse: .medc/warehouse}}";
    project.write(
        "medc.yml",
        &format!("project: {{name: again}}\n{environment}\nlayers:\n  raw: {{}}\n{layers}tables:\n{tables}contracts:\n{contracts}"),
    );
    project
}

/// A file without what the project and the table's name and storage give.
fn contract_alone(text: &str) -> String {
    let is_own = |line: &&str| {
        !["id: ", "name: ", "    physicalType: table", "    physicalType: view"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    text.lines().filter(is_own).collect::<Vec<_>>().join("\n")
}

fn survives(folder: &Path) {
    let first = exported(&Project::copy_of(folder));
    let again = project_of(&first);
    assert_eq!(again.findings(), Vec::<Value>::new(), "{}", folder.display());
    let second = exported(&again);
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (name, text) in &first {
        assert_eq!(contract_alone(text), contract_alone(&second[name]), "{name} of {}", folder.display());
    }
}

#[test]
fn what_is_exported_reads_back_as_the_same() {
    survives(&package().join("tests/cases/exchange/catalogue"));
    survives(&package().join("specs/sales"));
    for example in ["append_files", "json_lines", "merge_and_view"] {
        survives(&package().join("examples").join(example));
    }
}

#[test]
fn a_foreign_file_is_read_and_what_is_not_used_is_told_once() {
    let project = Project::copy_of(&package().join("tests/cases/exchange/foreign"));
    let findings = project.findings();
    let told: Vec<&str> = findings.iter().filter_map(|finding| finding["message"].as_str()).collect();
    assert!(findings.iter().all(|finding| finding["code"] == "resolve::odcs-unused"), "{told:#?}");
    for expected in ["`domain` of the contract", "`businessName` of a property", "rules of the engine `soda`"] {
        assert_eq!(told.iter().filter(|told| told.contains(expected)).count(), 1, "{expected}: {told:#?}");
    }
    let run = project.medc(&["apply", "--select", "+silver.customers"]);
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("email in (a@example.com"), "{}", run.stderr);
    let run = project.medc(&["export", "odcs", "silver.orders"]);
    for read in [
        "table: silver.customers",
        "minimum: 1",
        "SELECT max(price) FROM silver.orders",
        "observed < 50",
        "decimal(10,2)",
    ] {
        assert!(run.stdout.contains(read), "{read}: {}", run.stdout);
    }
}

#[test]
fn what_a_dialect_cannot_say_is_told() {
    let project = Project::copy_of(&package().join("tests/cases/exchange/catalogue"));
    for (dialect, file) in
        [("jsonschema", "silver.orders.schema.json"), ("dqx", "silver.orders.dqx.yml"), ("dbt", "schema.yml")]
    {
        let run = project.medc(&["export", dialect, "-o", "out"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stderr.contains("export::not-exported"), "{dialect}: {}", run.stderr);
        assert!(!project.read(&format!("out/{file}")).is_empty());
    }
}
