//! Conditions with window functions over all rows at once, as aggregates: a mean of all rows is one number.
//!
//! In: a condition. Out: the condition with each `aggregate(…) OVER ()` replaced by a name, and the aggregates. DataFusion
//! holds all rows in memory for such a window; as one row beside a stream it holds nothing. Where a window has parts or an
//! order there is nothing to gain, and the condition stays as it is.

use std::ops::ControlFlow;

use deltalake::datafusion::sql::sqlparser::ast::{Expr, Ident, WindowType, visit_expressions_mut};

use crate::sql::parse::parse_expression;

/// A condition over a row and the values of all rows.
pub(super) struct OverAll {
    pub(super) condition: String,
    /// The name that the condition has for it, and the aggregate.
    pub(super) aggregates: Vec<(String, String)>,
}

/// `None` if the condition has no window functions, or not only such over all rows.
pub(super) fn over_all(condition: &str) -> Option<OverAll> {
    let mut expr = parse_expression(condition).ok()?.ast;
    let mut aggregates: Vec<(String, String)> = Vec::new();
    let walk = visit_expressions_mut(&mut expr, |part| {
        let Expr::Function(function) = part else { return ControlFlow::Continue(()) };
        match &function.over {
            None => return ControlFlow::Continue(()),
            Some(WindowType::WindowSpec(spec))
                if spec.window_name.is_none()
                    && spec.partition_by.is_empty()
                    && spec.order_by.is_empty()
                    && spec.window_frame.is_none() => {}
            Some(WindowType::WindowSpec(_) | WindowType::NamedWindow(_)) => return ControlFlow::Break(()),
        }
        function.over = None;
        let text = function.to_string();
        let known = aggregates.iter().find(|(_, known)| *known == text).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| {
            let name = format!("_medc_of_all_{}", aggregates.len());
            aggregates.push((name.clone(), text));
            name
        });
        *part = Expr::Identifier(Ident::new(name));
        ControlFlow::Continue(())
    });
    let only = walk.is_continue() && !aggregates.is_empty();
    only.then(|| OverAll { condition: expr.to_string(), aggregates })
}

#[cfg(test)]
mod tests {
    use super::over_all;

    #[test]
    fn windows_over_all_rows_become_aggregates() {
        let found =
            over_all("abs(x - avg(x) OVER ()) > 3 * stddev_samp(x) OVER () + avg(x) OVER ()").expect("over all");
        assert_eq!(found.condition, "abs(x - _medc_of_all_0) > 3 * _medc_of_all_1 + _medc_of_all_0");
        let texts: Vec<_> = found.aggregates.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["avg(x)", "stddev_samp(x)"]);
        assert!(over_all("x > avg(x) OVER (PARTITION BY y) + avg(x) OVER ()").is_none());
        assert!(over_all("row_number() OVER (ORDER BY x) > 1").is_none());
        assert!(over_all("x > 1").is_none());
    }
}
