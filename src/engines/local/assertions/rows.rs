//! Row tests, while the rows stream by.
//!
//! In: a node's assertions, its rows' columns, and what is known of tests that look at other rows ([`Around`]). Out: per batch
//! the rows to keep; those to quarantine go there with all their reasons. Conditions that several tests share are evaluated
//! once a batch. Of tests of uniqueness the rows that stay are counted and their keys gathered ([`RowTests::keyed`]).

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deltalake::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use deltalake::arrow::buffer::BooleanBuffer;
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::datatypes::{Int64Type, SchemaRef};
use deltalake::datafusion::common::{DataFusionError, Result};
use deltalake::datafusion::execution::SessionState;

use super::condition::{Conditions, Masks};
use super::keys::{Gathered, Hash, Repeated};
use super::known::Known;
use crate::engines::local::assertions::{Counts, N_EXAMPLES, Outcome, example, outcome};
use crate::engines::local::failure;
use crate::engines::local::quarantine::Quarantine;
use crate::engines::local::spool::{self, Marks};
use crate::ir::{Assertion, Node, OnViolation, Test};

/// What is known of tests that look at other rows, by their place among the node's assertions.
pub(in crate::engines::local) struct Around {
    /// The rows that violate.
    pub(in crate::engines::local) marked: Vec<(usize, Arc<Marks>)>,
    /// The keys that a reference may have.
    pub(in crate::engines::local) known: Vec<(usize, Arc<Known>)>,
    /// Uniqueness that holds for certain.
    pub(in crate::engines::local) proven: Vec<usize>,
    pub(in crate::engines::local) hash: Hash,
    /// What the gathered keys may take.
    pub(in crate::engines::local) bound_bytes: usize,
}

/// The row tests of a node, compiled.
pub(in crate::engines::local) struct RowTests {
    node: Node,
    /// Those of all rows, then those of the rows that stay.
    tests: Vec<RowTest>,
    n_on_all: usize,
    keys: Vec<KeyTest>,
    conditions: Conditions,
    tallies: Mutex<Vec<Tally>>,
    /// `None` of a test whose rows could not be told.
    key_tallies: Mutex<Vec<Option<Tally>>>,
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
    /// Those whose values in the columns at these places are not known.
    Unknown { known: Arc<Known>, columns: Vec<usize> },
}

/// A test of uniqueness, of which the rows are counted.
struct KeyTest {
    assertion: usize,
    filter: Option<usize>,
    considered: Option<usize>,
    gathering: Gathering,
}

enum Gathering {
    /// It holds for certain.
    Proven,
    /// The keys in the columns at these places are gathered.
    Own { columns: Vec<usize>, gathered: Gathered },
    /// Whatever repeats here repeats for the assertion at this place, too.
    Within(usize),
}

#[derive(Debug, Clone, Default)]
struct Tally {
    counts: Counts,
    examples: Vec<String>,
    duration: Duration,
}

impl Tally {
    fn and(mut self, counts: Counts, duration: Duration) -> Self {
        self.counts.n_rows += counts.n_rows;
        self.counts.n_considered += counts.n_considered;
        self.counts.n_violating += counts.n_violating;
        self.duration += duration;
        self
    }
}

/// Compiles the row tests of a node over rows of `schema`, whose names are in lower case.
pub(in crate::engines::local) fn compile(
    state: &SessionState,
    node: &Node,
    schema: &SchemaRef,
    around: &Around,
    quarantine: Option<Arc<Quarantine>>,
) -> Result<RowTests> {
    let mut compiling = Compiling { state, schema, conditions: Conditions::new(schema) };
    let mut tests = Vec::new();
    for (place, assertion) in node.assertions.iter().enumerate() {
        let found = compiling.test(place, assertion, around).and_then(|found| {
            let Some((considered, violated)) = found else { return Ok(None) };
            let filter = compiling.filter(assertion)?;
            Ok(Some(RowTest { assertion: place, on_violation: assertion.on_violation, filter, considered, violated }))
        });
        tests.extend(found.map_err(|error| failure::carry(node, assertion, &error))?);
    }
    // A reference that takes no rows out is judged of the rows that stay, like every test that looks at other rows.
    let is_on_kept = |test: &RowTest| {
        let takes_out = matches!(test.on_violation, OnViolation::Drop | OnViolation::Quarantine);
        matches!(test.violated, Violated::Unknown { .. }) && !takes_out
    };
    let (on_kept, mut tests): (Vec<_>, Vec<_>) = tests.into_iter().partition(is_on_kept);
    let n_on_all = tests.len();
    tests.extend(on_kept);
    let keys = compiling.keys(node, around)?;
    let tallies = Mutex::new(vec![Tally::default(); tests.len()]);
    let key_tallies = Mutex::new(vec![Some(Tally::default()); keys.len()]);
    Ok(RowTests {
        conditions: compiling.conditions,
        node: node.clone(),
        tests,
        n_on_all,
        keys,
        tallies,
        key_tallies,
        quarantine,
    })
}

struct Compiling<'a> {
    state: &'a SessionState,
    schema: &'a SchemaRef,
    conditions: Conditions,
}

impl Compiling<'_> {
    /// What is considered, and what violates; `None` for what is no row test.
    fn test(
        &mut self,
        place: usize,
        assertion: &Assertion,
        around: &Around,
    ) -> Result<Option<(Option<usize>, Violated)>> {
        if let Some((_, marks)) = around.marked.iter().find(|(marked, _)| *marked == place) {
            let row = self.schema.fields().iter().position(|field| field.name() == spool::ROW);
            let row = row.ok_or_else(|| DataFusionError::Internal("spooled rows are numbered".to_owned()))?;
            return Ok(Some((self.considered(assertion)?, Violated::Marked { marks: Arc::clone(marks), row })));
        }
        Ok(match &assertion.test {
            Test::Row { violated, .. } => {
                let considered = self.considered(assertion)?;
                Some((considered, Violated::Where(self.conditions.place(self.state, &violated.text, true)?)))
            }
            Test::Holds(sql) => Some((None, Violated::Where(self.conditions.place(self.state, &sql.text, false)?))),
            Test::Reference { columns, .. } => match around.known.iter().find(|(known, _)| *known == place) {
                None => None,
                Some((_, known)) => {
                    let unknown = Violated::Unknown { known: Arc::clone(known), columns: self.places(columns)? };
                    Some((self.considered(assertion)?, unknown))
                }
            },
            Test::Window { .. }
            | Test::Unique { .. }
            | Test::Aggregate { .. }
            | Test::Query(_)
            | Test::Distribution(_)
            | Test::Columns(_) => None,
        })
    }

    fn considered(&mut self, assertion: &Assertion) -> Result<Option<usize>> {
        spool::considered(assertion).map(|text| self.conditions.place(self.state, &text, true)).transpose()
    }

    fn filter(&mut self, assertion: &Assertion) -> Result<Option<usize>> {
        let filter = assertion.filter.as_ref();
        filter.map(|filter| self.conditions.place(self.state, &filter.text, true)).transpose()
    }

    fn places(&self, columns: &[String]) -> Result<Vec<usize>> {
        columns.iter().map(|column| Ok(self.schema.index_of(&column.to_lowercase())?)).collect()
    }

    /// The tests of uniqueness. A key within another one, of the same rows or fewer, is gathered with that.
    fn keys(&mut self, node: &Node, around: &Around) -> Result<Vec<KeyTest>> {
        let left_bytes = Arc::new(AtomicUsize::new(around.bound_bytes));
        let mut found: Vec<(usize, &Assertion, &[String])> = Vec::new();
        for (place, assertion) in node.assertions.iter().enumerate() {
            if let Test::Unique { columns } = &assertion.test
                && !around.marked.iter().any(|(marked, _)| *marked == place)
            {
                found.push((place, assertion, columns));
            }
        }
        found.sort_by_key(|(_, assertion, columns)| (columns.len(), assertion.filter.is_some()));
        let mut gathered: Vec<(usize, &Assertion, &[String])> = Vec::new();
        let mut tests = Vec::new();
        for (place, assertion, columns) in found {
            let covers = |other: &&(usize, &Assertion, &[String])| {
                let text = |one: &Assertion| one.filter.as_ref().map(|filter| Arc::clone(&filter.text));
                let lower = |column: &String| column.to_lowercase();
                let own: Vec<String> = columns.iter().map(lower).collect();
                other.2.iter().all(|column| own.contains(&lower(column)))
                    && (other.1.filter.is_none() || text(other.1) == text(assertion))
            };
            let gathering = if around.proven.contains(&place) {
                Gathering::Proven
            } else if let Some(other) = gathered.iter().find(covers) {
                Gathering::Within(other.0)
            } else {
                gathered.push((place, assertion, columns));
                let gathered = Gathered::new(around.hash, &left_bytes);
                Gathering::Own { columns: self.places(columns)?, gathered }
            };
            let test = |compiling: &mut Self| {
                let (filter, considered) = (compiling.filter(assertion)?, compiling.considered(assertion)?);
                Ok(KeyTest { assertion: place, filter, considered, gathering })
            };
            tests.push(test(self).map_err(|error| failure::carry(node, assertion, &error))?);
        }
        Ok(tests)
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
        let mut masks = self.conditions.over(&batch);
        let (on_all, on_kept) = self.tests.split_at(self.n_on_all);
        let mut judged = Vec::with_capacity(self.tests.len());
        for test in on_all {
            judged.push(self.judge(test, &batch, None, &mut masks)?);
        }
        let mut gone: Option<BooleanBuffer> = None;
        let mut quarantined: Vec<(&RowTest, BooleanBuffer)> = Vec::new();
        for (test, Judged { violated, .. }) in
            on_all.iter().zip(&judged).filter(|(_, judged)| judged.counts.n_violating > 0)
        {
            match test.on_violation {
                OnViolation::Fail | OnViolation::Warn => continue,
                OnViolation::Drop => {}
                OnViolation::Quarantine => quarantined.push((test, violated.clone())),
            }
            gone = Some(gone.map_or_else(|| violated.clone(), |gone| &gone | violated));
        }
        for test in on_kept {
            judged.push(self.judge(test, &batch, gone.as_ref(), &mut masks)?);
        }
        self.tally(&batch, &judged)?;
        self.quarantine(&batch, &quarantined)?;
        self.gather(&batch, gone.as_ref(), &mut masks)?;
        match gone {
            None => Ok(batch),
            Some(gone) => Ok(filter_record_batch(&batch, &BooleanArray::new(!&gone, None))?),
        }
    }

    /// What a test says of the rows that are not gone.
    fn judge(
        &self,
        test: &RowTest,
        batch: &RecordBatch,
        gone: Option<&BooleanBuffer>,
        masks: &mut Masks<'_>,
    ) -> Result<Judged> {
        let begun = Instant::now();
        let judged =
            violations(test, batch, gone, masks).map_err(|error| match self.node.assertions.get(test.assertion) {
                Some(assertion) => failure::carry(&self.node, assertion, &error),
                None => error,
            })?;
        Ok(Judged { duration: begun.elapsed(), ..judged })
    }

    /// Counts the rows that stay and gathers their keys. A `where` that fails is left to who reads the rows again.
    fn gather(&self, batch: &RecordBatch, gone: Option<&BooleanBuffer>, masks: &mut Masks<'_>) -> Result<()> {
        for (place, test) in self.keys.iter().enumerate() {
            let begun = Instant::now();
            let looked_at = looked_at((test.filter, test.considered), gone, masks);
            let counts = if let Ok((among, considered)) = looked_at {
                if let Gathering::Own { columns, gathered } = &test.gathering {
                    gathered.add(&picked(batch, columns), considered.as_ref())?;
                }
                let n_set = |rows: Option<BooleanBuffer>| rows.map_or(batch.num_rows(), |rows| rows.count_set_bits());
                Some(Counts { n_rows: n_set(among) as u64, n_considered: n_set(considered) as u64, n_violating: 0 })
            } else {
                if let Gathering::Own { gathered, .. } = &test.gathering {
                    gathered.give_up();
                }
                None
            };
            let mut tallies = self.key_tallies.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(tally) = tallies.get_mut(place) else { continue };
            *tally = tally.take().zip(counts).map(|(tally, counts)| tally.and(counts, begun.elapsed()));
        }
        Ok(())
    }

    fn tally(&self, batch: &RecordBatch, judged: &[Judged]) -> Result<()> {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        for (tally, Judged { counts, violated, duration }) in tallies.iter_mut().zip(judged) {
            *tally = std::mem::take(tally).and(*counts, *duration);
            for row in violated.set_indices().take(N_EXAMPLES.saturating_sub(tally.examples.len())) {
                tally.examples.push(example(batch, row)?);
            }
        }
        Ok(())
    }

    fn quarantine(&self, batch: &RecordBatch, violated: &[(&RowTest, BooleanBuffer)]) -> Result<()> {
        let Some(quarantine) = &self.quarantine else { return Ok(()) };
        let Some(rows) = violated.iter().map(|(_, rows)| rows.clone()).reduce(|all, rows| &all | &rows) else {
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

    /// What was found of the tests of uniqueness; the keys are gone then.
    pub(in crate::engines::local) async fn keyed(&self, n_tasks: usize) -> Result<Keyed> {
        let mut keyed = Keyed { tests: Vec::new(), repeated: BTreeMap::new() };
        for test in &self.keys {
            if let Gathering::Own { gathered, .. } = &test.gathering
                && let Some(repeated) = gathered.repeated(n_tasks).await?
            {
                keyed.repeated.insert(test.assertion, Arc::new(repeated));
            }
        }
        let tallies = self.key_tallies.lock().unwrap_or_else(PoisonError::into_inner);
        for (test, tally) in self.keys.iter().zip(tallies.iter()) {
            let within = match &test.gathering {
                Gathering::Proven => None,
                Gathering::Own { .. } => Some(test.assertion),
                Gathering::Within(other) => Some(*other),
            };
            keyed.tests.extend(tally.as_ref().map(|tally| KeyedTest {
                assertion: test.assertion,
                counts: tally.counts,
                within,
                duration: tally.duration,
            }));
        }
        Ok(keyed)
    }
}

/// What is known of uniqueness after the rows have streamed by.
pub(in crate::engines::local) struct Keyed {
    pub(in crate::engines::local) tests: Vec<KeyedTest>,
    /// The hashes that repeat, by the place of the assertion whose keys they are of. What was given up is missing.
    pub(in crate::engines::local) repeated: BTreeMap<usize, Arc<Repeated>>,
}

/// One test of uniqueness; how many rows violate it is not known yet.
pub(in crate::engines::local) struct KeyedTest {
    pub(in crate::engines::local) assertion: usize,
    pub(in crate::engines::local) counts: Counts,
    /// The assertion in `repeated` whose rows hold all that repeats here; `None` where nothing does.
    pub(in crate::engines::local) within: Option<usize>,
    pub(in crate::engines::local) duration: Duration,
}

fn violations(
    test: &RowTest,
    batch: &RecordBatch,
    gone: Option<&BooleanBuffer>,
    masks: &mut Masks<'_>,
) -> Result<Judged> {
    let n_rows = batch.num_rows();
    let (among, considered) = looked_at((test.filter, test.considered), gone, masks)?;
    let mut violated = match &test.violated {
        Violated::Where(place) => masks.mask(*place, considered.as_ref())?,
        Violated::Marked { marks, row } => marked(marks, batch.column(*row)),
        Violated::Unknown { known, columns } => !&known.rows(&picked(batch, columns))?,
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

/// Of the rows that are not gone, those that a test's `where` lets through, and those of them that it considers; `None` for
/// all.
fn looked_at(
    (filter, considered): (Option<usize>, Option<usize>),
    gone: Option<&BooleanBuffer>,
    masks: &mut Masks<'_>,
) -> Result<(Option<BooleanBuffer>, Option<BooleanBuffer>)> {
    let among = within(filter, gone.map(|gone| !gone), masks)?;
    let considered = within(considered, among.clone(), masks)?;
    Ok((among, considered))
}

/// Those of `rows` for which a condition holds, where there is one.
fn within(
    condition: Option<usize>,
    rows: Option<BooleanBuffer>,
    masks: &mut Masks<'_>,
) -> Result<Option<BooleanBuffer>> {
    let Some(place) = condition else { return Ok(rows) };
    let holding = masks.mask(place, rows.as_ref())?;
    Ok(Some(rows.map_or_else(|| holding.clone(), |rows| &holding & &rows)))
}

fn picked(batch: &RecordBatch, columns: &[usize]) -> Vec<ArrayRef> {
    columns.iter().map(|place| Arc::clone(batch.column(*place))).collect()
}

fn marked(marks: &Marks, numbers: &dyn Array) -> BooleanBuffer {
    match numbers.as_primitive_opt::<Int64Type>() {
        Some(numbers) => numbers.values().iter().map(|row| marks.contains(*row)).collect(),
        None => BooleanBuffer::new_unset(numbers.len()),
    }
}
