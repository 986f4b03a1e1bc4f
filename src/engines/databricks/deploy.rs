//! The `databricks` command, which deploys a bundle and runs its jobs.
//!
//! In: a bundle's folder and a target. Out: what the command said. Credentials are the command's own: it finds them in its profiles
//! and process variables, and medc neither reads nor passes them on. Nothing else here talks to a workspace.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// The command's name.
const COMMAND: &str = "databricks";

/// The `databricks` command, for one target of a bundle.
#[derive(Debug, Clone)]
pub struct DatabricksCli {
    program: PathBuf,
    bundle: PathBuf,
    target: String,
}

/// What one call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub is_success: bool,
    /// Its lines on stdout and on stderr, as they came.
    pub lines: Vec<String>,
}

impl DatabricksCli {
    /// Finds the command on the `PATH`; `None` where there is none.
    pub fn find(bundle: &Path, target: &str) -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let names = [COMMAND.to_owned(), format!("{COMMAND}{}", std::env::consts::EXE_SUFFIX)];
        let program = std::env::split_paths(&path)
            .flat_map(|folder| names.iter().map(move |name| folder.join(name)).collect::<Vec<_>>())
            .find(|candidate| candidate.is_file())?;
        Some(DatabricksCli { program, bundle: bundle.to_path_buf(), target: target.to_owned() })
    }

    /// Runs `databricks ARGUMENTS` in the bundle's folder and gives what it wrote to stdout, else what it said of why not.
    ///
    /// # Errors
    /// When the command cannot be started.
    pub fn ask(&self, arguments: &[&str]) -> std::io::Result<Result<String, String>> {
        let output =
            Command::new(&self.program).args(arguments).current_dir(&self.bundle).stdin(Stdio::null()).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
    }

    /// The target of the bundle.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Runs `databricks bundle VERB ARGUMENTS`, and tells each line as it comes.
    ///
    /// # Errors
    /// When the command cannot be started or read.
    pub fn bundle(&self, verb: &str, arguments: &[&str], tell: &mut dyn FnMut(&str)) -> std::io::Result<Said> {
        let mut child = Command::new(&self.program)
            .args(["bundle", verb, "--target", &self.target])
            .args(arguments)
            .current_dir(&self.bundle)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (sender, receiver) = mpsc::channel::<String>();
        let streams: [Option<Box<dyn std::io::Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>),
            child.stderr.take().map(|stream| Box::new(stream) as Box<dyn std::io::Read + Send>),
        ];
        let mut lines = Vec::new();
        std::thread::scope(|scope| {
            for stream in streams.into_iter().flatten() {
                let sender = sender.clone();
                scope.spawn(move || {
                    let mut reader = BufReader::new(stream);
                    let mut line = Vec::new();
                    while reader.read_until(b'\n', &mut line).is_ok_and(|n_bytes| n_bytes > 0) {
                        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                        line.clear();
                        if sender.send(text).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            for line in receiver {
                tell(&line);
                lines.push(line);
            }
        });
        Ok(Said { is_success: child.wait()?.success(), lines })
    }
}

/// What `databricks bundle plan` would do to resources, as verb and resource, e.g. `update` and `jobs.daily`.
pub fn planned(lines: &[String]) -> Vec<(String, String)> {
    const VERBS: [&str; 6] = ["create", "update", "update-with-id", "recreate", "resize", "delete"];
    let of_line = |line: &String| {
        let (verb, resource) = line.trim().split_once(' ')?;
        let is_resource = resource.contains('.') && !resource.contains(' ');
        (VERBS.contains(&verb) && is_resource).then(|| (verb.to_owned(), resource.to_owned()))
    };
    lines.iter().filter_map(of_line).collect()
}

/// A finding of the command: its message, and the places in the bundle that it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    pub is_error: bool,
    pub message: String,
    /// Paths of the configuration, e.g. `resources.jobs.daily.tasks[0]`.
    pub places: Vec<String>,
}

/// The findings among the lines of a call: `Error: …` or `Warning: …`, with lines `at PATH` and `in FILE:LINE:COLUMN` below.
pub fn findings(lines: &[String]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for line in lines {
        let begins = [("Error: ", true), ("Warning: ", false), ("Recommendation: ", false)];
        if let Some((message, is_error)) =
            begins.iter().find_map(|(word, is_error)| Some((line.strip_prefix(word)?, *is_error)))
        {
            found.push(Finding { is_error, message: message.to_owned(), places: Vec::new() });
        } else if let (Some(finding), Some(place)) = (found.last_mut(), line.trim_start().strip_prefix("at ")) {
            finding.places.push(place.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_have_places() {
        let text = "Error: reference does not exist: ${var.x}\n  at resources.jobs.daily.tasks[0]\n  in resources/daily.job.yml:3:7\n\nWarning: unknown field: foo\n  at targets.prod\n\nFound 1 error and 1 warning";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let found = findings(&lines);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].places, ["resources.jobs.daily.tasks[0]"]);
        assert!(!found[1].is_error && found[1].message == "unknown field: foo");
    }
}
