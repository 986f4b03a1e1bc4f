//! `cast`: changes columns' types.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::{Site, code, join_pointer};
use crate::ir::{Computed, DataType, Operation};
use crate::kind::{self, Problem};

/// Changes columns' types: `column: type`. A value that cannot be cast fails the table; casting to the contract's types
/// needs no step.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Cast(IndexMap<String, String>);

/// # Errors
/// `resolve::bad-type`.
pub(super) fn lower(value: &Value, site_of: &dyn Fn(&str) -> Site) -> Result<Vec<Operation>, Problem> {
    let Cast(types) = super::body(value)?;
    let mut computed = Vec::new();
    for (name, written) in types {
        let pointer = join_pointer("", &name);
        let data_type =
            DataType::parse(&written).map_err(|reason| Problem::new(code::BAD_TYPE, pointer.clone(), reason))?;
        let text = format!("CAST({} AS {data_type})", kind::column(&name));
        computed.push(Computed { name, expression: kind::generated(text, &site_of(&pointer)) });
    }
    Ok(vec![Operation::Extend(computed)])
}
