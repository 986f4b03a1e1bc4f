//! What an aggregate found, as JSON.
//!
//! In: a value of an Arrow array. Out: the JSON that says the same. Whole numbers are JSON numbers of any size that fits 64
//! bits; doubles are JSON numbers, and `NaN`, `Infinity`, `-Infinity` texts, as JSON has no such numbers; a decimal is a
//! number where a double spells exactly its digits and a text otherwise, so that no digit is lost. Times are texts in ISO
//! 8601, lists are lists, other nested values are text.

use deltalake::arrow::array::{Array, ArrayRef, AsArray};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::{DataType, Float64Type, Int64Type};
use deltalake::arrow::util::display::array_value_to_string;
use deltalake::datafusion::common::Result;
use serde_json::{Number, Value};

/// The value in a row; JSON's null for NULL.
pub(super) fn value(array: &ArrayRef, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        whole if whole.is_integer() && *whole != DataType::UInt64 => {
            cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().value(row).into()
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            // A float's shortest spelling is what was stored; as a double it would show digits that nobody wrote.
            match array_value_to_string(array, row)?.parse::<f64>() {
                Ok(shown) => number(shown),
                Err(_) => number(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().value(row)),
            }
        }
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            decimal(&array_value_to_string(array, row)?)
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row))?,
        _ => array_value_to_string(array, row)?.into(),
    })
}

/// A double as JSON.
pub(super) fn number(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

fn list(values: &ArrayRef) -> Result<Value> {
    (0..values.len()).map(|row| value(values, row)).collect::<Result<Vec<_>>>().map(Value::Array)
}

fn decimal(text: &str) -> Value {
    if let Ok(whole) = text.parse::<i64>() {
        return whole.into();
    }
    let digits = |text: &str| match text.split_once('.') {
        Some((whole, fraction)) => format!("{whole}.{}", fraction.trim_end_matches('0')),
        None => format!("{text}."),
    };
    match text.parse::<f64>() {
        Ok(near) if digits(&near.to_string()) == digits(text) => number(near),
        Ok(_) | Err(_) => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use deltalake::arrow::array::{Decimal128Array, Float32Array, Float64Array, Int64Array};

    use super::*;

    #[test]
    fn no_digit_is_lost() {
        let decimals = |value| Decimal128Array::from(vec![value]).with_precision_and_scale(38, 2).expect("fits");
        let shown = |array: ArrayRef| value(&array, 0).expect("shown").to_string();
        assert_eq!(shown(Arc::new(decimals(1050_i128))), "10.5");
        assert_eq!(shown(Arc::new(decimals(700_i128))), "7.0");
        assert_eq!(shown(Arc::new(decimals(12_345_678_901_234_567_891_i128))), "\"123456789012345678.91\"");
        assert_eq!(shown(Arc::new(Int64Array::from(vec![i64::MAX]))), i64::MAX.to_string());
        assert_eq!(shown(Arc::new(Float64Array::from(vec![f64::NAN]))), "\"NaN\"");
        assert_eq!(shown(Arc::new(Float32Array::from(vec![0.1_f32]))), "0.1");
        assert_eq!(shown(Arc::new(Int64Array::from(vec![None]))), "null");
    }
}
