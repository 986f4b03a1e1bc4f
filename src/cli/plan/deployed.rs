//! `medc plan` for an environment on Databricks: what a deployment would change, held against the manifest of what is deployed.
//!
//! In: a project without errors in that environment. Out: resources, tables, contracts and models that would change, and resources
//! that somebody changed by hand, as the Databricks CLI's own plan tells them. The manifest is read back through the CLI;
//! nothing is deployed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::human::felt_words;
use super::words::parts_words;
use crate::cli::arguments::{self, PlanFormat};
use crate::cli::contract;
use crate::cli::deploy::{self, Written};
use crate::cli::markdown::{cell, code};
use crate::cli::stages::{Loaded, Session};
use crate::cli::ui::{self, Paint, Tone};
use crate::cli::{Done, Failure, Outcome};
use crate::compatibility::Grade;
use crate::engines::databricks::deploy::{DatabricksCli, planned};
use crate::engines::databricks::manifest::{self, Changes, How, Manifest, TableChange};

const FORMAT_VERSION: u32 = 1;

/// Plans a deployment and writes the plan to stdout.
pub(super) fn run(options: &arguments::Plan, session: &mut Session, loaded: &Loaded) -> Outcome {
    refuse_local_options(options)?;
    let Written { all, cli, .. } = deploy::write(session, loaded)?;
    let deployed = fetch(&cli, loaded)?;
    let said = deploy::call(&cli, "plan", &[], session, false)?;
    deploy::report(&said, &all, loaded, session);
    if !said.is_success {
        return deploy::refused(&said, "the Databricks CLI cannot plan the deployment", session);
    }
    let now = deploy::manifest(loaded, session.git_sha.as_deref()).expect("an environment on Databricks");
    let before = match &deployed {
        Deployed::There(manifest) => Some(manifest.as_ref()),
        Deployed::Nothing { .. } => None,
    };
    let changes = Changes::between(before, &now, &loaded.checked);
    let shown = Shown { by_hand: by_hand(&planned(&said.lines), &changes, before), deployed: &deployed, now, changes };
    let is_well = session.diagnostics.n_errors() == 0;
    match options.format() {
        PlanFormat::Human => {
            session.show_findings()?;
            session.console.data(&human(&shown, session.console.paint_data()))?;
            if shown.has_changes() {
                session.console.hint(&format!("run `medc apply -t {}` to deploy", shown.now.environment))?;
            }
        }
        PlanFormat::Markdown => {
            session.show_findings()?;
            session.console.data(&markdown(&shown))?;
        }
        PlanFormat::Json => {
            session.findings_were_shown();
            let written = machine(&shown, &session.findings());
            session.console.data(&format!("{}\n", serde_json::to_string_pretty(&written).expect("plain JSON")))?;
        }
    }
    Ok(match (is_well, options.exit_code && shown.has_changes()) {
        (false, _) => Done::Unwell,
        (true, true) => Done::Changes,
        (true, false) => Done::Well,
    })
}

fn refuse_local_options(options: &arguments::Plan) -> Result<(), Failure> {
    let given = [
        ("--select", !options.selection.select.is_empty()),
        ("--full-refresh", options.selection.full_refresh),
        ("--allow-destructive", options.allow_destructive),
        ("--out", options.out.is_some()),
        ("--why", options.why.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(Failure::asked(
            format!("`{name}` is for tables on this machine; to Databricks a bundle is deployed whole"),
            Some(format!("remove `{name}`")),
        )),
        None => Ok(()),
    }
}

/// What is deployed, as far as it can be known.
pub(in crate::cli) enum Deployed {
    There(Box<Manifest>),
    /// With the first line of what the CLI said.
    Nothing {
        why: String,
    },
}

/// Reads the manifest back from where the bundle's files are deployed.
///
/// # Errors
/// When the command cannot be run, or knows nothing of the workspace.
pub(in crate::cli) fn fetch(cli: &DatabricksCli, loaded: &Loaded) -> Result<Deployed, Failure> {
    let target = cli.target();
    let started = |error: std::io::Error| Failure::Stopped { message: format!("`databricks` cannot be run: {error}") };
    let summary =
        cli.ask(&["bundle", "summary", "--target", target, "--output", "json"]).map_err(started)?.map_err(|said| {
            Failure::Stopped { message: format!("the Databricks CLI cannot say where it deploys\n  {said}") }
        })?;
    let summary: Value = serde_json::from_str(&summary).unwrap_or_default();
    let workspace = &summary["workspace"];
    let files = workspace["file_path"].as_str().map(str::to_owned);
    let files = files.or_else(|| Some(format!("{}/files", workspace["root_path"].as_str()?)));
    let Some(files) = files else {
        return Err(Failure::Stopped { message: "the Databricks CLI does not say where it deploys files".to_owned() });
    };
    let remote = format!("{files}/{}", manifest::path(target));
    let local = loaded.resolved.project_dir.join(".medc").join(format!("deployed-{target}.json"));
    // What an earlier call read must not be taken for what is there.
    let _ = std::fs::remove_file(&local);
    let local_text = from_root(&local);
    let exported = cli
        .ask(&["workspace", "export", &remote, "--format", "AUTO", "--file", &local_text, "--target", target])
        .map_err(started)?;
    let text = match exported {
        Ok(_) => std::fs::read_to_string(&local).map_err(|error| error.to_string()),
        Err(said) => Err(said),
    };
    let _ = std::fs::remove_file(&local);
    Ok(match text.and_then(|text| Manifest::read(&text)) {
        Ok(manifest) => Deployed::There(Box::new(manifest)),
        Err(why) => Deployed::Nothing { why: why.lines().next().unwrap_or_default().to_owned() },
    })
}

/// A path as text, from the root: the command runs in another folder.
fn from_root(path: &std::path::Path) -> String {
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    let path = parent.zip(path.file_name()).map_or_else(|| path.to_path_buf(), |(parent, name)| parent.join(name));
    path.display().to_string()
}

struct Shown<'a> {
    deployed: &'a Deployed,
    now: Manifest,
    changes: Changes,
    /// Resources that the CLI would change although the project says the same, with the CLI's verb.
    by_hand: Vec<(String, String)>,
}

impl Shown<'_> {
    fn has_changes(&self) -> bool {
        !self.changes.is_empty() || !self.by_hand.is_empty()
    }
}

fn by_hand(planned: &[(String, String)], changes: &Changes, before: Option<&Manifest>) -> Vec<(String, String)> {
    let Some(before) = before else { return Vec::new() };
    let is_ours = |resource: &str| changes.resources.iter().any(|change| change.resource == resource);
    let planned = planned.iter().filter(|(_, resource)| !is_ours(resource) && before.resources.contains_key(resource));
    planned.map(|(verb, resource)| (resource.clone(), verb.clone())).collect()
}

fn symbol(how: How) -> &'static str {
    match how {
        How::Create => "+",
        How::Change => "~",
        How::Remove => "-",
    }
}

fn table_words(change: &TableChange) -> String {
    match change.how {
        How::Create => "new; its job builds it".to_owned(),
        How::Remove => "declared no longer; its job goes, the table stays in the catalog".to_owned(),
        How::Change if change.definition.is_empty() => "its contract or its checks changed".to_owned(),
        How::Change => format!("{}; its job's next run follows", parts_words(&change.definition)),
    }
}

fn human(shown: &Shown<'_>, paint: Paint) -> String {
    let Shown { deployed, now, changes, by_hand } = shown;
    let mut text = String::new();
    let title = |text: &mut String, title: &str| {
        let _ = writeln!(text, "{}", paint.tone(Tone::Faint, title));
    };
    if !changes.resources.is_empty() || !by_hand.is_empty() {
        title(&mut text, "infrastructure");
    }
    for change in &changes.resources {
        let keys = change.keys.join(", ");
        let _ = writeln!(text, "  {} {}  {keys}", symbol(change.how), paint.tone(Tone::Strong, &change.resource));
    }
    for (resource, verb) in by_hand {
        let symbol = paint.tone(Tone::Caution, "!");
        let name = paint.tone(Tone::Strong, resource);
        let _ = writeln!(
            text,
            "  {symbol} {name}  changed by hand: the CLI would {verb} it, and the project did not change"
        );
    }
    if !changes.tables.is_empty() {
        title(&mut text, "tables");
    }
    for change in &changes.tables {
        let name = paint.tone(Tone::Strong, &change.table);
        let _ = writeln!(text, "  {} {name}  {}", symbol(change.how), table_words(change));
        for column in &change.columns {
            let _ = writeln!(text, "      {}", paint.tone(Tone::Faint, &column.to_string()));
        }
        let felt = felt_words(&change.felt);
        if !felt.is_empty() {
            let _ = writeln!(text, "      {}", paint.tone(Tone::Faint, &format!("felt by {felt}")));
        }
    }
    let graded = || changes.tables.iter().filter_map(|change| Some((change, change.contract.as_ref()?)));
    if graded().next().is_some() {
        title(&mut text, "contracts and checks");
    }
    for (change, compared) in graded() {
        let grade = compared.grade().map_or("", Grade::word);
        let name = paint.tone(Tone::Strong, &compared.contract);
        let _ = writeln!(text, "  {name} of {}  {}  {grade}", change.table, contract::versions(compared));
        let mut lines = String::new();
        for one in &compared.changes {
            contract::one(one, paint, &mut lines);
        }
        for line in lines.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    if !changes.datasets.is_empty() {
        title(&mut text, "models");
    }
    for (dataset, how) in &changes.datasets {
        let _ = writeln!(text, "  {} dataset {}", symbol(*how), paint.tone(Tone::Strong, dataset));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}\n{}", summary(shown), whence(deployed, now));
    text
}

fn summary(shown: &Shown<'_>) -> String {
    let Changes { resources, tables, datasets, n_unchanged_resources, n_unchanged_tables } = &shown.changes;
    if !shown.has_changes() {
        let n = ui::count((n_unchanged_resources + n_unchanged_tables) as u64, "resource and table");
        return format!("No changes. {n} as deployed.").replace("resource and tables", "resources and tables");
    }
    let n = |n: usize, noun: &str| ui::count(n as u64, noun);
    format!(
        "Plan: {}, {}, {} to change; {} unchanged.",
        n(resources.len() + shown.by_hand.len(), "resource"),
        n(tables.len(), "table"),
        n(datasets.len(), "dataset"),
        n(n_unchanged_resources + n_unchanged_tables, "other"),
    )
}

fn whence(deployed: &Deployed, now: &Manifest) -> String {
    let sha =
        |sha: &Option<String>| sha.as_deref().map_or("no commit".to_owned(), |sha| sha.chars().take(12).collect());
    match deployed {
        Deployed::There(manifest) => {
            format!(
                "Deployed: {} by medc {}; here: {}.",
                sha(&manifest.git_sha),
                manifest.medc_version,
                sha(&now.git_sha)
            )
        }
        Deployed::Nothing { why } => format!("Nothing that medc deployed is there ({why})."),
    }
}

fn markdown(shown: &Shown<'_>) -> String {
    let mut text = format!("### Plan for {}\n\n{}\n\n", code(&shown.now.environment), summary(shown));
    if shown.has_changes() {
        text.push_str("| | what | change |\n|---|---|---|\n");
    }
    for change in &shown.changes.resources {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            symbol(change.how),
            code(&change.resource),
            cell(&change.keys.join(", "))
        );
    }
    for (resource, verb) in &shown.by_hand {
        let _ = writeln!(text, "| ! | {} | changed by hand: the CLI would {verb} it |", code(resource));
    }
    for change in &shown.changes.tables {
        let mut lines = vec![cell(&table_words(change))];
        lines.extend(change.columns.iter().map(|column| cell(&column.to_string())));
        if let Some(compared) = &change.contract {
            let grade = compared.grade().map_or("", Grade::word);
            lines.push(format!("contract {} {}: {grade}", cell(&compared.contract), contract::versions(compared)));
        }
        let _ = writeln!(text, "| {} | {} | {} |", symbol(change.how), code(&change.table), lines.join("<br>"));
    }
    for (dataset, how) in &shown.changes.datasets {
        let _ = writeln!(text, "| {} | dataset {} | |", symbol(*how), code(dataset));
    }
    let _ = writeln!(text, "\n{}\n", cell(&whence(shown.deployed, &shown.now)));
    text
}

fn machine(shown: &Shown<'_>, diagnostics: &Value) -> Value {
    let Shown { deployed, now, changes, by_hand } = shown;
    let table = |change: &TableChange| {
        json!({
            "table": change.table,
            "change": change.how,
            "definition": change.definition,
            "columns": change.columns,
            "contract": change.contract.as_ref().map(contract::compared),
            "felt_by": change.felt,
        })
    };
    let (before, why) = match deployed {
        Deployed::There(manifest) => (Some(manifest), None),
        Deployed::Nothing { why } => (None, Some(why)),
    };
    json!({
        "format_version": FORMAT_VERSION,
        "environment": now.environment,
        "git_sha": now.git_sha,
        "deployed": before.map(|manifest| json!({
            "git_sha": manifest.git_sha, "medc_version": manifest.medc_version,
        })),
        "not_deployed": why,
        "resources": changes.resources,
        "by_hand": by_hand.iter().map(|(resource, verb)| json!({"resource": resource, "change": verb})).collect::<Vec<_>>(),
        "tables": changes.tables.iter().map(table).collect::<Vec<_>>(),
        "datasets": changes.datasets.iter().map(|(dataset, how)| json!({"dataset": dataset, "change": how})).collect::<Vec<_>>(),
        "n_unchanged": changes.n_unchanged_resources + changes.n_unchanged_tables,
        "diagnostics": diagnostics,
    })
}
