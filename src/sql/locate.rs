//! Where a query's errors are, found after planning has failed.
//!
//! In: a query or expression that does not plan, and DataFusion's error. Out: one [`SqlError`] per smallest part that
//! fails on its own, so that independent errors all show, each at its own bytes. Every SELECT is planned over what its
//! FROM offers, innermost first; a part that reads something already in error is left alone. `blame` words the errors.

use std::ops::ControlFlow;
use std::sync::Arc;

use deltalake::arrow::datatypes::{DataType, Field};
use deltalake::datafusion::common::{DFSchema, DataFusionError, Result as PlanResult, TableReference};
use deltalake::datafusion::logical_expr::{Expr as Planned, ExprSchemable, LogicalPlan};
use deltalake::datafusion::sql::planner::{PlannerContext, SqlToRel};
use deltalake::datafusion::sql::sqlparser::ast::{
    self, Expr, GroupByExpr, JoinConstraint, JoinOperator, OrderByKind, Query, Select, SelectItem, SetExpr,
    TableFactor, TableWithJoins, Value,
};

use crate::sql::bind::{self, Tabled};
use crate::sql::parse::{self, ErrorKind, Expression, SqlError};
use crate::sql::parts::{Part, parts};
use crate::sql::{blame, position, spans};

/// A query's errors; at least one.
pub(super) fn query_errors(context: &Tabled<'_, '_>, query: &parse::Query, error: &DataFusionError) -> Vec<SqlError> {
    let mut search = Search { context, text: &query.text, poisoned: Vec::new(), errors: Vec::new() };
    search.query(&query.ast, &Scope::default());
    if search.errors.is_empty() {
        return vec![blame::elsewhere(&query.text, position::whole(&query.text), error)];
    }
    search.errors
}

/// An expression's errors over one row; at least one.
pub(super) fn expression_errors(
    context: &Tabled<'_, '_>,
    expression: &Expression,
    schema: &DFSchema,
    error: &DataFusionError,
) -> Vec<SqlError> {
    let mut search = Search { context, text: &expression.text, poisoned: Vec::new(), errors: Vec::new() };
    search.expr(&expression.ast, schema, &Scope::default());
    if search.errors.is_empty() {
        return vec![blame::elsewhere(&expression.text, position::whole(&expression.text), error)];
    }
    search.errors
}

/// What a part may refer to beyond its own FROM: CTEs, and the rows of the queries around it.
#[derive(Clone)]
struct Scope {
    planner: PlannerContext,
    /// The row of the query directly around this one.
    outer: Arc<DFSchema>,
}

impl Scope {
    /// The columns of `row` and of every query around it, for suggestions.
    fn visible(&self, row: &DFSchema) -> DFSchema {
        let outer = self.planner.outer_queries_schemas().iter().rev().map(AsRef::as_ref);
        let mut visible = row.clone();
        for schema in std::iter::once(self.outer.as_ref()).chain(outer) {
            visible.merge(schema);
        }
        visible
    }
}

impl Default for Scope {
    fn default() -> Self {
        Scope { planner: PlannerContext::new(), outer: Arc::new(DFSchema::empty()) }
    }
}

struct Search<'a, 'c, 's> {
    context: &'a Tabled<'c, 's>,
    text: &'a str,
    /// CTEs that are in error.
    poisoned: Vec<String>,
    errors: Vec<SqlError>,
}

impl Search<'_, '_, '_> {
    /// Whether the query is right; what is wrong is recorded.
    fn query(&mut self, query: &Query, scope: &Scope) -> bool {
        let n_before = self.errors.len();
        let Some(error) = self.plan(query, scope).err() else { return true };
        let n_poisoned = self.poisoned.len();
        let mut inner = scope.clone();
        if let Some(with) = &query.with {
            if with.recursive {
                self.errors.push(blame::elsewhere(self.text, spans::query_range(self.text, query), &error));
                return false;
            }
            for cte in &with.cte_tables {
                let name = cte.alias.name.value.to_lowercase();
                let good = self.query(&cte.query, &inner);
                match self.plan(&named(cte), &inner) {
                    Ok(plan) if good => inner.planner.insert_cte(name, plan),
                    Ok(_) | Err(_) => self.poisoned.push(name),
                }
            }
        }
        self.body(&query.body, query, &inner);
        let reads_poison = self.poisoned.len() > n_poisoned;
        self.poisoned.truncate(n_poisoned);
        if self.errors.len() == n_before && !reads_poison && !self.reads_poison(query) {
            self.errors.push(blame::elsewhere(self.text, spans::query_range(self.text, query), &error));
        }
        false
    }

    fn body(&mut self, body: &SetExpr, query: &Query, scope: &Scope) {
        match body {
            SetExpr::Select(select) => self.select(select, query, scope),
            SetExpr::Query(inner) => {
                self.query(inner, scope);
            }
            SetExpr::SetOperation { left, right, op, .. } => {
                let n_before = self.errors.len();
                let sides = [left, right].map(|side| {
                    let query = bare(side.as_ref().clone());
                    self.query(&query, scope);
                    self.plan(&query, scope).ok()
                });
                if let [Some(first), Some(second)] = sides
                    && self.errors.len() == n_before
                {
                    let (first, second) = (first.schema().fields(), second.schema().fields());
                    let range = spans::set_range(self.text, right);
                    if first.len() == second.len() {
                        self.errors.extend(blame::sides(range, &op.to_string(), first, second));
                    } else {
                        self.errors.push(blame::arity(range, &op.to_string(), first.len(), second.len()));
                    }
                }
            }
            SetExpr::Values(values) => {
                let row = DFSchema::empty();
                for expr in values.rows.iter().flat_map(|row| row.content.iter()) {
                    self.expr(expr, &row, scope);
                }
            }
            _ => {}
        }
    }

    fn select(&mut self, select: &Select, query: &Query, scope: &Scope) {
        let n_before = self.errors.len();
        let mut known = true;
        for table in &select.from {
            known &= self.table(table, scope);
        }
        if !known {
            return;
        }
        let Ok(row) = self.row(&select.from, scope) else {
            return;
        };
        for table in &select.from {
            self.constraints(table, &row, scope);
        }
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr)
                | SelectItem::ExprWithAlias { expr, .. }
                | SelectItem::ExprWithAliases { expr, .. } => {
                    self.item(expr, select, &row, scope);
                }
                SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {}
            }
        }
        self.predicate(select.selection.as_ref(), &row, scope);
        if let Some(call) = select.selection.as_ref().and_then(|selection| self.first_aggregate(selection)) {
            self.errors.push(blame::aggregate_in_where(self.text, &call));
        }
        self.ordinals(select, query);
        if self.errors.len() > n_before {
            return;
        }
        let named = self.with_aliases(select, &row, scope);
        if let GroupByExpr::Expressions(exprs, _) = &select.group_by {
            for expr in exprs {
                self.expr(expr, &named, scope);
            }
        }
        self.predicate(select.having.as_ref(), &named, scope);
        self.predicate(select.qualify.as_ref(), &named, scope);
        for order in select.sort_by.iter().chain(order_by(query)) {
            self.expr(&order.expr, &named, scope);
        }
        if self.errors.len() == n_before {
            self.grouping(select, &row, scope);
        }
        if self.errors.len() == n_before {
            self.duplicates(select, &row);
        }
    }

    /// Ordinals of GROUP BY and ORDER BY beyond the select items.
    fn ordinals(&mut self, select: &Select, query: &Query) {
        if select
            .projection
            .iter()
            .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)))
        {
            return;
        }
        let grouped: &[Expr] = match &select.group_by {
            GroupByExpr::Expressions(exprs, _) => exprs,
            GroupByExpr::All(_) => &[],
        };
        for expr in grouped.iter().chain(order_by(query).iter().map(|order| &order.expr)) {
            if let Expr::Value(value) = expr
                && let Value::Number(number, _) = &value.value
                && !number.parse::<usize>().is_ok_and(|ordinal| (1..=select.projection.len()).contains(&ordinal))
            {
                let n_columns = select.projection.len();
                let range = spans::expr_range(self.text, expr);
                self.errors.push(
                    SqlError::new(
                        ErrorKind::Invalid,
                        format!("there is no column {number}: {n_columns} are selected"),
                        range,
                    )
                    .help(format!("write a number from 1 to {n_columns}, or a name")),
                );
            }
        }
    }

    /// Whether everything that a FROM item reads is right.
    fn table(&mut self, table: &TableWithJoins, scope: &Scope) -> bool {
        let mut known = self.factor(&table.relation, scope);
        for join in &table.joins {
            known &= self.factor(&join.relation, scope);
        }
        known
    }

    fn factor(&mut self, factor: &TableFactor, scope: &Scope) -> bool {
        match factor {
            TableFactor::Table { name, args: None, .. } => match name.0.as_slice() {
                [single] => single.as_ident().is_none_or(|ident| !self.poisoned.contains(&ident.value.to_lowercase())),
                _ => true,
            },
            TableFactor::Derived { subquery, .. } => self.query(subquery, scope),
            TableFactor::NestedJoin { table_with_joins, .. } => self.table(table_with_joins, scope),
            _ => true,
        }
    }

    /// The columns that a FROM offers, whatever its join conditions say.
    fn row(&self, from: &[TableWithJoins], scope: &Scope) -> PlanResult<DFSchema> {
        if from.is_empty() {
            return Ok(DFSchema::empty());
        }
        let query = star(from.iter().map(unconstrained).collect());
        self.plan(&query, scope).map(|plan| plan.schema().as_ref().clone())
    }

    fn constraints(&mut self, table: &TableWithJoins, row: &DFSchema, scope: &Scope) {
        if let TableFactor::NestedJoin { table_with_joins, .. } = &table.relation {
            self.constraints(table_with_joins, row, scope);
        }
        let mut left = vec![TableWithJoins { relation: table.relation.clone(), joins: Vec::new() }];
        for join in &table.joins {
            match constraint(&join.join_operator) {
                Some(JoinConstraint::On(condition)) => self.predicate(Some(condition), row, scope),
                Some(JoinConstraint::Using(columns)) => {
                    let right = vec![TableWithJoins { relation: join.relation.clone(), joins: Vec::new() }];
                    for column in columns.iter().filter_map(|name| name.0.last()?.as_ident()) {
                        for side in [&left, &right] {
                            let Ok(schema) = self.row(side, scope) else { continue };
                            if !schema.has_column_with_unqualified_name(&column.value.to_lowercase()) {
                                self.errors.push(blame::unknown_column(
                                    self.text,
                                    std::slice::from_ref(column),
                                    &schema,
                                    None,
                                ));
                                break;
                            }
                        }
                    }
                }
                Some(JoinConstraint::Natural | JoinConstraint::None) | None => {}
            }
            left.push(TableWithJoins { relation: join.relation.clone(), joins: Vec::new() });
        }
    }

    fn predicate(&mut self, predicate: Option<&Expr>, row: &DFSchema, scope: &Scope) {
        let Some(predicate) = predicate else { return };
        if !self.expr(predicate, row, scope) {
            return;
        }
        let Ok(planned) = self.plan_expr(predicate, row, scope) else { return };
        if let Ok(data_type) = planned.get_type(row)
            && !matches!(data_type, DataType::Boolean | DataType::Null)
        {
            self.errors.push(blame::not_boolean(self.text, predicate, &data_type));
        }
    }

    /// A select item; the alias of an earlier item is no column to DataFusion, though it is to Databricks.
    fn item(&mut self, expr: &Expr, select: &Select, row: &DFSchema, scope: &Scope) {
        let n_before = self.errors.len();
        self.expr(expr, row, scope);
        for error in &mut self.errors[n_before..] {
            let written = self.text.get(error.range.clone()).unwrap_or_default();
            let earlier = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if crate::name::same(&alias.value, written) => Some(expr),
                _ => None,
            });
            if error.kind == ErrorKind::UnknownColumn
                && let Some(aliased) = earlier
            {
                let aliased = self.text.get(spans::expr_range(self.text, aliased)).unwrap_or_default();
                *error = blame::lateral_alias(error.range.clone(), written, aliased);
            }
        }
    }

    /// The row with the select items' aliases, for the clauses that may name them.
    fn with_aliases(&self, select: &Select, row: &DFSchema, scope: &Scope) -> DFSchema {
        let mut fields: Vec<(Option<TableReference>, Arc<Field>)> =
            row.iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field))).collect();
        for item in &select.projection {
            let SelectItem::ExprWithAlias { expr, alias } = item else { continue };
            let name = alias.value.to_lowercase();
            if row.has_column_with_unqualified_name(&name) {
                continue;
            }
            if let Ok(data_type) = self.plan_expr(expr, row, scope).and_then(|planned| planned.get_type(row)) {
                fields.push((None, Arc::new(Field::new(name, data_type, true))));
            }
        }
        DFSchema::new_with_metadata(fields, std::collections::HashMap::new()).unwrap_or_else(|_| row.clone())
    }

    /// Columns of select items that are neither grouped nor aggregated.
    fn grouping(&mut self, select: &Select, row: &DFSchema, scope: &Scope) {
        let GroupByExpr::Expressions(exprs, _) = &select.group_by else { return };
        let groups: Vec<Planned> =
            exprs.iter().filter_map(|expr| self.plan_expr(grouped_item(expr, select), row, scope).ok()).collect();
        let items = select.projection.iter().filter_map(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some((expr, Some(item))),
            _ => None,
        });
        let having = select.having.iter().map(|expr| (expr, None));
        let aggregated =
            !exprs.is_empty() || select.having.is_some() || items.clone().any(|(expr, _)| self.has_aggregate(expr));
        if !aggregated {
            return;
        }
        for (expr, item) in items.chain(having) {
            self.ungrouped(expr, item, &groups, row, scope);
        }
    }

    /// Select items with one name.
    fn duplicates(&mut self, select: &Select, row: &DFSchema) {
        let mut seen: Vec<String> = Vec::new();
        for item in &select.projection {
            let (name, expr) = match item {
                SelectItem::UnnamedExpr(expr) => (spans::column_name(self.text, expr), expr),
                SelectItem::ExprWithAlias { expr, alias } => (Some(spans::written_name(self.text, alias)), expr),
                SelectItem::Wildcard(_) => {
                    seen.extend(row.fields().iter().map(|field| field.name().clone()));
                    continue;
                }
                SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) => continue,
            };
            let Some(name) = name else { continue };
            if let Some(place) = seen.iter().position(|known| crate::name::same(known, &name)) {
                let expression = spans::expr_range(self.text, expr);
                let range = spans::item_range(self.text, item);
                self.errors.push(blame::duplicate_column(self.text, &seen[place], range, Some(expression), place));
            }
            seen.push(name);
        }
    }

    fn ungrouped(&mut self, expr: &Expr, item: Option<&SelectItem>, groups: &[Planned], row: &DFSchema, scope: &Scope) {
        if self.is_aggregate(expr) {
            return;
        }
        if let Ok(planned) = self.plan_expr(expr, row, scope) {
            if groups.contains(&planned) {
                return;
            }
            if matches!(planned, Planned::Column(_)) {
                let whole_item = matches!(item, Some(SelectItem::UnnamedExpr(whole)) if std::ptr::eq(whole, expr));
                self.errors.push(blame::not_grouped(self.text, expr, whole_item));
                return;
            }
        }
        for part in parts(expr) {
            if let Part::Expr(child) = part {
                self.ungrouped(&child, None, groups, row, scope);
            }
        }
    }

    fn is_aggregate(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Function(function) if function.over.is_none()
            && self.context.typer.state.aggregate_functions().contains_key(&function.name.to_string().to_lowercase()))
    }

    fn has_aggregate(&self, expr: &Expr) -> bool {
        self.first_aggregate(expr).is_some()
    }

    /// The first call of an aggregate, outside subqueries.
    fn first_aggregate(&self, expr: &Expr) -> Option<Expr> {
        if self.is_aggregate(expr) {
            return Some(expr.clone());
        }
        parts(expr).into_iter().find_map(|part| match part {
            Part::Expr(child) => self.first_aggregate(&child),
            Part::Query(_) => None,
        })
    }

    /// Whether the expression is right; the smallest parts that are wrong are recorded.
    fn expr(&mut self, expr: &Expr, row: &DFSchema, scope: &Scope) -> bool {
        let Err(error) = self.plan_expr(expr, row, scope) else { return true };
        let n_before = self.errors.len();
        for part in parts(expr) {
            match part {
                Part::Expr(child) => {
                    self.expr(&child, row, scope);
                }
                Part::Query(query) => {
                    let mut inner = scope.clone();
                    inner.planner.append_outer_query_schema(Arc::clone(&scope.outer));
                    inner.outer = Arc::new(row.clone());
                    self.query(&query, &inner);
                }
            }
        }
        if self.errors.len() == n_before && !self.subquery_reads_poison(expr) {
            let typed = |part: &Expr| self.plan_expr(part, row, scope).and_then(|planned| planned.get_type(row)).ok();
            let visible = scope.visible(row);
            let error = blame::expression(self.context, self.text, expr, &visible, &typed, &error);
            self.errors.push(error);
        }
        false
    }

    fn plan(&self, query: &Query, scope: &Scope) -> PlanResult<LogicalPlan> {
        let exists = Expr::Exists { subquery: Box::new(query.clone()), negated: false };
        let planned = SqlToRel::new(self.context).sql_to_expr(exists, &scope.outer, &mut scope.planner.clone())?;
        let Planned::Exists(exists) = planned else { unreachable!("EXISTS plans as itself") };
        let plan = Arc::unwrap_or_clone(exists.subquery.subquery);
        self.context.typer.coerce(plan)
    }

    fn plan_expr(&self, expr: &Expr, row: &DFSchema, scope: &Scope) -> PlanResult<Planned> {
        let mut planner = scope.planner.clone();
        if !scope.outer.fields().is_empty() {
            planner.append_outer_query_schema(Arc::clone(&scope.outer));
        }
        bind::plan_expr(self.context, expr, row, &mut planner)
    }

    fn reads_poison(&self, query: &Query) -> bool {
        let mut found = false;
        let _: ControlFlow<()> = ast::visit_relations(query, |name| {
            found |= matches!(name.0.as_slice(), [single] if single
                .as_ident()
                .is_some_and(|ident| self.poisoned.contains(&ident.value.to_lowercase())));
            ControlFlow::Continue(())
        });
        found
    }

    fn subquery_reads_poison(&self, expr: &Expr) -> bool {
        parts(expr).iter().any(|part| matches!(part, Part::Query(query) if self.reads_poison(query)))
    }
}

fn order_by(query: &Query) -> &[ast::OrderByExpr] {
    match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(exprs)) => exprs,
        Some(OrderByKind::All(_)) | None => &[],
    }
}

/// What a GROUP BY expression stands for: an ordinal or an alias means a select item.
fn grouped_item<'a>(expr: &'a Expr, select: &'a Select) -> &'a Expr {
    let item = match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => {
                number.parse::<usize>().ok().and_then(|ordinal| select.projection.get(ordinal.checked_sub(1)?))
            }
            _ => None,
        },
        Expr::Identifier(ident) => select.projection.iter().find(
            |item| matches!(item, SelectItem::ExprWithAlias { alias, .. } if crate::name::same(&alias.value, &ident.value)),
        ),
        _ => None,
    };
    match item {
        Some(SelectItem::UnnamedExpr(inner) | SelectItem::ExprWithAlias { expr: inner, .. }) => inner,
        _ => expr,
    }
}

fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint) => Some(constraint),
        _ => None,
    }
}

/// The same tables, all of their columns joined without a condition.
fn unconstrained(table: &TableWithJoins) -> TableWithJoins {
    let mut free = table.clone();
    if let TableFactor::NestedJoin { table_with_joins, .. } = &mut free.relation {
        **table_with_joins = unconstrained(table_with_joins);
    }
    for join in &mut free.joins {
        join.join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
    }
    free
}

/// `SELECT * FROM …`.
fn star(from: Vec<TableWithJoins>) -> Query {
    let template = parse::parse_query("SELECT * FROM t").expect("it is a query");
    let mut query = *template.ast;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.from = from;
    }
    query
}

/// A CTE as `SELECT * FROM (…) AS name(columns)`.
fn named(cte: &ast::Cte) -> Query {
    let relation = TableFactor::Derived {
        lateral: false,
        subquery: cte.query.clone(),
        alias: Some(cte.alias.clone()),
        sample: None,
    };
    star(vec![TableWithJoins { relation, joins: Vec::new() }])
}

/// A set operation's side as a query.
fn bare(body: SetExpr) -> Query {
    let template = parse::parse_query("SELECT * FROM t").expect("it is a query");
    Query { body: Box::new(body), ..*template.ast }
}
