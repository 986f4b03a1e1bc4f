//! Uniqueness from hashes that were gathered while the rows streamed by.
//!
//! In: the hashes that repeat (`assertions::keys`). Out: outcomes. Where no hash repeats, nothing violates and nothing is
//! read. Otherwise all rows with such a hash are read in one go, other columns only of these, and every test is judged on
//! them exactly as on all rows. Where they are too many, or not all there, no outcome is given: all rows are to be judged.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use deltalake::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use deltalake::arrow::datatypes::DataType;
use deltalake::datafusion::common::{Result, TableReference};
use deltalake::datafusion::datasource::MemTable;
use deltalake::datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, ident,
};
use deltalake::datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::{NAME, Staged, replace};
use crate::engines::local::assertions::keys::Repeated;
use crate::engines::local::assertions::rows::Keyed;
use crate::engines::local::assertions::{self, Counts, Outcome};
use crate::ir::{Node, Test};
use crate::sql::session;

/// More rows than these are read when they are grouped.
const MANY_SUSPECTS: u64 = 1_000_000;

impl Staged<'_> {
    /// The outcomes of the tests of uniqueness whose hashes tell enough, by place.
    pub(super) async fn keyed(&self, node: &Node, keyed: &Keyed) -> Result<BTreeMap<usize, Outcome>> {
        let mut outcomes = BTreeMap::new();
        let mut open = Vec::new();
        for test in &keyed.tests {
            let Some(assertion) = node.assertions.get(test.assertion) else { continue };
            match test.within.map(|place| keyed.repeated.get(&place)) {
                Some(None) => {}
                Some(Some(repeated)) if !repeated.is_empty() => open.push((test, assertion)),
                Some(Some(_)) | None => {
                    let outcome = assertions::outcome(assertion, test.counts, Vec::new());
                    outcomes.insert(test.assertion, Outcome { duration: test.duration, ..outcome });
                }
            }
        }
        let begun = Instant::now();
        let Some(suspects) = self.suspects(node, keyed).await? else { return Ok(outcomes) };
        let context = session::context(session::Options {
            target_partitions: Some(self.context.state().config().target_partitions()),
            runtime: Some(self.context.runtime_env()),
        });
        let n_rows = suspects.iter().map(|batch| batch.num_rows() as u64).sum();
        let schema = self.rows().await?.schema().as_arrow().clone();
        let table = MemTable::try_new(Arc::new(schema), vec![suspects])?;
        replace(&context, TableReference::bare(NAME), Arc::new(table))?;
        let few = Staged { context: &context, n_rows, bound_bytes: self.bound_bytes };
        let share = begun.elapsed().checked_div(u32::try_from(open.len()).unwrap_or(1)).unwrap_or_default();
        for (test, assertion) in open {
            let Test::Unique { columns } = &assertion.test else { continue };
            let begun = Instant::now();
            let (found, examples) = few.repeats(assertion, columns).await?;
            let counts = Counts { n_violating: found.n_violating, ..test.counts };
            let outcome = assertions::outcome(assertion, counts, examples);
            let duration = test.duration + share + begun.elapsed();
            outcomes.insert(test.assertion, Outcome { duration, ..outcome });
        }
        Ok(outcomes)
    }

    /// All rows that have a hash which repeats; `None` where there is no such hash, or too many rows.
    async fn suspects(&self, node: &Node, keyed: &Keyed) -> Result<Option<Vec<RecordBatch>>> {
        let mut columns: Vec<String> = Vec::new();
        let mut keys = Vec::new();
        for (place, repeated) in keyed.repeated.iter().filter(|(_, repeated)| !repeated.is_empty()) {
            let Some(Test::Unique { columns: own }) = node.assertions.get(*place).map(|one| &one.test) else {
                continue;
            };
            let places = own.iter().map(|column| {
                let column = column.to_lowercase();
                let known = columns.iter().position(|known| *known == column);
                known.unwrap_or_else(|| {
                    columns.push(column);
                    columns.len() - 1
                })
            });
            keys.push((places.collect::<Vec<_>>(), Arc::clone(repeated)));
        }
        let n_suspects: u64 = keys.iter().map(|(_, repeated)| repeated.n_rows).sum();
        if keys.is_empty() || n_suspects > MANY_SUSPECTS {
            return Ok(None);
        }
        let names: Vec<Expr> = columns.iter().map(ident).collect();
        let suspicious = ScalarUDF::new_from_impl(Suspicious::new(keys.clone())).call(names);
        let mut state = self.context.state();
        // Other columns are read only where the keys are suspicious.
        state.config_mut().options_mut().execution.parquet.pushdown_filters = true;
        let context = SessionContext::new_with_state(state);
        let rows = context.table(TableReference::bare(NAME)).await?.filter(suspicious)?;
        let (mut found, mut n_bytes) = (Vec::new(), 0);
        let mut n_found = vec![0; keys.len()];
        let mut batches = rows.execute_stream().await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            n_bytes += batch.get_array_memory_size();
            if n_bytes > self.bound_bytes {
                return Ok(None);
            }
            let own = columns.iter().map(|column| Ok(Arc::clone(batch.column(batch.schema().index_of(column)?))));
            let own: Vec<ArrayRef> = own.collect::<Result<_>>()?;
            for (n_found, (places, repeated)) in n_found.iter_mut().zip(&keys) {
                *n_found += repeated.rows(&picked(&own, places))?.count_set_bits() as u64;
            }
            found.push(batch);
        }
        // Were a value stored so that it has another hash, rows would be missing here.
        let is_whole = n_found.iter().zip(&keys).all(|(n_found, (_, repeated))| *n_found >= repeated.n_rows);
        Ok(is_whole.then_some(found))
    }
}

fn picked(columns: &[ArrayRef], places: &[usize]) -> Vec<ArrayRef> {
    places.iter().filter_map(|place| columns.get(*place).cloned()).collect()
}

/// The places of a key's columns among the arguments, and its hashes.
type Key = (Vec<usize>, Arc<Repeated>);

/// Whether a row has a hash that repeats, of any of several keys; its arguments are their columns.
#[derive(Debug)]
struct Suspicious {
    keys: Vec<Key>,
    signature: Signature,
}

impl Suspicious {
    fn new(keys: Vec<Key>) -> Self {
        Suspicious { keys, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl PartialEq for Suspicious {
    fn eq(&self, other: &Self) -> bool {
        let same = |(one, other): (&Key, &Key)| one.0 == other.0 && Arc::ptr_eq(&one.1, &other.1);
        self.keys.len() == other.keys.len() && self.keys.iter().zip(&other.keys).all(same)
    }
}

impl Eq for Suspicious {}

impl Hash for Suspicious {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.keys.iter().for_each(|(places, _)| places.hash(state));
    }
}

impl ScalarUDFImpl for Suspicious {
    fn name(&self) -> &'static str {
        "medc_suspicious"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let mut all = None;
        for (places, repeated) in &self.keys {
            let rows = repeated.rows(&picked(&columns, places))?;
            all = Some(all.map_or_else(|| rows.clone(), |all| &all | &rows));
        }
        let all = all.unwrap_or_else(|| deltalake::arrow::buffer::BooleanBuffer::new_unset(arguments.number_rows));
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(all, None))))
    }
}
