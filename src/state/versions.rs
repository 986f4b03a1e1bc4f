//! A table's versions: when each was made and by which run, and what was ingested by then.
//!
//! In: a table's folder. Out: its versions, oldest first, as far as the log still has their commits, and the application
//! transactions as of one of them. Times are the commits' own, raised where a clock jumped back so that they never fall,
//! as Delta's time travel does. Reads the log's files only.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::log;

/// One version of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    pub version: i64,
    /// Milliseconds since 1970, UTC; never before that of an earlier version.
    pub at_ms: i64,
    /// medc's run; `None` for another writer's commit.
    pub run_id: Option<String>,
    /// What medc wrote into the commit, by key.
    pub written: BTreeMap<String, Value>,
}

/// The versions whose commits are there, oldest first; none where there is no log.
///
/// # Errors
/// What is wrong with the log, in a phrase.
pub fn versions(folder: &Path) -> Result<Vec<Version>, String> {
    let Some(files) = log::list(folder)? else { return Ok(Vec::new()) };
    let mut found: Vec<Version> = Vec::new();
    for (&version, path) in &files.commits {
        let text = std::fs::read_to_string(path).map_err(|error| format!("reading `{}`: {error}", path.display()))?;
        let mut info = Value::Null;
        for line in text.lines().filter(|line| line.contains("\"commitInfo\"")) {
            let mut action: Value = serde_json::from_str(line)
                .map_err(|error| format!("`{}` is not what Delta writes: {error}", path.display()))?;
            info = action["commitInfo"].take();
        }
        let before = found.last().map_or(i64::MIN, |before| before.at_ms);
        let members = info.as_object().into_iter().flatten().filter(|(key, _)| key.starts_with("medc."));
        found.push(Version {
            version,
            at_ms: info["timestamp"].as_i64().unwrap_or(before).max(before),
            run_id: info["medc.run_id"].as_str().map(str::to_owned),
            written: members.map(|(key, value)| (key.clone(), value.clone())).collect(),
        });
    }
    Ok(found)
}

/// The application transactions as of a version, by application.
///
/// # Errors
/// What is wrong with the log, in a phrase.
pub fn transactions(folder: &Path, at: i64) -> Result<BTreeMap<String, i64>, String> {
    let Some(files) = log::list(folder)? else { return Ok(BTreeMap::new()) };
    let mut found = BTreeMap::new();
    let checkpoint = files.checkpoints.range(..=at).next_back();
    for path in checkpoint.into_iter().flat_map(|(_, paths)| paths) {
        let read = log::read_transactions(path, "", &mut found);
        read.map_err(|error| format!("reading `{}`: {error}", path.display()))?;
    }
    let first = checkpoint.map_or(0, |(version, _)| version + 1);
    for path in files.commits.range(first..=at.max(first)).filter(|(version, _)| **version <= at).map(|(_, path)| path)
    {
        let text = std::fs::read_to_string(path).map_err(|error| format!("reading `{}`: {error}", path.display()))?;
        for line in text.lines().filter(|line| line.contains("\"txn\"")) {
            let action: Value = serde_json::from_str(line)
                .map_err(|error| format!("`{}` is not what Delta writes: {error}", path.display()))?;
            let transaction = &action["txn"];
            if let (Some(application), Some(version)) = (transaction["appId"].as_str(), transaction["version"].as_i64())
            {
                found.insert(application.to_owned(), version);
            }
        }
    }
    Ok(found)
}

/// The newest version that was there at a time.
pub fn at_time(versions: &[Version], at_ms: i64) -> Option<&Version> {
    versions.iter().rev().find(|version| version.at_ms <= at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_never_fall_and_transactions_are_as_of_a_version() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("_delta_log");
        std::fs::create_dir(&log).expect("a folder");
        for (version, time, files) in [(0, 100, "a"), (1, 50, "b"), (2, 300, "a")] {
            let text = format!(
                "{{\"commitInfo\":{{\"timestamp\":{time},\"medc.run_id\":\"run{version}\"}}}}\n{{\"txn\":{{\"appId\":\"{files}\",\
                 \"version\":{version}}}}}\n"
            );
            std::fs::write(log.join(format!("{version:020}.json")), text).expect("written");
        }
        let found = versions(folder.path()).expect("versions");
        assert_eq!(found.iter().map(|version| version.at_ms).collect::<Vec<_>>(), [100, 100, 300]);
        assert_eq!(at_time(&found, 299).map(|version| version.version), Some(1));
        assert_eq!(at_time(&found, 99), None);
        assert_eq!(found[2].run_id.as_deref(), Some("run2"));
        let known = |at| transactions(folder.path(), at).expect("transactions").into_iter().collect::<Vec<_>>();
        assert_eq!(known(1), [("a".to_owned(), 0), ("b".to_owned(), 1)]);
        assert_eq!(known(2), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }
}
