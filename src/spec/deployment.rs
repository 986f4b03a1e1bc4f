//! What is deployed to Databricks besides tables and jobs, as it is written: the bundle, compute, channels, grants, and
//! resources that are passed through.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::kind::Scalar;

/// The Databricks bundle that the project becomes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The bundle's name: letters, digits, `_`, `-`. Default: the project's.
    pub name: Option<String>,
    /// An id that stays when the name changes. Example: `0190f3a4-6f1c-7d5e-9a41-3c2f5b6e7d80`.
    pub uuid: Option<String>,
    /// Which versions of the Databricks CLI may deploy it. Example: `>= 1.3.0`.
    pub cli_version: Option<String>,
    /// What runs the tables. Default: jobs.
    #[serde(default)]
    pub emit: Emit,
    /// Whether expectations that each row keeps by itself also become CHECK constraints of the Delta tables, so that nobody else
    /// writes rows that break them. Those that only warn, or let some rows break them, do not. Default: false.
    #[serde(default)]
    pub check_constraints: bool,
    /// The jobs that are there besides those below `jobs`. Default: `whole`, and none where the project has `jobs`.
    pub generated_jobs: Option<GeneratedJobs>,
}

/// What runs the tables on Databricks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Emit {
    /// Jobs with a task for each table.
    #[default]
    Jobs,
    /// A Lakeflow declarative pipeline.
    Pipeline,
}

/// Jobs that medc makes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GeneratedJobs {
    /// One that builds all tables, `<project>`.
    Whole,
    /// One for each layer, `<project>_<layer>`, and `<project>`, which runs them in order.
    PerLayer,
    /// None.
    None,
}

/// What tasks run on: `serverless`, or a cluster that a job starts and ends.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Compute {
    Word(ComputeWord),
    Cluster(Box<Cluster>),
}

/// Compute that needs no description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComputeWord {
    /// Databricks's own.
    Serverless,
}

/// A cluster that a job starts and ends.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The machines, as the cloud calls them. Example: `i3.xlarge`.
    pub node_type: String,
    /// The driver's machine. Default: `node_type`.
    pub driver_node_type: Option<String>,
    /// How many workers: a number, 0 for a single machine, or from and to as in `1..8`. Default: 1.
    pub workers: Option<Workers>,
    /// The Databricks Runtime. Default: `16.4.x-scala2.12`. Example: `15.4.x-cpu-ml-scala2.12`.
    pub spark_version: Option<String>,
    /// Whether queries run in Photon. Default: the workspace's choice.
    pub photon: Option<bool>,
    /// The id of a cluster policy.
    pub policy_id: Option<String>,
    /// Settings of Spark.
    #[serde(default)]
    pub spark_conf: IndexMap<String, Scalar>,
    /// Process variables.
    #[serde(default)]
    pub spark_env_vars: IndexMap<String, Scalar>,
    /// Tags of the machines.
    #[serde(default)]
    pub tags: IndexMap<String, Scalar>,
}

/// How many workers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Workers {
    Fixed(u32),
    Range(String),
}

/// Whom a job tells how it went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Addresses of e-mail.
    #[serde(default)]
    pub email: Vec<String>,
    /// Ids of notification destinations of the workspace (Slack, Teams, webhooks).
    #[serde(default)]
    pub webhooks: Vec<String>,
}

/// What someone may do with a layer's tables on Databricks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// A group, a user, or the application id of a service principal. Example: `analysts`.
    pub principal: String,
    /// What they may do. Example: `[USE_SCHEMA, SELECT]`.
    pub privileges: Vec<Privilege>,
}

/// A privilege on a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Privilege {
    AllPrivileges,
    ApplyTag,
    CreateFunction,
    CreateMaterializedView,
    CreateModel,
    CreateModelVersion,
    CreateTable,
    CreateVolume,
    Execute,
    ExternalUseSchema,
    Manage,
    Modify,
    ReadVolume,
    Refresh,
    Select,
    UseSchema,
    WriteVolume,
}

/// One, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// Each with its JSON pointer relative to this.
    pub fn each(&self) -> Vec<(String, &str)> {
        match self {
            OneOrMany::One(one) => vec![(String::new(), one.as_str())],
            OneOrMany::Many(many) => {
                many.iter().enumerate().map(|(index, one)| (format!("/{index}"), one.as_str())).collect()
            }
        }
    }
}
