//! Conditions on a row, each compiled once and evaluated once a batch.
//!
//! In: SQL texts. Out: per batch the rows for which a condition is true. A condition on nothing but one column of texts is
//! evaluated once for each different text where these are few. What a `where` excludes cannot fail a test, not even by an
//! error.

use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use deltalake::arrow::buffer::BooleanBuffer;
use deltalake::arrow::compute::filter_record_batch;
use deltalake::arrow::datatypes::{DataType, Schema, SchemaRef};
use deltalake::datafusion::common::{DFSchema, DataFusionError, Result};
use deltalake::datafusion::execution::SessionState;
use deltalake::datafusion::physical_expr::PhysicalExpr;
use deltalake::datafusion::physical_expr::expressions::{Column, IsNotNullExpr, IsNullExpr};
use deltalake::datafusion::physical_expr::utils::collect_columns;
use deltalake::datafusion::physical_expr_common::physical_expr::is_volatile;

use super::distinct::{Apart, Varied};
use super::pattern;
use crate::sql::expression;

/// The conditions of a node's tests, each once.
pub(super) struct Conditions {
    schema: SchemaRef,
    all: Vec<Condition>,
    varied: Varied,
}

/// The rows for which an expression has the value `wanted`; NULL is neither.
struct Condition {
    text: Arc<str>,
    wanted: bool,
    expr: Arc<dyn PhysicalExpr>,
    of_texts: Option<OfTexts>,
}

/// A condition as one on the values of a single column.
struct OfTexts {
    column: usize,
    schema: SchemaRef,
    expr: Arc<dyn PhysicalExpr>,
}

impl Conditions {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Conditions { schema: Arc::clone(schema), all: Vec::new(), varied: Varied::of(schema.fields().len()) }
    }

    /// The place of a condition, which is compiled if it is new.
    pub(super) fn place(&mut self, state: &SessionState, text: &Arc<str>, wanted: bool) -> Result<usize> {
        let known = |condition: &Condition| condition.text == *text && condition.wanted == wanted;
        if let Some(place) = self.all.iter().position(known) {
            return Ok(place);
        }
        let compiled = |schema: &SchemaRef| {
            let named = DFSchema::try_from(Arc::clone(schema))?;
            pattern::quicken(expression::physical_expression(state, text, &named)?, schema)
        };
        let expr = compiled(&self.schema)?;
        let of_texts = match single_text(&expr, &self.schema) {
            None => None,
            Some(column) => {
                let schema = Arc::new(Schema::new(vec![Arc::clone(&self.schema.fields()[column])]));
                let expr = compiled(&schema)?;
                Some(OfTexts { column, schema, expr })
            }
        };
        self.all.push(Condition { text: Arc::clone(text), wanted, expr, of_texts });
        Ok(self.all.len() - 1)
    }

    /// A batch to hold the conditions against.
    pub(super) fn over<'a>(&'a self, batch: &'a RecordBatch) -> Masks<'a> {
        Masks { conditions: self, batch, known: vec![None; self.all.len()], apart: Apart::default() }
    }
}

/// The only column that an expression looks at, if that holds texts and there is anything to gain.
fn single_text(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<usize> {
    if is_volatile(expr) || expr.is::<IsNullExpr>() || expr.is::<IsNotNullExpr>() {
        return None;
    }
    let columns = collect_columns(expr);
    let mut places = columns.iter().map(Column::index);
    let place = places.next().filter(|_| columns.len() == 1)?;
    schema.fields().get(place).filter(|field| *field.data_type() == DataType::Utf8).map(|_| place)
}

/// What is known of a batch.
pub(super) struct Masks<'a> {
    conditions: &'a Conditions,
    batch: &'a RecordBatch,
    known: Vec<Option<BooleanBuffer>>,
    apart: Apart,
}

impl Masks<'_> {
    /// The rows for which a condition is true. It is tried on all rows; where that fails, only those `within` count.
    pub(super) fn mask(&mut self, place: usize, within: Option<&BooleanBuffer>) -> Result<BooleanBuffer> {
        if let Some(Some(mask)) = self.known.get(place) {
            return Ok(mask.clone());
        }
        let condition = self.conditions.all.get(place);
        let condition = condition.ok_or_else(|| DataFusionError::Internal("a condition has its place".to_owned()))?;
        match (self.evaluate(condition), within) {
            (Ok(mask), _) => {
                if let Some(known) = self.known.get_mut(place) {
                    *known = Some(mask.clone());
                }
                Ok(mask)
            }
            (Err(error), None) => Err(error),
            (Err(_), Some(within)) => {
                let some = filter_record_batch(self.batch, &BooleanArray::new(within.clone(), None))?;
                let found = rows_where(&condition.expr, condition.wanted, &some)?;
                let mut found = found.iter();
                Ok(within.iter().map(|is_within| is_within && found.next().unwrap_or(false)).collect())
            }
        }
    }

    fn evaluate(&mut self, condition: &Condition) -> Result<BooleanBuffer> {
        if let Some(OfTexts { column, schema, expr }) = &condition.of_texts
            && let Some(distinct) = self.apart.column(*column, self.batch, &self.conditions.varied)?
        {
            let values = RecordBatch::try_new(Arc::clone(schema), vec![ArrayRef::clone(&distinct.values)])?;
            return Ok(distinct.rows(&rows_where(expr, condition.wanted, &values)?));
        }
        rows_where(&condition.expr, condition.wanted, self.batch)
    }
}

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
