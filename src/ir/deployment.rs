//! What an environment deploys to Databricks besides its tables, in core form: jobs of tasks, compute, resources.
//!
//! Every name is resolved: tasks, jobs, tables and clusters are indices; times are seconds. Texts may hold `${…}` of the
//! bundle, each checked, and `{{…}}` of Databricks. `engines::databricks` writes it down.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::NodeId;
use crate::diagnostic::Site;

/// What an environment deploys besides tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deployment {
    pub bundle: Bundle,
    /// By key.
    pub jobs: IndexMap<String, Job>,
    /// By name; a job's tasks refer to them.
    pub clusters: IndexMap<String, Cluster>,
    /// What each layer's schema is for, and its grants, in the order of the layers.
    pub schemas: Vec<Schema>,
    pub resources: Vec<Resource>,
    /// Files of the project that tasks run, by path relative to the project's folder.
    pub files: BTreeMap<String, String>,
    /// Files of the project that resources name, likewise.
    pub resource_files: BTreeMap<String, String>,
}

/// The bundle as such.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bundle {
    pub name: String,
    pub uuid: Option<String>,
    pub cli_version: Option<String>,
    /// Whether expectations become CHECK constraints.
    pub check_constraints: bool,
    /// The key of the declarative pipeline that makes the tables; `None` where tasks of jobs do.
    pub pipeline: Option<String>,
}

/// A layer's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub layer: String,
    pub description: Option<String>,
    /// Privileges by principal, in the order written.
    pub grants: Vec<(String, Vec<String>)>,
}

/// A resource in the bundle's own format.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// E.g. `volumes`.
    pub resource_type: String,
    pub key: String,
    pub body: Map<String, Value>,
    pub site: Site,
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub name: String,
    /// Where it is declared; for a generated one the site of what asks for it.
    pub site: Site,
    pub description: Option<String>,
    /// Each behind all that it depends on.
    pub tasks: Vec<Task>,
    pub start: Option<Start>,
    pub timeout_s: Option<u64>,
    pub queue: bool,
    pub health: Vec<(&'static str, u64)>,
    pub max_concurrent_runs: Option<u32>,
    pub parameters: IndexMap<String, String>,
    pub notifications: Notifications,
    pub tags: IndexMap<String, String>,
    /// Level, and the identity with its key.
    pub permissions: Vec<Permission>,
}

/// What makes a job run.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    pub by: StartBy,
    /// `None` leaves it to the environment.
    pub paused: Option<bool>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StartBy {
    Schedule {
        cron: String,
        timezone: String,
    },
    Periodic {
        interval: u32,
        unit: &'static str,
    },
    FileArrival {
        url: String,
        min_time_between_s: Option<u64>,
        wait_after_last_change_s: Option<u64>,
    },
    /// A run begins where one ended.
    Continuous,
    TableUpdate {
        tables: Vec<WatchedTable>,
        all: bool,
        min_time_between_s: Option<u64>,
        wait_after_last_change_s: Option<u64>,
    },
}

/// A table whose changes start a job.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchedTable {
    Own(NodeId),
    /// `catalog.schema.name`.
    Foreign(String),
}

/// Who is told when: e-mail addresses and notification destinations, sorted and each once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Notifications {
    /// By event: `on_start`, `on_success`, `on_failure`, `on_duration_warning_threshold_exceeded`.
    pub events: IndexMap<&'static str, Addresses>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Addresses {
    pub email: Vec<String>,
    pub webhooks: Vec<String>,
}

/// What someone may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub level: &'static str,
    /// `group_name`, `user_name` or `service_principal_name`.
    pub kind: &'static str,
    pub identity: String,
}

/// A task of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub key: String,
    pub description: Option<String>,
    pub depends_on: Vec<Dependency>,
    /// `None` where all must have gone well.
    pub run_if: Option<&'static str>,
    pub retries: Option<u32>,
    pub retry_interval_ms: Option<u64>,
    pub retry_on_timeout: Option<bool>,
    pub timeout_s: Option<u64>,
    /// The cluster; `None` for serverless.
    pub cluster: Option<String>,
    pub notifications: Notifications,
    /// The inputs for which it is done, each by itself.
    pub for_each: Option<ForEach>,
    pub body: TaskBody,
}

/// The inputs of a task that is done several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForEach {
    /// A list as JSON, or what becomes one.
    pub inputs: String,
    pub concurrency: Option<u32>,
}

/// A task that comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// An index into the job's tasks.
    pub task: usize,
    /// The outcome of a condition that is needed.
    pub outcome: Option<bool>,
}

/// What a task does.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskBody {
    /// Builds a table.
    Table(NodeId),
    /// Builds several, in this order, in a notebook of that name.
    Tables {
        nodes: Vec<NodeId>,
        notebook: String,
    },
    Notebook {
        path: FilePath,
        parameters: IndexMap<String, String>,
    },
    Python {
        path: FilePath,
        parameters: Vec<String>,
    },
    Wheel {
        package: String,
        entry_point: String,
        dependency: String,
        parameters: Vec<String>,
    },
    Sql {
        path: FilePath,
        warehouse_id: String,
        parameters: IndexMap<String, String>,
    },
    Condition {
        left: String,
        operator: &'static str,
        right: String,
    },
    /// The key of a job of the same deployment.
    RunJob {
        job: String,
        parameters: IndexMap<String, String>,
    },
    Pipeline {
        id: String,
        full_refresh: bool,
    },
    Dashboard {
        id: String,
        warehouse_id: Option<String>,
        subscribers: Addresses,
    },
    Alert {
        id: String,
        warehouse_id: String,
        subscribers: Addresses,
    },
    Dbt {
        /// A folder.
        project: FilePath,
        commands: Vec<String>,
        warehouse_id: String,
        catalog: Option<String>,
        schema: Option<String>,
        dependency: String,
    },
}

impl Task {
    /// The tables that it builds, in order.
    pub fn tables(&self) -> &[NodeId] {
        match &self.body {
            TaskBody::Table(id) => std::slice::from_ref(id),
            TaskBody::Tables { nodes, .. } => nodes,
            TaskBody::Notebook { .. }
            | TaskBody::Python { .. }
            | TaskBody::Wheel { .. }
            | TaskBody::Sql { .. }
            | TaskBody::Condition { .. }
            | TaskBody::RunJob { .. }
            | TaskBody::Pipeline { .. }
            | TaskBody::Dashboard { .. }
            | TaskBody::Alert { .. }
            | TaskBody::Dbt { .. } => &[],
        }
    }
}

/// Where a task's file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilePath {
    /// A file of the project, a key of [`Deployment::files`].
    Project(String),
    Workspace(String),
}

/// A cluster that a job starts and ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    pub node_type: String,
    pub driver_node_type: Option<String>,
    pub workers: Workers,
    pub spark_version: String,
    pub photon: Option<bool>,
    pub policy_id: Option<String>,
    pub spark_conf: IndexMap<String, String>,
    pub spark_env_vars: IndexMap<String, String>,
    pub tags: IndexMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// 0 is a single machine.
    Fixed(u32),
    Range(u32, u32),
}
