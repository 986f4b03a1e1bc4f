//! `quality.results`: the table that remembers what became of every expectation.
//!
//! medc writes it after each run that did something, and assertions may read it although no project declares it. Columns
//! are only ever added at the end.

use crate::ir::{Column, DataType, Schema};
use crate::name::TableName;

/// The table's name.
pub fn table() -> TableName {
    TableName::new("quality", "results")
}

/// The table's columns.
pub fn schema() -> Schema {
    let column = |(name, data_type): (&str, DataType)| Column { name: name.to_owned(), data_type, nullable: true };
    let columns = [
        ("run_id", DataType::String),
        ("table_name", DataType::String),
        ("kind", DataType::String),
        ("label", DataType::String),
        ("columns", DataType::Array(Box::new(DataType::String))),
        ("dimension", DataType::String),
        ("on_violation", DataType::String),
        ("severity", DataType::String),
        ("mostly", DataType::Double),
        ("n_rows", DataType::Bigint),
        ("n_considered", DataType::Bigint),
        ("n_violating", DataType::Bigint),
        ("share", DataType::Double),
        ("success", DataType::Boolean),
        ("observed", DataType::String),
        ("examples", DataType::String),
        ("duration_s", DataType::Double),
        ("checked_at", DataType::Timestamp),
    ];
    Schema { columns: columns.map(column).into() }
}
