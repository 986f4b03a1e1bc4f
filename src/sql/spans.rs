//! The bytes of syntax trees, where sqlparser's spans leave out parentheses, keywords and clauses (0.62).
//!
//! In: the text and a tree that was parsed from it. Out: the byte range that a reader would mark: a call with its
//! parentheses and OVER, a whole CAST, a negation with its operator. A tree without any span gets the whole text.

use std::ops::Range;

use deltalake::datafusion::sql::sqlparser::ast::{self, CastKind, Expr, SetExpr, Spanned};

use crate::sql::position;

/// The bytes of an expression.
pub(super) fn expr_range(text: &str, expr: &Expr) -> Range<usize> {
    try_range(text, expr).unwrap_or_else(|| position::whole(text))
}

/// The bytes of a select item, with its alias.
pub(super) fn item_range(text: &str, item: &ast::SelectItem) -> Range<usize> {
    let spanned = position::range(text, item.span());
    match item {
        ast::SelectItem::UnnamedExpr(expr) => expr_range(text, expr),
        ast::SelectItem::ExprWithAlias { expr, alias } => {
            let start = expr_range(text, expr).start;
            position::range(text, alias.span).map_or_else(|| position::whole(text), |alias| start..alias.end)
        }
        ast::SelectItem::ExprWithAliases { .. }
        | ast::SelectItem::Wildcard(_)
        | ast::SelectItem::QualifiedWildcard(..) => {
            spanned.map_or_else(|| position::whole(text), |range| balanced(text, range))
        }
    }
}

/// The bytes of a query, without parentheses around it.
pub(super) fn query_range(text: &str, query: &ast::Query) -> Range<usize> {
    position::range(text, query.span()).map_or_else(|| position::whole(text), |range| balanced(text, range))
}

/// The bytes of a set operation's side.
pub(super) fn set_range(text: &str, body: &SetExpr) -> Range<usize> {
    position::range(text, body.span()).map_or_else(|| position::whole(text), |range| balanced(text, range))
}

/// The select whose items name a query's columns: the leftmost of set operations.
pub(super) fn first_select(body: &SetExpr) -> Option<&ast::Select> {
    match body {
        SetExpr::Select(select) => Some(select),
        SetExpr::Query(query) => first_select(&query.body),
        SetExpr::SetOperation { left, .. } => first_select(left),
        _ => None,
    }
}

/// A name as it is written, without its quotes.
pub(super) fn written_name(text: &str, ident: &ast::Ident) -> String {
    let written = position::range(text, ident.span).and_then(|range| text.get(range)).unwrap_or(&ident.value);
    match written.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        Some(quoted) => quoted.replace("``", "`"),
        None => written.to_owned(),
    }
}

/// The name that an expression gives its column; `None` if it gives none.
pub(super) fn column_name(text: &str, expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(written_name(text, ident)),
        Expr::CompoundIdentifier(idents) => idents.last().map(|ident| written_name(text, ident)),
        Expr::Nested(inner) => column_name(text, inner),
        _ => None,
    }
}

fn try_range(text: &str, expr: &Expr) -> Option<Range<usize>> {
    match expr {
        Expr::Nested(inner) => Some(enclosed(text, try_range(text, inner)?, Around::Parentheses)),
        Expr::BinaryOp { left, right, .. }
        | Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right)
        | Expr::Like { expr: left, pattern: right, .. }
        | Expr::ILike { expr: left, pattern: right, .. }
        | Expr::RLike { expr: left, pattern: right, .. }
        | Expr::Between { expr: left, high: right, .. } => {
            Some(try_range(text, left)?.start..try_range(text, right)?.end)
        }
        Expr::UnaryOp { expr, .. } => {
            let inner = try_range(text, expr)?;
            let before = text[..inner.start].trim_end();
            let start = match before.strip_suffix(['-', '+', '!', '~']) {
                Some(rest) => rest.len(),
                None => before.len() - before.len().min(3),
            };
            Some(start..inner.end)
        }
        Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner) => {
            let inner = try_range(text, inner)?;
            let end = words_end(text, inner.end, &["is", "not", "null", "true", "false", "unknown"]);
            Some(inner.start..end)
        }
        Expr::InList { expr, .. } | Expr::InSubquery { expr, .. } => {
            let inner = try_range(text, expr)?;
            let open = text[inner.end..].find('(')? + inner.end;
            Some(inner.start..closing(text, open)? + 1)
        }
        Expr::Cast { kind: CastKind::DoubleColon, expr, .. } => {
            let inner = try_range(text, expr)?;
            let colons = text[inner.end..].find("::")? + inner.end + 2;
            Some(inner.start..type_end(text, colons))
        }
        Expr::Cast { expr, .. }
        | Expr::Convert { expr, .. }
        | Expr::Extract { expr, .. }
        | Expr::Substring { expr, .. }
        | Expr::Trim { expr, .. }
        | Expr::Ceil { expr, .. }
        | Expr::Floor { expr, .. }
        | Expr::Position { expr, .. }
        | Expr::Overlay { expr, .. } => Some(enclosed(text, try_range(text, expr)?, Around::Call)),
        Expr::Exists { .. } => Some(enclosed(text, position::range(text, expr.span())?, Around::Call)),
        Expr::Subquery(query) => Some(enclosed(text, position::range(text, query.span())?, Around::Parentheses)),
        Expr::Function(function) => function_range(text, function),
        Expr::TypedString(_) => {
            let value = position::range(text, expr.span())?;
            Some(word_start(text, value.start)..value.end)
        }
        other => position::range(text, other.span()).map(|range| balanced(text, range)),
    }
}

/// The bytes of a call's name.
pub(super) fn function_name_range(text: &str, function: &ast::Function) -> Option<Range<usize>> {
    position::range(text, function.name.span())
}

fn function_range(text: &str, function: &ast::Function) -> Option<Range<usize>> {
    let name = function_name_range(text, function)?;
    let mut end = name.end;
    if let Some(open) = next_open(text, end) {
        end = closing(text, open)? + 1;
    }
    let clauses = usize::from(function.filter.is_some())
        + usize::from(function.over.is_some())
        + usize::from(!function.within_group.is_empty());
    for _ in 0..clauses {
        end = words_end(text, end, &["filter", "over", "within", "group", "ignore", "respect", "nulls"]);
        match next_open(text, end) {
            Some(open) => end = closing(text, open)? + 1,
            None => end = word_end(text, end),
        }
    }
    Some(name.start..end)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Parentheses,
    /// The word in front of the parentheses, too.
    Call,
}

/// The range with the parentheses around it.
fn enclosed(text: &str, inner: Range<usize>, around: Around) -> Range<usize> {
    let mut depth = 0;
    let open = text[..inner.start].char_indices().rev().find(|(_, character)| {
        match character {
            ')' => depth += 1,
            '(' if depth > 0 => depth -= 1,
            '(' => return true,
            _ => {}
        }
        false
    });
    let Some((open, _)) = open else { return inner };
    let Some(close) = closing(text, open) else { return inner };
    match around {
        Around::Parentheses => open..close + 1,
        Around::Call => word_start(text, open)..close + 1,
    }
}

/// The range, longer by the closing parentheses that it lacks.
fn balanced(text: &str, range: Range<usize>) -> Range<usize> {
    let mut at = range.start;
    let mut end = range.end;
    while let Some(open) = text.get(at..end).and_then(|slice| slice.find('(')).map(|open| open + at) {
        match closing(text, open) {
            Some(close) => {
                end = end.max(close + 1);
                at = close + 1;
            }
            None => break,
        }
    }
    range.start..end
}

/// Where the parenthesis that opens at `open` closes; strings, quoted names and comments are stepped over.
fn closing(text: &str, open: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = open;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'\'' | b'"' | b'`' => at = quoted_end(bytes, at)?,
            b'-' if bytes.get(at + 1) == Some(&b'-') => at += text[at..].find('\n')?,
            b'/' if bytes.get(at + 1) == Some(&b'*') => at += text[at..].find("*/")? + 1,
            _ => {}
        }
        at += 1;
    }
    None
}

fn quoted_end(bytes: &[u8], start: usize) -> Option<usize> {
    let quote = *bytes.get(start)?;
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'\\' && quote != b'`' {
            at += 1;
        } else if *byte == quote {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn next_open(text: &str, from: usize) -> Option<usize> {
    let rest = &text[from..];
    let skipped = rest.len() - rest.trim_start().len();
    rest[skipped..].starts_with('(').then_some(from + skipped)
}

fn word_end(text: &str, from: usize) -> usize {
    let rest = &text[from..];
    let skipped = rest.len() - rest.trim_start().len();
    let length = rest[skipped..].find(|character: char| !(character.is_alphanumeric() || character == '_'));
    from + skipped + length.unwrap_or(rest.len() - skipped)
}

fn words_end(text: &str, from: usize, words: &[&str]) -> usize {
    let mut end = from;
    loop {
        let next = word_end(text, end);
        if next == end || !words.contains(&text[end..next].trim_start().to_lowercase().as_str()) {
            return end;
        }
        end = next;
    }
}

fn word_start(text: &str, before: usize) -> usize {
    let head = text[..before].trim_end();
    head.rfind(|character: char| !(character.is_alphanumeric() || character == '_'))
        .map_or(0, |index| index + head[index..].chars().next().map_or(1, char::len_utf8))
}

fn type_end(text: &str, from: usize) -> usize {
    let end = word_end(text, from);
    match next_open(text, end) {
        Some(open) => closing(text, open).map_or(end, |close| close + 1),
        None => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parse::parse_expression;

    #[test]
    fn the_whole_of_an_expression_is_marked() {
        for text in [
            "CAST(a AS INT)",
            "TRY_CAST (a AS DECIMAL(10, 2))",
            "count(*)",
            "sum(x) FILTER (WHERE y > ')') OVER (PARTITION BY z ORDER BY (w))",
            "f()",
            "(a + b) * 2",
            "(a + (b))",
            "-a",
            "NOT a",
            "a IS NOT NULL",
            "a IN (1, 2)",
            "a NOT IN (SELECT b FROM c)",
            "a BETWEEN 1 AND (2)",
            "a LIKE 'x(%'",
            "CASE WHEN a THEN b ELSE c END",
            "extract(YEAR FROM a)",
            "DATE '2024-01-01'",
            "EXISTS (SELECT 1 FROM t)",
            "a::decimal(10,2)",
            "(SELECT max(x) FROM t)",
        ] {
            let padded = format!("  {text} ");
            let expression = parse_expression(&padded).expect(text);
            assert_eq!(&padded[expr_range(&padded, &expression.ast)], text);
        }
    }
}
