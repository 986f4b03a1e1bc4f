//! Databricks' spellings that DataFusion does not plan, as those that it does.
//!
//! In: a parsed tree. Out: the same tree, in which `a RLIKE b` is an operator and `year(x)` and its like are EXTRACTs.
//! Functions that only have another name are aliases in `session`.

use std::ops::ControlFlow;

use deltalake::datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, CastKind, DataType, DateTimeField, Expr, ExtractSyntax, FunctionArg, FunctionArgExpr,
    FunctionArguments, Value, VisitorMut,
};

/// An expression nests deeper than what walks it can bear.
#[derive(Debug)]
pub(super) struct TooDeep;

/// The operators in a row, or expressions within one another, that are walked; each level takes stack.
const DEEPEST: usize = 400;

/// Rewrites every expression of a tree.
///
/// # Errors
/// When an expression nests too deeply. Dropping such a tree takes stack, too: the caller lets it leak.
pub(super) fn normalise(tree: &mut impl ast::VisitMut) -> Result<(), TooDeep> {
    match tree.visit(&mut Spelling { depth: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(too_deep) => Err(too_deep),
    }
}

struct Spelling {
    depth: usize,
}

impl VisitorMut for Spelling {
    type Break = TooDeep;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<TooDeep> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return ControlFlow::Break(TooDeep);
        }
        match expr {
            Expr::RLike { negated, expr: left, pattern: right, .. } => {
                let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
                let (left, right) = (taken(left), taken(right));
                *expr = Expr::BinaryOp { left, op, right };
            }
            Expr::Function(function) if function.over.is_none() => {
                if let Some(field) = date_field(function)
                    && let FunctionArguments::List(list) = &mut function.args
                    && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_mut_slice()
                {
                    let argument = taken(argument);
                    *expr = Expr::Extract { field, syntax: ExtractSyntax::From, expr: argument };
                } else {
                    date_arguments(function);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _expr: &mut Expr) -> ControlFlow<TooDeep> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

/// Spark casts the arguments of these to dates and ints by itself; DataFusion takes nothing else.
fn date_arguments(function: &mut ast::Function) {
    let [part] = function.name.0.as_slice() else { return };
    let name = part.as_ident().map(|ident| ident.value.to_lowercase()).unwrap_or_default();
    let wanted: &[DataType] = match name.as_str() {
        "date_add" | "date_sub" | "add_months" => &[DataType::Date, DataType::Int(None)],
        "datediff" | "date_diff" => &[DataType::Date, DataType::Date],
        "last_day" => &[DataType::Date],
        _ => return,
    };
    let FunctionArguments::List(list) = &mut function.args else { return };
    if list.args.len() != wanted.len() {
        return;
    }
    for (argument, data_type) in list.args.iter_mut().zip(wanted) {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
            let inner = taken(expr);
            *expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: inner,
                data_type: data_type.clone(),
                array: false,
                format: None,
            };
        }
    }
}

fn taken(expr: &mut Expr) -> Box<Expr> {
    Box::new(std::mem::replace(expr, Expr::value(Value::Null)))
}

fn date_field(function: &ast::Function) -> Option<DateTimeField> {
    let [part] = function.name.0.as_slice() else { return None };
    Some(match part.as_ident()?.value.to_lowercase().as_str() {
        "year" => DateTimeField::Year,
        "quarter" => DateTimeField::Quarter,
        "month" => DateTimeField::Month,
        "day" | "dayofmonth" => DateTimeField::Day,
        "dayofyear" => DateTimeField::Doy,
        _ => return None,
    })
}
