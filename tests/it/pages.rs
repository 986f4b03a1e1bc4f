//! `docs/diagnostics/`: a page a code. Its example gives that code and nothing else; its fixed version gives nothing.

use std::collections::{BTreeMap, BTreeSet};

use medc::diagnostic::ALL_CODES;
use serde_json::Value;

use crate::project::{Project, files_below, package};

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let folder = package().join("docs/diagnostics");
    let pages: BTreeSet<String> = files_below(&folder)
        .iter()
        .filter_map(|page| page.strip_prefix(&folder).ok())
        .map(|page| page.with_extension("").to_string_lossy().replace('/', "::"))
        .collect();
    let codes: BTreeSet<String> = ALL_CODES.iter().map(|(code, _)| code.to_string()).collect();
    assert_eq!(pages, codes);
}

#[test]
fn the_pages_examples_give_their_code_and_their_fixed_versions_nothing() {
    let folder = package().join("docs/diagnostics");
    let mut failures = Vec::new();
    for page in files_below(&folder) {
        let code = page.strip_prefix(&folder).expect("a page").with_extension("").to_string_lossy().replace('/', "::");
        let text = std::fs::read_to_string(&page).expect("a readable page");
        if let Err(why) = check(&code, &text) {
            failures.push(format!("{code}: {why}"));
        }
    }
    assert!(failures.is_empty(), "{}\n", failures.join("\n\n"));
}

fn check(code: &str, text: &str) -> Result<(), String> {
    if !text.starts_with(&format!("# {code}\n")) {
        return Err("the title is not the code".to_owned());
    }
    let (example, fixed) = text.split_once("## Fixed").unwrap_or((text, ""));
    let (example, fixed) = (blocks(example), blocks(fixed));
    if example.is_empty() {
        let said = text.contains("This cannot be shown as a file.");
        return if said { Ok(()) } else { Err("no example, and it does not say why".to_owned()) };
    }
    let project = Project::empty();
    for (path, body) in &example {
        project.write(path, body);
    }
    let found = findings(&project, code)?;
    if found.is_empty() || found.iter().any(|finding| finding["code"] != code) {
        return Err(format!("the example gives {found:?}"));
    }
    if fixed.is_empty() {
        return Err("no fixed version".to_owned());
    }
    for (path, body) in &fixed {
        project.write(path, body);
    }
    let mut left = findings(&project, code)?;
    // A run may warn of what it keeps.
    left.retain(|finding| finding["code"] == code || finding["severity"] == "error");
    if left.is_empty() { Ok(()) } else { Err(format!("the fixed version gives {left:?}")) }
}

/// What `validate` finds, or `apply` for codes of the run and of published versions.
fn findings(project: &Project, code: &str) -> Result<Vec<Value>, String> {
    if !code.starts_with("run::") {
        return Ok(project.findings());
    }
    let run = project.medc(&["apply", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.stdout).map_err(|error| format!("{error}: {run:?}"))?;
    report["diagnostics"].as_array().cloned().ok_or_else(|| format!("no diagnostics: {run:?}"))
}

/// The fenced blocks whose info string is `language path`.
fn blocks(markdown: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    for line in markdown.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(information)) => {
                open = information.split_once(' ').map(|(_, path)| (path.trim().to_owned(), String::new()));
            }
            (Some(_), Some("")) => found.extend(open.take()),
            (Some((_, body)), _) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}
