//! Environments as they are written: where a project runs and with which values.
//!
//! One struct for all engines, so that the JSON Schema stays flat and an editor completes every key; which keys belong to
//! which engine is decided by `resolve`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Channel, Compute, JobOverlay};
use crate::kind::Scalar;

/// Where and with which values the project runs.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Whether it is used without `-t`. A project's only environment always is.
    #[serde(default)]
    pub default: bool,
    /// What runs it: `local`, this machine (DataFusion and Delta Lake); `databricks`, a workspace that a bundle is deployed
    /// to.
    pub engine: Engine,
    /// For `local`: the folder of the Delta tables, relative to the project's folder. Example: `.medc/warehouse`.
    pub warehouse: Option<String>,
    /// For `databricks`: the Unity Catalog catalog of the tables. Layers are its schemas. Example: `lake_prod`.
    pub catalog: Option<String>,
    /// For `databricks`: `development` gives every deployer a copy of their own, with schedules paused; `production` deploys
    /// once for all. Default: production.
    pub mode: Option<DeploymentMode>,
    /// For `databricks`: the workspace.
    pub workspace: Option<Workspace>,
    /// For `databricks`: who the jobs run as. Default: who deploys.
    pub run_as: Option<RunAs>,
    /// For `databricks`: who may see, run and manage what is deployed.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// For `databricks`: what the names, tags and schedules of everything deployed here have in common.
    pub presets: Option<Presets>,
    /// For `databricks`: the git branch that alone may be deployed here.
    pub git: Option<Git>,
    /// What it is for.
    pub description: Option<String>,
    /// Values of variables here.
    #[serde(default)]
    pub variables: IndexMap<String, Scalar>,
    /// What tables have otherwise here: their `source`'s connector and location.
    #[serde(default)]
    pub tables: IndexMap<String, TableOverlay>,
    /// For `databricks`: what jobs have otherwise here: when, on what and how long they run.
    #[serde(default)]
    pub jobs: IndexMap<String, JobOverlay>,
    /// For `databricks`: other compute of the same names.
    #[serde(default)]
    pub compute: IndexMap<String, Compute>,
    /// For `databricks`: other addresses of channels of the same names.
    #[serde(default)]
    pub channels: IndexMap<String, Channel>,
}

/// What runs an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// This machine: DataFusion and Delta Lake.
    Local,
    /// A Databricks workspace, by way of a bundle.
    Databricks,
}

/// How a bundle is deployed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentMode {
    /// A copy for each deployer: names get a prefix, schedules are paused.
    Development,
    /// Once for all.
    #[default]
    Production,
}

/// A Databricks workspace. Credentials are the Databricks CLI's own business: a profile, or its environment variables.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// The workspace's address. Example: `https://adb-1234567890123456.7.azuredatabricks.net`.
    pub host: String,
    /// The profile of the Databricks CLI that deploys. Example: `prod`.
    pub profile: Option<String>,
    /// The folder in the workspace that the bundle is deployed to; a production environment should name it. Default: the
    /// deployer's own. Example: `/Workspace/Shared/pipeline-medallion-prod`.
    pub root_path: Option<String>,
}

/// Who jobs run as: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunAs {
    /// The application id of a service principal.
    pub service_principal_name: Option<String>,
    /// A user.
    pub user_name: Option<String>,
}

/// What someone may do with what is deployed: exactly one of user, group and service principal.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// What they may do.
    pub level: PermissionLevel,
    /// A group of the workspace.
    pub group_name: Option<String>,
    /// A user.
    pub user_name: Option<String>,
    /// The application id of a service principal.
    pub service_principal_name: Option<String>,
}

/// A level of permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
pub enum PermissionLevel {
    /// See everything.
    #[serde(rename = "CAN_VIEW")]
    View,
    /// See and run.
    #[serde(rename = "CAN_RUN")]
    Run,
    /// See, run, change and give permissions.
    #[serde(rename = "CAN_MANAGE")]
    Manage,
}

/// What everything deployed to an environment has in common.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Presets {
    /// What names begin with, so that several environments fit into one workspace. Write `[stg] `: schemas and models
    /// become `stg_…`. Example: `[stg] `.
    pub name_prefix: Option<String>,
    /// Whether schedules and triggers are paused. Default: in development mode only.
    pub paused: Option<bool>,
    /// Tags of every job and pipeline.
    #[serde(default)]
    pub tags: IndexMap<String, Scalar>,
}

/// Which branch may be deployed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Git {
    /// The branch. Example: `main`.
    pub branch: String,
}

/// What an environment changes of a table. It cannot reshape it: what one environment proved is what another runs.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct TableOverlay {
    /// Keys of the table's `source` that are otherwise here, e.g. `{path: /mnt/raw/sales.csv}`.
    pub source: Option<serde_json::Map<String, serde_json::Value>>,
}
