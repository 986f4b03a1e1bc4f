//! Promises in Great Expectations' words, as a project names them.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::ir::OnViolation;

/// Great Expectations suites of a table: one, or a list of them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Suites {
    /// One suite.
    One(SuiteUse),
    /// Several suites.
    Several(Vec<SuiteUse>),
}

impl Suites {
    /// Each suite with its JSON pointer relative to this.
    pub fn uses(&self) -> Vec<(String, &SuiteUse)> {
        match self {
            Suites::One(one) => vec![(String::new(), one)],
            Suites::Several(several) => {
                several.iter().enumerate().map(|(index, one)| (format!("/{index}"), one)).collect()
            }
        }
    }
}

/// A Great Expectations suite of 0.x or 1.x, used as it stands.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuiteUse {
    /// The suite's JSON file, relative to the project's folder. Example: `quality/suites/orders.json`.
    pub suite: String,
    /// What a violation of its expectations leads to. Default: `fail`, and `warn` for those of severity `warning` or `info`.
    /// With `drop` or `quarantine`, expectations about the table as a whole `fail`.
    pub on_violation: Option<OnViolation>,
    /// The columns that give the rows an order, for expectations of increasing or decreasing values. Default: the order of
    /// the source's lines. Example: `[measured_at]`.
    #[serde(default)]
    pub order_by: Vec<String>,
    /// Values of the suite's `$PARAMETER`s. Default: the variables of the same name. Example: `{least_rows: 100}`.
    #[serde(default)]
    pub parameters: IndexMap<String, Value>,
}

/// Great Expectations checkpoints of 0.x, which bind suites to tables.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// A glob of the checkpoints' files, relative to the project's folder. Example: `quality/checkpoints/*.yml`.
    pub include: String,
    /// The folder of the suites that they name, relative to the project's folder. Example: `quality/suites`.
    pub suites: String,
    /// What a violation leads to, as for a table's suites.
    pub on_violation: Option<OnViolation>,
    /// Values of the suites' `$PARAMETER`s, as for a table's suites.
    #[serde(default)]
    pub parameters: IndexMap<String, Value>,
}
