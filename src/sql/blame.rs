//! The words for SQL errors.
//!
//! In: the smallest part of a text that does not plan, the columns around it and DataFusion's error. Out: a
//! [`SqlError`] with its kind, bytes, help and, where one exists, the text that puts it right. Kinds come from the syntax
//! tree and from the error's variant, never from its message, which is shown only where nothing better is known.

use std::ops::Range;

use deltalake::arrow::datatypes as arrow;
use deltalake::datafusion::common::{DFSchema, DataFusionError, SchemaError};
use deltalake::datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned,
};

use crate::ir::DataType;
use crate::name;
use crate::sql::bind::Tabled;
use crate::sql::parse::{ErrorKind, SqlError};
use crate::sql::{position, spans, types};

/// An error of an expression whose parts are all right.
pub(super) fn expression(
    context: &Tabled<'_, '_>,
    text: &str,
    expr: &Expr,
    row: &DFSchema,
    typed: &dyn Fn(&Expr) -> Option<arrow::DataType>,
    error: &DataFusionError,
) -> SqlError {
    match expr {
        Expr::Identifier(ident) => column(text, std::slice::from_ref(ident), row, error),
        Expr::CompoundIdentifier(idents) => column(text, idents, row, error),
        Expr::Function(function) if mixes(function) => {
            let operands: Vec<&Expr> = arguments(function).collect();
            types_error(text, expr, &function.name.to_string().to_lowercase(), &operands, typed)
        }
        Expr::Function(function) => call(context, text, expr, function, typed, error),
        Expr::BinaryOp { left, op, right } => binary(text, expr, left, op, right, typed, error),
        Expr::Cast { expr: inner, data_type, .. } => {
            let range = spans::expr_range(text, expr);
            if DataType::parse(&data_type.to_string()).is_err() {
                let reason = DataType::parse(&data_type.to_string()).err().unwrap_or_default();
                return SqlError::new(ErrorKind::Type, format!("there is no type `{data_type}`"), range).help(reason);
            }
            cast_error(text, inner, &data_type.to_string(), typed(inner), range)
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            for condition in conditions.iter().map(|case| &case.condition).filter(|_| operand.is_none()) {
                if let Some(data_type) = typed(condition)
                    && !matches!(data_type, arrow::DataType::Boolean | arrow::DataType::Null)
                {
                    return not_boolean(text, condition, &data_type);
                }
            }
            let results = conditions.iter().map(|case| &case.result).chain(else_result.as_deref());
            let kinds: Vec<String> = results.map(|result| type_phrase(typed(result))).collect();
            SqlError::new(
                ErrorKind::Type,
                format!("the branches of CASE have types that do not go together: {}", kinds.join(", ")),
                spans::expr_range(text, expr),
            )
            .note("every WHEN has to be a boolean or comparable with CASE's operand")
            .help("cast the branches to one type")
        }
        Expr::Between { expr: value, low, high, .. } => {
            types_error(text, expr, "BETWEEN", &[value.as_ref(), low.as_ref(), high.as_ref()], typed)
        }
        Expr::InList { expr: value, list, .. } => {
            let mut operands: Vec<&Expr> = vec![value.as_ref()];
            operands.extend(list);
            types_error(text, expr, "IN", &operands, typed)
        }
        Expr::Like { expr: value, pattern, .. } | Expr::ILike { expr: value, pattern, .. } => {
            types_error(text, expr, "LIKE", &[value.as_ref(), pattern.as_ref()], typed)
        }
        Expr::UnaryOp { op, expr: value } => types_error(text, expr, &op.to_string(), &[value.as_ref()], typed),
        Expr::IsTrue(value) | Expr::IsFalse(value) | Expr::IsNotTrue(value) | Expr::IsNotFalse(value) => {
            types_error(text, expr, "IS TRUE", &[value.as_ref()], typed)
        }
        other => elsewhere(text, spans::expr_range(text, other), error),
    }
}

/// An error without a part of its own: DataFusion's span and words.
pub(super) fn elsewhere(text: &str, fallback: Range<usize>, error: &DataFusionError) -> SqlError {
    let range = error
        .diagnostic()
        .and_then(|diagnostic| diagnostic.span)
        .and_then(|span| position::datafusion_range(text, span))
        .unwrap_or(fallback);
    let root = error.find_root();
    let kind = match root {
        DataFusionError::NotImplemented(_) => ErrorKind::Unsupported,
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::AmbiguousReference { .. } => ErrorKind::AmbiguousColumn,
            SchemaError::FieldNotFound { .. } => ErrorKind::UnknownColumn,
            SchemaError::DuplicateQualifiedField { .. } | SchemaError::DuplicateUnqualifiedField { .. } => {
                ErrorKind::DuplicateColumn
            }
        },
        _ => ErrorKind::Invalid,
    };
    let words = match root {
        DataFusionError::Plan(words)
        | DataFusionError::NotImplemented(words)
        | DataFusionError::Internal(words)
        | DataFusionError::Execution(words) => words.clone(),
        other => other.strip_backtrace(),
    };
    let first = words.lines().next().unwrap_or_default().trim_end_matches('.');
    match kind {
        ErrorKind::Unsupported => SqlError::new(kind, "the local engine cannot run this", range).note(first.to_owned()),
        _ => SqlError::new(kind, lower_first(first), range),
    }
    .help("write it another way")
}

/// A name that no column in `row` has.
pub(super) fn unknown_column(text: &str, idents: &[Ident], row: &DFSchema, hint: Option<&str>) -> SqlError {
    let range = idents_range(text, idents);
    let Some((last, qualifiers)) = idents.split_last() else {
        return SqlError::new(ErrorKind::UnknownColumn, "there is no such column", range);
    };
    let written = spans::written_name(text, last);
    if let Some(qualifier) = qualifiers.last() {
        let alias = spans::written_name(text, qualifier);
        let known: Vec<&str> = qualifiers_of(row);
        if !known.iter().any(|candidate| name::same(candidate, &alias)) {
            let range = position::range(text, qualifier.span).unwrap_or(range);
            let mut error =
                SqlError::new(ErrorKind::UnknownColumn, format!("no table or alias here is called `{alias}`"), range);
            error.help = name::did_you_mean(&alias, known.iter().copied());
            error.fix = name::nearest(&alias, known.iter().copied()).map(str::to_owned);
            return error;
        }
        let of_alias: Vec<&str> = row
            .iter()
            .filter(|(of, _)| of.is_some_and(|of| name::same(of.table(), &alias)))
            .map(|(_, field)| field.name().as_str())
            .collect();
        let range = position::range(text, last.span).unwrap_or(range);
        let message = format!("`{alias}` has no column `{written}`");
        let mut error = SqlError::new(ErrorKind::UnknownColumn, message, range);
        error.help = name::did_you_mean(&written, of_alias.iter().copied());
        error.fix = name::nearest(&written, of_alias.iter().copied()).map(quoted);
        return error;
    }
    let columns: Vec<&str> = row.iter().map(|(_, field)| field.name().as_str()).collect();
    let mut error = SqlError::new(ErrorKind::UnknownColumn, format!("there is no column `{written}`"), range);
    if columns.is_empty() {
        return error.help("say which table it is from: `FROM layer.table`");
    }
    if let Some(near) = name::nearest(&written, columns.iter().copied()) {
        let candidates = qualified(row, near);
        let replacement = match candidates.as_slice() {
            [_, _, ..] => candidates.first().cloned().unwrap_or_default(),
            _ => quoted(near),
        };
        error.help = Some(format!("did you mean `{replacement}`?"));
        error.fix = Some(replacement);
    } else {
        error.note = Some(format!("text is written in quotes: `'{written}'`"));
        error.help = hint.map(str::to_owned).or_else(|| name::did_you_mean(&written, columns.iter().copied()));
    }
    error
}

/// A set operation whose sides have different numbers of columns.
pub(super) fn arity(range: Range<usize>, operator: &str, n_left: usize, n_right: usize) -> SqlError {
    SqlError::new(ErrorKind::Type, format!("the sides of {operator} have {n_left} and {n_right} columns"), range)
        .help(format!("select {n_left} columns here, in the order of the first side"))
}

/// The first column of which the sides of a set operation have types that do not go together.
pub(super) fn sides(
    range: Range<usize>,
    operator: &str,
    first: &arrow::Fields,
    second: &arrow::Fields,
) -> Option<SqlError> {
    let mut pairs = first.iter().zip(second).enumerate();
    let (place, (left, right)) = pairs.find(|(_, (left, right))| {
        let (left, right) = (left.data_type(), right.data_type());
        let alike = left == right || left.is_null() || right.is_null() || (left.is_numeric() && right.is_numeric());
        !alike
    })?;
    let message = format!(
        "column {} of {operator} is {} first and {} here",
        place + 1,
        type_phrase(Some(left.data_type().clone())),
        type_phrase(Some(right.data_type().clone()))
    );
    Some(SqlError::new(ErrorKind::Type, message, range).help("cast one of the two"))
}

/// A condition that is no boolean.
pub(super) fn not_boolean(text: &str, predicate: &Expr, data_type: &arrow::DataType) -> SqlError {
    let range = spans::expr_range(text, predicate);
    let written = text.get(range.clone()).unwrap_or_default();
    let error = SqlError::new(
        ErrorKind::Type,
        format!("a condition is boolean, and this is {}", type_phrase(Some(data_type.clone()))),
        range,
    );
    match types::from_arrow(data_type) {
        Some(numeric) if numeric.is_numeric() => {
            error.help(format!("compare it, e.g. `{written} <> 0`")).fix(format!("{written} <> 0"))
        }
        _ => error.help(format!("compare it, e.g. `{written} IS NOT NULL`")).fix(format!("{written} IS NOT NULL")),
    }
}

/// A select item that names the alias of another.
pub(super) fn lateral_alias(range: Range<usize>, alias: &str, aliased: &str) -> SqlError {
    SqlError::new(
        ErrorKind::Unsupported,
        format!("`{alias}` is an alias of this SELECT, which the local engine does not see here"),
        range,
    )
    .help(format!("repeat its expression: `({aliased})`"))
    .fix(format!("({aliased})"))
}

/// An aggregate where single rows are looked at.
pub(super) fn aggregate_in_where(text: &str, call: &Expr) -> SqlError {
    let range = position::range(text, call.span()).unwrap_or_else(|| position::whole(text));
    let written = text.get(range.clone()).unwrap_or_default();
    SqlError::new(ErrorKind::Invalid, format!("`{written}` aggregates, and WHERE looks at single rows"), range)
        .help("filter the groups with HAVING, behind GROUP BY, or aggregate in a query of WITH first")
}

/// A column that is neither grouped nor aggregated.
pub(super) fn not_grouped(text: &str, expr: &Expr, whole_item: bool) -> SqlError {
    let range = spans::expr_range(text, expr);
    let written = text.get(range.clone()).unwrap_or_default();
    let fix = match spans::column_name(text, expr) {
        Some(name) if whole_item => format!("max({written}) AS {}", quoted(&name)),
        _ => format!("max({written})"),
    };
    SqlError::new(ErrorKind::NotGrouped, format!("`{written}` is neither grouped nor aggregated"), range)
        .note("a group has many rows, and this column may differ among them")
        .help(format!("add `{written}` to GROUP BY, or aggregate it: `{fix}`"))
        .fix(fix)
}

/// The second of two output columns called `name`; the first is column `place`. `expression` is the second's item without
/// its alias, `None` for a column out of a `*`.
pub(super) fn duplicate_column(
    text: &str,
    name: &str,
    range: Range<usize>,
    expression: Option<Range<usize>>,
    place: usize,
) -> SqlError {
    let error = SqlError::new(ErrorKind::DuplicateColumn, format!("two columns are called `{name}`"), range)
        .note(format!("column {} has that name, too", place + 1));
    match expression.and_then(|range| text.get(range)) {
        None => error.help("name the columns instead of `*`, or leave one out with `* EXCEPT (…)`"),
        Some(written) => error
            .help("give it another name, or take it out")
            .fix(format!("{written} AS {}", quoted(&format!("{name}_2")))),
    }
}

/// `a string`, `an int`.
pub(super) fn type_phrase(data_type: Option<arrow::DataType>) -> String {
    match data_type {
        None => "something".to_owned(),
        Some(arrow::DataType::Null) => "NULL".to_owned(),
        Some(arrow::DataType::Interval(_) | arrow::DataType::Duration(_)) => "an interval".to_owned(),
        Some(other) => types::from_arrow(&other).map_or_else(|| other.to_string(), |data_type| phrase(&data_type)),
    }
}

/// `a string`, `an int`.
pub(crate) fn phrase(data_type: &DataType) -> String {
    let word = data_type.to_string();
    let article = if word.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {word}")
}

fn column(text: &str, idents: &[Ident], row: &DFSchema, error: &DataFusionError) -> SqlError {
    if let DataFusionError::SchemaError(schema, _) = error.find_root()
        && let SchemaError::AmbiguousReference { field } = schema.as_ref()
    {
        let range = idents_range(text, idents);
        let candidates = qualified(row, &field.name);
        let mut error =
            SqlError::new(ErrorKind::AmbiguousColumn, format!("several inputs have a column `{}`", field.name), range);
        error.help =
            Some(format!("write {}", candidates.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(" or ")));
        error.fix = candidates.into_iter().next();
        return error;
    }
    unknown_column(text, idents, row, None)
}

fn call(
    context: &Tabled<'_, '_>,
    text: &str,
    expr: &Expr,
    function: &Function,
    typed: &dyn Fn(&Expr) -> Option<arrow::DataType>,
    error: &DataFusionError,
) -> SqlError {
    let written = function.name.to_string();
    let lower = written.to_lowercase();
    let arguments: Vec<String> = arguments(function).map(|argument| type_phrase(typed(argument))).collect();
    let range = spans::expr_range(text, expr);
    let message = if arguments.is_empty() {
        format!("`{lower}` is not defined without arguments")
    } else {
        format!("`{lower}` does not take {}", arguments.join(", "))
    };
    let error_note = signature_note(context, &lower, error);
    let mut located = SqlError::new(ErrorKind::FunctionArguments, message, range);
    located.note = error_note;
    located.help("see the function's arguments; cast those of another type")
}

/// Whether a function finds one type for all of its arguments.
fn mixes(function: &Function) -> bool {
    let name = function.name.to_string().to_lowercase();
    matches!(name.as_str(), "coalesce" | "nvl" | "ifnull" | "nullif" | "greatest" | "least" | "if")
        && arguments(function).count() >= 2
}

/// The shapes of arguments that a function takes, where DataFusion knows them in words.
fn signature_note(context: &Tabled<'_, '_>, function: &str, error: &DataFusionError) -> Option<String> {
    let state = &context.typer.state;
    let signature = state
        .scalar_functions()
        .get(function)
        .map(|known| known.signature())
        .or_else(|| state.aggregate_functions().get(function).map(|known| known.signature()))
        .or_else(|| state.window_functions().get(function).map(|known| known.signature()));
    match (signature, error.find_root()) {
        (Some(signature), _) => {
            let shapes = signature.type_signature.to_string_repr();
            let words = !shapes.iter().any(|shape| shape.contains("UserDefined"));
            (words && !shapes.is_empty() && shapes.len() <= 4).then(|| {
                let shapes: Vec<String> = shapes.iter().map(|shape| format!("`{function}({shape})`")).collect();
                format!("it is {}", shapes.join(" or "))
            })
        }
        (None, _) => None,
    }
}

fn arguments(function: &Function) -> impl Iterator<Item = &Expr> {
    let list = match &function.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
    };
    list.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    })
}

fn binary(
    text: &str,
    expr: &Expr,
    left: &Expr,
    op: &BinaryOperator,
    right: &Expr,
    typed: &dyn Fn(&Expr) -> Option<arrow::DataType>,
    error: &DataFusionError,
) -> SqlError {
    if matches!(error.find_root(), DataFusionError::NotImplemented(_)) {
        return elsewhere(text, spans::expr_range(text, expr), error);
    }
    let (left_type, right_type) = (typed(left), typed(right));
    let (left_range, right_range) = (spans::expr_range(text, left), spans::expr_range(text, right));
    let range = left_range.start..right_range.end;
    let message =
        format!("`{op}` is not defined for {} and {}", type_phrase(left_type.clone()), type_phrase(right_type.clone()));
    let error = SqlError::new(ErrorKind::Type, message, range.clone());
    let spark = |data_type: Option<arrow::DataType>| data_type.and_then(|data_type| types::from_arrow(&data_type));
    let (side, target) = match (spark(left_type), spark(right_type)) {
        (Some(DataType::String), Some(other)) if other.is_numeric() => (left_range, other),
        (Some(other), Some(DataType::String)) if other.is_numeric() => (right_range, other),
        _ => return error.help("cast one side so that both have a type that the operator takes"),
    };
    let target = if matches!(target, DataType::Decimal { .. }) { DataType::Double } else { target };
    let written = text.get(side.clone()).unwrap_or_default();
    let cast = format!("CAST({written} AS {})", target.to_string().to_uppercase());
    let whole = text.get(range.clone()).unwrap_or_default();
    let fix = format!(
        "{}{cast}{}",
        &whole[..side.start - range.start],
        whole.get(side.end - range.start..).unwrap_or_default()
    );
    error.help(format!("cast it: `{cast}`")).fix(fix)
}

/// A cast that Spark does not have, or that makes other texts than Spark's.
fn cast_error(text: &str, inner: &Expr, target: &str, from: Option<arrow::DataType>, range: Range<usize>) -> SqlError {
    let spark = from.as_ref().and_then(types::from_arrow);
    let becomes_text = DataType::parse(target) == Ok(DataType::String);
    let written = text.get(spans::expr_range(text, inner)).unwrap_or_default();
    match spark {
        Some(from) if becomes_text => {
            let error = SqlError::new(
                ErrorKind::Unsupported,
                format!("the local engine does not write {} as text as Databricks does", phrase(&from)),
                range,
            );
            match from {
                DataType::Double | DataType::Float => {
                    let fix = format!("CAST(CAST({written} AS DECIMAL(38,10)) AS STRING)");
                    error.help(format!("say how many digits: `{fix}`")).fix(fix)
                }
                DataType::Timestamp | DataType::TimestampNtz => {
                    let fix = format!("CAST(CAST({written} AS DATE) AS STRING)");
                    error.help(format!("write its date, `{fix}`, or keep the timestamp")).fix(fix)
                }
                _ => error.help("keep it as it is, or take its parts"),
            }
        }
        _ => SqlError::new(ErrorKind::Type, format!("{} cannot be cast to `{target}`", type_phrase(from)), range)
            .help("cast to a type that it can become, or take another column"),
    }
}

fn types_error(
    text: &str,
    expr: &Expr,
    operator: &str,
    operands: &[&Expr],
    typed: &dyn Fn(&Expr) -> Option<arrow::DataType>,
) -> SqlError {
    let mut kinds: Vec<String> = operands.iter().map(|operand| type_phrase(typed(operand))).collect();
    kinds.dedup();
    SqlError::new(
        ErrorKind::Type,
        format!("`{operator}` is not defined for {}", kinds.join(" and ")),
        spans::expr_range(text, expr),
    )
    .help("cast the operands to types that the operator takes")
}

fn idents_range(text: &str, idents: &[Ident]) -> Range<usize> {
    let ranges = idents.iter().filter_map(|ident| position::range(text, ident.span));
    ranges.reduce(|all, next| all.start..next.end).unwrap_or_else(|| position::whole(text))
}

fn qualifiers_of(row: &DFSchema) -> Vec<&str> {
    let mut known: Vec<&str> = Vec::new();
    for (qualifier, _) in row.iter() {
        if let Some(qualifier) = qualifier
            && !known.contains(&qualifier.table())
        {
            known.push(qualifier.table());
        }
    }
    known
}

/// The ways to name a column with its table.
fn qualified(row: &DFSchema, column: &str) -> Vec<String> {
    row.iter()
        .filter(|(_, field)| name::same(field.name(), column))
        .map(|(qualifier, field)| match qualifier {
            Some(qualifier) => format!("{}.{}", quoted(qualifier.table()), quoted(field.name())),
            None => quoted(field.name()),
        })
        .collect()
}

fn quoted(name: &str) -> String {
    if name::is_identifier(name) { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

fn lower_first(phrase: &str) -> String {
    if phrase.chars().nth(1).is_some_and(char::is_uppercase) {
        return phrase.to_owned();
    }
    let mut characters = phrase.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
