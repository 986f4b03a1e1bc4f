//! A report as plain values: what `--format json` writes and what the page is laid out from.
//!
//! Everything stands in the graph's order, runs oldest first. Times are RFC 3339 in UTC. Nothing in it shows a value of a masked
//! column. It decides nothing about looks.

use serde::Serialize;
use serde_json::Value;

use crate::engines::local::profile::{Stored, TableProfile};
use crate::ir::Dimension;

/// Raised when a key changes its meaning or goes.
pub(super) const FORMAT_VERSION: u32 = 1;

/// The quality of a project's tables at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Report {
    pub(super) format_version: u32,
    pub(super) medc_version: &'static str,
    pub(super) project: Project,
    pub(super) environment: String,
    pub(super) generated_at: String,
    pub(super) git_sha: Option<String>,
    /// What `--select` was given; empty for all tables.
    pub(super) selected: Vec<String>,
    /// Whether rows were profiled.
    pub(super) is_profiled: bool,
    pub(super) summary: Summary,
    pub(super) dimensions: Vec<DimensionScore>,
    pub(super) runs: Vec<Run>,
    pub(super) layers: Vec<Layer>,
    pub(super) tables: Vec<Table>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Project {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) owner: Option<String>,
}

/// Counts over all tables of the report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) n_tables: u64,
    pub(super) n_built: u64,
    pub(super) n_rows: u64,
    pub(super) n_quarantined: u64,
    pub(super) expectations: Tally,
}

/// What became of expectations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_field_names, reason = "counts are `n_…`")]
pub(super) struct Tally {
    pub(super) n_passed: u64,
    /// Broken ones that keep a table from being published.
    pub(super) n_failed: u64,
    /// Broken ones whose rows were dropped or quarantined.
    pub(super) n_set_aside: u64,
    pub(super) n_warned: u64,
    /// Declared, but not checked by any run yet.
    pub(super) n_unchecked: u64,
}

impl Tally {
    pub(super) fn n_checked(self) -> u64 {
        self.n_passed + self.n_broken()
    }

    pub(super) fn n_broken(self) -> u64 {
        self.n_failed + self.n_set_aside + self.n_warned
    }

    pub(super) fn count(&mut self, status: Status) {
        match status {
            Status::Passed => self.n_passed += 1,
            Status::Failed => self.n_failed += 1,
            Status::SetAside => self.n_set_aside += 1,
            Status::Warned => self.n_warned += 1,
            Status::Unchecked => self.n_unchecked += 1,
        }
    }
}

/// What became of an expectation the last time, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Failed,
    SetAside,
    Warned,
    Unchecked,
    Passed,
}

/// One dimension of quality over all tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct DimensionScore {
    pub(super) dimension: Dimension,
    pub(super) expectations: Tally,
    /// Values or rows that were judged, and how many of them broke what was expected.
    pub(super) n_considered: u64,
    pub(super) n_violating: u64,
    /// The share of expectations that held, run by run; `None` for a run that checked none.
    pub(super) trend: Vec<Option<f64>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "as the ledger has it")]
pub(super) struct Run {
    pub(super) run_id: String,
    pub(super) started_at: Option<String>,
    pub(super) duration_s: Option<f64>,
    /// `succeeded` or `failed`; `None` for a run that only tested.
    pub(super) status: Option<String>,
    pub(super) git_sha: Option<String>,
    pub(super) n_done: u64,
    pub(super) n_failed: u64,
    pub(super) n_skipped: u64,
    /// Expectations that this run checked, and those that held.
    pub(super) n_checked: u64,
    pub(super) n_passed: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) tables: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) layer: String,
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) description: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) contract: Option<Contract>,
    pub(super) write_mode: &'static str,
    pub(super) reads: Vec<String>,
    pub(super) read_by: Vec<String>,
    /// `None` for a view and for what was never built.
    pub(super) stored: Option<Stored>,
    pub(super) written_at: Option<String>,
    /// Rows in `<table>_quarantine`.
    pub(super) n_quarantined: Option<u64>,
    /// Why it cannot be read.
    pub(super) problem: Option<String>,
    pub(super) checked_at: Option<String>,
    pub(super) tally: Tally,
    pub(super) expectations: Vec<Expectation>,
    /// The share of expectations that held, run by run; `None` for a run that did not check the table.
    pub(super) trend: Vec<Option<f64>>,
    pub(super) columns: Vec<Column>,
    pub(super) profile: Option<TableProfile>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Source,
    Table,
    View,
}

/// How a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It lies in the warehouse but cannot be read.
    Broken,
    /// A blocking expectation does not hold.
    Failing,
    /// Something is broken that does not keep it from being published.
    Flawed,
    NotBuilt,
    /// Built, and nothing is expected of it, or nothing was checked yet.
    Unchecked,
    Sound,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Contract {
    pub(super) name: String,
    pub(super) version: Option<String>,
}

/// A sentence of the contract and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Expectation {
    pub(super) kind: String,
    pub(super) label: String,
    pub(super) description: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) columns: Vec<String>,
    pub(super) dimension: Option<Dimension>,
    pub(super) on_violation: String,
    pub(super) severity: Option<String>,
    pub(super) mostly: f64,
    pub(super) status: Status,
    /// `None` until a run has checked it.
    pub(super) result: Option<Verdict>,
    /// The share of considered rows that held, run by run; `None` for a run that did not check it.
    pub(super) trend: Vec<Option<f64>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Verdict {
    pub(super) run_id: String,
    pub(super) checked_at: Option<String>,
    pub(super) n_rows: u64,
    pub(super) n_considered: u64,
    pub(super) n_violating: u64,
    /// Of the considered rows, those that hold; 1 of none.
    pub(super) share: f64,
    pub(super) observed: Option<Value>,
    pub(super) examples: Vec<Example>,
    pub(super) duration_s: Option<f64>,
}

/// A violating row: its columns in order. A value that nobody may see is masked.
pub(super) type Example = indexmap::IndexMap<String, Cell>;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Cell {
    Shown(Value),
    Masked(Mask),
}

/// What stands in place of a value that nobody may see: `{"masked": true}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Mask {
    pub(super) masked: bool,
}

impl Cell {
    pub(super) const MASKED: Cell = Cell::Masked(Mask { masked: true });
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) data_type: String,
    pub(super) nullable: bool,
    pub(super) description: Option<String>,
    pub(super) tags: Vec<String>,
    /// Whether its values are personal and therefore not shown.
    pub(super) is_masked: bool,
}
