//! Whether some columns of a query determine another: a target that can be computed from its features.
//!
//! In: the output expressions of one SELECT. Out: yes, or not known. Works on syntax: equal expressions, expressions of
//! determined ones, and the identity sum = count × avg over the same rows. A yes is certain up to NULLs among the
//! aggregated values; a no only means that no rule applies.

use deltalake::datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, SetExpr,
};

use crate::sql::parse::{Expression, Query};

/// An output column's name, in lower case, and its expression.
pub type OutputExpression = (String, Expr);

/// The output columns of a query that is one SELECT; `None` for set operations, stars and unnamed columns.
pub fn output_expressions(query: &Query) -> Option<Vec<OutputExpression>> {
    let SetExpr::Select(select) = query.ast.body.as_ref() else { return None };
    select
        .projection
        .iter()
        .map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.to_lowercase(), expr.clone())),
            SelectItem::UnnamedExpr(expr) => {
                let name = match expr {
                    Expr::Identifier(ident) => ident,
                    Expr::CompoundIdentifier(parts) => parts.last()?,
                    _ => return None,
                };
                Some((name.value.to_lowercase(), expr.clone()))
            }
            _ => None,
        })
        .collect()
}

/// A computed column as an output column.
pub fn computed(name: &str, expression: &Expression) -> OutputExpression {
    (name.to_lowercase(), expression.ast.clone())
}

/// Whether the values of `features` determine that of `target`.
pub fn determines(columns: &[OutputExpression], features: &[String], target: &str) -> bool {
    let find = |name: &str| columns.iter().find(|(column, _)| *column == name.to_lowercase()).map(|(_, expr)| expr);
    let Some(target) = find(target) else { return false };
    let known: Vec<&Expr> = features.iter().filter_map(|feature| find(feature)).map(bare).collect();
    is_determined(target, &known)
}

fn is_determined(expr: &Expr, known: &[&Expr]) -> bool {
    let expr = bare(expr);
    if known.contains(&expr) {
        return true;
    }
    match expr {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Cast { expr, .. }
        | Expr::UnaryOp { expr, .. }
        | Expr::IsNull(expr)
        | Expr::IsNotNull(expr)
        | Expr::IsTrue(expr)
        | Expr::IsFalse(expr)
        | Expr::IsNotTrue(expr)
        | Expr::IsNotFalse(expr)
        | Expr::Extract { expr, .. } => is_determined(expr, known),
        Expr::BinaryOp { left, right, .. } => is_determined(left, known) && is_determined(right, known),
        Expr::Between { expr, low, high, .. } => [expr, low, high].into_iter().all(|part| is_determined(part, known)),
        Expr::InList { expr, list, .. } => {
            is_determined(expr, known) && list.iter().all(|part| is_determined(part, known))
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            operand.iter().chain(else_result).all(|part| is_determined(part, known))
                && conditions
                    .iter()
                    .all(|when| is_determined(&when.condition, known) && is_determined(&when.result, known))
        }
        Expr::Function(function) => by_average(function, known) || of_row(function, known),
        _ => false,
    }
}

/// Without parentheses.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// Functions of one row's values whose result depends on nothing else.
fn of_row(function: &ast::Function, known: &[&Expr]) -> bool {
    const PURE: &[&str] = &[
        "abs",
        "ceil",
        "ceiling",
        "coalesce",
        "concat",
        "exp",
        "floor",
        "greatest",
        "if",
        "ifnull",
        "least",
        "length",
        "ln",
        "log10",
        "lower",
        "mod",
        "nullif",
        "nvl",
        "pow",
        "power",
        "round",
        "sign",
        "sqrt",
        "substr",
        "substring",
        "trim",
        "upper",
        "year",
        "month",
        "day",
        "date_diff",
        "datediff",
    ];
    let name = function.name.to_string().to_lowercase();
    PURE.contains(&name.as_str())
        && function.over.is_none()
        && arguments(function).is_some_and(|arguments| {
            arguments.iter().all(|argument| argument.is_some_and(|part| is_determined(part, known)))
        })
}

/// sum = count × avg: two of them give the third.
fn by_average(function: &ast::Function, known: &[&Expr]) -> bool {
    let Some((name, argument)) = aggregate(function) else { return false };
    let has = |wanted: &str, of: Option<&Expr>| {
        known.iter().any(|expr| match expr {
            Expr::Function(other) => {
                aggregate(other).is_some_and(|(name, argument)| name == wanted && (of.is_none() || argument == of))
            }
            _ => false,
        })
    };
    let counts = |of: Option<&Expr>| {
        known.iter().any(|expr| match expr {
            Expr::Function(other) => aggregate(other)
                .is_some_and(|(name, argument)| name == "count" && (argument.is_none() || argument == of)),
            _ => false,
        })
    };
    match name.as_str() {
        "sum" => argument.is_some() && has("avg", argument) && counts(argument),
        "avg" => argument.is_some() && has("sum", argument) && counts(argument),
        "count" => known.iter().any(|expr| match expr {
            Expr::Function(other) => aggregate(other).is_some_and(|(name, summed)| {
                name == "sum" && has("avg", summed) && (argument.is_none() || argument == summed)
            }),
            _ => false,
        }),
        _ => false,
    }
}

/// The name (`mean` as `avg`) and argument (`None` for `*`) of a plain call of sum, avg or count.
fn aggregate(function: &ast::Function) -> Option<(String, Option<&Expr>)> {
    let name = match function.name.to_string().to_lowercase().as_str() {
        "mean" => "avg".to_owned(),
        other => other.to_owned(),
    };
    let plain = function.over.is_none() && function.filter.is_none();
    let FunctionArguments::List(list) = &function.args else { return None };
    if !plain || list.duplicate_treatment.is_some() || !["sum", "avg", "count"].contains(&name.as_str()) {
        return None;
    }
    match arguments(function)?.as_slice() {
        [only] => Some((name, only.map(bare))),
        _ => None,
    }
}

/// A call's arguments; `None` among them stands for `*`.
fn arguments(function: &ast::Function) -> Option<Vec<Option<&Expr>>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(Some(expr)),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Some(None),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parse::parse_query;

    fn determined(features: &[&str], target: &str) -> bool {
        let query = parse_query(
            "SELECT customer_id, count(*) AS frequency, sum(amount) AS total, avg(amount) AS ticket, \
             max(order_ts) AS last, sum(amount) / count(*) AS mean_2, count(*) > 3 AS loyal, min(price) AS low \
             FROM silver.sales GROUP BY customer_id",
        )
        .expect("a query");
        let features: Vec<String> = features.iter().map(|feature| (*feature).to_owned()).collect();
        determines(&output_expressions(&query).expect("one select"), &features, target)
    }

    #[test]
    fn a_sum_follows_from_count_and_average() {
        assert!(determined(&["frequency", "ticket"], "total"));
        assert!(determined(&["total", "ticket"], "frequency"));
        assert!(determined(&["total", "frequency"], "ticket"));
        assert!(determined(&["total", "frequency"], "mean_2"));
        assert!(determined(&["frequency"], "loyal"));
    }

    #[test]
    fn what_no_rule_covers_is_not_called_determined() {
        assert!(!determined(&["frequency"], "total"));
        assert!(!determined(&["total", "ticket"], "last"));
        assert!(!determined(&["frequency", "ticket"], "low"));
    }
}
