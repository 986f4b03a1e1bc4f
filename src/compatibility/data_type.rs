//! What another type of a column means to who reads it.
//!
//! In: two types. Out: the rule of the worst difference, or none. Structs, arrays and maps are compared part by part.
//! Which types widen in place is the Delta Lake protocol's list ("Type Widening", reader and writer feature
//! `typeWidening`); of these, what also changes how a value is written or compared counts as converted.

use super::Rule;
use crate::ir::{DataType, Field};
use crate::name;

/// The rule of the worst difference; `None` for equal types.
pub(super) fn rule(before: &DataType, after: &DataType) -> Option<Rule> {
    match (before, after) {
        _ if before == after => None,
        (DataType::Array(before), DataType::Array(after)) => rule(before, after),
        (DataType::Map(key, value), DataType::Map(other_key, other_value)) => {
            worst([rule(key, other_key), rule(value, other_value)])
        }
        (DataType::Struct(before), DataType::Struct(after)) => fields(before, after),
        _ if widens(before, after) => Some(Rule::TypeWidened),
        _ if converts(before, after) => Some(Rule::TypeConverted),
        _ if widens(after, before) || converts(after, before) => Some(Rule::TypeNarrowed),
        _ => Some(Rule::TypeChanged),
    }
}

fn worst(rules: impl IntoIterator<Item = Option<Rule>>) -> Option<Rule> {
    // Of equally grave ones the first is told.
    rules.into_iter().flatten().reduce(|worst, next| if next.grade() > worst.grade() { next } else { worst })
}

fn fields(before: &[Field], after: &[Field]) -> Option<Rule> {
    let place = |fields: &[Field], name: &str| fields.iter().position(|field| name::same(&field.name, name));
    let kept: Vec<usize> = before.iter().filter_map(|field| place(after, &field.name)).collect();
    let removed = (kept.len() < before.len()).then_some(Rule::FieldRemoved);
    let is_prefix = kept.iter().copied().eq(0..kept.len());
    let moved = (!is_prefix).then_some(Rule::FieldMoved);
    let added = (after.len() > kept.len()).then_some(Rule::FieldAdded);
    let typed = before.iter().map(|field| {
        let other = &after[place(after, &field.name)?];
        let respelled = (field.name != other.name).then_some(Rule::ColumnRespelled);
        worst([rule(&field.data_type, &other.data_type), respelled])
    });
    worst([removed].into_iter().chain(typed).chain([moved, added]))
}

/// Every value stays the same value, written the same way.
fn widens(before: &DataType, after: &DataType) -> bool {
    match (before, after) {
        (DataType::Float, DataType::Double) => true,
        (DataType::Decimal { precision, scale }, DataType::Decimal { precision: wider, scale: same }) => {
            scale == same && wider > precision
        }
        _ => matches!((digits(before), digits(after)), (Some(fewer), Some(more)) if fewer < more),
    }
}

/// Every value has its counterpart, which is written, compared or computed with in another way.
fn converts(before: &DataType, after: &DataType) -> bool {
    match (before, after) {
        (DataType::Date, DataType::Timestamp | DataType::TimestampNtz) => true,
        (DataType::Decimal { precision, scale }, DataType::Decimal { precision: wider, scale: finer }) => {
            finer > scale && wider - finer >= precision - scale
        }
        // A double holds 53 bits, a float 24: a bigint in the one and an int in the other lose digits.
        (DataType::Tinyint | DataType::Smallint | DataType::Int, DataType::Double)
        | (DataType::Tinyint | DataType::Smallint, DataType::Float) => true,
        (_, DataType::Decimal { precision, scale }) => digits(before).is_some_and(|digits| precision - scale >= digits),
        _ => false,
    }
}

/// The most decimal digits of an integer type.
fn digits(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Tinyint => Some(3),
        DataType::Smallint => Some(5),
        DataType::Int => Some(10),
        DataType::Bigint => Some(19),
        DataType::Boolean
        | DataType::Float
        | DataType::Double
        | DataType::Decimal { .. }
        | DataType::String
        | DataType::Binary
        | DataType::Date
        | DataType::Timestamp
        | DataType::TimestampNtz
        | DataType::Array(_)
        | DataType::Map(..)
        | DataType::Struct(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn holds(before: &str, after: &str, expected: Option<Rule>) {
        let parse = |text| DataType::parse(text).expect("a type");
        assert_eq!(rule(&parse(before), &parse(after)), expected, "{before} → {after}");
    }

    #[test]
    fn integers_floats_and_decimals_widen() {
        for (before, after) in [
            ("tinyint", "smallint"),
            ("int", "bigint"),
            ("float", "double"),
            ("decimal(10,2)", "decimal(12,2)"),
            ("array<int>", "array<bigint>"),
            ("map<string,int>", "map<string,bigint>"),
            ("struct<a:int>", "struct<a:bigint>"),
        ] {
            holds(before, after, Some(Rule::TypeWidened));
            holds(after, before, Some(Rule::TypeNarrowed));
        }
        holds("int", "int", None);
    }

    #[test]
    fn what_is_written_otherwise_is_converted() {
        for (before, after) in [
            ("date", "timestamp"),
            ("date", "timestamp_ntz"),
            ("int", "double"),
            ("smallint", "float"),
            ("int", "decimal(10,0)"),
            ("int", "decimal(12,2)"),
            ("bigint", "decimal(19,0)"),
            ("decimal(10,2)", "decimal(12,4)"),
        ] {
            holds(before, after, Some(Rule::TypeConverted));
            holds(after, before, Some(Rule::TypeNarrowed));
        }
    }

    #[test]
    fn what_loses_values_or_means_something_else_is_changed() {
        for (before, after) in [
            ("int", "string"),
            ("string", "int"),
            ("bigint", "double"),
            ("int", "float"),
            ("int", "decimal(11,2)"),
            ("decimal(10,2)", "decimal(10,4)"),
            ("decimal(10,2)", "double"),
            ("timestamp", "timestamp_ntz"),
            ("boolean", "int"),
            ("int", "array<int>"),
        ] {
            holds(before, after, Some(Rule::TypeChanged));
        }
    }

    #[test]
    fn structs_are_compared_field_by_field() {
        holds("struct<a:int>", "struct<a:int,b:int>", Some(Rule::FieldAdded));
        holds("struct<a:int>", "struct<b:int,a:int>", Some(Rule::FieldMoved));
        holds("struct<a:int,b:int>", "struct<b:int,a:int>", Some(Rule::FieldMoved));
        holds("struct<a:int,b:int>", "struct<b:int>", Some(Rule::FieldRemoved));
        holds("struct<a:int,b:int>", "struct<a:string,b:int,c:int>", Some(Rule::TypeChanged));
        holds("struct<a:int>", "struct<A:int>", Some(Rule::ColumnRespelled));
        holds("array<struct<a:int>>", "array<struct<a:int,b:int>>", Some(Rule::FieldAdded));
    }
}
