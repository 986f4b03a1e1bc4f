//! The bundle's README: what it is, how it is deployed and tested, and what its tables are.

use std::fmt::Write;

use super::{Target, package};
use crate::spec::{self, DeploymentMode};

/// The README's text.
pub(super) fn text(project: &spec::ProjectHeader, targets: &[Target<'_>]) -> String {
    let name = package::name(&project.name);
    let mut text = format!("# {}\n\n", line(&project.name));
    if let Some(description) = &project.description {
        let _ = writeln!(text, "{}\n", line(description));
    }
    let _ = writeln!(
        text,
        "A Databricks Asset Bundle that medc wrote. What is changed here is lost with the next `medc bundle`: change the project instead.\n"
    );
    if let Some(owner) = &project.owner {
        let _ = writeln!(text, "Owner: {}\n", line(owner));
    }
    let default = targets.iter().find(|target| target.databricks.mode == DeploymentMode::Development);
    let target = default.or(targets.first()).map_or("dev", |target| target.environment.name.as_str());
    let _ = write!(
        text,
        "## Deploying\n\n    databricks bundle validate --strict -t {target}\n    databricks bundle deploy -t {target}\n"
    );
    let jobs = targets.first().map(|target| &target.checked.graph.deployment.jobs);
    if let Some(job) = jobs.and_then(|jobs| jobs.keys().last()) {
        let _ = writeln!(text, "    databricks bundle run -t {target} {job}");
    }
    text.push_str("\n| target | mode | workspace | catalog |\n|---|---|---|---|\n");
    for target in targets {
        let place = target.databricks;
        let mode = match place.mode {
            DeploymentMode::Development => "development: each deployer has a copy",
            DeploymentMode::Production => "production",
        };
        let host = line(place.workspace.host.trim_end_matches('/'));
        let _ = writeln!(text, "| `{}` | {mode} | {host} | `{}` |", target.environment.name, line(&place.catalog));
    }
    text.push_str("\n## What is where\n\n");
    let is_pipeline = targets.first().is_some_and(Target::is_pipeline);
    let tables = if is_pipeline {
        ("src/pipeline/", "the tables, a file each: what it is, and what must be true of it")
    } else {
        ("src/notebooks/", "the tables: what each is, and what must be true of it")
    };
    let has_tests = targets.first().is_some_and(|target| !super::trials::files(&[*target], &name).is_empty());
    let package = format!("src/{name}/");
    let mut rows = vec![
        ("databricks.yml", "the bundle, and its targets"),
        ("resources/", "a file for each job, schema and so on"),
        tables,
        ("src/sql/", "the tables' queries and statements"),
        (package.as_str(), "what reads, casts, judges and publishes, the same for every table"),
    ];
    if targets.iter().any(|target| !target.checked.graph.deployment.files.is_empty()) {
        rows.push(("src/tasks/", "what tasks run that is the project's own"));
    }
    let more = [
        ("tests/", "tests of the tables' declarations and of the package"),
        ("fixtures/", "files that the tests read"),
    ];
    for (path, what) in rows.iter().chain(more.iter().filter(|_| has_tests)) {
        let _ = writeln!(text, "- `{path}`: {what}");
    }
    if has_tests {
        text.push_str(
            "\n## Testing\n\nWith Python 3.10 or newer and Java 17, on open-source Spark:\n\n    \
             python -m venv .venv && .venv/bin/pip install --group dev\n    .venv/bin/pytest\n    \
             .venv/bin/ruff check . && .venv/bin/ruff format --check .\n    .venv/bin/mypy\n",
        );
    }
    text.push_str("\n## Tables\n\n");
    if let Some(target) = targets.first() {
        let graph = &target.checked.graph;
        for &id in &graph.order {
            let node = graph.node(id);
            let described = node.description.as_deref().map(|text| format!(": {}", line(text)));
            let _ = writeln!(text, "- `{}`{}", node.name, described.unwrap_or_default());
        }
    }
    text
}

/// A text in one line, which Markdown takes for no table's border.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split(char::is_whitespace).filter(|word| !word.is_empty()).collect();
    words.join(" ").replace(char::is_control, "").replace('|', "\\|")
}
