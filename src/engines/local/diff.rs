//! Two states of a table, compared row by row.
//!
//! In: a table on two sides (environments, or versions of one Delta table) and the columns that a row is known by. Out: how the
//! columns differ, how many rows are only on one side, and which columns differ in the others, with examples; values of
//! private columns are hidden. Files that both versions have are not read. The rest is sorted by key and merged, so that
//! memory is the run's budget however many rows there are. Writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deltalake::DeltaTable;
use deltalake::arrow::datatypes::DataType as ArrowType;
use deltalake::datafusion::catalog::TableProvider;
use deltalake::datafusion::common::{Column, DataFusionError, NullEquality, Result as DataFusionResult};
use deltalake::datafusion::datasource::empty::EmptyTable;
use deltalake::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use deltalake::datafusion::functions_aggregate::expr_fn::count;
use deltalake::datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use deltalake::datafusion::logical_expr::{Expr, JoinType, LogicalPlanBuilder, cast, ident, lit};
use deltalake::datafusion::prelude::{DataFrame, SessionContext};

use crate::check::Checked;
use crate::check::privacy::private_columns;
use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::preview::{self, Refusal};
use crate::engines::local::{RunSettings, damage, memory, table};
use crate::ir::{Schema, WriteMode};
use crate::name::TableName;
use crate::sql::{session, types};

mod tally;

pub use tally::{Example, Tally};

/// Where one side's rows are.
pub struct Side<'a> {
    pub checked: &'a Checked,
    pub settings: &'a RunSettings,
    /// `None` for the newest.
    pub version: Option<i64>,
}

/// What a row is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    Columns(Vec<String>),
    /// By all that it says: rows are counted.
    WholeRow,
}

/// How a column of one side is on the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnChange {
    Added { column: String, data_type: String },
    Removed { column: String, data_type: String },
    Retyped { column: String, before: String, after: String },
}

/// What differs.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    pub columns: Vec<ColumnChange>,
    /// The columns that both sides have and that are no key, in the order of `rows.columns`.
    pub compared: Vec<String>,
    /// Empty where whole rows are compared.
    pub keys: Vec<String>,
    /// Rows of files that both sides have; these are equal and were not read.
    pub n_shared: u64,
    pub rows: Tally,
}

impl Difference {
    pub fn is_same(&self) -> bool {
        self.columns.is_empty() && self.rows.is_same()
    }
}

/// Why two sides cannot be compared.
#[derive(Debug)]
pub enum Stopped {
    /// That side has no such table or version.
    Missing {
        is_before: bool,
    },
    UnknownKey {
        column: String,
        known: Vec<String>,
    },
    /// Rows share a key, so that it is not known which of them to compare.
    RepeatedKeys {
        n_rows: u64,
    },
    NothingInCommon,
    Failed(Box<Diagnostic>),
}

/// Compares.
///
/// # Errors
/// See [`Stopped`].
pub async fn diff(
    name: &TableName,
    before: &Side<'_>,
    after: &Side<'_>,
    keys: &Keys,
    n_examples: usize,
) -> Result<Difference, Stopped> {
    let failed = |error: &DataFusionError| failed(name, &error.strip_backtrace());
    let context = context(after.settings).map_err(|error| failed(&error))?;
    let old = Loaded::of(name, before, &context).await?.ok_or(Stopped::Missing { is_before: true })?;
    let new = Loaded::of(name, after, &context).await?.ok_or(Stopped::Missing { is_before: false })?;
    let shared = shared(&old, &new);
    let columns = column_changes(&old.schema, &new.schema);
    let common: Vec<String> =
        new.schema.names().filter(|column| old.schema.column(column).is_some()).map(str::to_lowercase).collect();
    let keys = match keys {
        Keys::WholeRow => Vec::new(),
        Keys::Columns(keys) => {
            if let Some(column) = keys.iter().find(|key| !common.contains(&key.to_lowercase())) {
                return Err(Stopped::UnknownKey { column: column.clone(), known: common });
            }
            keys.iter().map(|key| key.to_lowercase()).collect()
        }
    };
    if common.is_empty() {
        return Err(Stopped::NothingInCommon);
    }
    let compared: Vec<String> = match keys.as_slice() {
        [] => Vec::new(),
        keys => common.iter().filter(|column| !keys.contains(column)).cloned().collect(),
    };
    let mut private = BTreeSet::new();
    for side in [before, after] {
        private.extend(side.checked.graph.find(name).map(|id| private_columns(side.checked, id)).unwrap_or_default());
    }
    let read = async {
        let (old, new) = (old.frame(&context, &shared).await?, new.frame(&context, &shared).await?);
        let both = if keys.is_empty() {
            joined(&context, counted(old, &common)?, counted(new, &common)?, &common, &[N_ROWS.to_owned()])?
        } else {
            joined(&context, old, new, &keys, &compared)?
        };
        let shape = tally::Shape {
            keys: if keys.is_empty() { common.clone() } else { keys.clone() },
            values: compared.clone(),
            is_counted: keys.is_empty(),
            private,
            n_examples,
        };
        tally::run(both, shape).await
    };
    let mut rows = read.await.map_err(|error| failed(&error))?;
    if rows.n_repeated > 0 {
        return Err(Stopped::RepeatedKeys { n_rows: rows.n_repeated });
    }
    let n_shared = shared.values().sum();
    rows.n_equal += n_shared;
    Ok(Difference { columns, compared, keys, n_shared, rows })
}

/// The column that counts rows which say the same.
const N_ROWS: &str = "_medc_n_rows";

fn failed(name: &TableName, cause: &str) -> Stopped {
    Stopped::Failed(Box::new(
        Diagnostic::error(code::EXECUTION, format!("`{name}` cannot be compared")).note(cause.to_owned()),
    ))
}

/// A session that sorts and merges rather than holding one side in memory.
fn context(settings: &RunSettings) -> DataFusionResult<SessionContext> {
    let pool = Arc::new(memory::Budget::new(settings.memory_bytes));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
    let options = session::Options { target_partitions: Some(settings.n_threads), runtime: Some(runtime) };
    let context = session::context(options);
    context.state_ref().write().config_mut().options_mut().optimizer.prefer_hash_join = false;
    Ok(context)
}

/// One side, opened.
struct Loaded {
    schema: Schema,
    rows: Rows,
}

enum Rows {
    View(Arc<dyn TableProvider>),
    /// Its files by path, with their rows where the log knows them and they say all (no deletion vector).
    Stored {
        folder: PathBuf,
        table: Box<DeltaTable>,
        files: BTreeMap<String, Option<u64>>,
    },
}

impl Loaded {
    async fn of(name: &TableName, side: &Side<'_>, context: &SessionContext) -> Result<Option<Self>, Stopped> {
        let unreadable = |cause: &dyn std::fmt::Display| failed(name, &cause.to_string());
        let mut settings = side.settings.clone();
        // Files are addressed by URLs, which want absolute paths.
        let Ok(root) = settings.warehouse.root.canonicalize() else { return Ok(None) };
        settings.warehouse.root = root;
        let node = side.checked.graph.find(name);
        let view = node.filter(|id| side.checked.graph.node(*id).write.mode == WriteMode::View);
        if let Some(id) = view {
            let provider = match preview::view_rows(side.checked, &settings, context, id).await {
                Ok(provider) => provider,
                Err(Refusal::Engine(diagnostic)) => return Err(Stopped::Failed(diagnostic)),
                Err(other) => return Err(unreadable(&format!("{other:?}"))),
            };
            let schema = types::from_arrow_schema(&provider.schema()).map_err(|error| unreadable(&error))?;
            return Ok(Some(Loaded { schema, rows: Rows::View(provider) }));
        }
        let folder = settings.warehouse.folder(name);
        let opened = table::open(&folder).await.map_err(|error| unreadable(&error))?;
        let Some(mut table) = opened else { return Ok(None) };
        if let Some(version) = side.version {
            let Ok(version) = u64::try_from(version) else { return Ok(None) };
            if table.version().is_none_or(|newest| version > newest) {
                return Ok(None);
            }
            table.load_version(version).await.map_err(|error| unreadable(&error))?;
        }
        damage::check_files(&folder, &table).map_err(Stopped::Failed)?;
        let state = table.snapshot().map_err(|error| unreadable(&error))?;
        let schema = types::from_arrow_schema(&state.snapshot().arrow_schema()).map_err(|error| unreadable(&error))?;
        let rows_of = |file: &deltalake::kernel::LogicalFileView| {
            let n_rows = file.num_records().filter(|_| file.deletion_vector_descriptor().is_none())?;
            u64::try_from(n_rows).ok()
        };
        let files = state.log_data();
        let files = files.iter().map(|file| (file.path().into_owned(), rows_of(&file))).collect();
        Ok(Some(Loaded { schema, rows: Rows::Stored { folder, table: Box::new(table), files } }))
    }

    /// The rows of the files that are not shared, with names in lower case.
    async fn frame(&self, context: &SessionContext, shared: &BTreeMap<String, u64>) -> DataFusionResult<DataFrame> {
        let provider = match &self.rows {
            Rows::View(provider) => Arc::clone(provider),
            Rows::Stored { folder, table, files } => {
                let own: Vec<&str> =
                    files.keys().map(String::as_str).filter(|path| !shared.contains_key(*path)).collect();
                stored(folder, table, &own).await?
            }
        };
        context.read_table(table::lower_case(context, provider)?)
    }
}

async fn stored(folder: &Path, opened: &DeltaTable, files: &[&str]) -> DataFusionResult<Arc<dyn TableProvider>> {
    let external = |error: deltalake::DeltaTableError| DataFusionError::External(Box::new(error));
    let state = opened.snapshot().map_err(external)?;
    let schema = state.snapshot().arrow_schema();
    if files.is_empty() {
        return Ok(Arc::new(EmptyTable::new(schema)));
    }
    let is_plain = state.metadata().partition_columns().is_empty()
        && !state.metadata().configuration().contains_key("delta.columnMapping.mode")
        && state
            .log_data()
            .iter()
            .all(|file| file.deletion_vector_descriptor().is_none() && !file.path().contains("://"));
    if is_plain {
        let paths: Vec<PathBuf> = files.iter().map(|path| folder.join(path)).collect();
        return table::parquet(&paths, &schema);
    }
    opened.table_provider().with_file_paths(files.iter().copied()).build().await.map(|provider| Arc::new(provider) as _)
}

/// Files that both sides name, with their rows.
fn shared(old: &Loaded, new: &Loaded) -> BTreeMap<String, u64> {
    let (Rows::Stored { folder: left, files: old, .. }, Rows::Stored { folder: right, files: new, .. }) =
        (&old.rows, &new.rows)
    else {
        return BTreeMap::new();
    };
    if left != right {
        return BTreeMap::new();
    }
    let both = old.iter().filter(|(path, n_rows)| new.get(*path) == Some(n_rows));
    both.filter_map(|(path, n_rows)| Some((path.clone(), (*n_rows)?))).collect()
}

fn column_changes(old: &Schema, new: &Schema) -> Vec<ColumnChange> {
    let mut changes = Vec::new();
    for column in &old.columns {
        let (name, data_type) = (column.name.clone(), column.data_type.to_string());
        match new.column(&column.name) {
            None => changes.push(ColumnChange::Removed { column: name, data_type }),
            Some(other) if other.data_type != column.data_type => {
                let after = other.data_type.to_string();
                changes.push(ColumnChange::Retyped { column: name, before: data_type, after });
            }
            Some(_) => {}
        }
    }
    let added = new.columns.iter().filter(|column| old.column(&column.name).is_none());
    changes.extend(
        added
            .map(|column| ColumnChange::Added { column: column.name.clone(), data_type: column.data_type.to_string() }),
    );
    changes
}

fn counted(frame: DataFrame, columns: &[String]) -> DataFusionResult<DataFrame> {
    let group = columns.iter().map(ident).collect();
    frame.aggregate(group, vec![count(lit(1)).alias(N_ROWS)])
}

/// Both sides joined by key. The columns are, for each side, its keys, whether it has the row, its values.
fn joined(
    context: &SessionContext,
    old: DataFrame,
    new: DataFrame,
    keys: &[String],
    values: &[String],
) -> DataFusionResult<DataFrame> {
    let type_of = |frame: &DataFrame, column: &str| -> DataFusionResult<ArrowType> {
        Ok(frame.schema().field_with_unqualified_name(column)?.data_type().clone())
    };
    let mut common = BTreeMap::new();
    for column in keys.iter().chain(values) {
        let (left, right) = (type_of(&old, column)?, type_of(&new, column)?);
        let both = if left == right { left } else { comparison_coercion(&left, &right).unwrap_or(ArrowType::Utf8) };
        common.insert(column.clone(), both);
    }
    let side = |frame: DataFrame, mark: &str| -> DataFusionResult<DataFrame> {
        let named = |column: &String, kind: &str, place: usize| {
            cast(ident(column), common[column].clone()).alias(format!("{mark}{kind}{place}"))
        };
        let mut columns: Vec<Expr> = keys.iter().enumerate().map(|(place, key)| named(key, "k", place)).collect();
        columns.push(lit(true).alias(mark));
        columns.extend(values.iter().enumerate().map(|(place, value)| named(value, "v", place)));
        frame.select(columns)
    };
    let names = |mark: &str| (0..keys.len()).map(|place| Column::from_name(format!("{mark}k{place}"))).collect();
    let (left, right): (Vec<Column>, Vec<Column>) = (names("old"), names("new"));
    let plan = LogicalPlanBuilder::from(side(old, "old")?.into_unoptimized_plan())
        .join_detailed(
            side(new, "new")?.into_unoptimized_plan(),
            JoinType::Full,
            (left, right),
            None,
            NullEquality::NullEqualsNull,
        )?
        .build()?;
    Ok(DataFrame::new(context.state(), plan))
}
