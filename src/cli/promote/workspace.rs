//! Whether an environment on Databricks has passed: what is deployed there is this code, and its jobs ran it well.
//!
//! In: the environment and the commit. Out: why not. The CLI tells the last completed run of every job that builds tables; a
//! blocking expectation that does not hold fails its task, and so the run. Which commit a run was of is one of its parameters.

use serde_json::Value;

use crate::cli::Failure;
use crate::cli::deploy::{self, Written};
use crate::cli::environments::short;
use crate::cli::plan::deployed::{self, Deployed};
use crate::cli::stages::{Loaded, Session};
use crate::diagnostic::{Diagnostic, code};
use crate::engines::databricks::deploy::DatabricksCli;
use crate::ir::deployment::TaskBody;

/// Why the environment has not passed for the commit; nothing where it has.
pub(super) fn gate(source: &Loaded, git_sha: &str, session: &mut Session) -> Vec<Diagnostic> {
    let name = source.resolved.environment.name.clone();
    let refuse = |message: String| Diagnostic::error(code::NOT_PASSED, message);
    let asked = deploy::write(session, source)
        .and_then(|Written { cli, .. }| deployed::fetch(&cli, source).map(|deployed| (cli, deployed)));
    let (cli, deployed) = match asked {
        Ok((cli, Deployed::There(manifest))) => (cli, manifest),
        Ok((_, Deployed::Nothing { why })) => {
            let refusal = refuse(format!("nothing that medc deployed is in `{name}`")).note(why);
            return vec![refusal.help(format!("`medc apply -t {name}`, and run its jobs"))];
        }
        Err(Failure::Stopped { message } | Failure::Asked { message, .. }) => {
            return vec![
                refuse(format!("whether `{name}` passed cannot be known"))
                    .note(message)
                    .help("promote where the Databricks CLI is installed and signed in"),
            ];
        }
        Err(Failure::Reported | Failure::Console(_)) => return Vec::new(),
    };
    let now = deploy::manifest(source, None).expect("an environment on Databricks");
    if deployed.git_sha.as_deref() != Some(git_sha) || deployed.tables != now.tables {
        let there = short(deployed.git_sha.as_deref());
        return vec![
            refuse(format!("what is deployed to `{name}` is not this code"))
                .note(format!("it is {there}, and here is {}", short(Some(git_sha))))
                .help(format!("`medc apply -t {name}` from this commit, and run its jobs")),
        ];
    }
    let jobs = source.checked.graph.deployment.jobs.iter().filter(|(_, job)| {
        job.tasks.iter().any(|task| matches!(task.body, TaskBody::Table(_) | TaskBody::Pipeline { .. }))
    });
    let keys: Vec<&str> = jobs.map(|(key, _)| key.as_str()).collect();
    let ids = job_ids(&cli);
    let refused = keys.into_iter().filter_map(|key| {
        let why = match ids.get(key).and_then(Value::as_str) {
            None => "it is not deployed".to_owned(),
            Some(id) => last_run(&cli, id, git_sha)?,
        };
        let refusal = refuse(format!("the job `{key}` of `{name}` has not passed for this commit")).note(why);
        Some(refusal.help(format!("`databricks bundle run {key} -t {name}` in `.medc/bundles/{name}`, or wait for it")))
    });
    refused.collect()
}

/// The jobs' ids by key.
fn job_ids(cli: &DatabricksCli) -> serde_json::Map<String, Value> {
    let answer = cli.ask(&["bundle", "summary", "--target", cli.target(), "--output", "json"]);
    let text = answer.ok().and_then(Result::ok).unwrap_or_default();
    let summary: Value = serde_json::from_str(&text).unwrap_or_default();
    let jobs = summary["resources"]["jobs"].as_object().cloned().unwrap_or_default();
    jobs.into_iter().map(|(key, job)| (key, job["id"].clone())).collect()
}

/// Why a job's last completed run is no pass of the commit.
fn last_run(cli: &DatabricksCli, id: &str, git_sha: &str) -> Option<String> {
    let answer = cli.ask(&[
        "jobs",
        "list-runs",
        "--job-id",
        id,
        "--completed-only",
        "--limit",
        "1",
        "--target",
        cli.target(),
        "--output",
        "json",
    ]);
    let text = match answer {
        Ok(Ok(text)) => text,
        Ok(Err(said)) => return Some(said),
        Err(error) => return Some(error.to_string()),
    };
    let answer: Value = serde_json::from_str(&text).unwrap_or_default();
    let runs = answer.as_array().or_else(|| answer["runs"].as_array());
    let Some(run) = runs.and_then(|runs| runs.first()) else { return Some("it has not run yet".to_owned()) };
    let result = run["state"]["result_state"].as_str();
    let result = result.or_else(|| run["status"]["termination_details"]["code"].as_str()).unwrap_or("unknown");
    if result != "SUCCESS" {
        return Some(format!("its last run ended with {result}"));
    }
    let parameters = run["job_parameters"].as_array().into_iter().flatten();
    let sha = parameters
        .filter(|one| one["name"] == "git_sha")
        .find_map(|one| one["value"].as_str().or_else(|| one["default"].as_str()).map(str::to_owned));
    (sha.as_deref() != Some(git_sha)).then(|| format!("its last run was of {}", short(sha.as_deref())))
}
