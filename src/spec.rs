//! A project as it is written: the types behind the JSON Schema.
//!
//! Field docs are for users: they become the schema's descriptions, the editor's hover and the reference page. Values are
//! read into these types only after overlays are merged and `${…}` is replaced (`resolve`), since overlays merge as
//! values. References are still names here; `resolve` and `graph` turn them into ids. The kinds (connectors, steps,
//! expectations) bring their own types.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::connectors::Source;
use crate::diagnostic::Severity;
use crate::expectations::Expectation;
use crate::ir::{MetadataColumn, OnViolation, SchemaEvolution};
use crate::kind::Scalar;
use crate::steps::Step;

mod dataset;
mod deployment;
mod environment;
mod job;
mod service_task;
mod suites;

pub use dataset::{Dataset, DatasetFile};
pub use deployment::{
    Bundle, Channel, Cluster, Compute, ComputeWord, Emit, GeneratedJobs, Grant, OneOrMany, Privilege, Workers,
};
pub use environment::{
    DeploymentMode, Engine, Environment, Git, Permission, PermissionLevel, Presets, RunAs, TableOverlay, Workspace,
};
pub use job::{
    ConditionOperator, ConditionTask, DependsOn, DependsOnOutcome, FileArrival, HealthMetric, HealthRule, Job,
    JobOverlay, JobPermission, JobPermissionLevel, NamedTables, NotebookTask, Notify, NotifyEvents, Period, Periodic,
    PeriodicUnit, PipelineTask, PythonTask, RunIf, RunJobTask, Schedule, SqlTask, TableUpdate, TablesTask, Task,
    Trigger, UpdateCondition, WheelTask,
};
pub use service_task::{AlertTask, DashboardTask, DbtTask, ForEach, Input, Inputs};
pub use suites::{Checkpoints, SuiteUse, Suites};

/// A medc project file. `medc.yml` has `project`; every file that it includes may hold any other key.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectFile {
    /// What the project is called and who owns it. Only in `medc.yml`.
    pub project: Option<ProjectHeader>,
    /// Globs of further project files, relative to the project's folder. Example: `[tables/**/*.yml]`.
    #[serde(default)]
    pub include: Vec<String>,
    /// Values that differ between environments or runs, used as `${var.name}`.
    #[serde(default)]
    pub variables: IndexMap<String, Variable>,
    /// Where the project runs. `-t NAME` picks one. They change values, never the shape of the graph.
    #[serde(default)]
    pub environments: IndexMap<String, Environment>,
    /// The layers in order, e.g. bronze, silver, gold. A table's name begins with its layer.
    #[serde(default)]
    pub layers: IndexMap<String, Layer>,
    /// The tables, by `layer.name`.
    #[serde(default)]
    pub tables: IndexMap<String, Table>,
    /// The promises of tables, by name.
    #[serde(default)]
    pub contracts: IndexMap<String, Contract>,
    /// The datasets of models, from a JSON file of theirs.
    pub datasets: Option<Datasets>,
    /// Great Expectations checkpoints, which bind suites to tables.
    pub checkpoints: Option<Checkpoints>,
    /// For Databricks: the bundle that the project becomes.
    pub bundle: Option<Bundle>,
    /// For Databricks: what runs together, when, and who is told. Without any, one job builds all tables.
    #[serde(default)]
    pub jobs: IndexMap<String, Job>,
    /// For Databricks: whom jobs tell how they went, by name.
    #[serde(default)]
    pub channels: IndexMap<String, Channel>,
    /// For Databricks: what tasks run on, by name; `default` is what they run on where nothing is said. Without it,
    /// serverless. Example: `{big: {node_type: i3.xlarge, workers: 1..8}}`.
    #[serde(default)]
    pub compute: IndexMap<String, Compute>,
    /// For Databricks: resources of the bundle as its own format has them, by type and key, e.g. `volumes`, `alerts`,
    /// `model_serving_endpoints`. They are passed through; `environments` in one limits it, and is not passed.
    #[serde(default)]
    pub resources: IndexMap<String, IndexMap<String, serde_json::Map<String, serde_json::Value>>>,
}

/// What the project is called and who owns it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectHeader {
    /// The project's name: letters, digits and underscores.
    pub name: String,
    /// What it is for, in a sentence.
    pub description: Option<String>,
    /// Who answers for it. Example: `data-platform@example.com`.
    pub owner: Option<String>,
    /// The use case that it serves, for tags.
    pub use_case: Option<String>,
}

/// A value used as `${var.name}`. What is given later in this list wins: `default`, the environment's `variables`, the
/// process variable `env`, `--var name=value`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The value where nothing else gives one.
    pub default: Option<Scalar>,
    /// The name of a process variable that gives the value where it is set. Example: `RAW_SALES_PATH`.
    pub env: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// A layer of the medallion.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The layers that its tables may read. Default: this layer and all before it.
    pub reads: Option<Vec<String>>,
    /// What its tables may do.
    #[serde(default)]
    pub policy: Policy,
    /// What its tables are called: `<word>` and `*` stand for one character or more. Example: `br_<source>_<entity>`.
    pub naming: Option<Naming>,
    /// Who answers for its tables.
    pub owner: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// For Databricks: who may do what with its tables.
    #[serde(default)]
    pub grants: Vec<Grant>,
}

/// What a layer's tables are called: a pattern, or that with what a name that breaks it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum Naming {
    Pattern(String),
    Rule(NamingRule),
}

/// What a layer's tables are called, and what a name that breaks it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamingRule {
    /// The names: `<word>` and `*` stand for one character or more. Example: `br_<source>_<entity>`.
    pub pattern: String,
    /// What a name that breaks it is. Default: error.
    #[serde(default)]
    pub severity: NamingSeverity,
}

/// What a broken convention is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamingSeverity {
    /// Nothing is done before it is mended.
    #[default]
    Error,
    /// It is told.
    Warning,
}

impl From<NamingSeverity> for Severity {
    fn from(severity: NamingSeverity) -> Self {
        match severity {
            NamingSeverity::Error => Severity::Error,
            NamingSeverity::Warning => Severity::Warning,
        }
    }
}

/// What a layer's tables may do.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether they may change rows: have `sql` or `steps`. Default: true.
    #[serde(default = "yes")]
    pub transform: bool,
    /// Whether they may aggregate (GROUP BY, aggregate functions). Default: true.
    #[serde(default = "yes")]
    pub aggregate: bool,
    /// Whether each must have a contract. Default: false.
    #[serde(default)]
    pub contract: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { transform: true, aggregate: true, contract: false }
    }
}

fn yes() -> bool {
    true
}

/// A table. Its rows come from exactly one of `source`, `from` and `sql`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What a row is.
    pub description: Option<String>,
    /// Who answers for it. Default: the layer's owner.
    pub owner: Option<String>,
    /// Words to select tables by, e.g. `tag:daily`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Where its rows are read from outside the project.
    pub source: Option<Source>,
    /// Columns that medc adds behind the source's own.
    #[serde(default)]
    pub metadata_columns: Vec<MetadataColumn>,
    /// The table that its rows come from, `layer.name`; its columns are cast to the contract's types before any step.
    pub from: Option<String>,
    /// What is done to the rows of `from`, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// A query in Databricks SQL: the text itself, or the path of a `.sql` file relative to the project's folder. Tables
    /// are named `layer.name`; medc finds by itself what the query reads.
    pub sql: Option<String>,
    /// The name of the contract that its rows keep.
    pub contract: Option<String>,
    /// How it is stored.
    #[serde(default)]
    pub write: Write,
    /// What must be true of its rows, besides its contract.
    #[serde(default)]
    pub expect: Vec<Expectation>,
    /// Great Expectations suites that its rows keep, as they stand: one, or a list of them.
    pub expectations: Option<Suites>,
    /// That models look features up here. Its keys are then never NULL, and unique together with the timestamp.
    pub feature_table: Option<FeatureTable>,
    /// For Databricks: properties of the Delta table, besides medc's own. Example: `{delta.enableChangeDataFeed: true}`.
    #[serde(default)]
    pub properties: IndexMap<String, Scalar>,
    /// Refuses every change that would lose rows which only this table has: building it anew from inputs that no longer give
    /// them, dropping one of its columns, dropping the table. Default: false; such a change is asked about. On Databricks, where no
    /// job drops a table, the layer's schema gets `lifecycle: {prevent_destroy: true}`. Example: `true`.
    #[serde(default)]
    pub prevent_destroy: bool,
}

/// A table of features.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureTable {
    /// The columns by which features are looked up. Example: `[customer_id]`.
    pub keys: Vec<String>,
    /// The column that says since when a row's features were known, a timestamp or a date. Without it there is one row per
    /// key.
    pub timestamp: Option<String>,
}

/// How a table is stored.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// How new rows meet those that are there. Default: overwrite.
    pub mode: Option<Mode>,
    /// For `merge`: the columns by which a row is known.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Columns by which rows lie near each other, for those who filter by them; on Databricks `auto` lets it choose them.
    #[serde(default)]
    pub cluster_by: ClusterBy,
    /// Columns whose values make folders. For few values only, e.g. a date.
    #[serde(default)]
    pub partition_by: Vec<String>,
    /// What happens when the stored table's columns are not the declared ones; `medc plan` shows the difference. Default:
    /// `evolve` for `overwrite`, whose rows are made anew anyway, and `fail` for `append` and `merge`, whose rows stay.
    /// `medc apply --full-refresh` builds the table anew from its inputs, whatever is said here.
    pub schema_evolution: Option<SchemaEvolution>,
}

/// Columns by which rows lie near each other.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum ClusterBy {
    Columns(Vec<String>),
    Word(ClusterByWord),
}

impl Default for ClusterBy {
    fn default() -> Self {
        ClusterBy::Columns(Vec::new())
    }
}

/// What chooses the columns by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClusterByWord {
    /// Databricks does, by what is asked of the table. The local engine leaves the rows as they come.
    Auto,
}

/// How new rows meet those that are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The table's rows are exactly the newest result.
    #[default]
    Overwrite,
    /// New rows are added; each file of the source is read once.
    Append,
    /// Rows with a known key are updated, others inserted.
    Merge,
    /// Nothing is stored; readers compute it.
    View,
}

/// The promise of a table: its columns in order, and what is true of its rows.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// An Open Data Contract Standard file (3.x) that the contract is read from, relative to the project's folder. Beside it
    /// stand only `object`, `on_cast_failure`, `timezone`, `freshness` and further expectations. Example: `contracts/orders.odcs.yaml`.
    pub odcs: Option<String>,
    /// Which of the file's schema objects is meant, by name. Not needed where the file has one.
    pub object: Option<String>,
    /// A semantic version; a breaking change raises its first number. Example: `1.2.0`.
    pub version: Option<String>,
    /// What a row is.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The columns in order, by name.
    #[serde(default)]
    pub columns: IndexMap<String, ContractColumn>,
    /// What happens to a row with a value that cannot be cast to its column's type. It is never a silent NULL; with `warn`
    /// it becomes NULL and is recorded. Default: fail.
    #[serde(default)]
    pub on_cast_failure: OnViolation,
    /// The zone in which texts and wall-clock times that name no zone are read where a column is a `timestamp`, and in which
    /// a timestamp has its date. A region or an offset, e.g. `America/Sao_Paulo`, `+02:00`. Default: UTC.
    pub timezone: Option<String>,
    /// How old the newest row may be at the time of a run.
    pub freshness: Option<Freshness>,
    /// What must be true of the rows.
    #[serde(default)]
    pub expect: Vec<Expectation>,
}

/// How old the newest row may be at the time of a run. Ages are whole numbers with `s`, `m`, `h`, `d` or `w`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// The column that says how new a row is, a date or a timestamp. Example: `order_ts`.
    pub column: String,
    /// The age after which it is recorded that the table is late. Example: `24h`.
    pub warn_after: Option<String>,
    /// The age after which the table is not published, and what depends on it does not run. Example: `72h`.
    pub fail_after: Option<String>,
}

/// A column of a contract.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractColumn {
    /// The type, as Databricks spells it: `string`, `int`, `bigint`, `double`, `decimal(18,2)`, `boolean`, `date`,
    /// `timestamp`, `timestamp_ntz`, `binary`, `array<…>`, `map<…, …>`, `struct<name: type, …>`.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether NULL is allowed. Default: true, and false for a primary key.
    pub nullable: Option<bool>,
    /// Whether it is (part of) the key that a row is known by: never NULL, unique together. Default: false.
    #[serde(default)]
    pub primary_key: bool,
    /// What the value means.
    pub description: Option<String>,
    /// Words about it; examples of values of columns tagged `pii` are never shown.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What must be true of its values.
    #[serde(default)]
    pub expect: Vec<Expectation>,
}

/// The datasets of models: one table `layer.<model>_v<version>` each, from a JSON file in the form
/// `{"models": [{"model_name", "version", "source_table", "feature_columns", "target_column"}]}`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Datasets {
    /// The file, relative to the project's folder. Example: `config/ml_models.json`.
    pub include: String,
    /// The layer of the tables. They may read what this layer `reads`, other than itself. Default: `gold_ml`.
    #[serde(default = "gold_ml")]
    pub layer: String,
}

fn gold_ml() -> String {
    "gold_ml".to_owned()
}
