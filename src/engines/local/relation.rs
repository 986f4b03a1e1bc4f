//! A node's rows as a DataFusion plan.
//!
//! In: a node, the context of its run. Out: [`Rows`]: a data frame with the contract's columns in order, types cast and
//! names in lower case. Input tables are read at their newest version, views are computed in place. What the plan records
//! while it runs (casts that fail, quarantined rows) is handed out beside it. Nothing is executed here.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake::arrow::compute::SortOptions;
use deltalake::arrow::datatypes::DataType;
use deltalake::datafusion::catalog::{MemorySchemaProvider, TableProvider};
use deltalake::datafusion::common::{Column, DataFusionError, Result, TableReference};
use deltalake::datafusion::logical_expr::{Expr, ident};
use deltalake::datafusion::physical_expr::expressions::Column as PhysicalColumn;
use deltalake::datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use deltalake::datafusion::physical_plan::ExecutionPlan;
use deltalake::datafusion::physical_plan::sorts::sort::SortExec;
use deltalake::datafusion::prelude::{DataFrame, SessionContext};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::check::Checked;
use crate::diagnostic::{Diagnostic, code};
use crate::engines::local::contract::{self, Casting, Casts};
use crate::engines::local::failure::Carried;
use crate::engines::local::ingest::Rejected;
use crate::engines::local::operator::Planned;
use crate::engines::local::sieve::{self, First};
use crate::engines::local::{RunSettings, quarantine, source, table};
use crate::ir::{
    Body, ContractColumn, Ingest, Input, MetadataColumn, Node, NodeId, Operation, Relation, Schema, WriteMode,
};
use crate::name::{TableName, same};
use crate::sql::{expression, parse, session, types};
use crate::state::SourceFile;

/// What a node's plan needs to know of the run.
pub(super) struct Building<'a> {
    pub(super) checked: &'a Checked,
    pub(super) settings: &'a RunSettings,
    pub(super) context: &'a SessionContext,
    /// The versions that are read, as the plan is built.
    pub(super) inputs: BTreeMap<String, i64>,
    /// The rows of the tables that are read, where known.
    pub(super) n_rows: BTreeMap<TableName, Option<u64>>,
}

/// A node's rows.
pub(super) struct Rows {
    /// The columns of `schema`; behind them, where rows may be set aside, what the quarantine shows of them besides.
    pub(super) frame: DataFrame,
    /// As stored: the table's spelling, the promised nullability.
    pub(super) schema: Schema,
}

/// Where casts that fail are recorded, and the source files to read.
#[derive(Clone, Default)]
pub(super) struct Recording {
    /// `None` for a view.
    pub(super) casts: Option<Arc<Casts>>,
    pub(super) files: Vec<SourceFile>,
    pub(super) rejected: Arc<Rejected>,
}

impl Recording {
    fn casting(&self) -> Casting {
        self.casts.clone().map_or(Casting::InView, Casting::Recorded)
    }

    /// Whether rows may be set aside, which are then shown as they came.
    fn quarantines(&self) -> bool {
        self.casts.as_ref().is_some_and(|casts| casts.quarantine.is_some())
    }
}

impl Building<'_> {
    /// Plans a node's rows.
    pub(super) async fn rows(&mut self, id: NodeId, recording: &Recording) -> Result<Rows> {
        let node = self.checked.graph.node(id);
        let frame = match &node.body {
            Body::Ingest(ingest) => {
                let traced = recording.quarantines().then(|| traced(ingest));
                let ingest = traced.as_ref().unwrap_or(ingest);
                let provider =
                    source::scan(ingest, node, self.settings, self.context, &recording.files, &recording.rejected)
                        .await?;
                let provider = table::lower_case(self.context, provider)?;
                let mut frame = self.context.read_table(provider)?;
                if recording.quarantines() {
                    frame = with_originals(frame, node, &[])?;
                }
                self.cast(node, frame, recording.casting(), |_| true).await?
            }
            Body::Relation(relation) => {
                for input in &self.checked.graph.inputs[id.index()] {
                    self.register(*input).await?;
                }
                self.relation(node, relation, recording).await?
            }
        };
        finish(node, self.checked.typed(id).schema.as_ref(), frame, recording.quarantines())
    }

    /// Registers an input under its name; a view by its plan.
    pub(super) fn register(&mut self, id: NodeId) -> BoxFuture<'_, Result<()>> {
        async move {
            let node = self.checked.graph.node(id);
            if self.n_rows.contains_key(&node.name) {
                return Ok(());
            }
            let provider = if node.write.mode == WriteMode::View {
                self.n_rows.insert(node.name.clone(), None);
                let rows = Box::pin(self.rows(id, &Recording::default())).await?;
                rows.frame.into_view()
            } else {
                let folder = self.settings.warehouse.folder(&node.name);
                let opened = table::open(&folder).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
                let Some(opened) = opened else {
                    return Err(DataFusionError::External(Box::new(Carried(missing(node)))));
                };
                let readable = table::readable(self.context, &folder, &opened).await?;
                self.inputs.insert(node.name.to_string(), readable.version);
                self.n_rows.insert(node.name.clone(), readable.n_rows);
                readable.provider
            };
            self.put(&node.name, provider)
        }
        .boxed()
    }

    pub(super) fn put(&self, table: &TableName, provider: Arc<dyn TableProvider>) -> Result<()> {
        let catalog = self.context.catalog("datafusion").expect("the default catalog");
        if catalog.schema(&table.layer).is_none() {
            catalog.register_schema(&table.layer, Arc::new(MemorySchemaProvider::new()))?;
        }
        let name = TableReference::partial(table.layer.as_str(), table.name.as_str());
        self.context.register_table(name, provider).map(|_| ())
    }

    async fn relation(&self, node: &Node, relation: &Relation, recording: &Recording) -> Result<DataFrame> {
        let mut frame = self.start(node, relation, recording.casting(), None).await?;
        for (place, operation) in relation.operations.iter().enumerate() {
            frame = match operation {
                Operation::Latest { keys, order, .. } => {
                    let first = First {
                        keys: keys.iter().map(|key| position(&frame, key)).collect::<Result<_>>()?,
                        order: order
                            .iter()
                            .map(|key| Ok((position(&frame, &key.column)?, key.descending)))
                            .collect::<Result<_>>()?,
                    };
                    let names: Vec<String> = keys.iter().map(|key| key.to_lowercase()).collect();
                    let keys = self.keys(node, relation, place, &names).await?;
                    let n_rows = match &relation.input {
                        Input::Table { name, .. } => self.n_rows.get(name).copied().flatten(),
                        Input::Query(_) => None,
                    };
                    let plan = frame.create_physical_plan().await?;
                    let kept = sieve::keep_first(plan, keys, first, n_rows, self.settings.memory_bytes / 4);
                    self.context.read_table(Arc::new(Planned(kept)))?
                }
                Operation::Filter(_) | Operation::Extend(_) | Operation::Rename(_) => self.step(frame, operation)?,
            };
        }
        match relation.input {
            // Text that got its contract's name on the way, e.g. by a renaming.
            Input::Table { .. } => {
                let is_text = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::Utf8View);
                self.cast(node, frame, recording.casting(), is_text).await
            }
            Input::Query(_) => Ok(frame),
        }
    }

    /// The rows that a relation starts from. `only` limits the columns of a table.
    async fn start(
        &self,
        node: &Node,
        relation: &Relation,
        casting: Casting,
        only: Option<&[String]>,
    ) -> Result<DataFrame> {
        match &relation.input {
            Input::Query(sql) => {
                let query = parse::parse_query(&sql.text).map_err(|error| DataFusionError::Plan(error.message))?;
                let plan = session::plan_query(&self.context.state(), &query).await?;
                lower(self.context.execute_logical_plan(plan).await?)
            }
            Input::Table { name, .. } => {
                let reference = TableReference::partial(name.layer.as_str(), name.name.as_str());
                let frame = self.context.table(reference).await?;
                let keeps_all = matches!(&casting, Casting::Recorded(casts) if casts.quarantine.is_some());
                let wanted = |column: &str| match only {
                    Some(only) => only.iter().any(|name| name == column),
                    None => keeps_all || needed(node, relation, column),
                };
                let kept: Vec<Expr> = frame
                    .schema()
                    .columns()
                    .into_iter()
                    .filter(|column| wanted(&column.name))
                    .map(Expr::Column)
                    .collect();
                let mut frame = frame.select(kept)?;
                if keeps_all && only.is_none() {
                    frame = with_originals(frame, node, &relation.operations)?;
                }
                self.cast(node, frame, casting, |_| true).await
            }
        }
    }

    /// Casts the columns that the contract gives another type, of those whose present type is `eligible`.
    async fn cast(
        &self,
        node: &Node,
        frame: DataFrame,
        casting: Casting,
        eligible: impl Fn(&DataType) -> bool,
    ) -> Result<DataFrame> {
        let Some(contract) = &node.contract else { return Ok(frame) };
        let mut wanted = Vec::new();
        for (place, field) in frame.schema().fields().iter().enumerate() {
            let promised = contract.columns.iter().find(|promised| same(&promised.column.name, field.name()));
            if let Some(promised) = promised {
                let data_type = types::to_arrow(&promised.column.data_type);
                if data_type != *field.data_type() && eligible(field.data_type()) {
                    refuse_cast(node, promised, field.data_type())?;
                    wanted.push((place, data_type));
                }
            }
        }
        if wanted.is_empty() {
            return Ok(frame);
        }
        let plan = frame.create_physical_plan().await?;
        let cast = contract::cast_rows(plan, &wanted, contract::Rule::of(contract), casting);
        self.context.read_table(Arc::new(Planned(cast)))
    }

    fn step(&self, frame: DataFrame, operation: &Operation) -> Result<DataFrame> {
        let state = self.context.state();
        match operation {
            Operation::Filter(sql) => {
                let expr = expression::plan_expression(&state, &sql.text, frame.schema())?;
                frame.filter(expr)
            }
            Operation::Extend(computed) => {
                let mut columns: Vec<Expr> = frame.schema().columns().into_iter().map(Expr::Column).collect();
                for one in computed {
                    let name = one.name.to_lowercase();
                    let expr = expression::plan_expression(&state, &one.expression.text, frame.schema())?.alias(&name);
                    match frame.schema().columns().iter().position(|column| column.name == name) {
                        Some(place) => columns[place] = expr,
                        None => columns.push(expr),
                    }
                }
                frame.select(columns)
            }
            Operation::Rename(renamed) => {
                let columns = frame.schema().columns().into_iter().map(|column| {
                    match renamed.iter().find(|renamed| same(&renamed.from, &column.name)) {
                        Some(renamed) => Expr::Column(column).alias(renamed.to.to_lowercase()),
                        None => Expr::Column(column),
                    }
                });
                let columns: Vec<Expr> = columns.collect();
                frame.select(columns)
            }
            Operation::Latest { .. } => Ok(frame),
        }
    }

    /// A plan of the keys alone, for the sieve's first pass; `None` where reading twice may not give the same rows, or
    /// costs too much.
    async fn keys(
        &self,
        node: &Node,
        relation: &Relation,
        place: usize,
        keys: &[String],
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Input::Table { name, .. } = &relation.input else { return Ok(None) };
        if !self.inputs.contains_key(&name.to_string()) {
            return Ok(None);
        }
        let before = relation.operations.get(..place).unwrap_or_default();
        let computed = |operation: &Operation| match operation {
            Operation::Extend(computed) => computed.iter().any(|one| keys.contains(&one.name.to_lowercase())),
            Operation::Rename(_) => true,
            Operation::Filter(_) | Operation::Latest { .. } => false,
        };
        let frame = if before.iter().any(computed) {
            if before.iter().any(Self::volatile) {
                return Ok(None);
            }
            let mut frame = self.start(node, relation, Casting::ForKeys, None).await?;
            for operation in before {
                frame = self.step(frame, operation)?;
            }
            frame
        } else {
            self.start(node, relation, Casting::ForKeys, Some(keys)).await?
        };
        let frame = frame.select(keys.iter().map(ident).collect::<Vec<_>>())?;
        frame.create_physical_plan().await.map(Some)
    }

    /// Whether an operation may compute something else the next time; by the functions' names, because its expressions
    /// cannot be planned before the steps in front of them.
    fn volatile(operation: &Operation) -> bool {
        let texts: Vec<&str> = match operation {
            Operation::Filter(sql) => vec![&sql.text],
            Operation::Extend(computed) => computed.iter().map(|one| one.expression.text.as_ref()).collect(),
            Operation::Rename(_) | Operation::Latest { .. } => Vec::new(),
        };
        texts.iter().any(|text| {
            words(text).any(|word| matches!(word.as_str(), "rand" | "random" | "randn" | "uuid" | "shuffle"))
        })
    }
}

/// The columns that `check` promises in order, cast to their types: the contract's, and an ingest's metadata columns behind
/// them. What could not be known before is stored as computed.
fn finish(node: &Node, promised: Option<&Schema>, frame: DataFrame, keeps_all: bool) -> Result<Rows> {
    let frame = lower(frame)?;
    let schema = match (promised, &node.contract) {
        (Some(promised), _) => promised.clone(),
        (None, Some(contract)) => contract.schema(),
        (None, None) => types::from_arrow_schema(frame.schema().as_arrow()).map_err(DataFusionError::Plan)?,
    };
    let mut columns = Vec::with_capacity(schema.columns.len());
    for column in &schema.columns {
        let name = column.name.to_lowercase();
        let expr = ident(&name);
        columns.push(expression::cast_to(expr, &column.data_type, frame.schema())?.alias(name));
    }
    if keeps_all {
        let others = frame.schema().columns().into_iter().filter(|column| schema.column(&column.name).is_none());
        columns.extend(others.map(Expr::Column));
    }
    Ok(Rows { frame: frame.select(columns)?, schema })
}

/// Each stream sorted by the columns that the table is clustered by. The files then overlap, but each is in order, and no
/// stream waits for another.
pub(super) fn clustered(node: &Node, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let schema = plan.schema();
    let columns = node.write.cluster_by.iter().filter_map(|name| {
        let place = schema.fields().iter().position(|field| crate::name::same(field.name(), name))?;
        let column = PhysicalColumn::new(schema.field(place).name(), place);
        Some(PhysicalSortExpr::new(Arc::new(column), SortOptions { descending: false, nulls_first: true }))
    });
    match LexOrdering::new(columns) {
        Some(ordering) => Arc::new(SortExec::new(ordering, plan).with_preserve_partitioning(true)),
        None => plan,
    }
}

/// The frame with its columns' names in lower case, without qualifiers.
fn lower(frame: DataFrame) -> Result<DataFrame> {
    let columns: Vec<Column> = frame.schema().columns();
    if columns.iter().all(|column| column.relation.is_none() && column.name.to_lowercase() == column.name) {
        return Ok(frame);
    }
    let columns = columns.into_iter().map(|column| {
        let name = column.name.to_lowercase();
        Expr::Column(column).alias(name)
    });
    let columns: Vec<Expr> = columns.collect();
    frame.select(columns)
}

fn position(frame: &DataFrame, name: &str) -> Result<usize> {
    frame
        .schema()
        .fields()
        .iter()
        .position(|field| same(field.name(), name))
        .ok_or_else(|| DataFusionError::Plan(format!("there is no column `{name}` to deduplicate by")))
}

/// An ingest that says of every row where it stood.
fn traced(ingest: &Ingest) -> Ingest {
    let mut traced = ingest.clone();
    for column in [MetadataColumn::SourceFile, MetadataColumn::SourceLine] {
        if !traced.metadata_columns.contains(&column) {
            traced.metadata_columns.push(column);
        }
    }
    traced
}

/// The frame with a second copy of every column that a cast or a step changes, for the quarantine.
fn with_originals(frame: DataFrame, node: &Node, operations: &[Operation]) -> Result<DataFrame> {
    let is_changed = |name: &str, data_type: &DataType| {
        let contract = node.contract.iter().flat_map(|contract| &contract.columns);
        let is_cast = contract
            .filter(|promised| same(&promised.column.name, name))
            .any(|promised| types::to_arrow(&promised.column.data_type) != *data_type);
        is_cast
            || operations.iter().any(|operation| match operation {
                Operation::Extend(computed) => computed.iter().any(|one| same(&one.name, name)),
                Operation::Rename(renamed) => renamed.iter().any(|one| same(&one.from, name)),
                Operation::Filter(_) | Operation::Latest { .. } => false,
            })
    };
    let fields = frame.schema().fields().iter();
    let changed: Vec<Expr> = fields
        .filter(|field| is_changed(field.name(), field.data_type()))
        .map(|field| ident(field.name()).alias(quarantine::original(field.name())))
        .collect();
    if changed.is_empty() {
        return Ok(frame);
    }
    let columns = frame.schema().columns().into_iter().map(Expr::Column);
    let columns: Vec<Expr> = columns.chain(changed).collect();
    frame.select(columns)
}

/// Refuses a file's column whose type cannot become the contract's; of tables, `check` knows the types.
fn refuse_cast(node: &Node, promised: &ContractColumn, from: &DataType) -> Result<()> {
    let Some(from) = types::from_arrow(from) else { return Ok(()) };
    let Err(reason) = types::castable(&from, &promised.column.data_type) else { return Ok(()) };
    let name = &promised.column.name;
    let diagnostic = Diagnostic::error(
        code::SOURCE_HEADER,
        format!(
            "`{name}` is `{from}` in the files of `{}`, which cannot become `{}`",
            node.name, promised.column.data_type
        ),
    )
    .at(promised.site.clone(), "promised here")
    .note(reason)
    .help(format!("promise `{from}` here, and convert it in a table that reads this one"));
    Err(DataFusionError::External(Box::new(Carried(diagnostic))))
}

/// Whether anything behind the input may use a column of it: generous, since it looks at words only.
fn needed(node: &Node, relation: &Relation, column: &str) -> bool {
    let Some(contract) = &node.contract else { return true };
    let in_text = |text: &str| words(text).any(|word| word == column);
    let in_operation = |operation: &Operation| match operation {
        Operation::Filter(sql) => in_text(&sql.text),
        Operation::Extend(computed) => computed.iter().any(|one| in_text(&one.expression.text)),
        Operation::Rename(renamed) => renamed.iter().any(|one| same(&one.from, column)),
        Operation::Latest { keys, order, .. } => {
            keys.iter().any(|key| same(key, column)) || order.iter().any(|key| same(&key.column, column))
        }
    };
    contract.columns.iter().any(|promised| same(&promised.column.name, column))
        || relation.operations.iter().any(in_operation)
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|character: char| !(character.is_alphanumeric() || character == '_')).map(str::to_lowercase)
}

pub(super) fn missing(node: &Node) -> Diagnostic {
    Diagnostic::error(code::EXECUTION, format!("the table `{}` does not exist yet", node.name))
        .at(node.site.clone().key(), "declared here")
        .help(format!("apply it first: `medc apply --select {}`", node.name))
}
