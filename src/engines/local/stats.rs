//! A file's statistics as Delta's log holds them, from the Parquet footer.
//!
//! In: a written file's metadata. Out: JSON with `numRecords`, `minValues`, `maxValues`, `nullCount`, for the first 32
//! columns of simple types. Bounds may be wider than the values (long texts are cut), never narrower. Source: the Delta
//! protocol, "Per-file Statistics".

use deltalake::arrow::array::{Array, ArrayRef, AsArray};
use deltalake::arrow::compute::{cast, max, max_string, min, min_string};
use deltalake::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};
use deltalake::arrow::util::display::array_value_to_string;
use deltalake::datafusion::common::Result;
use deltalake::parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use deltalake::parquet::arrow::parquet_to_arrow_schema;
use deltalake::parquet::file::metadata::ParquetMetaData;
use serde_json::{Map, Number, Value};

const N_INDEXED: usize = 32;

/// The statistics of a file with `n_rows` rows.
pub(super) fn of_file(metadata: &ParquetMetaData, n_rows: u64) -> Result<String> {
    let file = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    let (mut least, mut most, mut nulls) = (Map::new(), Map::new(), Map::new());
    for field in schema.fields().iter().take(N_INDEXED).filter(|field| !field.data_type().is_nested()) {
        let converter = StatisticsConverter::try_new(field.name(), &schema, file.schema_descr())?;
        let groups = metadata.row_groups();
        let counts = converter.row_group_null_counts(groups)?;
        if counts.null_count() == 0 {
            nulls.insert(field.name().clone(), Value::from(counts.iter().flatten().sum::<u64>()));
        }
        let (mins, maxes) = (converter.row_group_mins(groups)?, converter.row_group_maxes(groups)?);
        if mins.null_count() > 0 || maxes.null_count() > 0 {
            continue;
        }
        if let (Some(low), Some(high)) = (bound(&mins, false)?, bound(&maxes, true)?) {
            least.insert(field.name().clone(), low);
            most.insert(field.name().clone(), high);
        }
    }
    let stats = serde_json::json!({"numRecords": n_rows, "minValues": least, "maxValues": most, "nullCount": nulls});
    Ok(stats.to_string())
}

/// The least or greatest of the row groups' bounds as JSON.
fn bound(values: &ArrayRef, greatest: bool) -> Result<Option<Value>> {
    macro_rules! extreme {
        ($kind:ty) => {{
            let values = values.as_primitive::<$kind>();
            if greatest { max(values) } else { min(values) }
        }};
    }
    Ok(match values.data_type() {
        DataType::Int8 => extreme!(Int8Type).map(Value::from),
        DataType::Int16 => extreme!(Int16Type).map(Value::from),
        DataType::Int32 => extreme!(Int32Type).map(Value::from),
        DataType::Int64 => extreme!(Int64Type).map(Value::from),
        DataType::Float32 => {
            extreme!(Float32Type).and_then(|value| Number::from_f64(f64::from(value))).map(Value::from)
        }
        DataType::Float64 => extreme!(Float64Type).and_then(Number::from_f64).map(Value::from),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            extreme!(Decimal128Type).and_then(|value| decimal(value, scale))
        }
        DataType::Date32 => {
            let day = extreme!(Date32Type);
            shown(&cast(&deltalake::arrow::array::Int32Array::from(vec![day]), &DataType::Date32)?)?
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let instant = extreme!(TimestampMicrosecondType);
            let text = shown(&cast(
                &deltalake::arrow::array::Int64Array::from(vec![instant]),
                &DataType::Timestamp(TimeUnit::Microsecond, None),
            )?)?;
            let suffix = if zone.is_some() { "Z" } else { "" };
            text.and_then(|text| text.as_str().map(|text| Value::from(format!("{text}{suffix}"))))
        }
        DataType::Utf8 => {
            let values = values.as_string::<i32>();
            if greatest { max_string(values) } else { min_string(values) }.map(Value::from)
        }
        _ => None,
    })
}

/// A decimal as a JSON number; `None` where a double would not hold it exactly.
fn decimal(value: i128, scale: i8) -> Option<Value> {
    if value.abs() >= 1 << 53 {
        return None;
    }
    let divisor = 10_f64.powi(i32::from(scale));
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    Number::from_f64(value as f64 / divisor).map(Value::from)
}

fn shown(values: &dyn Array) -> Result<Option<Value>> {
    Ok(if values.is_valid(0) { Some(Value::from(array_value_to_string(values, 0)?)) } else { None })
}
