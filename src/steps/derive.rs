//! `derive`: computes columns.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::{Site, code, join_pointer};
use crate::ir::{Computed, Operation};
use crate::kind::{self, Problem};

/// Computes columns from the row: `column: expression`, in Databricks SQL. All see the row as it was before this step.
/// Example: `{net: amount - discount}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Derive(IndexMap<String, String>);

/// # Errors
/// `resolve::bad-name` when a column's name is no identifier.
pub(super) fn lower(value: &Value, site_of: &dyn Fn(&str) -> Site) -> Result<Vec<Operation>, Problem> {
    let Derive(columns) = super::body(value)?;
    let mut computed = Vec::new();
    for (name, text) in columns {
        let pointer = join_pointer("", &name);
        if !crate::name::is_identifier(&name) {
            return Err(Problem::new(code::BAD_NAME, pointer, format!("`{name}` is no column name"))
                .help("use letters, digits and underscores, not a digit first"));
        }
        computed.push(Computed { expression: kind::authored(&text, site_of(&pointer)), name });
    }
    Ok(vec![Operation::Extend(computed)])
}
