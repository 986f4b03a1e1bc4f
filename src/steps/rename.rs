//! `rename`: gives columns new names.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::{Site, code, join_pointer};
use crate::ir::{Operation, Renamed};
use crate::kind::Problem;
use crate::name;

/// Gives columns new names: `old: new`. Columns keep their place.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Rename(IndexMap<String, String>);

/// # Errors
/// `resolve::step` when two columns get one name, `resolve::bad-name` when a new name is no identifier.
pub(super) fn lower(value: &Value, site_of: &dyn Fn(&str) -> Site) -> Result<Vec<Operation>, Problem> {
    let Rename(names) = super::body(value)?;
    let mut renamed: Vec<Renamed> = Vec::new();
    for (from, to) in names {
        let pointer = join_pointer("", &from);
        if !name::is_identifier(&to) {
            return Err(Problem::new(code::BAD_NAME, pointer, format!("`{to}` is no column name"))
                .help("use letters, digits and underscores, not a digit first"));
        }
        if let Some(other) = renamed.iter().find(|other| name::same(&other.to, &to)) {
            return Err(Problem::new(
                code::STEP,
                pointer,
                format!("`{}` and `{from}` are both renamed to `{to}`", other.from),
            ));
        }
        let site = site_of(&pointer);
        renamed.push(Renamed { from, to, site });
    }
    Ok(vec![Operation::Rename(renamed)])
}
