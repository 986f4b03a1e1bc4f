//! Rows of one table, to be looked at.
//!
//! In: a node and what is asked of its rows. Out: [`Rows`], at most so many, with one more told of. The
//! question's SQL is typed like any other of the project, so a mistake in it is known before anything is read. Writes
//! nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use deltalake::arrow::array::RecordBatch;
use deltalake::arrow::datatypes::DataType as ArrowType;
use deltalake::arrow::error::ArrowError;
use deltalake::arrow::util::display::{ArrayFormatter, FormatOptions};
use deltalake::datafusion::catalog::TableProvider;
use deltalake::datafusion::common::Result as DataFusionResult;
use deltalake::datafusion::prelude::SessionContext;

use crate::check::Checked;
use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::relation::{Building, Recording};
use crate::engines::local::{RunSettings, failure, table};
use crate::ir::{NodeId, Schema, WriteMode};
use crate::name::{self, TableName};
use crate::sql::bind::{self, Typer};
use crate::sql::parse::{self, Query, SqlError};
use crate::sql::{session, types};
use crate::state::Warehouse;

mod floats;

/// What is asked of a table's rows. SQL is Databricks SQL over its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// In this order; empty for all.
    pub columns: Vec<String>,
    pub filter: Option<String>,
    pub order_by: Option<String>,
    /// `None` for all rows.
    pub limit: Option<usize>,
}

/// A part of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Filter,
    OrderBy,
}

/// Why a question has no answer.
#[derive(Debug)]
pub enum Refusal {
    /// A column that the table lacks.
    UnknownColumn { column: String, known: Vec<String> },
    /// What is wrong with the SQL, at bytes of that part.
    Sql(Vec<(Part, SqlError)>),
    /// The table's columns have a type that medc does not know.
    Type(String),
    /// Reading failed.
    Engine(Box<Diagnostic>),
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Rows {
    pub schema: Schema,
    batches: Vec<RecordBatch>,
    /// Whether there are more than were asked for.
    pub has_more: bool,
}

/// Asks a table of the warehouse, or a view; `None` when the table, or that version of it, does not exist. Tables that no
/// node makes by itself (quarantines, the ledger) can be asked too.
///
/// # Errors
/// See [`Refusal`].
pub async fn show(
    checked: &Checked,
    settings: &RunSettings,
    name: &TableName,
    version: Option<u64>,
    question: &Question,
) -> Result<Option<Rows>, Refusal> {
    let context = session::context(session::Options::default());
    let mut settings = settings.clone();
    // Files are addressed by URLs, which want absolute paths.
    let Ok(root) = settings.warehouse.root.canonicalize() else { return Ok(None) };
    settings.warehouse.root = root;

    let node = checked.graph.find(name);
    let spelling = node.and_then(|id| checked.typed(id).schema.as_ref());
    let view = node.filter(|id| checked.graph.node(*id).write.mode == WriteMode::View);
    let provider = if let Some(id) = view {
        view_rows(checked, &settings, &context, id).await?
    } else {
        let folder = settings.warehouse.folder(name);
        let broken = |error: &dyn std::error::Error| unreadable(name, &error.to_string());
        let Some(mut table) = table::open(&folder).await.map_err(|error| broken(&error))? else { return Ok(None) };
        if let Some(version) = version {
            if table.version().is_none_or(|newest| version > newest) {
                return Ok(None);
            }
            table.load_version(version).await.map_err(|error| broken(&error))?;
        }
        table::readable(&context, &folder, &table).await.map_err(|error| broken(&error))?.provider
    };
    ask(&context, name, provider, spelling, question).await.map(Some)
}

/// The names of all tables that lie in a warehouse, sorted.
pub fn stored_tables(warehouse: &Warehouse) -> Vec<TableName> {
    let folders = |path: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    let mut tables: Vec<TableName> = Vec::new();
    for layer in folders(&warehouse.root) {
        for name in folders(&warehouse.root.join(&layer)) {
            let found = TableName::parse(&format!("{layer}.{name}"));
            tables.extend(found.filter(|table| warehouse.folder(table).join("_delta_log").is_dir()));
        }
    }
    tables.sort();
    tables
}

/// The rows of a view, to be computed when they are read.
pub(super) async fn view_rows(
    checked: &Checked,
    settings: &RunSettings,
    context: &SessionContext,
    id: NodeId,
) -> Result<Arc<dyn TableProvider>, Refusal> {
    let mut building = Building { checked, settings, context, inputs: BTreeMap::new(), n_rows: BTreeMap::new() };
    match building.rows(id, &Recording::default()).await {
        Ok(rows) => Ok(rows.frame.into_view()),
        Err(error) => {
            let node = checked.graph.node(id);
            Err(Refusal::Engine(Box::new(failure::execution(node, "planning its query", &error))))
        }
    }
}

fn unreadable(name: &TableName, cause: &str) -> Refusal {
    Refusal::Engine(Box::new(
        Diagnostic::error(code::EXECUTION, format!("`{name}` cannot be read")).note(cause.to_owned()),
    ))
}

/// `spelling` has the columns as their author writes them; the provider's are in lower case.
async fn ask(
    context: &SessionContext,
    name: &TableName,
    provider: Arc<dyn TableProvider>,
    spelling: Option<&Schema>,
    question: &Question,
) -> Result<Rows, Refusal> {
    let mut schema = types::from_arrow_schema(&provider.schema()).map_err(Refusal::Type)?;
    for column in &mut schema.columns {
        if let Some(spelled) = spelling.and_then(|spelling| spelling.column(&column.name)) {
            column.name.clone_from(&spelled.name);
        }
    }
    let asked = Asked::of(name, question, &schema)?;
    let query = parse::parse_query(&asked.text).map_err(|error| asked.refuse(vec![error]))?;
    let typer = Typer::default();
    let typed = bind::type_query(&typer, &query, &|table| (table == name).then_some(&schema))
        .map_err(|errors| asked.refuse(errors))?;

    let reference = "rows_to_show";
    let text = asked.text.replacen(&asked.table, reference, 1);
    let query = parse::parse_query(&text).map_err(|error| asked.refuse(vec![error]))?;
    let mut batches = collect(context, reference, provider, &query)
        .await
        .map_err(|error| unreadable(name, &error.strip_backtrace()))?;
    let has_more = question.limit.is_some_and(|limit| shorten(&mut batches, limit));
    let mut schema = typed.schema().unwrap_or(schema);
    // The session spells names in lower case; people get them as the table has them.
    for (column, wanted) in schema.columns.iter_mut().zip(&asked.columns) {
        column.name.clone_from(wanted);
    }
    Ok(Rows { schema, batches, has_more })
}

async fn collect(
    context: &SessionContext,
    reference: &str,
    provider: Arc<dyn TableProvider>,
    query: &Query,
) -> DataFusionResult<Vec<RecordBatch>> {
    context.register_table(reference, provider)?;
    let plan = session::plan_query(&context.state(), query).await?;
    context.execute_logical_plan(plan).await?.collect().await
}

/// Keeps the first rows; whether there were more.
fn shorten(batches: &mut Vec<RecordBatch>, limit: usize) -> bool {
    let mut left = limit;
    let mut has_more = false;
    for batch in batches.iter_mut() {
        has_more |= batch.num_rows() > left;
        *batch = batch.slice(0, batch.num_rows().min(left));
        left -= batch.num_rows();
    }
    batches.retain(|batch| batch.num_rows() > 0);
    has_more
}

/// A question as one query, and where its parts stand in it.
struct Asked {
    text: String,
    /// The table as it stands in the text.
    table: String,
    columns: Vec<String>,
    filter: Range<usize>,
    order_by: Range<usize>,
}

impl Asked {
    fn of(table: &TableName, question: &Question, schema: &Schema) -> Result<Self, Refusal> {
        let known: Vec<String> = schema.names().map(str::to_owned).collect();
        let mut columns = Vec::new();
        for column in &question.columns {
            let Some(found) = known.iter().find(|known| name::same(known, column.trim())) else {
                return Err(Refusal::UnknownColumn { column: column.trim().to_owned(), known });
            };
            columns.push(found.clone());
        }
        if columns.is_empty() {
            columns = known;
        }
        // On its own first: what is wrong with a part alone must not be read together with what is put around it.
        if let Some(filter) = &question.filter {
            parse::parse_expression(filter).map_err(|error| Refusal::Sql(vec![(Part::Filter, error)]))?;
        }
        let written: Vec<String> = columns.iter().map(|column| format!("`{}`", column.replace('`', "``"))).collect();
        let table = table.to_string();
        let mut text = format!("SELECT {} FROM {table}", written.join(", "));
        let mut append = |before: &str, part: Option<&String>, after: &str| {
            let Some(part) = part else { return 0..0 };
            text.push_str(before);
            let start = text.len();
            text.push_str(part);
            let range = start..text.len();
            text.push_str(after);
            range
        };
        // A comment at the end of a part must not swallow what follows it.
        let filter = append(" WHERE (", question.filter.as_ref(), "\n)");
        let order_by = append(" ORDER BY ", question.order_by.as_ref(), "\n");
        if let Some(limit) = question.limit {
            let _ = write!(text, " LIMIT {}", limit.saturating_add(1));
        }
        Ok(Asked { text, table, columns, filter, order_by })
    }

    /// Errors of the query as errors of its parts.
    fn refuse(&self, errors: Vec<SqlError>) -> Refusal {
        let in_part = |mut error: SqlError| {
            let (part, range) = if !self.order_by.is_empty() && error.range.start >= self.order_by.start {
                (Part::OrderBy, &self.order_by)
            } else {
                (Part::Filter, &self.filter)
            };
            let length = range.len();
            let within = |at: usize| at.saturating_sub(range.start).min(length);
            error.range = within(error.range.start)..within(error.range.end);
            (part, error)
        };
        Refusal::Sql(errors.into_iter().map(in_part).collect())
    }
}

impl Rows {
    pub fn n_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Each row's values as text; `None` for NULL.
    ///
    /// # Errors
    /// When a value has no text, which no type of a contract lacks.
    pub fn cells(&self) -> Result<Vec<Vec<Option<String>>>, ArrowError> {
        let options = FormatOptions::default()
            .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
            .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f"));
        let mut cells = Vec::with_capacity(self.n_rows());
        for batch in &self.batches {
            let columns = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).map(|formatter| (column, formatter)))
                .collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let mut values = Vec::with_capacity(columns.len());
                for (column, formatter) in &columns {
                    let value = column.is_valid(row).then(|| formatter.value(row).try_to_string());
                    values.push(value.transpose()?);
                }
                cells.push(values);
            }
        }
        Ok(cells)
    }

    /// One JSON object a line; NULLs are written.
    ///
    /// # Errors
    /// As [`Rows::cells`].
    pub fn json_lines(&self) -> Result<String, ArrowError> {
        let mut written = Vec::new();
        let mut writer = deltalake::arrow::json::WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_encoder_factory(Arc::new(floats::Floats))
            .build::<_, deltalake::arrow::json::writer::LineDelimited>(&mut written);
        for batch in &self.batches {
            let fields: Vec<_> = batch
                .schema()
                .fields()
                .iter()
                .zip(&self.schema.columns)
                .map(|(field, column)| field.as_ref().clone().with_name(&column.name))
                .collect();
            let schema = Arc::new(deltalake::arrow::datatypes::Schema::new(fields));
            writer.write(&RecordBatch::try_new(schema, batch.columns().to_vec())?)?;
        }
        writer.finish()?;
        Ok(String::from_utf8_lossy(&written).into_owned())
    }

    /// Whether a column reads better when its values end at one edge.
    pub fn is_numeric(&self, column: usize) -> bool {
        self.batches.first().is_some_and(|batch| {
            matches!(batch.column(column).data_type(), ArrowType::Decimal128(..) | ArrowType::Decimal256(..))
                || batch.column(column).data_type().is_numeric()
        })
    }
}
