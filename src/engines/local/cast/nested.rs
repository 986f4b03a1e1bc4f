//! Lists, maps and structs, member by member, and the JSON text of them.
//!
//! In: a nested column, or texts that hold JSON. Out: the same values in the wanted nested type, and the rows in which
//! anything inside could not be cast. A value inside that cannot be cast is NULL there; a map whose key cannot be cast is
//! NULL as a whole, since a key is never NULL. Members of structs go by name; one that is absent is NULL. JSON has to fit
//! the type: a member that the type lacks, or an array where an object is due, is no value of the type.

use std::sync::Arc;

use deltalake::arrow::array::{
    Array, ArrayRef, AsArray, BooleanBufferBuilder, ListArray, MapArray, StringArray, StructArray, UInt32Array,
    new_null_array,
};
use deltalake::arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use deltalake::arrow::compute::{concat, take};
use deltalake::arrow::datatypes::{DataType, Field, Fields};
use deltalake::arrow::error::ArrowError;
use deltalake::arrow::json::ReaderBuilder;

use super::{Cast, plainly, try_cast};
use crate::name;
use crate::sql::zone::Zone;

/// Casts one nested type to another of its kind; `None` when that is not what the two types are.
pub(super) fn cast(column: &ArrayRef, wanted: &DataType, zone: Zone) -> Result<Option<Cast>, ArrowError> {
    let listed = match column.data_type() {
        DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::ListView(field)
        | DataType::LargeListView(field) => Some(plainly(column, &DataType::List(Arc::clone(field)))?),
        _ => None,
    };
    let column = listed.as_ref().unwrap_or(column);
    match (column.data_type(), wanted) {
        (DataType::List(_), DataType::List(element)) => list(column.as_list(), element, zone).map(Some),
        (DataType::Map(..), DataType::Map(entries, _)) => map(column, entries, zone).map(Some),
        (DataType::Struct(_), DataType::Struct(fields)) => structure(column.as_struct(), fields, zone).map(Some),
        _ => Ok(None),
    }
}

fn list(column: &ListArray, element: &Arc<Field>, zone: Zone) -> Result<Cast, ArrowError> {
    let inner = try_cast(column.values(), element.data_type(), zone)?;
    let failed = inner.failed.as_ref().map(|failed| rows_of(failed, column.offsets(), column.nulls()));
    let offsets = column.offsets().clone();
    let values = ListArray::try_new(Arc::clone(element), offsets, inner.values, column.nulls().cloned())?;
    Ok(Cast { values: Arc::new(values), failed })
}

/// The rows that hold a failed element.
fn rows_of(failed: &BooleanBuffer, offsets: &OffsetBuffer<i32>, nulls: Option<&NullBuffer>) -> BooleanBuffer {
    let mut rows = BooleanBufferBuilder::new(offsets.len());
    for (row, range) in offsets.windows(2).enumerate() {
        let range = range.iter().map(|offset| usize::try_from(*offset).unwrap_or(0)).collect::<Vec<_>>();
        let holds = matches!(range.as_slice(), [begin, end] if (*begin..*end).any(|place| failed.value(place)));
        rows.append(holds && nulls.is_none_or(|nulls| nulls.is_valid(row)));
    }
    rows.finish()
}

fn map(column: &ArrayRef, entries: &Arc<Field>, zone: Zone) -> Result<Cast, ArrowError> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ArrowError::CastError("a map without entries".to_owned()));
    };
    let [key, value] = fields.as_ref() else {
        return Err(ArrowError::CastError("a map's entries are keys and values".to_owned()));
    };
    let before = column.as_map();
    let keys = try_cast(before.keys(), key.data_type(), zone)?;
    if let Some(failed) = &keys.failed {
        let rows = rows_of(failed, before.offsets(), before.nulls());
        let places: UInt32Array = (0_u32..).zip(rows.iter()).map(|(row, failed)| (!failed).then_some(row)).collect();
        // `take` leaves no entry behind of the rows that it makes NULL.
        let Cast { values, failed } = map(&take(column, &places, None)?, entries, zone)?;
        let all = failed.map_or_else(|| rows.clone(), |failed| &failed | &rows);
        return Ok(Cast { values, failed: Some(all) });
    }
    let inner = try_cast(before.values(), value.data_type(), zone)?;
    let failed = inner.failed.as_ref().map(|failed| rows_of(failed, before.offsets(), before.nulls()));
    let pairs = StructArray::try_new(fields.clone(), vec![keys.values, inner.values], None)?;
    let offsets = before.offsets().clone();
    let values = MapArray::try_new(Arc::clone(entries), offsets, pairs, before.nulls().cloned(), false)?;
    Ok(Cast { values: Arc::new(values), failed })
}

fn structure(column: &StructArray, fields: &Fields, zone: Zone) -> Result<Cast, ArrowError> {
    let mut members = Vec::with_capacity(fields.len());
    let mut failed: Option<BooleanBuffer> = None;
    for field in fields {
        let place = column.fields().iter().position(|known| name::same(known.name(), field.name()));
        let Some(place) = place else {
            members.push(new_null_array(field.data_type(), column.len()));
            continue;
        };
        let member = try_cast(column.column(place), field.data_type(), zone)?;
        failed = match (failed, member.failed) {
            (Some(all), Some(more)) => Some(&all | &more),
            (all, more) => all.or(more),
        };
        members.push(member.values);
    }
    let failed = failed.map(|failed| match column.nulls() {
        Some(nulls) => &failed & nulls.inner(),
        None => failed,
    });
    let values = StructArray::try_new_with_length(fields.clone(), members, column.nulls().cloned(), column.len())?;
    Ok(Cast { values: Arc::new(values), failed: failed.filter(|failed| failed.count_set_bits() > 0) })
}

/// Reads texts as JSON of a nested type. Scalars keep their spelling until they are cast.
pub(super) fn of_json(texts: &StringArray, wanted: &DataType, zone: Zone) -> Result<Cast, ArrowError> {
    let field = Arc::new(Field::new("value", spelled(wanted), true));
    let values: Vec<Option<&str>> = texts.iter().collect();
    let column = match decode(&field, &values) {
        Ok(column) => column,
        Err(_) => one_by_one(&field, &values)?,
    };
    let shaped = Cast::of(texts, Arc::clone(&column));
    let Cast { values, failed } = try_cast(&column, wanted, zone)?;
    let failed = match (shaped.failed, failed) {
        (Some(all), Some(more)) => Some(&all | &more),
        (all, more) => all.or(more),
    };
    Ok(Cast { values, failed })
}

/// The type with text in place of every scalar.
fn spelled(wanted: &DataType) -> DataType {
    let field = |field: &Arc<Field>| Arc::new(field.as_ref().clone().with_data_type(spelled(field.data_type())));
    match wanted {
        DataType::List(element) => DataType::List(field(element)),
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        _ => DataType::Utf8,
    }
}

/// Reads JSON values as the field's type; members that the type lacks are an error.
fn decode(field: &Arc<Field>, values: &[Option<&str>]) -> Result<ArrayRef, ArrowError> {
    let mut decoder = ReaderBuilder::new_with_field(Arc::clone(field))
        .with_batch_size(values.len().max(1))
        .with_coerce_primitive(true)
        .with_strict_mode(true)
        .build_decoder()?;
    for value in values {
        let text = value.unwrap_or("null").trim();
        // The decoder takes several values, or none, for one text; a row has exactly one.
        if text.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return Err(ArrowError::JsonError(format!("`{text}` is no JSON")));
        }
        decoder.decode(text.as_bytes())?;
        decoder.decode(b"\n")?;
    }
    let found = decoder.flush()?.map(|batch| Arc::clone(batch.column(0)));
    let column = found.unwrap_or_else(|| new_null_array(field.data_type(), 0));
    if column.len() == values.len() { Ok(column) } else { Err(ArrowError::JsonError("not one value a row".to_owned())) }
}

/// As [`decode`], NULL for a text that is not of the type.
fn one_by_one(field: &Arc<Field>, values: &[Option<&str>]) -> Result<ArrayRef, ArrowError> {
    let rows: Vec<ArrayRef> = values
        .iter()
        .map(|value| {
            decode(field, std::slice::from_ref(value)).unwrap_or_else(|_| new_null_array(field.data_type(), 1))
        })
        .collect();
    let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
    concat(&rows)
}
