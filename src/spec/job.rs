//! Jobs as they are written: what runs together on Databricks, when, and what happens then.
//!
//! Without any, one job runs the whole graph. A job's tables are selected; what else it does is listed as `tasks`. Which
//! keys go together is decided by `graph::deployment`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{AlertTask, DashboardTask, DbtTask, ForEach, OneOrMany};
use crate::kind::Scalar;

/// What runs together on Databricks, in the order in which the tables need each other.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The name that the workspace shows. Default: the job's key.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The tables that it builds, as `--select` takes them: `+gold.daily_sales`, `layer:silver`, `tag:daily`, one or a list.
    /// Default: all, or none where the job has `tasks`.
    pub select: Option<OneOrMany>,
    /// What it does, besides building the tables that it selects.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// The environments that have it. Default: all on Databricks. Example: `[staging, prod]`.
    #[serde(default)]
    pub environments: Vec<String>,
    /// The times at which it runs.
    pub schedule: Option<Schedule>,
    /// The event on which it runs, in place of a schedule.
    pub trigger: Option<Trigger>,
    /// Whether it always runs, in place of a schedule: a run begins where one ended. Such a job has tasks that wait for nothing, and
    /// no retries of its own. Default: false.
    #[serde(default)]
    pub continuous: bool,
    /// How often a task that failed is tried again. Default: 0.
    pub retries: Option<u32>,
    /// How long to wait before a retry. Example: `1m`.
    pub retry_interval: Option<Period>,
    /// Whether a task that ran out of time is tried again. Default: false.
    pub retry_on_timeout: Option<bool>,
    /// The longest time a run may take; then it is stopped. Seconds, or a text. Example: `2h`.
    pub timeout: Option<Period>,
    /// The longest time that each table may take. Example: `15m`.
    pub task_timeout: Option<Period>,
    /// Whether a run waits where it cannot begin at once. Default: true.
    pub queue: Option<bool>,
    /// When a run that still goes on is reported to `notify`'s `on_duration_warning` channels.
    #[serde(default)]
    pub health: Vec<HealthRule>,
    /// How many runs there may be at a time. Default: 1.
    pub max_concurrent_runs: Option<u32>,
    /// Parameters, besides those that medc's notebooks need. `{{job.start_time.iso_date}}` and the like are filled in by
    /// Databricks.
    #[serde(default)]
    pub parameters: IndexMap<String, Scalar>,
    /// The channels that are told when a run fails, or which are told when.
    pub notify: Option<Notify>,
    /// Tags of the job.
    #[serde(default)]
    pub tags: IndexMap<String, Scalar>,
    /// Who may see, run and manage it, besides those of the environment.
    #[serde(default)]
    pub permissions: Vec<JobPermission>,
    /// What its tasks run on: `serverless`, or a name below `compute`. Default: `compute`'s `default`.
    pub compute: Option<String>,
}

/// What an environment changes of a job: when, with what and how long it runs, never what it does.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobOverlay {
    /// In place of the job's schedule or trigger.
    pub schedule: Option<Schedule>,
    /// In place of the job's schedule or trigger.
    pub trigger: Option<Trigger>,
    /// How often a task that failed is tried again.
    pub retries: Option<u32>,
    /// How long to wait before a retry.
    pub retry_interval: Option<Period>,
    /// Whether a task that ran out of time is tried again.
    pub retry_on_timeout: Option<bool>,
    /// The longest time a run may take.
    pub timeout: Option<Period>,
    /// The longest time that each table may take.
    pub task_timeout: Option<Period>,
    /// Whether a run waits where it cannot begin at once.
    pub queue: Option<bool>,
    /// When a run that still goes on is reported.
    pub health: Option<Vec<HealthRule>>,
    /// How many runs there may be at a time.
    pub max_concurrent_runs: Option<u32>,
    /// Values of its parameters.
    pub parameters: Option<IndexMap<String, Scalar>>,
    /// The channels that are told.
    pub notify: Option<Notify>,
    /// Further tags, and other values of its own.
    pub tags: Option<IndexMap<String, Scalar>>,
    /// Who may see, run and manage it.
    pub permissions: Option<Vec<JobPermission>>,
    /// What its tasks run on.
    pub compute: Option<String>,
}

/// A time span: seconds, or whole numbers with `s`, `m`, `h`, `d`, `w`. Example: `1h30m`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Period {
    Seconds(u64),
    Text(String),
}

/// The times at which a job runs.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// A Quartz cron expression: second, minute, hour, day of month, month, day of week, and a year if wanted. One of the
    /// two days is `?`. Example: `0 45 11 * * ?`, every day at 11:45.
    pub cron: String,
    /// The IANA time zone of the clock. Default: UTC. Example: `America/Sao_Paulo`.
    pub timezone: Option<String>,
    /// Whether it rests. Default: what the environment says.
    pub paused: Option<bool>,
}

/// The event on which a job runs: exactly one of them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Every so many hours, days or weeks.
    pub periodic: Option<Periodic>,
    /// When files come.
    pub file_arrival: Option<FileArrival>,
    /// When tables change.
    pub table_update: Option<TableUpdate>,
    /// Whether it rests. Default: what the environment says.
    pub paused: Option<bool>,
}

/// Every so many hours, days or weeks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Periodic {
    /// How many. Example: `1`.
    pub interval: u32,
    /// Of what.
    pub unit: PeriodicUnit,
}

/// The unit of a periodic trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeriodicUnit {
    Hours,
    Days,
    Weeks,
}

/// When files come.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileArrival {
    /// The folder that is watched: a Unity Catalog volume or an external location, ending in `/`. Example:
    /// `/Volumes/lake/bronze/landing/`.
    pub url: String,
    /// The shortest time between two runs, at least a minute.
    pub min_time_between: Option<Period>,
    /// How long no further file may have come, at least a minute.
    pub wait_after_last_change: Option<Period>,
}

/// When tables change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableUpdate {
    /// The tables: `layer.name` of this project, or `catalog.schema.name` of another.
    pub tables: Vec<String>,
    /// Whether any of them must have changed or all. Default: any.
    #[serde(default)]
    pub condition: UpdateCondition,
    /// The shortest time between two runs, at least a minute.
    pub min_time_between: Option<Period>,
    /// How long no further change may have come, at least a minute.
    pub wait_after_last_change: Option<Period>,
}

/// Whether one table's change is enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateCondition {
    #[default]
    Any,
    All,
}

/// When a run that still goes on is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthRule {
    /// What is measured.
    pub metric: HealthMetric,
    /// The value above which it is reported: seconds, bytes, records or files.
    pub above: u64,
}

/// What is measured of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthMetric {
    RunDurationSeconds,
    StreamingBacklogBytes,
    StreamingBacklogRecords,
    StreamingBacklogSeconds,
    StreamingBacklogFiles,
}

/// Which channels are told when: of failures, or of what one says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Notify {
    /// Of failures.
    Failures(OneOrMany),
    /// Of each event by name.
    Events(NotifyEvents),
}

/// The channels by event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyEvents {
    /// A run begins.
    pub on_start: Option<OneOrMany>,
    /// A run went well.
    pub on_success: Option<OneOrMany>,
    /// A run failed.
    pub on_failure: Option<OneOrMany>,
    /// A run takes longer than a rule of `health` allows.
    pub on_duration_warning: Option<OneOrMany>,
}

/// What someone may do with a job: exactly one of user, group and service principal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobPermission {
    /// What they may do.
    pub level: JobPermissionLevel,
    /// A group of the workspace.
    pub group_name: Option<String>,
    /// A user.
    pub user_name: Option<String>,
    /// The application id of a service principal.
    pub service_principal_name: Option<String>,
}

/// A level of permission on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
pub enum JobPermissionLevel {
    /// See its runs.
    #[serde(rename = "CAN_VIEW")]
    View,
    /// See and start its runs.
    #[serde(rename = "CAN_MANAGE_RUN")]
    ManageRun,
    /// See, start and change it.
    #[serde(rename = "CAN_MANAGE")]
    Manage,
    /// Own it: one user or service principal.
    #[serde(rename = "IS_OWNER")]
    Owner,
}

/// Something that a job does: exactly one of `tables`, `notebook`, `python`, `wheel`, `sql`, `condition`, `run_job`,
/// `pipeline`, `dashboard`, `alert` and `dbt`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name within the job: letters, digits, `_` and `-`, at most 100.
    pub task_key: String,
    /// What it is for.
    pub description: Option<String>,
    /// The tasks and tables (`layer.name`) that come first.
    #[serde(default)]
    pub depends_on: Vec<DependsOn>,
    /// The job's tables that wait for it, as `--select` takes them; behind a `condition`, only if it is true.
    pub before: Option<OneOrMany>,
    /// How those that come first must have ended. Default: all well.
    #[serde(default)]
    pub run_if: RunIf,
    /// How often it is tried again. Default: the job's.
    pub retries: Option<u32>,
    /// The longest time it may take. Example: `15m`.
    pub timeout: Option<Period>,
    /// What it runs on. Default: the job's.
    pub compute: Option<String>,
    /// The channels that are told when it fails, or which are told when.
    pub notify: Option<Notify>,
    /// The inputs for which it is done, each by itself. Example: `{inputs: [eu, us], concurrency: 2}`.
    pub for_each: Option<ForEach>,
    /// Tables, built one behind the other in one task, as `--select` takes them; or these with the name of their notebook.
    /// Example: `layer:bronze`.
    pub tables: Option<TablesTask>,
    /// A notebook.
    pub notebook: Option<NotebookTask>,
    /// A Python file.
    pub python: Option<PythonTask>,
    /// An entry point of a Python package.
    pub wheel: Option<WheelTask>,
    /// SQL on a SQL warehouse.
    pub sql: Option<SqlTask>,
    /// A comparison; what depends on it says for which `outcome`.
    pub condition: Option<ConditionTask>,
    /// A run of another job of the project.
    pub run_job: Option<RunJobTask>,
    /// An update of a pipeline.
    pub pipeline: Option<PipelineTask>,
    /// A dashboard that is refreshed, and sent to its subscribers.
    pub dashboard: Option<DashboardTask>,
    /// An alert that is evaluated.
    pub alert: Option<AlertTask>,
    /// Commands of dbt.
    pub dbt: Option<DbtTask>,
}

/// What comes first: a task or a table, or that with the outcome of a condition.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum DependsOn {
    Name(String),
    Outcome(DependsOnOutcome),
}

/// A condition that comes first, and how it must have turned out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DependsOnOutcome {
    /// The task.
    pub task_key: String,
    /// The condition's outcome. Default: any.
    pub outcome: Option<bool>,
}

/// How those that come first must have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunIf {
    /// All well.
    #[default]
    AllSuccess,
    /// One well at least.
    AtLeastOneSuccess,
    /// None failed; some may have been skipped.
    NoneFailed,
    /// All ended, however.
    AllDone,
    /// One failed at least.
    AtLeastOneFailed,
    /// All failed.
    AllFailed,
}

/// Tables that one task builds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum TablesTask {
    Select(OneOrMany),
    Named(NamedTables),
}

impl TablesTask {
    /// Each selector with its JSON pointer relative to this.
    pub fn selectors(&self) -> Vec<(String, &str)> {
        match self {
            TablesTask::Select(select) => select.each(),
            TablesTask::Named(named) => {
                named.select.each().into_iter().map(|(pointer, one)| (format!("/select{pointer}"), one)).collect()
            }
        }
    }
}

/// Tables that one task builds, in a notebook with a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedTables {
    /// The tables, as `--select` takes them. Example: `[layer:silver, gold.daily_sales]`.
    pub select: OneOrMany,
    /// The name of the notebook that medc writes for them. Default: `<job>_<task_key>`. Example: `01_ingest_bronze`.
    pub notebook: Option<String>,
}

/// A notebook.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotebookTask {
    /// The notebook: a file relative to the project's folder, which goes into the bundle, or a path in the workspace.
    /// Example: `notebooks/train.py`.
    pub path: String,
    /// Its widgets' values, besides the job's parameters.
    #[serde(default)]
    pub parameters: IndexMap<String, Scalar>,
}

/// A Python file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PythonTask {
    /// The file, relative to the project's folder. Example: `jobs/notify.py`.
    pub file: String,
    /// Its arguments.
    #[serde(default)]
    pub parameters: Vec<String>,
}

/// An entry point of a Python package.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WheelTask {
    /// The package's name.
    pub package: String,
    /// The entry point's name.
    pub entry_point: String,
    /// What is installed: a package as pip names it, or a wheel in a volume. Example: `shop-jobs==1.2.0`.
    pub dependency: String,
    /// Its arguments.
    #[serde(default)]
    pub parameters: Vec<String>,
}

/// SQL on a SQL warehouse.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlTask {
    /// The file, relative to the project's folder. Example: `sql/optimize.sql`.
    pub file: String,
    /// The id of the SQL warehouse.
    pub warehouse_id: String,
    /// Values of its `:parameters`.
    #[serde(default)]
    pub parameters: IndexMap<String, Scalar>,
}

/// A comparison of two texts or numbers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionTask {
    /// One side. Example: `{{tasks.train.values.accuracy}}`.
    pub left: String,
    /// How they compare.
    pub op: ConditionOperator,
    /// The other side. Example: `0.9`.
    pub right: String,
}

/// How two values compare; all but the first two compare numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionOperator {
    EqualTo,
    NotEqual,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
}

/// A run of another job of the project.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunJobTask {
    /// The job's key.
    pub job: String,
    /// Values of its parameters.
    #[serde(default)]
    pub parameters: IndexMap<String, Scalar>,
}

/// An update of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineTask {
    /// The key of a pipeline below `resources`, or a pipeline's id.
    pub pipeline: String,
    /// Whether all of its tables are made anew. Default: false.
    #[serde(default)]
    pub full_refresh: bool,
}
