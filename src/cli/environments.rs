//! What is in which environment: `medc status`, and `medc plan --from A -t B`.
//!
//! In: the project, resolved for each environment. Out: an [`Inventory`] each, read from the warehouse's tables, or from the
//! manifest of what is deployed. What cannot be read is said, and is nobody's failure: an environment that was never built is
//! an environment.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Failure;
use super::deploy::{self, Written};
use super::plan::deployed::{self, Deployed};
use super::stages::{self, Loaded, Session};
use crate::compatibility::stored::Stored as StoredPromise;
use crate::diagnostic::Diagnostics;
use crate::engines::databricks::manifest::Manifest;
use crate::engines::local::history::{self, registry};
use crate::plan::{dataset_definition, fingerprints};
use crate::resolve::Place;
use crate::state::{self, Parts};

pub(super) mod compared;
pub(super) mod status;

/// What is in one environment.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Inventory {
    pub(super) environment: String,
    pub(super) engine: &'static str,
    /// The newest commit of the project that something in it was made from.
    pub(super) git_sha: Option<String>,
    pub(super) last_run: Option<LastRun>,
    /// Of each table that is there, by name.
    #[serde(skip)]
    pub(super) tables: BTreeMap<String, Built>,
    /// Tables whose definition there is another than the project's, or that are not there.
    pub(super) differing: Vec<String>,
    pub(super) n_tables: usize,
    /// The version of each contract that a table was written with.
    pub(super) contracts: BTreeMap<String, String>,
    /// By `model@version`.
    pub(super) datasets: BTreeMap<String, InDataset>,
    /// Hashes by resource and key; of an environment on Databricks.
    pub(super) resources: BTreeMap<String, BTreeMap<String, String>>,
    /// Why something is not known.
    pub(super) note: Option<String>,
}

/// A run, as far as a glance needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LastRun {
    pub(super) run_id: String,
    pub(super) status: Option<String>,
    pub(super) git_sha: Option<String>,
    /// Microseconds since 1970, UTC.
    pub(super) started_at: Option<i64>,
}

/// A table as it was built or deployed.
#[derive(Debug, Clone, Default)]
pub(super) struct Built {
    pub(super) parts: Option<Parts>,
}

/// A dataset's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct InDataset {
    pub(super) table: String,
    pub(super) definition: String,
    /// Since when this definition of the version is there, microseconds since 1970, UTC.
    pub(super) since: Option<i64>,
    pub(super) git_sha: Option<String>,
}

impl Inventory {
    /// What is in the environment that `loaded` is of.
    pub(super) fn of(loaded: &Loaded, session: &mut Session) -> Result<Self, Failure> {
        match &loaded.resolved.environment.place {
            Place::Local { .. } => Ok(of_warehouse(loaded)),
            Place::Databricks(_) => of_workspace(loaded, session),
        }
    }

    fn put_contract(&mut self, promise: &StoredPromise) {
        let version = promise.version.clone().unwrap_or_else(|| "no version".to_owned());
        let known = self.contracts.entry(promise.contract.clone()).or_insert_with(|| version.clone());
        if !known.split(", ").any(|one| one == version) {
            // Tables that keep it were written at different times.
            *known = format!("{known}, {version}");
        }
    }
}

fn of_warehouse(loaded: &Loaded) -> Inventory {
    let (checked, warehouse) = (&loaded.checked, loaded.warehouse());
    let graph = &checked.graph;
    let mut found = Inventory {
        environment: loaded.resolved.environment.name.clone(),
        engine: "local",
        n_tables: graph.nodes.len(),
        ..Inventory::default()
    };
    let mut diagnostics = Diagnostics::new();
    let Ok(state) = state::read(checked, &warehouse, &mut diagnostics) else {
        found.note = diagnostics.iter().next().map(|diagnostic| diagnostic.message.clone());
        return found;
    };
    let fingerprints = fingerprints(graph);
    let stored = graph.order.iter().filter(|id| graph.node(**id).write.mode != crate::ir::WriteMode::View);
    for &id in stored {
        let node = graph.node(id);
        let commit = state.tables.get(&node.name).and_then(|table| table.commit.as_ref());
        if commit.is_none_or(|commit| commit.fingerprint != fingerprints[id.index()]) {
            found.differing.push(node.name.to_string());
        }
        let Some(commit) = commit else { continue };
        let parts = commit.parts();
        if let Some(promise) = parts.as_ref().and_then(|parts| parts.promise.as_ref()) {
            found.put_contract(promise);
        }
        if let Some(dataset) = &node.dataset {
            let definition = commit.definition.clone().unwrap_or_else(|| dataset_definition(dataset));
            let table = node.name.to_string();
            let known = InDataset { table, definition, since: None, git_sha: commit.git_sha.clone() };
            found.datasets.insert(format!("{}@{}", dataset.model, dataset.version), known);
        }
        found.tables.insert(node.name.to_string(), Built { parts });
    }
    let runtime = stages::runtime();
    match runtime.block_on(history::read(&warehouse, 1)) {
        Ok(history) => {
            let last = history.runs.last();
            found.git_sha = last.and_then(|run| run.git_sha.clone());
            found.last_run = last.map(|run| LastRun {
                run_id: run.run_id.clone(),
                status: run.status.clone(),
                git_sha: run.git_sha.clone(),
                started_at: run.started_at,
            });
        }
        Err(diagnostic) => found.note = Some(diagnostic.message),
    }
    match runtime.block_on(registry::read(&warehouse)) {
        Ok(rows) => since(&mut found, &rows),
        Err(diagnostic) => found.note = Some(diagnostic.message),
    }
    found
}

/// Since when each dataset is there: from the first row of its newest unbroken run of rows with this definition.
fn since(found: &mut Inventory, rows: &[registry::Registered]) {
    for (key, dataset) in &mut found.datasets {
        let of_dataset = rows.iter().rev().filter(|row| {
            format!("{}@{}", row.model, row.version) == *key
                && row.environment.as_deref().is_none_or(|name| name == found.environment)
        });
        let same = of_dataset.take_while(|row| row.definition.as_deref().is_none_or(|one| one == dataset.definition));
        for row in same {
            dataset.since = row.registered_at;
        }
    }
}

fn of_workspace(loaded: &Loaded, session: &mut Session) -> Result<Inventory, Failure> {
    let mut found = Inventory {
        environment: loaded.resolved.environment.name.clone(),
        engine: "databricks",
        n_tables: loaded.checked.graph.nodes.len(),
        ..Inventory::default()
    };
    let fetched = deploy::write(session, loaded).and_then(|Written { cli, .. }| deployed::fetch(&cli, loaded));
    let deployed = match fetched {
        Ok(Deployed::There(manifest)) => *manifest,
        Ok(Deployed::Nothing { why }) => {
            found.note = Some(format!("nothing that medc deployed is there ({why})"));
            return Ok(found);
        }
        Err(Failure::Stopped { message }) => {
            found.note = message.lines().next().map(str::to_owned);
            return Ok(found);
        }
        Err(failure) => return Err(failure),
    };
    let now = deploy::manifest(loaded, None).expect("an environment on Databricks");
    let is_other = |(name, table): &(&String, &_)| deployed.tables.get(*name) != Some(*table);
    found.differing = now.tables.iter().filter(is_other).map(|(name, _)| name.clone()).collect();
    for table in deployed.tables.values() {
        if let Some(promise) = &table.parts.promise {
            found.put_contract(promise);
        }
    }
    let Manifest { git_sha, tables, datasets, resources, .. } = deployed;
    found.datasets = datasets
        .into_iter()
        .map(|(key, dataset)| {
            let known = InDataset {
                table: dataset.table,
                definition: dataset.definition,
                since: None,
                git_sha: git_sha.clone(),
            };
            (key, known)
        })
        .collect();
    found.tables = tables.into_iter().map(|(name, table)| (name, Built { parts: Some(table.parts) })).collect();
    (found.git_sha, found.resources) = (git_sha, resources);
    Ok(found)
}

/// A commit, as people read it.
pub(super) fn short(git_sha: Option<&str>) -> String {
    git_sha.map_or_else(|| "no commit".to_owned(), |sha| sha.chars().take(12).collect())
}

/// A time in UTC to the minute.
pub(super) fn minute(micros: i64) -> String {
    let days = micros.div_euclid(86_400_000_000);
    let minutes = micros.rem_euclid(86_400_000_000) / 60_000_000;
    // Days to a date of the Gregorian calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_the_minute() {
        assert_eq!(minute(0), "1970-01-01 00:00");
        assert_eq!(minute(1_709_210_096_000_000), "2024-02-29 12:34");
        assert_eq!(minute(-60_000_000), "1969-12-31 23:59");
    }
}
