//! The direct parts of an expression: its operands and its subqueries.

use std::ops::ControlFlow;

use deltalake::datafusion::sql::sqlparser::ast::{Expr, Query, Visit, Visitor};

/// A direct part of an expression.
pub(super) enum Part {
    Expr(Box<Expr>),
    Query(Box<Query>),
}

/// The direct parts of an expression, copied; bodies of lambdas are none, since their parameters are no columns.
pub(super) fn parts(expr: &Expr) -> Vec<Part> {
    struct Parts {
        depth: usize,
        queries: usize,
        found: Vec<Part>,
    }
    impl Visitor for Parts {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.depth += 1;
            if self.depth == 2 && self.queries == 0 {
                self.found.push(Part::Expr(Box::new(expr.clone())));
            }
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            if self.depth == 1 && self.queries == 0 {
                self.found.push(Part::Query(Box::new(query.clone())));
            }
            self.queries += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
            self.queries -= 1;
            ControlFlow::Continue(())
        }
    }
    let mut walk = Parts { depth: 0, queries: 0, found: Vec::new() };
    let _ = expr.visit(&mut walk);
    walk.found.retain(|part| !matches!(part, Part::Expr(expr) if matches!(**expr, Expr::Lambda(_))));
    walk.found
}
