//! Doubles compared with decimals, as Spark compares them: as doubles.
//!
//! In: an expression and the schema that it stands over, or a plan. Out: the same with the decimals of such a comparison as
//! doubles. DataFusion makes decimals of the doubles instead, which fails for NaN, infinities and what has more than fifteen
//! digits before the point, and says that 0.1 + 0.2 is 0.3. Literals with a point are decimals, so that most comparisons of
//! a double are meant. Values that are not compared (`coalesce`, branches of `CASE`, unions) stay as they are.

use deltalake::arrow::datatypes::DataType;
use deltalake::datafusion::common::config::ConfigOptions;
use deltalake::datafusion::common::tree_node::{Transformed, TreeNode};
use deltalake::datafusion::common::{DFSchema, Result};
use deltalake::datafusion::logical_expr::expr_rewriter::NamePreserver;
use deltalake::datafusion::logical_expr::utils::merge_schema;
use deltalake::datafusion::logical_expr::{
    Between, BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator, cast, lit,
};
use deltalake::datafusion::optimizer::AnalyzerRule;
use deltalake::datafusion::scalar::ScalarValue;

/// Rewrites the comparisons of an expression.
///
/// # Errors
/// None of its own.
pub(super) fn compared(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_up(|part| Ok(comparison(part, schema)))
}

/// Rewrites the comparisons of a plan. Has to come before DataFusion coerces types.
#[derive(Debug)]
pub(super) struct ComparedAsDoubles;

impl AnalyzerRule for ComparedAsDoubles {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            let rewritten = node.map_expressions(|expr| {
                let name = names.save(&expr);
                Ok(compared(expr, &schema)?.update_data(|expr| name.restore(expr)))
            })?;
            if rewritten.transformed { rewritten.map_data(LogicalPlan::recompute_schema) } else { Ok(rewritten) }
        })?;
        Ok(rewritten.data)
    }

    fn name(&self) -> &'static str {
        "compared_as_doubles"
    }
}

fn comparison(mut part: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let sides: Vec<&mut Expr> = match &mut part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => vec![left, right],
        Expr::Between(Between { expr, low, high, .. }) => vec![expr, low, high],
        Expr::InList(list) => std::iter::once(&mut *list.expr).chain(&mut list.list).collect(),
        Expr::Case(Case { expr: Some(expr), when_then_expr, .. }) => {
            std::iter::once(&mut **expr).chain(when_then_expr.iter_mut().map(|(when, _)| &mut **when)).collect()
        }
        _ => return Transformed::no(part),
    };
    let types: Vec<DataType> = sides.iter().filter_map(|side| side.get_type(schema).ok()).collect();
    if types.len() != sides.len() || !types.iter().any(DataType::is_floating) || !types.iter().any(DataType::is_decimal)
    {
        return Transformed::no(part);
    }
    for (side, _) in sides.into_iter().zip(types).filter(|(_, data_type)| data_type.is_decimal()) {
        let decimal = std::mem::replace(side, lit(ScalarValue::Null));
        *side = double(decimal);
    }
    Transformed::yes(part)
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// A decimal as a double. A literal is read from its digits, for a cast rounds twice where there are more than fifteen.
fn double(decimal: Expr) -> Expr {
    if let Expr::Literal(value @ (ScalarValue::Decimal128(Some(_), ..) | ScalarValue::Decimal256(Some(_), ..)), _) =
        &decimal
        && let Ok(read) = value.to_string().parse::<f64>()
    {
        return lit(read);
    }
    cast(decimal, DataType::Float64)
}
