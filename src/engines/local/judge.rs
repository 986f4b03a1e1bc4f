//! Expectations of one node's run: what became of each, and what is said of those that do not hold.
//!
//! In: the rows that were staged and what was counted while they streamed by. Out: an [`Outcome`] per assertion in the
//! order of declaration, the contract's own (casts, ragged rows) first, and the diagnostics of violations. It decides
//! nothing about publishing; `node` does, from [`Outcome::blocks`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deltalake::arrow::array::{ArrayRef, RecordBatch, StringArray};
use deltalake::datafusion::common::Result;
use serde_json::json;

use crate::check::privacy::private_columns;
use crate::diagnostic::{Code, Diagnostic};
use crate::engines::local::assertions::{self, Outcome};
use crate::engines::local::node::{Work, Written};
use crate::engines::local::stage::Stage;
use crate::engines::local::{contract, staged};
use crate::ir::{Assertion, Body, Dimension, Ingest, Node, OnViolation, Reader, Schema};

impl Work<'_> {
    /// The outcome of every assertion in the order of declaration, the contract's casts first.
    pub(super) async fn outcomes(&self, written: &Written, stage: &Stage, schema: &Schema) -> Result<Vec<Outcome>> {
        let mut outcomes: BTreeMap<usize, Outcome> = written.tests.outcomes().into_iter().collect();
        let staged = staged::register(&self.context, stage, &written.files, self.bound_bytes())?;
        let proven = |assertion: &Assertion| self.is_proven(assertion);
        staged.judge(self.node, schema, proven, &written.passed, &mut outcomes).await?;
        let ragged = self.ragged_outcome(written)?;
        let mut outcomes: Vec<_> =
            ragged.into_iter().chain(self.cast_outcome()).chain(outcomes.into_values()).collect();
        let private = private_columns(self.run.checked, self.action.node);
        for outcome in &mut outcomes {
            assertions::hide(outcome, &private);
        }
        Ok(outcomes)
    }

    /// What one assertion may hold in memory besides what queries reserve.
    pub(super) fn bound_bytes(&self) -> usize {
        self.run.settings.memory_bytes / 4
    }

    /// Whether a uniqueness is known without looking.
    pub(super) fn is_proven(&self, assertion: &Assertion) -> bool {
        self.run.checked.is_proven(self.action.node, assertion)
    }

    fn cast_outcome(&self) -> Option<Outcome> {
        let contract = self.node.contract.as_ref()?;
        let found = self.casts.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if found.n_rows == 0 {
            return None;
        }
        let columns = found
            .columns
            .iter()
            .map(|(name, (data_type, n))| format!("{name} to {} ({n})", contract::type_name(data_type)));
        let columns: Vec<String> = columns.collect();
        Some(Outcome {
            kind: "cast".to_owned(),
            label: if columns.is_empty() {
                "values cast".to_owned()
            } else {
                format!("values cast: {}", columns.join(", "))
            },
            columns: found.columns.keys().cloned().collect(),
            dimension: Dimension::Validity,
            on_violation: contract.on_cast_failure,
            severity: None,
            mostly: 1.0,
            n_rows: found.n_rows,
            n_considered: found.n_rows,
            n_violating: found.n_violating,
            observed: None,
            success: found.n_violating == 0,
            examples: found.examples.clone(),
            duration: Duration::ZERO,
        })
    }

    /// What became of rows with too many or too few fields; they are quarantined here, since the reader sets them aside.
    fn ragged_outcome(&self, written: &Written) -> Result<Option<Outcome>> {
        let Some(on_ragged_row) = ragged_rule(self.node) else { return Ok(None) };
        let n_rows = self.rejected.n_rows();
        if n_rows == 0 {
            return Ok(None);
        }
        let rows = self.rejected.rows();
        if let Some(quarantine) = &self.quarantine
            && on_ragged_row == OnViolation::Quarantine
        {
            let column = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
            let batch = RecordBatch::try_from_iter([
                ("_source_file", column(rows.iter().map(|row| row.file.clone()).collect())),
                ("_source_line", column(rows.iter().map(|row| row.line.to_string()).collect())),
                ("_row", column(rows.iter().map(|row| row.text.clone()).collect())),
            ])?;
            let reasons = rows.iter().map(|row| vec![format!("{} fields instead of {}", row.n_fields, row.n_expected)]);
            quarantine.add(&batch, reasons.collect())?;
        }
        let examples = rows
            .iter()
            .take(assertions::N_EXAMPLES)
            .map(|row| json!({"_source_file": row.file, "_source_line": row.line, "_row": row.text}).to_string());
        let n_read: u64 = written.files.iter().map(|file| file.n_rows).sum::<u64>() + written.n_left_out;
        Ok(Some(Outcome {
            kind: "ragged_row".to_owned(),
            label: "rows have as many fields as the header".to_owned(),
            columns: Vec::new(),
            dimension: Dimension::Validity,
            on_violation: on_ragged_row,
            severity: None,
            mostly: 1.0,
            n_rows: n_read + n_rows,
            n_considered: n_read + n_rows,
            n_violating: n_rows,
            observed: None,
            success: false,
            examples: examples.collect(),
            duration: Duration::ZERO,
        }))
    }

    pub(super) fn dropped_casts(&self) -> u64 {
        let on_failure = self.node.contract.as_ref().map(|contract| contract.on_cast_failure);
        match on_failure {
            Some(OnViolation::Drop | OnViolation::Quarantine) => {
                self.casts.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).n_violating
            }
            Some(OnViolation::Fail | OnViolation::Warn) | None => 0,
        }
    }
}

/// What happens to rows with too many or too few fields; `None` where there are none such.
pub(super) fn ragged_rule(node: &Node) -> Option<OnViolation> {
    match &node.body {
        Body::Ingest(Ingest { reader: Reader::Delimited(delimited), .. }) => Some(delimited.on_ragged_row),
        Body::Ingest(_) | Body::Relation(_) => None,
    }
}

/// A violation as a diagnostic.
pub(super) fn violated(node: &Node, outcome: &Outcome, code: Code) -> Diagnostic {
    let assertion = node.assertions.iter().find(|assertion| assertion.label == outcome.label);
    let site = match (assertion, &node.contract) {
        (Some(assertion), _) => assertion.site.clone(),
        (None, Some(contract)) if outcome.kind == "cast" => contract.site.clone(),
        (None, _) => node.site.clone().key(),
    };
    let blocks = outcome.blocks();
    let message = format!("`{}` does not hold in `{}`", outcome.label, node.name);
    let diagnostic = if blocks { Diagnostic::error(code, message) } else { Diagnostic::warning(code, message) };
    let help = if blocks && outcome.kind == "cast" {
        "correct the rows or the column's type; `on_cast_failure: quarantine` in the contract sets such rows aside"
    } else if blocks && outcome.on_violation == OnViolation::Fail {
        "correct the rows or the expectation; `on_violation: quarantine` sets such rows aside"
    } else if blocks {
        "more rows would be left out than `mostly` lets through; correct the rows, or lower `mostly`"
    } else {
        "look at `quality.results` for the rows"
    };
    diagnostic.at(site, if blocks { "the table keeps its old rows" } else { "" }).note(outcome.found()).help(help)
}
