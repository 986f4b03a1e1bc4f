//! A contract's casts on the rows of an input table, and what becomes of values that cannot be cast.
//!
//! In: rows, mostly text. Out: the rows with the contract's types; a value that cannot be cast is NULL in a row that stays
//! and its row is gone where the contract drops or quarantines it. [`Casts`] counts and remembers as the rows stream by.
//! A second reading of the same rows for their keys records nothing and leaves no row out; a view, which nobody tests,
//! fails its reader instead.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use deltalake::arrow::array::{Array, BooleanArray, RecordBatch};
use deltalake::arrow::buffer::BooleanBuffer;
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake::arrow::error::ArrowError;
use deltalake::arrow::util::display::array_value_to_string;
use deltalake::datafusion::common::{DataFusionError, Result};
use deltalake::datafusion::execution::{SendableRecordBatchStream, TaskContext};
use deltalake::datafusion::physical_plan::ExecutionPlan;
use deltalake::datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

use crate::engines::local::assertions::N_EXAMPLES;
use crate::engines::local::cast;
use crate::engines::local::operator::{Operator, Run};
use crate::engines::local::quarantine::Quarantine;
use crate::ir::{Contract, ContractColumn, OnViolation};
use crate::sql::zone::Zone;

/// What is done about values that cannot be cast, besides the contract's rule.
#[derive(Debug, Clone)]
pub(super) enum Casting {
    Recorded(Arc<Casts>),
    ForKeys,
    InView,
}

/// What was found while casting.
#[derive(Debug, Default)]
pub(super) struct Casts {
    pub(super) found: Mutex<Found>,
    pub(super) quarantine: Option<Arc<Quarantine>>,
}

#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) n_rows: u64,
    pub(super) n_violating: u64,
    /// By column: its name, its type and how many values.
    pub(super) columns: std::collections::BTreeMap<String, (DataType, u64)>,
    /// JSON objects with the offending values.
    pub(super) examples: Vec<String>,
}

/// What a contract says of casts.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    on_failure: OnViolation,
    /// The zone of times that name none.
    zone: Zone,
    /// Columns whose values are never shown, in lower case.
    masked: BTreeSet<String>,
}

impl Rule {
    pub(super) fn of(contract: &Contract) -> Rule {
        let is_masked = |column: &&ContractColumn| column.tags.iter().any(|tag| tag.eq_ignore_ascii_case("pii"));
        let masked = contract.columns.iter().filter(is_masked).map(|column| column.column.name.to_lowercase());
        let zone = contract.timezone.as_deref().and_then(Zone::parse).unwrap_or(Zone::UTC);
        Rule { on_failure: contract.on_cast_failure, zone, masked: masked.collect() }
    }

    /// For rows that are stored: they stay, and what cannot be cast is counted.
    pub(super) fn keeping(contract: Option<&Contract>) -> Rule {
        match contract {
            Some(contract) => Rule { on_failure: OnViolation::Fail, ..Rule::of(contract) },
            None => Rule { on_failure: OnViolation::Fail, zone: Zone::UTC, masked: BTreeSet::new() },
        }
    }

    /// A value as an example may show it.
    fn shown(&self, name: &str, column: &dyn Array, row: usize) -> Result<String> {
        if self.masked.contains(&name.to_lowercase()) {
            return Ok("***".to_owned());
        }
        Ok(array_value_to_string(column, row)?)
    }
}

/// Casts the columns of `rows` that `wanted` names.
pub(super) fn cast_rows(
    rows: Arc<dyn ExecutionPlan>,
    wanted: &[(usize, DataType)],
    rule: Rule,
    casting: Casting,
) -> Arc<dyn ExecutionPlan> {
    let mut fields: Vec<Field> = rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    for (place, data_type) in wanted {
        if let Some(field) = fields.get_mut(*place) {
            *field = Field::new(field.name(), data_type.clone(), true);
        }
    }
    let schema = Arc::new(Schema::new(fields));
    let run = CastRows { wanted: wanted.to_vec(), rule, casting, schema: Arc::clone(&schema) };
    Arc::new(Operator::new("CastRows", vec![rows], schema, 1, Arc::new(run)))
}

#[derive(Debug, Clone)]
struct CastRows {
    wanted: Vec<(usize, DataType)>,
    rule: Rule,
    casting: Casting,
    schema: SchemaRef,
}

impl Run for CastRows {
    fn run(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let [rows] = inputs else { return Err(DataFusionError::Internal("one input".to_owned())) };
        let own = self.clone();
        let batches = rows.execute(partition, context)?.map(move |batch| own.cast(&batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }

    fn fresh(&self) -> Arc<dyn Run> {
        Arc::new(self.clone())
    }
}

impl CastRows {
    fn cast(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = batch.columns().to_vec();
        let mut failed = Vec::new();
        for (place, data_type) in &self.wanted {
            let Some(column) = columns.get_mut(*place) else { continue };
            let cast = cast::try_cast(column, data_type, self.rule.zone)?;
            failed.extend(cast.failed.map(|rows| (*place, data_type, rows)));
            *column = cast.values;
        }
        let cast = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let violating = failed.iter().map(|(_, _, rows)| rows.clone()).reduce(|all, rows| &all | &rows);
        let casts = match &self.casting {
            Casting::Recorded(casts) => Some(casts),
            Casting::ForKeys => return Ok(cast),
            Casting::InView => None,
        };
        if let Some(casts) = casts {
            casts.record(batch, &failed, violating.as_ref(), &self.rule)?;
        }
        let Some(violating) = violating else { return Ok(cast) };
        match self.rule.on_failure {
            OnViolation::Fail if casts.is_none() => {
                let reason = match violating.set_indices().next() {
                    Some(row) => reasons(batch, &failed, row)?.join(", "),
                    None => String::new(),
                };
                Err(DataFusionError::from(ArrowError::CastError(reason)))
            }
            OnViolation::Fail | OnViolation::Warn => Ok(cast),
            OnViolation::Drop => Ok(filter_record_batch(&cast, &not(&violating))?),
            OnViolation::Quarantine => {
                if let Some(quarantine) = casts.and_then(|casts| casts.quarantine.as_ref()) {
                    let bad = filter_record_batch(batch, &BooleanArray::new(violating.clone(), None))?;
                    let reasons =
                        violating.set_indices().map(|row| reasons(batch, &failed, row)).collect::<Result<_>>()?;
                    quarantine.add(&bad, reasons)?;
                }
                Ok(filter_record_batch(&cast, &not(&violating))?)
            }
        }
    }
}

type Failed<'a> = (usize, &'a DataType, BooleanBuffer);

impl Casts {
    /// Counts; `violating` are the rows with at least one failure.
    fn record(
        &self,
        batch: &RecordBatch,
        failed: &[Failed<'_>],
        violating: Option<&BooleanBuffer>,
        rule: &Rule,
    ) -> Result<()> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.n_rows += batch.num_rows() as u64;
        let Some(violating) = violating else { return Ok(()) };
        found.n_violating += violating.count_set_bits() as u64;
        for (place, data_type, rows) in failed {
            let name = batch.schema().field(*place).name().clone();
            found.columns.entry(name).or_insert_with(|| ((*data_type).clone(), 0)).1 += rows.count_set_bits() as u64;
        }
        for row in violating.set_indices() {
            if found.examples.len() >= N_EXAMPLES {
                break;
            }
            let mut example = serde_json::Map::new();
            for (place, ..) in failed.iter().filter(|(_, _, rows)| rows.value(row)) {
                let name = batch.schema().field(*place).name().clone();
                let shown = rule.shown(&name, batch.column(*place), row)?;
                example.insert(name, shown.into());
            }
            found.examples.push(serde_json::Value::Object(example).to_string());
        }
        Ok(())
    }
}

fn reasons(batch: &RecordBatch, failed: &[Failed<'_>], row: usize) -> Result<Vec<String>> {
    let schema = batch.schema();
    failed
        .iter()
        .filter(|(_, _, rows)| rows.value(row))
        .map(|(place, data_type, _)| {
            let value = array_value_to_string(batch.column(*place), row)?;
            Ok(format!("{}: `{value}` is no {}", schema.field(*place).name(), type_name(data_type)))
        })
        .collect()
}

/// The type as people write it.
pub(super) fn type_name(data_type: &DataType) -> String {
    crate::sql::types::from_arrow(data_type).map_or_else(|| data_type.to_string(), |known| known.to_string())
}

fn not(rows: &BooleanBuffer) -> BooleanArray {
    BooleanArray::new(!rows, None)
}
