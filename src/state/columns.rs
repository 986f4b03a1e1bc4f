//! A stored table's columns, as Delta and medc write them into a log.
//!
//! In: a schema as JSON. Out: Spark's columns, and back. A commit of medc repeats its table's columns in its commit info,
//! so that reading one small file tells them; a log replays its metadata only where others wrote. A type that medc does not
//! know makes the columns unknown, never wrong. Source: the Delta protocol, "Schema Serialization Format".

use serde_json::{Value, json};

use crate::ir::{Column, DataType, Field, Schema};
use crate::state::Stored;

/// The columns for a commit's info.
pub fn to_commit(schema: &Schema, partition_by: &[String]) -> String {
    json!({"columns": schema.columns, "partition_by": partition_by}).to_string()
}

/// What [`to_commit`] wrote.
pub(super) fn from_commit(text: &str) -> Option<Stored> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    Some(Stored {
        schema: Schema { columns: serde_json::from_value(value["columns"].take()).ok()? },
        partition_by: serde_json::from_value(value["partition_by"].take()).ok()?,
        by_others: false,
    })
}

/// Delta's schema and partition columns.
pub fn from_delta(schema: &str, partition_by: Vec<String>) -> Option<Stored> {
    let schema: Value = serde_json::from_str(schema).ok()?;
    let column = |field: &Value| {
        Some(Column {
            name: field["name"].as_str()?.to_owned(),
            data_type: data_type(&field["type"])?,
            nullable: field["nullable"].as_bool().unwrap_or(true),
        })
    };
    let columns = schema["fields"].as_array()?.iter().map(column).collect::<Option<_>>()?;
    Some(Stored { schema: Schema { columns }, partition_by, by_others: false })
}

fn data_type(value: &Value) -> Option<DataType> {
    if let Some(name) = value.as_str() {
        return DataType::parse(name).ok();
    }
    match value["type"].as_str()? {
        "array" => Some(DataType::Array(Box::new(data_type(&value["elementType"])?))),
        "map" => {
            Some(DataType::Map(Box::new(data_type(&value["keyType"])?), Box::new(data_type(&value["valueType"])?)))
        }
        "struct" => {
            let field = |field: &Value| {
                Some(Field { name: field["name"].as_str()?.to_owned(), data_type: data_type(&field["type"])? })
            };
            Some(DataType::Struct(value["fields"].as_array()?.iter().map(field).collect::<Option<_>>()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_back() {
        let column = |name: &str, data_type: &str, nullable| Column {
            name: name.to_owned(),
            data_type: DataType::parse(data_type).expect(data_type),
            nullable,
        };
        let schema = Schema {
            columns: vec![
                column("id", "bigint", false),
                column("tags", "map<string,array<struct<a:int,b:decimal(18,2)>>>", true),
            ],
        };
        let stored = from_commit(&to_commit(&schema, &["id".to_owned()])).expect("columns");
        assert_eq!((stored.schema, stored.partition_by), (schema.clone(), vec!["id".to_owned()]));
        let delta = r#"{"type": "struct", "fields": [
            {"name": "id", "type": "long", "nullable": false, "metadata": {}},
            {"name": "tags", "nullable": true, "metadata": {}, "type": {"type": "map", "keyType": "string",
             "valueType": {"type": "array", "containsNull": true, "elementType": {"type": "struct", "fields": [
               {"name": "a", "type": "integer"}, {"name": "b", "type": "decimal(18,2)"}]}}}}]}"#;
        assert_eq!(from_delta(delta, Vec::new()).expect("columns").schema, schema);
        assert_eq!(from_delta(r#"{"fields": [{"name": "v", "type": "variant"}]}"#, Vec::new()), None);
    }
}
