//! `schemas/`: the checked-in JSON Schemas are what the types give. `MEDC_BLESS=1` writes them.

use medc::schema::{Form, json_schema};

use crate::project::package;

#[test]
fn the_checked_in_schemas_are_fresh() {
    for (form, name) in [(Form::Project, "medc.schema.json"), (Form::Datasets, "datasets.schema.json")] {
        let path = package().join("schemas").join(name);
        let generated = serde_json::to_string_pretty(&json_schema(form)).expect("JSON") + "\n";
        if std::env::var_os("MEDC_BLESS").is_some() {
            std::fs::write(&path, &generated).expect("a blessed schema");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == generated, "schemas/{name} is stale: run `MEDC_BLESS=1 cargo test schemas`");
    }
}

#[test]
fn every_key_of_the_schema_is_explained() {
    let mut bare = Vec::new();
    for form in [Form::Project, Form::Datasets] {
        let schema = json_schema(form);
        unexplained(&schema, "", &mut bare);
    }
    assert!(bare.is_empty(), "keys without a description: {bare:?}");
}

fn unexplained(schema: &serde_json::Value, path: &str, bare: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(serde_json::Value::as_object) {
        for (key, property) in properties {
            let explained = property.get("description").is_some()
                || (properties.len() == 1 && schema.get("description").is_some())
                || property.get("$ref").is_some()
                || property.get("const").is_some();
            if !explained {
                bare.push(format!("{path}/{key}"));
            }
        }
    }
    match schema {
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                let path = format!("{path}/{key}");
                match member.as_object() {
                    // A map of keys, one of which may be called `properties` as well.
                    Some(keys) if key == "properties" => {
                        keys.iter().for_each(|(name, of_key)| unexplained(of_key, &format!("{path}/{name}"), bare));
                    }
                    _ => unexplained(member, &path, bare),
                }
            }
        }
        serde_json::Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                unexplained(element, &format!("{path}/{index}"), bare);
            }
        }
        _ => {}
    }
}
