//! Whether a condition says something of one row alone, the same at any time: what a CHECK constraint can hold.
//!
//! In: an expression that was checked. Out: yes or no. Subqueries, windows, qualified names, and functions whose value is another one
//! each time, for each user or in each session are none of a row's business.

use std::ops::ControlFlow;

use deltalake::datafusion::sql::sqlparser::ast::{self, Expr, Visit, Visitor};

use crate::sql::parse;

/// Functions that do not depend on their arguments alone.
const OTHERWISE: [&str; 22] = [
    "current_catalog",
    "current_database",
    "current_date",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_timezone",
    "current_user",
    "curdate",
    "input_file_name",
    "is_account_group_member",
    "is_member",
    "localtimestamp",
    "monotonically_increasing_id",
    "now",
    "rand",
    "randn",
    "random",
    "session_user",
    "unix_timestamp",
    "user",
    "uuid",
];

/// Whether a CHECK constraint can hold the condition.
pub fn is_of_one_row(text: &str) -> bool {
    let Ok(expression) = parse::parse_expression(text) else { return false };
    expression.ast.visit(&mut Walk).is_continue()
}

struct Walk;

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_query(&mut self, _: &ast::Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
            Expr::Function(function) => {
                let name = function.name.to_string().to_lowercase();
                if function.over.is_some() || OTHERWISE.contains(&name.as_str()) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_conditions_of_one_row_at_any_time() {
        for text in
            ["amount >= 0", "`a` NOT IN ('x', 'y') AND length(b) > 2", "CASE WHEN a IS NULL THEN true ELSE b END"]
        {
            assert!(is_of_one_row(text), "{text}");
        }
        for text in [
            "day <= current_date()",
            "day <= current_date",
            "a IN (SELECT a FROM silver.b)",
            "count(*) OVER () > 1",
            "orders.amount > 0",
            "a >",
        ] {
            assert!(!is_of_one_row(text), "{text}");
        }
    }
}
