//! What became of assertions: [`Outcome`].
//!
//! In: counts of rows. Out: whether that is success, and whether it keeps the rows from being published. Row tests run
//! while the rows stream by ([`rows`]), the others over the staged files (`staged`). A dropped or quarantined row still
//! counts as a violation.

use std::collections::BTreeSet;
use std::time::Duration;

use deltalake::arrow::array::{Array, RecordBatch};
use deltalake::arrow::util::display::array_value_to_string;
use deltalake::datafusion::common::Result;
use serde_json::Value;

use crate::engines::local::{quarantine, spool};
use crate::ir::{Assertion, Dimension, OnViolation, Severity};

mod condition;
mod distinct;
pub(super) mod keys;
pub(super) mod known;
mod packed;
mod pattern;
pub(super) mod rows;

/// How many violating rows are kept to be shown.
pub(super) const N_EXAMPLES: usize = 20;

/// What became of one assertion.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub kind: String,
    pub label: String,
    pub columns: Vec<String>,
    pub dimension: Dimension,
    pub on_violation: OnViolation,
    pub severity: Option<Severity>,
    pub mostly: f64,
    /// The rows that the assertion's `where` lets through.
    pub n_rows: u64,
    /// Those of them that were judged: for most kinds the ones without NULL; for an aggregate per group, the groups.
    pub n_considered: u64,
    pub n_violating: u64,
    /// The value of an aggregate, a statistic, or what columns there are.
    pub observed: Option<Value>,
    pub success: bool,
    /// Violating rows as JSON objects, at most twenty.
    pub examples: Vec<String>,
    /// How long it took beyond what it shares with others.
    pub duration: Duration,
}

impl Outcome {
    /// Whether it keeps the rows from being published. Rows that are dropped or quarantined don't, as long as they are no
    /// more than a `mostly` below 1 lets through: somebody said then how many are too many.
    pub fn blocks(&self) -> bool {
        !self.success
            && match self.on_violation {
                OnViolation::Fail => true,
                OnViolation::Drop | OnViolation::Quarantine => self.mostly < 1.0,
                OnViolation::Warn => false,
            }
    }

    /// The share of considered rows that hold; 1 of none.
    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    pub fn share(&self) -> f64 {
        let n_holding = self.n_considered.saturating_sub(self.n_violating);
        if self.n_considered == 0 { 1.0 } else { n_holding as f64 / self.n_considered as f64 }
    }
}

impl Outcome {
    /// What was found, in a few words, with an example.
    pub(super) fn found(&self) -> String {
        let found = match &self.observed {
            Some(observed) => format!("its value is {observed}"),
            None if self.n_violating == 0 => "it has no value".to_owned(),
            None => format!("{} of {} rows break it", self.n_violating, self.n_considered),
        };
        let example = self.examples.first().map_or(String::new(), |example| format!(", e.g. {example}"));
        format!("{found}{example}")
    }
}

/// Of how many rows an assertion speaks, and how many of them break it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_field_names, reason = "counts are called `n_` everywhere")]
pub(super) struct Counts {
    pub(super) n_rows: u64,
    pub(super) n_considered: u64,
    pub(super) n_violating: u64,
}

/// The outcome of an assertion with these counts.
pub(super) fn outcome(assertion: &Assertion, counts: Counts, examples: Vec<String>) -> Outcome {
    let Counts { n_rows, n_considered, n_violating } = counts;
    let mut outcome = Outcome {
        kind: assertion.kind.to_owned(),
        label: assertion.label.clone(),
        columns: assertion.columns.clone(),
        dimension: assertion.dimension,
        on_violation: assertion.on_violation,
        severity: assertion.severity,
        mostly: assertion.mostly,
        n_rows,
        n_considered,
        n_violating,
        observed: None,
        success: true,
        examples,
        duration: Duration::ZERO,
    };
    outcome.success = n_violating == 0 || (n_considered > 0 && outcome.share() >= assertion.mostly);
    outcome
}

/// What stands for a value that is not shown.
pub(super) const HIDDEN: &str = "(hidden)";

/// Hides values of private columns, whose names are in lower case.
pub(super) fn hide(outcome: &mut Outcome, private: &BTreeSet<String>) {
    let is_private = |column: &String| private.contains(&column.to_lowercase());
    if outcome.columns.iter().any(is_private) {
        match &outcome.observed {
            Some(Value::String(_) | Value::Array(_) | Value::Object(_)) => outcome.observed = Some(HIDDEN.into()),
            Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {}
        }
    }
    for example in &mut outcome.examples {
        // A row that could not be told into columns may hold anything.
        let is_private = |column: &String| is_private(column) || column == "_row" && !private.is_empty();
        let Ok(Value::Object(mut row)) = serde_json::from_str(example) else { continue };
        for (_, value) in row.iter_mut().filter(|(column, value)| is_private(column) && !value.is_null()) {
            *value = HIDDEN.into();
        }
        *example = Value::Object(row).to_string();
    }
}

/// A row as a JSON object of texts.
pub(super) fn example(batch: &RecordBatch, row: usize) -> Result<String> {
    let mut object = serde_json::Map::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if quarantine::is_original(field.name()) || field.name() == spool::ROW {
            continue;
        }
        let value = if column.is_valid(row) { Some(array_value_to_string(column, row)?) } else { None };
        object.insert(field.name().clone(), value.into());
    }
    Ok(serde_json::Value::Object(object).to_string())
}
