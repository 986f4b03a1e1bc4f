//! Values cast to a contract's type, NULL where they cannot be.
//!
//! In: a column. Out: the column in the wanted type, and the rows in which a value, at whatever depth, could not be cast.
//! Nothing is lost on the way: a fraction does not become an integer, a number that does not fit is no number, text is
//! read as Spark's ANSI casts read it and narrower where that would guess (`docs/types.md` has the list). Blanks around
//! numbers, dates, timestamps and booleans don't count; decimals round half up. Times without a zone are read in the
//! contract's. Structs are matched by their members' names.

use std::sync::Arc;

use deltalake::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Date32Array, Decimal128Array, PrimitiveArray,
    StringArray,
};
use deltalake::arrow::buffer::{BooleanBuffer, NullBuffer};
use deltalake::arrow::compute::{CastOptions, cast_with_options};
use deltalake::arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use deltalake::arrow::error::ArrowError;

use crate::sql::zone::Zone;

mod nested;
#[cfg(test)]
mod tests;
mod text;
mod time;

/// A column after a cast.
pub(super) struct Cast {
    pub(super) values: ArrayRef,
    /// The rows in which something could not be cast; `None` for none.
    pub(super) failed: Option<BooleanBuffer>,
}

impl Cast {
    /// A value that was there and is not any more could not be cast.
    fn of(before: &dyn Array, values: ArrayRef) -> Cast {
        if values.null_count() <= before.null_count() {
            return Cast { values, failed: None };
        }
        let valid = |nulls: Option<&NullBuffer>| match nulls {
            Some(nulls) => nulls.inner().clone(),
            None => BooleanBuffer::new_set(before.len()),
        };
        let failed = &valid(before.nulls()) & &!&valid(values.nulls());
        Cast { values, failed: Some(failed) }
    }
}

/// Casts `column` to `wanted`; times without a zone are those of `zone`.
///
/// # Errors
/// When there is no cast between the two types at all.
pub(super) fn try_cast(column: &ArrayRef, wanted: &DataType, zone: Zone) -> Result<Cast, ArrowError> {
    if column.data_type() == wanted {
        return Ok(Cast { values: Arc::clone(column), failed: None });
    }
    let unpacked = match column.data_type() {
        DataType::Utf8View | DataType::LargeUtf8 => Some(DataType::Utf8),
        DataType::Dictionary(_, values) => Some(values.as_ref().clone()),
        DataType::RunEndEncoded(_, values) => Some(values.data_type().clone()),
        _ => None,
    };
    if let Some(unpacked) = unpacked {
        return try_cast(&cast_with_options(column, &unpacked, &CastOptions::default())?, wanted, zone);
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return of_text(column, texts, wanted, zone);
    }
    if let Some(cast) = nested::cast(column, wanted, zone)? {
        return Ok(cast);
    }
    let values = match time::between(column, wanted, zone)? {
        Some(values) => values,
        None => of_number(column, wanted)?,
    };
    Ok(Cast::of(column, values))
}

fn of_text(column: &ArrayRef, texts: &StringArray, wanted: &DataType, zone: Zone) -> Result<Cast, ArrowError> {
    let values: ArrayRef = match wanted {
        DataType::Int8 => primitive::<Int8Type>(texts, text::integer),
        DataType::Int16 => primitive::<Int16Type>(texts, text::integer),
        DataType::Int32 => primitive::<Int32Type>(texts, text::integer),
        DataType::Int64 => primitive::<Int64Type>(texts, text::integer),
        DataType::Float32 => primitive::<Float32Type>(texts, text::float),
        DataType::Float64 => primitive::<Float64Type>(texts, text::float),
        DataType::Decimal128(precision, scale) => {
            decimals(texts.iter().map(|value| value.map(trim)), *precision, *scale)?
        }
        DataType::Boolean => Arc::new(texts.iter().map(|value| text::boolean(trim(value?))).collect::<BooleanArray>()),
        DataType::Date32 => {
            let day = |value| i32::try_from(time::date(trim(value))?).ok();
            Arc::new(texts.iter().map(|value| day(value?)).collect::<Date32Array>())
        }
        DataType::Timestamp(TimeUnit::Microsecond, utc) => {
            let zone = utc.is_some().then_some(zone);
            let values: PrimitiveArray<TimestampMicrosecondType> =
                texts.iter().map(|value| time::timestamp(trim(value?), zone)).collect();
            Arc::new(values.with_timezone_opt(utc.clone()))
        }
        nested if nested.is_nested() => return nested::of_json(texts, wanted, zone),
        _ => plainly(column, wanted)?,
    };
    Ok(Cast::of(column, values))
}

fn primitive<T: ArrowPrimitiveType>(texts: &StringArray, parse: impl Fn(&[u8]) -> Option<T::Native>) -> ArrayRef {
    Arc::new(texts.iter().map(|value| parse(trim(value?))).collect::<PrimitiveArray<T>>())
}

/// Without the characters up to U+0020 at both ends, as `UTF8String.trimAll`.
fn trim(text: &str) -> &[u8] {
    text.trim_matches(|character: char| character <= ' ').as_bytes()
}

fn decimals<T: AsRef<[u8]>>(
    texts: impl Iterator<Item = Option<T>>,
    precision: u8,
    scale: i8,
) -> Result<ArrayRef, ArrowError> {
    let bound = 10_i128.pow(u32::from(precision));
    let value = |text: T| text::decimal(text.as_ref(), scale).filter(|value| value.abs() < bound);
    let values: Decimal128Array = texts.map(|text| value(text?)).collect();
    Ok(Arc::new(values.with_precision_and_scale(precision, scale)?))
}

/// Arrow's cast, NULL where it fails.
fn plainly(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(column, wanted, &CastOptions { safe: true, ..CastOptions::default() })
}

/// Casts of numbers that would lose something, and Arrow's for all others.
fn of_number(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    match (column.data_type(), wanted) {
        (DataType::Float16 | DataType::Float32 | DataType::Float64, DataType::Decimal128(precision, scale)) => {
            let column = plainly(column, &DataType::Float64)?;
            // The shortest text that reads back as the double, as Java's `BigDecimal.valueOf` takes it.
            let texts =
                column.as_primitive::<Float64Type>().iter().map(|value| value.map(|value| format!("{value:e}")));
            decimals(texts, *precision, *scale)
        }
        (DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Decimal128(..), to)
            if to.is_integer() =>
        {
            let whole = plainly(column, to)?;
            keep(&whole, column, &plainly(&whole, column.data_type())?)
        }
        (DataType::Float64, DataType::Float32) => {
            let narrow = plainly(column, wanted)?;
            let wide = column.as_primitive::<Float64Type>();
            let fits = narrow.as_primitive::<Float32Type>().iter().zip(wide).map(|(narrow, wide)| {
                Some(narrow.is_none_or(f32::is_finite) || wide.is_none_or(|wide| !wide.is_finite()))
            });
            deltalake::arrow::compute::nullif(&narrow, &not(&fits.collect()))
        }
        _ => plainly(column, wanted),
    }
}

/// `whole` where casting it back gives the value that it was made of.
fn keep(whole: &ArrayRef, before: &ArrayRef, back: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let lost = deltalake::arrow::compute::kernels::cmp::neq(before, back)?;
    deltalake::arrow::compute::nullif(whole, &lost)
}

fn not(rows: &BooleanArray) -> BooleanArray {
    BooleanArray::new(!rows.values(), None)
}
