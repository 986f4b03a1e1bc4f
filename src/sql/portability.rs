//! What the local engine computes as Databricks does, and what it does not.
//!
//! `functions::FUNCTIONS` is the table: a function is exact, exact under a condition, or refused with the reason; one that is not
//! in the table is refused, too, since nobody has compared it. Constructs and casts follow below. A refused part is an
//! error at its bytes; nothing is ever run with another meaning. "Exact" is for values of the types that the function
//! documents; errors' texts and plans may differ.

use std::ops::ControlFlow;

use deltalake::arrow::datatypes::DataType;
use deltalake::datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use deltalake::datafusion::common::{DFSchema, Result as PlanResult, not_impl_err, plan_err};
use deltalake::datafusion::logical_expr::utils::merge_schema;
use deltalake::datafusion::logical_expr::{Expr as Planned, ExprSchemable, LogicalPlan};
use deltalake::datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Select,
    Spanned, TableFactor, Value, Visit, Visitor,
};

use crate::sql::bind::Aggregates;
use crate::sql::parse::{ErrorKind, Expression, Query, SqlError};
use crate::sql::{position, spans};

mod functions;

pub use functions::{Condition, FUNCTIONS, Portability, portability};

use functions::Condition::{AtLeast, AtMost, NullTest, Ordered, SimplePattern};
use functions::Portability::{Conditional, Exact, Refused};
use functions::{is_aggregate, is_databricks_function, usable_functions};

/// The refused parts of a query.
pub(super) fn refuse_query(query: &Query) -> Vec<SqlError> {
    let mut walk = Refusals { text: &query.text, place: Place::Query, null_tests: Vec::new(), errors: Vec::new() };
    let _ = query.ast.visit(&mut walk);
    walk.errors
}

/// The refused parts of an expression over one row.
pub(super) fn refuse_expression(expression: &Expression, aggregates: Aggregates) -> Vec<SqlError> {
    let mut walk = Refusals {
        text: &expression.text,
        place: Place::Expression(aggregates),
        null_tests: Vec::new(),
        errors: Vec::new(),
    };
    let _ = expression.ast.visit(&mut walk);
    walk.errors
}

#[derive(Clone, Copy)]
enum Place {
    Query,
    Expression(Aggregates),
}

struct Refusals<'a> {
    text: &'a str,
    place: Place,
    /// Calls that are the operand of a NULL test, by where they are written.
    null_tests: Vec<std::ops::Range<usize>>,
    errors: Vec<SqlError>,
}

impl Visitor for Refusals<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        if matches!(self.place, Place::Expression(_)) {
            let range = spans::query_range(self.text, query);
            self.errors.push(
                SqlError::new(ErrorKind::Unsupported, "an expression over one row has no place for a query", range)
                    .help("join the other table in a table of its own, with `sql`"),
            );
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let spanned = |exprs: &[Expr]| {
            exprs.iter().map(|expr| spans::expr_range(self.text, expr)).reduce(|all, next| all.start..next.end)
        };
        if let Some((function, range)) =
            select.selection.as_ref().and_then(|predicate| of_several_rows(self.text, predicate))
        {
            let written = self.text.get(range.clone()).unwrap_or_default().to_owned();
            let clause = if function.over.is_some() { "QUALIFY" } else { "HAVING" };
            self.errors.push(
                SqlError::new(
                    ErrorKind::Invalid,
                    format!("`{written}` needs several rows, and WHERE looks at one"),
                    range,
                )
                .help(format!("move the condition to {clause}")),
            );
            return ControlFlow::Continue(());
        }
        let mut refuse = |what: &str, range: Option<std::ops::Range<usize>>, help: &str| {
            let range = range.unwrap_or_else(|| position::whole(self.text));
            self.errors.push(
                SqlError::new(ErrorKind::Unsupported, format!("the local engine does not run {what}"), range)
                    .help(help),
            );
        };
        if let Some(view) = select.lateral_views.first() {
            refuse(
                "LATERAL VIEW",
                Some(spans::expr_range(self.text, &view.lateral_view)),
                "unnest in an earlier table",
            );
        }
        if !select.cluster_by.is_empty() {
            refuse("CLUSTER BY", spanned(&select.cluster_by), "take it out; say `cluster_by` under `write`");
        }
        if !select.distribute_by.is_empty() {
            refuse("DISTRIBUTE BY", spanned(&select.distribute_by), "take it out; it changes no rows");
        }
        if let GroupByExpr::All(modifiers) = &select.group_by
            && !modifiers.is_empty()
        {
            refuse("GROUP BY ALL with modifiers", None, "name the columns");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let what = match factor {
            TableFactor::Pivot { .. } => "PIVOT",
            TableFactor::Unpivot { .. } => "UNPIVOT",
            TableFactor::Table { args: Some(_), .. }
            | TableFactor::Function { .. }
            | TableFactor::TableFunction { .. } => "table functions",
            TableFactor::Table { sample: Some(_), .. } => "TABLESAMPLE",
            TableFactor::Table { version: Some(_), .. } => "time travel",
            _ => return ControlFlow::Continue(()),
        };
        let range = position::range(self.text, factor.span()).unwrap_or_else(|| position::whole(self.text));
        self.errors.push(
            SqlError::new(ErrorKind::Unsupported, format!("the local engine does not run {what}"), range)
                .help("write it another way"),
        );
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => self.function(expr, function),
            Expr::IsNull(tested) | Expr::IsNotNull(tested) if matches!(tested.as_ref(), Expr::Function(_)) => {
                self.null_tests.push(spans::expr_range(self.text, tested));
            }
            Expr::BinaryOp {
                op: BinaryOperator::PGRegexMatch | BinaryOperator::PGRegexNotMatch,
                right: pattern,
                ..
            } if !is_simple_pattern(pattern) => self.refuse_pattern(pattern),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Refusals<'_> {
    fn function(&mut self, expr: &Expr, function: &Function) {
        let name = function.name.to_string().to_lowercase();
        let name_range =
            spans::function_name_range(self.text, function).unwrap_or_else(|| spans::expr_range(self.text, expr));
        if let Place::Expression(aggregates) = self.place
            && (function.over.is_some() || (aggregates == Aggregates::Refused && is_aggregate(&name)))
        {
            let range = spans::expr_range(self.text, expr);
            self.errors.push(
                SqlError::new(ErrorKind::Unsupported, format!("`{name}` needs several rows, and here is one"), range)
                    .help("aggregate in a table of its own, with `sql`"),
            );
            return;
        }
        let arguments: &[FunctionArg] = match &function.args {
            FunctionArguments::List(list) => &list.args,
            FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
        };
        let refusal = match portability(&name) {
            Some(Exact | Conditional(Ordered)) => None,
            Some(Conditional(AtMost(n))) if arguments.len() <= n => None,
            Some(Conditional(AtMost(n))) if !name.starts_with("to_") => {
                Some(format!("give it {n} argument{} at most", if n == 1 { "" } else { "s" }))
            }
            Some(Conditional(AtMost(_))) => Some(
                "leave the pattern out, or cast; Databricks reads Java patterns, the local engine others".to_owned(),
            ),
            Some(Conditional(AtLeast(n))) if arguments.len() >= n => None,
            Some(Conditional(AtLeast(_))) => Some("write `ln(…)` or `log10(…)`".to_owned()),
            Some(Conditional(SimplePattern)) => {
                if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern))) = arguments.get(1)
                    && !is_simple_pattern(pattern)
                {
                    self.refuse_pattern(pattern);
                }
                None
            }
            Some(Conditional(NullTest)) if self.null_tests.contains(&spans::expr_range(self.text, expr)) => None,
            Some(Conditional(NullTest)) => Some(format!("ask `{name}(…) IS NULL`; the local engine has no such value")),
            Some(Refused(why)) => Some(why.to_owned()),
            None if is_databricks_function(&name) => {
                Some("write it with other functions, or run this table on Databricks".to_owned())
            }
            // Planning tells that it does not exist, or it is DataFusion's alone.
            None => return self.foreign(&name, name_range),
        };
        if let Some(help) = refusal {
            self.errors.push(
                SqlError::new(
                    ErrorKind::Unsupported,
                    format!("the local engine does not compute `{name}` as Databricks does"),
                    name_range,
                )
                .help(help),
            );
        }
    }

    fn foreign(&mut self, name: &str, range: std::ops::Range<usize>) {
        let near = crate::name::nearest(name, usable_functions());
        let mut error = SqlError::new(ErrorKind::UnknownFunction, format!("there is no function `{name}`"), range);
        error.help = Some(near.map_or_else(
            || "see Databricks' list of built-in functions".to_owned(),
            |near| format!("did you mean `{near}`?"),
        ));
        error.fix = near.map(str::to_owned);
        self.errors.push(error);
    }

    fn refuse_pattern(&mut self, pattern: &Expr) {
        self.errors.push(
            SqlError::new(
                ErrorKind::Unsupported,
                "the local engine reads this pattern otherwise than Databricks",
                spans::expr_range(self.text, pattern),
            )
            .note("lookaround, back references and possessive quantifiers are Java's alone, and a computed pattern cannot be checked")
            .help("write a literal pattern without them"),
        );
    }
}

/// The first aggregate or window function of an expression, outside of its subqueries.
fn of_several_rows(text: &str, expr: &Expr) -> Option<(Function, std::ops::Range<usize>)> {
    struct Find<'a> {
        text: &'a str,
        n_queries: usize,
    }
    impl Visitor for Find<'_> {
        type Break = (Function, std::ops::Range<usize>);

        fn pre_visit_query(&mut self, _query: &ast::Query) -> ControlFlow<Self::Break> {
            self.n_queries += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _query: &ast::Query) -> ControlFlow<Self::Break> {
            self.n_queries -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
            match expr {
                Expr::Function(function)
                    if self.n_queries == 0
                        && (function.over.is_some() || is_aggregate(&function.name.to_string().to_lowercase())) =>
                {
                    ControlFlow::Break((function.clone(), spans::expr_range(self.text, expr)))
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Find { text, n_queries: 0 }).break_value()
}

/// Whether Java and Rust read a literal pattern alike, apart from classes such as `\d`, which are ASCII in Java and
/// Unicode in Rust.
fn is_simple_pattern(pattern: &Expr) -> bool {
    let Expr::Value(value) = pattern else { return false };
    let Value::SingleQuotedString(text) = &value.value else { return matches!(value.value, Value::Null) };
    let lookaround = ["(?=", "(?!", "(?<=", "(?<!", "(?>", "*+", "++", "?+", "}+", "\\G", "\\Q", "&&"];
    let back_reference = text
        .as_bytes()
        .windows(2)
        .any(|pair| pair[0] == b'\\' && (pair[1].is_ascii_digit() && pair[1] != b'0' || pair[1] == b'k'));
    !back_reference && !lookaround.iter().any(|part| text.contains(part)) && regex::Regex::new(text).is_ok()
}

/// Refuses casts, also those that coercion added, whose values Spark makes otherwise or not at all.
///
/// # Errors
/// Names the two types.
pub(super) fn check_casts(expr: &Planned, schema: &DFSchema) -> PlanResult<()> {
    expr.apply(|part| {
        let (inner, target) = match part {
            Planned::Cast(cast) => (cast.expr.as_ref(), cast.field.data_type()),
            Planned::TryCast(cast) => (cast.expr.as_ref(), cast.field.data_type()),
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        if matches!(inner, Planned::Literal(..)) {
            return Ok(TreeNodeRecursion::Continue);
        }
        if let Ok(from) = inner.get_type(schema)
            && !is_portable_cast(&from, target)
        {
            return not_impl_err!("a cast from {from} to {target}");
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Refuses texts beside numbers, dates or booleans where one type has to be found for all, and conditions that are no
/// booleans: Spark makes the text a number or refuses, DataFusion makes the number a text. For expressions as planned,
/// before coercion.
///
/// # Errors
/// Names the part.
pub(super) fn check_mixtures(expr: &Planned, schema: &DFSchema) -> PlanResult<()> {
    expr.apply(|part| {
        let together: Vec<&Planned> = match part {
            Planned::Case(case) => {
                for (when, _) in &case.when_then_expr {
                    if case.expr.is_none()
                        && !matches!(when.get_type(schema), Err(_) | Ok(DataType::Boolean | DataType::Null))
                    {
                        return plan_err!("WHEN {when} is no boolean");
                    }
                }
                case.when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(case.else_expr.as_deref()).collect()
            }
            Planned::InList(list) => std::iter::once(list.expr.as_ref()).chain(&list.list).collect(),
            Planned::Between(between) => vec![&between.expr, &between.low, &between.high],
            Planned::ScalarFunction(call) => match call.func.name() {
                "coalesce" | "nvl" | "ifnull" | "nullif" | "greatest" | "least" => call.args.iter().collect(),
                "if" => call.args.iter().skip(1).collect(),
                _ => return Ok(TreeNodeRecursion::Continue),
            },
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        let kinds: Vec<DataType> = together.iter().filter_map(|part| part.get_type(schema).ok()).collect();
        let dates = kinds.iter().any(|kind| matches!(kind, DataType::Date32 | DataType::Timestamp(..)));
        // A literal beside a date or timestamp becomes one on both engines.
        let texts = together
            .iter()
            .zip(&kinds)
            .filter(|(part, _)| !(dates && matches!(part, Planned::Literal(..))))
            .any(|(_, kind)| is_text(kind));
        let others = kinds.iter().any(|kind| !is_text(kind) && !kind.is_null() && !kind.is_nested());
        if texts && others {
            return plan_err!("texts beside other types in {part}");
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Applies [`check_casts`] or [`check_mixtures`] to a whole plan.
///
/// # Errors
/// The first that `check` gives.
pub(super) fn check_plan(plan: &LogicalPlan, check: fn(&Planned, &DFSchema) -> PlanResult<()>) -> PlanResult<()> {
    plan.apply_with_subqueries(|node| {
        let inputs = node.inputs();
        let merged;
        let schema: &DFSchema = match inputs.as_slice() {
            [single] => single.schema(),
            several => {
                merged = merge_schema(several);
                &merged
            }
        };
        node.apply_expressions(|expr| {
            check(expr, schema)?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(())
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Whether a cast gives Spark's values (Spark: `Cast.canAnsiCast`; texts: `ToStringBase`).
pub(super) fn is_portable_cast(from: &DataType, to: &DataType) -> bool {
    use DataType::{Boolean, Date32, List, Map, Null, Struct, Timestamp};
    match (from, to) {
        _ if from == to => true,
        (Null, _) => true,
        // `2024-01-01 00:00:00` there, `2024-01-01T00:00:00Z` here; doubles and nested values also differ as text.
        (Timestamp(..) | List(_) | Map(..) | Struct(_), to) if is_text(to) => false,
        (from, to) if is_text(to) && from.is_floating() => false,
        // Seconds there, microseconds here.
        (Timestamp(..), to) if to.is_numeric() => false,
        (from, Timestamp(..)) if from.is_numeric() => false,
        (Date32, to) if to.is_numeric() => false,
        (from, Date32) if from.is_numeric() => false,
        (Boolean, Date32 | Timestamp(..)) | (Date32 | Timestamp(..), Boolean) => false,
        (List(_) | Map(..) | Struct(_), List(_) | Map(..) | Struct(_)) => {
            std::mem::discriminant(from) == std::mem::discriminant(to)
        }
        (List(_) | Map(..) | Struct(_), _) | (_, List(_) | Map(..) | Struct(_)) => false,
        _ => true,
    }
}
