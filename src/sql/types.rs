//! Spark's types as Arrow's, and back.
//!
//! Writing is exact: one Arrow type per Spark type. Reading is tolerant: what DataFusion computes (views, dictionaries,
//! unsigned and nanosecond types) becomes the nearest Spark type, and types without a counterpart become `None`.

use std::sync::Arc;

use deltalake::arrow::datatypes::{self as arrow, TimeUnit};

use crate::ir::{Column, DataType, Field, Schema};
use crate::sql::portability;

/// The Arrow type that values of `data_type` are held in.
pub fn to_arrow(data_type: &DataType) -> arrow::DataType {
    match data_type {
        DataType::Boolean => arrow::DataType::Boolean,
        DataType::Tinyint => arrow::DataType::Int8,
        DataType::Smallint => arrow::DataType::Int16,
        DataType::Int => arrow::DataType::Int32,
        DataType::Bigint => arrow::DataType::Int64,
        DataType::Float => arrow::DataType::Float32,
        DataType::Double => arrow::DataType::Float64,
        DataType::Decimal { precision, scale } => {
            arrow::DataType::Decimal128(*precision, i8::try_from(*scale).expect("a scale is at most 38"))
        }
        DataType::String => arrow::DataType::Utf8,
        DataType::Binary => arrow::DataType::Binary,
        DataType::Date => arrow::DataType::Date32,
        DataType::Timestamp => arrow::DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
        DataType::TimestampNtz => arrow::DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Array(element) => {
            arrow::DataType::List(Arc::new(arrow::Field::new("element", to_arrow(element), true)))
        }
        DataType::Map(key, value) => {
            let entries =
                vec![arrow::Field::new("key", to_arrow(key), false), arrow::Field::new("value", to_arrow(value), true)];
            let entries = arrow::Field::new("key_value", arrow::DataType::Struct(entries.into()), false);
            arrow::DataType::Map(Arc::new(entries), false)
        }
        DataType::Struct(fields) => arrow::DataType::Struct(
            fields.iter().map(|field| arrow::Field::new(&field.name, to_arrow(&field.data_type), true)).collect(),
        ),
    }
}

/// The nearest Spark type; `None` for NULL's own type, intervals, times and the like.
pub fn from_arrow(data_type: &arrow::DataType) -> Option<DataType> {
    Some(match data_type {
        arrow::DataType::Boolean => DataType::Boolean,
        arrow::DataType::Int8 => DataType::Tinyint,
        arrow::DataType::Int16 | arrow::DataType::UInt8 => DataType::Smallint,
        arrow::DataType::Int32 | arrow::DataType::UInt16 => DataType::Int,
        arrow::DataType::Int64 | arrow::DataType::UInt32 | arrow::DataType::UInt64 => DataType::Bigint,
        arrow::DataType::Float16 | arrow::DataType::Float32 => DataType::Float,
        arrow::DataType::Float64 => DataType::Double,
        arrow::DataType::Decimal32(precision, scale)
        | arrow::DataType::Decimal64(precision, scale)
        | arrow::DataType::Decimal128(precision, scale)
        | arrow::DataType::Decimal256(precision, scale) => decimal(*precision, *scale)?,
        arrow::DataType::Utf8 | arrow::DataType::LargeUtf8 | arrow::DataType::Utf8View => DataType::String,
        arrow::DataType::Binary
        | arrow::DataType::LargeBinary
        | arrow::DataType::BinaryView
        | arrow::DataType::FixedSizeBinary(_) => DataType::Binary,
        arrow::DataType::Date32 | arrow::DataType::Date64 => DataType::Date,
        arrow::DataType::Timestamp(_, Some(_)) => DataType::Timestamp,
        arrow::DataType::Timestamp(_, None) => DataType::TimestampNtz,
        arrow::DataType::Dictionary(_, value) => from_arrow(value)?,
        arrow::DataType::RunEndEncoded(_, value) => from_arrow(value.data_type())?,
        arrow::DataType::List(element)
        | arrow::DataType::LargeList(element)
        | arrow::DataType::ListView(element)
        | arrow::DataType::LargeListView(element)
        | arrow::DataType::FixedSizeList(element, _) => DataType::Array(Box::new(from_arrow(element.data_type())?)),
        arrow::DataType::Map(entries, _) => match entries.data_type() {
            arrow::DataType::Struct(fields) if fields.len() == 2 => DataType::Map(
                Box::new(from_arrow(fields[0].data_type())?),
                Box::new(from_arrow(fields[1].data_type())?),
            ),
            _ => return None,
        },
        arrow::DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| Some(Field { name: field.name().clone(), data_type: from_arrow(field.data_type())? }))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

/// Whether a value of one type can become the other, with the value that Spark would make of it.
pub fn can_cast(from: &DataType, to: &DataType) -> bool {
    portability::is_portable_cast(&to_arrow(from), &to_arrow(to))
}

/// Whether a contract's cast makes one type the other, value by value; narrower than [`can_cast`] in structs, whose members
/// it never leaves out, and wider for text, which may hold the JSON of a nested value.
///
/// # Errors
/// Why not, in a phrase.
pub fn castable(from: &DataType, to: &DataType) -> Result<(), String> {
    match (from, to) {
        (DataType::String, DataType::Array(_) | DataType::Map(..) | DataType::Struct(_)) => Ok(()),
        (DataType::Array(from), DataType::Array(to)) => castable(from, to),
        (DataType::Map(from_key, from_value), DataType::Map(to_key, to_value)) => {
            castable(from_key, to_key).and_then(|()| castable(from_value, to_value))
        }
        (DataType::Struct(from), DataType::Struct(to)) => {
            for field in from {
                match to.iter().find(|known| crate::name::same(&known.name, &field.name)) {
                    Some(known) => castable(&field.data_type, &known.data_type)?,
                    None => return Err(format!("the member `{}` would be lost", field.name)),
                }
            }
            Ok(())
        }
        _ if can_cast(from, to) => Ok(()),
        _ => Err(format!("there is no cast from `{from}` to `{to}` whose values Databricks would also give")),
    }
}

fn decimal(precision: u8, scale: i8) -> Option<DataType> {
    let scale = u8::try_from(scale).ok()?;
    (precision <= 38).then_some(DataType::Decimal { precision, scale })
}

/// The columns as an Arrow schema, names as they are written.
pub fn to_arrow_schema(schema: &Schema) -> arrow::Schema {
    arrow::Schema::new(
        schema
            .columns
            .iter()
            .map(|column| arrow::Field::new(&column.name, to_arrow(&column.data_type), column.nullable))
            .collect::<Vec<_>>(),
    )
}

/// An Arrow schema's columns.
///
/// # Errors
/// The name of the first column whose type Spark does not have.
pub fn from_arrow_schema(schema: &arrow::Schema) -> Result<Schema, String> {
    let columns = schema.fields().iter().map(|field| match from_arrow(field.data_type()) {
        Some(data_type) => Ok(Column { name: field.name().clone(), data_type, nullable: field.is_nullable() }),
        None => Err(field.name().clone()),
    });
    Ok(Schema { columns: columns.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back() {
        for text in [
            "boolean",
            "tinyint",
            "decimal(38,10)",
            "timestamp",
            "timestamp_ntz",
            "array<map<string,struct<a:int,b:date>>>",
            "binary",
        ] {
            let data_type = DataType::parse(text).expect(text);
            assert_eq!(from_arrow(&to_arrow(&data_type)), Some(data_type));
        }
    }

    #[test]
    fn null_and_intervals_are_unknown() {
        assert_eq!(from_arrow(&arrow::DataType::Null), None);
        assert_eq!(from_arrow(&arrow::DataType::Interval(arrow::IntervalUnit::MonthDayNano)), None);
    }
}
