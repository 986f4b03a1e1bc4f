//! `sum` that fails where it does not fit its type, as Spark's does under ANSI.
//!
//! DataFusion's own wraps around in silence: a sum of large decimals or bigints came out negative. Integers and decimals are
//! summed here with a check at every addition, and a decimal's digits are counted at the end; all else is DataFusion's.
//! Source: Databricks SQL reference, `sum` (`ARITHMETIC_OVERFLOW`); a sum of `decimal(p,s)` is `decimal(min(38,p+10),s)`.

use std::sync::Arc;

use deltalake::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, new_null_array,
};
use deltalake::arrow::datatypes::{DataType, Decimal128Type, FieldRef, Int64Type};
use deltalake::arrow::error::ArrowError;
use deltalake::datafusion::common::{DataFusionError, Result, ScalarValue};
use deltalake::datafusion::functions_aggregate::sum::sum_udaf;
use deltalake::datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use deltalake::datafusion::logical_expr::utils::AggregateOrderSensitivity;
use deltalake::datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};

/// The function, to be registered in place of DataFusion's.
pub(super) fn sum() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Sum { own: sum_udaf() }))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sum {
    /// DataFusion's.
    own: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        self.own.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.own.return_type(arg_types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match args.return_field.data_type() {
            to @ DataType::Int64 if !args.is_distinct => Ok(Box::new(Checked::<Int64Type>::new(to))),
            to @ DataType::Decimal128(..) if !args.is_distinct => Ok(Box::new(Checked::<Decimal128Type>::new(to))),
            _ => self.own.accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.own.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.own.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match args.return_field.data_type() {
            to @ DataType::Int64 => Ok(Box::new(CheckedGroups::<Int64Type>::new(to))),
            to @ DataType::Decimal128(..) => Ok(Box::new(CheckedGroups::<Decimal128Type>::new(to))),
            _ => self.own.create_groups_accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match args.return_field.data_type() {
            to @ DataType::Int64 if !args.is_distinct => Ok(Box::new(Checked::<Int64Type>::new(to))),
            to @ DataType::Decimal128(..) if !args.is_distinct => Ok(Box::new(Checked::<Decimal128Type>::new(to))),
            _ => self.own.create_sliding_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.own.reverse_udf()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The two types that are summed with a check.
trait Summed: ArrowPrimitiveType + std::fmt::Debug {
    fn plus(left: Self::Native, right: Self::Native) -> Option<Self::Native>;
    fn minus(left: Self::Native, right: Self::Native) -> Option<Self::Native>;
    /// Whether a sum has no more digits than its type.
    fn fits(sum: Self::Native, data_type: &DataType) -> bool;
}

impl Summed for Int64Type {
    fn plus(left: i64, right: i64) -> Option<i64> {
        left.checked_add(right)
    }

    fn minus(left: i64, right: i64) -> Option<i64> {
        left.checked_sub(right)
    }

    fn fits(_: i64, _: &DataType) -> bool {
        true
    }
}

impl Summed for Decimal128Type {
    fn plus(left: i128, right: i128) -> Option<i128> {
        left.checked_add(right)
    }

    fn minus(left: i128, right: i128) -> Option<i128> {
        left.checked_sub(right)
    }

    fn fits(sum: i128, data_type: &DataType) -> bool {
        match data_type {
            DataType::Decimal128(precision, _) => sum.unsigned_abs() < 10_u128.pow(u32::from(*precision)),
            _ => true,
        }
    }
}

fn overflow(data_type: &DataType) -> DataFusionError {
    let shown =
        crate::sql::types::from_arrow(data_type).map_or_else(|| data_type.to_string(), |known| known.to_string());
    DataFusionError::from(ArrowError::ArithmeticOverflow(format!("A sum has more digits than `{shown}`")))
}

/// One sum.
#[derive(Debug)]
struct Checked<T: Summed> {
    sum: T::Native,
    /// Values in the sum; without any it is NULL.
    n_values: u64,
    data_type: DataType,
}

impl<T: Summed> Checked<T> {
    fn new(data_type: &DataType) -> Self {
        Checked { sum: T::Native::default(), n_values: 0, data_type: data_type.clone() }
    }

    fn each(&mut self, values: &[ArrayRef], compute: fn(T::Native, T::Native) -> Option<T::Native>) -> Result<u64> {
        let Some(values) = values.first() else { return Ok(0) };
        let values = values.as_primitive::<T>();
        for value in values.iter().flatten() {
            self.sum = compute(self.sum, value).ok_or_else(|| overflow(&self.data_type))?;
        }
        Ok((values.len() - values.null_count()) as u64)
    }
}

impl<T: Summed> Accumulator for Checked<T> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.n_values += self.each(values, T::plus)?;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.n_values -= self.each(values, T::minus)?;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.n_values > 0).then_some(self.sum);
        Ok(vec![ScalarValue::new_primitive::<T>(sum, &self.data_type)?])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if !T::fits(self.sum, &self.data_type) {
            return Err(overflow(&self.data_type));
        }
        let sum = (self.n_values > 0).then_some(self.sum);
        ScalarValue::new_primitive::<T>(sum, &self.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// A sum per group.
#[derive(Debug)]
struct CheckedGroups<T: Summed> {
    sums: Vec<T::Native>,
    /// Whether a group has a value.
    given: Vec<bool>,
    data_type: DataType,
}

impl<T: Summed> CheckedGroups<T> {
    fn new(data_type: &DataType) -> Self {
        CheckedGroups { sums: Vec::new(), given: Vec::new(), data_type: data_type.clone() }
    }

    fn emit(&mut self, emit_to: EmitTo) -> PrimitiveArray<T> {
        let (sums, given) = (emit_to.take_needed(&mut self.sums), emit_to.take_needed(&mut self.given));
        let sums = sums.into_iter().zip(given).map(|(sum, given)| given.then_some(sum));
        sums.collect::<PrimitiveArray<T>>().with_data_type(self.data_type.clone())
    }
}

impl<T: Summed> GroupsAccumulator for CheckedGroups<T> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_num_groups, T::Native::default());
        self.given.resize(total_num_groups, false);
        let Some(values) = values.first() else { return Ok(()) };
        let values = values.as_primitive::<T>();
        let counts = |row: usize| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, (&group, value)) in group_indices.iter().zip(values).enumerate() {
            if let Some(value) = value
                && counts(row)
                && let (Some(sum), Some(given)) = (self.sums.get_mut(group), self.given.get_mut(group))
            {
                *sum = T::plus(*sum, value).ok_or_else(|| overflow(&self.data_type))?;
                *given = true;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.update_batch(values, group_indices, None, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.emit(emit_to);
        if sums.iter().flatten().all(|sum| T::fits(sum, &self.data_type)) {
            Ok(Arc::new(sums))
        } else {
            Err(overflow(&self.data_type))
        }
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(self.emit(emit_to))])
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let Some(values) = values.first() else { return Ok(vec![new_null_array(&self.data_type, 0)]) };
        let values = values.as_primitive::<T>();
        let counts = |row: usize| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        let kept = values.iter().enumerate().map(|(row, value)| value.filter(|_| counts(row)));
        Ok(vec![Arc::new(kept.collect::<PrimitiveArray<T>>().with_data_type(self.data_type.clone()))])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<T::Native>() + self.given.capacity()
    }
}
