//! The core forms: the small closed set of things that a project consists of once its surface kinds are lowered.
//!
//! Many kinds of connectors, steps and expectations lower into these few (`graph` does it), and `check`, `plan` and both
//! engines match only on these. Everything here is plain data with a deterministic order, so that fingerprints, plans
//! and emitted files depend on nothing else. Types are Spark's, since the language is Databricks SQL.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Site;
use crate::name::TableName;

mod assertion;
mod data_type;
pub mod deployment;
pub mod results;

pub use assertion::{
    Assertion, ColumnsTest, Dimension, Distribution, Measure, OnViolation, Part, Reference, Severity, TableRef, Test,
};
pub use data_type::{DataType, Field, TYPE_NAMES};

/// A node's place in `Graph::nodes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u32);

impl NodeId {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A column as a name, a type and whether it may be NULL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
    pub nullable: bool,
}

/// Columns in order. Names are unique without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Schema {
    pub columns: Vec<Column>,
}

impl Schema {
    /// The column of that name, compared as Databricks does.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| crate::name::same(&column.name, name))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.columns.iter().map(|column| column.name.as_str())
    }
}

/// Databricks SQL: a query or an expression, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql {
    pub text: Arc<str>,
    /// The string that holds `text`; `site.text(range)` addresses bytes of it. For SQL that a kind made, the site of what
    /// it was made from.
    pub site: Site,
    /// Whether `text` is the author's own, so that byte ranges of it mean something at `site`.
    pub authored: bool,
}

/// One table of the project, in core form.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub name: TableName,
    /// Where the table is declared.
    pub site: Site,
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub owner: Option<String>,
    pub body: Body,
    pub contract: Option<Arc<Contract>>,
    pub write: Write,
    pub assertions: Vec<Assertion>,
    /// Set for the dataset of a model, `gold_ml.<model>_v<version>`.
    pub dataset: Option<Dataset>,
    pub feature_table: Option<FeatureTable>,
    /// Whether rows that only this table has may never be lost to a plan.
    pub prevent_destroy: bool,
    /// What the project left to medc, as `key: value`; a plan tells it once, when the table is created.
    pub defaults: Vec<String>,
    pub on_databricks: OnDatabricks,
}

/// That features of a model are looked up here by key, and by time where it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureTable {
    pub keys: Vec<String>,
    pub timestamp: Option<String>,
}

/// Where a table's rows come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Ingest(Ingest),
    Relation(Relation),
}

/// Rows read from outside the project.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingest {
    /// A file, a folder, a glob or a URL, as resolved. Relative paths are relative to the project's folder.
    pub location: String,
    pub location_site: Site,
    pub reader: Reader,
    /// Columns that medc adds behind the source's own.
    pub metadata_columns: Vec<MetadataColumn>,
}

/// How the bytes of a source are read.
#[derive(Debug, Clone, PartialEq)]
pub enum Reader {
    Delimited(Delimited),
    /// One JSON object a line.
    JsonLines,
    Parquet,
    /// A Delta table, at its newest version.
    Delta,
    /// A table or a query of a SQL database, in full.
    Database(Database),
}

/// A table or a query of a SQL database. One of the two is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    pub system: DatabaseSystem,
    pub through: Through,
    pub database: String,
    pub table: Option<String>,
    pub query: Option<String>,
}

/// Whose SQL a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseSystem {
    Postgresql,
    Sqlserver,
    Mysql,
}

impl DatabaseSystem {
    /// As a source's `format` says it.
    pub fn word(self) -> &'static str {
        match self {
            DatabaseSystem::Postgresql => "postgresql",
            DatabaseSystem::Sqlserver => "sqlserver",
            DatabaseSystem::Mysql => "mysql",
        }
    }

    /// The port that it listens on where nothing else is said.
    pub fn port(self) -> u16 {
        match self {
            DatabaseSystem::Postgresql => 5432,
            DatabaseSystem::Sqlserver => 1433,
            DatabaseSystem::Mysql => 3306,
        }
    }
}

/// How a database is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum Through {
    Address {
        host: String,
        port: u16,
        user: Credential,
        password: Credential,
    },
    /// A connection of Unity Catalog.
    Connection(String),
}

/// What only some may know, or need not be kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Credential {
    Text(String),
    /// Looked up when a job runs.
    Secret {
        scope: String,
        key: String,
    },
}

/// How Databricks reads files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ingestion {
    /// Each file once, by a stream that knows which it has read.
    AutoLoader,
    /// Each file once, by a statement that knows which it has read.
    CopyInto,
    /// All files each time, by the function `read_files`.
    ReadFiles,
}

/// What only Databricks is told of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OnDatabricks {
    /// Properties of the Delta table.
    pub properties: std::collections::BTreeMap<String, String>,
    /// Whether Databricks chooses the columns by which rows lie near each other.
    pub clusters_itself: bool,
    pub ingestion: Option<Ingestion>,
}

/// Delimited text (CSV). Every field is text; an empty unquoted field is NULL, an empty quoted one is the empty string.
#[derive(Debug, Clone, PartialEq)]
pub struct Delimited {
    pub header: bool,
    pub delimiter: u8,
    pub quote: Option<u8>,
    /// A second escape inside quotes; doubled quotes always work.
    pub escape: Option<u8>,
    /// A WHATWG encoding label, e.g. `utf-8`, `windows-1252`.
    pub encoding: String,
    /// Texts that mean NULL besides the empty field.
    pub null_values: Vec<String>,
    /// What happens to a row with more or fewer fields than the header.
    pub on_ragged_row: OnViolation,
}

/// A column that medc fills while ingesting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, schemars::JsonSchema)]
pub enum MetadataColumn {
    /// `_source_file`: the file that the row came from, as a path relative to the project or as a URL.
    #[serde(rename = "_source_file")]
    SourceFile,
    /// `_source_line`: the line in that file on which the row begins, from 1. NULL for binary formats.
    #[serde(rename = "_source_line")]
    SourceLine,
    /// `_ingested_at`: the run's start.
    #[serde(rename = "_ingested_at")]
    IngestedAt,
    /// `_run_id`: the run's id.
    #[serde(rename = "_run_id")]
    RunId,
}

impl MetadataColumn {
    pub const ALL: [MetadataColumn; 4] = [Self::SourceFile, Self::SourceLine, Self::IngestedAt, Self::RunId];

    pub fn name(self) -> &'static str {
        match self {
            Self::SourceFile => "_source_file",
            Self::SourceLine => "_source_line",
            Self::IngestedAt => "_ingested_at",
            Self::RunId => "_run_id",
        }
    }

    pub fn data_type(self) -> DataType {
        match self {
            Self::SourceFile | Self::RunId => DataType::String,
            Self::SourceLine => DataType::Bigint,
            Self::IngestedAt => DataType::Timestamp,
        }
    }
}

/// Rows computed from other tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    pub input: Input,
    /// Applied in order.
    pub operations: Vec<Operation>,
}

/// What a relation starts from.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A query over tables of the project.
    Query(Sql),
    /// A table of the project, its columns cast to the types that the node's contract gives them before any operation
    /// sees them. A value that cannot be cast is a violation of the contract (`Contract::on_cast_failure`).
    Table { name: TableName, site: Site },
}

/// One step on rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Keeps the rows for which the expression is TRUE.
    Filter(Sql),
    /// Computes columns from the row as it was before this operation: replaces those that exist, in place, and adds the
    /// others at the end.
    Extend(Vec<Computed>),
    /// Gives columns new names, in place.
    Rename(Vec<Renamed>),
    /// Keeps one row per key: the first in the given order. Ties are broken by all other columns, so that the survivor
    /// never depends on the order in which rows are read.
    Latest { keys: Vec<String>, order: Vec<Ordering>, site: Site },
}

/// A computed column.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    pub name: String,
    pub expression: Sql,
}

/// A column's old and new name.
#[derive(Debug, Clone, PartialEq)]
pub struct Renamed {
    pub from: String,
    pub to: String,
    pub site: Site,
}

/// A sort key. NULLs come first ascending and last descending, as in Spark.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordering {
    pub column: String,
    pub descending: bool,
}

/// The promise of a table: its columns in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    pub name: String,
    pub version: Option<String>,
    pub description: Option<String>,
    pub owner: Option<String>,
    /// The columns of the primary key, in order; empty without one.
    pub primary_key: Vec<String>,
    pub columns: Vec<ContractColumn>,
    /// What happens to a row with a value that cannot be cast to its column's type.
    pub on_cast_failure: OnViolation,
    /// The zone of times that name none, as `sql::zone::Zone` reads it; UTC without it.
    pub timezone: Option<String>,
    pub site: Site,
}

impl Contract {
    pub fn schema(&self) -> Schema {
        Schema { columns: self.columns.iter().map(|column| column.column.clone()).collect() }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct ContractColumn {
    pub column: Column,
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub site: Site,
}

/// How a table's rows are stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub mode: WriteMode,
    /// Columns by which rows lie near each other (liquid clustering on Databricks, a sort on write locally).
    pub cluster_by: Vec<String>,
    pub partition_by: Vec<String>,
    /// What may happen to the stored columns when the declared ones are others.
    pub schema_evolution: SchemaEvolution,
}

/// What happens when a stored table's columns are not the declared ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchemaEvolution {
    /// The table stays as it is, and the run says what differs.
    Fail,
    /// Columns are added, NULL in the rows that are there; any other difference fails.
    AddColumns,
    /// The table gets the declared columns: added, dropped, retyped, partitioned anew. Its rows are rewritten where that
    /// needs it; a stored value that does not fit its new type fails.
    Evolve,
}

impl SchemaEvolution {
    /// The word for it in a project file.
    pub fn word(self) -> &'static str {
        match self {
            SchemaEvolution::Fail => "fail",
            SchemaEvolution::AddColumns => "add_columns",
            SchemaEvolution::Evolve => "evolve",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteMode {
    /// The table's rows are exactly the newest result.
    Overwrite,
    /// New rows are added; each source file is ingested once.
    Append,
    /// Rows with a known key are updated, others inserted.
    Merge { keys: Vec<String> },
    /// Nothing is stored; readers compute it.
    View,
}

impl WriteMode {
    /// The word for it in a project file.
    pub fn word(&self) -> &'static str {
        match self {
            WriteMode::Overwrite => "overwrite",
            WriteMode::Append => "append",
            WriteMode::Merge { .. } => "merge",
            WriteMode::View => "view",
        }
    }
}

/// What a node of `datasets` declares beyond its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    pub model: String,
    pub version: u32,
    pub source_table: TableName,
    pub features: Vec<String>,
    pub target: String,
}
