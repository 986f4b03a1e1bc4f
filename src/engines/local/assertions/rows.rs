//! Row tests, while the rows stream by.
//!
//! In: a node's assertions, its rows' columns, and which rows are known to violate a test that looks at other rows (`spool`).
//! Out: per batch the rows to keep; those to quarantine go there with all their reasons. Expressions that several tests
//! share are evaluated once a batch. What a `where` excludes cannot fail a test, not even by an error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deltalake::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use deltalake::arrow::buffer::BooleanBuffer;
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::datatypes::{Int64Type, SchemaRef};
use deltalake::datafusion::common::{DFSchema, DataFusionError, Result};
use deltalake::datafusion::execution::SessionState;
use deltalake::datafusion::physical_expr::PhysicalExpr;

use crate::engines::local::assertions::{Counts, N_EXAMPLES, Outcome, example, outcome};
use crate::engines::local::failure;
use crate::engines::local::quarantine::Quarantine;
use crate::engines::local::spool::{self, Marks};
use crate::ir::{Assertion, Node, OnViolation, Test};
use crate::sql::expression;

/// The row tests of a node, compiled.
pub(in crate::engines::local) struct RowTests {
    node: Node,
    tests: Vec<RowTest>,
    /// Every condition of the tests, each once.
    conditions: Vec<Condition>,
    tallies: Mutex<Vec<Tally>>,
    quarantine: Option<Arc<Quarantine>>,
}

struct RowTest {
    /// Its place among the node's assertions.
    assertion: usize,
    on_violation: OnViolation,
    /// Places in `conditions`.
    filter: Option<usize>,
    considered: Option<usize>,
    violated: Violated,
}

/// Which rows violate.
enum Violated {
    /// Those for which the condition at this place is TRUE.
    Where(usize),
    /// Those known beforehand, by the number that the column at this place gives them.
    Marked { marks: Arc<Marks>, row: usize },
}

/// The rows for which an expression has the value `wanted`; NULL is neither.
struct Condition {
    text: Arc<str>,
    wanted: bool,
    expr: Arc<dyn PhysicalExpr>,
}

#[derive(Debug, Clone, Default)]
struct Tally {
    counts: Counts,
    examples: Vec<String>,
    duration: Duration,
}

/// Compiles the row tests of a node over rows of `schema`, whose names are in lower case. `marked` gives the violating rows
/// of tests that look at other rows, by their place.
pub(in crate::engines::local) fn compile(
    state: &SessionState,
    node: &Node,
    schema: &SchemaRef,
    marked: &[(usize, Arc<Marks>)],
    quarantine: Option<Arc<Quarantine>>,
) -> Result<RowTests> {
    let mut compiling = Compiling { state, schema: DFSchema::try_from(Arc::clone(schema))?, conditions: Vec::new() };
    let mut tests = Vec::new();
    for (place, assertion) in node.assertions.iter().enumerate() {
        let marks = marked.iter().find(|(marked, _)| *marked == place).map(|(_, marks)| marks);
        let found = compiling.test(assertion, marks).map_err(|error| failure::carry(node, assertion, &error))?;
        if let Some((considered, violated)) = found {
            let filter = assertion.filter.as_ref().map(|filter| compiling.condition(&filter.text, true));
            let filter = filter.transpose().map_err(|error| failure::carry(node, assertion, &error))?;
            let on_violation = assertion.on_violation;
            tests.push(RowTest { assertion: place, on_violation, filter, considered, violated });
        }
    }
    let tallies = Mutex::new(vec![Tally::default(); tests.len()]);
    Ok(RowTests { conditions: compiling.conditions, node: node.clone(), tests, tallies, quarantine })
}

struct Compiling<'a> {
    state: &'a SessionState,
    schema: DFSchema,
    conditions: Vec<Condition>,
}

impl Compiling<'_> {
    /// What is considered, and what violates; `None` for what is no row test.
    fn test(&mut self, assertion: &Assertion, marks: Option<&Arc<Marks>>) -> Result<Option<(Option<usize>, Violated)>> {
        if let Some(marks) = marks {
            let considered = spool::considered(assertion).map(|text| self.condition(&text, true)).transpose()?;
            let row = self.schema.fields().iter().position(|field| field.name() == spool::ROW);
            let row = row.ok_or_else(|| DataFusionError::Internal("spooled rows are numbered".to_owned()))?;
            return Ok(Some((considered, Violated::Marked { marks: Arc::clone(marks), row })));
        }
        Ok(match &assertion.test {
            Test::Row { considered, violated } => {
                let considered = considered.as_ref().map(|sql| self.condition(&sql.text, true)).transpose()?;
                Some((considered, Violated::Where(self.condition(&violated.text, true)?)))
            }
            Test::Holds(sql) => Some((None, Violated::Where(self.condition(&sql.text, false)?))),
            Test::Window { .. }
            | Test::Unique { .. }
            | Test::Reference { .. }
            | Test::Aggregate { .. }
            | Test::Query(_)
            | Test::Distribution(_)
            | Test::Columns(_) => None,
        })
    }

    fn condition(&mut self, text: &Arc<str>, wanted: bool) -> Result<usize> {
        let known = |condition: &Condition| condition.text == *text && condition.wanted == wanted;
        if let Some(place) = self.conditions.iter().position(known) {
            return Ok(place);
        }
        let expr = expression::physical_expression(self.state, text, &self.schema)?;
        self.conditions.push(Condition { text: Arc::clone(text), wanted, expr });
        Ok(self.conditions.len() - 1)
    }
}

/// What a test says of a batch.
struct Judged {
    counts: Counts,
    violated: BooleanBuffer,
    duration: Duration,
}

impl RowTests {
    /// Tests a batch; returns the rows that stay.
    pub(in crate::engines::local) fn check(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let mut masks: Vec<Option<BooleanBuffer>> = vec![None; self.conditions.len()];
        let mut judged = Vec::with_capacity(self.tests.len());
        for test in &self.tests {
            let begun = Instant::now();
            let one = self.judge(test, &batch, &mut masks).map_err(|error| {
                match self.node.assertions.get(test.assertion) {
                    Some(assertion) => failure::carry(&self.node, assertion, &error),
                    None => error,
                }
            })?;
            judged.push(Judged { duration: begun.elapsed(), ..one });
        }
        self.tally(&batch, &judged)?;
        let mut gone: Option<BooleanBuffer> = None;
        let mut quarantined: Vec<(&RowTest, &BooleanBuffer)> = Vec::new();
        for (test, Judged { violated, .. }) in
            self.tests.iter().zip(&judged).filter(|(_, judged)| judged.counts.n_violating > 0)
        {
            match test.on_violation {
                OnViolation::Fail | OnViolation::Warn => continue,
                OnViolation::Drop => {}
                OnViolation::Quarantine => quarantined.push((test, violated)),
            }
            gone = Some(gone.map_or_else(|| violated.clone(), |gone| &gone | violated));
        }
        self.quarantine(&batch, &quarantined)?;
        match gone {
            None => Ok(batch),
            Some(gone) => Ok(filter_record_batch(&batch, &BooleanArray::new(!&gone, None))?),
        }
    }

    fn judge(&self, test: &RowTest, batch: &RecordBatch, masks: &mut [Option<BooleanBuffer>]) -> Result<Judged> {
        let n_rows = batch.num_rows();
        let among = test.filter.map(|place| self.mask(place, batch, None, masks)).transpose()?;
        let considered = match test.considered {
            Some(place) => Some(match (self.mask(place, batch, among.as_ref(), masks)?, &among) {
                (considered, Some(among)) => &considered & among,
                (considered, None) => considered,
            }),
            None => among.clone(),
        };
        let mut violated = match &test.violated {
            Violated::Where(place) => self.mask(*place, batch, considered.as_ref(), masks)?,
            Violated::Marked { marks, row } => marked(marks, batch.column(*row)),
        };
        if let Some(considered) = &considered {
            violated = &violated & considered;
        }
        let n_set = |rows: Option<&BooleanBuffer>| rows.map_or(n_rows, BooleanBuffer::count_set_bits) as u64;
        let counts = Counts {
            n_rows: n_set(among.as_ref()),
            n_considered: n_set(considered.as_ref()),
            n_violating: violated.count_set_bits() as u64,
        };
        Ok(Judged { counts, violated, duration: Duration::ZERO })
    }

    /// The rows for which a condition is true. It is tried on all rows; where that fails, only those `within` count.
    fn mask(
        &self,
        place: usize,
        batch: &RecordBatch,
        within: Option<&BooleanBuffer>,
        masks: &mut [Option<BooleanBuffer>],
    ) -> Result<BooleanBuffer> {
        if let Some(Some(mask)) = masks.get(place) {
            return Ok(mask.clone());
        }
        let condition = self.conditions.get(place);
        let condition = condition.ok_or_else(|| DataFusionError::Internal("a condition has its place".to_owned()))?;
        match (rows_where(condition, batch), within) {
            (Ok(mask), _) => {
                if let Some(known) = masks.get_mut(place) {
                    *known = Some(mask.clone());
                }
                Ok(mask)
            }
            (Err(error), None) => Err(error),
            (Err(_), Some(within)) => {
                let some = filter_record_batch(batch, &BooleanArray::new(within.clone(), None))?;
                let found = rows_where(condition, &some)?;
                let mut found = found.iter();
                Ok(within.iter().map(|is_within| is_within && found.next().unwrap_or(false)).collect())
            }
        }
    }

    fn tally(&self, batch: &RecordBatch, judged: &[Judged]) -> Result<()> {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        for (tally, Judged { counts, violated, duration }) in tallies.iter_mut().zip(judged) {
            tally.counts.n_rows += counts.n_rows;
            tally.counts.n_considered += counts.n_considered;
            tally.counts.n_violating += counts.n_violating;
            tally.duration += *duration;
            for row in violated.set_indices().take(N_EXAMPLES.saturating_sub(tally.examples.len())) {
                tally.examples.push(example(batch, row)?);
            }
        }
        Ok(())
    }

    fn quarantine(&self, batch: &RecordBatch, violated: &[(&RowTest, &BooleanBuffer)]) -> Result<()> {
        let Some(quarantine) = &self.quarantine else { return Ok(()) };
        let Some(rows) = violated.iter().map(|(_, rows)| (*rows).clone()).reduce(|all, rows| &all | &rows) else {
            return Ok(());
        };
        let label = |test: &RowTest| Some(self.node.assertions.get(test.assertion)?.label.clone());
        let reasons = rows.set_indices().map(|row| {
            let broken = violated.iter().filter(|(_, rows)| rows.value(row));
            broken.filter_map(|(test, _)| label(test)).collect()
        });
        let reasons = reasons.collect();
        quarantine.add(&filter_record_batch(batch, &BooleanArray::new(rows, None))?, reasons)
    }

    /// The outcomes, each with its assertion's place.
    pub(in crate::engines::local) fn outcomes(&self) -> Vec<(usize, Outcome)> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let with_tests = self.tests.iter().zip(tallies.iter());
        with_tests
            .filter_map(|(test, tally)| {
                let assertion = self.node.assertions.get(test.assertion)?;
                let outcome = outcome(assertion, tally.counts, tally.examples.clone());
                Some((test.assertion, Outcome { duration: tally.duration, ..outcome }))
            })
            .collect()
    }
}

fn rows_where(condition: &Condition, batch: &RecordBatch) -> Result<BooleanBuffer> {
    let value = condition.expr.evaluate(batch)?.into_array(batch.num_rows())?;
    let Some(value) = value.as_boolean_opt() else {
        return Ok(BooleanBuffer::new_unset(batch.num_rows()));
    };
    let values = if condition.wanted { value.values().clone() } else { !value.values() };
    Ok(match value.nulls() {
        Some(nulls) => &values & nulls.inner(),
        None => values,
    })
}

fn marked(marks: &Marks, numbers: &dyn Array) -> BooleanBuffer {
    match numbers.as_primitive_opt::<Int64Type>() {
        Some(numbers) => numbers.values().iter().map(|row| marks.contains(*row)).collect(),
        None => BooleanBuffer::new_unset(numbers.len()),
    }
}
