//! `deduplicate`: keeps one row per key.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::{Site, code};
use crate::ir::{Operation, Ordering};
use crate::kind::Problem;

/// Keeps one row per key. Ties are broken by the other columns, so that the survivor never depends on reading order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Deduplicate {
    /// The columns that make a row the same as another. NULL is equal to NULL.
    #[schemars(length(min = 1))]
    keys: Vec<String>,
    /// Which row survives. Default: the first by all columns, which is enough for exact copies.
    keep: Option<Keep>,
}

/// Which row of those with one key survives.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Keep {
    /// The row with the greatest value in this column. Example: `{latest: updated_at}`.
    Latest(String),
    /// The row with the smallest value in this column.
    Earliest(String),
}

/// # Errors
/// `resolve::step` when a key is named twice or decides its own survivor.
pub(super) fn lower(value: &Value, site_of: &dyn Fn(&str) -> Site) -> Result<Vec<Operation>, Problem> {
    let Deduplicate { keys, keep } = super::body(value)?;
    for (index, key) in keys.iter().enumerate() {
        if keys[..index].iter().any(|earlier| crate::name::same(earlier, key)) {
            return Err(Problem::new(code::STEP, format!("/keys/{index}"), format!("the key `{key}` is named twice"))
                .help("remove it"));
        }
    }
    let order = match keep {
        None => Vec::new(),
        Some(Keep::Latest(column)) => vec![Ordering { column, descending: true }],
        Some(Keep::Earliest(column)) => vec![Ordering { column, descending: false }],
    };
    if let Some(ordering) = order.first()
        && keys.iter().any(|key| crate::name::same(key, &ordering.column))
    {
        return Err(Problem::new(
            code::STEP,
            "/keep",
            format!("`{}` is a key and cannot choose the survivor", ordering.column),
        )
        .note("all rows with one key have the same value in it")
        .help("name a column that differs between them, e.g. a time of change"));
    }
    Ok(vec![Operation::Latest { keys, order, site: site_of("") }])
}
