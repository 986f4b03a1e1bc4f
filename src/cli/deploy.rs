//! `medc apply` for an environment on Databricks: the bundle is written, checked, shown, deployed and, where asked, run.
//!
//! In: a project without errors in that environment. Out: what the `databricks` command said, its findings at the project's own
//! lines where they can be traced. Nothing is deployed before somebody agreed, at the terminal or with `--yes`.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::arguments::{Apply, ResultFormat};
use super::stages::{Loaded, Session};
use super::ui::Tone;
use super::{Done, Failure, Outcome, bundle};
use crate::diagnostic::{Diagnostic, Site, code};
use crate::engines::databricks::deploy::{DatabricksCli, Finding, Said, findings};
use crate::engines::databricks::manifest::{self, Manifest};
use crate::engines::databricks::{Target, table_key};

const FORMAT_VERSION: u32 = 1;

/// Deploys to the environment that was asked for.
pub(super) fn run(options: &Apply, session: &mut Session, loaded: &Loaded) -> Outcome {
    refuse_local_options(options)?;
    let environment = &loaded.resolved.environment;
    let Written { all, folder, cli } = write(session, loaded)?;
    let shown = folder.display().to_string();

    session.console.say(&format!("checking `{shown}`"))?;
    let checked = call(&cli, "validate", &["--strict"], session, false)?;
    report(&checked, &all, loaded, session);
    if !checked.is_success {
        return refused(&checked, "the Databricks CLI finds the bundle wrong", session);
    }
    session.console.say(&format!("what deploying to `{}` would change:", environment.name))?;
    let planned = call(&cli, "plan", &[], session, true)?;
    report(&planned, &all, loaded, session);
    if !planned.is_success {
        return refused(&planned, "the Databricks CLI cannot plan the deployment", session);
    }
    if !options.yes && !agreed(&environment.name)? {
        session.console.say("nothing was deployed")?;
        return Ok(Done::Unwell);
    }
    let deployed = call(&cli, "deploy", &["--auto-approve"], session, true)?;
    report(&deployed, &all, loaded, session);
    if !deployed.is_success {
        return refused(&deployed, "the deployment failed", session);
    }
    let has_succeeded = match &options.run {
        None => true,
        Some(job) => follow(&cli, job, session)?,
    };
    let paint = session.console.paint();
    session.console.say(&paint.tone(Tone::Good, &format!("deployed to `{}`", environment.name)))?;
    if options.format == ResultFormat::Json {
        let written = json!({
            "format_version": FORMAT_VERSION,
            "environment": environment.name,
            "bundle": shown,
            "deployed": true,
            "ran": options.run,
            "success": has_succeeded,
        });
        session.console.data(&format!("{}\n", serde_json::to_string_pretty(&written).expect("plain JSON")))?;
    }
    Ok(if has_succeeded { Done::Well } else { Done::Unwell })
}

/// The bundle as it would be deployed.
pub(super) struct Written {
    /// The project in each environment on Databricks.
    pub(super) all: Vec<Loaded>,
    pub(super) folder: PathBuf,
    pub(super) cli: DatabricksCli,
}

/// Writes the bundle with the manifest of what is deployed, and finds the command that deploys it.
///
/// # Errors
/// What emitting reports, a disk error, and where there is no `databricks` command.
pub(super) fn write(session: &mut Session, loaded: &Loaded) -> Result<Written, Failure> {
    let environment = &loaded.resolved.environment;
    let all = bundle::load_all(session)?;
    let mut emitted = bundle::emit(&all)?;
    let manifest = manifest(loaded, session.git_sha.as_deref());
    emitted.files.extend(manifest.map(|manifest| (manifest::path(&environment.name), manifest.text())));
    let folder = bundle_folder(loaded);
    bundle::write(&folder, &emitted).map_err(|message| Failure::Stopped { message })?;
    match DatabricksCli::find(&folder, &environment.name) {
        Some(cli) => Ok(Written { all, folder, cli }),
        None => Err(Failure::Stopped {
            message: format!(
                "there is no `databricks` command on the PATH; the bundle is written to `{}`\n  \
                 help: install the Databricks CLI (https://docs.databricks.com/dev-tools/cli/install), \
                 or deploy the bundle where it is installed: `databricks bundle deploy -t {}`",
                folder.display(),
                environment.name
            ),
        }),
    }
}

/// What would be deployed; `None` for a local environment.
pub(super) fn manifest(loaded: &Loaded, git_sha: Option<&str>) -> Option<Manifest> {
    let target = Target::of(&loaded.resolved.environment, &loaded.checked)?;
    Some(Manifest::of(&loaded.resolved.project.name, &target, git_sha))
}

/// Where the bundle that is deployed to an environment lies: each has a folder of its own, with the CLI's state in it.
fn bundle_folder(loaded: &Loaded) -> PathBuf {
    let folder: &Path = &loaded.resolved.project_dir;
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    folder.join(".medc").join("bundles").join(&loaded.resolved.environment.name)
}

fn refuse_local_options(options: &Apply) -> Result<(), Failure> {
    let given = [
        ("--select", !options.selection.select.is_empty()),
        ("--full-refresh", options.selection.full_refresh),
        ("--show", options.show.is_some()),
        ("--allow-destructive", options.allow_destructive),
        ("PLAN", options.plan.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(Failure::asked(
            format!("`{name}` is for tables on this machine; to Databricks a bundle is deployed whole"),
            Some(format!("remove `{name}`; `--run JOB` runs one of its jobs")),
        )),
        None => Ok(()),
    }
}

pub(super) fn call(
    cli: &DatabricksCli,
    verb: &str,
    arguments: &[&str],
    session: &Session,
    is_told: bool,
) -> Result<Said, Failure> {
    let mut tell = |line: &str| {
        if is_told {
            // A console that went away stops nothing that was begun.
            let _ = session.console.say(&format!("  {line}"));
        }
    };
    cli.bundle(verb, arguments, &mut tell)
        .map_err(|error| Failure::Stopped { message: format!("`databricks bundle {verb}` cannot be run: {error}") })
}

/// Runs a job and follows it.
fn follow(cli: &DatabricksCli, job: &str, session: &Session) -> Result<bool, Failure> {
    session.console.say(&format!("running `{job}`"))?;
    Ok(call(cli, "run", &[job], session, true)?.is_success)
}

/// Asks at the terminal.
fn agreed(environment: &str) -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::asked(
            format!("somebody has to agree to deploying to `{environment}`, and there is no terminal to ask at"),
            Some("add `--yes`".to_owned()),
        ));
    }
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "Deploy to `{environment}`? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// The command's findings as medc's own.
pub(super) fn report(said: &Said, all: &[Loaded], loaded: &Loaded, session: &mut Session) {
    for finding in findings(&said.lines) {
        let site = finding.places.iter().find_map(|place| trace(place, all, loaded));
        let Finding { is_error, message, places } = finding;
        let message = format!("Databricks CLI: {message}");
        let mut diagnostic = if is_error {
            Diagnostic::error(code::DEPLOYMENT, message)
        } else {
            Diagnostic::warning(code::DEPLOYMENT, message)
        };
        if let Some(site) = site {
            diagnostic = diagnostic.at(site, "");
        }
        if !places.is_empty() {
            diagnostic = diagnostic.note(format!("at {} of the bundle", places.join(", ")));
        }
        if is_error {
            session.diagnostics.error(diagnostic);
        } else {
            session.diagnostics.warn(diagnostic);
        }
    }
}

/// A failed call; what it said is shown where it named no finding.
pub(super) fn refused(said: &Said, message: &str, session: &mut Session) -> Outcome {
    if session.diagnostics.n_errors() > 0 {
        return Err(Failure::Reported);
    }
    let lines = said.lines.join("\n  ");
    Err(Failure::Stopped { message: format!("{message}\n  {lines}") })
}

/// The line of the project that a place in the bundle was made from.
fn trace(place: &str, all: &[Loaded], loaded: &Loaded) -> Option<Site> {
    let environments = all.iter().map(|one| &one.resolved.environment);
    if let Some(rest) = place.strip_prefix("targets.") {
        let mut named = environments.filter(|one| rest == one.name || rest.starts_with(&format!("{}.", one.name)));
        return named.next().map(|one| one.site.clone().key());
    }
    let nodes = loaded.checked.graph.nodes.values();
    nodes.filter(|node| place.contains(&table_key(&node.name))).map(|node| node.site.clone().key()).next()
}
