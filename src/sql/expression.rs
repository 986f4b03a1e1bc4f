//! Expressions over one row's columns as logical expressions, for the engine.
//!
//! In: the text of an expression that `check` has typed, and the schema that it is evaluated over. Out: the expression
//! with its types coerced. Names in the schema are compared in lower case: the schema's columns have to be, too.

use std::sync::Arc;

use deltalake::datafusion::common::tree_node::TreeNode;
use deltalake::datafusion::common::{DFSchema, DataFusionError, Result};
use deltalake::datafusion::execution::SessionState;
use deltalake::datafusion::logical_expr::simplify::SimplifyContext;
use deltalake::datafusion::logical_expr::{Expr, ExprSchemable};
use deltalake::datafusion::optimizer::analyzer::type_coercion::TypeCoercionRewriter;
use deltalake::datafusion::optimizer::simplify_expressions::ExprSimplifier;
use deltalake::datafusion::physical_expr::PhysicalExpr;
use deltalake::datafusion::sql::sqlparser::ast::ExprWithAlias;

use crate::ir::DataType;
use crate::sql::parse::{SqlError, parse_expression};
use crate::sql::{doubles, types};

/// Plans an expression, e.g. a filter's, over the columns of `schema`.
///
/// # Errors
/// As the parser and DataFusion's planner; none for text that `check` accepted.
pub fn plan_expression(state: &SessionState, text: &str, schema: &DFSchema) -> Result<Expr> {
    let expression = parse_expression(text).map_err(|error| parse_failure(&error))?;
    let planned =
        state.create_logical_expr_from_sql_expr(ExprWithAlias { expr: expression.ast, alias: None }, schema)?;
    let planned = doubles::compared(planned, schema)?.data;
    Ok(planned.rewrite(&mut TypeCoercionRewriter::new(schema))?.data)
}

/// An expression ready to be evaluated on batches of `schema`, simplified as in a query: some functions exist only in
/// what they are simplified to.
///
/// # Errors
/// As [`plan_expression`].
pub fn physical_expression(state: &SessionState, text: &str, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    let planned = plan_expression(state, text, schema)?;
    let context = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(state.config_options()))
        .with_query_execution_start_time(state.execution_props().query_execution_start_time)
        .build();
    let simplified = ExprSimplifier::new(context).simplify(planned)?;
    state.create_physical_expr(simplified, schema)
}

/// Casts to a column's type; a value that cannot be cast fails the query.
///
/// # Errors
/// When no cast between the two types exists.
pub fn cast_to(expr: Expr, data_type: &DataType, schema: &DFSchema) -> Result<Expr> {
    expr.cast_to(&types::to_arrow(data_type), schema)
}

fn parse_failure(error: &SqlError) -> DataFusionError {
    DataFusionError::Plan(error.message.clone())
}
