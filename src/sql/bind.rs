//! Queries and expressions typed against schemas, without any rows.
//!
//! In: a parsed query and the schemas of the tables that it reads. Out: [`TypedQuery`], its columns with types, lineage
//! and their places in the text; or every error that could be found, each with its byte range. Planning and type
//! coercion are DataFusion's; where an error is, `locate` finds out afterwards, so that correct text pays nothing for it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use deltalake::arrow::datatypes as arrow;
use deltalake::datafusion::common::config::ConfigOptions;
use deltalake::datafusion::common::tree_node::TreeNode;
use deltalake::datafusion::common::{DFSchema, Result as PlanResult, TableReference, not_impl_err, plan_err};
use deltalake::datafusion::execution::SessionState;
use deltalake::datafusion::logical_expr::logical_plan::builder::LogicalTableSource;
use deltalake::datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use deltalake::datafusion::logical_expr::{
    AggregateUDF, Expr, ExprSchemable, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use deltalake::datafusion::optimizer::AnalyzerRule;
use deltalake::datafusion::optimizer::analyzer::type_coercion::{TypeCoercion, TypeCoercionRewriter};
use deltalake::datafusion::sql::planner::{PlannerContext, SqlToRel};
use deltalake::datafusion::sql::sqlparser::ast::{self, SelectItem};

use crate::ir::{Column, DataType, Schema};
use crate::name::{self, TableName};
use crate::sql::lineage::{self, ColumnLineage, ColumnSource, Flow, Lineage};
use crate::sql::parse::{ErrorKind, Expression, Query, RelationRef, SqlError, relations};
use crate::sql::{blame, locate, portability, session, spans, types};

/// One session, kept for all statements: making one costs more than typing a hundred of them.
pub struct Typer {
    pub(super) state: SessionState,
    coercion: TypeCoercion,
    sources: RefCell<BTreeMap<TableName, Source>>,
}

/// How many tables' schemas are kept in the planner's form: enough for a table that many read, without holding a
/// project of thousands twice.
const MOST_SOURCES: usize = 256;

/// A table's schema, and the same as the planner takes it.
type Source = (Schema, Arc<dyn TableSource>);

impl Default for Typer {
    fn default() -> Self {
        Typer {
            state: session::state(session::Options::default()),
            coercion: TypeCoercion::new(),
            sources: RefCell::default(),
        }
    }
}

impl Typer {
    /// Coerces types; fails also where coercion would mean something else than on Spark.
    pub(super) fn coerce(&self, plan: LogicalPlan) -> PlanResult<LogicalPlan> {
        portability::check_plan(&plan, portability::check_mixtures)?;
        let plan = self.coercion.analyze(plan, self.state.config_options())?;
        portability::check_plan(&plan, portability::check_casts)?;
        Ok(plan)
    }
}

/// A query's columns, and what is known of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct TypedQuery {
    pub columns: Vec<OutputColumn>,
    /// Sets of columns whose values no two rows share, by the way they are computed.
    pub unique: Vec<BTreeSet<String>>,
    pub aggregates: bool,
}

impl TypedQuery {
    /// The columns' schema; `None` if a column has no type of its own (a bare NULL).
    pub fn schema(&self) -> Option<Schema> {
        let columns = self.columns.iter().map(|column| {
            let data_type = column.data_type.clone()?;
            Some(Column { name: column.name.clone(), data_type, nullable: column.nullable })
        });
        Some(Schema { columns: columns.collect::<Option<_>>()? })
    }

    pub fn lineage(&self) -> Vec<ColumnLineage> {
        self.columns.iter().map(|column| column.lineage.clone()).collect()
    }
}

/// One column of a query's result.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of a column")]
pub struct OutputColumn {
    /// As the author spells it.
    pub name: String,
    /// Spark's type; `None` for the type of a bare NULL.
    pub data_type: Option<DataType>,
    /// Whether the type is a column's or a cast's; otherwise it is derived, and Spark may derive a decimal of another
    /// precision.
    pub declared: bool,
    pub nullable: bool,
    /// Whether the value is always the literal NULL.
    pub null: bool,
    /// The select item's bytes; for a column of `*`, the star's.
    pub range: Range<usize>,
    /// The bytes of the select item without its alias, to be wrapped in a cast.
    pub expression_range: Range<usize>,
    /// Whether the column comes out of a `*`.
    pub from_wildcard: bool,
    pub lineage: ColumnLineage,
}

/// An expression's type over one row.
#[derive(Debug, Clone, PartialEq)]
pub struct TypedExpression {
    /// `None` for a bare NULL.
    pub data_type: Option<DataType>,
    pub nullable: bool,
    /// The columns that it reads, as the schema spells them, sorted.
    pub columns: Vec<String>,
    /// Whether it is one column, unchanged.
    pub identity: bool,
    /// Whether it is a cast as a whole.
    pub cast: bool,
}

/// Whether an expression may aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregates {
    Allowed,
    Refused,
}

/// Gives the schema of a table; `None` for one that does not exist.
pub type Tables<'a> = dyn Fn(&TableName) -> Option<&'a Schema> + 'a;

/// Types a query whose columns are stored: each has a name of its own and a type that a table can have.
///
/// # Errors
/// Each independent error that was found; at least one.
pub fn type_query(typer: &Typer, query: &Query, tables: &Tables<'_>) -> Result<TypedQuery, Vec<SqlError>> {
    let typed = type_rows(typer, query, tables)?;
    let errors = output_errors(query, &typed.columns);
    if errors.is_empty() { Ok(typed) } else { Err(errors) }
}

/// Types a query whose rows are only looked at.
///
/// # Errors
/// Each independent error that was found; at least one.
pub fn type_rows(typer: &Typer, query: &Query, tables: &Tables<'_>) -> Result<TypedQuery, Vec<SqlError>> {
    let mentions = relations(query);
    let mut errors = portability::refuse_query(query);
    errors.extend(mentions.iter().filter_map(|mention| unknown_table(mention, tables)));
    if !errors.is_empty() {
        return Err(errors);
    }
    let context = Tabled { typer, tables };
    let planner = SqlToRel::new(&context);
    let statement = ast::Statement::Query(query.ast.clone());
    let plan = match planner.sql_statement_to_plan(statement) {
        Ok(plan) => plan,
        Err(error) => return Err(locate::query_errors(&context, query, &error)),
    };
    let lineage = lineage::trace(&plan);
    let plan = match typer.coerce(plan) {
        Ok(plan) => plan,
        Err(error) => return Err(locate::query_errors(&context, query, &error)),
    };
    let columns = output_columns(query, &plan, &lineage, tables);
    let unique = lineage
        .unique
        .iter()
        .filter(|set| !set.is_empty())
        .map(|set| set.iter().filter_map(|place| columns.get(*place)).map(|column| column.name.clone()).collect());
    Ok(TypedQuery { unique: unique.collect(), aggregates: lineage.aggregates, columns })
}

/// The columns that an expression may name.
pub struct Row<'a> {
    schema: &'a Schema,
    planned: DFSchema,
}

impl<'a> Row<'a> {
    pub fn new(schema: &'a Schema) -> Self {
        let planned = DFSchema::try_from(lower_case_schema(schema)).expect("a schema's names are unique");
        Row { schema, planned }
    }
}

/// Types an expression over one row.
///
/// # Errors
/// Each independent error that was found; at least one.
pub fn type_expression(
    typer: &Typer,
    expression: &Expression,
    row: &Row<'_>,
    aggregates: Aggregates,
) -> Result<TypedExpression, Vec<SqlError>> {
    let errors = portability::refuse_expression(expression, aggregates);
    if !errors.is_empty() {
        return Err(errors);
    }
    let context = Tabled { typer, tables: &|_| None };
    let Row { schema, planned: row } = row;
    let planned = match plan_expr(&context, &expression.ast, row, &mut PlannerContext::new()) {
        Ok(planned) => planned,
        Err(error) => return Err(locate::expression_errors(&context, expression, row, &error)),
    };
    let (data_type, nullable) = match planned.to_field(row) {
        Ok((_, field)) => (field.data_type().clone(), field.is_nullable()),
        Err(error) => return Err(locate::expression_errors(&context, expression, row, &error)),
    };
    let read: BTreeSet<&str> = planned.column_refs().into_iter().map(|column| column.name.as_str()).collect();
    let columns = schema.names().filter(|column| read.contains(column.to_lowercase().as_str())).map(str::to_owned);
    Ok(TypedExpression {
        data_type: types::from_arrow(&data_type),
        nullable,
        columns: columns.collect::<BTreeSet<_>>().into_iter().collect(),
        identity: matches!(planned, Expr::Column(_)),
        cast: matches!(planned, Expr::Cast(_) | Expr::TryCast(_)),
    })
}

/// An expression planned and coerced; fails where either does.
pub(super) fn plan_expr(
    context: &Tabled<'_, '_>,
    expr: &ast::Expr,
    schema: &DFSchema,
    planner_context: &mut PlannerContext,
) -> PlanResult<Expr> {
    let planned = SqlToRel::new(context).sql_to_expr(expr.clone(), schema, planner_context)?;
    portability::check_mixtures(&planned, schema)?;
    let coerced = planned.rewrite(&mut TypeCoercionRewriter::new(schema))?.data;
    coerced.get_type(schema)?;
    portability::check_casts(&coerced, schema)?;
    Ok(coerced)
}

fn unknown_table(mention: &RelationRef, tables: &Tables<'_>) -> Option<SqlError> {
    let name = mention.parts.join(".");
    let error = SqlError::new(ErrorKind::UnknownTable, format!("there is no table `{name}`"), mention.range.clone());
    match mention.parts.as_slice() {
        [layer, table] => match tables(&TableName::new(layer, table)) {
            Some(_) => None,
            None => Some(error),
        },
        [_] => Some(error.help("write the table's full name, `layer.table`")),
        _ => Some(error.help("write `layer.table`; the catalog is the environment's")),
    }
}

fn lower_case_schema(schema: &Schema) -> arrow::Schema {
    arrow::Schema::new(
        schema
            .columns
            .iter()
            .map(|column| {
                arrow::Field::new(column.name.to_lowercase(), types::to_arrow(&column.data_type), column.nullable)
            })
            .collect::<Vec<_>>(),
    )
}

fn output_columns(query: &Query, plan: &LogicalPlan, lineage: &Lineage, tables: &Tables<'_>) -> Vec<OutputColumn> {
    let names: Vec<Option<(TableName, &Schema)>> = lineage
        .tables
        .iter()
        .map(|table| {
            let name = TableName::new(table.schema().unwrap_or_default(), table.table());
            tables(&name).map(|schema| (name, schema))
        })
        .collect();
    let items = Items::of(query);
    let fields = plan.schema().fields();
    fields
        .iter()
        .zip(&lineage.flows)
        .enumerate()
        .map(|(place, (field, flow))| {
            let sources = column_sources(flow, &names);
            let item = items.at(place, fields.len());
            let name = match (&item.name, sources.as_slice()) {
                (Some(name), _) => name.clone(),
                (None, [source]) if name::same(&source.column, field.name()) => source.column.clone(),
                (None, _) => field.name().clone(),
            };
            OutputColumn {
                data_type: spark_type(field.data_type(), flow),
                declared: flow.declared,
                nullable: field.is_nullable(),
                null: flow.null || field.data_type().is_null(),
                range: item.range.clone(),
                expression_range: item.expression_range.clone(),
                from_wildcard: item.wildcard,
                lineage: ColumnLineage { column: name.clone(), sources, transformation: flow.transformation },
                name,
            }
        })
        .collect()
}

fn spark_type(data_type: &arrow::DataType, flow: &Flow) -> Option<DataType> {
    match types::from_arrow(data_type) {
        Some(DataType::Bigint) if flow.small => Some(DataType::Int),
        other => other,
    }
}

fn column_sources(flow: &Flow, names: &[Option<(TableName, &Schema)>]) -> Vec<ColumnSource> {
    let mut sources: Vec<ColumnSource> = flow
        .sources
        .iter()
        .filter_map(|source| {
            let (table, schema) = names.get(source.table)?.as_ref()?;
            Some(ColumnSource::new(table, &schema.columns.get(source.column)?.name))
        })
        .collect();
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// Two columns with one name, and columns without a name of their own.
fn output_errors(query: &Query, columns: &[OutputColumn]) -> Vec<SqlError> {
    let mut errors = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (place, column) in columns.iter().enumerate() {
        let lower = column.name.to_lowercase();
        if !name::is_identifier(&column.name) && !column.from_wildcard {
            let text = query.text.get(column.expression_range.clone()).unwrap_or_default();
            errors.push(
                SqlError::new(ErrorKind::Invalid, format!("`{text}` has no column name"), column.range.clone())
                    .note("a stored column needs a name; the engines make up different ones")
                    .help(format!("name it: `{text} AS a_name`"))
                    .fix(format!("{text} AS column_{}", place + 1)),
            );
        } else if column.data_type.is_none() && !column.null {
            errors.push(
                SqlError::new(
                    ErrorKind::Unsupported,
                    format!("`{}` has a type that no table can store", column.name),
                    column.range.clone(),
                )
                .note("it is an interval or the like")
                .help("compute a number, e.g. with `datediff(…)`"),
            );
        } else if let Some(first) = seen.insert(lower, place) {
            if column.from_wildcard && errors.iter().any(|error| error.range == column.range) {
                continue;
            }
            let expression = (!column.from_wildcard).then(|| column.expression_range.clone());
            errors.push(blame::duplicate_column(
                &query.text,
                &columns[first].name,
                column.range.clone(),
                expression,
                first,
            ));
        }
    }
    errors
}

/// The select items behind a query's output columns.
struct Items {
    items: Vec<Item>,
}

#[derive(Clone)]
struct Item {
    name: Option<String>,
    range: Range<usize>,
    expression_range: Range<usize>,
    wildcard: bool,
}

impl Items {
    fn of(query: &Query) -> Items {
        let text = &query.text;
        let Some(select) = spans::first_select(&query.ast.body) else { return Items { items: Vec::new() } };
        let items = select.projection.iter().map(|item| {
            let range = spans::item_range(text, item);
            match item {
                SelectItem::UnnamedExpr(expr) => Item {
                    name: spans::column_name(text, expr),
                    expression_range: range.clone(),
                    range,
                    wildcard: false,
                },
                SelectItem::ExprWithAlias { expr, alias } => Item {
                    name: Some(spans::written_name(text, alias)),
                    expression_range: spans::expr_range(text, expr),
                    range,
                    wildcard: false,
                },
                SelectItem::ExprWithAliases { .. } | SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                    Item { name: None, expression_range: range.clone(), range, wildcard: true }
                }
            }
        });
        Items { items: items.collect() }
    }

    /// The item of output column `place` of `n_columns`. Columns of stars stand between the items before the first star and
    /// those after the last.
    fn at(&self, place: usize, n_columns: usize) -> Item {
        let whole = Item { name: None, range: 0..0, expression_range: 0..0, wildcard: true };
        let Some(first_star) = self.items.iter().position(|item| item.wildcard) else {
            return self.items.get(place).cloned().unwrap_or(whole);
        };
        let last_star = self.items.iter().rposition(|item| item.wildcard).unwrap_or(first_star);
        let n_after = self.items.len() - last_star - 1;
        let found = if place < first_star {
            self.items.get(place)
        } else if place + n_after >= n_columns {
            self.items.get(self.items.len() - (n_columns - place))
        } else {
            self.items.get(first_star)
        };
        found.cloned().unwrap_or(whole)
    }
}

/// Planning over schemas alone.
pub(super) struct Tabled<'a, 's> {
    pub typer: &'a Typer,
    pub tables: &'a Tables<'s>,
}

impl Tabled<'_, '_> {
    fn source(&self, name: &TableName) -> Option<Arc<dyn TableSource>> {
        let schema = (self.tables)(name)?;
        let mut sources = self.typer.sources.borrow_mut();
        if let Some((known, source)) = sources.get(name)
            && known == schema
        {
            return Some(Arc::clone(source));
        }
        let source: Arc<dyn TableSource> = Arc::new(LogicalTableSource::new(Arc::new(lower_case_schema(schema))));
        if sources.len() >= MOST_SOURCES {
            sources.clear();
        }
        sources.insert(name.clone(), (schema.clone(), Arc::clone(&source)));
        Some(source)
    }
}

impl ContextProvider for Tabled<'_, '_> {
    fn get_table_source(&self, name: TableReference) -> PlanResult<Arc<dyn TableSource>> {
        let found = match &name {
            TableReference::Partial { schema, table } => self.source(&TableName::new(schema, table)),
            TableReference::Bare { .. } | TableReference::Full { .. } => None,
        };
        if let Some(source) = found { Ok(source) } else { plan_err!("there is no table {name}") }
    }

    fn get_table_function_source(&self, name: &str, _arguments: Vec<Expr>) -> PlanResult<Arc<dyn TableSource>> {
        not_impl_err!("the table function {name}")
    }

    fn create_cte_work_table(&self, _name: &str, schema: arrow::SchemaRef) -> PlanResult<Arc<dyn TableSource>> {
        Ok(Arc::new(LogicalTableSource::new(schema)))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.typer.state.expr_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(crate::sql::operators::SparkTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.typer.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.typer.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.typer.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.typer.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<arrow::DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.typer.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.typer.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.typer.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.typer.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.typer.state.window_functions().keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parse::parse_query;

    fn bench_schema() -> Schema {
        let columns = [
            ("id", "bigint"),
            ("k1", "bigint"),
            ("k2", "bigint"),
            ("ts", "timestamp"),
            ("v1", "double"),
            ("v2", "double"),
            ("v3", "double"),
            ("v4", "bigint"),
            ("v5", "bigint"),
            ("name", "string"),
        ];
        Schema {
            columns: columns
                .iter()
                .map(|(name, data_type)| Column {
                    name: (*name).to_owned(),
                    data_type: DataType::parse(data_type).expect("a type"),
                    nullable: true,
                })
                .collect(),
        }
    }

    const CAST: &str = "select cast(id as bigint) as id, cast(k1 as bigint) as k1, cast(k2 as bigint) as k2, cast(ts as timestamp) as ts, cast(v1 as double) as v1, cast(v2 as double) as v2, cast(v3 as double) as v3, cast(v4 as bigint) as v4, cast(v5 as bigint) as v5, trim(name) as name from b.a where id is not null";
    const JOIN: &str = "select a.id as id, a.k1 as k1, b.k2 as k2, a.ts as ts, a.v1 + b.v1 as v1, a.v2 * b.v2 as v2, coalesce(a.v3, b.v3, 0.0) as v3, a.v4 as v4, b.v5 as v5, case when a.v1 > 0.0 then upper(a.name) else b.name end as name from b.a as a join b.b as b on a.k1 = b.k1";
    const AGGREGATE: &str = "select min(s.id) as id, s.k1 as k1, max(s.k2) as k2, max(s.ts) as ts, sum(s.v1) as v1, avg(s.v2) as v2, max(s.v3) as v3, count(*) as v4, count(distinct s.v5) as v5, max(s.name) as name from b.a as s group by s.k1";

    #[test]
    #[ignore = "measures; run with --nocapture"]
    #[expect(clippy::print_stdout, reason = "its output is the measurement")]
    fn speed() {
        let schema = bench_schema();
        let started = std::time::Instant::now();
        let typer = Typer::default();
        println!("session: {:?}", started.elapsed());
        for (label, text) in [("cast", CAST), ("join", JOIN), ("aggregate", AGGREGATE)] {
            let tables: &Tables<'_> = &|_| Some(&schema);
            let context = Tabled { typer: &typer, tables };
            let mut times = [std::time::Duration::ZERO; 5];
            let n = 500;
            for _ in 0..n {
                let mut mark = std::time::Instant::now();
                let mut lap = |slot: usize| {
                    times[slot] += mark.elapsed();
                    mark = std::time::Instant::now();
                };
                let query = parse_query(text).expect("parses");
                lap(0);
                let planner = SqlToRel::new(&context);
                let plan = planner.sql_statement_to_plan(ast::Statement::Query(query.ast.clone())).expect("plans");
                lap(1);
                let lineage = lineage::trace(&plan);
                lap(2);
                let plan = typer.coercion.analyze(plan, typer.state.config_options()).expect("coerces");
                lap(3);
                let columns = output_columns(&query, &plan, &lineage, tables);
                assert_eq!(columns.len(), 10);
                lap(4);
            }
            println!("{label}: parse, plan, lineage, coerce, output: {:?}", times.map(|time| time / n));
        }
    }
}
