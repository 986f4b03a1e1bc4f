//! An ODCS property's type as Databricks spells it.
//!
//! The physical type decides where it is known, in Databricks' spelling or in that of other databases; else the logical
//! type with its options, taken so wide that nothing is lost: `integer` is `bigint`, `number` is `double`. A bare
//! `DATETIME` is a wall-clock time without zone, as `BigQuery` and SQL Server have it.

use serde_json::Value;

use super::form::{LogicalType, Property};
use crate::ir::{DataType, Field};

/// A type, and what of its description was not used.
pub(super) struct Typed {
    pub(super) data_type: DataType,
    /// Pointers into the property, and what is said of them.
    pub(super) ignored: Vec<(String, String)>,
}

/// The type of a property.
///
/// # Errors
/// A pointer into the property, what is wrong, and what to do.
pub(super) fn of(property: &Property) -> Result<Typed, (String, String, String)> {
    let mut ignored = Vec::new();
    let data_type = find(property, "", &mut ignored)?;
    Ok(Typed { data_type, ignored })
}

fn find(
    property: &Property,
    here: &str,
    ignored: &mut Vec<(String, String)>,
) -> Result<DataType, (String, String, String)> {
    if let Some(written) = &property.physical_type {
        if let Some(known) = physical(written) {
            return Ok(known);
        }
        // `RECORD`, `STRUCT`, `ARRAY`: the members say the rest.
        if property.logical_type.is_some() && !is_nested(property) {
            ignored.push((format!("{here}/physicalType"), format!("the physical type `{}`", written.trim())));
        }
    }
    let wrong = |pointer: &str, what: &str, help: &str| (format!("{here}{pointer}"), what.to_owned(), help.to_owned());
    match property.logical_type {
        Some(LogicalType::String) => Ok(DataType::String),
        Some(LogicalType::Time) => {
            ignored.push((format!("{here}/logicalType"), "the logical type `time` (it is kept as text)".to_owned()));
            Ok(DataType::String)
        }
        Some(LogicalType::Date) => Ok(DataType::Date),
        Some(LogicalType::Timestamp) if option(property, "timezone") == Some(&Value::Bool(false)) => {
            Ok(DataType::TimestampNtz)
        }
        Some(LogicalType::Timestamp) => Ok(DataType::Timestamp),
        Some(LogicalType::Boolean) => Ok(DataType::Boolean),
        Some(LogicalType::Integer) => Ok(integer(option(property, "format").and_then(Value::as_str))),
        Some(LogicalType::Number) if option(property, "format").and_then(Value::as_str) == Some("f32") => {
            Ok(DataType::Float)
        }
        Some(LogicalType::Number) => Ok(DataType::Double),
        Some(LogicalType::Array) => match &property.items {
            Some(items) => Ok(DataType::Array(Box::new(find(items, &format!("{here}/items"), ignored)?))),
            None => Err(wrong("/logicalType", "an array says nowhere what it holds", "add `items: {logicalType: …}`")),
        },
        Some(LogicalType::Object) => members(property, here, ignored),
        None if property.physical_type.is_some() => Err(wrong(
            "/physicalType",
            &format!("`{}` is no type that medc knows", property.physical_type.as_deref().unwrap_or_default().trim()),
            "add `logicalType`, or write the type as Databricks SQL does, e.g. `decimal(18,2)`",
        )),
        None => Err(wrong(
            "/name",
            &format!("the column `{}` has no type", property.name),
            "add `logicalType`, and `physicalType` where it matters",
        )),
    }
}

fn members(
    property: &Property,
    here: &str,
    ignored: &mut Vec<(String, String)>,
) -> Result<DataType, (String, String, String)> {
    if property.properties.is_empty() {
        let what = "an object says nowhere what it holds".to_owned();
        return Err((format!("{here}/logicalType"), what, "add its `properties`".to_owned()));
    }
    let mut fields = Vec::with_capacity(property.properties.len());
    for (index, member) in property.properties.iter().enumerate() {
        let there = format!("{here}/properties/{index}");
        let name = member.physical_name.as_ref().unwrap_or(&member.name).clone();
        if !crate::name::is_identifier(&name) {
            let help = "use letters, digits and underscores, not a digit first".to_owned();
            return Err((format!("{there}/name"), format!("`{name}` is no name for a member"), help));
        }
        if member.required == Some(true) {
            ignored.push((format!("{there}/required"), "`required` of a nested property".to_owned()));
        }
        if !member.quality.is_empty() {
            ignored.push((format!("{there}/quality"), "`quality` of a nested property".to_owned()));
        }
        fields.push(Field { name, data_type: find(member, &there, ignored)? });
    }
    Ok(DataType::Struct(fields))
}

fn option<'a>(property: &'a Property, key: &str) -> Option<&'a Value> {
    property.logical_type_options.as_ref()?.get(key)
}

fn is_nested(property: &Property) -> bool {
    matches!(property.logical_type, Some(LogicalType::Object | LogicalType::Array))
}

/// An integer that holds all values of a Rust integer type; the standard's word for a width.
fn integer(format: Option<&str>) -> DataType {
    match format {
        Some("i8") => DataType::Tinyint,
        Some("i16" | "u8") => DataType::Smallint,
        Some("i32" | "u16") => DataType::Int,
        Some("u64") => DataType::Decimal { precision: 20, scale: 0 },
        Some("i128" | "u128") => DataType::Decimal { precision: 38, scale: 0 },
        Some(_) | None => DataType::Bigint,
    }
}

/// A physical type in Databricks' spelling or in that of another database.
fn physical(written: &str) -> Option<DataType> {
    if let Ok(known) = DataType::parse(written) {
        return Some(known);
    }
    let lower = written.trim().to_lowercase();
    let (word, arguments) = match lower.split_once('(') {
        Some((word, rest)) => {
            let (arguments, behind) = rest.split_once(')').unwrap_or((rest, ""));
            (format!("{} {}", word.trim(), behind.trim()).trim().to_owned(), arguments.trim().to_owned())
        }
        None => (lower.clone(), String::new()),
    };
    let word = word.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(match word.as_str() {
        "int2" | "smallserial" => DataType::Smallint,
        "int4" | "serial" | "mediumint" | "integer" => DataType::Int,
        "int8" | "bigserial" | "int64" => DataType::Bigint,
        "float4" => DataType::Float,
        "float8" | "float64" | "double precision" | "float" => DataType::Double,
        "number" | "bignumeric" if arguments.is_empty() => DataType::Decimal { precision: 38, scale: 0 },
        "number" | "bignumeric" => DataType::parse(&format!("decimal({arguments})")).ok()?,
        "character varying" | "character" | "nvarchar" | "varchar2" | "nvarchar2" | "nchar" | "bpchar" | "clob"
        | "nclob" | "ntext" | "mediumtext" | "longtext" | "tinytext" | "uuid" | "uniqueidentifier" | "json"
        | "jsonb" | "xml" | "enum" | "varchar" | "char" => DataType::String,
        "bytea" | "blob" | "varbinary" | "bytes" | "image" | "raw" => DataType::Binary,
        "bit" => DataType::Boolean,
        "datetime" | "datetime2" | "smalldatetime" | "timestamp without time zone" | "timestampntz" => {
            DataType::TimestampNtz
        }
        "timestamp"
        | "timestamptz"
        | "timestamp with time zone"
        | "timestamp_tz"
        | "timestamp_ltz"
        | "timestamp with local time zone"
        | "datetimeoffset" => DataType::Timestamp,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn physical_types_of_other_databases_are_known() {
        let cases = [
            ("VARCHAR(18)", "string"),
            ("NUMBER(10, 2)", "decimal(10,2)"),
            ("NUMBER", "decimal(38,0)"),
            ("character varying(40)", "string"),
            ("timestamp(6) with time zone", "timestamp"),
            ("TIMESTAMP(3)", "timestamp"),
            ("DATETIME", "timestamp_ntz"),
            ("double precision", "double"),
            ("nvarchar(max)", "string"),
            ("ARRAY<STRING>", "array<string>"),
        ];
        for (written, expected) in cases {
            assert_eq!(physical(written).map(|known| known.to_string()).as_deref(), Some(expected), "{written}");
        }
        assert_eq!(physical("RECORD"), None);
    }
}
