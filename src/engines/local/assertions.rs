//! Assertions against rows: row tests while the rows stream by, the others over the staged files.
//!
//! In: a node's assertions and its output's columns. Out: per batch the rows to keep and those to quarantine with their
//! reasons; at the end an [`Outcome`] per assertion. A dropped or quarantined row still counts as a violation. It decides
//! nothing about publishing: `node` does, from [`Outcome::blocks`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deltalake::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use deltalake::arrow::buffer::BooleanBuffer;
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::datatypes::SchemaRef;
use deltalake::arrow::util::display::array_value_to_string;
use deltalake::datafusion::common::{DFSchema, Result};
use deltalake::datafusion::execution::SessionState;
use deltalake::datafusion::physical_expr::PhysicalExpr;
use serde_json::Value;

use crate::engines::local::quarantine::{self, Quarantine};
use crate::ir::{Assertion, Dimension, OnViolation, Severity, Sql, Test};
use crate::sql::expression;

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
    /// Whether it keeps the rows from being published.
    pub fn blocks(&self) -> bool {
        !self.success && self.on_violation == OnViolation::Fail
    }

    /// The share of considered rows that hold; 1 of none.
    #[expect(clippy::cast_precision_loss, reason = "a share of rows")]
    pub fn share(&self) -> f64 {
        let n_holding = self.n_considered.saturating_sub(self.n_violating);
        if self.n_considered == 0 { 1.0 } else { n_holding as f64 / self.n_considered as f64 }
    }
}

/// Of how many rows an assertion speaks, and how many of them break it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    outcome.success = n_violating == 0 || outcome.share() >= assertion.mostly;
    outcome
}

/// What stands for a value that is not shown.
const HIDDEN: &str = "(hidden)";

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
        let Ok(Value::Object(mut row)) = serde_json::from_str(example) else { continue };
        for (_, value) in row.iter_mut().filter(|(column, value)| is_private(column) && !value.is_null()) {
            *value = HIDDEN.into();
        }
        *example = Value::Object(row).to_string();
    }
}

/// The row tests of a node, compiled.
pub(super) struct RowTests {
    tests: Vec<RowTest>,
    tallies: Mutex<Vec<Tally>>,
    quarantine: Option<Arc<Quarantine>>,
}

struct RowTest {
    /// Its place among the node's assertions.
    assertion: usize,
    label: String,
    on_violation: OnViolation,
    filter: Option<Arc<dyn PhysicalExpr>>,
    considered: Option<Arc<dyn PhysicalExpr>>,
    /// A row violates where `tested` has the value `violating`.
    tested: Arc<dyn PhysicalExpr>,
    violating: bool,
}

#[derive(Debug, Clone, Default)]
struct Tally {
    counts: Counts,
    examples: Vec<String>,
}

/// Compiles the row tests among `assertions` over rows of `schema`, whose names are in lower case.
pub(super) fn compile(
    state: &SessionState,
    assertions: &[Assertion],
    schema: &SchemaRef,
    quarantine: Option<Arc<Quarantine>>,
) -> Result<RowTests> {
    let schema = DFSchema::try_from(Arc::clone(schema))?;
    let compiled = |sql: &Sql| {
        let expr = expression::plan_expression(state, &sql.text, &schema)?;
        state.create_physical_expr(expr, &schema)
    };
    let mut tests = Vec::new();
    for (place, assertion) in assertions.iter().enumerate() {
        let (considered, tested, violating) = match &assertion.test {
            Test::Row { considered, violated } => (considered.as_ref(), violated, true),
            Test::Holds(sql) => (None, sql, false),
            Test::Window { .. }
            | Test::Unique { .. }
            | Test::Reference { .. }
            | Test::Aggregate { .. }
            | Test::Query(_)
            | Test::Distribution(_)
            | Test::Columns(_) => continue,
        };
        tests.push(RowTest {
            assertion: place,
            label: assertion.label.clone(),
            on_violation: assertion.on_violation,
            filter: assertion.filter.as_ref().map(compiled).transpose()?,
            considered: considered.map(compiled).transpose()?,
            tested: compiled(tested)?,
            violating,
        });
    }
    let tallies = Mutex::new(vec![Tally::default(); tests.len()]);
    Ok(RowTests { tests, tallies, quarantine })
}

impl RowTests {
    /// Tests a batch; returns the rows that stay.
    pub(super) fn check(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let n_rows = batch.num_rows();
        let mut gone: Option<BooleanBuffer> = None;
        let mut quarantined: Vec<(usize, BooleanBuffer)> = Vec::new();
        for (place, test) in self.tests.iter().enumerate() {
            let among = test.filter.as_ref().map(|expr| rows_where(expr, true, &batch)).transpose()?;
            let mut considered = test.considered.as_ref().map(|expr| rows_where(expr, true, &batch)).transpose()?;
            if let Some(among) = &among {
                considered = Some(considered.map_or_else(|| among.clone(), |rows| &rows & among));
            }
            let mut violated = rows_where(&test.tested, test.violating, &batch)?;
            if let Some(considered) = &considered {
                violated = &violated & considered;
            }
            let n_set = |rows: Option<&BooleanBuffer>| rows.map_or(n_rows, BooleanBuffer::count_set_bits) as u64;
            let n_violating = violated.count_set_bits() as u64;
            let counts =
                Counts { n_rows: n_set(among.as_ref()), n_considered: n_set(considered.as_ref()), n_violating };
            self.tally(place, &batch, counts, &violated)?;
            if n_violating == 0 {
                continue;
            }
            match test.on_violation {
                OnViolation::Fail | OnViolation::Warn => continue,
                OnViolation::Drop => {}
                OnViolation::Quarantine => quarantined.push((place, violated.clone())),
            }
            gone = Some(gone.map_or(violated.clone(), |gone| &gone | &violated));
        }
        self.quarantine(&batch, &quarantined)?;
        match gone {
            None => Ok(batch),
            Some(gone) => Ok(filter_record_batch(&batch, &BooleanArray::new(!&gone, None))?),
        }
    }

    fn tally(&self, place: usize, batch: &RecordBatch, counts: Counts, violated: &BooleanBuffer) -> Result<()> {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tally) = tallies.get_mut(place) else { return Ok(()) };
        tally.counts.n_rows += counts.n_rows;
        tally.counts.n_considered += counts.n_considered;
        tally.counts.n_violating += counts.n_violating;
        for row in violated.set_indices().take(N_EXAMPLES.saturating_sub(tally.examples.len())) {
            tally.examples.push(example(batch, row)?);
        }
        Ok(())
    }

    fn quarantine(&self, batch: &RecordBatch, violated: &[(usize, BooleanBuffer)]) -> Result<()> {
        let Some(quarantine) = &self.quarantine else { return Ok(()) };
        let Some(rows) = violated.iter().map(|(_, rows)| rows.clone()).reduce(|all, rows| &all | &rows) else {
            return Ok(());
        };
        let reasons = rows.set_indices().map(|row| {
            let broken = violated.iter().filter(|(_, rows)| rows.value(row));
            broken.filter_map(|(place, _)| self.tests.get(*place).map(|test| test.label.clone())).collect()
        });
        let reasons = reasons.collect();
        quarantine.add(&filter_record_batch(batch, &BooleanArray::new(rows, None))?, reasons)
    }

    /// The outcomes, each with its assertion's place.
    pub(super) fn outcomes(&self, assertions: &[Assertion]) -> Vec<(usize, Outcome)> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let with_tests = self.tests.iter().zip(tallies.iter());
        with_tests
            .filter_map(|(test, tally)| {
                let assertion = assertions.get(test.assertion)?;
                let examples = tally.examples.clone();
                Some((test.assertion, outcome(assertion, tally.counts, examples)))
            })
            .collect()
    }
}

/// The rows for which an expression is `wanted`; NULL is neither.
fn rows_where(expr: &Arc<dyn PhysicalExpr>, wanted: bool, batch: &RecordBatch) -> Result<BooleanBuffer> {
    let value = expr.evaluate(batch)?.into_array(batch.num_rows())?;
    let Some(value) = value.as_boolean_opt() else {
        return Ok(BooleanBuffer::new_unset(batch.num_rows()));
    };
    let values = if wanted { value.values().clone() } else { !value.values() };
    Ok(match value.nulls() {
        Some(nulls) => &values & nulls.inner(),
        None => values,
    })
}

/// A row as a JSON object of texts.
pub(super) fn example(batch: &RecordBatch, row: usize) -> Result<String> {
    let mut object = serde_json::Map::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if quarantine::is_original(field.name()) {
            continue;
        }
        let value = if column.is_valid(row) { Some(array_value_to_string(column, row)?) } else { None };
        object.insert(field.name().clone(), value.into());
    }
    Ok(serde_json::Value::Object(object).to_string())
}
