//! Names of types in `type_` and `type_list`: those of pandas and Python, of Spark, and of SQL databases.

use crate::diagnostic::{code, join_pointer};
use crate::ir::{self, DataType};
use crate::kind::Problem;
use crate::name;

const INTEGERS: &[&str] = &["tinyint", "smallint", "int", "bigint"];
const FLOATS: &[&str] = &["float", "double"];
const INSTANTS: &[&str] = &["timestamp", "timestamp_ntz"];

/// Names that are spelled just so: Python's and pandas' differ from SQL's in case alone.
const EXACT: &[(&str, &[&str])] = &[
    ("int", INTEGERS),
    ("float", FLOATS),
    ("str", &["string"]),
    ("bool", &["boolean"]),
    ("bytes", &["binary"]),
    ("datetime", INSTANTS),
    ("date", &["date"]),
    ("Timestamp", INSTANTS),
    ("datetime64", INSTANTS),
    ("object", &["string"]),
    ("object_", &["string"]),
    ("string", &["string"]),
    ("category", &["string"]),
];

const ANY_CASE: &[(&str, &[&str])] = &[
    // numpy, and pandas' own with NULL (`Int64`)
    ("int8", &["tinyint"]),
    ("int16", &["smallint"]),
    ("int32", &["int"]),
    ("int64", &["bigint"]),
    ("int_", &["bigint"]),
    ("float32", &["float"]),
    ("float64", &["double"]),
    ("float_", &["double"]),
    ("bool_", &["boolean"]),
    ("datetime64[ns]", INSTANTS),
    ("datetime64[us]", INSTANTS),
    ("datetime64[ns, utc]", &["timestamp"]),
    // Spark
    ("stringtype", &["string"]),
    ("varchartype", &["string"]),
    ("chartype", &["string"]),
    ("bytetype", &["tinyint"]),
    ("shorttype", &["smallint"]),
    ("integertype", &["int"]),
    ("longtype", &["bigint"]),
    ("floattype", &["float"]),
    ("doubletype", &["double"]),
    ("booleantype", &["boolean"]),
    ("binarytype", &["binary"]),
    ("datetype", &["date"]),
    ("timestamptype", &["timestamp"]),
    ("timestampntztype", &["timestamp_ntz"]),
    // SQL databases
    ("varchar", &["string"]),
    ("char", &["string"]),
    ("character varying", &["string"]),
    ("nvarchar", &["string"]),
    ("text", &["string"]),
    ("string", &["string"]),
    ("integer", &["int"]),
    ("int", &["int"]),
    ("tinyint", &["tinyint"]),
    ("smallint", &["smallint"]),
    ("bigint", &["bigint"]),
    ("real", &["float"]),
    ("float", FLOATS),
    ("double", &["double"]),
    ("double_precision", &["double"]),
    ("double precision", &["double"]),
    ("boolean", &["boolean"]),
    ("bool", &["boolean"]),
    ("binary", &["binary"]),
    ("varbinary", &["binary"]),
    ("bytea", &["binary"]),
    ("date", &["date"]),
    ("datetime", INSTANTS),
    ("timestamp", INSTANTS),
    ("timestamptz", &["timestamp"]),
    ("timestamp_ntz", &["timestamp_ntz"]),
];

/// Names for a decimal of any precision.
const DECIMALS: [&str; 4] = ["decimaltype", "decimal", "numeric", "number"];

/// medc's names of the types that a name stands for.
pub(super) fn types(written: &str, pointer: &str) -> Result<Vec<String>, Problem> {
    let lower = written.trim().to_lowercase();
    let exact = EXACT.iter().find(|(name, _)| *name == written);
    if let Some((_, types)) = exact.or_else(|| ANY_CASE.iter().find(|(name, _)| *name == lower)) {
        return Ok(types.iter().map(|name| (*name).to_owned()).collect());
    }
    if DECIMALS.contains(&lower.as_str()) {
        return Ok(vec!["decimal".to_owned()]);
    }
    let spelled = lower.strip_suffix("type()").or_else(|| lower.strip_suffix("()")).unwrap_or(&lower);
    let spelled = spelled.replace("numeric(", "decimal(").replace("decimaltype(", "decimal(");
    if spelled.starts_with("varchar(") || spelled.starts_with("char(") {
        return Ok(vec!["string".to_owned()]);
    }
    if DataType::parse(&spelled).is_ok() {
        return Ok(vec![spelled]);
    }
    let known = EXACT.iter().chain(ANY_CASE).map(|(name, _)| *name).chain(ir::TYPE_NAMES.iter().copied());
    let problem = Problem::new(code::EXCHANGE_ARGUMENT, pointer, format!("medc knows no type `{written}`"));
    Err(match name::nearest(written, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")).fix(crate::diagnostic::Fix::value(near)),
        None => problem.help("use a type of pandas (`int64`), Spark (`LongType`) or Databricks SQL (`bigint`)"),
    })
}

/// As [`types`], at an argument.
pub(super) fn types_at(written: &str, key: &str) -> Result<Vec<String>, Problem> {
    types(written, &join_pointer("", key))
}
