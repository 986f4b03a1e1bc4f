//! `trim`: removes blanks around texts.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::Site;
use crate::ir::{Computed, Operation};
use crate::kind::{self, Problem};

/// Removes blanks at both ends of these text columns. Example: `[status, country]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Trim(#[schemars(length(min = 1))] Vec<String>);

/// # Errors
/// None that the schema does not find.
pub(super) fn lower(value: &Value, site_of: &dyn Fn(&str) -> Site) -> Result<Vec<Operation>, Problem> {
    let Trim(columns) = super::body(value)?;
    let trimmed = columns.into_iter().enumerate().map(|(index, name)| {
        let text = format!("trim({})", kind::column(&name));
        Computed { name, expression: kind::generated(text, &site_of(&format!("/{index}"))) }
    });
    Ok(vec![Operation::Extend(trimmed.collect())])
}
