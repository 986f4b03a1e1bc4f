//! The reference: a page a kind, and the index, in Markdown.
//!
//! In: the kinds with their docs, JSON Schemas and examples. Out: [`Page`]s, which are checked in below
//! `docs/expectations` and tested fresh. Nothing of them is written by hand.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use super::{Form, KINDS, Kind, Options, Tool};
use crate::ir::Dimension;

/// A page of the reference.
pub struct Page {
    /// The kind's name, or `README` for the index.
    pub name: &'static str,
    pub markdown: String,
}

/// All pages, the index first.
pub fn pages() -> Vec<Page> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let pages: Vec<Page> =
        KINDS.iter().map(|kind| Page { name: kind.name, markdown: page(kind, &mut generator) }).collect();
    let index = Page { name: "README", markdown: index(&mut generator) };
    std::iter::once(index).chain(pages).collect()
}

/// Columns that examples speak of besides their own, and their types.
const COLUMNS: &[(&str, &str)] = &[
    ("order_id", "string"),
    ("line", "int"),
    ("country", "string"),
    ("currency", "string"),
    ("amount", "double"),
    ("paid_amount", "double"),
    ("quantity", "int"),
    ("unit_price", "double"),
    ("home_phone", "string"),
    ("work_phone", "string"),
    ("share_card", "int"),
    ("share_cash", "int"),
    ("ordered_at", "timestamp"),
    ("read_at", "timestamp"),
];

const DIMENSIONS: &[(Dimension, &str)] = &[
    (Dimension::Completeness, "Completeness"),
    (Dimension::Uniqueness, "Uniqueness"),
    (Dimension::Validity, "Validity"),
    (Dimension::Accuracy, "Accuracy"),
    (Dimension::Consistency, "Consistency"),
    (Dimension::Timeliness, "Timeliness"),
];

fn page(kind: &Kind, generator: &mut SchemaGenerator) -> String {
    let schema = (kind.schema)(generator).to_value();
    let dimension = DIMENSIONS.iter().find(|(known, _)| *known == kind.dimension).map_or("", |(_, word)| word);
    let mut text = vec![format!("# {}\n\n{}\n\n", kind.name, description(&schema))];
    let place = if kind.of_column {
        "below a column, or in a table's `expect` with `column`"
    } else {
        "in a table's `expect`, or below a column"
    };
    text.push(format!("- It stands {place}.\n- It {}\n- Dimension: {dimension}.\n", judges(kind.form)));
    text.push(format!("\n## Example\n\n```yaml contracts.yml\n{}```\n", example(kind)));
    let keys = keys(&schema, generator);
    if !keys.is_empty() {
        text.push(format!("\n## Keys\n\n{keys}"));
    }
    if let Some(key) = kind.short.key() {
        text.push(format!("\nThe value of `{key}` may stand alone: `{}: …`.\n", kind.name));
    }
    if kind.short.is_word() && !matches!(schema.get("properties"), None | Some(Value::Null)) {
        text.push(format!("\nWithout any key, the word is enough: `{}`.\n", kind.name));
    }
    text.push("\nThe options of all kinds are on the [first page](README.md#options).\n".to_owned());
    if !kind.alike.is_empty() {
        text.push("\n## Elsewhere\n\n".to_owned());
        for (tool, name) in kind.alike {
            let tool = match tool {
                Tool::GreatExpectations => "Great Expectations",
                Tool::Dbt => "dbt",
                Tool::Odcs => "Open Data Contract Standard",
            };
            text.push(format!("- {tool}: {name}\n"));
        }
    }
    text.concat()
}

/// What is judged, as the end of a sentence.
fn judges(form: Form) -> &'static str {
    match form {
        Form::Row => "judges each row by itself, while the table is written.",
        Form::Rows => "judges each row beside the others.",
        Form::Groups => "judges the table, or with `group_by` each group of its rows.",
        Form::Table => "judges the table.",
        Form::Columns => "judges the table's columns; no row is looked at.",
    }
}

/// The example as a contract with the columns that it mentions.
fn example(kind: &Kind) -> String {
    let mut text = vec!["contracts:\n  orders:\n    columns:\n".to_owned()];
    let written = kind.example.expect.join("\n");
    let own = kind.example.column;
    let is_word = |name: &str| written.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name);
    for (name, data_type) in COLUMNS {
        let is_own = own.is_some_and(|(own, _)| own == *name);
        if !is_own && (is_word(name) || *name == "order_id") {
            text.push(format!("      {name}: {{type: {data_type}}}\n"));
        }
    }
    if let Some((name, data_type)) = own {
        text.push(format!("      {name}:\n        type: {data_type}\n        expect:\n"));
    } else {
        text.push("    expect:\n".to_owned());
    }
    let indent = if own.is_some() { "          " } else { "      " };
    for line in kind.example.expect {
        text.push(format!("{indent}- {line}\n"));
    }
    text.concat()
}

fn index(generator: &mut SchemaGenerator) -> String {
    let mut text = vec![String::from(
        "# Expectations\n\nAn expectation is a sentence of a contract that is true or false of the rows. It is written as a word, \
         `not_null`, or as\na mapping with one key, its kind, and below it the kind's own keys and the options. `medc` judges \
         them before a table is\npublished; what became of each stands in `quality.results`.\n",
    )];
    for (dimension, word) in DIMENSIONS {
        let kinds: Vec<&Kind> = KINDS.iter().filter(|kind| kind.dimension == *dimension).collect();
        text.push(format!("\n## {word}\n\n| kind | says |\n|---|---|\n"));
        for kind in kinds {
            let schema = (kind.schema)(generator).to_value();
            let told = description(&schema);
            let first = told.split_once(". ").map_or(told.trim_end_matches('.'), |(first, _)| first);
            text.push(format!("| [{0}]({0}.md) | {first}. |\n", kind.name));
        }
    }
    text.push("\n## Options\n\nEvery kind takes these beside its own keys.\n\n".to_owned());
    let options = Options::json_schema(generator).to_value();
    text.push(keys(&options, generator));
    text.concat()
}

fn description(schema: &Value) -> String {
    let told = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A line for each key of a mapping.
fn keys(schema: &Value, generator: &SchemaGenerator) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return String::new() };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let lines = properties.iter().map(|(key, property)| {
        let needed = if required.contains(&key.as_str()) { ", required" } else { "" };
        format!("- `{key}` ({}{needed}): {}\n", type_words(property, generator.definitions()), description(property))
    });
    lines.collect()
}

/// The type of a key, in a project's words.
fn type_words(schema: &Value, definitions: &Map<String, Value>) -> String {
    let word = |name: &str| match name {
        "integer" => "whole number",
        "string" => "text",
        "boolean" => "true or false",
        "array" => "list",
        "object" => "mapping",
        "number" => "number",
        _ => "",
    };
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.trim_start_matches("#/$defs/");
        return definitions.get(name).map_or(String::new(), |defined| type_words(defined, definitions));
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(parts) = schema.get(several).and_then(Value::as_array) {
            let mut words: Vec<String> = Vec::new();
            for part in parts.iter().map(|part| type_words(part, definitions)) {
                if !part.is_empty() && !words.contains(&part) {
                    words.push(part);
                }
            }
            return words.join(" or ");
        }
    }
    if let Some(constant) = schema.get("const").and_then(Value::as_str) {
        return format!("`{constant}`");
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| format!("`{value}`"))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(name)) => word(name).to_owned(),
        Some(Value::Array(names)) => {
            let words: Vec<&str> =
                names.iter().filter_map(Value::as_str).map(word).filter(|word| !word.is_empty()).collect();
            words.join(" or ")
        }
        _ => String::new(),
    }
}
