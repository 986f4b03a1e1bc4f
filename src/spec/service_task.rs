//! Tasks that other services of Databricks do, and tasks that are done once for each of several inputs.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::OneOrMany;
use crate::kind::Scalar;

/// The inputs for which a task is done, at the same time where `concurrency` allows. In its parameters, `{{input}}` is the input, and
/// `{{input.KEY}}` a member of it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForEach {
    /// The inputs: a list of values or of mappings, or a text that becomes one. Example: `[eu, us]`, or
    /// `"{{tasks.list.values.regions}}"`.
    pub inputs: Inputs,
    /// How many are worked on at the same time, 1 to 100. Default: 1.
    pub concurrency: Option<u32>,
}

/// The inputs of a loop.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Inputs {
    List(Vec<Input>),
    /// A list as JSON, or a value of the run that is one.
    Text(String),
}

/// One input of a loop.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Input {
    One(Scalar),
    Members(IndexMap<String, Scalar>),
}

/// A dashboard that is refreshed, and sent to its subscribers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DashboardTask {
    /// The key of a dashboard below `resources`, or a dashboard's id.
    pub dashboard: String,
    /// The id of the SQL warehouse. Default: the dashboard's own.
    pub warehouse_id: Option<String>,
    /// The channels that it is sent to.
    pub subscribers: Option<OneOrMany>,
}

/// An alert that is evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertTask {
    /// The key of an alert below `resources`, or an alert's id.
    pub alert: String,
    /// The id of the SQL warehouse.
    pub warehouse_id: String,
    /// The channels that are told. Default: those of the alert.
    pub subscribers: Option<OneOrMany>,
}

/// Commands of dbt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DbtTask {
    /// The folder of the dbt project: relative to the project's folder, which goes into the bundle, or a path in the workspace.
    /// Example: `dbt`.
    pub project: String,
    /// The commands. Example: `[dbt deps, dbt build]`.
    pub commands: Vec<String>,
    /// The id of the SQL warehouse that runs the models.
    pub warehouse_id: String,
    /// The schema of the models: a layer, or a schema's name.
    pub schema: Option<String>,
    /// The catalog of the models. Default: the environment's.
    pub catalog: Option<String>,
    /// What is installed, as pip names it. Default: `dbt-databricks>=1.8.0,<2.0.0`.
    pub dependency: Option<String>,
}
