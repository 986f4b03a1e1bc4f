//! `avg` of decimals, rounded half up in its last digit, as Spark's.
//!
//! DataFusion's own cuts off what is behind the last digit: the mean of 1, 1 and 3 ended in `…666`. Decimals are summed here with a
//! check at every addition and divided once, exactly; all else is DataFusion's. Source: Databricks SQL reference, `avg`: that of a
//! `decimal(p,s)` is a `decimal(min(38,p+4),min(38,s+4))`; Spark's `Average` divides with `HALF_UP`.

use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, UInt64Array};
use deltalake::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, UInt64Type, i256};
use deltalake::arrow::error::ArrowError;
use deltalake::datafusion::common::{DataFusionError, Result, ScalarValue};
use deltalake::datafusion::functions_aggregate::average::avg_udaf;
use deltalake::datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use deltalake::datafusion::logical_expr::utils::AggregateOrderSensitivity;
use deltalake::datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};

/// The function, to be registered in place of DataFusion's.
pub(super) fn avg() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Avg { own: avg_udaf() }))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Avg {
    /// DataFusion's.
    own: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Avg {
    fn name(&self) -> &'static str {
        "avg"
    }

    fn aliases(&self) -> &[String] {
        self.own.aliases()
    }

    fn signature(&self) -> &Signature {
        self.own.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.own.return_type(arg_types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match Mean::of(&args) {
            Some(mean) => Ok(Box::new(One { mean, sum: 0, n_values: 0 })),
            None => self.own.accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        match args.input_fields.first().map(|field| field.data_type()) {
            Some(DataType::Decimal128(_, scale)) if !args.is_distinct => Ok(vec![
                Arc::new(Field::new(format!("{}[count]", args.name), DataType::UInt64, true)),
                Arc::new(Field::new(format!("{}[sum]", args.name), sum_type(*scale), true)),
            ]),
            _ => self.own.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.own.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match Mean::of(&args) {
            Some(mean) => Ok(Box::new(Groups { mean, sums: Vec::new(), n_values: Vec::new() })),
            None => self.own.create_groups_accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match Mean::of(&args) {
            Some(mean) => Ok(Box::new(One { mean, sum: 0, n_values: 0 })),
            None => self.own.create_sliding_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

fn sum_type(scale: i8) -> DataType {
    DataType::Decimal128(38, scale)
}

fn overflow(data_type: &DataType) -> DataFusionError {
    let shown =
        crate::sql::types::from_arrow(data_type).map_or_else(|| data_type.to_string(), |known| known.to_string());
    DataFusionError::from(ArrowError::ArithmeticOverflow(format!("A mean has more digits than `{shown}`")))
}

/// The mean's types.
#[derive(Debug, Clone)]
struct Mean {
    /// The scale of the values.
    scale: i8,
    precision: u8,
    data_type: DataType,
    /// By which the sum is multiplied to have the mean's scale.
    factor: i256,
}

impl Mean {
    /// Of decimals; `None` for all else, and of distinct values.
    fn of(args: &AccumulatorArgs) -> Option<Self> {
        let data_type = args.return_field.data_type();
        let input = args.expr_fields.first()?.data_type();
        let (DataType::Decimal128(_, scale), DataType::Decimal128(precision, behind)) = (input, data_type) else {
            return None;
        };
        let more = u32::try_from(behind - scale).ok()?;
        (!args.is_distinct).then(|| Mean {
            scale: *scale,
            precision: *precision,
            data_type: data_type.clone(),
            factor: i256::from_i128(10_i128.pow(more)),
        })
    }

    /// The sum by the count, rounded half away from zero; `None` of nothing.
    fn divided(&self, sum: i128, n_values: u64) -> Result<Option<i128>> {
        if n_values == 0 {
            return Ok(None);
        }
        // 2^127 by 10^4 has fewer than 256 bits.
        let scaled = i256::from_i128(sum).wrapping_mul(self.factor);
        let count = i256::from_i128(i128::from(n_values));
        let (quotient, rest) = (scaled.wrapping_div(count), scaled.wrapping_rem(count));
        let is_half = rest.wrapping_abs().wrapping_mul(i256::from_i128(2)) >= count;
        let step = i256::from_i128(if is_half { i128::from(sum >= 0) * 2 - 1 } else { 0 });
        let mean = quotient.wrapping_add(step).to_i128();
        let mean = mean.filter(|mean| mean.unsigned_abs() < 10_u128.pow(u32::from(self.precision)));
        mean.map(Some).ok_or_else(|| overflow(&self.data_type))
    }

    fn added(&self, sum: i128, value: i128) -> Result<i128> {
        sum.checked_add(value).ok_or_else(|| overflow(&self.data_type))
    }
}

/// One mean.
#[derive(Debug)]
struct One {
    mean: Mean,
    sum: i128,
    n_values: u64,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first() else { return Ok(()) };
        for value in values.as_primitive::<Decimal128Type>().iter().flatten() {
            self.sum = self.mean.added(self.sum, value)?;
        }
        self.n_values += (values.len() - values.null_count()) as u64;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first() else { return Ok(()) };
        for value in values.as_primitive::<Decimal128Type>().iter().flatten() {
            self.sum = self.mean.added(self.sum, -value)?;
        }
        self.n_values -= (values.len() - values.null_count()) as u64;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [counts, sums] = states else { return Ok(()) };
        for (count, sum) in counts.as_primitive::<UInt64Type>().iter().zip(sums.as_primitive::<Decimal128Type>()) {
            self.n_values += count.unwrap_or(0);
            self.sum = self.mean.added(self.sum, sum.unwrap_or(0))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = ScalarValue::Decimal128(Some(self.sum), 38, self.mean.scale);
        Ok(vec![ScalarValue::UInt64(Some(self.n_values)), sum])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mean = self.mean.divided(self.sum, self.n_values)?;
        ScalarValue::new_primitive::<Decimal128Type>(mean, &self.mean.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// A mean per group.
#[derive(Debug)]
struct Groups {
    mean: Mean,
    sums: Vec<i128>,
    n_values: Vec<u64>,
}

impl Groups {
    fn grow(&mut self, n_groups: usize) {
        self.sums.resize(n_groups, 0);
        self.n_values.resize(n_groups, 0);
    }

    fn add(&mut self, group: usize, value: i128, n_values: u64) -> Result<()> {
        if let (Some(sum), Some(known)) = (self.sums.get_mut(group), self.n_values.get_mut(group)) {
            *sum = self.mean.added(*sum, value)?;
            *known += n_values;
        }
        Ok(())
    }

    fn sums(&self, sums: impl IntoIterator<Item = i128>) -> ArrayRef {
        Arc::new(Decimal128Array::from_iter_values(sums).with_data_type(sum_type(self.mean.scale)))
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.grow(total_num_groups);
        let Some(values) = values.first() else { return Ok(()) };
        let counts = |row: usize| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, (&group, value)) in group_indices.iter().zip(values.as_primitive::<Decimal128Type>()).enumerate() {
            if let Some(value) = value
                && counts(row)
            {
                self.add(group, value, 1)?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.grow(total_num_groups);
        let [counts, sums] = values else { return Ok(()) };
        let states = counts.as_primitive::<UInt64Type>().iter().zip(sums.as_primitive::<Decimal128Type>());
        for (&group, (count, sum)) in group_indices.iter().zip(states) {
            self.add(group, sum.unwrap_or(0), count.unwrap_or(0))?;
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sums, counts) = (emit_to.take_needed(&mut self.sums), emit_to.take_needed(&mut self.n_values));
        let means = sums.into_iter().zip(counts).map(|(sum, count)| self.mean.divided(sum, count));
        let means = means.collect::<Result<Decimal128Array>>()?;
        Ok(Arc::new(means.with_data_type(self.mean.data_type.clone())))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, counts) = (emit_to.take_needed(&mut self.sums), emit_to.take_needed(&mut self.n_values));
        Ok(vec![Arc::new(UInt64Array::from(counts)), self.sums(sums)])
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let Some(values) = values.first() else { return Ok(Vec::new()) };
        let counts = |row: usize| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let values = values.as_primitive::<Decimal128Type>().iter().enumerate();
        let kept: Vec<Option<i128>> = values.map(|(row, value)| value.filter(|_| counts(row))).collect();
        let n_values = kept.iter().map(|value| u64::from(value.is_some()));
        let sums = kept.iter().map(|value| value.unwrap_or(0));
        Ok(vec![Arc::new(UInt64Array::from_iter_values(n_values)), self.sums(sums)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i128>() + self.n_values.capacity() * size_of::<u64>()
    }
}
