//! Where each output column's values come from, by a walk over the logical plan.
//!
//! In: a plan as planned, before coercion, so that casts are the author's. Out: per output column its [`Flow`], and the
//! sets of output columns that the plan makes unique. Columns that only filter or join are no sources; conditions of a
//! CASE are, since they choose the value. A ranking's sources are the columns that it ranks by.

use std::cell::RefCell;
use std::collections::BTreeSet;

use deltalake::arrow::datatypes::DataType;
use deltalake::datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use deltalake::datafusion::common::{Column, DFSchema, JoinType, TableReference};
use deltalake::datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Operator, Subquery};
use deltalake::datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};

use crate::name::TableName;

/// Which input columns an output column is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnLineage {
    pub column: String,
    /// The columns whose values flow into it, sorted; not those that only filter or join.
    pub sources: Vec<ColumnSource>,
    pub transformation: Transformation,
}

/// A column of an input table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ColumnSource {
    /// `layer.name`.
    pub table: String,
    pub column: String,
}

impl ColumnSource {
    pub fn new(table: &TableName, column: &str) -> Self {
        ColumnSource { table: table.to_string(), column: column.to_owned() }
    }
}

/// How an output column's values come from its sources (the vocabulary of OpenLineage's column lineage facet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transformation {
    /// The value itself, perhaps under another name.
    Identity,
    /// Computed from values of one row.
    Expression,
    /// Computed from values of several rows (aggregate or window).
    Aggregation,
}

/// What flows into one column of a plan.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    /// Sorted, without repetition.
    pub sources: Vec<SourceColumn>,
    pub transformation: Transformation,
    /// Whether an integer here is at most an INT to Spark: DataFusion makes every integer literal a bigint.
    pub small: bool,
    /// Whether the type is written somewhere (a column's or a cast's), not derived by arithmetic.
    pub declared: bool,
    /// Whether the value is the literal NULL.
    pub null: bool,
}

/// A column of a table that the plan scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceColumn {
    /// An index into [`Lineage::tables`].
    pub table: usize,
    /// The column's place in the table's schema.
    pub column: usize,
}

/// The walk's result.
#[derive(Debug)]
pub(super) struct Lineage {
    pub tables: Vec<TableReference>,
    /// Per output column, in order.
    pub flows: Vec<Flow>,
    /// Sets of output columns, by their place, whose values no two rows share.
    pub unique: Vec<BTreeSet<usize>>,
    pub aggregates: bool,
}

/// Traces every output column of a plan.
pub(super) fn trace(plan: &LogicalPlan) -> Lineage {
    let walk = Walk::default();
    let rows = walk.plan(plan, None);
    Lineage {
        tables: walk.tables.into_inner(),
        flows: rows.flows,
        unique: rows.unique,
        aggregates: walk.aggregates.into_inner(),
    }
}

/// The columns of one plan node.
struct Rows<'a> {
    schema: &'a DFSchema,
    flows: Vec<Flow>,
    unique: Vec<BTreeSet<usize>>,
}

/// The columns that an expression may name, innermost first.
#[derive(Clone, Copy)]
struct Scope<'a> {
    inputs: &'a [Rows<'a>],
    outer: Option<&'a Scope<'a>>,
}

#[derive(Default)]
struct Walk {
    tables: RefCell<Vec<TableReference>>,
    aggregates: RefCell<bool>,
}

impl Walk {
    fn plan<'a>(&self, plan: &'a LogicalPlan, outer: Option<&Scope<'_>>) -> Rows<'a> {
        let schema: &'a DFSchema = plan.schema();
        match plan {
            LogicalPlan::TableScan(scan) => {
                let table = self.table(&scan.table_name);
                let n_columns = scan.source.schema().fields().len();
                let columns = scan.projection.clone().unwrap_or_else(|| (0..n_columns).collect());
                let flows = columns
                    .into_iter()
                    .zip(schema.fields())
                    .map(|(column, field)| Flow::column(SourceColumn { table, column }, field.data_type()))
                    .collect();
                Rows { schema, flows, unique: Vec::new() }
            }
            LogicalPlan::Projection(projection) => {
                let inputs = [self.plan(&projection.input, outer)];
                let scope = Scope { inputs: &inputs, outer };
                let flows = projection.expr.iter().map(|expr| self.expr(expr, &scope)).collect();
                let places: Vec<Option<usize>> =
                    projection.expr.iter().map(|expr| column_of(expr).and_then(|column| scope.place(column))).collect();
                Rows { schema, flows, unique: move_unique(&inputs[0].unique, &places) }
            }
            LogicalPlan::Aggregate(aggregate) => {
                *self.aggregates.borrow_mut() = true;
                let inputs = [self.plan(&aggregate.input, outer)];
                let scope = Scope { inputs: &inputs, outer };
                let sets = aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)));
                let grouped: Vec<&Expr> = match aggregate.group_expr.as_slice() {
                    [Expr::GroupingSet(set)] => set.distinct_expr(),
                    exprs => exprs.iter().collect(),
                };
                let mut flows: Vec<Flow> = grouped.iter().map(|expr| self.expr(expr, &scope)).collect();
                let n_groups = flows.len();
                flows.extend(aggregate.aggr_expr.iter().map(|expr| self.expr(expr, &scope)));
                while flows.len() < schema.fields().len() {
                    // The grouping id, behind the groups.
                    flows.insert(n_groups, Flow::nothing());
                }
                let unique = if sets { Vec::new() } else { vec![(0..n_groups).collect()] };
                Rows { schema, flows, unique }
            }
            LogicalPlan::Window(window) => {
                let inputs = [self.plan(&window.input, outer)];
                let scope = Scope { inputs: &inputs, outer };
                let added: Vec<Flow> = window.window_expr.iter().map(|expr| self.expr(expr, &scope)).collect();
                let [input] = inputs;
                let flows = input.flows.into_iter().chain(added).collect();
                Rows { schema, flows, unique: input.unique }
            }
            LogicalPlan::Join(join) => {
                let left = self.plan(&join.left, outer);
                let right = self.plan(&join.right, outer);
                joined(join.join_type, schema, left, right)
            }
            LogicalPlan::Union(union) => {
                let branches = union.inputs.iter().map(|input| self.plan(input, outer));
                Rows { schema, flows: union_flows(branches), unique: Vec::new() }
            }
            LogicalPlan::RecursiveQuery(recursive) => {
                let first = self.plan(&recursive.static_term, outer);
                Rows { schema, flows: first.flows, unique: Vec::new() }
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let mut rows = self.plan(input, outer);
                rows.unique.push((0..rows.flows.len()).collect());
                Rows { schema, ..rows }
            }
            LogicalPlan::Values(values) => {
                let scope = Scope { inputs: &[], outer };
                let branches = values.values.iter().map(|row| Rows {
                    schema,
                    flows: row.iter().map(|expr| self.expr(expr, &scope)).collect(),
                    unique: Vec::new(),
                });
                Rows { schema, flows: union_flows(branches), unique: Vec::new() }
            }
            LogicalPlan::Filter(filter) => Rows { schema, ..self.plan(&filter.input, outer) },
            LogicalPlan::Sort(sort) => Rows { schema, ..self.plan(&sort.input, outer) },
            LogicalPlan::Limit(limit) => Rows { schema, ..self.plan(&limit.input, outer) },
            LogicalPlan::Repartition(repartition) => Rows { schema, ..self.plan(&repartition.input, outer) },
            LogicalPlan::SubqueryAlias(alias) => Rows { schema, ..self.plan(&alias.input, outer) },
            LogicalPlan::Subquery(subquery) => Rows { schema, ..self.plan(&subquery.subquery, outer) },
            // DataFusion's enum is open-ended in practice: what has no rule here is traced by name.
            other => self.by_name(other, outer),
        }
    }

    fn by_name<'a>(&self, plan: &'a LogicalPlan, outer: Option<&Scope<'_>>) -> Rows<'a> {
        let inputs: Vec<Rows<'_>> = plan.inputs().into_iter().map(|input| self.plan(input, outer)).collect();
        let flows = plan.schema().iter().map(|(qualifier, field)| {
            let column = Column::new(qualifier.cloned(), field.name());
            let scope = Scope { inputs: &inputs, outer: None };
            scope.flow(&column).unwrap_or_else(Flow::nothing)
        });
        Rows { schema: plan.schema(), flows: flows.collect(), unique: Vec::new() }
    }

    fn table(&self, name: &TableReference) -> usize {
        let mut tables = self.tables.borrow_mut();
        tables.iter().position(|known| known == name).unwrap_or_else(|| {
            tables.push(name.clone());
            tables.len() - 1
        })
    }

    fn expr(&self, expr: &Expr, scope: &Scope<'_>) -> Flow {
        match expr {
            Expr::Alias(alias) => self.expr(&alias.expr, scope),
            Expr::Column(column) => scope.flow(column).unwrap_or_else(Flow::nothing),
            Expr::OuterReferenceColumn(_, column) => {
                scope.outer.and_then(|outer| outer.flow(column)).unwrap_or_else(Flow::nothing)
            }
            Expr::Literal(value, _) => Flow::literal(value),
            Expr::Cast(cast) => {
                let inner = self.expr(&cast.expr, scope);
                let small = is_small(cast.field.data_type());
                Flow {
                    transformation: inner.transformation.max(Transformation::Expression),
                    small,
                    declared: true,
                    ..inner
                }
            }
            Expr::TryCast(cast) => {
                let inner = self.expr(&cast.expr, scope);
                let small = is_small(cast.field.data_type());
                Flow {
                    transformation: inner.transformation.max(Transformation::Expression),
                    small,
                    declared: true,
                    ..inner
                }
            }
            Expr::ScalarSubquery(subquery) => self.subquery(subquery, scope),
            Expr::InSubquery(membership) => {
                self.expr(&membership.expr, scope).merge(self.subquery(&membership.subquery, scope)).computed()
            }
            Expr::Exists(_) => Flow::nothing(),
            Expr::AggregateFunction(call) => {
                let arguments = self.all(&call.params.args, scope);
                let small = arguments.small && keeps_type(call.func.name());
                Flow { transformation: Transformation::Aggregation, small, declared: false, null: false, ..arguments }
            }
            Expr::WindowFunction(call) => {
                let params = &call.params;
                let mut arguments = self.all(&params.args, scope);
                let small = arguments.small && keeps_type(call.fun.name());
                if params.args.is_empty() {
                    arguments = self.all(&params.partition_by, scope);
                    for sort in &params.order_by {
                        arguments = arguments.merge(self.expr(&sort.expr, scope));
                    }
                }
                Flow { transformation: Transformation::Aggregation, small, declared: false, null: false, ..arguments }
            }
            Expr::ScalarFunction(call) => {
                let arguments = self.all(&call.args, scope);
                let small = arguments.small && keeps_type(call.func.name());
                Flow { small, null: false, ..arguments.computed() }
            }
            Expr::Case(case) => {
                let mut conditions = Flow::nothing();
                let mut results = Flow { null: true, ..Flow::nothing() };
                for part in case.expr.iter().chain(case.when_then_expr.iter().map(|(when, _)| when)) {
                    conditions = conditions.merge(self.expr(part, scope));
                }
                for part in case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr) {
                    results = results.merge(self.expr(part, scope));
                }
                let (small, null) = (results.small, results.null);
                Flow { small, null, ..results.merge(conditions).computed() }
            }
            Expr::BinaryExpr(binary) => {
                let sides = self.expr(&binary.left, scope).merge(self.expr(&binary.right, scope));
                let small = sides.small
                    && matches!(binary.op, Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Modulo);
                Flow { small, null: false, ..sides.computed() }
            }
            Expr::Negative(inner) => self.expr(inner, scope).computed(),
            other => {
                let mut flow = Flow::nothing();
                let _ = other.apply_children(|child| {
                    flow = std::mem::replace(&mut flow, Flow::nothing()).merge(self.expr(child, scope));
                    Ok(TreeNodeRecursion::Continue)
                });
                Flow { small: false, null: false, ..flow.computed() }
            }
        }
    }

    fn all(&self, exprs: &[Expr], scope: &Scope<'_>) -> Flow {
        exprs.iter().fold(Flow::nothing(), |flow, expr| flow.merge(self.expr(expr, scope)))
    }

    fn subquery(&self, subquery: &Subquery, scope: &Scope<'_>) -> Flow {
        let rows = self.plan(&subquery.subquery, Some(scope));
        rows.flows.into_iter().fold(Flow::nothing(), Flow::merge).computed()
    }
}

impl Scope<'_> {
    fn flow(&self, column: &Column) -> Option<Flow> {
        for input in self.inputs {
            if let Some(place) = input.schema.maybe_index_of_column(column) {
                return input.flows.get(place).cloned();
            }
        }
        self.outer.and_then(|outer| outer.flow(column))
    }

    fn place(&self, column: &Column) -> Option<usize> {
        self.inputs.first().and_then(|input| input.schema.maybe_index_of_column(column))
    }
}

impl Flow {
    fn nothing() -> Self {
        Flow {
            sources: Vec::new(),
            transformation: Transformation::Expression,
            small: true,
            declared: false,
            null: false,
        }
    }

    fn column(source: SourceColumn, data_type: &DataType) -> Self {
        Flow {
            sources: vec![source],
            transformation: Transformation::Identity,
            small: is_small(data_type),
            declared: true,
            null: false,
        }
    }

    fn literal(value: &ScalarValue) -> Self {
        let small = match value {
            ScalarValue::Int64(Some(number)) => i32::try_from(*number).is_ok(),
            other => is_small(&other.data_type()),
        };
        Flow { small, null: value.is_null(), ..Flow::nothing() }
    }

    fn merge(mut self, other: Flow) -> Flow {
        if self.sources.is_empty() {
            self.sources = other.sources;
        } else if !other.sources.is_empty() {
            self.sources.extend(other.sources);
            self.sources.sort_unstable();
            self.sources.dedup();
        }
        self.transformation = self.transformation.max(other.transformation);
        self.small &= other.small;
        self.declared &= other.declared;
        self.null &= other.null;
        self
    }

    /// The flow into an expression over this one.
    fn computed(mut self) -> Flow {
        self.transformation = self.transformation.max(Transformation::Expression);
        self.declared = false;
        self
    }
}

fn is_small(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Null)
}

/// Functions whose result has the type of their arguments.
fn keeps_type(function: &str) -> bool {
    matches!(
        function,
        "+" | "-"
            | "*"
            | "coalesce"
            | "nvl"
            | "ifnull"
            | "nullif"
            | "greatest"
            | "least"
            | "if"
            | "abs"
            | "min"
            | "max"
            | "first"
            | "last"
            | "first_value"
            | "last_value"
            | "nth_value"
            | "any_value"
            | "lag"
            | "lead"
    )
}

fn column_of(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => column_of(&alias.expr),
        _ => None,
    }
}

/// Unique sets of the input, where all of their columns are passed on; `places[i]` is the input's column behind output `i`.
fn move_unique(unique: &[BTreeSet<usize>], places: &[Option<usize>]) -> Vec<BTreeSet<usize>> {
    unique
        .iter()
        .filter_map(|set| {
            set.iter().map(|column| places.iter().position(|place| *place == Some(*column))).collect::<Option<_>>()
        })
        .collect()
}

fn joined<'a>(join_type: JoinType, schema: &'a DFSchema, left: Rows<'_>, right: Rows<'_>) -> Rows<'a> {
    match join_type {
        JoinType::LeftSemi | JoinType::LeftAnti => Rows { schema, flows: left.flows, unique: left.unique },
        JoinType::RightSemi | JoinType::RightAnti => Rows { schema, flows: right.flows, unique: right.unique },
        JoinType::LeftMark => {
            let flows = left.flows.into_iter().chain([Flow::nothing()]).collect();
            Rows { schema, flows, unique: left.unique }
        }
        _ => Rows { schema, flows: left.flows.into_iter().chain(right.flows).collect(), unique: Vec::new() },
    }
}

fn union_flows<'a>(branches: impl Iterator<Item = Rows<'a>>) -> Vec<Flow> {
    branches
        .map(|branch| branch.flows)
        .reduce(|merged, branch| merged.into_iter().zip(branch).map(|(left, right)| left.merge(right)).collect())
        .unwrap_or_default()
}
