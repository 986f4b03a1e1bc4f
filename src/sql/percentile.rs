//! `percentile(numbers, share)` and `median(numbers)` as Spark computes them: exact, linear between neighbours, a double.
//!
//! DataFusion's own `median` of integers is an integer, and its `percentile_cont` rounds the weight between two values to
//! six digits (55.2). Source: Spark's `Percentile`. All of a group's values are held in memory.

use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use deltalake::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use deltalake::datafusion::common::utils::SingleRowListArrayBuilder;
use deltalake::datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use deltalake::datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use deltalake::datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use deltalake::datafusion::physical_expr::PhysicalExpr;

/// `percentile` and `median`.
pub(super) fn functions() -> [Arc<AggregateUDF>; 2] {
    [Share::Given, Share::Half].map(|share| {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(AggregateUDF::new_from_impl(Percentile { share, signature }))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Share {
    /// The second argument.
    Given,
    /// The median's.
    Half,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Percentile {
    share: Share,
    signature: Signature,
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &'static str {
        match self.share {
            Share::Given => "percentile",
            Share::Half => "median",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let n_wanted = match self.share {
            Share::Given => 2,
            Share::Half => 1,
        };
        if arguments.len() != n_wanted || !arguments.iter().all(|known| known.is_numeric() || known.is_null()) {
            let name = self.name();
            return plan_err!("{name} takes {n_wanted} numbers");
        }
        Ok(vec![DataType::Float64; n_wanted])
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let element = Field::new_list_field(DataType::Float64, true);
        Ok(vec![Arc::new(Field::new(format!("{}_values", args.name), DataType::List(Arc::new(element)), true))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let share = match (self.share, args.exprs.get(1)) {
            (Share::Half, _) => 0.5,
            (Share::Given, Some(given)) => constant(given)?,
            (Share::Given, None) => return exec_err!("percentile has no share"),
        };
        if !(0.0..=1.0).contains(&share) {
            return exec_err!("a percentile's share is from 0 to 1, not {share}");
        }
        Ok(Box::new(Collected { share, values: Vec::new(), distinct: args.is_distinct }))
    }
}

/// The value of an expression without columns.
fn constant(expr: &Arc<dyn PhysicalExpr>) -> Result<f64> {
    let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let value = expr.evaluate(&nothing)?.into_array(1)?;
    match ScalarValue::try_from_array(&value, 0)? {
        ScalarValue::Float64(Some(share)) => Ok(share),
        other => exec_err!("a percentile's share is a constant number, not {other}"),
    }
}

#[derive(Debug)]
struct Collected {
    share: f64,
    values: Vec<f64>,
    distinct: bool,
}

impl Collected {
    fn extend(&mut self, array: &ArrayRef) {
        let array = array.as_primitive::<Float64Type>();
        if array.null_count() == 0 {
            self.values.extend_from_slice(array.values());
        } else {
            self.values.extend(array.iter().flatten());
        }
    }
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if let Some(first) = values.first() {
            self.extend(first);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states.iter().filter_map(|state| state.as_list_opt::<i32>()) {
            (0..list.len()).filter(|row| list.is_valid(*row)).for_each(|row| self.extend(&list.value(row)));
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = Float64Array::from(std::mem::take(&mut self.values));
        let list = SingleRowListArrayBuilder::new(Arc::new(values)).with_nullable(true).build_list_array();
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.distinct {
            self.values.sort_by(f64::total_cmp);
            self.values.dedup();
        }
        Ok(ScalarValue::Float64(quantile(&mut self.values, self.share)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<f64>()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of values that lie in memory")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among them")]
fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let position = share * last as f64;
    let (below, above) = (position.floor(), position.ceil());
    let (_, low, rest) = values.select_nth_unstable_by(below as usize, f64::total_cmp);
    let low = *low;
    if below >= above {
        return Some(low);
    }
    let high = rest.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    Some((above - position) * low + (position - below) * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy 2.1, `numpy.quantile(values, share)`.
    #[test]
    fn quantiles_are_numpys() {
        let mut values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.5), (0.95, 7.95), (1.0, 9.0), (0.123_456_7, 1.0)] {
            let found = quantile(&mut values, share).expect("there are values");
            assert!((found - expected).abs() < 1e-9, "{share}: {found}");
        }
        assert_eq!(quantile(&mut [], 0.5), None);
    }
}
