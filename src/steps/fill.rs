//! `fill`: puts a value where there is none.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::{Site, join_pointer};
use crate::ir::{Computed, Operation};
use crate::kind::{self, Problem, Scalar};

/// Puts a value where a column is NULL: `column: value`. Example: `{country: unknown, discount: 0}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Fill(IndexMap<String, Scalar>);

/// # Errors
/// None that the schema does not find.
pub(super) fn lower(value: &Value, site_of: &dyn Fn(&str) -> Site) -> Result<Vec<Operation>, Problem> {
    let Fill(values) = super::body(value)?;
    let filled = values.into_iter().map(|(name, value)| {
        let text = format!("coalesce({}, {})", kind::column(&name), kind::scalar_literal(&value, None));
        let site = site_of(&join_pointer("", &name));
        Computed { name, expression: kind::generated(text, &site) }
    });
    Ok(vec![Operation::Extend(filled.collect())])
}
