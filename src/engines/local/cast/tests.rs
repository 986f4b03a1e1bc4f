use std::sync::Arc;

use deltalake::arrow::array::{Array, ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray};
use deltalake::arrow::datatypes::{DataType, TimeUnit};
use deltalake::arrow::util::display::array_value_to_string;

use super::try_cast;
use crate::ir;
use crate::sql::types::to_arrow;
use crate::sql::zone::Zone;

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn shown(column: ArrayRef, wanted: &DataType, zone: Zone) -> Option<String> {
    let cast = try_cast(&column, wanted, zone).expect("a cast exists");
    let failed = cast.failed.is_some_and(|failed| failed.value(0));
    (!failed).then(|| array_value_to_string(&cast.values, 0).expect("shown"))
}

fn cast(text: &str, wanted: &DataType) -> Option<String> {
    shown(Arc::new(StringArray::from(vec![text])), wanted, Zone::UTC)
}

#[test]
fn numbers_are_read_as_spark_reads_them() {
    for (text, wanted, expected) in [
        (" 42 ", DataType::Int32, Some("42")),
        ("-9223372036854775808", DataType::Int64, Some("-9223372036854775808")),
        ("9223372036854775808", DataType::Int64, None),
        ("300", DataType::Int8, None),
        ("1.0", DataType::Int32, None),
        ("", DataType::Int32, None),
        ("1.005", DataType::Decimal128(10, 2), Some("1.01")),
        ("-1.005", DataType::Decimal128(10, 2), Some("-1.01")),
        ("12e3", DataType::Decimal128(10, 2), Some("12000.00")),
        ("125e-3", DataType::Decimal128(10, 2), Some("0.13")),
        ("4e-3", DataType::Decimal128(10, 2), Some("0.00")),
        ("99999.995", DataType::Decimal128(7, 2), None),
        (".", DataType::Decimal128(7, 2), None),
        ("+.5", DataType::Decimal128(7, 2), Some("0.50")),
        ("1e3", DataType::Float64, Some("1000.0")),
        (" YES ", DataType::Boolean, Some("true")),
        ("2", DataType::Boolean, None),
    ] {
        assert_eq!(cast(text, &wanted).as_deref(), expected, "{text} as {wanted}");
    }
}

#[test]
fn dates_and_times_are_read_as_spark_reads_them() {
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
    let local = DataType::Timestamp(TimeUnit::Microsecond, None);
    for (text, wanted, expected) in [
        ("2024-2-9", DataType::Date32, Some("2024-02-09")),
        ("2024-02-29T10", DataType::Date32, Some("2024-02-29")),
        ("2023-02-29", DataType::Date32, None),
        ("2023-13-45 99:00:00", DataType::Date32, None),
        ("20240101", DataType::Date32, None),
        ("2024-01-02 03:04:05", zoned.clone(), Some("2024-01-02T03:04:05Z")),
        ("2024-01-02T03:04:05.123456789Z", zoned.clone(), Some("2024-01-02T03:04:05.123456Z")),
        ("2024-01-02 03:04:05+02:00", zoned.clone(), Some("2024-01-02T01:04:05Z")),
        ("2024-01-02 03:04:05+02:00", local, Some("2024-01-02T03:04:05")),
        ("1969-12-31 23:59:59.5", zoned.clone(), Some("1969-12-31T23:59:59.500Z")),
        ("2023-13-45 99:00:00", zoned.clone(), None),
        ("not-a-date", zoned, None),
    ] {
        assert_eq!(cast(text, &wanted).as_deref(), expected, "{text} as {wanted}");
    }
}

#[test]
fn what_is_no_value_is_never_made_one() {
    for (text, wanted, expected) in [
        ("1e3", "int", None),
        ("0x1F", "int", None),
        ("1_000", "int", None),
        ("+7", "tinyint", Some("7")),
        ("-128", "tinyint", Some("-128")),
        ("128", "tinyint", None),
        ("NaN", "double", Some("NaN")),
        ("-Infinity", "double", Some("-inf")),
        ("-NaN", "double", None),
        ("1e400", "double", None),
        ("1e39", "float", None),
        ("1d", "double", None),
        ("NaN", "decimal(10,2)", None),
        ("99999999999999999999.999999999999999999", "decimal(38,18)", Some("99999999999999999999.999999999999999999")),
        ("100000000000000000000", "decimal(38,18)", None),
        ("1e-40", "decimal(38,18)", Some("0.000000000000000000")),
        ("1,5", "decimal(10,2)", None),
        ("on", "boolean", None),
        ("1581-10-15", "date", Some("1581-10-15")),
        ("1582-10-10", "date", Some("1582-10-10")),
        ("0001-01-01", "date", Some("0001-01-01")),
        ("1900-02-29", "date", None),
        ("2024-01-01 nonsense", "date", None),
        ("10:30:00", "timestamp", None),
        ("2024-01-01 24:00:00", "timestamp", None),
        ("2024-01-01 10:00:60", "timestamp", None),
        ("1500-01-01 00:00:00", "timestamp", Some("1500-01-01T00:00:00Z")),
        ("2024-01-01 00:00:00 Mars/Olympus", "timestamp", None),
    ] {
        let wanted = to_arrow(&ir::DataType::parse(wanted).expect(wanted));
        assert_eq!(cast(text, &wanted).as_deref(), expected, "{text} as {wanted}");
    }
}

#[test]
fn a_time_without_a_zone_is_read_in_the_contracts() {
    let instant = to_arrow(&ir::DataType::Timestamp);
    let paulo = Zone::parse("America/Sao_Paulo").expect("a region");
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    for (value, expected) in [
        ("2024-01-01 00:00:00", Some("2024-01-01T03:00:00Z")),
        ("2018-12-01 00:00:00", Some("2018-12-01T02:00:00Z")),
        ("2024-01-01T00:00:00Z", Some("2024-01-01T00:00:00Z")),
        ("2024-01-01T00:00:00-03:00", Some("2024-01-01T03:00:00Z")),
        ("2024-01-01 00:00:00 Europe/Berlin", Some("2023-12-31T23:00:00Z")),
        // Clocks were put forward at midnight, so that this time did not exist; they were put back at the other's end.
        ("2018-11-04 00:30:00", None),
        ("2018-02-17 23:30:00", None),
    ] {
        assert_eq!(shown(text(value), &instant, paulo).as_deref(), expected, "{value}");
    }
    let wall: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0]));
    assert_eq!(shown(Arc::clone(&wall), &instant, paulo).as_deref(), Some("1970-01-01T03:00:00Z"));
    let early: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC"));
    assert_eq!(shown(Arc::clone(&early), &DataType::Date32, paulo).as_deref(), Some("1969-12-31"));
    assert_eq!(
        shown(early, &DataType::Timestamp(TimeUnit::Microsecond, None), paulo).as_deref(),
        Some("1969-12-31T21:00:00")
    );
    let day: ArrayRef = Arc::new(deltalake::arrow::array::Date32Array::from(vec![1]));
    assert_eq!(shown(day, &instant, paulo).as_deref(), Some("1970-01-02T03:00:00Z"));
}

#[test]
fn numbers_lose_nothing_on_the_way() {
    let double = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    for (value, wanted, expected) in [
        (3.0, "int", Some("3")),
        (3.5, "int", None),
        (f64::NAN, "int", None),
        (9_223_372_036_854_775_808.0, "bigint", None),
        // As a double it is 1.00499…; what is written is what is meant.
        (1.005, "decimal(10,2)", Some("1.01")),
        (0.1, "decimal(20,18)", Some("0.100000000000000000")),
        (1e39, "decimal(38,0)", None),
        (1e39, "float", None),
        (f64::INFINITY, "float", Some("inf")),
    ] {
        let wanted = to_arrow(&ir::DataType::parse(wanted).expect(wanted));
        assert_eq!(shown(double(value), &wanted, Zone::UTC).as_deref(), expected, "{value} as {wanted}");
    }
    let exact = to_arrow(&ir::DataType::Decimal { precision: 10, scale: 2 });
    let amount = try_cast(&double(2.5), &exact, Zone::UTC).expect("a cast").values;
    assert_eq!(shown(Arc::clone(&amount), &DataType::Int32, Zone::UTC), None);
    let short = to_arrow(&ir::DataType::Decimal { precision: 2, scale: 1 });
    assert_eq!(shown(amount, &short, Zone::UTC).as_deref(), Some("2.5"));
}

#[test]
fn nested_values_are_cast_member_by_member() {
    for (text, wanted, expected) in [
        ("[1, \"2\", null]", "array<int>", Some("[1, 2, ]")),
        ("[1, \"x\"]", "array<int>", None),
        ("[]", "array<int>", Some("[]")),
        ("{\"a\": 1}", "array<int>", None),
        ("[1.10]", "array<decimal(38,18)>", Some("[1.100000000000000000]")),
        ("[\"001\"]", "array<string>", Some("[001]")),
        ("{\"a\": 1}", "struct<a:int,b:string>", Some("{a: 1, b: }")),
        ("{\"a\": 1, \"c\": 2}", "struct<a:int,b:string>", None),
        ("{\"a\": {\"t\": \"2024-01-01\"}}", "struct<a:struct<t:date>>", Some("{a: {t: 2024-01-01}}")),
        ("{\"007\": 1}", "map<string,int>", Some("{007: 1}")),
        ("{\"k\": 1}", "map<int,int>", None),
        ("{\"7\": \"x\"}", "map<int,int>", None),
        ("[{\"a\": 1}, {\"a\": null}, null]", "array<struct<a:int>>", Some("[{a: 1}, {a: }, ]")),
        ("[1] [2]", "array<int>", None),
        ("", "array<int>", None),
        ("no JSON", "array<int>", None),
    ] {
        let wanted = to_arrow(&ir::DataType::parse(wanted).expect(wanted));
        assert_eq!(cast(text, &wanted).as_deref(), expected, "{text} as {wanted}");
    }
}

#[test]
fn a_bad_value_inside_spoils_its_own_row_only() {
    let texts: ArrayRef =
        Arc::new(StringArray::from(vec![Some("{\"1\": [1]}"), None, Some("{\"x\": [2]}"), Some("{\"4\": [\"y\"]}")]));
    let wanted = to_arrow(&ir::DataType::parse("map<int,array<int>>").expect("a type"));
    let cast = try_cast(&texts, &wanted, Zone::UTC).expect("a cast");
    let failed = cast.failed.expect("two rows");
    assert_eq!((0..4).map(|row| failed.value(row)).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(array_value_to_string(&cast.values, 0).expect("shown"), "{1: [1]}");
    assert!(cast.values.is_null(1) && cast.values.is_null(2));
    assert_eq!(array_value_to_string(&cast.values, 3).expect("shown"), "{4: []}");
}
