//! `filter`: keeps the rows for which an expression is true.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::Site;
use crate::ir::Operation;
use crate::kind::{self, Problem};

/// Keeps the rows for which a Databricks SQL expression is true; rows for which it is NULL go. Example: `quantity > 0`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Filter(String);

/// # Errors
/// None that the schema does not find.
pub(super) fn lower(value: &Value, site_of: &dyn Fn(&str) -> Site) -> Result<Vec<Operation>, Problem> {
    let Filter(text) = super::body(value)?;
    Ok(vec![Operation::Filter(kind::authored(&text, site_of("")))])
}
